/*
 * api_bench - the API over a real state and a make-believe node and client.
 *
 * Include it in exactly one file of a test program: it defines the functions
 * of server/cluster/node, server/net/conn and server/ca/manager that the API
 * calls, so that the real ones are not linked. Commands are applied by the
 * real fsm at once and published; barriers and calls wait for the test's word.
 */
#ifndef TESTS_SUPPORT_API_BENCH_H
#define TESTS_SUPPORT_API_BENCH_H

#include <stdio.h>
#include <uv.h>

#include "fsm/command.h"
#include "fsm/entry.h"
#include "fsm/fsm.h"
#include "server/api/api.h"
#include "server/api/cache.h"
#include "server/api/context.h"
#include "server/api/crowd.h"
#include "server/ca/manager.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/net/body.h"
#include "storage/db.h"
#include "tests/support/test.h"

#define BARRIERS_MAX 64

/* -- the client ------------------------------------------------------------ */

struct conn {
	bool loopback, replied;
	uint8_t ip[16];
	int status;
	char type[64];
	char headers[1024];
	struct body *body;
	void (*gone)(struct conn *, void *arg);
	void *gone_arg;
};

void
conn_reply(struct conn *conn, int status, const char *content_type,
    const char *headers, size_t headers_size, struct body *body)
{
	assert_false(conn->replied); /* exactly once */
	assert_true(headers_size < sizeof(conn->headers));
	conn->replied = true;
	conn->status = status;
	conn->gone = NULL;
	snprintf(conn->type, sizeof(conn->type), "%s",
	    content_type == NULL ? "" : content_type);
	memcpy(conn->headers, headers, headers_size);
	conn->headers[headers_size] = '\0';
	conn->body = body;
}

void
conn_on_gone(
    struct conn *conn, void (*gone)(struct conn *, void *arg), void *arg)
{
	conn->gone = gone;
	conn->gone_arg = arg;
}

void
conn_peer_ip(const struct conn *conn, uint8_t ip[static 16])
{
	memcpy(ip, conn->ip, 16);
}

bool
conn_is_loopback(const struct conn *conn)
{
	return conn->loopback;
}

/* The client goes away. */
static inline void
conn_vanish(struct conn *conn)
{
	void (*gone)(struct conn *, void *arg) = conn->gone;

	assert_false(conn->replied);
	conn->gone = NULL;
	conn->replied = true; /* a reply from now on is a fault */
	if (gone != NULL)
		gone(conn, conn->gone_arg);
}

static inline void
conn_clear(struct conn *conn)
{
	body_unref(conn->body);
	*conn = (struct conn){.loopback = true};
}

static inline const char *
conn_text(const struct conn *conn)
{
	static char text[65536];
	size_t size = conn->body == NULL ? 0 : conn->body->size;

	assert_true(size < sizeof(text));
	if (size > 0)
		memcpy(text, conn->body->data, size);
	text[size] = '\0';
	return text;
}

/* -- the node -------------------------------------------------------------- */

struct node {
	struct db *db;
	struct watch *watch;
	unsigned transactions; /* node_db calls */
	uint64_t index;        /* raft's */
	uint8_t chain[DB_HASH_SIZE];
	bool leader_known;
	uint64_t contact_ms;
	struct node_status status;
	struct node_status leader_view; /* what NODE_CALL_SERVERS tells */

	/* barriers asked for; answered at once if auto_barrier */
	bool auto_barrier;
	enum err barrier_status;
	unsigned barriers, waiting;
	struct node_barrier *queue[BARRIERS_MAX];

	/* what the next proposal comes to */
	enum err propose_refuses, propose_status;
	bool behind, hold_publish;
	struct topics held;
	uint64_t held_revision;

	/* what the next call comes to */
	enum err call_status;
	const char *call_why;
	unsigned calls;
	enum node_call_kind call_kind;
	struct buf call_request, call_reply;
	struct node_call *pending_call; /* if hold_call */
	bool hold_call;
};

struct db *
node_db(struct node *node)
{
	node->transactions++;
	return node->db;
}

bool
node_leader_known(struct node *node)
{
	return node->leader_known;
}

uint64_t
node_last_contact_ms(struct node *node)
{
	return node->contact_ms;
}

void
node_status(struct node *node, struct node_status *out)
{
	*out = node->status;
}

static void
run_barrier(struct loop_task *task)
{
	struct node_barrier *barrier =
	    CONTAINER_OF(task, struct node_barrier, task);

	barrier->cb(barrier);
}

