#include "storage/txn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/db_private.h"
#include "storage/sums.h"

/* A row's key as LMDB has it: table byte, then the key. */
struct full_key {
	uint8_t bytes[1 + DB_KEY_MAX];
	size_t size;
};

static bool
key_make(struct full_key *full, uint8_t table, const void *key, size_t key_size)
{
	assert(table > DB_META_TABLE && table < DB_TABLES_MAX);
	if (key_size > DB_KEY_MAX)
		return false;
	full->bytes[0] = table;
	if (key_size > 0)
		memcpy(full->bytes + 1, key, key_size);
	full->size = 1 + key_size;
	return true;
}

static enum err
meta_load(struct txn *txn, struct errmsg *why)
{
	MDB_val key = db_meta_key(), row;
	int rv;

	rv = mdb_get(txn->mdb, txn->db->dbi, &key, &row);
	if (rv == MDB_NOTFOUND) { /* nothing was ever committed */
		txn->meta = (struct db_meta){.schema = DB_SCHEMA};
		return OK;
	}
	if (rv != MDB_SUCCESS)
		return db_fail(why, rv, "read the meta row");
	return db_meta_decode(&txn->meta, row.mv_data, row.mv_size, why);
}

/* An idle reader with its slot, or a fresh one without; NULL: no memory. */
static struct txn *
reader_take(struct db *db)
{
	struct txn *txn;

	(void)pthread_mutex_lock(&db->lock);
	txn = db->idle;
	if (txn != NULL)
		db->idle = txn->next;
	(void)pthread_mutex_unlock(&db->lock);
	if (txn == NULL) {
		txn = calloc(1, sizeof(*txn));
		if (txn != NULL)
			txn->db = db;
	}
	return txn;
}

static void
reader_give_back(struct txn *txn)
{
	struct db *db = txn->db;

	mdb_txn_reset(txn->mdb);
	(void)pthread_mutex_lock(&db->lock);
	txn->next = db->idle;
	db->idle = txn;
	(void)pthread_mutex_unlock(&db->lock);
}

enum err
txn_read(struct db *db, struct txn **out, struct errmsg *why)
{
	struct txn *txn;
	enum err rc;
	int rv;

	txn = reader_take(db);
	if (txn == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	if (txn->mdb != NULL)
		rv = mdb_txn_renew(txn->mdb);
	else
		rv = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn->mdb);
	if (rv != MDB_SUCCESS) {
		if (txn->mdb != NULL)
			mdb_txn_abort(txn->mdb);
		free(txn);
		return db_fail(why, rv, "begin a read");
	}
	rc = meta_load(txn, why);
	if (rc != OK) {
		reader_give_back(txn);
		return rc;
	}
	atomic_fetch_add(&db->readers, 1);
	*out = txn;
	return OK;
}

enum err
txn_write(struct db *db, struct txn **out, struct errmsg *why)
{
	struct txn *txn = &db->writer;
	int rv;

	assert(txn->mdb == NULL); /* one at a time */

	rv = mdb_txn_begin(db->env, NULL, 0, &txn->mdb);
	if (rv != MDB_SUCCESS) {
		txn->mdb = NULL;
		return db_fail(why, rv, "begin a write");
	}
	txn->meta = db->meta;
	txn->failed = OK;
	txn->walking = false;
	*out = txn;
	return OK;
}

const struct db_meta *
txn_meta(const struct txn *txn)
{
	return &txn->meta;
}

struct db_meta *
txn_meta_change(struct txn *txn)
{
	assert(txn->writer);
	return &txn->meta;
}

enum err
txn_get(struct txn *txn, uint8_t table, const void *key, size_t key_size,
    const uint8_t **data, size_t *size)
{
	struct full_key full;
	MDB_val mkey, row;
	int rv;

	if (!key_make(&full, table, key, key_size))
		return ERR_NOTFOUND; /* longer than any that can be stored */
	mkey = db_val(full.bytes, full.size);
	rv = mdb_get(txn->mdb, txn->db->dbi, &mkey, &row);
	if (rv != MDB_SUCCESS)
		return db_code(rv);
	*data = row.mv_data;
	*size = row.mv_size;
	return OK;
}

