#include "fsm/authority.h"

#include <inttypes.h>
#include <string.h>

#include "fsm/authority_check.h"
#include "fsm/authority_rows.h"
#include "fsm/index.h"
#include "fsm/result.h"

#define SERIAL_KEY      "serial"
#define SERIAL_KEY_SIZE (sizeof(SERIAL_KEY) - 1)
#define SERIAL_SIZE     8

#define CAS_TEXT "ModifyIndex did not match existing"

/* What a change of the set needs to know of each stored root; a copy, for rows
 * move as soon as one is written. */
struct root_mark {
	uint64_t create_index;
	size_t id_size;
	char id[AUTHORITY_TEXT_MAX];
};

struct root_marks {
	size_t count;
	uint64_t index; /* of the table, 0 = no roots stored */
	struct root_mark marks[AUTHORITY_ROOTS_MAX];
};

enum err
authority_config(struct txn *txn, struct ca_config *out, struct errmsg *why)
{
	struct index index;
	enum err rc;

	rc = index_get(txn, TABLE_CACONFIG, &index);
	if (rc == OK)
		rc = ca_config_get(txn, out);
	if (rc == ERR_NOTFOUND)
		return err_set(why, rc, "CA not initialized");
	if (rc != OK) {
		return err_set(why, rc, "cannot read the CA configuration: %s",
		    err_text(rc));
	}
	out->modify_index = index_stamp(&index, out->modify_index);
	return OK;
}

struct listing {
	struct ca_root *out;
	size_t max, count;
	struct index index;
	enum err rc;
};

static bool
list_root(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	struct listing *listing = arg;
	struct ca_root *root;

	(void)key;
	(void)key_size;
	if (listing->count == listing->max) {
		listing->rc = ERR_LIMIT;
		return false;
	}
	root = &listing->out[listing->count];
	if (!ca_root_row_decode((struct reader){data, size}, root)) {
		listing->rc = ERR_CORRUPT;
		return false;
	}
	root->modify_index = index_stamp(&listing->index, root->modify_index);
	listing->count++;
	return true;
}

enum err
authority_roots(struct txn *txn, struct ca_root *out, size_t max, size_t *count,
    uint64_t *index, struct errmsg *why)
{
	struct listing listing = {.out = out, .max = max, .rc = OK};
	enum err rc;

	rc = index_get(txn, TABLE_ROOT, &listing.index);
	if (rc == OK) {
		rc = txn_walk(
		    txn, TABLE_ROOT, NULL, 0, NULL, 0, list_root, &listing);
	}
	if (rc == OK)
		rc = listing.rc;
	if (rc != OK) {
		return err_set(
		    why, rc, "cannot list the CA roots: %s", err_text(rc));
	}
	*count = listing.count;
	*index = listing.count > 0 ? listing.index.changed : 0;
	return OK;
}

enum err
authority_provider(struct txn *txn, struct span id, struct ca_provider_row *out,
    struct errmsg *why)
{
	struct index index;
	enum err rc;

	rc = index_get(txn, TABLE_PROVIDER, &index);
	if (rc == OK) {
		rc = ERR_NOTFOUND;
		if (id.size > 0 && id.size <= AUTHORITY_TEXT_MAX)
			rc = ca_provider_get(txn, id, out);
	}
	if (rc == ERR_NOTFOUND)
		return err_set(why, rc, "no CA provider state has this ID");
	if (rc != OK) {
		return err_set(
		    why, rc, "cannot read CA provider state: %s", err_text(rc));
	}
	out->modify_index = index_stamp(&index, out->modify_index);
	return OK;
}

enum err
authority_index(struct txn *txn, uint64_t *index)
{
	struct index roots, config;
	enum err rc;

	rc = index_get(txn, TABLE_ROOT, &roots);
	if (rc != OK)
		return rc;
	rc = index_get(txn, TABLE_CACONFIG, &config);
	if (rc != OK)
		return rc;
	*index =
	    roots.changed > config.changed ? roots.changed : config.changed;
	return OK;
}

/*
 * The stored configuration against the expectation, 0 = none. The cluster id
 * is the trust domain: once stored it stays, so that a bootstrap command that
 * arrives late cannot change it under roots made for the old one.
 */
static enum err
config_admit(struct txn *txn, uint64_t cas, struct span cluster_id,
    struct fsm_result *result)
{
	struct ca_config have = {0};
	enum err rc;

