/*
 * Goal: reads answer in all three modes as contract 1.7 and 1.8 say, park
 * without loss, and cost what they should.
 * Method: the API over a real state; barriers and publishes on the test's
 * word, so that every order of events can be had.
 */
#include "tests/support/api_bench.h"

#define WEB  "/v1/tls/config/web"
#define NOTE "{\"note\":\"a\"}"

static void
a_read_answers_at_once_with_the_headers(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	b.node.contact_ms = 17;
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	bench_expect(
	    &b, 200, "{\"note\":\"a\",\"CreateIndex\":1,\"ModifyIndex\":1}");
	assert_string_equal(b.conn.type, "application/json");
	assert_true(conn_has(&b.conn, "X-Consul-Index: 1"));
	assert_true(conn_has(&b.conn, "X-Consul-KnownLeader: true"));
	assert_true(conn_has(&b.conn, "X-Consul-LastContact: 17"));
	assert_true(
	    conn_has(&b.conn, "X-Consul-Query-Backend: blocking-query"));
	assert_true(conn_has(&b.conn, "X-Consul-Default-ACL-Policy: allow"));
	assert_true(conn_has(&b.conn, "Vary: Accept-Encoding"));
	assert_int_equal(b.node.barriers, 0);
	bench_close(&b);
}

/* The hot path: a second stale reader costs no transaction. */
static void
a_cached_answer_opens_no_transaction(void **state)
{
	unsigned before;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_spin(&b);
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	before = b.node.transactions;
	for (int i = 0; i < 5; i++)
		bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	bench_ask(&b, "GET", WEB, NULL, NULL);
	assert_int_equal(b.node.transactions, before);
	bench_set(&b, "other", NOTE);
	bench_spin(&b);
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	assert_int_equal(b.node.transactions, before);
	bench_set(&b, "web", "{\"note\":\"b\"}");
	bench_spin(&b);
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	assert_int_equal(b.node.transactions, before + 1);
	bench_expect(
	    &b, 200, "{\"note\":\"b\",\"CreateIndex\":1,\"ModifyIndex\":3}");
	bench_close(&b);
}

/*
 * A barrier is asked for only when the turn is over, one for all reads of it;
 * a read that comes later gets one of its own.
 */
static void
hazard_15_a_barrier_serves_only_reads_that_came_before_it(void **state)
{
	struct conn conns[10] = {0}, late = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	b.node.auto_barrier = false;
	for (size_t i = 0; i < 10; i++) {
		bench_send(&b, &conns[i], "GET",
		    i % 2 == 0 ? WEB : WEB "?consistent", NULL, NULL);
	}
	assert_int_equal(b.node.barriers, 0); /* not before the turn's end */
	bench_spin(&b);
	assert_int_equal(b.node.barriers, 1);
	bench_send(&b, &late, "GET", WEB, NULL, NULL);
	bench_spin(&b);
	assert_int_equal(b.node.barriers, 2);
	b.node.waiting = 1; /* only the first comes back */
	late.loopback = true;
	{
		struct node_barrier *second = b.node.queue[1];

		node_answer_barriers(&b.node);
		bench_spin(&b);
		for (size_t i = 0; i < 10; i++)
			assert_int_equal(conns[i].status, 200);
		assert_false(late.replied);
		b.node.queue[0] = second;
		b.node.waiting = 1;
	}
	node_answer_barriers(&b.node);
	bench_spin(&b);
	assert_int_equal(late.status, 200);
	for (size_t i = 0; i < 10; i++)
		conn_clear(&conns[i]);
	conn_clear(&late);
	bench_close(&b);
}

static void
a_change_wakes_with_the_new_document(void **state)
{
	static const char *const targets[] = {
	    WEB "?index=1&stale", WEB "?index=1", WEB "?index=1&consistent"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct bench b;

		bench_open(&b);
		bench_set(&b, "web", NOTE);
		bench_send(&b, &b.conn, "GET", targets[i], NULL, NULL);
		bench_spin(&b);
		assert_false(b.conn.replied);
		assert_int_equal(watch_count(b.watch), 1);
		bench_set(&b, "other", NOTE); /* not ours */
		bench_spin(&b);
		assert_false(b.conn.replied);
		bench_set(&b, "web", "{\"note\":\"b\"}");
		bench_spin(&b);
		bench_expect(&b, 200,
		    "{\"note\":\"b\",\"CreateIndex\":1,\"ModifyIndex\":3}");
		assert_true(conn_has(&b.conn, "X-Consul-Index: 3"));
		assert_int_equal(watch_count(b.watch), 0);
		bench_close(&b);
	}
}

