#include "fsm/entry.h"

#include <assert.h>

#include "storage/hash.h"

#define MAGIC        0x43454e31u /* "CEN1" */
#define COUNT_OFFSET (4 + 8 + 8 + DB_HASH_SIZE)
#define ALIGNMENT    8 /* bytes; libraft breaks on other lengths */

static_assert(DB_HASH_SIZE == HASH_SIZE, "the chain is SHA-256");
static_assert(ENTRY_SIZE_MAX % ALIGNMENT == 0, "room for the padding");

void
entry_begin(struct buf *out, uint64_t index, uint64_t term,
    const uint8_t previous[static DB_HASH_SIZE])
{
	assert(out->size == 0 && out->max == ENTRY_SIZE_MAX);

	buf_u32(out, MAGIC);
	buf_u64(out, index);
	buf_u64(out, term);
	buf_raw(out, previous, DB_HASH_SIZE);
	buf_u16(out, 0); /* patched at the end */
}

void
entry_add(struct buf *out, const struct request_id *id, const void *command,
    size_t size)
{
	buf_u64(out, id->server);
	buf_u64(out, id->start);
	buf_u64(out, id->sequence);
	buf_u64(out, id->lowest);
	buf_bytes(out, command, size);
}

enum err
entry_end(struct buf *out, uint16_t count, uint8_t hash[static DB_HASH_SIZE],
    struct errmsg *why)
{
	enum err rc;

	assert(count <= ENTRY_COMMANDS_MAX);

	while (out->failed == OK && out->size % ALIGNMENT != 0)
		buf_u8(out, 0);
	rc = buf_status(out, why);
	if (rc != OK)
		return rc;
	assert(out->size > COUNT_OFFSET + 1);
	out->data[COUNT_OFFSET] = (uint8_t)(count >> 8);
	out->data[COUNT_OFFSET + 1] = (uint8_t)count;
	hash_bytes(out->data, out->size, hash);
	return OK;
}

enum err
entry_open(struct reader *in, struct entry_head *head, struct errmsg *why)
{
	uint32_t magic;

	if (in->size > ENTRY_SIZE_MAX || in->size % ALIGNMENT != 0) {
		return err_set(why, ERR_CORRUPT,
		    "log entry of %zu bytes, not a multiple of %d up to %u",
		    in->size, ALIGNMENT, ENTRY_SIZE_MAX);
	}
	if (!read_u32(in, &magic) || !read_u64(in, &head->index) ||
	    !read_u64(in, &head->term) ||
	    !read_raw(in, head->previous, DB_HASH_SIZE) ||
	    !read_u16(in, &head->count)) {
		return err_set(
		    why, ERR_CORRUPT, "log entry is cut short in its head");
	}
	if (magic != MAGIC) {
		return err_set(why, ERR_CORRUPT,
		    "log entry begins with %08x, not %08x", magic, MAGIC);
	}
	if (head->count > ENTRY_COMMANDS_MAX) {
		return err_set(why, ERR_CORRUPT,
		    "log entry says it has %u commands, at most %d are allowed",
		    head->count, ENTRY_COMMANDS_MAX);
	}
	return OK;
}

enum err
entry_next(struct reader *in, struct request_id *id, const uint8_t **command,
    size_t *size, struct errmsg *why)
{
	if (!read_u64(in, &id->server) || !read_u64(in, &id->start) ||
	    !read_u64(in, &id->sequence) || !read_u64(in, &id->lowest) ||
	    !read_bytes(in, ENTRY_SIZE_MAX, command, size)) {
		return err_set(
		    why, ERR_CORRUPT, "log entry is cut short in a command");
	}
	return OK;
}

enum err
entry_close(const struct reader *in, struct errmsg *why)
{
	if (in->size >= ALIGNMENT) {
		return err_set(why, ERR_CORRUPT,
		    "log entry has %zu bytes after its last command", in->size);
	}
	for (size_t i = 0; i < in->size; i++) {
		if (in->data[i] != 0) {
			return err_set(why, ERR_CORRUPT,
			    "log entry is padded with other than zeroes");
		}
	}
	return OK;
}