	rc = authority_config(txn, &have, NULL);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	if (cas != 0 && have.modify_index != cas)
		fsm_result_refuse(result, ERR_CONFLICT, CAS_TEXT);
	else if (rc == OK && have.cluster_id.size > 0 && cluster_id.size > 0 &&
	    !span_equal(have.cluster_id, cluster_id))
		fsm_result_refuse(result, ERR_CONFLICT,
		    "the cluster ID cannot change once it is stored");
	return OK;
}

/* Write what ca_config_check and config_admit let pass. */
static enum err
config_store(struct txn *txn, uint64_t revision, const struct ca_config *config,
    uint64_t *created)
{
	struct ca_config have = {0}, row = *config;
	enum err rc;

	rc = ca_config_get(txn, &have);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	if (row.cluster_id.size == 0)
		row.cluster_id = have.cluster_id;
	row.create_index = rc == OK ? have.create_index : revision;
	row.modify_index = revision;
	*created = row.create_index;
	rc = ca_config_put(txn, &row);
	if (rc != OK)
		return rc;
	return index_changed(txn, TABLE_CACONFIG, revision);
}

enum err
authority_apply_config(struct txn *txn, uint64_t revision,
    const struct ca_config_set *set, struct fsm_result *result)
{
	enum err rc;

	if (!ca_config_check(&set->config, result))
		return OK;
	rc = config_admit(txn, set->cas, set->config.cluster_id, result);
	if (rc != OK || result->code != OK)
		return rc;

	result->changed = true;
	result->modify_index = revision;
	return config_store(txn, revision, &set->config, &result->create_index);
}

struct marking {
	struct root_marks *marks;
	enum err rc;
};

static bool
mark_root(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	struct marking *marking = arg;
	struct root_marks *marks = marking->marks;
	struct root_mark *mark;
	struct reader in = {data, size};

	if (marks->count == AUTHORITY_ROOTS_MAX || key_size == 0 ||
	    key_size > AUTHORITY_TEXT_MAX) {
		marking->rc = ERR_CORRUPT;
		return false;
	}
	mark = &marks->marks[marks->count];
	if (!read_u64(&in, &mark->create_index)) {
		marking->rc = ERR_CORRUPT;
		return false;
	}
	memcpy(mark->id, key, key_size);
	mark->id_size = key_size;
	marks->count++;
	return true;
}

static enum err
marks_get(struct txn *txn, struct root_marks *out)
{
	struct marking marking = {out, OK};
	struct index index;
	enum err rc;

	out->count = 0;
	rc = index_get(txn, TABLE_ROOT, &index);
	if (rc != OK)
		return rc;
	rc = txn_walk(txn, TABLE_ROOT, NULL, 0, NULL, 0, mark_root, &marking);
	if (rc == OK)
		rc = marking.rc;
	out->index = out->count > 0 ? index.changed : 0;
	return rc;
}

static bool
mark_is(const struct root_mark *mark, const struct ca_root *root)
{
	return span_equal((struct span){mark->id, mark->id_size}, root->id);
}

/* Replace the whole set; *created is the active root's create index. */
static enum err
roots_store(struct txn *txn, uint64_t revision, const struct ca_roots_set *set,
    const struct root_marks *marks, uint64_t *created)
{
	bool stays[AUTHORITY_ROOTS_MAX] = {false};
	struct ca_root root;
	enum err rc;

	for (size_t i = 0; i < set->root_count; i++) {
		root = set->roots[i];
		root.create_index = revision;
		root.modify_index = revision;
		for (size_t j = 0; j < marks->count; j++) {
			if (!mark_is(&marks->marks[j], &root))
				continue;
			root.create_index = marks->marks[j].create_index;
			stays[j] = true;
		}
		if (root.active)
			*created = root.create_index;
		rc = ca_root_put(txn, &root);
		if (rc != OK)
			return rc;
	}
	for (size_t j = 0; j < marks->count; j++) {
		if (stays[j])
			continue;
		rc = txn_delete(txn, TABLE_ROOT, marks->marks[j].id,
		    marks->marks[j].id_size, NULL);
		if (rc == OK)
			rc = index_deleted(txn, TABLE_ROOT, revision);
		if (rc != OK)
			return rc;
	}
	return index_changed(txn, TABLE_ROOT, revision);
}

