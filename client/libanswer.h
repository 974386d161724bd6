/*
 * libanswer - what the status and body of an answer mean to a caller.
 *
 * Pure; any thread.
 */
#ifndef CLIENT_LIBANSWER_H
#define CLIENT_LIBANSWER_H

#include <stdbool.h>

#include "client/conclave.h"
#include "client/liberror.h"

/* True if another server may do better: this one stops, or sees no leader. */
bool libanswer_is_local(const struct conclave_answer *answer);

/*
 * One call for the typed helpers: request, answer, check, in one. On OK the
 * answer is a 200 and the caller's; on error there is none.
 */
LIB_MUST_CHECK enum conclave_err libanswer_get(struct conclave *client,
    const struct conclave_request *request, struct conclave_answer *answer,
    struct conclave_error *error);

/* The same where the body of a 200 says nothing. */
LIB_MUST_CHECK enum conclave_err libanswer_do(struct conclave *client,
    const struct conclave_request *request, struct conclave_error *error);

#endif
