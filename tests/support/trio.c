#include "tests/support/trio.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fsm/command.h"
#include "server/config.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/worker.h"
#include "tests/support/test.h"

#define LEADER_WAIT_MS 10000

struct server {
	struct config config;
	char name[8], *dir, addresses[TRIO_MAX][32];
	struct loop *loop;
	struct worker *worker;
	struct node *node;
	struct loop_task stop_task;
	bool halted;
	bool closed; /* under trio->lock */
	struct trio *trio;
};

struct trio {
	unsigned count;
	int ports[TRIO_MAX];
	char *base;
	struct loop *home; /* where answers come to */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct server servers[TRIO_MAX];
};

/* A port nobody uses now; the listener takes it a moment later. */
static int
free_port(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	(void)close(fd);
	return ntohs(a.sin_port);
}

static char *
join(const char *base, const char *name)
{
	size_t size = strlen(base) + strlen(name) + 2;
	char *path = malloc(size);

	assert_non_null(path);
	(void)snprintf(path, size, "%s/%s", base, name);
	return path;
}

static void
configure(struct trio *trio, unsigned i, unsigned expect)
{
	struct server *s = &trio->servers[i];

	s->trio = trio;
	(void)snprintf(s->name, sizeof(s->name), "n%u", i);
	s->dir = join(trio->base, s->name);
	s->config = (struct config){.node_name = s->name,
	    .data_dir = s->dir,
	    .port_server = trio->ports[i],
	    .bootstrap_expect = expect,
	    .retry_join_count = trio->count > 1 ? trio->count : 0,
	    .election_ms = 500,
	    .heartbeat_ms = 50,
	    .snapshot_threshold = 1024,
	    .snapshot_trailing = 256,
	    .rpc_hold_ms = 7000,
	    .state_quota = UINT64_C(1) << 30,
	    .max_proposals = 4096};
	s->config.datacenter = strdup("dc1");
	s->config.domain = strdup("consul");
	s->config.bind = strdup("127.0.0.1");
	for (unsigned k = 0; k < s->config.retry_join_count; k++) {
		(void)snprintf(s->addresses[k], sizeof(s->addresses[k]),
		    "127.0.0.1:%d", trio->ports[k]);
		s->config.retry_join[k] = s->addresses[k];
	}
}

struct trio *
trio_new(unsigned count)
{
	struct trio *trio = calloc(1, sizeof(*trio));
	struct errmsg why;

	assert_non_null(trio);
	log_configure(LOG_ERROR, false);
	trio->count = count;
	trio->base = test_tmpdir();
	(void)pthread_mutex_init(&trio->lock, NULL);
	(void)pthread_cond_init(&trio->changed, NULL);
	for (unsigned i = 0; i < count; i++)
		trio->ports[i] = free_port();
	for (unsigned i = 0; i < count; i++)
		configure(trio, i, count);
	assert_int_equal(loop_new("home", &trio->home, &why), OK);
	assert_int_equal(loop_start(trio->home, &why), OK);
	return trio;
}

unsigned
trio_add(struct trio *trio)
{
	unsigned i = trio->count++;

	assert_true(i < TRIO_MAX);
	trio->ports[i] = free_port();
	configure(trio, i, 0);
	return i;
}

void
trio_start(struct trio *trio, unsigned i)
{
	struct server *s = &trio->servers[i];
	struct errmsg why = {""};

	assert_null(s->node);
	s->closed = false;
	assert_int_equal(loop_new(s->name, &s->loop, &why), OK);
	assert_int_equal(worker_new(1, 64, &s->worker, &why), OK);
	if (node_open(&s->config, s->loop, s->worker, &s->node, &why) != OK ||
	    node_start(s->node, &why) != OK)
		fail_msg("%s: %s", s->name, why.text);
	assert_int_equal(loop_start(s->loop, &why), OK);
}

static void
signal_change(struct trio *trio, bool *flag)
{
	(void)pthread_mutex_lock(&trio->lock);
	*flag = true;
	(void)pthread_cond_broadcast(&trio->changed);
	(void)pthread_mutex_unlock(&trio->lock);
}

static void
wait_change(struct trio *trio, const bool *flag)
{
	(void)pthread_mutex_lock(&trio->lock);
	while (!*flag)
		(void)pthread_cond_wait(&trio->changed, &trio->lock);
	(void)pthread_mutex_unlock(&trio->lock);
}

static void
node_closed(void *arg)
{
	struct server *s = arg;

	signal_change(s->trio, &s->closed);
}

static void
stop_now(struct loop_task *task)
{
	struct server *s = CONTAINER_OF(task, struct server, stop_task);

	node_stop(s->node, node_closed, s);
}

void
trio_halt(struct trio *trio, unsigned i)
{
	struct server *s = &trio->servers[i];

	s->halted = true;
	s->stop_task.run = stop_now;
	loop_post(s->loop, &s->stop_task);
	wait_change(trio, &s->closed);
}

void
trio_stop(struct trio *trio, unsigned i)
{
	struct server *s = &trio->servers[i];

	if (s->node == NULL)
		return;
	if (!s->halted)
		trio_halt(trio, i);
	s->halted = false;
	loop_stop(s->loop);
	loop_join(s->loop);
	node_free(s->node);
	worker_free(s->worker);
	loop_free(s->loop);
	s->node = NULL;
}

