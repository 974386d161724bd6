/*
 * body - immutable bytes shared by many answers of one loop.
 *
 * Counted references without atomics: a body never leaves the loop that made
 * it. One rendered answer serves every watcher of an object (contract 1.7).
 */
#ifndef SERVER_NET_BODY_H
#define SERVER_NET_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"

struct body {
	uint32_t references;
	bool secret; /* wiped when the last reference goes */
	size_t size;
	uint8_t data[];
};

/* Copy size bytes; one reference, the caller's. NULL: out of memory. */
struct body *body_new(const void *data, size_t size);
struct body *body_ref(struct body *body);
void body_unref(struct body *body); /* NULL allowed */

#endif
