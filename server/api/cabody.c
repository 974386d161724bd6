#include "server/api/cabody.h"

#include <string.h>
#include <strings.h>

#include "fsm/authority.h"
#include "server/api/decode.h"
#include "server/json.h"

#define PROVIDER_MAX 256

static enum err
take_text(const struct json *value, struct cabody *out, struct errmsg *why)
{
	if (json_type(value) == JSON_NULL)
		return OK;
	if (json_type(value) != JSON_STRING)
		return decode_mismatch(value, "string", why);
	buf_puts(&out->provider, json_string(value));
	return OK;
}

static enum err
take_config(const struct json_doc *doc, const struct json *value,
    struct cabody *out, struct errmsg *why)
{
	if (json_type(value) == JSON_NULL)
		return OK;
	if (json_type(value) != JSON_OBJECT)
		return decode_mismatch(value, "map", why);
	/* Room for the whole at once: growing would leave copies behind. */
	buf_reserve(&out->config, AUTHORITY_CONFIG_MAX);
	json_put(&out->config, doc, value, true);
	return OK;
}

static enum err
take_state(const struct json_doc *doc, const struct json *value,
    struct cabody *out, struct errmsg *why)
{
	if (json_type(value) == JSON_NULL)
		return OK;
	if (json_type(value) != JSON_OBJECT)
		return decode_mismatch(value, "map of strings", why);
	for (const struct json *v = json_first(value); v != NULL;
	     v = json_next(v)) {
		if (json_type(v) != JSON_STRING)
			return decode_mismatch(v, "string", why);
	}
	if (json_first(value) != NULL)
		json_put(&out->state, doc, value, true);
	return OK;
}

static enum err
take_member(const struct json_doc *doc, const struct json *member,
    struct cabody *out, struct errmsg *why)
{
	const char *key = json_key(member);
	bool null = json_type(member) == JSON_NULL;
	uint64_t ignored;

	if (strcasecmp(key, "Provider") == 0)
		return take_text(member, out, why);
	if (strcasecmp(key, "Config") == 0)
		return take_config(doc, member, out, why);
	if (strcasecmp(key, "State") == 0)
		return take_state(doc, member, out, why);
	if (strcasecmp(key, "ForceWithoutCrossSigning") == 0 ||
	    strcasecmp(key, "force_without_cross_signing") == 0) {
		if (!null && json_type(member) != JSON_BOOL)
			return decode_mismatch(member, "bool", why);
		out->force = json_bool(member);
		return OK;
	}
	if (strcasecmp(key, "ModifyIndex") == 0) {
		if (!null && !json_u64(doc, member, &out->modify_index))
			return decode_mismatch(member, "uint64", why);
		return OK;
	}
	if (strcasecmp(key, "CreateIndex") == 0) {
		if (!null && !json_u64(doc, member, &ignored))
			return decode_mismatch(member, "uint64", why);
		return OK;
	}
	return decode_unknown(member, why);
}

enum err
cabody_decode(struct http_slice body, struct cabody *out, struct errmsg *why)
{
	struct json_doc *doc = NULL;
	enum err rc;

	*out = (struct cabody){.provider = buf_new(PROVIDER_MAX),
	    .config = buf_new(AUTHORITY_CONFIG_MAX),
	    .state = buf_new(AUTHORITY_CONFIG_MAX)};
	rc = decode_object(body, &doc, why);
	if (rc != OK)
		return rc;
	for (const struct json *m = json_first(json_root(doc));
	     rc == OK && m != NULL; m = json_next(m))
		rc = take_member(doc, m, out, why);
	json_wipe(doc);
	if (out->config.size == 0)
		buf_puts(&out->config, "{}");
	buf_u8(&out->provider, 0);
	buf_u8(&out->state, 0);
	if (rc == OK)
		rc = buf_status(&out->provider, why);
	if (rc == OK)
		rc = buf_status(&out->config, why);
	if (rc == OK)
		rc = buf_status(&out->state, why);
	if (rc != OK)
		cabody_free(out);
	return rc;
}

void
cabody_free(struct cabody *body)
{
	buf_wipe(&body->provider);
	buf_wipe(&body->config);
	buf_wipe(&body->state);
}