void
trio_free(struct trio *trio)
{
	for (unsigned i = 0; i < trio->count; i++) {
		trio_stop(trio, i);
		free(trio->servers[i].config.datacenter);
		free(trio->servers[i].config.domain);
		free(trio->servers[i].config.bind);
		free(trio->servers[i].dir);
	}
	loop_stop(trio->home);
	loop_join(trio->home);
	loop_free(trio->home);
	test_rmdir(trio->base);
	(void)pthread_mutex_destroy(&trio->lock);
	(void)pthread_cond_destroy(&trio->changed);
	free(trio);
}

struct node *
trio_node(struct trio *trio, unsigned i)
{
	return trio->servers[i].node;
}

struct loop *
trio_home(struct trio *trio)
{
	return trio->home;
}

const char *
trio_dir(struct trio *trio, unsigned i)
{
	return trio->servers[i].dir;
}

void
trio_sleep(unsigned ms)
{
	const struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};

	(void)nanosleep(&pause, NULL);
}

/* A ready leader and what it says; -1: there is none now. */
static int
find_leader(struct trio *trio, struct node_status *status)
{
	for (unsigned i = 0; i < trio->count; i++) {
		if (trio->servers[i].node == NULL)
			continue;
		node_status(trio->servers[i].node, status);
		if (status->role == NODE_LEADER && status->ready)
			return (int)i;
	}
	return -1;
}

static unsigned
wait_leader(struct trio *trio, struct node_status *status)
{
	int found = find_leader(trio, status);

	for (unsigned ms = 0; found < 0 && ms < LEADER_WAIT_MS; ms += 10) {
		trio_sleep(10);
		found = find_leader(trio, status);
	}
	if (found < 0)
		fail_msg("no leader within %d ms", LEADER_WAIT_MS);
	return (unsigned)found;
}

unsigned
trio_leader(struct trio *trio)
{
	struct node_status status;

	return wait_leader(trio, &status);
}

bool
trio_member(struct trio *trio, uint64_t id, struct node_member *out)
{
	struct node_status status;

	(void)wait_leader(trio, &status);
	for (unsigned i = 0; i < status.member_count; i++) {
		if (status.members[i].id != id)
			continue;
		*out = status.members[i];
		return true;
	}
	return false;
}

uint64_t
trio_id(struct trio *trio, unsigned i)
{
	struct node_status status;

	node_status(trio->servers[i].node, &status);
	return status.id;
}

bool
trio_voters(struct trio *trio, unsigned count)
{
	struct node_status status;
	unsigned voters;

	for (unsigned ms = 0; ms < LEADER_WAIT_MS; ms += 20) {
		voters = 0;
		(void)wait_leader(trio, &status);
		for (unsigned i = 0; i < status.member_count; i++)
			voters += status.members[i].voter;
		if (voters == count)
			return true;
		trio_sleep(20);
	}
	return false;
}

struct put {
	struct node_proposal proposal;
	struct trio *trio;
	bool done;
};

static void
put_done(struct node_proposal *proposal)
{
	struct put *put = CONTAINER_OF(proposal, struct put, proposal);

	signal_change(put->trio, &put->done);
}

enum err
trio_put(struct trio *trio, unsigned i, const char *scope, const char *document,
    struct fsm_result *result)
{
	struct command command = {.type = COMMAND_TLSCONF_SET};
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct put put = {.trio = trio};
	struct errmsg why;

	command.tlsconf_set.scope = span_of(scope);
	command.tlsconf_set.document = span_of(document);
	assert_int_equal(command_encode(&command, &bytes, &why), OK);
	assert_int_equal(node_propose(trio->servers[i].node, trio->home, &bytes,
			     &put.proposal, put_done),
	    OK);
	wait_change(trio, &put.done);
	if (put.proposal.status == OK && result != NULL)
		*result = put.proposal.result;
	return put.proposal.status;
}

struct barrier {
	struct node_barrier barrier;
	struct trio *trio;
	bool done;
};

static void
barrier_done(struct node_barrier *barrier)
{
	struct barrier *b = CONTAINER_OF(barrier, struct barrier, barrier);

	signal_change(b->trio, &b->done);
}

enum err
trio_barrier(struct trio *trio, unsigned i)
{
	struct barrier b = {.trio = trio};

	node_read_barrier(
	    trio->servers[i].node, trio->home, &b.barrier, barrier_done);
	wait_change(trio, &b.done);
	return b.barrier.status;
}

bool
trio_has(struct trio *trio, unsigned i, const char *scope, const char *document)
{
	struct txn *txn = NULL;
	struct tlsconf conf;
	struct errmsg why;
	uint64_t index;
	bool has;

	assert_int_equal(
	    txn_read(node_db(trio->servers[i].node), &txn, &why), OK);
	has = tlsconf_get(txn, span_of(scope), &conf, &index, &why) == OK &&
	    span_equal(conf.document, span_of(document));
	txn_abort(txn);
	return has;
}

struct call {
	struct node_call call;
	struct trio *trio;
	bool done;
};

static void
call_done(struct node_call *call)
{
	struct call *c = CONTAINER_OF(call, struct call, call);

	signal_change(c->trio, &c->done);
}

enum err
trio_call(struct trio *trio, unsigned i, enum node_call_kind kind,
    const void *request, size_t size, struct errmsg *why)
{
	struct buf bytes = buf_new(1024);
	struct call c = {.trio = trio};

	buf_raw(&bytes, request, size);
	node_call(trio->servers[i].node, trio->home, kind, &bytes, 10000,
	    &c.call, call_done);
	wait_change(trio, &c.done);
	buf_free(&c.call.reply);
	*why = c.call.why;
	return c.call.status;
}
