/*
 * db - the LMDB environment that holds the replicated state.
 *
 * One unnamed LMDB database; a key is one table byte and then the row's key.
 * Table 0 is ours: it holds the meta row. Opened with MDB_NOSYNC and MDB_NOTLS:
 * the raft log and snapshots are the durable truth, this is a cache of them
 * that is dropped and rebuilt on any doubt (see marker.h). The map is reserved
 * once, sparse, and never resized. One writer thread; readers on any thread.
 */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

#define DB_TABLES_MAX  16  /* tables 1..15 are for the state machine */
#define DB_HASH_SIZE   32  /* SHA-256 */
#define DB_SCHEMA      1   /* layout version of rows and meta */
#define DB_KEY_MAX     255 /* bytes of a row's key, table byte not counted */
#define DB_VALUE_MAX   (1u << 20)
#define DB_MAP_DEFAULT (UINT64_C(64) << 30) /* bytes of address space */
#define DB_READERS     512

/*
 * What each commit writes together with its changes. The sums are additive
 * hashes: for table t, the sum modulo 2^256 of SHA-256(table, key size, key,
 * value) over all its rows, so equal tables have equal sums in any order.
 */
struct db_meta {
	uint64_t schema;             /* DB_SCHEMA */
	uint64_t index;              /* last applied raft index */
	uint64_t term;               /* and its term */
	uint64_t revision;           /* state revision */
	uint8_t chain[DB_HASH_SIZE]; /* hash of last command entry */
	uint8_t sums[DB_TABLES_MAX][DB_HASH_SIZE]; /* additive, big-endian */
};

struct db;

/*
 * Open or create the environment in dir (which must exist): data.mdb, lock.mdb
 * and the marker, all 0600. rebuilt is set when an old one was dropped because
 * the marker left a doubt, LMDB refused the file, or the file is shorter than
 * its pages need; why then gives the reason although OK is returned, and meta
 * is all zero but schema. map_size in bytes; smaller ones are for tests.
 *
 * ERR_UNSUPPORTED  written by a newer version: nothing was touched
 * ERR_IO, ERR_FULL, ERR_NOMEM; ERR_CORRUPT when even a fresh one fails
 */
MUST_CHECK enum err db_open(const char *dir, uint64_t map_size, bool *rebuilt,
    struct db **out, struct errmsg *why);

/*
 * Believed after an unclean stop because the page cache survived it, as far as
 * the marker can tell: somebody should recompute the sums (txn_verify). Until
 * db_proven a close is not marked clean. After db_condemned the next open drops
 * the environment. One thread.
 */
bool db_unproven(const struct db *db);
void db_proven(struct db *db);
MUST_CHECK enum err db_condemned(struct db *db, struct errmsg *why);

/* Sync, mark clean, close. All transactions must be over. NULL is allowed. */
void db_close(struct db *db);

/* Close without marking clean, as after a failure. NULL is allowed. */
void db_abandon(struct db *db);

/* The meta row of the last commit; a copy, writer thread only. */
void db_meta(struct db *db, struct db_meta *out);

/* Bytes of the map in use by live pages as of the last commit (free pages not
 * counted), and its size. Any thread. */
uint64_t db_used(struct db *db);
uint64_t db_map_size(struct db *db);

/* The state hash: SHA-256 over u64 schema, u64 revision and all sums. */
void db_state_hash(
    const struct db_meta *meta, uint8_t hash[static DB_HASH_SIZE]);

#endif
