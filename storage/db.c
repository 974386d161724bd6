#include "storage/db.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/buf.h"
#include "storage/db_private.h"
#include "storage/hash.h"
#include "storage/marker.h"

/* Padding that malloc left behind must not reach the disk: no NOMEMINIT. */
#define ENV_FLAGS (MDB_NOSYNC | MDB_NOTLS)
#define LOCK_SIZE (64 * 1024) /* bytes, more than lock.mdb ever has */

static_assert(DB_HASH_SIZE == HASH_SIZE, "sums are SHA-256");
static_assert(DB_READERS * 64 + 8192 <= LOCK_SIZE, "a cache line per reader");
static_assert(1 + DB_KEY_MAX <= 511, "LMDB's limit of a key");

enum err
db_code(int rv)
{
	switch (rv) {
	case MDB_SUCCESS:
		return OK;
	case MDB_NOTFOUND:
		return ERR_NOTFOUND;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_FULL;
	case ENOMEM:
		return ERR_NOMEM;
	case MDB_READERS_FULL:
		return ERR_BUSY;
	case MDB_BAD_VALSIZE:
		return ERR_LIMIT;
	case MDB_CORRUPTED:
	case MDB_INCOMPATIBLE:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_VERSION_MISMATCH:
		return ERR_CORRUPT;
	default:
		/* LMDB's own codes are negative, errno's are not. */
		return rv > 0 ? ERR_IO : ERR_INTERNAL;
	}
}

enum err
db_fail(struct errmsg *why, int rv, const char *doing)
{
	if (rv == MDB_SUCCESS)
		return OK;
	return err_set(why, db_code(rv), "%s: %s", doing, mdb_strerror(rv));
}

int
db_short_write(struct db *db, int rv)
{
	struct statvfs fs;

	if (rv != EIO || statvfs(db->dir, &fs) != 0)
		return rv;
	return fs.f_bavail * fs.f_frsize < DB_VALUE_MAX ? ENOSPC : rv;
}

/* value, big-endian; returns the place behind it. */
static uint8_t *
put_u64(uint8_t *to, uint64_t value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

void
db_meta_encode(const struct db_meta *meta, uint8_t row[static DB_META_SIZE])
{
	row = put_u64(row, meta->schema);
	row = put_u64(row, meta->index);
	row = put_u64(row, meta->term);
	row = put_u64(row, meta->revision);
	memcpy(row, meta->chain, sizeof(meta->chain));
	memcpy(row + sizeof(meta->chain), meta->sums, sizeof(meta->sums));
}

enum err
db_meta_decode(
    struct db_meta *meta, const uint8_t *row, size_t size, struct errmsg *why)
{
	struct reader in = {row, size};

	/* The schema stands first in every schema, so it is judged first. */
	if (!read_u64(&in, &meta->schema) || meta->schema == 0)
		return err_set(why, ERR_CORRUPT, "meta row has no schema");
	if (meta->schema > DB_SCHEMA) {
		return err_set(why, ERR_UNSUPPORTED,
		    "state has schema %" PRIu64 ", this server reads %d",
		    meta->schema, DB_SCHEMA);
	}
	if (!read_u64(&in, &meta->index) || !read_u64(&in, &meta->term) ||
	    !read_u64(&in, &meta->revision) ||
	    !read_raw(&in, meta->chain, sizeof(meta->chain)) ||
	    !read_raw(&in, meta->sums, sizeof(meta->sums)) || in.size != 0) {
		return err_set(why, ERR_CORRUPT,
		    "meta row is %zu bytes, want %d", size, DB_META_SIZE);
	}
	return OK;
}

MDB_val
db_meta_key(void)
{
	static char key[] = {DB_META_TABLE, 'm', 'e', 't', 'a'};

	return (MDB_val){sizeof(key), key};
}

MDB_val
db_val(const void *data, size_t size)
{
	union {
		const void *in;
		void *out;
	} both = {.in = data};

	return (MDB_val){size, both.out};
}

enum err
db_measure(struct db *db, MDB_txn *mdb, uint64_t *used)
{
	uint64_t pages = 2; /* LMDB's own two at the front */
	MDB_stat stat;

	/* 0 is LMDB's table of free pages: its own pages are in use. */
	for (MDB_dbi dbi = 0; dbi <= db->dbi; dbi++) {
		int rv = mdb_stat(mdb, dbi, &stat);

		if (rv != MDB_SUCCESS)
			return db_code(rv);
		pages += stat.ms_branch_pages + stat.ms_leaf_pages +
		    stat.ms_overflow_pages;
	}
	*used = pages * db->page_size;
	return OK;
}

static enum err
path_in(const char *dir, const char *name, char path[static PATH_MAX],
    struct errmsg *why)
{
	int size = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	if (size < 0 || size >= PATH_MAX)
		return err_set(why, ERR_IO, "path too long: %.200s", dir);
	return OK;
}

/* Remove the environment's files; those that are not there are fine. */
static enum err
env_drop(const char *dir, struct errmsg *why)
{
	static const char *const names[] = {"data.mdb", "lock.mdb"};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		enum err rc = path_in(dir, names[i], path, why);

		if (rc != OK)
			return rc;
		if (unlink(path) != 0 && errno != ENOENT) {
			return err_set(why, ERR_IO, "cannot remove %.200s: %s",
			    path, strerror(errno));
		}
	}
	return OK;
}

