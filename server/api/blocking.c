#include "server/api/blocking.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/context.h"
#include "server/api/crowd.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/metrics.h"

#define JITTER_PARTS 16 /* contract 1.7.3 */

/* One read that is not answered yet: at the gate or parked. */
struct read {
	struct watch_wait wait;
	struct gate_wait gate;
	struct api *api;
	struct conn *conn;
	const struct view_kind *kind;
	struct crowd_seat *seat;
	uint64_t index;       /* answer only with something newer; 0 = any */
	uint64_t deadline_ms; /* monotonic; unused if index is 0 */
	uint8_t mode;         /* enum read_mode */
	bool pretty, gzip;
	bool final;   /* answer with what is there */
	bool counted; /* in the gauge, and in the crowd if it has a seat */
	uint8_t object_size;
	char object[];
};

static_assert(sizeof(struct read) + BLOCKING_OBJECT_MAX <= 300,
    "a hundred thousand of these are parked");

static struct ask
ask_of(const struct read *read)
{
	return (struct ask){.api = read->api,
	    .conn = read->conn,
	    .gzip = read->gzip,
	    .query.pretty = read->pretty};
}

static struct span
object_of(const struct read *read)
{
	return (struct span){read->object, read->object_size};
}

/* Everyone's parked reads are limited but our own machine's. */
static enum err
count_in(struct read *read)
{
	struct crowd *crowd = read->api->server.crowd;
	uint8_t ip[CROWD_ADDRESS];
	enum err rc = OK;

	if (read->counted)
		return OK;
	if (crowd != NULL && !conn_is_loopback(read->conn)) {
		conn_peer_ip(read->conn, ip);
		rc = crowd_enter(crowd, ip, &read->seat);
	}
	if (rc != OK)
		return rc;
	metrics_add(METRIC_RPC_BLOCKING, 1);
	read->counted = true;
	return OK;
}

static void
count_out(struct read *read)
{
	if (!read->counted)
		return;
	metrics_add(METRIC_RPC_BLOCKING, -1);
	if (read->seat != NULL)
		crowd_leave(read->api->server.crowd, read->seat);
}

/* Before the answer: the conn may be gone after that. */
static void
read_free(struct read *read)
{
	watch_cancel(read->api->watch, &read->wait);
	gate_leave(&read->gate);
	count_out(read);
	free(read);
}

static void
on_gone(struct conn *conn, void *arg)
{
	(void)conn;
	read_free(arg);
}

/* The reference in view goes with it. */
static void
answer(const struct ask *ask, const struct view_kind *kind,
    const struct view *view)
{
	struct reply_head head;
	char tag[24];

	reply_head(&head);
	if (!(kind->flags & VIEW_BARE))
		reply_meta(&head, ask->api, view->index);
	if (view->version != 0) {
		snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", view->version);
		reply_line(&head, "ETag", tag);
	}
	if (kind->flags & VIEW_AGE) {
		reply_line(&head, "X-Cache", view->hit ? "HIT" : "MISS");
		if (view->hit) {
			reply_number(&head, "Age",
			    node_last_contact_ms(ask->api->server.node) / 1000);
		}
	}
	reply_body(
	    ask, view->status, &head, view->type, view->body, view->zipped);
}

static void
answer_read(struct read *read, const struct view *view)
{
	const struct view_kind *kind = read->kind;
	struct ask ask = ask_of(read);

	read_free(read);
	answer(&ask, kind, view);
}

static void
fault(struct read *read, enum err code, const struct errmsg *why)
{
	struct ask ask = ask_of(read);

	read_free(read);
	reply_fault(&ask, code, why);
}

/* Its barrier failed. */
static void
refuse(struct read *read, enum err code)
{
	struct ask ask = ask_of(read);
	bool consistent = read->mode == READ_CONSISTENT;

	read_free(read);
	if (code == ERR_TIMEOUT && consistent)
		reply_error(&ask, 500, "Not ready to serve consistent reads");
	else if (code == ERR_TIMEOUT)
		reply_error(&ask, 500, "No cluster leader");
	else
		reply_failure(&ask, code, NULL);
}

static void
refuse_limit(struct read *read, const char *name, unsigned limit)
{
	struct ask ask = ask_of(read);
	struct errmsg text;

	read_free(read);
	(void)err_set(
	    &text, ERR_LIMIT, "too many parked reads (%s is %u)", name, limit);
	reply_retry(&ask, 429, text.text);
}

static void look(struct read *read);

