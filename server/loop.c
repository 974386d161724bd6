#include "server/loop.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "server/metrics.h"
#include "server/thread.h"

#define STALL_NS        UINT64_C(20000000) /* longer turns are reported */
#define NS_PER_MS       1000000
#define CLOSE_TURNS_MAX 8 /* turns that left-over close callbacks may take */

/*
 * Life: new -> running (start or run) -> stopping (the stop task ran: the
 * mailbox no longer keeps the loop alive) -> ended (no other handle is left
 * and the mailbox is empty) -> free. Tasks run in every phase up to ended.
 */
struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t prepare;
	pthread_mutex_t lock;    /* guards head, tail, stop_posted */
	struct loop_task *head;  /* oldest task not yet taken */
	struct loop_task **tail; /* where the next one is linked in */
	bool stop_posted;
	struct loop_task stop;
	atomic_bool running;
	atomic_uint_least64_t stall_ns; /* longest turn not yet asked for */
	uint64_t turn_ns, turn_idle_ns; /* clock and idle sum at last prepare */
	pthread_t thread;
	bool has_thread; /* started and not yet joined */
	char name[THREAD_NAME_MAX + 1];
};

/* The loop this thread runs now; what loop_here compares with. */
static _Thread_local const struct loop *current;

static bool
run_tasks(struct loop *loop)
{
	struct loop_task *task, *next;

	pthread_mutex_lock(&loop->lock);
	task = loop->head;
	loop->head = NULL;
	loop->tail = &loop->head;
	pthread_mutex_unlock(&loop->lock);
	if (task == NULL)
		return false;
	for (; task != NULL; task = next) {
		next = task->next; /* run may free the task */
		task->run(task);
	}
	return true;
}

static void
on_wake(uv_async_t *wake)
{
	run_tasks(wake->data);
}

/*
 * A turn is the time between two polls less the time asleep in them; libuv
 * runs its I/O callbacks inside the poll, so a check handle comes too late to
 * see them and the idle time has to be asked for.
 */
static void
on_prepare(uv_prepare_t *prepare)
{
	struct loop *loop = prepare->data;
	uint64_t now = uv_hrtime();
	uint64_t idle = uv_metrics_idle_time(&loop->uv);
	uint64_t spent = now - loop->turn_ns, slept = idle - loop->turn_idle_ns;
	uint64_t busy = spent > slept ? spent - slept : 0;
	uint64_t longest;

	loop->turn_ns = now;
	loop->turn_idle_ns = idle;
	longest = atomic_load_explicit(&loop->stall_ns, memory_order_relaxed);
	while (busy > longest &&
	    !atomic_compare_exchange_weak_explicit(&loop->stall_ns, &longest,
		busy, memory_order_relaxed, memory_order_relaxed)) {
	}
	if (busy > STALL_NS)
		metrics_observe(METRIC_LOOP_STALL, (double)busy / NS_PER_MS);
}

static enum err
setup_handles(struct loop *loop, struct errmsg *why)
{
	int rc = uv_loop_init(&loop->uv);

	if (rc != 0)
		return err_set(why, rc == UV_ENOMEM ? ERR_NOMEM : ERR_LIMIT,
		    "cannot create event loop %s: %s", loop->name,
		    uv_strerror(rc));
	rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
	if (rc != 0) {
		(void)uv_loop_close(&loop->uv);
		return err_set(why, rc == UV_ENOMEM ? ERR_NOMEM : ERR_LIMIT,
		    "cannot create mailbox of loop %s: %s", loop->name,
		    uv_strerror(rc));
	}
	loop->wake.data = loop;
	/* These three only fail on misuse. */
	rc = uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);
	assert(rc == 0);
	rc = uv_prepare_init(&loop->uv, &loop->prepare);
	assert(rc == 0);
	rc = uv_prepare_start(&loop->prepare, on_prepare);
	assert(rc == 0);
	loop->prepare.data = loop;
	uv_unref((uv_handle_t *)&loop->prepare);
	return OK;
}

enum err
loop_new(const char *name, struct loop **out, struct errmsg *why)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	enum err rc;

	if (loop == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	snprintf(loop->name, sizeof(loop->name), "%s", name);
	rc = setup_handles(loop, why);
	if (rc != OK) {
		free(loop);
		return rc;
	}
	pthread_mutex_init(&loop->lock, NULL);
	loop->tail = &loop->head;
	*out = loop;
	return OK;
}

struct uv_loop_s *
loop_uv(struct loop *loop)
{
	return &loop->uv;
}

const char *
loop_name(const struct loop *loop)
{
	return loop->name;
}

void
loop_run(struct loop *loop)
{
	const struct loop *outer = current;

	current = loop;
	atomic_store(&loop->running, true);
	loop->turn_ns = uv_hrtime();
	loop->turn_idle_ns = uv_metrics_idle_time(&loop->uv);
	/* A task posted as the last handle closed may open new ones. */
	do {
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	} while (run_tasks(loop));
	atomic_store(&loop->running, false);
	current = outer;
}

static void *
thread_body(void *arg)
{
	loop_run(arg);
	return NULL;
}

enum err
loop_start(struct loop *loop, struct errmsg *why)
{
	enum err rc;

	assert(!loop->has_thread);
	/* From here on the creator is no longer on the loop's thread. */
	atomic_store(&loop->running, true);
	rc = thread_start(&loop->thread, loop->name, thread_body, loop, why);
	loop->has_thread = rc == OK;
	if (rc != OK)
		atomic_store(&loop->running, false);
	return rc;
}

void
loop_post(struct loop *loop, struct loop_task *task)
{
	bool was_empty;

	task->next = NULL;
	pthread_mutex_lock(&loop->lock);
	was_empty = loop->head == NULL;
	*loop->tail = task;
	loop->tail = &task->next;
	pthread_mutex_unlock(&loop->lock);
	/* Who found it empty wakes the loop; those behind ride along. */
	if (was_empty)
		uv_async_send(&loop->wake);
}

bool
loop_here(const struct loop *loop)
{
	return current == loop || !atomic_load(&loop->running);
}

static void
run_stop(struct loop_task *task)
{
	struct loop *loop = CONTAINER_OF(task, struct loop, stop);

	/* Not closed: owners of other handles may still need the mailbox. */
	uv_unref((uv_handle_t *)&loop->wake);
}

void
loop_stop(struct loop *loop)
{
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = !loop->stop_posted;
	loop->stop_posted = true;
	pthread_mutex_unlock(&loop->lock);
	if (!first)
		return;
	loop->stop.run = run_stop;
	loop_post(loop, &loop->stop);
}

void
loop_join(struct loop *loop)
{
	if (!loop->has_thread)
		return;
	pthread_join(loop->thread, NULL);
	loop->has_thread = false;
}

void
loop_free(struct loop *loop)
{
	int rc;

	if (loop == NULL)
		return;
	assert(!loop->has_thread);
	assert(!atomic_load(&loop->running));
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	for (int turn = 0; turn < CLOSE_TURNS_MAX; turn++) {
		if (uv_run(&loop->uv, UV_RUN_NOWAIT) == 0)
			break;
	}
	rc = uv_loop_close(&loop->uv);
	assert(rc == 0); /* else an owner did not close its handle */
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

uint64_t
loop_stall_ms(struct loop *loop)
{
	return atomic_exchange(&loop->stall_ns, 0) / NS_PER_MS;
}
