/*
 * file - small files that must be whole or absent.
 *
 * Written to <path>.tmp, synced, renamed, folder synced. Mode 0600. One writer
 * per path at a time. A checked file carries its own magic, version and
 * SHA-256, so that a damaged one is told from a missing one. Any thread.
 */
#ifndef STORAGE_FILE_H
#define STORAGE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

#define FILE_CHECKED_MAX (1u << 20) /* bytes of content */

/* Write atomically; on error the file is the old or the new one. ERR_IO (why
 * names path and errno), ERR_FULL, ERR_NOMEM. */
MUST_CHECK enum err file_write(
    const char *path, const void *data, size_t size, struct errmsg *why);

/* Replace the content of out with the file, at most out->max bytes. Also good
 * for files of /proc, which have no size. ERR_NOTFOUND, ERR_LIMIT, ERR_IO. */
MUST_CHECK enum err file_read(
    const char *path, struct buf *out, struct errmsg *why);

/* As file_write, framed: 8 bytes magic, u32 version, u32 size, content,
 * SHA-256 over all before it. magic: exactly 8 characters. */
MUST_CHECK enum err file_write_checked(const char *path, const char *magic,
    uint32_t version, const struct buf *content, struct errmsg *why);

/* Replaces content. ERR_NOTFOUND, ERR_CORRUPT, ERR_UNSUPPORTED (version above
 * max_version), ERR_LIMIT (content->max), ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err file_read_checked(const char *path, const char *magic,
    uint32_t max_version, uint32_t *version, struct buf *content,
    struct errmsg *why);

#endif