/* One for the first look, one for the wake-up, one for the timer's pass. */
static void
hazard_17_every_pass_takes_a_fresh_barrier(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_send(&b, &b.conn, "GET", WEB "?index=9&wait=200ms", NULL, NULL);
	bench_spin(&b);
	assert_int_equal(b.node.barriers, 1);
	bench_set(&b, "web", "{\"note\":\"b\"}"); /* index 2: not above 9 */
	bench_spin(&b);
	assert_int_equal(b.node.barriers, 2);
	assert_false(b.conn.replied);
	assert_int_equal(watch_count(b.watch), 1);
	bench_wait(&b, 330);
	assert_int_equal(b.node.barriers, 3);
	bench_expect(
	    &b, 200, "{\"note\":\"b\",\"CreateIndex\":1,\"ModifyIndex\":2}");
	assert_true(conn_has(&b.conn, "X-Consul-Index: 2")); /* lower */
	bench_close(&b);
}

static void
stale_passes_take_no_barrier(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_send(
	    &b, &b.conn, "GET", WEB "?index=9&wait=100ms&stale", NULL, NULL);
	bench_wait(&b, 220);
	assert_int_equal(b.conn.status, 200);
	assert_int_equal(b.node.barriers, 0);
	bench_close(&b);
}

/*
 * Committed but not published yet: the reader finds the old index, parks, and
 * the publish that is under way wakes it.
 */
static void
hazard_18_a_publish_under_way_is_not_missed(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_spin(&b);
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL); /* cached at 1 */
	conn_clear(&b.conn);
	b.node.hold_publish = true;
	bench_set(&b, "web", "{\"note\":\"b\"}");
	bench_send(&b, &b.conn, "GET", WEB "?index=1&stale", NULL, NULL);
	bench_spin(&b);
	assert_false(b.conn.replied);
	node_publish_held(&b.node);
	bench_spin(&b);
	assert_true(conn_has(&b.conn, "X-Consul-Index: 2"));
	bench_close(&b);
}

static void
an_absent_object_can_be_waited_for(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "GET", WEB, NULL, NULL);
	bench_expect(&b, 404, "no TLS configuration \"web\"");
	assert_string_equal(b.conn.type, "text/plain; charset=utf-8");
	assert_true(conn_has(&b.conn, "X-Consul-Index: 1"));
	conn_clear(&b.conn);
	bench_send(&b, &b.conn, "GET", WEB "?index=1", NULL, NULL);
	bench_spin(&b);
	assert_false(b.conn.replied);
	bench_set(&b, "web", NOTE);
	bench_spin(&b);
	/* Index 1 is what it had before: it goes on waiting (1.7.5). */
	assert_false(b.conn.replied);
	bench_set(&b, "web", NOTE);
	bench_spin(&b);
	assert_int_equal(b.conn.status, 200);
	bench_ask(&b, "DELETE", WEB, NULL, NULL);
	bench_ask(&b, "GET", WEB, NULL, NULL);
	assert_int_equal(b.conn.status, 404);
	assert_true(conn_has(&b.conn, "X-Consul-Index: 3"));
	bench_close(&b);
}

static void
a_listing_is_sorted_and_waits_for_any(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "GET", "/v1/tls/config", NULL, NULL);
	bench_expect(&b, 200, "[]");
	bench_set(&b, "web", "{}");
	bench_set(&b, "db", NOTE);
	bench_spin(&b);
	bench_ask(&b, "GET", "/v1/tls/config", NULL, NULL);
	bench_expect(&b, 200,
	    "[{\"scope\":\"db\",\"note\":\"a\",\"CreateIndex\":2,"
	    "\"ModifyIndex\":2},{\"scope\":\"web\",\"CreateIndex\":1,"
	    "\"ModifyIndex\":1}]");
	conn_clear(&b.conn);
	bench_send(&b, &b.conn, "GET", "/v1/tls/config?index=2", NULL, NULL);
	bench_spin(&b);
	assert_false(b.conn.replied);
	bench_set(&b, "x", "{}");
	bench_spin(&b);
	assert_true(conn_has(&b.conn, "X-Consul-Index: 3"));
	bench_close(&b);
}

