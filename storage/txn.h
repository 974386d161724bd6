/*
 * txn - one LMDB transaction over the tables of db.h.
 *
 * Writers: one at a time, on one thread; they keep the additive hashes of the
 * meta row true. Readers: any thread, never older than they must be (no read
 * transaction outlives 100 ms except a snapshot's). Borrowed values are good
 * until the next write in the same transaction or its end.
 */
#ifndef STORAGE_TXN_H
#define STORAGE_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/db.h"
#include "storage/err.h"

struct txn;

/* Both see the last commit. A reader is cheap: it takes no lock but a short
 * one of ours. ERR_BUSY: DB_READERS are open; ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err txn_read(struct db *db, struct txn **out, struct errmsg *);
MUST_CHECK enum err txn_write(struct db *db, struct txn **out, struct errmsg *);

/* The meta row as of this transaction. A writer may change index, term,
 * revision and chain; sums are kept by put and delete. Borrowed. */
const struct db_meta *txn_meta(const struct txn *txn);
struct db_meta *txn_meta_change(struct txn *txn);

/* table 1..DB_TABLES_MAX-1, key 0..DB_KEY_MAX bytes.
 * get: ERR_NOTFOUND leaves *data and *size untouched. ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err txn_get(struct txn *txn, uint8_t table, const void *key,
    size_t key_size, const uint8_t **data, size_t *size);
/* A value equal to the stored one is a success that writes nothing. data must
 * not be borrowed from the same transaction. After any error but ERR_LIMIT
 * (key or value too long) the transaction is lost: every later write and the
 * commit answer the same. ERR_FULL (map or disk), ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err txn_put(struct txn *txn, uint8_t table, const void *key,
    size_t key_size, const void *data, size_t size);
/* Deleting what is not there is OK; *was tells. was may be NULL. Errors as
 * txn_put's. */
MUST_CHECK enum err txn_delete(struct txn *txn, uint8_t table, const void *key,
    size_t key_size, bool *was);

/* One row of a walk; all borrowed. Return false to stop early. */
typedef bool (*txn_row_cb)(void *arg, const uint8_t *key, size_t key_size,
    const uint8_t *data, size_t size);
/*
 * Rows of table whose key starts with prefix and is >= from (from may be NULL
 * with size 0), in byte order. The callback must not write. ERR_LIMIT (prefix
 * or from too long), ERR_NOMEM, ERR_IO, ERR_CORRUPT.
 */
MUST_CHECK enum err txn_walk(struct txn *txn, uint8_t table, const void *prefix,
    size_t prefix_size, const void *from, size_t from_size, txn_row_cb cb,
    void *arg);

/* Write the meta row and commit. The transaction is gone in any case.
 * Any error means the process must stop: never retried (hazard notes 11). */
MUST_CHECK enum err txn_commit(struct txn *txn, struct errmsg *why);
/* End a reader, or drop a writer's changes. NULL is allowed. */
void txn_abort(struct txn *txn);

/* Recompute all sums from the rows: true if they equal the meta row's.
 * A reader is enough; takes time in proportion to the state. */
MUST_CHECK enum err txn_verify(struct txn *txn, bool *equal);

#endif
