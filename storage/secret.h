/*
 * secret - bytes that must not leak: wipe, compare, and the stored envelope.
 *
 * Envelope, the one form in which a secret stands in a command, a table or a
 * snapshot: u8 version (1), u32 key id, bytes (u32 length + data). Key id 0 =
 * the bytes are in clear; any other id names the cluster key that sealed them
 * (not issued yet, so refused as ERR_UNSUPPORTED by secret_open). Any thread.
 */
#ifndef STORAGE_SECRET_H
#define STORAGE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

#define SECRET_SIZE_MAX (64 * 1024) /* bytes in one envelope */

/* Overwrite in a way the compiler keeps. NULL is allowed with size 0. */
void secret_wipe(void *data, size_t size);

/* Wipe a C string, then free it. NULL is allowed. */
void secret_free_text(char *text);

/* Constant-time equality of two byte strings of the same size. */
bool secret_equal(const void *a, const void *b, size_t size);

/* Append an envelope around size bytes of clear data. */
void secret_put(struct buf *out, const void *data, size_t size);

/*
 * Read one envelope; *data is borrowed from the input.
 * ERR_CORRUPT, ERR_UNSUPPORTED (version or key id unknown).
 */
MUST_CHECK enum err secret_get(
    struct reader *in, const uint8_t **data, size_t *size, struct errmsg *why);

#endif
