/*
 * span - borrowed bytes with their length: a text that need not end in NUL.
 * Pure; any thread.
 */
#ifndef FSM_SPAN_H
#define FSM_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "storage/buf.h"

struct span {
	const char *data; /* borrowed; NULL allowed when size is 0 */
	size_t size;      /* bytes */
};

static inline struct span
span_of(const char *text)
{
	return (struct span){text, text == NULL ? 0 : strlen(text)};
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.size == b.size &&
	    (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* u32 length and bytes, as buf_bytes and read_bytes have them. */
static inline void
span_put(struct buf *out, struct span span)
{
	buf_bytes(out, span.data, span.size);
}

MUST_CHECK static inline bool
span_read(struct reader *in, size_t max, struct span *out)
{
	const uint8_t *data;

	if (!read_bytes(in, max, &data, &out->size))
		return false;
	out->data = (const char *)data;
	return true;
}

#endif
