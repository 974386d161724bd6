#include "fsm/index.h"

#include <stddef.h>

#include "storage/buf.h"

#define ROW_SIZE  16
#define FLOOR_KEY 0 /* no table has this number */

struct row {
	uint64_t changed, deleted; /* the floor's row: floor, 0 */
};

static enum err
row_get(struct txn *txn, uint8_t key, struct row *out)
{
	struct reader in;
	enum err rc;

	*out = (struct row){0};
	rc = txn_get(txn, TABLE_INDEX, &key, 1, &in.data, &in.size);
	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc != OK)
		return rc;
	if (!read_u64(&in, &out->changed) || !read_u64(&in, &out->deleted) ||
	    in.size != 0)
		return ERR_CORRUPT;
	return OK;
}

static enum err
row_put(struct txn *txn, uint8_t key, const struct row *row)
{
	uint8_t memory[ROW_SIZE];
	/* Full from the start, so it never allocates. */
	struct buf out = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};

	buf_u64(&out, row->changed);
	buf_u64(&out, row->deleted);
	return txn_put(txn, TABLE_INDEX, &key, 1, out.data, out.size);
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

enum err
index_get(struct txn *txn, enum table table, struct index *out)
{
	struct row floor, row;
	uint64_t least;
	enum err rc;

	rc = row_get(txn, FLOOR_KEY, &floor);
	if (rc != OK)
		return rc;
	rc = row_get(txn, (uint8_t)table, &row);
	if (rc != OK)
		return rc;
	least = larger(floor.changed, 1);
	out->changed = larger(row.changed, least);
	out->absent = larger(row.deleted, least);
	out->floor = floor.changed;
	return OK;
}

enum err
index_changed(struct txn *txn, enum table table, uint64_t revision)
{
	struct row row;
	enum err rc;

	rc = row_get(txn, (uint8_t)table, &row);
	if (rc != OK || row.changed == revision)
		return rc;
	row.changed = revision;
	return row_put(txn, (uint8_t)table, &row);
}

enum err
index_deleted(struct txn *txn, enum table table, uint64_t revision)
{
	const struct row row = {revision, revision};

	return row_put(txn, (uint8_t)table, &row);
}

enum err
index_set_floor(struct txn *txn, uint64_t revision)
{
	struct row row;
	enum err rc;

	rc = row_get(txn, FLOOR_KEY, &row);
	if (rc != OK || row.changed >= revision)
		return rc;
	row.changed = revision;
	return row_put(txn, FLOOR_KEY, &row);
}
