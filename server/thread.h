/*
 * thread - start a named thread that takes no signals.
 *
 * Signals are main's: every other thread is created with them blocked, so that
 * none can interrupt a loop or a worker. Faults (SIGSEGV and its kin) stay.
 */
#ifndef SERVER_THREAD_H
#define SERVER_THREAD_H

#include <pthread.h>

#include "storage/err.h"

#define THREAD_NAME_MAX 15 /* bytes, the kernel's limit */

/*
 * Run body(arg) on a new thread named name (copied, cut at THREAD_NAME_MAX).
 * The caller joins *out. Any thread. ERR_LIMIT: the system has no more.
 */
MUST_CHECK enum err thread_start(pthread_t *out, const char *name,
    void *(*body)(void *arg), void *arg, struct errmsg *why);

#endif