static inline void
node_answer_barriers(struct node *node)
{
	for (unsigned i = 0; i < node->waiting; i++) {
		struct node_barrier *barrier = node->queue[i];

		barrier->status = node->barrier_status;
		barrier->task.run = run_barrier;
		loop_post(barrier->home, &barrier->task);
	}
	node->waiting = 0;
}

void
node_read_barrier(struct node *node, struct loop *home,
    struct node_barrier *barrier, node_barrier_cb cb)
{
	barrier->home = home;
	barrier->cb = cb;
	node->barriers++;
	assert_true(node->waiting < BARRIERS_MAX);
	node->queue[node->waiting++] = barrier;
	if (node->auto_barrier)
		node_answer_barriers(node);
}

/* Apply one encoded command as the only one of an entry, and publish. */
static inline void
node_apply(struct node *node, const uint8_t *command, size_t size,
    struct fsm_result *result)
{
	static const struct request_id id = {0};
	static struct fsm_outcome outcome;
	struct buf entry = buf_new(ENTRY_SIZE_MAX);
	uint8_t hash[DB_HASH_SIZE];
	struct topics topics = {0};
	struct errmsg why;
	struct txn *txn;
	uint64_t revision;

	entry_begin(&entry, ++node->index, 1, node->chain);
	entry_add(&entry, &id, command, size);
	assert_int_equal(entry_end(&entry, 1, hash, &why), OK);
	memcpy(node->chain, hash, sizeof(hash));
	assert_int_equal(txn_write(node->db, &txn, &why), OK);
	assert_int_equal(fsm_apply(txn, node->index, entry.data, entry.size,
			     &outcome, &topics),
	    OK);
	assert_false(outcome.refused);
	revision = txn_meta(txn)->revision;
	assert_int_equal(txn_commit(txn, &why), OK);
	buf_free(&entry);
	*result = outcome.results[0];
	if (node->hold_publish) {
		topics_merge(&node->held, &topics);
		node->held_revision = revision;
	} else {
		watch_publish(node->watch, &topics, revision);
	}
}

static inline void
node_publish_held(struct node *node)
{
	watch_publish(node->watch, &node->held, node->held_revision);
	node->held = (struct topics){0};
}

static void
run_proposal(struct loop_task *task)
{
	struct node_proposal *proposal =
	    CONTAINER_OF(task, struct node_proposal, task);

	proposal->cb(proposal);
}

enum err
node_propose(struct node *node, struct loop *home, struct buf *command,
    struct node_proposal *proposal, node_propose_cb cb)
{
	if (node->propose_refuses != OK)
		return node->propose_refuses;
	proposal->cb = cb;
	proposal->status = node->propose_status;
	proposal->behind = node->behind;
	if (proposal->status == OK) {
		node_apply(
		    node, command->data, command->size, &proposal->result);
	}
	buf_wipe(command);
	proposal->task.run = run_proposal;
	loop_post(home, &proposal->task);
	return OK;
}

static void
run_call(struct loop_task *task)
{
	struct node_call *call = CONTAINER_OF(task, struct node_call, task);

	call->cb(call);
}

static inline void
node_answer_call(struct node *node)
{
	struct node_call *call = node->pending_call;

	assert_non_null(call);
	node->pending_call = NULL;
	call->status = node->call_status;
	snprintf(call->why.text, sizeof(call->why.text), "%s",
	    node->call_why == NULL ? "" : node->call_why);
	call->reply = buf_new(NODE_CALL_MAX);
	buf_raw(&call->reply, node->call_reply.data, node->call_reply.size);
	call->task.run = run_call;
	loop_post(call->home, &call->task);
}

void
node_call(struct node *node, struct loop *home, enum node_call_kind kind,
    struct buf *request, uint64_t timeout_ms, struct node_call *call,
    node_call_cb cb)
{
	(void)timeout_ms;
	node->calls++;
	node->call_kind = kind;
	buf_free(&node->call_request);
	node->call_request = *request;
	*request = buf_new(0);
	call->home = home;
	call->cb = cb;
	node->pending_call = call;
	if (!node->hold_call)
		node_answer_call(node);
}

/* The bench has one node: what its leader tells is a plain copy. */
struct node *bench_node;

bool
node_servers_decode(struct reader *in, struct node_status *out)
{
	if (in->size != 0)
		return false;
	*out = bench_node->leader_view;
	return true;
}

