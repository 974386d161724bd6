/*
 * api - HTTP requests in, answers out: the context of one client loop, and the
 * route table that leads to the handlers (api_*.c).
 *
 * Everything here runs on the client loop that owns the connection. Reads open
 * their own LMDB transaction and end it before they return; writes go through
 * node_propose or node_call.
 */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include "server/cluster/node.h"
#include "server/cluster/watch.h"
#include "server/net/conn.h"
#include "storage/err.h"

struct config;
struct manager;
struct api;

/* What all loops share; borrowed, outlives every api. */
struct api_server {
	const struct config *config;
	struct node *node;
	struct manager *manager;
	/* PUT /v1/agent/reload and /v1/agent/leave: run on the main thread's
	 * behalf; done on the calling loop, words in why. */
	enum err (*reload)(void *arg, struct errmsg *why);
	void (*leave)(void *arg);
	void *arg;
};

/* One per client loop, before it starts. */
MUST_CHECK enum err api_new(const struct api_server *server, struct loop *loop,
    struct watch *watch, struct api **out, struct errmsg *why);
/* conn_handler for conn_server_new; arg is the struct api. */
void api_handle(
    void *arg, struct conn *conn, const struct http_request *request);
void api_free(struct api *api); /* after the loop's connections are gone */

#endif
