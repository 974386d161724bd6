/*
 * buf - a growing buffer born with its limit, and a bounded reader.
 *
 * All integers are big-endian. A writer remembers its first failure (limit or
 * memory) and ignores what follows, so an encoder checks once, at the end.
 * Not thread-safe; one owner at a time.
 */
#ifndef STORAGE_BUF_H
#define STORAGE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

struct buf {
	uint8_t *data;   /* owned; NULL while empty */
	size_t size;     /* bytes written */
	size_t capacity; /* bytes allocated */
	size_t max;      /* never grows above this */
	enum err failed; /* OK, ERR_LIMIT or ERR_NOMEM; sticky */
};

/* An empty buffer that may hold at most max bytes. Allocates nothing. */
struct buf buf_new(size_t max);

/* Release; the struct is empty again and keeps its limit. */
void buf_free(struct buf *buf);

/* Wipe the bytes, then release: for buffers that held a secret. */
void buf_wipe(struct buf *buf);

/* Forget the content and the failure, keep the memory. */
void buf_reset(struct buf *buf);

void buf_u8(struct buf *buf, uint8_t value);
void buf_u16(struct buf *buf, uint16_t value);
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
/* size bytes as they are. data may be NULL when size is 0. */
void buf_raw(struct buf *buf, const void *data, size_t size);
/* u32 length, then the bytes. */
void buf_bytes(struct buf *buf, const void *data, size_t size);
/* buf_bytes of a C string, without its NUL. */
void buf_text(struct buf *buf, const char *text);
/* The bytes of a C string, no length: for text output. */
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Make room for size more bytes; NULL on failure (recorded). Borrowed until
 * the next call; buf_added() tells how many were written there. */
uint8_t *buf_reserve(struct buf *buf, size_t size);
void buf_added(struct buf *buf, size_t size);

/* OK, or the first failure, with a sentence. */
MUST_CHECK enum err buf_status(const struct buf *buf, struct errmsg *why);

/* What is left to read; borrowed bytes. struct reader in = {data, size}; */
struct reader {
	const uint8_t *data;
	size_t size;
};

/* Each returns false, changing nothing, when too few bytes are left. */
MUST_CHECK bool read_u8(struct reader *in, uint8_t *value);
MUST_CHECK bool read_u16(struct reader *in, uint16_t *value);
MUST_CHECK bool read_u32(struct reader *in, uint32_t *value);
MUST_CHECK bool read_u64(struct reader *in, uint64_t *value);
MUST_CHECK bool read_raw(struct reader *in, void *out, size_t size);
/* u32 length and bytes of at most max; *data is borrowed from the input. */
MUST_CHECK bool read_bytes(
    struct reader *in, size_t max, const uint8_t **data, size_t *size);
/* As read_bytes, copied into a fresh C string the caller frees. Refuses bytes
 * that hold a NUL. ERR_NOMEM, ERR_CORRUPT. */
MUST_CHECK enum err read_text(struct reader *in, size_t max, char **text);

#endif
