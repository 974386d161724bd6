/*
 * fake_node - a server that leads alone, for tests of what stands on node.h:
 * real state machine, real LMDB, a loop and workers; no raft, no network, a
 * clock and faults that the test sets. Included by one test program each; it
 * defines node_*, so the real node is not linked.
 */
#ifndef TESTS_UNIT_FAKE_NODE_H
#define TESTS_UNIT_FAKE_NODE_H

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "fsm/command.h"
#include "fsm/fsm.h"
#include "server/ca/manager.h"
#include "server/config.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/worker.h"
#include "storage/db.h"
#include "storage/txn.h"
#include "tests/support/test.h"

#define FAKE_NOW      INT64_C(1790000000)
#define FAKE_MAP_SIZE (UINT64_C(64) << 20)

/* What node_answer was told. */
struct node_incoming {
	struct loop_task task;
	struct node *node;
	struct buf request;
	enum err status;
	struct errmsg why;
	unsigned http; /* 0 = no reply */
	uint64_t revision;
	sem_t answered;
};

struct node {
	char *dir;
	struct db *db;
	struct loop *loop;
	struct worker *worker;
	struct manager *manager;
	struct config config;
	node_serve_cb serve;
	void *serve_arg;
	node_role_cb role;
	void *role_arg;
	/* set by the test, read on the loop */
	atomic_llong now;
	atomic_bool sure;
	atomic_int fail_at;       /* the n-th proposal from now on fails ... */
	atomic_int fail_with;     /* ... with this enum err */
	atomic_bool fail_applied; /* ... but was applied */
	atomic_bool hold;         /* proposals wait for fake_release */
	_Atomic(struct node_proposal *) held;
	atomic_int proposals; /* seen */
};

/* The one of this test. */
static struct node *fake_one;

/* -- node.h --------------------------------------------------------------- */

struct db *
node_db(struct node *node)
{
	return node->db;
}

void
node_serve(
    struct node *node, enum node_call_kind kind, node_serve_cb cb, void *arg)
{
	assert_int_equal(kind, NODE_CALL_CA_CONFIGURE);
	node->serve = cb;
	node->serve_arg = arg;
}

void
node_on_role(struct node *node, node_role_cb cb, void *arg)
{
	node->role = cb;
	node->role_arg = arg;
}

int64_t
node_cluster_time(struct node *node, bool *sure)
{
	*sure = atomic_load(&node->sure);
	return atomic_load(&node->now);
}

void
node_answer(struct node_incoming *incoming, enum err status,
    const struct errmsg *why, const struct buf *reply)
{
	incoming->status = status;
	if (why != NULL)
		incoming->why = *why;
	if (reply != NULL)
		assert_true(manager_reply_decode(
		    reply, &incoming->http, &incoming->revision));
	sem_post(&incoming->answered);
}

/* One entry with one command, as raft would hand it to the state machine. */
static void
fake_apply(struct node *node, struct node_proposal *proposal)
{
	static struct fsm_outcome outcome; /* large; loop thread only */
	struct buf entry = buf_new(ENTRY_SIZE_MAX);
	const struct request_id nobody = {0};
	uint8_t hash[DB_HASH_SIZE];
	struct topics topics = {0};
	struct txn *txn = NULL;
	struct errmsg why;
	uint64_t index;

	assert_int_equal(txn_write(node->db, &txn, &why), OK);
	index = txn_meta(txn)->index + 1;
	entry_begin(&entry, index, 1, txn_meta(txn)->chain);
	entry_add(
	    &entry, &nobody, proposal->command.data, proposal->command.size);
	assert_int_equal(entry_end(&entry, 1, hash, &why), OK);
	assert_int_equal(
	    fsm_apply(txn, index, entry.data, entry.size, &outcome, &topics),
	    OK);
	assert_false(outcome.refused);
	assert_int_equal(txn_commit(txn, &why), OK);
	buf_wipe(&entry);
	proposal->result = outcome.results[0];
}

static void
fake_run(struct loop_task *task)
{
	struct node_proposal *proposal =
	    CONTAINER_OF(task, struct node_proposal, task);
	struct node *node = fake_one;
	int left = atomic_load(&node->fail_at);

	if (left > 0)
		atomic_store(&node->fail_at, left - 1);
	proposal->status = OK;
	if (left != 1 || atomic_load(&node->fail_applied))
		fake_apply(node, proposal);
	if (left == 1) {
		proposal->status = err_set(&proposal->why,
		    (enum err)atomic_load(&node->fail_with), "injected");
	}
	buf_wipe(&proposal->command);
	proposal->cb(proposal);
}

enum err
node_propose(struct node *node, struct loop *home, struct buf *command,
    struct node_proposal *proposal, node_propose_cb cb)
{
	assert_true(loop_here(home));
	proposal->cb = cb;
	proposal->command = *command;
	*command = buf_new(0);
	proposal->task = (struct loop_task){.run = fake_run};
	atomic_fetch_add(&node->proposals, 1);
	if (atomic_load(&node->hold)) {
		assert_null(atomic_load(&node->held));
		atomic_store(&node->held, proposal);
	} else {
		loop_post(home, &proposal->task);
	}
	return OK;
}

