/*
 * stats - the Stats section of GET /v1/agent/self: all values are texts (2.14).
 *
 * Client loop.
 */
#ifndef SERVER_API_STATS_H
#define SERVER_API_STATS_H

#include "server/cluster/node.h"
#include "storage/buf.h"

struct api;

/* Append the member "Stats". */
void stats_put(
    struct buf *out, struct api *api, const struct node_status *status);

#endif
