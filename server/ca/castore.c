#include "server/ca/castore.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/json.h"
#include "storage/secret.h"
#include "storage/txn.h"

/* Count a text's bytes, or copy it into memory and point to the copy. */
static void
keep(struct castore *store, size_t *used, struct span *text)
{
	char *copy;

	if (store->memory != NULL) {
		assert(*used + text->size < store->memory_size);
		copy = store->memory + *used;
		if (text->size > 0)
			memcpy(copy, text->data, text->size);
		copy[text->size] = '\0';
		text->data = copy;
	}
	*used += text->size + 1;
}

static size_t
keep_all(struct castore *store)
{
	size_t used = 0;

	keep(store, &used, &store->config.cluster_id);
	keep(store, &used, &store->config.provider);
	keep(store, &used, &store->config.config);
	keep(store, &used, &store->config.state);
	for (size_t i = 0; i < store->root_count; i++) {
		struct ca_root *root = &store->roots[i];

		keep(store, &used, &root->id);
		keep(store, &used, &root->name);
		keep(store, &used, &root->signing_key_id);
		keep(store, &used, &root->external_trust_domain);
		keep(store, &used, &root->cert);
		for (size_t j = 0; j < root->intermediate_count; j++)
			keep(store, &used, &root->intermediates[j]);
		keep(store, &used, &root->key_type);
		keep(store, &used, &store->issuers[i].private_key);
		keep(store, &used, &store->issuers[i].root_cert);
	}
	keep(store, &used, &store->current.private_key);
	keep(store, &used, &store->current.root_cert);
	return used;
}

/* What the stored Config means. A Config that means nothing is a finding of
 * its own, not a failure to read. */
static enum err
load_settings(struct castore *store, struct errmsg *why)
{
	struct span text = store->config.config;
	enum err rc;

	rc = json_parse(
	    text.data, text.size, NULL, &store->doc, &store->settings_why);
	if (rc == OK) {
		rc = caconfig_decode(store->doc, json_root(store->doc),
		    &store->settings, &store->settings_why);
	}
	store->settings_rc = rc;
	if (rc == ERR_NOMEM)
		return err_set(why, rc, "out of memory");
	if (rc != OK)
		return OK;
	return provider_consul_id(&store->settings, store->provider_id, why);
}

/* The key and certificate under an id; absent: empty. */
static enum err
load_row(struct txn *txn, struct span id, struct ca_provider_row *out,
    struct errmsg *why)
{
	enum err rc = authority_provider(txn, id, out, why);

	if (rc == ERR_NOTFOUND)
		*out = (struct ca_provider_row){0};
	out->id = (struct span){0};
	out->intermediate_cert = (struct span){0};
	return rc == ERR_NOTFOUND ? OK : rc;
}

static enum err
load_rows(struct castore *store, struct txn *txn, struct errmsg *why)
{
	const struct caconfig *settings = &store->settings;
	enum err rc = OK;

	for (size_t i = 0; rc == OK && i < store->root_count; i++) {
		if (store->roots[i].active) {
			store->active = i;
			continue;
		}
		rc = load_row(txn, store->roots[i].id, &store->issuers[i], why);
	}
	if (rc == OK && store->provider_id[0] != '\0')
		rc = load_row(
		    txn, span_of(store->provider_id), &store->current, why);
	if (rc != OK)
		return rc;
	if (store->current.root_cert.size == 0 && settings->root_cert != NULL) {
		store->current.private_key = span_of(settings->private_key);
		store->current.root_cert = span_of(settings->root_cert);
	}
	return OK;
}

/* Is a the text b, but for a's missing final newline? */
static bool
same_pem(struct span a, struct span b)
{
	if (a.size + 1 == b.size && b.data[a.size] == '\n')
		b.size--;
	return span_equal(a, b);
}

static enum err
load(struct castore *store, struct txn *txn, struct errmsg *why)
{
	enum err rc;

	rc = authority_config(txn, &store->config, why);
	if (rc == ERR_NOTFOUND) {
		store->config = (struct ca_config){0};
		return OK;
	}
	if (rc != OK)
		return rc;
	store->has_config = true;
	rc = authority_roots(txn, store->roots, AUTHORITY_ROOTS_MAX,
	    &store->root_count, &store->roots_index, why);
	if (rc == OK)
		rc = load_settings(store, why);
	if (rc == OK)
		rc = load_rows(store, txn, why);
	if (rc != OK)
		return rc;
	if (store->active != CASTORE_NONE &&
	    same_pem(
		store->current.root_cert, store->roots[store->active].cert))
		store->issuers[store->active] = store->current;
	store->memory_size = keep_all(store) + 1;
	store->memory = calloc(1, store->memory_size);
	if (store->memory == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	keep_all(store);
	return OK;
}

enum err
castore_load(struct db *db, struct castore **out, struct errmsg *why)
{
	struct castore *store = calloc(1, sizeof(*store));
	struct txn *txn = NULL;
	enum err rc;

	if (store == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	store->active = CASTORE_NONE;
	rc = txn_read(db, &txn, why);
	if (rc == OK)
		rc = load(store, txn, why);
	txn_abort(txn);
	if (rc != OK) {
		castore_free(store);
		return rc;
	}
	*out = store;
	return OK;
}

void
castore_free(struct castore *store)
{
	if (store == NULL)
		return;
	caconfig_free(&store->settings);
	json_wipe(store->doc);
	secret_wipe(store->memory, store->memory_size);
	free(store->memory);
	free(store);
}