static void
a_failed_barrier_has_its_own_words(void **state)
{
	static const struct {
		enum err status;
		const char *target;
		int want;
		const char *words;
	} cases[] = {
	    {ERR_NOLEADER, WEB, 500, "No cluster leader"},
	    {ERR_NOLEADER, WEB "?consistent", 500, "No cluster leader"},
	    {ERR_TIMEOUT, WEB, 500, "No cluster leader"},
	    {ERR_TIMEOUT, WEB "?consistent", 500,
		"Not ready to serve consistent reads"},
	    {ERR_CLOSED, WEB, 503, "the server is stopping"},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		b.node.barrier_status = cases[i].status;
		bench_ask(&b, "GET", cases[i].target, NULL, NULL);
		bench_expect(&b, cases[i].want, cases[i].words);
		assert_int_equal(
		    conn_has(&b.conn, "Retry-After: 1"), cases[i].want == 503);
	}
	b.node.leader_known = false;
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	assert_int_equal(b.conn.status, 200);
	assert_true(conn_has(&b.conn, "X-Consul-KnownLeader: false"));
	bench_close(&b);
}

static void
limits_are_named_with_429(void **state)
{
	struct conn conns[8] = {0};
	struct bench b;

	(void)state;
	bench_open(&b); /* 5 parked in all, 2 of one address */
	bench_set(&b, "web", NOTE);
	for (size_t i = 0; i < 3; i++) {
		conns[i].ip[15] = 1;
		bench_send(
		    &b, &conns[i], "GET", WEB "?index=1&stale", NULL, NULL);
	}
	assert_int_equal(conns[2].status, 429);
	assert_string_equal(conn_text(&conns[2]),
	    "too many parked reads (limits.max_parked_per_address is 2)");
	assert_true(conn_has(&conns[2], "Retry-After: 1"));
	for (size_t i = 3; i < 7; i++) { /* our own machine has no limit */
		conns[i].loopback = true;
		bench_send(
		    &b, &conns[i], "GET", WEB "?index=1&stale", NULL, NULL);
	}
	assert_int_equal(conns[6].status, 429);
	assert_string_equal(conn_text(&conns[6]),
	    "too many parked reads (limits.max_parked is 5)");
	memset(conns[0].ip, 0, 16); /* a reset connection has no peer */
	conn_vanish(&conns[0]);     /* makes room in both */
	conns[7].ip[15] = 1;
	bench_send(&b, &conns[7], "GET", WEB "?index=1&stale", NULL, NULL);
	assert_false(conns[7].replied);
	bench_set(&b, "web", NOTE);
	bench_spin(&b);
	for (size_t i = 0; i < 8; i++) {
		assert_true(conns[i].replied);
		conn_clear(&conns[i]);
	}
	bench_close(&b);
}

static void
a_client_that_goes_leaves_nothing_behind(void **state)
{
	struct conn parked = {0}, gated = {0}, ready = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_send(&b, &parked, "GET", WEB "?index=1&stale", NULL, NULL);
	assert_int_equal(watch_count(b.watch), 1);
	conn_vanish(&parked);
	assert_int_equal(watch_count(b.watch), 0);
	b.node.auto_barrier = false;
	bench_send(&b, &ready, "GET", WEB, NULL, NULL);
	conn_vanish(&ready); /* in the same turn: no barrier is needed */
	bench_spin(&b);
	assert_int_equal(b.node.barriers, 0);
	bench_send(&b, &gated, "GET", WEB, NULL, NULL);
	bench_spin(&b);
	conn_vanish(&gated); /* its barrier is out */
	node_answer_barriers(&b.node);
	bench_spin(&b);
	bench_close(&b);
}

/* 200 with what they have, without asking anybody. */
static void
a_stopping_server_answers_who_is_parked(void **state)
{
	struct conn stale = {0}, fresh = {0};
	unsigned barriers;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_send(&b, &stale, "GET", WEB "?index=1&stale", NULL, NULL);
	bench_send(&b, &fresh, "GET", WEB "?index=7", NULL, NULL);
	bench_spin(&b);
	barriers = b.node.barriers;
	watch_stop(b.watch, bench_watch_done, &b);
	bench_spin(&b);
	assert_int_equal(stale.status, 200);
	assert_int_equal(fresh.status, 200);
	assert_true(conn_has(&fresh, "X-Consul-Index: 1"));
	assert_int_equal(b.node.barriers, barriers);
	conn_clear(&fresh); /* one that comes now is not parked */
	bench_send(&b, &fresh, "GET", WEB "?index=1&stale", NULL, NULL);
	assert_int_equal(fresh.status, 200);
	conn_clear(&stale);
	conn_clear(&fresh);
	bench_close(&b);
}

