#include "fsm/cluster.h"

#include <inttypes.h>

#include "fsm/index.h"
#include "fsm/result.h"
#include "storage/buf.h"

/*
 * Rows. "cluster": u64 create index, u64 modify index, u64 quota, cluster id,
 * datacenter. Member: u64 create index, u64 modify index, node id, name,
 * address, version. Texts with u32 length.
 */
#define CLUSTER_KEY      "cluster"
#define CLUSTER_KEY_SIZE (sizeof(CLUSTER_KEY) - 1)
#define ROW_SIZE_MAX     (3 * 8 + 4 * (4 + CLUSTER_TEXT_MAX))
#define MEMBER_KEY_SIZE  8

static void
member_key(uint8_t key[static MEMBER_KEY_SIZE], uint64_t id)
{
	for (size_t i = 0; i < MEMBER_KEY_SIZE; i++)
		key[i] = (uint8_t)(id >> (56 - 8 * i));
}

static bool
cluster_decode(struct reader in, struct cluster *out)
{
	return read_u64(&in, &out->create_index) &&
	    read_u64(&in, &out->modify_index) && read_u64(&in, &out->quota) &&
	    span_read(&in, CLUSTER_TEXT_MAX, &out->cluster_id) &&
	    span_read(&in, CLUSTER_TEXT_MAX, &out->datacenter) && in.size == 0;
}

static bool
member_decode(struct reader in, uint64_t id, struct member *out)
{
	out->id = id;
	return read_u64(&in, &out->create_index) &&
	    read_u64(&in, &out->modify_index) &&
	    span_read(&in, CLUSTER_TEXT_MAX, &out->node_id) &&
	    span_read(&in, CLUSTER_TEXT_MAX, &out->name) &&
	    span_read(&in, CLUSTER_TEXT_MAX, &out->address) &&
	    span_read(&in, CLUSTER_TEXT_MAX, &out->version) && in.size == 0;
}

/* Indexes as stored. */
static enum err
cluster_row(struct txn *txn, struct cluster *out)
{
	struct reader in;
	enum err rc;

	rc = txn_get(txn, TABLE_CLUSTER, CLUSTER_KEY, CLUSTER_KEY_SIZE,
	    &in.data, &in.size);
	if (rc == OK && !cluster_decode(in, out))
		rc = ERR_CORRUPT;
	return rc;
}

static enum err
member_row(struct txn *txn, uint64_t id, struct member *out)
{
	uint8_t key[MEMBER_KEY_SIZE];
	struct reader in;
	enum err rc;

	member_key(key, id);
	rc = txn_get(txn, TABLE_MEMBER, key, sizeof(key), &in.data, &in.size);
	if (rc == OK && !member_decode(in, id, out))
		rc = ERR_CORRUPT;
	return rc;
}

enum err
cluster_get(struct txn *txn, struct cluster *out, struct errmsg *why)
{
	struct index index;
	enum err rc;

	rc = index_get(txn, TABLE_CLUSTER, &index);
	if (rc == OK)
		rc = cluster_row(txn, out);
	if (rc == ERR_NOTFOUND)
		return err_set(why, rc, "the cluster is not initialised");
	if (rc != OK) {
		return err_set(why, rc, "cannot read the cluster record: %s",
		    err_text(rc));
	}
	out->modify_index = index_stamp(&index, out->modify_index);
	return OK;
}

enum err
cluster_member(
    struct txn *txn, uint64_t id, struct member *out, struct errmsg *why)
{
	struct index index;
	enum err rc;

	rc = index_get(txn, TABLE_MEMBER, &index);
	if (rc == OK)
		rc = member_row(txn, id, out);
	if (rc == ERR_NOTFOUND) {
		return err_set(
		    why, rc, "no member has the raft id %" PRIu64, id);
	}
	if (rc != OK) {
		return err_set(why, rc,
		    "cannot read the member record of %" PRIu64 ": %s", id,
		    err_text(rc));
	}
	out->modify_index = index_stamp(&index, out->modify_index);
	return OK;
}

