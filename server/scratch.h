/*
 * scratch - the temporary data directory of -dev: made at start, removed at
 * the end. Main thread.
 */
#ifndef SERVER_SCRATCH_H
#define SERVER_SCRATCH_H

#include "storage/err.h"

/* A fresh directory under $TMPDIR or /tmp, mode 0700; *path is the caller's. */
MUST_CHECK enum err scratch_make(char **path, struct errmsg *why);
/* Remove it and all in it; frees path. */
void scratch_remove(char *path);

#endif
