/*
 * marker - proof that the page cache under an LMDB file survived (hazard 5).
 *
 * The file "marker" beside the environment: boot id, mount id (statx), device
 * and inode of data.mdb, the schema of the rows, and whether the last close was
 * clean. If it was not clean and any of the four differs, or any file-system
 * error is met, the environment cannot be believed. Any thread.
 */
#ifndef STORAGE_MARKER_H
#define STORAGE_MARKER_H

#include <stdbool.h>

#include "storage/err.h"

/*
 * May the environment in dir be believed? *believe false comes with the reason
 * in why and OK as the return value. A missing marker beside existing data is
 * a doubt; no data at all is none.
 *
 * ERR_UNSUPPORTED  a newer version wrote the marker or the rows; ERR_NOMEM
 */
MUST_CHECK enum err marker_check(
    const char *dir, bool *believe, struct errmsg *why);

/* Was the environment in dir closed cleanly, or is there none? */
bool marker_is_clean(const char *dir);

/* Remove the marker: the environment is not believed any more. ERR_IO. */
MUST_CHECK enum err marker_remove(const char *dir, struct errmsg *why);

/* Write and sync the marker; clean or in use. ERR_IO. */
MUST_CHECK enum err marker_write(
    const char *dir, bool clean, struct errmsg *why);

#endif
