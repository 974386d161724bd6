/*
 * Goal: a parked read hears of every change to its topic, of its deadline and
 * of the end, exactly once, and never of what concerns others.
 * Method: one loop on the test's thread, driven by a uv timer; publishing from
 * the same and from another thread.
 */
#include "server/cluster/watch.h"

#include <pthread.h>
#include <time.h>
#include <uv.h>

#include "server/duration.h"
#include "tests/support/test.h"

#define FAR_MS 60000

struct bench {
	struct loop *loop;
	struct watch *watch;
	uv_timer_t timer; /* drives the test */
	bool done;
	unsigned dirty, dirty_all;
	unsigned order; /* callbacks run so far */
};

struct guest {
	struct watch_wait wait;
	struct bench *bench;
	unsigned calls, order;
	uint64_t seen; /* revision at the last change */
	enum watch_reason reason;
	bool repark;
	struct guest *cancel;
};

static void
on_dirty(void *arg, const struct topics *topics)
{
	struct bench *b = arg;

	b->dirty++;
	if (topics->all)
		b->dirty_all++;
}

static void
bench_open(struct bench *b, unsigned max)
{
	struct errmsg why;

	*b = (struct bench){0};
	assert_int_equal(loop_new("watch", &b->loop, &why), OK);
	assert_int_equal(watch_new(b->loop, max, &b->watch, &why), OK);
	watch_on_dirty(b->watch, on_dirty, b);
	assert_int_equal(uv_timer_init(loop_uv(b->loop), &b->timer), 0);
	b->timer.data = b;
}

static void
on_done(void *arg)
{
	struct bench *b = arg;

	b->done = true;
	uv_close((uv_handle_t *)&b->timer, NULL);
	loop_stop(b->loop);
}

static void
stop(uv_timer_t *timer)
{
	struct bench *b = timer->data;

	watch_stop(b->watch, on_done, b);
}

/* Run the loop for ms, then stop the registry and take everything down. */
static void
bench_run(struct bench *b, uint64_t ms)
{
	uv_update_time(loop_uv(b->loop));
	assert_int_equal(uv_timer_start(&b->timer, stop, ms, 0), 0);
	loop_run(b->loop);
	assert_true(b->done);
	assert_int_equal(watch_count(b->watch), 0);
	watch_free(b->watch);
	loop_free(b->loop);
}

static void
on_wake(struct watch_wait *wait, enum watch_reason reason)
{
	struct guest *g = CONTAINER_OF(wait, struct guest, wait);

	g->calls++;
	g->order = ++g->bench->order;
	g->reason = reason;
	if (reason == WATCH_CHANGED)
		g->seen = watch_revision(g->bench->watch);
	assert_false(watch_parked(wait));
	if (g->cancel != NULL)
		watch_cancel(g->bench->watch, &g->cancel->wait);
	if (g->repark && reason == WATCH_CHANGED) {
		assert_int_equal(watch_park(g->bench->watch, wait, wait->topic,
				     time_mono_ms() + FAR_MS, on_wake),
		    OK);
	}
}

static void
park(struct bench *b, struct guest *g, uint64_t topic, uint64_t wait_ms)
{
	g->bench = b;
	assert_int_equal(watch_park(b->watch, &g->wait, topic,
			     time_mono_ms() + wait_ms, on_wake),
	    OK);
}

static void
publish(struct bench *b, uint64_t topic, uint64_t revision)
{
	struct topics topics = {0};

	topics_add(&topics, topic);
	watch_publish(b->watch, &topics, revision);
}

static void
a_change_wakes_its_topic_once_and_no_other(void **state)
{
	struct bench b;
	struct guest a1 = {0}, a2 = {0}, other = {0};

	(void)state;
	bench_open(&b, 10);
	park(&b, &a1, 7, FAR_MS);
	park(&b, &other, 8, FAR_MS);
	park(&b, &a2, 7, FAR_MS);
	publish(&b, 7, 41);
	publish(&b, 7, 42);
	publish(&b, 7, 40); /* late, from another path: never goes back */
	assert_int_equal(watch_revision(b.watch), 42);
	bench_run(&b, 30);
	assert_int_equal(a1.calls, 1);
	assert_int_equal(a1.reason, WATCH_CHANGED);
	assert_int_equal(a2.calls, 1);
	assert_true(a1.order < a2.order); /* in order of parking */
	assert_int_equal(other.calls, 1);
	assert_int_equal(other.reason, WATCH_STOPPING);
	assert_int_equal(b.dirty, 1); /* one set, not a queue */
}