/* -- the CA manager -------------------------------------------------------- */

struct manager {
	char provider[64], config[1024], state[256];
	bool force;
	uint64_t cas;
};

struct manager *bench_manager;

void
manager_state(struct manager *manager, char *state, size_t state_size,
    struct errmsg *fault)
{
	(void)manager;
	snprintf(state, state_size, "INITIALIZED");
	snprintf(fault->text, sizeof(fault->text), "last fault");
}

void
manager_put_encode(const struct manager_put *put, struct buf *out)
{
	struct manager *m = bench_manager;

	snprintf(m->provider, sizeof(m->provider), "%s", put->provider);
	snprintf(m->config, sizeof(m->config), "%.*s", (int)put->config_size,
	    put->config);
	snprintf(m->state, sizeof(m->state), "%s", put->state);
	m->force = put->force;
	m->cas = put->cas;
	buf_puts(out, "put");
}

bool
manager_reply_decode(
    const struct buf *reply, unsigned *http_status, uint64_t *revision)
{
	struct reader in = {reply->data, reply->size};
	uint16_t status;

	if (!read_u16(&in, &status) || !read_u64(&in, revision))
		return false;
	*http_status = status;
	return true;
}

void
config_json(const struct config *config, struct buf *out)
{
	(void)config;
	buf_puts(out, "{\"Masked\":true}");
}

/* -- all together ---------------------------------------------------------- */

struct bench {
	char *dir;
	struct loop *loop;
	struct watch *watch;
	struct api *api;
	struct config config;
	struct node node;
	struct manager manager;
	struct crowd *crowd;
	bool watch_done, api_done;
	enum err reload_result;
	unsigned reloads, leaves;
	struct conn conn; /* for those who need but one */
};

static enum err
bench_reload(void *arg, struct errmsg *why)
{
	struct bench *b = arg;

	b->reloads++;
	return err_set(why, b->reload_result, "reload words");
}

static void
bench_leave(void *arg)
{
	struct bench *b = arg;

	b->leaves++;
}

static void
bench_config(struct config *config)
{
	static char dc[] = "dc1", name[] = "n1";

	config->datacenter = dc;
	config->node_name = name;
	config->connect_enabled = true;
	config->bootstrap_expect = 3;
	config->max_parked = 5;
	config->max_parked_per_address = 2;
	config->max_proposals = 4096;
}

static void
bench_member(struct node_member *m, unsigned n)
{
	*m = (struct node_member){.id = n,
	    .voter = true,
	    .leader = n == 1,
	    .self = n == 1,
	    .connected = n != 3,
	    .healthy = n != 3};
	snprintf(m->node_id, sizeof(m->node_id),
	    "00000000-0000-0000-0000-00000000000%u", n);
	snprintf(m->name, sizeof(m->name), "n%u", n);
	snprintf(m->address, sizeof(m->address), "10.0.0.%u:8300", n);
	snprintf(m->version, sizeof(m->version), "0.1.0");
}

static inline void
bench_open(struct bench *b)
{
	struct api_server server = {
	    .reload = bench_reload, .leave = bench_leave};
	struct node_status *status = &b->node.status;
	struct errmsg why;
	bool rebuilt;

	*b = (struct bench){.conn.loopback = true};
	bench_config(&b->config);
	b->dir = test_tmpdir();
	assert_int_equal(
	    db_open(b->dir, UINT64_C(64) << 20, &rebuilt, &b->node.db, &why),
	    OK);
	assert_int_equal(loop_new("api", &b->loop, &why), OK);
	assert_int_equal(
	    watch_new(b->loop, b->config.max_parked, &b->watch, &why), OK);
	assert_int_equal(
	    crowd_new(b->config.max_parked_per_address, &b->crowd, &why), OK);
	b->node.watch = b->watch;
	b->node.leader_known = true;
	b->node.auto_barrier = true;
	b->node.call_request = b->node.call_reply = buf_new(NODE_CALL_MAX);
	status->member_count = 3;
	for (unsigned i = 0; i < 3; i++)
		bench_member(&status->members[i], i + 1);
	status->id = 1;
	status->leader_known = status->bootstrapped = true;
	status->role = NODE_LEADER;
	snprintf(status->leader_address, sizeof(status->leader_address),
	    "10.0.0.1:8300");
	status->configuration_index = 12;
	b->node.leader_view = *status;
	for (unsigned i = 0; i < 3; i++)
		b->node.leader_view.members[i].last_index = 40 + i;
	bench_node = &b->node;
	bench_manager = &b->manager;
	server.config = &b->config;
	server.node = &b->node;
	server.manager = &b->manager;
	server.crowd = b->crowd;
	server.arg = b;
	assert_int_equal(
	    api_new(&server, b->loop, b->watch, &b->api, &why), OK);
}

