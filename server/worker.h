/*
 * worker - our own thread pool for work that may block or compute.
 *
 * Private-key work, verification, snapshot dumps, file syncs. Not libuv's pool:
 * raft's disk writes live there (design 3). The queue is bounded.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "server/loop.h"
#include "storage/err.h"

struct worker;

/* Embed it; owned by the pool from submit until done runs. */
struct worker_job {
	void (*work)(struct worker_job *job); /* on a pool thread */
	void (*done)(struct worker_job *job); /* then, on the home loop */
	struct loop *home;
	struct loop_task task;   /* private */
	struct worker_job *next; /* private */
};

/* threads 1..16, at most queue_max jobs waiting. */
MUST_CHECK enum err worker_new(unsigned threads, unsigned queue_max,
    struct worker **out, struct errmsg *why);
/* Any thread. ERR_BUSY: the queue is full, nothing will run. */
MUST_CHECK enum err worker_submit(
    struct worker *worker, struct worker_job *job);
/* Finish what is queued, end the threads. NULL is allowed. */
void worker_free(struct worker *worker);

#endif
