#include "fsm/tlsconf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "fsm/index.h"
#include "fsm/result.h"
#include "storage/buf.h"

/* Row: u64 create index, u64 modify index, the document. */
#define ROW_HEAD 16

static_assert(TLSCONF_SCOPE_MAX <= DB_KEY_MAX, "a scope is a key");

bool
tlsconf_scope_valid(struct span scope)
{
	if (scope.size == 0 || scope.size > TLSCONF_SCOPE_MAX)
		return false;
	for (size_t i = 0; i < scope.size; i++) {
		char c = scope.data[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' &&
		    c != '-')
			return false;
	}
	return true;
}

static bool
row_decode(struct reader in, struct tlsconf *out)
{
	if (!read_u64(&in, &out->create_index) ||
	    !read_u64(&in, &out->modify_index) || out->create_index == 0 ||
	    out->modify_index == 0)
		return false;
	out->document = (struct span){(const char *)in.data, in.size};
	return true;
}

/* ERR_NOTFOUND leaves *out all zero. Indexes as stored, not stamped. */
static enum err
row_get(struct txn *txn, struct span scope, struct tlsconf *out)
{
	struct reader in;
	enum err rc;

	*out = (struct tlsconf){0};
	rc = txn_get(
	    txn, TABLE_TLSCONF, scope.data, scope.size, &in.data, &in.size);
	if (rc != OK)
		return rc;
	if (!row_decode(in, out))
		return ERR_CORRUPT;
	out->scope = scope;
	return OK;
}

enum err
tlsconf_get(struct txn *txn, struct span scope, struct tlsconf *out,
    uint64_t *index, struct errmsg *why)
{
	struct index table;
	enum err rc;

	rc = index_get(txn, TABLE_TLSCONF, &table);
	if (rc != OK) {
		return err_set(why, rc,
		    "cannot read the index of TLS configurations: %s",
		    err_text(rc));
	}
	*index = table.absent;
	rc = ERR_NOTFOUND;
	if (tlsconf_scope_valid(scope))
		rc = row_get(txn, scope, out);
	if (rc == ERR_NOTFOUND)
		return err_set(why, rc, "no TLS configuration for this scope");
	if (rc != OK) {
		return err_set(
		    why, rc, "cannot read TLS configuration: %s", err_text(rc));
	}
	out->modify_index = index_stamp(&table, out->modify_index);
	*index = out->modify_index;
	return OK;
}

struct listing {
	tlsconf_cb cb;
	void *arg;
	const struct index *index;
	bool corrupt;
};

static bool
list_row(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	struct listing *listing = arg;
	struct tlsconf conf;

	if (!row_decode((struct reader){data, size}, &conf)) {
		listing->corrupt = true;
		return false;
	}
	conf.scope = (struct span){(const char *)key, key_size};
	conf.modify_index = index_stamp(listing->index, conf.modify_index);
	return listing->cb(listing->arg, &conf);
}

enum err
tlsconf_list(struct txn *txn, tlsconf_cb cb, void *arg, uint64_t *index,
    struct errmsg *why)
{
	struct index table;
	struct listing listing = {cb, arg, &table, false};
	enum err rc;

	rc = index_get(txn, TABLE_TLSCONF, &table);
	if (rc == OK) {
		*index = table.changed;
		rc = txn_walk(
		    txn, TABLE_TLSCONF, NULL, 0, NULL, 0, list_row, &listing);
	}
	if (rc == OK && listing.corrupt)
		rc = ERR_CORRUPT;
	if (rc != OK) {
		return err_set(why, rc, "cannot list TLS configurations: %s",
		    err_text(rc));
	}
	return OK;
}

/* Contract 1.13: 0 = only if absent, else the modify index last seen. */
static enum err
cas_check(struct txn *txn, const struct tlsconf *have, uint64_t cas,
    struct fsm_result *result)
{
	uint64_t modify_index = 0; /* absent */
	struct index table;
	enum err rc;

	if (have->modify_index != 0) {
		rc = index_get(txn, TABLE_TLSCONF, &table);
		if (rc != OK)
			return rc;
		modify_index = index_stamp(&table, have->modify_index);
	}
	if (cas != modify_index) {
		fsm_result_refuse(result, ERR_CONFLICT,
		    "ModifyIndex did not match existing: have %" PRIu64
		    ", got %" PRIu64,
		    modify_index, cas);
	}
	return OK;
}

/* A false answer is in result. */
static bool
scope_check(struct span scope, struct fsm_result *result)
{
	if (tlsconf_scope_valid(scope))
		return true;
	fsm_result_refuse(result, ERR_INVALID,
	    "scope must be 1 to %d bytes of a-z 0-9 _ -", TLSCONF_SCOPE_MAX);
	return false;
}

enum err
tlsconf_apply_set(struct txn *txn, uint64_t revision,
    const struct tlsconf_set *set, struct fsm_result *result)
{
	uint8_t memory[ROW_HEAD + TLSCONF_DOCUMENT_MAX];
	/* Full from the start, so it never allocates. */
	struct buf row = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};
	struct tlsconf have;
	enum err rc;

	if (!scope_check(set->scope, result))
		return OK;
	if (set->document.size == 0) {
		fsm_result_refuse(result, ERR_INVALID, "document is empty");
		return OK;
	}
	if (set->document.size > TLSCONF_DOCUMENT_MAX) {
		fsm_result_refuse(result, ERR_LIMIT,
		    "document is %zu bytes, at most %d are allowed",
		    set->document.size, TLSCONF_DOCUMENT_MAX);
		return OK;
	}
	rc = row_get(txn, set->scope, &have);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	if (set->has_cas) {
		rc = cas_check(txn, &have, set->cas, result);
		if (rc != OK || result->code != OK)
			return rc;
	}

	result->create_index =
	    have.create_index != 0 ? have.create_index : revision;
	result->modify_index = revision;
	buf_u64(&row, result->create_index);
	buf_u64(&row, result->modify_index);
	buf_raw(&row, set->document.data, set->document.size);
	rc = txn_put(txn, TABLE_TLSCONF, set->scope.data, set->scope.size,
	    row.data, row.size);
	if (rc != OK)
		return rc;
	result->changed = true;
	return index_changed(txn, TABLE_TLSCONF, revision);
}

enum err
tlsconf_apply_delete(struct txn *txn, uint64_t revision,
    const struct tlsconf_delete *del, struct fsm_result *result)
{
	struct tlsconf have;
	bool absent;
	enum err rc;

	if (!scope_check(del->scope, result))
		return OK;
	rc = row_get(txn, del->scope, &have);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	absent = rc == ERR_NOTFOUND;
	if (del->has_cas) {
		rc = cas_check(txn, &have, del->cas, result);
		if (rc != OK || result->code != OK)
			return rc;
	}
	if (absent)
		return OK;

	rc = txn_delete(
	    txn, TABLE_TLSCONF, del->scope.data, del->scope.size, NULL);
	if (rc != OK)
		return rc;
	result->changed = true;
	return index_deleted(txn, TABLE_TLSCONF, revision);
}