/* More topics than buckets, so every bucket holds several. */
static void
topics_of_one_bucket_do_not_wake_each_other(void **state)
{
	enum { COUNT = 20000 };
	struct guest *guests = calloc(COUNT, sizeof(*guests));
	struct bench b;

	(void)state;
	assert_non_null(guests);
	bench_open(&b, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		park(&b, &guests[i], i, FAR_MS);
	publish(&b, 5, 1);
	publish(&b, 6, 2);
	bench_run(&b, 30);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(guests[i].calls, 1);
		assert_int_equal(guests[i].reason,
		    i == 5 || i == 6 ? WATCH_CHANGED : WATCH_STOPPING);
	}
	free(guests);
}

static void
all_wakes_everyone(void **state)
{
	struct bench b;
	struct guest guests[200] = {0};
	struct topics topics = {0};

	(void)state;
	bench_open(&b, 200);
	for (size_t i = 0; i < 200; i++)
		park(&b, &guests[i], i, FAR_MS);
	for (uint64_t t = 0; t <= TOPICS_MAX; t++) /* overflows into "all" */
		topics_add(&topics, 1000000 + t);
	watch_publish(b.watch, &topics, 1);
	bench_run(&b, 30);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(guests[i].reason, WATCH_CHANGED);
	assert_int_equal(b.dirty_all, 1);
}

static void
a_deadline_ends_the_wait(void **state)
{
	struct bench b;
	struct guest soon = {0}, past = {0}, later = {0};

	(void)state;
	bench_open(&b, 10);
	park(&b, &soon, 1, 60);
	park(&b, &later, 1, FAR_MS);
	past.bench = &b;
	assert_int_equal(watch_park(b.watch, &past.wait, 1, 0, on_wake), OK);
	bench_run(&b, 300);
	assert_int_equal(soon.calls, 1);
	assert_int_equal(soon.reason, WATCH_TIMEOUT);
	assert_int_equal(past.reason, WATCH_TIMEOUT);
	assert_int_equal(later.reason, WATCH_STOPPING);
}

static void
cancelled_waits_hear_nothing(void **state)
{
	struct bench b;
	struct guest first = {0}, second = {0}, third = {0};

	(void)state;
	bench_open(&b, 10);
	park(&b, &first, 1, FAR_MS);
	park(&b, &second, 1, FAR_MS);
	park(&b, &third, 1, FAR_MS);
	first.cancel = &second; /* from inside a callback, already woken */
	watch_cancel(b.watch, &third.wait);
	watch_cancel(b.watch, &third.wait); /* no effect */
	publish(&b, 1, 1);
	bench_run(&b, 30);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 0);
	assert_int_equal(third.calls, 0);
}

static void
registries_that_share_a_count_share_the_limit(void **state)
{
	struct bench a, b;
	struct guest one = {0}, two = {0};
	_Atomic unsigned total = 0;

	(void)state;
	bench_open(&a, 1);
	bench_open(&b, 1);
	watch_share(a.watch, &total);
	watch_share(b.watch, &total);
	park(&a, &one, 1, FAR_MS);
	two.bench = &b;
	assert_int_equal(
	    watch_park(b.watch, &two.wait, 1, time_mono_ms() + FAR_MS, on_wake),
	    ERR_LIMIT);
	watch_cancel(a.watch, &one.wait);
	assert_int_equal(total, 0);
	park(&b, &two, 1, FAR_MS);
	assert_int_equal(total, 1);
	watch_stop(a.watch, on_done, &a);
	loop_run(a.loop);
	watch_stop(b.watch, on_done, &b);
	loop_run(b.loop);
	assert_int_equal(total, 0);
	watch_free(a.watch);
	watch_free(b.watch);
	loop_free(a.loop);
	loop_free(b.loop);
}

static void
limit_and_stop_refuse(void **state)
{
	struct bench b;
	struct guest a = {0}, c = {0};

	(void)state;
	bench_open(&b, 1);
	park(&b, &a, 1, FAR_MS);
	c.bench = &b;
	assert_int_equal(
	    watch_park(b.watch, &c.wait, 1, time_mono_ms() + FAR_MS, on_wake),
	    ERR_LIMIT);
	assert_int_equal(watch_count(b.watch), 1);
	watch_stop(b.watch, on_done, &b);
	assert_int_equal(
	    watch_park(b.watch, &c.wait, 1, time_mono_ms() + FAR_MS, on_wake),
	    ERR_CLOSED);
	loop_run(b.loop);
	assert_int_equal(a.reason, WATCH_STOPPING);
	assert_int_equal(c.calls, 0);
	watch_free(b.watch);
	loop_free(b.loop);
}