/* Remember the first failure of a write: commit refuses then. */
static enum err
write_failed(struct txn *txn, enum err code)
{
	if (txn->failed == OK)
		txn->failed = code;
	return code;
}

enum err
txn_put(struct txn *txn, uint8_t table, const void *key, size_t key_size,
    const void *data, size_t size)
{
	uint8_t sum[DB_HASH_SIZE];
	struct full_key full;
	MDB_val mkey, old, row;
	int rv;

	assert(txn->writer && !txn->walking);

	if (size > DB_VALUE_MAX || !key_make(&full, table, key, key_size))
		return ERR_LIMIT;
	if (txn->failed != OK)
		return txn->failed;
	mkey = db_val(full.bytes, full.size);
	rv = mdb_get(txn->mdb, txn->db->dbi, &mkey, &old);
	if (rv != MDB_SUCCESS && rv != MDB_NOTFOUND)
		return write_failed(txn, db_code(rv));
	memcpy(sum, txn->meta.sums[table], sizeof(sum));
	if (rv == MDB_SUCCESS) {
		if (old.mv_size == size &&
		    (size == 0 || memcmp(old.mv_data, data, size) == 0))
			return OK;
		sums_subtract(
		    sum, table, key, key_size, old.mv_data, old.mv_size);
	}
	sums_add(sum, table, key, key_size, data, size);
	row = db_val(data, size);
	rv = mdb_put(txn->mdb, txn->db->dbi, &mkey, &row, 0);
	if (rv != MDB_SUCCESS)
		return write_failed(txn, db_code(rv));
	memcpy(txn->meta.sums[table], sum, sizeof(sum));
	return OK;
}

enum err
txn_delete(
    struct txn *txn, uint8_t table, const void *key, size_t key_size, bool *was)
{
	uint8_t sum[DB_HASH_SIZE];
	struct full_key full;
	MDB_val mkey, old;
	int rv;

	assert(txn->writer && !txn->walking);

	if (txn->failed != OK)
		return txn->failed;
	if (was != NULL)
		*was = false;
	if (!key_make(&full, table, key, key_size))
		return OK;
	mkey = db_val(full.bytes, full.size);
	rv = mdb_get(txn->mdb, txn->db->dbi, &mkey, &old);
	if (rv == MDB_NOTFOUND)
		return OK;
	if (rv == MDB_SUCCESS) {
		memcpy(sum, txn->meta.sums[table], sizeof(sum));
		sums_subtract(
		    sum, table, key, key_size, old.mv_data, old.mv_size);
		rv = mdb_del(txn->mdb, txn->db->dbi, &mkey, NULL);
	}
	if (rv != MDB_SUCCESS)
		return write_failed(txn, db_code(rv));
	memcpy(txn->meta.sums[table], sum, sizeof(sum));
	if (was != NULL)
		*was = true;
	return OK;
}

/* prefix or from, whichever is later in byte order: where a walk starts. */
static bool
walk_start(struct full_key *first, uint8_t table, const void *prefix,
    size_t prefix_size, const void *from, size_t from_size)
{
	size_t common = prefix_size < from_size ? prefix_size : from_size;
	int order = common > 0 ? memcmp(from, prefix, common) : 0;

	if (order > 0 || (order == 0 && from_size > prefix_size))
		return key_make(first, table, from, from_size);
	return key_make(first, table, prefix, prefix_size);
}

