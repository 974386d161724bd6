/*
 * liburl - the address of a request: path, query, read mode, index.
 *
 * Pure; any thread.
 */
#ifndef CLIENT_LIBURL_H
#define CLIENT_LIBURL_H

#include "client/conclave.h"
#include "client/liberror.h"

#define LIBURL_WAIT_DEFAULT_MS 300000
#define LIBURL_WAIT_MAX_MS     600000

/* CONCLAVE_INVALID if a part could change the meaning of another, or the
 * header of the request. */
LIB_MUST_CHECK enum conclave_err liburl_check(
    const struct conclave_request *request, struct conclave_error *error);

/* base, path and query of a checked request; datacenter unescaped or NULL.
 * The caller frees it; NULL: out of memory. */
char *liburl_make(const char *base, const char *datacenter,
    const struct conclave_request *request);

/* What the server waits at most, without its random part; 0: it does not. */
unsigned liburl_wait_ms(const struct conclave_request *request);

#endif