/* A page beyond the end of the file is a bus error when it is read. */
static enum err
file_covers_pages(struct db *db, struct errmsg *why)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	struct stat st;
	uint64_t want;

	if (mdb_env_info(db->env, &info) != MDB_SUCCESS ||
	    mdb_env_get_fd(db->env, &fd) != MDB_SUCCESS)
		return err_set(why, ERR_INTERNAL, "LMDB gives no file");
	if (fstat(fd, &st) != 0)
		return err_set(
		    why, ERR_IO, "stat data.mdb: %s", strerror(errno));
	want = ((uint64_t)info.me_last_pgno + 1) * db->page_size;
	db->file_size = (uint64_t)st.st_size;
	if (want > db->file_size) {
		return err_set(why, ERR_CORRUPT,
		    "data.mdb is %" PRIu64 " bytes, its pages need %" PRIu64,
		    db->file_size, want);
	}
	return OK;
}

/* Open the one table and believe, or not, what the meta row says. */
static enum err
state_open(struct db *db, struct errmsg *why)
{
	MDB_txn *mdb = NULL;
	MDB_val key, row;
	MDB_stat stat = {0};
	uint64_t used = 0;
	enum err rc;
	int rv;

	rv = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &mdb);
	if (rv == MDB_SUCCESS)
		rv = mdb_dbi_open(mdb, NULL, 0, &db->dbi);
	if (rv == MDB_SUCCESS)
		rv = mdb_stat(mdb, db->dbi, &stat);
	rc = db_fail(why, rv, "open the state");
	if (rc != OK)
		goto out;
	key = db_meta_key();
	rv = mdb_get(mdb, db->dbi, &key, &row);
	if (rv == MDB_NOTFOUND && stat.ms_entries == 0) {
		db->meta = (struct db_meta){.schema = DB_SCHEMA};
	} else if (rv == MDB_NOTFOUND) {
		rc = err_set(why, ERR_CORRUPT, "state has no meta row");
	} else if (rv != MDB_SUCCESS) {
		rc = db_fail(why, rv, "read the meta row");
	} else {
		rc = db_meta_decode(&db->meta, row.mv_data, row.mv_size, why);
	}
	if (rc == OK)
		rc = db_measure(db, mdb, &used);
	atomic_store(&db->used, used);
out:
	if (mdb != NULL)
		mdb_txn_abort(mdb);
	return rc;
}

/*
 * Give LMDB's reader table its blocks before LMDB makes it: it is written
 * through a shared map, where a full disk would be a bus error. The size stays,
 * because LMDB derives the number of readers from it. A file system that cannot
 * do this goes without.
 */
static enum err
lock_allocate(const char *dir, struct errmsg *why)
{
	char path[PATH_MAX];
	enum err rc;
	int fd, rv = 0;

	rc = path_in(dir, "lock.mdb", path, why);
	if (rc != OK)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return db_fail(why, errno, "open lock.mdb");
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOCK_SIZE) != 0)
		rv = errno;
	(void)close(fd);
	if (rv == EOPNOTSUPP || rv == ENOSYS)
		rv = 0;
	return db_fail(why, rv, "allocate lock.mdb");
}

