#include "server/api/api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "server/api/blocking.h"
#include "server/api/cache.h"
#include "server/api/context.h"
#include "server/api/gate.h"
#include "server/api/reply.h"
#include "server/api/route.h"
#include "server/api/zip.h"
#include "server/config.h"
#include "server/log.h"

#define ALLOW_MAX 64 /* bytes of an Allow header */

static void
drop_changed(void *arg, const struct topics *topics)
{
	struct api *api = arg;

	cache_drop(api->cache, topics);
}

enum err
api_new(const struct api_server *server, struct loop *loop, struct watch *watch,
    struct api **out, struct errmsg *why)
{
	struct api *api = calloc(1, sizeof(*api));
	enum err rc;

	if (api == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	api->server = *server;
	api->loop = loop;
	api->watch = watch;
	rc = err_set(why, ERR_NOMEM, "out of memory");
	api->cache = cache_new();
	api->zip = zip_new();
	if (api->cache == NULL || api->zip == NULL)
		goto out;
	rc = err_set(why, ERR_INTERNAL, "cannot get random bytes");
	if (getrandom(&api->random, sizeof(api->random), 0) !=
	    sizeof(api->random))
		goto out;
	api->random |= 1; /* xorshift's state is never 0 */
	rc = gate_new(api, blocking_passed, &api->gate, why);
	if (rc != OK)
		goto out;
	watch_on_dirty(watch, drop_changed, api);
	*out = api;
	api = NULL; /* moved */
out:
	api_free(api);
	return rc;
}

void
api_free(struct api *api)
{
	if (api == NULL)
		return;
	gate_free(api->gate);
	cache_free(api->cache);
	zip_free(api->zip);
	free(api);
}

void
api_hold(struct api *api)
{
	api->pending++;
}

void
api_release(struct api *api)
{
	assert(api->pending > 0);
	if (--api->pending > 0 || !api->stopping)
		return;
	if (!api->closing) {
		api->closing = true;
		gate_close(api->gate); /* comes back here when closed */
	} else {
		api->done(api->done_arg);
	}
}

void
api_stop(struct api *api, void (*done)(void *arg), void *arg)
{
	assert(loop_here(api->loop) && !api->stopping);
	api->done = done;
	api->done_arg = arg;
	api_hold(api);
	api->stopping = true;
	api_release(api);
}

uint64_t
api_random(struct api *api)
{
	uint64_t x = api->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	api->random = x;
	return x;
}

static bool
holds(struct http_slice text, const char *part)
{
	return text.size > 0 &&
	    memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* Contract 1.1: nothing is there. */
static void
reply_unknown(const struct ask *ask, const struct http_request *request)
{
	if (request->path.size == 1 && request->method == HTTP_GET_) {
		reply_error(ask, 200,
		    "Conclave: this server has no user interface. The API is "
		    "under /v1/.\n");
	} else if (holds(request->path, "/v1/")) {
		reply_error(ask, 404,
		    "Invalid URL path: not a recognized HTTP API endpoint\n");
	} else {
		reply_error(ask, 404,
		    "Invalid URL path: if attempting to use the HTTP API, "
		    "ensure the path starts with '/v1/'\n");
	}
}

/* Contract 1.2: the path is known, the method is not, or it is OPTIONS. */
static void
reply_methods(const struct ask *ask, const struct http_request *request)
{
	struct reply_head head;
	struct buf allow = buf_new(ALLOW_MAX), text = buf_new(ERRMSG_SIZE);
	int status = request->method == HTTP_OPTIONS_ ? 200 : 405;

	reply_head(&head);
	route_allow(ask->route, &allow);
	buf_u8(&allow, 0);
	if (allow.failed == OK)
		reply_line(&head, "Allow", (const char *)allow.data);
	buf_free(&allow);
	if (status == 405) {
		buf_printf(&text, "method %.*s not allowed",
		    (int)request->method_text.size, request->method_text.data);
	}
	reply_text(ask, status, &head, REPLY_PLAIN, &text);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Contract 1.1: no escape may hide a control character. */
static bool
path_printable(struct http_slice path)
{
	for (size_t i = 0; i < path.size; i++) {
		int high, low, c;

		if (path.data[i] != '%')
			continue;
		if (path.size - i < 3)
			return false;
		high = hex(path.data[i + 1]);
		low = hex(path.data[i + 2]);
		c = high * 16 + low;
		if (high < 0 || low < 0 || c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

void
api_handle(void *arg, struct conn *conn, const struct http_request *request)
{
	struct api *api = arg;
	const struct config *config = api->server.config;
	struct ask ask = {
	    .api = api, .conn = conn, .gzip = request->accepts_gzip};
	const struct route *route;
	struct errmsg why;
	int status;

	ask.route = route_find(request->path, &ask.rest);
	if (!path_printable(request->path)) {
		reply_error(&ask, 400,
		    "Invalid URL path: bad escape or control character");
		return;
	}
	if (ask.route == NULL) {
		reply_unknown(&ask, request);
		return;
	}
	route = route_method(ask.route, request->method);
	if (route == NULL) {
		reply_methods(&ask, request);
		return;
	}
	ask.route = route;
	if (query_parse(request, route->flags, config->datacenter, &ask.query,
		&status, &why) != OK) {
		reply_error(&ask, status, why.text);
		return;
	}
	ask.query.pretty |= config->dev; /* contract 1.5 */
	if (request->method == HTTP_GET_ && request->body.size > 0) {
		log_event(LOG_WARN, "http",
		    "a GET request has a body, which is ignored: path=%s",
		    route->path);
	}
	if ((route->flags & ROUTE_CONNECT) && !config->connect_enabled) {
		reply_error(&ask, 500,
		    "Connect must be enabled in order to use this endpoint");
		return;
	}
	route->handler(&ask, request);
}
