/*
 * Goal: tasks run once, in order, on the loop's thread, also while it stops;
 * long turns are measured; signals stay with main.
 * Method: real threads posting to a real loop; handles closed late.
 */
#include "server/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <uv.h>

#include "tests/support/test.h"

#define POSTERS 4
#define POSTS   2000

struct count {
	struct loop_task task;
	struct loop *loop;
	unsigned poster, number;
	unsigned *last; /* per poster, number of the last that ran */
	bool *orderly;
};

struct poster {
	pthread_t thread;
	struct loop *loop;
	struct count *tasks;
};

static void
run_count(struct loop_task *task)
{
	struct count *count = CONTAINER_OF(task, struct count, task);

	if (!loop_here(count->loop) ||
	    count->last[count->poster] + 1 != count->number)
		*count->orderly = false;
	count->last[count->poster] = count->number;
}

static void *
post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < POSTS; i++)
		loop_post(poster->loop, &poster->tasks[i].task);
	return NULL;
}

static void
tasks_of_many_threads_run_in_posting_order(void **state)
{
	struct poster posters[POSTERS];
	unsigned last[POSTERS] = {0};
	bool orderly = true;
	struct loop *loop;
	struct errmsg why;

	(void)state;
	assert_int_equal(loop_new("posted-to", &loop, &why), OK);
	assert_string_equal(loop_name(loop), "posted-to");
	assert_true(loop_here(loop)); /* not started yet */
	assert_int_equal(loop_start(loop, &why), OK);
	assert_false(loop_here(loop));
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i].loop = loop;
		posters[i].tasks = calloc(POSTS, sizeof(struct count));
		assert_non_null(posters[i].tasks);
		for (unsigned j = 0; j < POSTS; j++) {
			posters[i].tasks[j] = (struct count){
			    .task = {.run = run_count},
			    .loop = loop,
			    .poster = i,
			    .number = j + 1,
			    .last = last,
			    .orderly = &orderly,
			};
		}
		assert_int_equal(pthread_create(&posters[i].thread, NULL,
				     post_all, &posters[i]),
		    0);
	}
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
	loop_stop(loop);
	loop_stop(loop);
	loop_join(loop);
	assert_true(orderly);
	for (unsigned i = 0; i < POSTERS; i++) {
		assert_int_equal(last[i], POSTS);
		free(posters[i].tasks);
	}
	assert_true(loop_here(loop));
	loop_free(loop);
	loop_free(NULL);
}

/* An owner that needs one more task after the stop before it can close. */
struct owner {
	struct loop *loop;
	uv_timer_t timer;
	struct loop_task late;
	bool ran, closed;
};

static void
on_closed(uv_handle_t *handle)
{
	struct owner *owner = handle->data;

	owner->closed = true;
}

static void
run_late(struct loop_task *task)
{
	struct owner *owner = CONTAINER_OF(task, struct owner, late);

	owner->ran = true;
	uv_close((uv_handle_t *)&owner->timer, on_closed);
}

static void
on_timer(uv_timer_t *timer)
{
	struct owner *owner = timer->data;

	loop_post(owner->loop, &owner->late);
}

static void
tasks_posted_while_stopping_still_run(void **state)
{
	struct owner owner = {.late = {.run = run_late}};
	struct errmsg why;

	(void)state;
	assert_int_equal(loop_new("stopping", &owner.loop, &why), OK);
	uv_timer_init(loop_uv(owner.loop), &owner.timer);
	owner.timer.data = &owner;
	uv_timer_start(&owner.timer, on_timer, 5, 0);
	loop_stop(owner.loop); /* before it starts: nothing is lost */
	assert_int_equal(loop_start(owner.loop, &why), OK);
	loop_join(owner.loop);
	assert_true(owner.ran);
	assert_true(owner.closed);
	loop_free(owner.loop);
}

static void
loop_never_started_is_freed_with_closing_handles(void **state)
{
	struct owner owner = {.closed = false};
	struct errmsg why;

	(void)state;
	assert_int_equal(loop_new("unstarted", &owner.loop, &why), OK);
	uv_timer_init(loop_uv(owner.loop), &owner.timer);
	owner.timer.data = &owner;
	uv_close((uv_handle_t *)&owner.timer, on_closed);
	loop_free(owner.loop);
	assert_true(owner.closed);
}

static void
run_slowly(struct loop_task *task)
{
	(void)task;
	usleep(60000);
}

static void
long_turns_are_measured_and_sleep_is_not(void **state)
{
	struct loop_task slow = {.run = run_slowly};
	struct owner owner = {.late = {.run = run_late}};
	struct errmsg why;
	uint64_t ms;

	(void)state;
	assert_int_equal(loop_new("idle", &owner.loop, &why), OK);
	uv_timer_init(loop_uv(owner.loop), &owner.timer);
	owner.timer.data = &owner;
	uv_timer_start(&owner.timer, on_timer, 200, 0);
	loop_stop(owner.loop);
	loop_run(owner.loop); /* sleeps 200 ms */
	assert_true(loop_stall_ms(owner.loop) < 150);
	loop_free(owner.loop);

	assert_int_equal(loop_new("slow", &owner.loop, &why), OK);
	loop_post(owner.loop, &slow);
	loop_stop(owner.loop);
	uv_timer_init(loop_uv(owner.loop), &owner.timer);
	owner.timer.data = &owner;
	uv_timer_start(&owner.timer, on_timer, 1, 0);
	loop_run(owner.loop);
	ms = loop_stall_ms(owner.loop);
	assert_in_range(ms, 55, 5000);
	assert_int_equal(loop_stall_ms(owner.loop), 0);
	loop_free(owner.loop);
}

struct masked {
	struct loop_task task;
	atomic_int blocked;
};

static void
run_masked(struct loop_task *task)
{
	struct masked *masked = CONTAINER_OF(task, struct masked, task);
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	masked->blocked = sigismember(&set, SIGTERM) &&
	    sigismember(&set, SIGHUP) && sigismember(&set, SIGPIPE) &&
	    !sigismember(&set, SIGSEGV);
}

static void
signals_are_blocked_on_the_thread_and_not_on_its_creator(void **state)
{
	struct masked masked = {.task = {.run = run_masked}};
	struct loop *loop;
	struct errmsg why;
	sigset_t set;

	(void)state;
	assert_int_equal(loop_new("signals", &loop, &why), OK);
	assert_int_equal(loop_start(loop, &why), OK);
	loop_post(loop, &masked.task);
	loop_stop(loop);
	loop_join(loop);
	loop_free(loop);
	assert_int_equal(masked.blocked, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_false(sigismember(&set, SIGTERM));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tasks_of_many_threads_run_in_posting_order),
	    cmocka_unit_test(tasks_posted_while_stopping_still_run),
	    cmocka_unit_test(loop_never_started_is_freed_with_closing_handles),
	    cmocka_unit_test(long_turns_are_measured_and_sleep_is_not),
	    cmocka_unit_test(
		signals_are_blocked_on_the_thread_and_not_on_its_creator),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
