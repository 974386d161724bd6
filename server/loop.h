/*
 * loop - a thread that runs one libuv loop, and its mailbox.
 *
 * The program has one consensus loop and N client loops (design 3). They share
 * nothing but mailboxes: a task is memory of the sender's, linked in without
 * allocation, so posting never fails and never waits; how many can be under
 * way is bounded by who owns the tasks.
 */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/err.h"

struct loop;
struct uv_loop_s;

/* One message; embed it. Owned by the loop from loop_post until run starts. */
struct loop_task {
	struct loop_task *next;
	void (*run)(struct loop_task *task);
};

/* Create loop and mailbox; no thread yet, so handles can be set up by the
 * creator. name (at most 15 bytes, copied) becomes the thread's name. */
MUST_CHECK enum err loop_new(
    const char *name, struct loop **out, struct errmsg *why);
struct uv_loop_s *loop_uv(struct loop *loop);
const char *loop_name(const struct loop *loop);

/* Run on a thread of its own; loop_run runs on the calling thread (tests). */
MUST_CHECK enum err loop_start(struct loop *loop, struct errmsg *why);
void loop_run(struct loop *loop);

/* Any thread: task->run runs on the loop's thread, in posting order. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Is the caller on the loop's thread (or is it not started yet)? For asserts */
bool loop_here(const struct loop *loop);

/*
 * Any thread, again is harmless: after the tasks already posted the mailbox no
 * longer keeps the loop alive, so the thread ends once every other handle is
 * closed by its owner. Until then tasks still run, those posted by owners while
 * they close included; what is posted after the thread's end never runs.
 */
void loop_stop(struct loop *loop);
/* Wait for the thread's end. */
void loop_join(struct loop *loop);
/* After join (or if never started); every handle of others is closed or is
 * closing by then, whose callbacks run here. NULL is allowed. */
void loop_free(struct loop *loop);

/* Longest turn since the last call, ms: from one poll to the next, sleep not
 * counted. Turns over 20 ms are also reported to METRIC_LOOP_STALL. Any thread.
 */
uint64_t loop_stall_ms(struct loop *loop);

#endif
