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

struct api;
struct config;
struct crowd;
struct manager;

/* What all loops share; borrowed, outlives every api. */
struct api_server {
	const struct config *config;
	struct node *node;
	struct manager *manager;
	struct crowd *crowd; /* parked reads per address; NULL = no limit */
	/* PUT /v1/agent/reload, on the calling loop: the words of a refusal in
	 * why. May run on several loops at once. */
	enum err (*reload)(void *arg, struct errmsg *why);
	/* PUT /v1/agent/leave, on the calling loop: this server is out of the
	 * raft configuration (or alone), the client has its answer; begin to
	 * stop the process. */
	void (*leave)(void *arg);
	void *arg;
};

/* One per client loop, before it starts. Takes watch_on_dirty. ERR_NOMEM. */
MUST_CHECK enum err api_new(const struct api_server *server, struct loop *loop,
    struct watch *watch, struct api **out, struct errmsg *why);
/* conn_handler for conn_server_new; arg is the struct api. */
void api_handle(
    void *arg, struct conn *conn, const struct http_request *request);
/*
 * Loop thread, once, when the loop's connections are gone: waits for what the
 * node still owes (node_stop makes it pay), closes the handles, runs done.
 */
void api_stop(struct api *api, void (*done)(void *arg), void *arg);
void api_free(struct api *api); /* after done. NULL is allowed */

#endif
