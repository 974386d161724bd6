/*
 * image - all tables of one read transaction as one checksummed byte string.
 *
 * Layout, big-endian: 8 bytes magic "CONCLIMG"; u32 format (1); u32 schema;
 * u64 raft index; meta row (as stored); u64 row count; rows (u8 table, u8 key
 * size, key, u32 size, data) in key order; 32 bytes SHA-256 over everything
 * before it. Secrets stand in it as envelopes. This is what raft snapshots
 * carry; user archives wrap it.
 */
#ifndef STORAGE_IMAGE_H
#define STORAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "storage/db.h"
#include "storage/err.h"
#include "storage/txn.h"

#define IMAGE_FORMAT   1
#define IMAGE_SIZE_MAX (UINT64_C(4) << 30)

struct image_head {
	uint32_t format;
	uint64_t index; /* raft index the image stands for (may be above
			   meta.index: barriers do not reach the tables) */
	struct db_meta meta;
	uint64_t rows;
};

/*
 * Write the image into memory got with alloc (malloc or raft_malloc), one
 * block of exactly *size bytes, moved to the caller. txn is best a reader; the
 * image of a writer holds its changes. The same rows, meta and index give the
 * same bytes. Any thread; takes time in proportion.
 *
 * index  the raft index it stands for, not below the meta row's
 *
 * ERR_INVALID (index), ERR_LIMIT (IMAGE_SIZE_MAX), ERR_NOMEM; ERR_IO and
 * ERR_CORRUPT may leave a block in *data for the caller to free, as alloc comes
 * without its opposite. In all other cases *data is NULL on error.
 */
MUST_CHECK enum err image_write(struct txn *txn, uint64_t index,
    void *(*alloc)(size_t), void **data, size_t *size, struct errmsg *why);

/*
 * Check everything (magic, SHA-256, format, schema, lengths, order, sums) and
 * give the head. Touches nothing else. The checksum comes first, at the end of
 * every format, so that damage is never taken for a newer one. Any thread.
 * ERR_CORRUPT, ERR_UNSUPPORTED (newer format or schema).
 */
MUST_CHECK enum err image_verify(const uint8_t *data, size_t size,
    struct image_head *head, struct errmsg *why);

/*
 * image_verify, then replace the whole state in one write transaction, which
 * it begins and commits: writer thread, no other write open. On error the
 * state is as before. meta is the image's, but meta.index becomes head.index.
 * The old rows' pages are free only after it: the map must hold both.
 * ERR_CORRUPT, ERR_UNSUPPORTED, ERR_FULL, ERR_NOMEM, ERR_IO.
 */
MUST_CHECK enum err image_load(
    struct db *db, const uint8_t *data, size_t size, struct errmsg *why);

#endif
