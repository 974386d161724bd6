#include "server/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/thread.h"

#define THREADS_MAX 16

struct worker {
	pthread_mutex_t lock; /* guards all down to stopping */
	pthread_cond_t some;  /* a job was queued, or stopping */
	struct worker_job *head;
	struct worker_job **tail;
	unsigned queued;
	bool stopping;
	unsigned queue_max;
	unsigned threads; /* started, to be joined */
	pthread_t thread[THREADS_MAX];
};

static void
run_done(struct loop_task *task)
{
	struct worker_job *job = CONTAINER_OF(task, struct worker_job, task);

	job->done(job);
}

/* The oldest job; waits for one. NULL: stopping and nothing is left. */
static struct worker_job *
take(struct worker *worker)
{
	struct worker_job *job;

	pthread_mutex_lock(&worker->lock);
	while (worker->head == NULL && !worker->stopping)
		pthread_cond_wait(&worker->some, &worker->lock);
	job = worker->head;
	if (job != NULL) {
		worker->head = job->next;
		worker->queued--;
		if (worker->head == NULL)
			worker->tail = &worker->head;
	}
	pthread_mutex_unlock(&worker->lock);
	return job;
}

static void *
thread_body(void *arg)
{
	struct worker *worker = arg;
	struct worker_job *job;

	while ((job = take(worker)) != NULL) {
		job->work(job);
		job->task.run = run_done;
		loop_post(job->home, &job->task);
	}
	return NULL;
}

enum err
worker_new(unsigned threads, unsigned queue_max, struct worker **out,
    struct errmsg *why)
{
	struct worker *worker;
	char name[THREAD_NAME_MAX + 1];
	enum err rc = OK;

	assert(threads >= 1);
	assert(threads <= THREADS_MAX);
	worker = calloc(1, sizeof(*worker));
	if (worker == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->some, NULL);
	worker->tail = &worker->head;
	worker->queue_max = queue_max;
	for (unsigned i = 0; i < threads && rc == OK; i++) {
		snprintf(name, sizeof(name), "worker-%u", i % 1000);
		rc = thread_start(
		    &worker->thread[i], name, thread_body, worker, why);
		if (rc == OK)
			worker->threads++;
	}
	if (rc != OK) {
		worker_free(worker);
		return rc;
	}
	*out = worker;
	return OK;
}

enum err
worker_submit(struct worker *worker, struct worker_job *job)
{
	enum err rc = ERR_BUSY;

	assert(job->work != NULL);
	assert(job->done != NULL);
	assert(job->home != NULL);
	job->next = NULL;
	pthread_mutex_lock(&worker->lock);
	if (worker->queued < worker->queue_max && !worker->stopping) {
		*worker->tail = job;
		worker->tail = &job->next;
		worker->queued++;
		pthread_cond_signal(&worker->some);
		rc = OK;
	}
	pthread_mutex_unlock(&worker->lock);
	return rc;
}

void
worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stopping = true;
	pthread_cond_broadcast(&worker->some);
	pthread_mutex_unlock(&worker->lock);
	for (unsigned i = 0; i < worker->threads; i++)
		pthread_join(worker->thread[i], NULL);
	assert(worker->head == NULL);
	pthread_cond_destroy(&worker->some);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
