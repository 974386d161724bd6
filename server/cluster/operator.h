/*
 * operator - what the leader does when an operator asks: tell of the servers,
 * hand leadership on, remove a server, let one leave. Serves the node calls of
 * those names. Consensus loop.
 *
 * NODE_CALL_SERVERS: nothing -> node_servers. NODE_CALL_TRANSFER: decimal or
 * 16-digit hex raft id, or node id, or "" (any) -> nothing. NODE_CALL_REMOVE,
 * NODE_CALL_LEAVE: u64 raft id -> nothing; a leader asked to let itself leave
 * hands leadership on first and answers ERR_NOTLEADER, so that the next leader
 * is asked.
 */
#ifndef SERVER_CLUSTER_OPERATOR_H
#define SERVER_CLUSTER_OPERATOR_H

#include "server/cluster/calls.h"
#include "server/cluster/env.h"
#include "server/cluster/members.h"
#include "server/cluster/status.h"

struct operator;

/* Registers itself with calls. */
MUST_CHECK enum err operator_new(struct env *env, struct calls *calls,
    struct members *members, struct status *status, struct operator** out,
    struct errmsg *why);
void operator_free(struct operator* op);

#endif
