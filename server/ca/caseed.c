#include "server/ca/caseed.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "server/ca/pki.h"
#include "server/config.h"
#include "server/json.h"

#define MIDDLE_NAME "IntermediateCertTTL"
#define MIDDLE_TTL  "8760h0m0s"

bool
caseed_needed(const struct castore *store)
{
	return !store->has_config ||
	    (store->doc != NULL &&
		json_type(json_root(store->doc)) == JSON_OBJECT &&
		!caconfig_has(json_root(store->doc), MIDDLE_NAME));
}

/* RFC 4122, 4.4. */
static enum err
draw_uuid(char out[static CASEED_UUID_TEXT], struct errmsg *why)
{
	uint8_t b[16];

	if (RAND_bytes(b, sizeof(b)) != 1)
		return err_set(why, ERR_INTERNAL, "no random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(out, CASEED_UUID_TEXT,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
	    b[11], b[12], b[13], b[14], b[15]);
	return OK;
}

static enum err
set_cluster_id(const char *configured, struct caseed *out, struct errmsg *why)
{
	char uri[PKI_URI_TEXT];
	enum err rc;

	if (configured == NULL)
		return draw_uuid(out->cluster_id, why);
	rc = pki_uri(configured, uri, why);
	if (rc != OK)
		return rc;
	for (size_t i = 0; configured[i] != '\0'; i++)
		out->cluster_id[i] =
		    (char)tolower((unsigned char)configured[i]);
	return OK;
}

/* A fresh row from the node's configuration. */
static enum err
make_first(const struct config *config, struct caseed *out, struct errmsg *why)
{
	struct ca_config *row = &out->command.ca_config.config;
	enum err rc;

	rc = set_cluster_id(config->cluster_id, out, why);
	if (rc != OK)
		return rc;
	buf_puts(&out->config,
	    config->ca_config != NULL ? config->ca_config : caconfig_default);
	row->cluster_id = span_of(out->cluster_id);
	row->provider = span_of(config->ca_provider);
	return OK;
}

/* The stored row with one more member. */
static enum err
make_complete(
    const struct castore *store, struct caseed *out, struct errmsg *why)
{
	struct buf text = buf_new(AUTHORITY_CONFIG_MAX);
	bool empty = json_first(json_root(store->doc)) == NULL;
	struct json_doc *doc = NULL;
	enum err rc;

	/* Every member, then ours, sorted by the writer. */
	json_put(&text, store->doc, json_root(store->doc), true);
	if (text.size > 0)
		text.size--; /* the closing brace */
	buf_puts(&text, empty ? "" : ",");
	buf_puts(&text, "\"" MIDDLE_NAME "\":\"" MIDDLE_TTL "\"}");
	rc = buf_status(&text, why);
	if (rc == OK)
		rc = json_parse(text.data, text.size, NULL, &doc, why);
	if (rc == OK)
		json_put(&out->config, doc, json_root(doc), true);
	json_wipe(doc);
	buf_wipe(&text);
	out->command.ca_config.config = store->config;
	out->command.ca_config.config.cluster_id = (struct span){0};
	out->command.ca_config.cas = store->config.modify_index;
	return rc;
}

enum err
caseed_make(const struct castore *store, const struct config *config,
    struct caseed *out, struct errmsg *why)
{
	struct ca_config *row = &out->command.ca_config.config;
	enum err rc;

	*out = (struct caseed){.command = {.type = COMMAND_CA_CONFIG},
	    .config = buf_new(AUTHORITY_CONFIG_MAX)};
	if (store->has_config)
		rc = make_complete(store, out, why);
	else
		rc = make_first(config, out, why);
	if (rc == OK)
		rc = buf_status(&out->config, why);
	row->config.data = (const char *)out->config.data;
	row->config.size = out->config.size;
	return rc;
}

void
caseed_free(struct caseed *seed)
{
	buf_wipe(&seed->config);
}
