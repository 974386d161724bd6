#include "server/configca.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "server/json.h"
#include "storage/secret.h"

#define SECRET_KEY "PrivateKey"
#define MASK       "hidden" /* as Consul masks */

/* In byte order of the second name, which is the order of the output. */
static const struct key {
	const char *in_file, *in_state;
	const char *initial; /* JSON, or NULL */
} keys[] = {
    {"csr_max_concurrent", "CSRMaxConcurrent", NULL},
    {"csr_max_per_second", "CSRMaxPerSecond", NULL},
    {"disable_cross_signing", "DisableCrossSigning", NULL},
    {"intermediate_cert_ttl", "IntermediateCertTTL", "\"8760h\""},
    {"leaf_cert_ttl", "LeafCertTTL", "\"72h\""},
    {"private_key", SECRET_KEY, NULL},
    {"private_key_bits", "PrivateKeyBits", NULL},
    {"private_key_type", "PrivateKeyType", NULL},
    {"root_cert", "RootCert", NULL},
    {"root_cert_ttl", "RootCertTTL", "\"87600h\""},
    {"skip_validate", "SkipValidate", NULL},
};

static bool
is_key(const struct key *key, const char *name)
{
	return strcmp(name, key->in_file) == 0 ||
	    strcasecmp(name, key->in_state) == 0;
}

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (is_key(&keys[i], name))
			return true;
	}
	return false;
}

static enum err
check_members(
    const struct json *map, const struct json **culprit, struct errmsg *why)
{
	const struct json *member = map != NULL ? json_first(map) : NULL;

	for (; member != NULL; member = json_next(member)) {
		*culprit = member;
		if (!is_known(json_key(member))) {
			return err_set(why, ERR_INVALID,
			    "the built-in CA has no key of this name");
		}
		if (json_type(member) != JSON_STRING &&
		    json_type(member) != JSON_NUMBER &&
		    json_type(member) != JSON_BOOL) {
			return err_set(why, ERR_INVALID,
			    "must be a text, a number or a bool");
		}
	}
	*culprit = NULL;
	return OK;
}

/* The member of map that key is given by; a second one is refused. */
static enum err
find(const struct key *key, const struct json *map, const struct json **out,
    const struct json **culprit, struct errmsg *why)
{
	const struct json *member = map != NULL ? json_first(map) : NULL;

	*out = NULL;
	for (; member != NULL; member = json_next(member)) {
		if (!is_key(key, json_key(member)))
			continue;
		if (*out != NULL) {
			*culprit = member;
			return err_set(why, ERR_INVALID, "%s is given twice",
			    key->in_state);
		}
		*out = member;
	}
	return OK;
}

static enum err
put_map(struct buf *text, const struct json_doc *doc, const struct json *map,
    const struct json **culprit, struct errmsg *why)
{
	const struct json *member;
	enum err rc;

	buf_u8(text, '{');
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		rc = find(&keys[i], map, &member, culprit, why);
		if (rc != OK)
			return rc;
		if (member == NULL && keys[i].initial == NULL)
			continue;
		if (text->size > 1)
			buf_u8(text, ',');
		json_put_cstring(text, keys[i].in_state);
		buf_u8(text, ':');
		if (member != NULL)
			json_put(text, doc, member, false);
		else
			buf_puts(text, keys[i].initial);
	}
	buf_u8(text, '}');
	return buf_status(text, why);
}

enum err
configca_translate(const struct json_doc *doc, const struct json *map,
    char **out, const struct json **culprit, struct errmsg *why)
{
	/* Escapes may take six bytes where the file had one. */
	struct buf text = buf_new(6 * JSON_SIZE_MAX);
	enum err rc;

	*culprit = NULL;
	rc = check_members(map, culprit, why);
	if (rc == OK)
		rc = put_map(&text, doc, map, culprit, why);
	if (rc == OK) {
		*out = strndup((const char *)text.data, text.size);
		if (*out == NULL)
			rc = err_set(why, ERR_NOMEM, "out of memory");
	}
	buf_wipe(&text);
	return rc;
}

void
configca_put_masked(struct buf *out, const char *text)
{
	const struct json *member;
	struct json_doc *doc;
	size_t rest;

	/* Ours, so only memory can be lacking: then nothing is shown. */
	if (json_parse(text, strlen(text), &rest, &doc, NULL) != OK) {
		buf_puts(out, "null");
		return;
	}
	buf_u8(out, '{');
	member = json_first(json_root(doc));
	for (; member != NULL; member = json_next(member)) {
		if (member != json_first(json_root(doc)))
			buf_u8(out, ',');
		json_put_cstring(out, json_key(member));
		buf_u8(out, ':');
		if (strcmp(json_key(member), SECRET_KEY) == 0)
			json_put_cstring(out, MASK);
		else
			json_put(out, doc, member, false);
	}
	buf_u8(out, '}');
	json_wipe(doc);
}