/* Write what ca_provider_check let pass. */
static enum err
provider_store(struct txn *txn, uint64_t revision,
    const struct ca_provider_row *provider, uint64_t *created)
{
	struct ca_provider_row have, row = *provider;
	enum err rc;

	rc = ca_provider_get(txn, provider->id, &have);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	row.create_index = rc == OK ? have.create_index : revision;
	row.modify_index = revision;
	*created = row.create_index;
	rc = ca_provider_put(txn, &row);
	if (rc != OK)
		return rc;
	return index_changed(txn, TABLE_PROVIDER, revision);
}

static enum err
provider_drop(struct txn *txn, uint64_t revision, struct span id, bool *was)
{
	enum err rc;

	rc = txn_delete(txn, TABLE_PROVIDER, id.data, id.size, was);
	if (rc != OK || !*was)
		return rc;
	return index_deleted(txn, TABLE_PROVIDER, revision);
}

enum err
authority_apply_roots(struct txn *txn, uint64_t revision,
    const struct ca_roots_set *set, struct fsm_result *result)
{
	struct root_marks marks;
	uint64_t created; /* of what is not the root set: nobody asks */
	bool was;
	enum err rc;

	if (!ca_roots_check(set, result))
		return OK;
	rc = marks_get(txn, &marks);
	if (rc != OK)
		return rc;
	if (marks.index != set->expected_roots) {
		fsm_result_refuse(result, ERR_CONFLICT,
		    "could not atomically update roots and config");
		return OK;
	}
	if (set->has_config) {
		rc = config_admit(txn, set->config.cas,
		    set->config.config.cluster_id, result);
		if (rc != OK || result->code != OK)
			return rc;
	}

	rc = roots_store(txn, revision, set, &marks, &result->create_index);
	if (rc == OK && set->has_config)
		rc = config_store(txn, revision, &set->config.config, &created);
	for (size_t i = 0; rc == OK && i < set->row_count; i++)
		rc = provider_store(txn, revision, &set->rows[i], &created);
	for (size_t i = 0; rc == OK && i < set->delete_count; i++)
		rc = provider_drop(txn, revision, set->deletes[i], &was);
	result->modify_index = revision;
	result->changed = true;
	return rc;
}

enum err
authority_apply_provider(struct txn *txn, uint64_t revision,
    const struct ca_provider_row *row, struct fsm_result *result)
{
	if (!ca_provider_check(row, result))
		return OK;
	result->changed = true;
	result->modify_index = revision;
	return provider_store(txn, revision, row, &result->create_index);
}

enum err
authority_apply_provider_delete(struct txn *txn, uint64_t revision,
    struct span id, struct fsm_result *result)
{
	if (!ca_provider_id_check(id, result))
		return OK;
	return provider_drop(txn, revision, id, &result->changed);
}

/* The last serial given out. */
static enum err
serial_last(struct txn *txn, uint64_t *last)
{
	struct index index;
	struct reader in;
	enum err rc;

	rc = txn_get(
	    txn, TABLE_SERIAL, SERIAL_KEY, SERIAL_KEY_SIZE, &in.data, &in.size);
	if (rc == OK)
		return read_u64(&in, last) && in.size == 0 ? OK : ERR_CORRUPT;
	if (rc != ERR_NOTFOUND)
		return rc;
	rc = index_get(txn, TABLE_PROVIDER, &index);
	*last = index.changed;
	return rc;
}

enum err
authority_apply_serial(struct txn *txn, uint64_t revision,
    const struct ca_serial *serial, struct fsm_result *result)
{
	uint8_t memory[SERIAL_SIZE];
	/* Full from the start, so it never allocates. */
	struct buf row = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};
	uint64_t last;
	enum err rc;

	if (serial->count == 0 || serial->count > AUTHORITY_SERIALS_MAX) {
		fsm_result_refuse(result, ERR_INVALID,
		    "%" PRIu32 " serials, must be 1 to %d", serial->count,
		    AUTHORITY_SERIALS_MAX);
		return OK;
	}
	rc = serial_last(txn, &last);
	if (rc != OK)
		return rc;
	if (last > UINT64_MAX - serial->count) {
		fsm_result_refuse(
		    result, ERR_LIMIT, "the serial numbers are used up");
		return OK;
	}
	buf_u64(&row, last + serial->count);
	rc = txn_put(
	    txn, TABLE_SERIAL, SERIAL_KEY, SERIAL_KEY_SIZE, row.data, row.size);
	if (rc != OK)
		return rc;
	result->changed = true;
	result->value = last + 1;
	return index_changed(txn, TABLE_SERIAL, revision);
}