struct publisher {
	struct bench *bench;
	unsigned count;
	pthread_t thread;
};

static void *
publish_many(void *arg)
{
	struct publisher *p = arg;

	for (unsigned i = 1; i <= p->count; i++)
		publish(p->bench, i % 3, i);
	return NULL;
}

static void
wait_for_publisher(uv_timer_t *timer)
{
	struct publisher *p = timer->data;

	assert_int_equal(pthread_join(p->thread, NULL), 0);
	timer->data = p->bench;
	uv_update_time(timer->loop); /* the join took its time */
	uv_timer_start(timer, stop, 30, 0);
}

/*
 * Whoever reads and parks in one callback misses nothing that is published
 * from another thread meanwhile: its last wake-up saw the last change.
 */
static void
hazard_18_no_wake_up_is_lost_across_threads(void **state)
{
	struct bench b;
	struct guest g = {.repark = true}, h = {.repark = true};
	struct publisher p = {&b, 20000, 0};

	(void)state;
	bench_open(&b, 10);
	park(&b, &g, 1, FAR_MS);
	park(&b, &h, 77, FAR_MS);
	assert_int_equal(pthread_create(&p.thread, NULL, publish_many, &p), 0);
	b.timer.data = &p;
	assert_int_equal(uv_timer_start(&b.timer, wait_for_publisher, 5, 0), 0);
	loop_run(b.loop);
	assert_true(g.calls >= 2);
	assert_true(g.seen >= 19999); /* the last one with topic 1 */
	assert_int_equal(h.calls, 1);
	assert_int_equal(g.reason, WATCH_STOPPING);
	watch_free(b.watch);
	loop_free(b.loop);
}

struct turns {
	uv_prepare_t prepare;
	uint64_t last_ns, longest_ns;
};

/* Of this thread: what others do to the machine is not our stall. */
static uint64_t
cpu_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
on_turn(uv_prepare_t *prepare)
{
	struct turns *t = prepare->data;
	uint64_t now = cpu_ns();

	if (t->last_ns != 0 && now - t->last_ns > t->longest_ns)
		t->longest_ns = now - t->last_ns;
	t->last_ns = now;
}

static void
slow_wake(struct watch_wait *wait, enum watch_reason reason)
{
	uint64_t start = uv_hrtime();

	while (uv_hrtime() - start < 20000)
		; /* an answer costs about 20 us */
	on_wake(wait, reason);
}

/* 5,000 answers of 20 us are 100 ms of work: no turn may take 20 ms. */
static void
a_storm_is_spread_over_turns(void **state)
{
	enum { COUNT = 5000 };
	struct guest *guests = calloc(COUNT, sizeof(*guests));
	struct turns turns = {0};
	struct bench b;

	(void)state;
	assert_non_null(guests);
	bench_open(&b, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		guests[i].bench = &b;
		assert_int_equal(watch_park(b.watch, &guests[i].wait, 1,
				     time_mono_ms() + FAR_MS, slow_wake),
		    OK);
	}
	assert_int_equal(uv_prepare_init(loop_uv(b.loop), &turns.prepare), 0);
	turns.prepare.data = &turns;
	assert_int_equal(uv_prepare_start(&turns.prepare, on_turn), 0);
	uv_unref((uv_handle_t *)&turns.prepare);
	publish(&b, 1, 1);
	while (watch_count(b.watch) > 0)
		uv_run(loop_uv(b.loop), UV_RUN_NOWAIT);
	assert_int_equal(uv_timer_start(&b.timer, stop, 1, 0), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(guests[i].reason, WATCH_CHANGED);
		assert_int_equal(guests[i].order, i + 1);
	}
	assert_true(turns.longest_ns > 0);
	assert_true(turns.longest_ns < 20000000);
	uv_close((uv_handle_t *)&turns.prepare, NULL);
	bench_run(&b, 1);
	free(guests);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_change_wakes_its_topic_once_and_no_other),
	    cmocka_unit_test(topics_of_one_bucket_do_not_wake_each_other),
	    cmocka_unit_test(all_wakes_everyone),
	    cmocka_unit_test(a_deadline_ends_the_wait),
	    cmocka_unit_test(cancelled_waits_hear_nothing),
	    cmocka_unit_test(registries_that_share_a_count_share_the_limit),
	    cmocka_unit_test(limit_and_stop_refuse),
	    cmocka_unit_test(hazard_18_no_wake_up_is_lost_across_threads),
	    cmocka_unit_test(a_storm_is_spread_over_turns),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