enum err
txn_walk(struct txn *txn, uint8_t table, const void *prefix, size_t prefix_size,
    const void *from, size_t from_size, txn_row_cb cb, void *arg)
{
	struct full_key first, start;
	bool walking = txn->walking;
	MDB_cursor *cursor;
	MDB_val key, row;
	int rv;

	/* No stored key is longer, and none begins with a longer prefix. */
	if (from_size > DB_KEY_MAX ||
	    !key_make(&start, table, prefix, prefix_size) ||
	    !walk_start(&first, table, prefix, prefix_size, from, from_size))
		return ERR_LIMIT;
	rv = mdb_cursor_open(txn->mdb, txn->db->dbi, &cursor);
	if (rv != MDB_SUCCESS)
		return db_code(rv);
	key = db_val(first.bytes, first.size);
	rv = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
	while (rv == MDB_SUCCESS) {
		const uint8_t *bytes = key.mv_data;
		bool more;

		if (key.mv_size < start.size ||
		    memcmp(bytes, start.bytes, start.size) != 0)
			break;
		txn->walking = true;
		more = cb(
		    arg, bytes + 1, key.mv_size - 1, row.mv_data, row.mv_size);
		txn->walking = walking;
		if (!more)
			break;
		rv = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rv == MDB_NOTFOUND ? OK : db_code(rv);
}

/* LMDB writes no page that was got and given back in one transaction, so the
 * file may end before the last page it counts. db_open takes a short file for
 * a damaged one, hence it is made as long as it says. */
static enum err
file_extend(struct db *db, struct errmsg *why)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	struct stat st;
	uint64_t want;

	if (mdb_env_info(db->env, &info) != MDB_SUCCESS ||
	    mdb_env_get_fd(db->env, &fd) != MDB_SUCCESS)
		return err_set(why, ERR_INTERNAL, "LMDB gives no file");
	want = ((uint64_t)info.me_last_pgno + 1) * db->page_size;
	if (want <= db->file_size)
		return OK;
	if (fstat(fd, &st) != 0 ||
	    ((uint64_t)st.st_size < want && ftruncate(fd, (off_t)want) != 0)) {
		return err_set(
		    why, ERR_IO, "extend data.mdb: %s", strerror(errno));
	}
	db->file_size = want;
	return OK;
}

enum err
txn_commit(struct txn *txn, struct errmsg *why)
{
	uint8_t bytes[DB_META_SIZE];
	struct db *db = txn->db;
	uint64_t used = 0;
	MDB_val key, row;
	enum err rc;
	int rv;

	assert(txn->writer && txn->mdb != NULL && !txn->walking);

	if (txn->failed != OK) {
		rc = err_set(why, txn->failed, "a write before failed: %s",
		    err_text(txn->failed));
		txn_abort(txn);
		return rc;
	}
	db_meta_encode(&txn->meta, bytes);
	key = db_meta_key();
	row = db_val(bytes, sizeof(bytes));
	rv = mdb_put(txn->mdb, db->dbi, &key, &row, 0);
	rc = rv == MDB_SUCCESS ? db_measure(db, txn->mdb, &used) : db_code(rv);
	if (rc != OK) {
		txn_abort(txn);
		return err_set(why, rc, "write the meta row: %s", err_text(rc));
	}
	rv = mdb_txn_commit(txn->mdb);
	txn->mdb = NULL; /* gone in any case */
	if (rv != MDB_SUCCESS)
		return db_fail(why, db_short_write(db, rv), "commit");
	db->meta = txn->meta;
	atomic_store_explicit(&db->used, used, memory_order_relaxed);
	return file_extend(db, why);
}

void
txn_abort(struct txn *txn)
{
	if (txn == NULL)
		return;
	if (txn->writer) {
		mdb_txn_abort(txn->mdb);
		txn->mdb = NULL;
		return;
	}
	atomic_fetch_sub(&txn->db->readers, 1);
	reader_give_back(txn);
}

struct verify {
	uint8_t table;
	uint8_t (*sums)[DB_HASH_SIZE];
};

static bool
verify_row(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	struct verify *verify = arg;

	sums_add(verify->sums[verify->table], verify->table, key, key_size,
	    data, size);
	return true;
}

enum err
txn_verify(struct txn *txn, bool *equal)
{
	uint8_t sums[DB_TABLES_MAX][DB_HASH_SIZE] = {0};
	struct verify verify = {.sums = sums};
	enum err rc;

	for (uint8_t table = 1; table < DB_TABLES_MAX; table++) {
		verify.table = table;
		rc =
		    txn_walk(txn, table, NULL, 0, NULL, 0, verify_row, &verify);
		if (rc != OK)
			return rc;
	}
	*equal = memcmp(sums, txn->meta.sums, sizeof(sums)) == 0;
	return OK;
}
