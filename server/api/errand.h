/*
 * errand - a request that the leader answers: one node_call and its reply.
 *
 * Remembers who asked; when the client has gone meanwhile, the answer is
 * dropped. Client loop.
 */
#ifndef SERVER_API_ERRAND_H
#define SERVER_API_ERRAND_H

#include "server/api/reply.h"
#include "server/cluster/node.h"

/*
 * Answer ask by call's status and reply, which are borrowed. Not run for a
 * client that has gone.
 */
typedef void (*errand_cb)(
    const struct ask *ask, struct node_call *call, const void *arg);

/* *request is moved; arg is borrowed until cb, so best static. Out of memory
 * is answered here. */
void errand_run(const struct ask *ask, enum node_call_kind kind,
    struct buf *request, errand_cb cb, const void *arg);

#endif
