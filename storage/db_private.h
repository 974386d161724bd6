/*
 * db_private - what db.c, txn.c and image.c share and nobody else includes.
 */
#ifndef STORAGE_DB_PRIVATE_H
#define STORAGE_DB_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <lmdb.h>

#include "storage/db.h"
#include "storage/txn.h"

#define DB_META_TABLE 0 /* the table byte of the meta row */
#define DB_META_SIZE  (4 * 8 + DB_HASH_SIZE * (1 + DB_TABLES_MAX))

struct txn {
	struct db *db;
	MDB_txn *mdb;
	struct txn *next;    /* in the list of idle readers */
	bool writer;         /* it is db->writer */
	bool walking;        /* inside a callback: no writes */
	enum err failed;     /* first failed write; never committed */
	struct db_meta meta; /* as of this transaction */
};

struct db {
	MDB_env *env;
	MDB_dbi dbi;
	char *dir;
	uint64_t map_size;   /* bytes */
	uint64_t page_size;  /* bytes */
	uint64_t file_size;  /* bytes data.mdb is known to have, writer only */
	struct db_meta meta; /* of the last commit, writer only */
	struct txn writer;   /* writer.mdb is NULL while nobody writes */
	bool unproven;       /* see db_unproven */

	atomic_uint_least64_t used; /* bytes, set by each commit */
	atomic_size_t readers;      /* read transactions that are open */

	/* Readers that are over keep their slot in LMDB's reader table, which
	 * saves its lock and a search at the next one. */
	pthread_mutex_t lock;
	struct txn *idle;
};

/* LMDB's code in our vocabulary. */
enum err db_code(int rv);

/* The same, with a sentence "<doing>: <LMDB's words>". OK stays OK. */
enum err db_fail(struct errmsg *why, int rv, const char *doing);

/* LMDB calls a short write, the first sign of a full disk, EIO: make that
 * ENOSPC where there is hardly any space. */
int db_short_write(struct db *db, int rv);

/* The meta row, big-endian in the order of the struct. */
void db_meta_encode(
    const struct db_meta *meta, uint8_t row[static DB_META_SIZE]);
/* ERR_CORRUPT (size, schema 0), ERR_UNSUPPORTED (newer schema). */
MUST_CHECK enum err db_meta_decode(
    struct db_meta *meta, const uint8_t *row, size_t size, struct errmsg *why);

/* LMDB takes what it only reads as plain void *; borrowed. */
MDB_val db_val(const void *data, size_t size);

/* The key of the meta row; borrowed, constant. */
MDB_val db_meta_key(void);

/* Bytes in live pages as this transaction sees them. ERR_IO. */
MUST_CHECK enum err db_measure(struct db *db, MDB_txn *mdb, uint64_t *used);

#endif
