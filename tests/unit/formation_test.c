/*
 * Goal: a server belongs to one cluster only, whatever order promises, joins
 * and crashes come in (hazard 6).
 * Method: the formation of one server, fed with frames; the other side of its
 * transport is a bare one that keeps the answers.
 */
#include "server/cluster/formation.h"

#include <stdio.h>
#include <unistd.h>

#include "server/cluster/identity.h"
#include "server/config.h"
#include "server/log.h"
#include "tests/support/servers.h"
#include "tests/support/test.h"

#define ID_A  "aaaaaaaa-0000-4000-8000-000000000000"
#define ID_B  "bbbbbbbb-0000-4000-8000-000000000000"
#define OTHER 1 /* raft id of the other server, lower than any drawn */

struct bench {
	struct loop *loop;
	struct server other, own; /* own: only its transport is used */
	struct config config;
	struct identity identity;
	struct env env;
	struct members *members;
	struct formation *formation;
	char *dir;
	int lock;
	unsigned starts;
	bool bootstrap;
};

static void
on_start(void *arg, bool bootstrap)
{
	struct bench *b = arg;

	b->starts++;
	b->bootstrap = bootstrap;
}

/* promise: stored before the start; NULL: none. */
static struct bench *
bench_new(const char *cluster, bool lowest)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct promise promise = {.count = 2};
	struct errmsg why;

	assert_non_null(b);
	log_configure(LOG_ERROR, false);
	b->loop = servers_loop();
	b->dir = test_tmpdir();
	assert_int_equal(
	    identity_open(b->dir, &b->identity, &b->lock, &why), OK);
	if (cluster != NULL) {
		(void)snprintf(promise.cluster_id, sizeof(promise.cluster_id),
		    "%s", cluster);
		promise.ids[0] = lowest ? b->identity.id : OTHER;
		promise.ids[1] = b->identity.id + lowest;
		assert_int_equal(promise_store(b->dir, &promise, &why), OK);
	}
	server_start(&b->other, b->loop, OTHER, 0, NULL);
	server_start(&b->own, b->loop, b->identity.id, 0, NULL);
	servers_connect(&b->other, &b->own);
	b->config.bootstrap_expect = 2;
	b->env = (struct env){.config = &b->config,
	    .loop = b->loop,
	    .identity = &b->identity,
	    .transport = b->own.transport};
	assert_int_equal(members_new(&b->env, NULL, &b->members, &why), OK);
	assert_int_equal(formation_new(&b->env, b->members, on_start, b,
			     &b->formation, &why),
	    OK);
	return b;
}

static void
bench_free(struct bench *b)
{
	formation_free(b->formation);
	members_free(b->members);
	server_stop(&b->other);
	server_stop(&b->own);
	loop_free(b->loop);
	identity_free(&b->identity);
	(void)close(b->lock);
	test_rmdir(b->dir);
	free(b);
}

static void
join(struct bench *b, const char *cluster)
{
	const struct frame frame = {
	    FRAME_JOIN, (const uint8_t *)cluster, strlen(cluster)};

	formation_frame(b->formation, OTHER, &frame);
}

/* Ask for a promise to cluster; what was answered. */
static enum err
ask(struct bench *b, const char *cluster)
{
	struct promise promise = {.count = 2, .ids = {OTHER, b->identity.id}};
	struct buf bytes = buf_new(1024);
	struct reader in;
	uint16_t status;

	(void)snprintf(
	    promise.cluster_id, sizeof(promise.cluster_id), "%s", cluster);
	promise_encode(&promise, &bytes);
	formation_frame(b->formation, OTHER,
	    &(struct frame){FRAME_PROMISE, bytes.data, bytes.size});
	buf_free(&bytes);
	servers_until(b->loop, &b->other.frame_count, 1, 2000);
	assert_int_equal(b->other.frames[0].type, FRAME_PROMISED);
	in = (struct reader){
	    b->other.frames[0].data.data, b->other.frames[0].data.size};
	assert_true(read_u16(&in, &status));
	server_forget(&b->other);
	return (enum err)status;
}

static void
hazard_06_who_joined_one_cluster_promises_to_no_other(void **state)
{
	struct bench *b = bench_new(NULL, false);
	struct promise promise;
	struct errmsg why;

	(void)state;
	join(b, ID_A);
	assert_int_equal(b->starts, 1);
	assert_false(b->bootstrap);
	assert_string_equal(b->identity.cluster_id, ID_A);
	assert_int_equal(ask(b, ID_B), ERR_DENIED);
	assert_int_equal(promise_load(b->dir, &promise, &why), ERR_NOTFOUND);
	bench_free(b);
}

static void
hazard_06_a_promise_is_given_once_and_again_to_the_same(void **state)
{
	struct bench *b = bench_new(NULL, false);

	(void)state;
	assert_int_equal(ask(b, ID_A), OK);
	assert_int_equal(ask(b, ID_A), OK);
	assert_int_equal(ask(b, ID_B), ERR_DENIED);
	join(b, ID_B);
	assert_string_equal(b->identity.cluster_id, ID_A);
	assert_int_equal(b->starts, 1);
	bench_free(b);
}

/* A crash came between the promise and the identity that names its cluster. */
static void
hazard_06_a_promise_binds_from_the_moment_it_is_stored(void **state)
{
	struct bench *b = bench_new(ID_A, false);

	(void)state;
	join(b, ID_B);
	assert_string_not_equal(b->identity.cluster_id, ID_B);
	formation_tick(b->formation, 1000);
	assert_string_equal(b->identity.cluster_id, ID_A);
	assert_int_equal(b->starts, 1);
	assert_false(b->bootstrap);
	bench_free(b);
}

/* It draws the cluster id and promised to itself before it asked. */
static void
hazard_06_who_asks_for_promises_joins_no_other_cluster(void **state)
{
	struct bench *b = bench_new(ID_A, true);

	(void)state;
	join(b, ID_B);
	assert_string_not_equal(b->identity.cluster_id, ID_B);
	assert_int_equal(ask(b, ID_B), ERR_DENIED);
	formation_tick(b->formation, 1000);
	assert_int_equal(b->starts, 0); /* the other's promise is missing */
	bench_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_06_who_joined_one_cluster_promises_to_no_other),
	    cmocka_unit_test(
		hazard_06_a_promise_is_given_once_and_again_to_the_same),
	    cmocka_unit_test(
		hazard_06_a_promise_binds_from_the_moment_it_is_stored),
	    cmocka_unit_test(
		hazard_06_who_asks_for_promises_joins_no_other_cluster),
	};

	return cmocka_run_group_tests_name("formation", tests, NULL, NULL);
}
