/*
 * test - cmocka and the headers it needs, in the order it needs them.
 */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/err.h"

/* A fresh directory under $TMPDIR or /tmp, 0700; the caller frees the text
 * and removes the directory with test_rmdir. Aborts the test on failure. */
char *test_tmpdir(void);
/* Remove a directory and all in it; frees path. */
void test_rmdir(char *path);

/*
 * Torture: run body again and again, failing allocation 1, 2, 3 ... of malloc,
 * calloc, realloc and the aligned ones (raft_malloc and the libraries' too, on
 * the calling thread) until a run passes with no failure hit. body must answer
 * OK when nothing fails, ERR_NOMEM for a failed run (OK only where libc got by
 * without the block, as vasprintf may), and leak no block. Under ASan and TSan,
 * which own malloc, body runs once, without failures.
 */
void test_torture(enum err (*body)(void *arg), void *arg);

#endif
