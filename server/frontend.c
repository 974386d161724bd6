#include "server/frontend.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/api/crowd.h"
#include "server/cluster/node.h"
#include "server/cluster/watch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/net/address.h"
#include "server/net/conn.h"
#include "server/net/tls.h"
#include "server/process.h"

#define LOOPS_MAX      64
#define FILES_RESERVED 256 /* descriptors kept for everything else */

/* One client loop. */
struct front {
	struct frontend *frontend;
	struct loop *loop;
	struct watch *watch;
	struct api *api;
	struct conn_server *server;
	struct loop_task stop_task;
	bool started;
};

struct frontend {
	const struct config *config;
	struct api_server server;
	struct conn_limits limits;
	struct crowd *crowd;
	atomic_uint parked; /* on all loops */
	unsigned count;
	struct front fronts[LOOPS_MAX];
	/* stopping */
	atomic_uint running;
	struct loop *home;
	struct loop_task done_task;
	void (*done)(void *arg);
	void *done_arg;
};

/* Two descriptors a connection is the worst case; lowered, with a warning, to
 * what the limit on open files allows. */
static unsigned
connection_limit(const struct config *config)
{
	unsigned files = process_file_limit();
	unsigned fit =
	    files > FILES_RESERVED * 2 ? files - FILES_RESERVED : files / 2;

	if (fit >= config->max_connections)
		return config->max_connections;
	log_event(LOG_WARN, "http",
	    "limits.max_connections lowered by the limit on open files: "
	    "configured=%u allowed=%u",
	    config->max_connections, fit);
	return fit;
}

static enum err
bind_one(struct frontend *f, const struct address *address,
    struct tls_context *tls, struct errmsg *why)
{
	/* A unix socket has one queue, so one loop serves it. */
	unsigned count = address->is_unix ? 1 : f->count;
	enum err rc = OK;
	int fds[LOOPS_MAX];

	for (unsigned i = 0; rc == OK && i < count; i++) {
		rc = conn_bind(address, count > 1, &fds[i], why);
		if (rc == OK)
			rc = conn_server_listen(
			    f->fronts[i].server, fds[i], tls, why);
	}
	return rc;
}

static enum err
bind_all(struct frontend *f, struct tls_context *tls, struct errmsg *why)
{
	const struct config *config = f->config;
	struct address address;
	enum err rc = OK;

	for (unsigned i = 0; rc == OK && i < config->client_count; i++) {
		rc = address_parse(config->client[i],
		    (uint16_t)config->port_http, &address, why);
		if (rc == OK && (address.is_unix || config->port_http > 0))
			rc = bind_one(f, &address, NULL, why);
		if (rc == OK && !address.is_unix && config->port_https > 0) {
			address.port = (uint16_t)config->port_https;
			rc = bind_one(f, &address, tls, why);
		}
	}
	return rc;
}

static enum err
front_open(struct frontend *f, struct front *front, unsigned number,
    struct errmsg *why)
{
	char name[16];
	enum err rc;

	front->frontend = f;
	(void)snprintf(name, sizeof(name), "client-%u", number % 1000);
	rc = loop_new(name, &front->loop, why);
	if (rc == OK)
		rc = watch_new(
		    front->loop, f->config->max_parked, &front->watch, why);
	if (rc == OK) {
		watch_share(front->watch, &f->parked);
		rc = node_add_watch(f->server.node, front->watch);
	}
	if (rc == OK)
		rc = api_new(
		    &f->server, front->loop, front->watch, &front->api, why);
	if (rc == OK)
		rc = conn_server_new(front->loop, &f->limits, api_handle,
		    front->api, &front->server, why);
	return rc;
}

enum err
frontend_new(const struct config *config, const struct api_server *server,
    struct tls_context *tls, struct frontend **out, struct errmsg *why)
{
	struct frontend *f = calloc(1, sizeof(*f));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	enum err rc = OK;

