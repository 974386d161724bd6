#include "storage/image.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "storage/buf.h"
#include "storage/db_private.h"
#include "storage/hash.h"
#include "storage/sums.h"

#define MAGIC      "CONCLIMG"
#define MAGIC_SIZE 8
/* magic, format, schema, index, meta row, row count */
#define HEAD_SIZE (MAGIC_SIZE + 4 + 4 + 8 + DB_META_SIZE + 8)
#define SIZE_MIN  (HEAD_SIZE + HASH_SIZE)
#define ROW_EXTRA (1 + 1 + 4) /* bytes of a row besides key and data */

/* One row; key and data are borrowed. */
struct row {
	uint8_t table;
	uint8_t key_size;
	const uint8_t *key;
	const uint8_t *data;
	size_t size;
};

/* A place in the block being filled: it was measured before. */
struct pen {
	uint8_t *at, *end;
};

static void
pen_bytes(struct pen *pen, const void *data, size_t size)
{
	assert(size <= (size_t)(pen->end - pen->at));
	if (size > 0)
		memcpy(pen->at, data, size);
	pen->at += size;
}

static void
pen_number(struct pen *pen, uint64_t value, size_t count)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
	pen_bytes(pen, bytes, count);
}

static void
pen_row(struct pen *pen, const struct row *row)
{
	pen_number(pen, row->table, 1);
	pen_number(pen, row->key_size, 1);
	pen_bytes(pen, row->key, row->key_size);
	pen_number(pen, row->size, 4);
	pen_bytes(pen, row->data, row->size);
}

/* The first row of table 1 or the next one; ERR_NOTFOUND behind the last. */
static enum err
cursor_row(MDB_cursor *cursor, bool first, struct row *row)
{
	uint8_t start = DB_META_TABLE + 1;
	MDB_val key = {sizeof(start), &start}, value;
	const uint8_t *bytes;
	int rv;

	rv = mdb_cursor_get(
	    cursor, &key, &value, first ? MDB_SET_RANGE : MDB_NEXT);
	if (rv != MDB_SUCCESS)
		return db_code(rv);
	bytes = key.mv_data;
	if (bytes[0] >= DB_TABLES_MAX || key.mv_size > 1 + DB_KEY_MAX ||
	    value.mv_size > DB_VALUE_MAX)
		return ERR_CORRUPT;
	*row = (struct row){.table = bytes[0],
	    .key_size = (uint8_t)(key.mv_size - 1),
	    .key = bytes + 1,
	    .data = value.mv_data,
	    .size = value.mv_size};
	return OK;
}

