#include "server/api/errand.h"

#include <stdlib.h>

#include "server/api/context.h"

#define TIMEOUT_MS 20000 /* a transfer and a removal take elections */

struct errand {
	struct ask ask;
	struct node_call call;
	errand_cb cb;
	const void *arg;
	bool gone;
};

static void
on_gone(struct conn *conn, void *arg)
{
	struct errand *errand = arg;

	(void)conn;
	errand->gone = true;
}

static void
on_answer(struct node_call *call)
{
	struct errand *errand = CONTAINER_OF(call, struct errand, call);
	struct api *api = errand->ask.api;

	if (!errand->gone)
		errand->cb(&errand->ask, call, errand->arg);
	buf_free(&call->reply);
	free(errand);
	api_release(api);
}

void
errand_run(const struct ask *ask, enum node_call_kind kind, struct buf *request,
    errand_cb cb, const void *arg)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (errand == NULL || request->failed != OK) {
		free(errand);
		buf_free(request);
		reply_failure(ask, ERR_NOMEM, NULL);
		return;
	}
	errand->ask = *ask;
	errand->cb = cb;
	errand->arg = arg;
	conn_on_gone(ask->conn, on_gone, errand);
	api_hold(ask->api);
	node_call(ask->api->server.node, ask->api->loop, kind, request,
	    TIMEOUT_MS, &errand->call, on_answer);
}