	if (f == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	f->config = config;
	f->server = *server;
	f->limits =
	    (struct conn_limits){.max_connections = connection_limit(config),
		.body_max = config->body_max,
		.header_names = (const char *const *)config->header_names,
		.header_values = (const char *const *)config->header_values,
		.header_count = config->header_count};
	f->count = config->client_loops != 0 ? config->client_loops
	    : cores > 0                      ? (unsigned)cores
					     : 1;
	if (f->count > LOOPS_MAX)
		f->count = LOOPS_MAX;
	if (config->max_parked_per_address > 0)
		rc = crowd_new(config->max_parked_per_address, &f->crowd, why);
	f->server.crowd = f->crowd;
	for (unsigned i = 0; rc == OK && i < f->count; i++)
		rc = front_open(f, &f->fronts[i], i, why);
	if (rc == OK)
		rc = bind_all(f, tls, why);
	if (rc == OK)
		*out = f;
	return rc; /* on error the process ends: nothing runs yet */
}

enum err
frontend_start(struct frontend *f, struct errmsg *why)
{
	enum err rc = OK;

	for (unsigned i = 0; rc == OK && i < f->count; i++) {
		rc = loop_start(f->fronts[i].loop, why);
		f->fronts[i].started = rc == OK;
	}
	return rc;
}

/* ---- reload ------------------------------------------------------------- */

struct tls_change {
	struct loop_task task;
	struct conn_server *server;
	struct tls_context *context;
};

static void
change_tls(struct loop_task *task)
{
	struct tls_change *change = CONTAINER_OF(task, struct tls_change, task);

	conn_server_set_tls(change->server, change->context);
	tls_context_unref(change->context);
	free(change);
}

void
frontend_set_tls(struct frontend *f, struct tls_context *tls)
{
	struct tls_change *change;

	for (unsigned i = 0; i < f->count; i++) {
		change = calloc(1, sizeof(*change));
		if (change == NULL) {
			log_event(LOG_ERROR, "http",
			    "a client loop keeps its old certificate: "
			    "reason=out of memory");
			continue;
		}
		*change = (struct tls_change){.task.run = change_tls,
		    .server = f->fronts[i].server,
		    .context = tls_context_ref(tls)};
		loop_post(f->fronts[i].loop, &change->task);
	}
}

/* ---- stop ------------------------------------------------------------------
 */

static void
report_done(struct loop_task *task)
{
	struct frontend *f = CONTAINER_OF(task, struct frontend, done_task);

	f->done(f->done_arg);
}

static void
api_stopped(void *arg)
{
	struct front *front = arg;
	struct frontend *f = front->frontend;

	if (atomic_fetch_sub(&f->running, 1) == 1) {
		f->done_task.run = report_done;
		loop_post(f->home, &f->done_task);
	}
}

static void
connections_gone(void *arg)
{
	struct front *front = arg;

	api_stop(front->api, api_stopped, front);
}

static void
parked_answered(void *arg)
{
	struct front *front = arg;

	conn_server_stop(front->server, connections_gone, front);
}

static void
stop_front(struct loop_task *task)
{
	struct front *front = CONTAINER_OF(task, struct front, stop_task);

	watch_stop(front->watch, parked_answered, front);
}

void
frontend_stop(
    struct frontend *f, struct loop *home, void (*done)(void *arg), void *arg)
{
	f->home = home;
	f->done = done;
	f->done_arg = arg;
	atomic_store(&f->running, f->count);
	for (unsigned i = 0; i < f->count; i++) {
		f->fronts[i].stop_task.run = stop_front;
		loop_post(f->fronts[i].loop, &f->fronts[i].stop_task);
	}
}

void
frontend_free(struct frontend *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < f->count; i++) {
		if (f->fronts[i].started) {
			loop_stop(f->fronts[i].loop);
			loop_join(f->fronts[i].loop);
		}
		conn_server_free(f->fronts[i].server);
		api_free(f->fronts[i].api);
		watch_free(f->fronts[i].watch);
		loop_free(f->fronts[i].loop);
	}
	crowd_free(f->crowd);
	free(f);
}