/* Turn the loop until nothing has happened for a while. */
static inline void
bench_spin(struct bench *b)
{
	for (int i = 0; i < 12; i++)
		uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
}

/* Turn it for ms. */
static inline void
bench_wait(struct bench *b, uint64_t ms)
{
	uint64_t end = time_mono_ms() + ms;

	while (time_mono_ms() < end) {
		uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
		uv_sleep(1);
	}
}

static void
bench_watch_done(void *arg)
{
	((struct bench *)arg)->watch_done = true;
}

static void
bench_api_done(void *arg)
{
	((struct bench *)arg)->api_done = true;
}

static inline void
bench_close(struct bench *b)
{
	conn_clear(&b->conn);
	if (!b->watch_done)
		watch_stop(b->watch, bench_watch_done, b);
	bench_spin(b);
	api_stop(b->api, bench_api_done, b);
	assert_false(b->api_done); /* never from inside */
	bench_spin(b);
	assert_true(b->watch_done && b->api_done);
	loop_stop(b->loop);
	loop_run(b->loop);
	api_free(b->api);
	watch_free(b->watch);
	loop_free(b->loop);
	crowd_free(b->crowd);
	buf_free(&b->node.call_request);
	buf_free(&b->node.call_reply);
	db_close(b->node.db);
	test_rmdir(b->dir);
}

static enum http_method
bench_method(const char *text)
{
	static const char *const names[] = {
	    "GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"};

	for (int i = 0; i < 6; i++) {
		if (strcmp(names[i], text) == 0)
			return (enum http_method)i;
	}
	return HTTP_OTHER_;
}

static struct http_slice
bench_slice(const char *text)
{
	return (struct http_slice){text, strlen(text)};
}

/* header: "Name: value" or NULL. */
static inline void
bench_send(struct bench *b, struct conn *conn, const char *method,
    const char *target, const char *header, const char *body)
{
	struct http_request request = {.keep_alive = true};
	const char *mark = strchr(target, '?'), *colon;

	request.method = bench_method(method);
	request.method_text = bench_slice(method);
	request.path = bench_slice(target);
	if (mark != NULL) {
		request.path.size = (size_t)(mark - target);
		request.query = bench_slice(mark + 1);
	}
	request.body = bench_slice(body == NULL ? "" : body);
	if (header != NULL) {
		colon = strchr(header, ':');
		assert_non_null(colon);
		request.header_count = 1;
		request.headers[0].name =
		    (struct http_slice){header, (size_t)(colon - header)};
		request.headers[0].value = bench_slice(colon + 2);
		request.accepts_gzip =
		    strcmp(header, "Accept-Encoding: gzip") == 0;
	}
	api_handle(b->api, conn, &request);
}

/* On the bench's own conn, to the end. */
static inline void
bench_ask(struct bench *b, const char *method, const char *target,
    const char *header, const char *body)
{
	conn_clear(&b->conn);
	bench_send(b, &b->conn, method, target, header, body);
	bench_spin(b);
	assert_true(b->conn.replied);
}

static inline void
bench_expect(struct bench *b, int status, const char *text)
{
	if (b->conn.status != status || strcmp(conn_text(&b->conn), text) != 0)
		fail_msg("%d %s, want %d %s", b->conn.status,
		    conn_text(&b->conn), status, text);
}

/* A header line of the last answer, whole: "Name: value". */
static inline bool
conn_has(const struct conn *conn, const char *line)
{
	char want[256];

	snprintf(want, sizeof(want), "%s\r\n", line);
	return strstr(conn->headers, want) != NULL;
}

/* Change the state past the API, as another server's client would. */
static inline void
bench_set(struct bench *b, const char *scope, const char *document)
{
	struct command command = {.type = COMMAND_TLSCONF_SET,
	    .tlsconf_set = {
		.scope = span_of(scope), .document = span_of(document)}};
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct fsm_result result;
	struct errmsg why;

	assert_int_equal(command_encode(&command, &bytes, &why), OK);
	node_apply(&b->node, bytes.data, bytes.size, &result);
	assert_int_equal(result.code, OK);
	buf_free(&bytes);
}

#endif