struct listing {
	struct member *out;
	size_t max, count;
	struct index index;
	enum err rc;
};

static bool
list_member(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	struct listing *listing = arg;
	struct reader in = {key, key_size};
	struct member *member;
	uint64_t id;

	if (listing->count == listing->max) {
		listing->rc = ERR_LIMIT;
		return false;
	}
	member = &listing->out[listing->count];
	if (!read_u64(&in, &id) || in.size != 0 ||
	    !member_decode((struct reader){data, size}, id, member)) {
		listing->rc = ERR_CORRUPT;
		return false;
	}
	member->modify_index =
	    index_stamp(&listing->index, member->modify_index);
	listing->count++;
	return true;
}

enum err
cluster_members(struct txn *txn, struct member *out, size_t max, size_t *count,
    struct errmsg *why)
{
	struct listing listing = {.out = out, .max = max, .rc = OK};
	enum err rc;

	rc = index_get(txn, TABLE_MEMBER, &listing.index);
	if (rc == OK) {
		rc = txn_walk(
		    txn, TABLE_MEMBER, NULL, 0, NULL, 0, list_member, &listing);
	}
	if (rc == OK)
		rc = listing.rc;
	if (rc != OK) {
		return err_set(
		    why, rc, "cannot list the members: %s", err_text(rc));
	}
	*count = listing.count;
	return OK;
}

/* A false answer is in result. */
static bool
text_check(struct span text, const char *name, struct fsm_result *result)
{
	if (text.size > 0 && text.size <= CLUSTER_TEXT_MAX)
		return true;
	fsm_result_refuse(result, ERR_INVALID,
	    "%s is %zu bytes, must be 1 to %d", name, text.size,
	    CLUSTER_TEXT_MAX);
	return false;
}

static enum err
cluster_put(struct txn *txn, const struct cluster *cluster)
{
	uint8_t memory[ROW_SIZE_MAX];
	/* Full from the start, so it never allocates. */
	struct buf row = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};
	enum err rc;

	buf_u64(&row, cluster->create_index);
	buf_u64(&row, cluster->modify_index);
	buf_u64(&row, cluster->quota);
	span_put(&row, cluster->cluster_id);
	span_put(&row, cluster->datacenter);
	rc = txn_put(txn, TABLE_CLUSTER, CLUSTER_KEY, CLUSTER_KEY_SIZE,
	    row.data, row.size);
	if (rc != OK)
		return rc;
	return index_changed(txn, TABLE_CLUSTER, cluster->modify_index);
}

enum err
cluster_apply_init(struct txn *txn, uint64_t revision,
    const struct cluster_init *init, struct fsm_result *result)
{
	struct cluster cluster;
	enum err rc;

	if (!text_check(init->cluster_id, "cluster id", result) ||
	    !text_check(init->datacenter, "datacenter", result))
		return OK;
	rc = cluster_row(txn, &cluster);
	if (rc == OK) {
		fsm_result_refuse(
		    result, ERR_EXISTS, "the cluster is already initialised");
		return OK;
	}
	if (rc != ERR_NOTFOUND)
		return rc;

	cluster = (struct cluster){init->cluster_id, init->datacenter,
	    CLUSTER_QUOTA_DEFAULT, revision, revision};
	rc = cluster_put(txn, &cluster);
	if (rc != OK)
		return rc;
	result->changed = true;
	result->create_index = revision;
	result->modify_index = revision;
	return OK;
}