/* Open the environment as it lies there. The caller closes on error too. */
static enum err
env_open(struct db *db, struct errmsg *why)
{
	MDB_stat stat;
	enum err rc;
	int dead, rv;

	rc = lock_allocate(db->dir, why);
	if (rc != OK)
		return rc;
	rv = mdb_env_create(&db->env);
	if (rv == MDB_SUCCESS)
		rv = mdb_env_set_mapsize(db->env, db->map_size);
	if (rv == MDB_SUCCESS)
		rv = mdb_env_set_maxreaders(db->env, DB_READERS);
	if (rv == MDB_SUCCESS)
		rv = mdb_env_open(db->env, db->dir, ENV_FLAGS, 0600);
	if (rv == MDB_SUCCESS) /* slots of processes that were killed */
		rv = mdb_reader_check(db->env, &dead);
	if (rv == MDB_SUCCESS)
		rv = mdb_env_stat(db->env, &stat);
	if (rv != MDB_SUCCESS)
		return db_fail(why, db_short_write(db, rv), "open data.mdb");
	db->page_size = stat.ms_psize;
	rc = file_covers_pages(db, why);
	if (rc == OK)
		rc = state_open(db, why);
	return rc;
}

static void
env_close(struct db *db)
{
	if (db->env != NULL)
		mdb_env_close(db->env);
	db->env = NULL;
}

/* Release what db_open got, but leave the files as they are. */
static void
db_free(struct db *db)
{
	struct txn *txn;

	assert(db->writer.mdb == NULL);
	assert(atomic_load(&db->readers) == 0);

	while ((txn = db->idle) != NULL) {
		db->idle = txn->next;
		mdb_txn_abort(txn->mdb);
		free(txn);
	}
	env_close(db);
	(void)pthread_mutex_destroy(&db->lock);
	free(db->dir);
	free(db);
}

enum err
db_open(const char *dir, uint64_t map_size, bool *rebuilt, struct db **out,
    struct errmsg *why)
{
	struct db *db;
	bool believe;
	enum err rc;

	*rebuilt = false;
	rc = marker_check(dir, &believe, why);
	if (rc != OK)
		return rc;
	db = calloc(1, sizeof(*db));
	if (db == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	db->unproven = !marker_is_clean(dir);
	(void)pthread_mutex_init(&db->lock, NULL); /* cannot fail on Linux */
	db->map_size = map_size;
	db->writer.db = db;
	db->writer.writer = true;
	db->dir = strdup(dir);
	if (db->dir == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	rc = believe ? env_open(db, why) : ERR_CORRUPT;
	if (rc == ERR_CORRUPT) {
		struct errmsg later;

		/* why keeps the reason of the doubt unless this fails too. */
		*rebuilt = true;
		db->unproven = false; /* what is empty is right */
		env_close(db);
		rc = env_drop(dir, &later);
		if (rc == OK)
			rc = env_open(db, &later);
		if (rc != OK)
			rc = err_set(why, rc, "%s", later.text);
	}
	/* In use from here on: whatever is written next may be torn. */
	if (rc == OK) {
		struct errmsg later;

		rc = marker_write(dir, false, &later);
		if (rc != OK)
			rc = err_set(why, rc, "%s", later.text);
	}
	if (rc == OK) {
		*out = db;
		db = NULL; /* moved */
	}
out:
	if (db != NULL)
		db_free(db);
	return rc;
}

bool
db_unproven(const struct db *db)
{
	return db->unproven;
}

void
db_proven(struct db *db)
{
	db->unproven = false;
}

enum err
db_condemned(struct db *db, struct errmsg *why)
{
	return marker_remove(db->dir, why);
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	/* Without the sync, or without the marker, the next start finds the
	 * marker "in use" and judges by boot and mount: no harm is done. */
	if (!db->unproven && mdb_env_sync(db->env, 1) == MDB_SUCCESS)
		(void)!marker_write(db->dir, true, NULL);
	db_free(db);
}

void
db_abandon(struct db *db)
{
	if (db != NULL)
		db_free(db);
}

void
db_meta(struct db *db, struct db_meta *out)
{
	*out = db->meta;
}

uint64_t
db_used(struct db *db)
{
	return atomic_load_explicit(&db->used, memory_order_relaxed);
}

uint64_t
db_map_size(struct db *db)
{
	return db->map_size;
}

void
db_state_hash(const struct db_meta *meta, uint8_t hash[static DB_HASH_SIZE])
{
	uint8_t numbers[2 * sizeof(uint64_t)];
	struct hash state;

	(void)put_u64(put_u64(numbers, meta->schema), meta->revision);
	hash_start(&state);
	hash_add(&state, numbers, sizeof(numbers));
	hash_add(&state, meta->sums, sizeof(meta->sums));
	hash_end(&state, hash);
}
