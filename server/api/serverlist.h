/*
 * serverlist - the cluster's servers as the leader sees them, for an answer.
 *
 * default and consistent ask the leader; stale shows what this server knows,
 * where the fields only a leader can fill are zero. Client loop.
 */
#ifndef SERVER_API_SERVERLIST_H
#define SERVER_API_SERVERLIST_H

#include "server/api/reply.h"
#include "server/cluster/node.h"
#include "storage/buf.h"

/* One per kind of answer, static const. */
struct serverlist_kind {
	/* Append compact JSON; the answer's HTTP status. */
	int (*render)(struct buf *out, const struct node_status *status);
};

/* Execute and answer. No index headers (contract 2.8). */
void serverlist_read(const struct ask *ask, const struct serverlist_kind *kind);

/* The member with this node id (UUID) or "ip:port"; NULL: none. */
const struct node_member *serverlist_by_id(
    const struct node_status *status, const char *id);
const struct node_member *serverlist_by_address(
    const struct node_status *status, const char *address);

#endif