static void
on_wake(struct watch_wait *wait, enum watch_reason reason)
{
	struct read *read = CONTAINER_OF(wait, struct read, wait);

	if (reason != WATCH_CHANGED)
		read->final = true;
	/* Stopping: nobody may be left to give a barrier. */
	if (read->mode == READ_STALE || reason == WATCH_STOPPING)
		look(read);
	else
		gate_enter(read->api->gate, &read->gate);
}

/* Nothing newer is there: wait for it, or answer why not. Ends view. */
static void
park(struct read *read, struct view *view)
{
	const struct config *config = read->api->server.config;
	enum err rc = count_in(read);

	if (rc != OK) {
		view_done(view);
		if (rc == ERR_LIMIT) {
			refuse_limit(read, "limits.max_parked_per_address",
			    config->max_parked_per_address);
		} else {
			fault(read, rc, NULL);
		}
		return;
	}
	rc = watch_park(read->api->watch, &read->wait,
	    read->kind->topic(object_of(read)), read->deadline_ms, on_wake);
	if (rc == ERR_CLOSED) { /* stopping: answer with what there is */
		answer_read(read, view);
		return;
	}
	view_done(view);
	if (rc != OK)
		refuse_limit(read, "limits.max_parked", config->max_parked);
}

/* One pass: read, then answer or park, in one callback. */
static void
look(struct read *read)
{
	struct errmsg why;
	struct view view;
	enum err rc;

	metrics_add(METRIC_RPC_QUERY, 1);
	rc = view_get(read->api, read->kind, object_of(read), read->pretty,
	    read->gzip, &view, &why);
	if (rc != OK)
		fault(read, rc, &why);
	else if (read->index < view.index || read->final)
		answer_read(read, &view);
	else
		park(read, &view);
}

void
blocking_passed(struct gate_wait *wait)
{
	struct read *read = CONTAINER_OF(wait, struct read, gate);

	/* Contract 2.4: the agent's roots are there when nobody else is. */
	if (wait->status == OK || (read->kind->flags & VIEW_AGE))
		look(read);
	else
		refuse(read, wait->status);
}

static uint64_t
deadline_of(const struct ask *ask)
{
	uint64_t wait_ms = ask->query.wait_ms, spread = wait_ms / JITTER_PARTS;

	if (spread > 0)
		wait_ms += api_random(ask->api) % spread;
	return time_mono_ms() + wait_ms;
}

/* A read that cannot be answered at once. NULL: out of memory, answered. */
static struct read *
read_new(const struct ask *ask, const struct view_kind *kind,
    struct span object, uint64_t index)
{
	struct read *read = calloc(1, sizeof(*read) + object.size);

	if (read == NULL) {
		reply_fault(ask, ERR_NOMEM, NULL);
		return NULL;
	}
	read->api = ask->api;
	read->conn = ask->conn;
	read->kind = kind;
	read->index = index;
	if (index > 0)
		read->deadline_ms = deadline_of(ask);
	read->mode = (uint8_t)ask->query.mode;
	read->pretty = ask->query.pretty;
	read->gzip = ask->gzip;
	read->object_size = (uint8_t)object.size;
	if (object.size > 0)
		memcpy(read->object, object.data, object.size);
	conn_on_gone(ask->conn, on_gone, read);
	return read;
}

void
blocking_read(
    const struct ask *ask, const struct view_kind *kind, struct span object)
{
	bool blocks = (ask->route->flags & ROUTE_BLOCKS) != 0;
	uint64_t index = blocks ? ask->query.index : 0;
	struct errmsg why;
	struct view view;
	struct read *read;
	enum err rc;

	assert(object.size <= BLOCKING_OBJECT_MAX);
	/* Only what the table calls public is shared (hazard 19). */
	assert(!(ask->route->flags & ROUTE_PUBLIC) ==
	    ((kind->flags & VIEW_SECRET) != 0));
	if (ask->query.mode != READ_STALE) {
		read = read_new(ask, kind, object, index);
		if (read != NULL)
			gate_enter(ask->api->gate, &read->gate);
		return;
	}
	/* The hot path: nothing is allocated unless it has to wait. */
	metrics_add(METRIC_RPC_QUERY, 1);
	rc = view_get(
	    ask->api, kind, object, ask->query.pretty, ask->gzip, &view, &why);
	if (rc != OK) {
		reply_fault(ask, rc, &why);
		return;
	}
	if (index < view.index) {
		answer(ask, kind, &view);
		return;
	}
	read = read_new(ask, kind, object, index);
	if (read != NULL)
		park(read, &view);
	else
		view_done(&view);
}
