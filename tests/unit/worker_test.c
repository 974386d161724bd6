/*
 * Goal: every job taken runs once on a pool thread and is told of once on its
 * home loop; a full queue refuses; freeing finishes what is queued.
 * Method: real pools and a loop; one pool whose only thread is held.
 */
#include "server/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/support/test.h"

#define JOBS 500

struct job {
	struct worker_job job;
	atomic_uint *worked;
	unsigned *done; /* home loop only */
	bool strange;
};

static void
work(struct worker_job *base)
{
	struct job *job = CONTAINER_OF(base, struct job, job);

	job->strange = loop_here(base->home);
	atomic_fetch_add(job->worked, 1);
}

static void
done(struct worker_job *base)
{
	struct job *job = CONTAINER_OF(base, struct job, job);

	job->strange = job->strange || !loop_here(base->home);
	(*job->done)++;
}

static void
every_job_runs_once_and_reports_home(void **state)
{
	struct job *jobs = calloc(JOBS, sizeof(*jobs));
	atomic_uint worked = 0;
	unsigned finished = 0;
	struct worker *worker;
	struct loop *loop;
	struct errmsg why;

	(void)state;
	assert_non_null(jobs);
	assert_int_equal(loop_new("home", &loop, &why), OK);
	assert_int_equal(loop_start(loop, &why), OK);
	assert_int_equal(worker_new(3, JOBS, &worker, &why), OK);
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){
		    .job = {.work = work, .done = done, .home = loop},
		    .worked = &worked,
		    .done = &finished,
		};
		assert_int_equal(worker_submit(worker, &jobs[i].job), OK);
	}
	worker_free(worker); /* finishes them */
	assert_int_equal(worked, JOBS);
	loop_stop(loop);
	loop_join(loop);
	assert_int_equal(finished, JOBS);
	for (unsigned i = 0; i < JOBS; i++)
		assert_false(jobs[i].strange);
	loop_free(loop);
	free(jobs);
	worker_free(NULL);
}

struct held {
	struct worker_job job;
	sem_t entered, leave;
	bool told;
};

static void
wait_to_leave(struct worker_job *base)
{
	struct held *held = CONTAINER_OF(base, struct held, job);

	sem_post(&held->entered);
	sem_wait(&held->leave);
}

static void
tell(struct worker_job *base)
{
	CONTAINER_OF(base, struct held, job)->told = true;
}

static void
full_queue_refuses_and_forgets(void **state)
{
	struct held held = {.told = false};
	struct job jobs[3];
	atomic_uint worked = 0;
	unsigned finished = 0;
	struct worker *worker;
	struct loop *loop;
	struct errmsg why;

	(void)state;
	sem_init(&held.entered, 0, 0);
	sem_init(&held.leave, 0, 0);
	assert_int_equal(loop_new("home", &loop, &why), OK);
	assert_int_equal(worker_new(1, 2, &worker, &why), OK);
	held.job = (struct worker_job){
	    .work = wait_to_leave, .done = tell, .home = loop};
	assert_int_equal(worker_submit(worker, &held.job), OK);
	sem_wait(&held.entered); /* taken: the queue is empty again */
	for (unsigned i = 0; i < 3; i++) {
		jobs[i] = (struct job){
		    .job = {.work = work, .done = done, .home = loop},
		    .worked = &worked,
		    .done = &finished,
		};
		assert_int_equal(
		    worker_submit(worker, &jobs[i].job), i < 2 ? OK : ERR_BUSY);
	}
	sem_post(&held.leave);
	worker_free(worker);
	loop_stop(loop);
	loop_run(loop);
	assert_true(held.told);
	assert_int_equal(worked, 2);
	assert_int_equal(finished, 2);
	loop_free(loop);
	sem_destroy(&held.entered);
	sem_destroy(&held.leave);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_job_runs_once_and_reports_home),
	    cmocka_unit_test(full_queue_refuses_and_forgets),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
