#include <stdlib.h>

#include "fsm/authority.h"
#include "server/api/cabody.h"
#include "server/api/context.h"
#include "server/api/handlers.h"
#include "server/ca/manager.h"
#include "server/duration.h"

#define CALL_TIMEOUT_MS 30000 /* an RSA key is generated on the way */
#define APPLY_WAIT_MS   1000  /* hazard 17 */
#define REQUEST_MAX     (256 * 1024)

/* One PUT: the call to the leader, then the wait for its result here. */
struct ca_put {
	struct ask ask;
	struct node_call call;
	struct watch_wait wait;
	uint64_t revision;
	bool called; /* the call's callback is owed */
	bool gone;
};

static void
put_free(struct ca_put *put)
{
	struct api *api = put->ask.api;

	watch_cancel(api->watch, &put->wait);
	buf_free(&put->call.reply);
	free(put);
}

static void
on_gone(struct conn *conn, void *arg)
{
	struct ca_put *put = arg;

	(void)conn;
	put->gone = true;
	if (!put->called)
		put_free(put);
}

static void
finish(struct ca_put *put, bool behind)
{
	struct ask ask = put->ask;

	put_free(put);
	reply_empty(&ask, behind);
}

static void on_wake(struct watch_wait *wait, enum watch_reason reason);

/* Who asks this server next must find what was just acknowledged. */
static void
wait_applied(struct ca_put *put, uint64_t deadline_ms)
{
	struct watch *watch = put->ask.api->watch;

	if (watch_revision(watch) >= put->revision)
		finish(put, false);
	else if (watch_park(watch, &put->wait, AUTHORITY_TOPIC, deadline_ms,
		     on_wake) != OK)
		finish(put, true);
}

static void
on_wake(struct watch_wait *wait, enum watch_reason reason)
{
	struct ca_put *put = CONTAINER_OF(wait, struct ca_put, wait);

	if (reason == WATCH_CHANGED)
		wait_applied(put, wait->deadline_ms);
	else
		finish(
		    put, watch_revision(put->ask.api->watch) < put->revision);
}

static void
refuse(struct ca_put *put, unsigned status, enum err code)
{
	struct errmsg why = put->call.why;
	struct ask ask = put->ask;

	put_free(put);
	if (status != 0)
		reply_error(&ask, (int)status, why.text);
	else
		reply_failure(&ask, code, &why);
}

static void
on_answer(struct node_call *call)
{
	struct ca_put *put = CONTAINER_OF(call, struct ca_put, call);
	struct api *api = put->ask.api;
	unsigned status = 0;

	put->called = false;
	if (put->gone) {
		put_free(put);
	} else if (!manager_reply_decode(
		       &call->reply, &status, &put->revision)) {
		refuse(
		    put, 0, call->status == OK ? ERR_PROTOCOL : call->status);
	} else if (status != 200) {
		refuse(put, status, call->status);
	} else {
		wait_applied(put, time_mono_ms() + APPLY_WAIT_MS);
	}
	api_release(api);
}

/* The body's own ModifyIndex wins over ?cas (contract 2.3). */
static bool
take_cas(const struct http_request *request, struct cabody *body)
{
	char text[24];
	uint64_t cas;

	if (query_text(request, "cas", text, sizeof(text), NULL) != OK)
		return false;
	if (text[0] == '\0')
		return true;
	if (!query_u64(text, &cas))
		return false;
	if (body->modify_index == 0)
		body->modify_index = cas;
	return true;
}

static void
send_put(const struct ask *ask, const struct cabody *body)
{
	struct manager_put args = {
	    .provider = (const char *)body->provider.data,
	    .config = (const char *)body->config.data,
	    .config_size = body->config.size,
	    .state = (const char *)body->state.data,
	    .force = body->force,
	    .cas = body->modify_index};
	struct ca_put *put = calloc(1, sizeof(*put));
	struct buf request = buf_new(REQUEST_MAX);
	enum err rc = ERR_NOMEM;

	if (put != NULL) {
		buf_reserve(
		    &request, body->config.size + body->state.size + 1024);
		manager_put_encode(&args, &request);
		rc = buf_status(&request, NULL);
	}
	if (rc != OK) {
		buf_wipe(&request);
		free(put);
		reply_failure(ask, rc, NULL);
		return;
	}
	put->ask = *ask;
	put->called = true;
	conn_on_gone(ask->conn, on_gone, put);
	api_hold(ask->api);
	node_call(ask->api->server.node, ask->api->loop, NODE_CALL_CA_CONFIGURE,
	    &request, CALL_TIMEOUT_MS, &put->call, on_answer);
}

/* PUT /v1/connect/ca/configuration: contract 2.3. */
void
api_ca_config_put(const struct ask *ask, const struct http_request *request)
{
	struct cabody body;
	struct errmsg why;
	enum err rc = cabody_decode(request->body, &body, &why);

	if (rc == ERR_NOMEM) {
		reply_failure(ask, rc, &why);
		return;
	}
	if (rc != OK) {
		reply_error(ask, 400, why.text);
		return;
	}
	if (take_cas(request, &body)) {
		send_put(ask, &body);
	} else {
		reply_error(ask, 400,
		    "Request decode failed: cas is not an unsigned number");
	}
	cabody_free(&body);
}
