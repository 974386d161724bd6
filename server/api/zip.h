/*
 * zip - bodies in gzip form, for clients that accept it (contract 1.1).
 *
 * One deflate state per loop, made at the first use and kept: 256 KiB, which
 * a loop that serves no such client never pays. Never fed with secrets: the
 * window would hold them.
 */
#ifndef SERVER_API_ZIP_H
#define SERVER_API_ZIP_H

#include <stddef.h>

struct body;
struct zip;

/* NULL: out of memory. */
struct zip *zip_new(void);
void zip_free(struct zip *zip); /* NULL allowed */

/* One reference, the caller's. NULL: out of memory, send it plain. */
struct body *zip_body(struct zip *zip, const void *data, size_t size);

#endif