enum err
cluster_apply_quota(struct txn *txn, uint64_t revision,
    const struct cluster_quota *quota, struct fsm_result *result)
{
	struct cluster cluster;
	enum err rc;

	if (quota->bytes < CLUSTER_QUOTA_MIN) {
		fsm_result_refuse(result, ERR_INVALID,
		    "quota is %" PRIu64 " bytes, at least %" PRIu64
		    " are needed",
		    quota->bytes, CLUSTER_QUOTA_MIN);
		return OK;
	}
	rc = cluster_row(txn, &cluster);
	if (rc == ERR_NOTFOUND) {
		fsm_result_refuse(
		    result, ERR_BADSTATE, "the cluster is not initialised");
		return OK;
	}
	if (rc != OK)
		return rc;

	if (cluster.quota != quota->bytes) {
		cluster.quota = quota->bytes;
		cluster.modify_index = revision;
		rc = cluster_put(txn, &cluster);
		if (rc != OK)
			return rc;
		result->changed = true;
	}
	result->create_index = cluster.create_index;
	result->modify_index = cluster.modify_index;
	return OK;
}

static bool
count_row(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	size_t *count = arg;

	(void)key;
	(void)key_size;
	(void)data;
	(void)size;
	(*count)++;
	return true;
}

/* May one more member come? The answer is in result. */
static enum err
room_check(struct txn *txn, struct fsm_result *result)
{
	size_t count = 0;
	enum err rc;

	rc = txn_walk(txn, TABLE_MEMBER, NULL, 0, NULL, 0, count_row, &count);
	if (rc == OK && count >= CLUSTER_MEMBERS_MAX) {
		fsm_result_refuse(result, ERR_LIMIT,
		    "the cluster has %zu members, at most %d are allowed",
		    count, CLUSTER_MEMBERS_MAX);
	}
	return rc;
}

static bool
member_equal(const struct member *a, const struct member *b)
{
	return a->id == b->id && span_equal(a->node_id, b->node_id) &&
	    span_equal(a->name, b->name) &&
	    span_equal(a->address, b->address) &&
	    span_equal(a->version, b->version);
}

static enum err
member_put(struct txn *txn, const struct member *member,
    const struct fsm_result *result)
{
	uint8_t key[MEMBER_KEY_SIZE], memory[ROW_SIZE_MAX];
	struct buf row = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};

	member_key(key, member->id);
	buf_u64(&row, result->create_index);
	buf_u64(&row, result->modify_index);
	span_put(&row, member->node_id);
	span_put(&row, member->name);
	span_put(&row, member->address);
	span_put(&row, member->version);
	return txn_put(txn, TABLE_MEMBER, key, sizeof(key), row.data, row.size);
}

enum err
cluster_apply_member(struct txn *txn, uint64_t revision,
    const struct member *member, struct fsm_result *result)
{
	struct member have = {0};
	enum err rc;

	if (member->id == 0) {
		fsm_result_refuse(result, ERR_INVALID, "raft id 0 is reserved");
		return OK;
	}
	if (!text_check(member->node_id, "node id", result) ||
	    !text_check(member->name, "node name", result) ||
	    !text_check(member->address, "address", result) ||
	    !text_check(member->version, "version", result))
		return OK;
	rc = member_row(txn, member->id, &have);
	if (rc == ERR_NOTFOUND)
		rc = room_check(txn, result);
	if (rc != OK || result->code != OK)
		return rc;

	result->create_index =
	    have.create_index != 0 ? have.create_index : revision;
	result->modify_index = revision;
	if (member_equal(member, &have)) {
		result->modify_index = have.modify_index;
		return OK;
	}
	rc = member_put(txn, member, result);
	if (rc != OK)
		return rc;
	result->changed = true;
	return index_changed(txn, TABLE_MEMBER, revision);
}

enum err
cluster_apply_member_delete(
    struct txn *txn, uint64_t revision, uint64_t id, struct fsm_result *result)
{
	uint8_t key[MEMBER_KEY_SIZE];
	bool was = false;
	enum err rc;

	member_key(key, id);
	rc = txn_delete(txn, TABLE_MEMBER, key, sizeof(key), &was);
	if (rc != OK || !was)
		return rc;
	result->changed = true;
	return index_deleted(txn, TABLE_MEMBER, revision);
}
