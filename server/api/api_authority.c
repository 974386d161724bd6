#include <inttypes.h>

#include "fsm/authority.h"
#include "server/api/blocking.h"
#include "server/api/context.h"
#include "server/api/handlers.h"
#include "server/api/jsonout.h"
#include "server/json.h"

#define TRUST_SUFFIX ".consul"

static const struct span whole = {NULL, 0};

static uint64_t
authority_topic(struct span object)
{
	(void)object;
	return AUTHORITY_TOPIC;
}

static void
put_intermediates(struct buf *out, const struct ca_root *root)
{
	if (root->intermediate_count == 0) {
		jsonout_key(out, "IntermediateCerts");
		buf_puts(out, "null");
		return;
	}
	jsonout_open(out, "IntermediateCerts", '[');
	for (size_t i = 0; i < root->intermediate_count; i++)
		jsonout_span(out, NULL, root->intermediates[i]);
	jsonout_close(out, '[');
}

/* An allow-list: what is not named here never leaves (contract 2.1). */
static void
put_root(struct buf *out, const struct ca_root *root)
{
	jsonout_open(out, NULL, '{');
	jsonout_span(out, "ID", root->id);
	jsonout_span(out, "Name", root->name);
	jsonout_u64(out, "SerialNumber", root->serial);
	jsonout_span(out, "SigningKeyID", root->signing_key_id);
	jsonout_span(out, "ExternalTrustDomain", root->external_trust_domain);
	jsonout_time(out, "NotBefore", root->not_before);
	jsonout_time(out, "NotAfter", root->not_after);
	jsonout_span(out, "RootCert", root->cert);
	put_intermediates(out, root);
	jsonout_bool(out, "Active", root->active);
	jsonout_span(out, "PrivateKeyType", root->key_type);
	jsonout_u64(out, "PrivateKeyBits", root->key_bits);
	jsonout_u64(out, "CreateIndex", root->create_index);
	jsonout_u64(out, "ModifyIndex", root->modify_index);
	jsonout_close(out, '{');
}

/* Everything a reader of roots needs, from one transaction. */
struct bundle {
	struct ca_root roots[AUTHORITY_ROOTS_MAX];
	size_t count;
	struct ca_config config; /* cluster_id empty before bootstrap */
};

static enum err
bundle_load(struct txn *txn, struct bundle *bundle, struct view_text *out,
    struct errmsg *why)
{
	enum err rc;

	rc = authority_roots(txn, bundle->roots, AUTHORITY_ROOTS_MAX,
	    &bundle->count, &out->version, why);
	if (rc != OK)
		return rc;
	rc = authority_config(txn, &bundle->config, why);
	if (rc == ERR_NOTFOUND)
		bundle->config = (struct ca_config){.modify_index = 0};
	else if (rc != OK)
		return rc;
	return authority_index(txn, &out->index);
}

static enum err
render_roots(struct txn *txn, struct span object, struct view_text *out,
    struct errmsg *why)
{
	struct bundle bundle;
	struct span active = {NULL, 0}, id;
	enum err rc = bundle_load(txn, &bundle, out, why);

	(void)object;
	if (rc != OK)
		return rc;
	for (size_t i = 0; i < bundle.count; i++) {
		if (bundle.roots[i].active)
			active = bundle.roots[i].id;
	}
	id = bundle.config.cluster_id;
	jsonout_open(&out->text, NULL, '{');
	jsonout_span(&out->text, "ActiveRootID", active);
	jsonout_key(&out->text, "TrustDomain");
	/* A UUID: nothing in it needs an escape. */
	buf_printf(&out->text, "\"%.*s%s\"", (int)id.size,
	    id.size == 0 ? "" : id.data, id.size == 0 ? "" : TRUST_SUFFIX);
	jsonout_open(&out->text, "Roots", '[');
	for (size_t i = 0; i < bundle.count; i++)
		put_root(&out->text, &bundle.roots[i]);
	jsonout_close(&out->text, '[');
	jsonout_close(&out->text, '{');
	return OK;
}

static enum err
render_pem(struct txn *txn, struct span object, struct view_text *out,
    struct errmsg *why)
{
	struct bundle bundle;
	enum err rc = bundle_load(txn, &bundle, out, why);

	(void)object;
	for (size_t i = 0; rc == OK && i < bundle.count; i++) {
		const struct ca_root *root = &bundle.roots[i];

		buf_raw(&out->text, root->cert.data, root->cert.size);
		for (size_t j = 0; j < root->intermediate_count; j++) {
			buf_raw(&out->text, root->intermediates[j].data,
			    root->intermediates[j].size);
		}
	}
	return rc;
}

static enum err
render_config(struct txn *txn, struct span object, struct view_text *out,
    struct errmsg *why)
{
	struct buf *text = &out->text;
	struct ca_config config;
	enum err rc = authority_config(txn, &config, why);

	(void)object;
	if (rc == ERR_NOTFOUND)
		return err_set(why, ERR_BADSTATE, "CA not initialized");
	if (rc != OK)
		return rc;
	jsonout_open(text, NULL, '{');
	jsonout_span(text, "Provider", config.provider);
	jsonout_key(text, "Config");
	buf_raw(text, config.config.data, config.config.size);
	jsonout_key(text, "State");
	if (config.state.size > 0)
		buf_raw(text, config.state.data, config.state.size);
	else
		buf_puts(text, "null");
	jsonout_bool(text, "ForceWithoutCrossSigning", config.force);
	jsonout_u64(text, "CreateIndex", config.create_index);
	jsonout_u64(text, "ModifyIndex", config.modify_index);
	jsonout_close(text, '{');
	out->index = config.modify_index;
	return OK;
}

static const struct view_kind roots_json = {
    render_roots, authority_topic, REPLY_JSON, 0};
static const struct view_kind roots_pem = {render_pem, authority_topic,
    "application/pem-certificate-chain", VIEW_PLAIN};
static const struct view_kind roots_agent = {
    render_roots, authority_topic, REPLY_JSON, VIEW_AGE};
static const struct view_kind ca_config = {
    render_config, authority_topic, REPLY_JSON, VIEW_SECRET | VIEW_BARE};

/* GET /v1/connect/ca/roots: contract 2.1. */
void
api_roots_get(const struct ask *ask, const struct http_request *request)
{
	bool pem = false, good = true;
	char text[8];

	if (request->query.size > 0) {
		good =
		    query_text(request, "pem", text, sizeof(text), NULL) == OK;
		if (good && text[0] != '\0')
			good = query_bool(text, &pem);
	}
	if (!good) {
		reply_error(ask, 400,
		    "The 'pem' query parameter must be a boolean value");
		return;
	}
	blocking_read(ask, pem ? &roots_pem : &roots_json, whole);
}

/*
 * GET /v1/agent/connect/ca/roots: contract 2.4. Our cache is the replicated
 * state, as fresh as the last word from the leader: what is older than the
 * client wants is confirmed by a barrier first.
 */
void
api_agent_roots_get(const struct ask *ask, const struct http_request *request)
{
	struct ask local = *ask;
	uint64_t age_ms = node_last_contact_ms(ask->api->server.node);

	(void)request;
	local.query.mode = READ_STALE;
	if (ask->query.has_max_age &&
	    (ask->query.max_age_s == 0 || age_ms / 1000 > ask->query.max_age_s))
		local.query.mode = READ_DEFAULT;
	blocking_read(&local, &roots_agent, whole);
}

/* GET /v1/connect/ca/configuration: contract 2.2. */
void
api_ca_config_get(const struct ask *ask, const struct http_request *request)
{
	(void)request;
	blocking_read(ask, &ca_config, whole);
}
