/*
 * liberror - fill in the error a caller of the library handed over.
 *
 * Pure; any thread.
 */
#ifndef CLIENT_LIBERROR_H
#define CLIENT_LIBERROR_H

#include "client/conclave.h"

#define LIB_MUST_CHECK __attribute__((warn_unused_result))
#define LIB_COUNT(a)   (sizeof(a) / sizeof((a)[0]))

/* Format one sentence, cut at its size, control bytes made blanks; returns
 * code. error may be NULL. */
enum conclave_err liberror_set(struct conclave_error *error,
    enum conclave_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* CONCLAVE_NOMEM with its sentence. */
enum conclave_err liberror_nomem(struct conclave_error *error);

#endif
