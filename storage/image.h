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
 * block, moved to the caller. Any thread; takes time in proportion.
 * ERR_NOMEM, ERR_IO, ERR_LIMIT.
 */
MUST_CHECK enum err image_write(struct txn *txn, uint64_t index,
    void *(*alloc)(size_t), void **data, size_t *size, struct errmsg *why);

/*
 * Check everything (magic, format, lengths, order, SHA-256, sums) and give the
 * head. Touches nothing. ERR_CORRUPT, ERR_UNSUPPORTED (newer format/schema).
 */
MUST_CHECK enum err image_verify(const uint8_t *data, size_t size,
    struct image_head *head, struct errmsg *why);

/*
 * image_verify, then replace the whole state in one write transaction.
 * On error the state is as before. meta.index becomes head.index.
 */
MUST_CHECK enum err image_load(
    struct db *db, const uint8_t *data, size_t size, struct errmsg *why);

#endif
