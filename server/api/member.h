/*
 * member - a server in the shape of Consul's gossip members (contract 2.15).
 *
 * We have no gossip: these are the servers raft and the server RPC know. Pure.
 */
#ifndef SERVER_API_MEMBER_H
#define SERVER_API_MEMBER_H

#include <stdbool.h>

#include "server/cluster/node.h"
#include "storage/buf.h"

struct config;

/* Append one Member object under key (NULL: an array's item). wan: as the
 * wide-area pool would show it. */
void member_put(struct buf *out, const char *key, const struct config *config,
    const struct node_member *member, bool wan);

#endif