static void
pretty_and_gzip_are_variants_of_one_answer(void **state)
{
	static const char gzip[] = "Accept-Encoding: gzip";
	unsigned before;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_set(&b, "web", NOTE);
	bench_ask(&b, "GET", WEB "?stale&pretty", NULL, NULL);
	bench_expect(&b, 200,
	    "{\n    \"note\": \"a\",\n    \"CreateIndex\": 1,\n"
	    "    \"ModifyIndex\": 1\n}\n");
	bench_ask(&b, "GET", WEB "?stale", gzip, NULL);
	assert_true(conn_has(&b.conn, "Content-Encoding: gzip"));
	assert_int_equal(b.conn.body->data[0], 0x1f);
	assert_int_equal(b.conn.body->data[1], 0x8b);
	before = b.node.transactions;
	bench_ask(&b, "GET", WEB "?stale", gzip, NULL);
	assert_true(conn_has(&b.conn, "Content-Encoding: gzip"));
	bench_ask(&b, "GET", WEB "?stale", NULL, NULL);
	assert_false(conn_has(&b.conn, "Content-Encoding: gzip"));
	assert_int_equal(b.node.transactions, before);
	/* Small things too, and errors (contract 1.1). */
	bench_ask(&b, "GET", "/v1/nothing", gzip, NULL);
	assert_int_equal(b.conn.status, 404);
	assert_true(conn_has(&b.conn, "Content-Encoding: gzip"));
	bench_close(&b);
}

/*
 * 2,000 readers parked in default mode wake at once: they share one barrier a
 * turn and one rendering, and nobody is left out.
 */
static void
a_storm_shares_barriers_and_rendering(void **state)
{
	enum { COUNT = 2000 };
	struct conn *conns = calloc(COUNT, sizeof(*conns));
	unsigned barriers, transactions;
	struct errmsg why;
	struct bench b;

	(void)state;
	assert_non_null(conns);
	bench_open(&b);
	watch_stop(b.watch, bench_watch_done, &b); /* a larger one instead */
	bench_spin(&b);
	watch_free(b.watch);
	b.watch_done = false;
	assert_int_equal(watch_new(b.loop, COUNT, &b.watch, &why), OK);
	b.api->watch = b.node.watch = b.watch;
	bench_set(&b, "web", NOTE);
	for (size_t i = 0; i < COUNT; i++) {
		conns[i].loopback = true;
		bench_send(&b, &conns[i], "GET", WEB "?index=1", NULL, NULL);
	}
	bench_wait(&b, 30);
	assert_int_equal(watch_count(b.watch), COUNT);
	barriers = b.node.barriers;
	transactions = b.node.transactions;
	cache_drop(b.api->cache, &(struct topics){.all = true});
	bench_set(&b, "web", NOTE);
	for (int i = 0; i < 200 && watch_count(b.watch) > 0; i++)
		bench_spin(&b);
	bench_wait(&b, 60);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(conns[i].status, 200);
		assert_true(conn_has(&conns[i], "X-Consul-Index: 2"));
		conn_clear(&conns[i]);
	}
	assert_int_equal(b.node.transactions, transactions + 1);
	assert_true(b.node.barriers - barriers < 50);
	bench_close(&b);
	free(conns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_read_answers_at_once_with_the_headers),
	    cmocka_unit_test(a_cached_answer_opens_no_transaction),
	    cmocka_unit_test(
		hazard_15_a_barrier_serves_only_reads_that_came_before_it),
	    cmocka_unit_test(a_change_wakes_with_the_new_document),
	    cmocka_unit_test(hazard_17_every_pass_takes_a_fresh_barrier),
	    cmocka_unit_test(stale_passes_take_no_barrier),
	    cmocka_unit_test(hazard_18_a_publish_under_way_is_not_missed),
	    cmocka_unit_test(an_absent_object_can_be_waited_for),
	    cmocka_unit_test(a_listing_is_sorted_and_waits_for_any),
	    cmocka_unit_test(a_failed_barrier_has_its_own_words),
	    cmocka_unit_test(limits_are_named_with_429),
	    cmocka_unit_test(a_client_that_goes_leaves_nothing_behind),
	    cmocka_unit_test(a_stopping_server_answers_who_is_parked),
	    cmocka_unit_test(pretty_and_gzip_are_variants_of_one_answer),
	    cmocka_unit_test(a_storm_shares_barriers_and_rendering),
	};

	return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