/* -- for the tests -------------------------------------------------------- */

/* Run fn on the loop and wait for it. */
struct fake_errand {
	struct loop_task task;
	void (*fn)(struct node *node);
	struct node *node;
	sem_t done;
};

static void
fake_errand_run(struct loop_task *task)
{
	struct fake_errand *errand =
	    CONTAINER_OF(task, struct fake_errand, task);

	errand->fn(errand->node);
	sem_post(&errand->done);
}

static void
fake_wait(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	while (sem_timedwait(sem, &until) != 0)
		assert_int_equal(errno, EINTR);
}

static void
fake_on_loop(struct node *node, void (*fn)(struct node *node))
{
	struct fake_errand errand = {
	    .task = {.run = fake_errand_run}, .fn = fn, .node = node};

	sem_init(&errand.done, 0, 0);
	loop_post(node->loop, &errand.task);
	fake_wait(&errand.done);
	sem_destroy(&errand.done);
}

static void
fake_lead(struct node *node)
{
	node->role(node->role_arg, true, 1);
}

static void
fake_lose(struct node *node)
{
	node->role(node->role_arg, false, 2);
}

static void
fake_release(struct node *node)
{
	struct node_proposal *held = atomic_exchange(&node->held, NULL);

	atomic_store(&node->hold, false);
	if (held != NULL)
		loop_post(node->loop, &held->task);
}

static struct node *
fake_new(void)
{
	struct node *node = calloc(1, sizeof(*node));
	struct errmsg why;
	bool rebuilt;

	assert_non_null(node);
	fake_one = node;
	log_configure(LOG_ERROR, false);
	node->dir = test_tmpdir();
	assert_int_equal(
	    db_open(node->dir, FAKE_MAP_SIZE, &rebuilt, &node->db, &why), OK);
	assert_int_equal(loop_new("fake", &node->loop, &why), OK);
	assert_int_equal(worker_new(1, 8, &node->worker, &why), OK);
	atomic_store(&node->now, FAKE_NOW);
	atomic_store(&node->sure, true);
	node->config.connect_enabled = true;
	node->config.ca_provider = strdup("consul");
	return node;
}

/* A manager on a running loop; the test leads when it likes. */
static void
fake_manage(struct node *node)
{
	struct errmsg why;

	assert_int_equal(manager_new(&node->config, node, node->loop,
			     node->worker, &node->manager, &why),
	    OK);
	assert_int_equal(loop_start(node->loop, &why), OK);
}

static sem_t fake_stopped;

static void
fake_on_stopped(void *arg)
{
	(void)arg;
	sem_post(&fake_stopped);
}

static void
fake_stop(struct node *node)
{
	manager_stop(node->manager, fake_on_stopped, NULL);
	fake_release(node);
}

static void
fake_free(struct node *node)
{
	sem_init(&fake_stopped, 0, 0);
	fake_on_loop(node, fake_stop);
	fake_wait(&fake_stopped);
	sem_destroy(&fake_stopped);
	worker_free(node->worker);
	loop_stop(node->loop);
	loop_join(node->loop);
	manager_free(node->manager);
	loop_free(node->loop);
	db_close(node->db);
	test_rmdir(node->dir);
	free(node->config.ca_provider);
	free(node->config.ca_config);
	free(node->config.cluster_id);
	free(node);
}

/* Until the manager is in that state; its last fault is in why. */
static void
fake_await(struct node *node, const char *want, struct errmsg *why)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	char state[32];

	for (int i = 0; i < 15000; i++) {
		manager_state(node->manager, state, sizeof(state), why);
		if (strcmp(state, want) == 0)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("manager is %s, not %s: %s", state, want, why->text);
}

static void
fake_incoming_run(struct loop_task *task)
{
	struct node_incoming *incoming =
	    CONTAINER_OF(task, struct node_incoming, task);
	struct node *node = incoming->node;

	node->serve(node->serve_arg, incoming, incoming->request.data,
	    incoming->request.size);
}

/* Begin a PUT; fake_put_end waits for its answer. */
static void
fake_put_begin(struct node *node, const struct manager_put *put,
    struct node_incoming *incoming)
{
	*incoming = (struct node_incoming){.task = {.run = fake_incoming_run},
	    .node = node,
	    .request = buf_new(1 << 20)};
	manager_put_encode(put, &incoming->request);
	sem_init(&incoming->answered, 0, 0);
	loop_post(node->loop, &incoming->task);
}

static void
fake_put_end(struct node_incoming *incoming)
{
	fake_wait(&incoming->answered);
	sem_destroy(&incoming->answered);
	buf_wipe(&incoming->request);
}

#endif
