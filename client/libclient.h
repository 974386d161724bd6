/*
 * libclient - what the parts of the library know of a client.
 *
 * A client owns its transfers: some run a call, the idle wait for the next
 * one, a watch holds its own. All are listed, so that a cancel reaches them.
 */
#ifndef CLIENT_LIBCLIENT_H
#define CLIENT_LIBCLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conclave.h"
#include "client/liberror.h"

struct libtransfer;

/* A transfer for one user; NULL: out of memory. Any thread. */
struct libtransfer *libclient_take(struct conclave *client);
/* keep: for the next call; false: close it. Any thread. */
void libclient_give(
    struct conclave *client, struct libtransfer *transfer, bool keep);

/*
 * conclave_call on a given transfer.
 *
 * at  in: the server to begin with; out: the one that answered, or, on error,
 *     the one to begin with next.
 */
LIB_MUST_CHECK enum conclave_err libclient_call(struct conclave *client,
    struct libtransfer *transfer, size_t *at,
    const struct conclave_request *request, struct conclave_answer *answer,
    struct conclave_error *error);

/* The server new calls begin with. Any thread. */
size_t libclient_at(const struct conclave *client);
size_t libclient_servers(const struct conclave *client);

/* A number nobody can guess; 0 should the system have none. */
uint32_t libclient_random(void);

#endif