/* How many rows there are, and the bytes of the image they make. */
static enum err
rows_measure(MDB_cursor *cursor, uint64_t *rows, uint64_t *bytes)
{
	struct row row = {0};
	enum err rc;

	*rows = 0;
	*bytes = SIZE_MIN;
	rc = cursor_row(cursor, true, &row);
	while (rc == OK) {
		*rows += 1;
		*bytes += ROW_EXTRA + row.key_size + row.size;
		rc = cursor_row(cursor, false, &row);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static enum err
rows_write(MDB_cursor *cursor, struct pen *pen)
{
	struct row row = {0};
	enum err rc;

	rc = cursor_row(cursor, true, &row);
	while (rc == OK) {
		pen_row(pen, &row);
		rc = cursor_row(cursor, false, &row);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static void
head_write(struct pen *pen, const struct image_head *head)
{
	uint8_t row[DB_META_SIZE];

	pen_bytes(pen, MAGIC, MAGIC_SIZE);
	pen_number(pen, head->format, 4);
	pen_number(pen, head->meta.schema, 4);
	pen_number(pen, head->index, 8);
	db_meta_encode(&head->meta, row);
	pen_bytes(pen, row, sizeof(row));
	pen_number(pen, head->rows, 8);
}

enum err
image_write(struct txn *txn, uint64_t index, void *(*alloc)(size_t),
    void **data, size_t *size, struct errmsg *why)
{
	struct image_head head = {IMAGE_FORMAT, index, *txn_meta(txn), 0};
	uint8_t digest[HASH_SIZE], *block;
	MDB_cursor *cursor;
	uint64_t bytes;
	struct pen pen;
	enum err rc;
	int rv;

	*data = NULL;
	if (index < head.meta.index) {
		return err_set(why, ERR_INVALID,
		    "image of index %" PRIu64 ", state is at %" PRIu64, index,
		    head.meta.index);
	}
	/* One cursor for both passes: the second then gets no memory, so it
	 * cannot fail for lack of it with the block already there. */
	rv = mdb_cursor_open(txn->mdb, txn->db->dbi, &cursor);
	if (rv != MDB_SUCCESS)
		return db_fail(why, rv, "read the state");
	rc = rows_measure(cursor, &head.rows, &bytes);
	if (rc != OK) {
		(void)err_set(why, rc, "read the state: %s", err_text(rc));
		goto out;
	}
	if (bytes > IMAGE_SIZE_MAX) {
		rc = err_set(why, ERR_LIMIT,
		    "image of %" PRIu64 " bytes, limit %" PRIu64, bytes,
		    IMAGE_SIZE_MAX);
		goto out;
	}
	block = alloc(bytes);
	if (block == NULL) {
		rc = err_set(why, ERR_NOMEM,
		    "no memory for an image of %" PRIu64 " bytes", bytes);
		goto out;
	}
	*data = block; /* the caller's from here on, error or not */
	*size = bytes;
	pen = (struct pen){block, block + bytes};
	head_write(&pen, &head);
	rc = rows_write(cursor, &pen);
	if (rc != OK) {
		(void)err_set(why, rc, "read the state: %s", err_text(rc));
		goto out;
	}
	hash_bytes(block, bytes - HASH_SIZE, digest);
	pen_bytes(&pen, digest, sizeof(digest));
	assert(pen.at == pen.end);
out:
	mdb_cursor_close(cursor);
	return rc;
}

/* The checksum, then the head; *in is left at the first row. */
static enum err
head_read(struct reader *in, struct image_head *head, struct errmsg *why)
{
	uint8_t digest[HASH_SIZE], magic[MAGIC_SIZE], row[DB_META_SIZE];
	uint32_t schema;
	enum err rc;

	if (in->size < SIZE_MIN || in->size > IMAGE_SIZE_MAX ||
	    memcmp(in->data, MAGIC, MAGIC_SIZE) != 0) {
		return err_set(
		    why, ERR_CORRUPT, "%zu bytes that are no image", in->size);
	}
	in->size -= HASH_SIZE;
	hash_bytes(in->data, in->size, digest);
	if (memcmp(in->data + in->size, digest, HASH_SIZE) != 0)
		return err_set(why, ERR_CORRUPT, "image has a wrong checksum");

	if (!read_raw(in, magic, sizeof(magic)) ||
	    !read_u32(in, &head->format) || !read_u32(in, &schema) ||
	    head->format == 0)
		return err_set(why, ERR_CORRUPT, "image has a damaged head");
	if (head->format > IMAGE_FORMAT || schema > DB_SCHEMA) {
		return err_set(why, ERR_UNSUPPORTED,
		    "image has format %" PRIu32 " and schema %" PRIu32
		    ", this server reads %d and %d",
		    head->format, schema, IMAGE_FORMAT, DB_SCHEMA);
	}
	if (!read_u64(in, &head->index) || !read_raw(in, row, sizeof(row)) ||
	    !read_u64(in, &head->rows))
		return err_set(why, ERR_CORRUPT, "image head is cut short");
	rc = db_meta_decode(&head->meta, row, sizeof(row), why);
	if (rc != OK)
		return rc;
	if (head->meta.schema != schema || head->meta.index > head->index) {
		return err_set(
		    why, ERR_CORRUPT, "image head and meta row disagree");
	}
	return OK;
}

static bool
row_read(struct reader *in, struct row *row)
{
	if (!read_u8(in, &row->table) || !read_u8(in, &row->key_size) ||
	    row->table == DB_META_TABLE || row->table >= DB_TABLES_MAX ||
	    in->size < row->key_size)
		return false;
	row->key = in->data;
	in->data += row->key_size;
	in->size -= row->key_size;
	return read_bytes(in, DB_VALUE_MAX, &row->data, &row->size);
}

/* Does b stand behind a in key order? */
static bool
row_follows(const struct row *a, const struct row *b)
{
	size_t common = a->key_size < b->key_size ? a->key_size : b->key_size;
	int order;

	if (a->table != b->table)
		return a->table < b->table;
	order = memcmp(a->key, b->key, common);
	return order < 0 || (order == 0 && a->key_size < b->key_size);
}

enum err
image_verify(const uint8_t *data, size_t size, struct image_head *head,
    struct errmsg *why)
{
	uint8_t sums[DB_TABLES_MAX][DB_HASH_SIZE] = {0};
	struct reader in = {data, size};
	struct row row = {0}, last = {0};
	enum err rc;

	rc = head_read(&in, head, why);
	if (rc != OK)
		return rc;
	for (uint64_t i = 0; i < head->rows; i++) {
		if (!row_read(&in, &row)) {
			return err_set(why, ERR_CORRUPT,
			    "image row %" PRIu64 " is damaged", i);
		}
		if (i > 0 && !row_follows(&last, &row)) {
			return err_set(why, ERR_CORRUPT,
			    "image row %" PRIu64 " is out of order", i);
		}
		sums_add(sums[row.table], row.table, row.key, row.key_size,
		    row.data, row.size);
		last = row;
	}
	if (in.size != 0) {
		return err_set(why, ERR_CORRUPT,
		    "image has %zu bytes behind its last row", in.size);
	}
	if (memcmp(sums, head->meta.sums, sizeof(sums)) != 0) {
		return err_set(why, ERR_CORRUPT,
		    "image rows do not add up to the meta row");
	}
	return OK;
}

/* Replace all rows by those of a verified image. */
static enum err
rows_load(struct txn *txn, struct reader *in, uint64_t rows, struct errmsg *why)
{
	uint8_t bytes[1 + DB_KEY_MAX];
	MDB_cursor *cursor = NULL;
	struct row row = {0};
	int rv;

	rv = mdb_drop(txn->mdb, txn->db->dbi, 0);
	if (rv == MDB_SUCCESS)
		rv = mdb_cursor_open(txn->mdb, txn->db->dbi, &cursor);
	for (uint64_t i = 0; i < rows && rv == MDB_SUCCESS; i++) {
		MDB_val key, value;
		bool whole = row_read(in, &row);

		assert(whole); /* image_verify saw it */
		bytes[0] = row.table;
		memcpy(bytes + 1, row.key, row.key_size);
		key = (MDB_val){1 + (size_t)row.key_size, bytes};
		value = db_val(row.data, row.size);
		rv = mdb_cursor_put(cursor, &key, &value, MDB_APPEND);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return db_fail(why, rv, "load the image");
}

enum err
image_load(struct db *db, const uint8_t *data, size_t size, struct errmsg *why)
{
	struct reader in = {data, size};
	struct image_head head;
	struct txn *txn;
	enum err rc;

	rc = image_verify(data, size, &head, why);
	if (rc != OK)
		return rc;
	rc = txn_write(db, &txn, why);
	if (rc != OK)
		return rc;
	in.data += HEAD_SIZE;
	in.size -= HEAD_SIZE + HASH_SIZE;
	rc = rows_load(txn, &in, head.rows, why);
	if (rc != OK) {
		txn_abort(txn);
		return rc;
	}
	*txn_meta_change(txn) = head.meta;
	txn_meta_change(txn)->index = head.index;
	return txn_commit(txn, why);
}
