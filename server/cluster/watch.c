#include "server/cluster/watch.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <uv.h>

#include "server/duration.h"

#define BUCKETS     4096 /* topic chains; power of two */
#define BUCKET_BITS 12
#define SLOTS       4096 /* of the timer wheel, one turn is 204.8 s */
#define STEP_MS     50
#define SLICE_NS    UINT64_C(5000000) /* of callbacks per loop turn */

static_assert(BUCKETS == 1 << BUCKET_BITS, "the hash keeps that many bits");

struct watch {
	struct loop *loop;
	unsigned max, count;
	atomic_uint own, *total; /* what max is compared with */
	uv_timer_t timer;        /* runs while anything is parked */
	uv_idle_t idle; /* runs while anything is woken: a slice a turn */
	unsigned open_handles;
	bool stopping, drained;
	void (*done)(void *arg);
	void *done_arg;
	void (*dirty)(void *arg, const struct topics *topics);
	void *dirty_arg;

	/* Who waits: every wait is in a bucket or in woken, and in a slot
	 * unless it has expired. */
	struct watch_link buckets[BUCKETS];
	struct watch_link slots[SLOTS];
	uint64_t tick; /* the wheel has been turned up to here */
	/*
	 * Whole buckets move here in one step; who is not meant goes back when
	 * its turn comes. woken_topics: what was published since the list was
	 * last empty, so that nothing published meanwhile is missed.
	 */
	struct watch_link woken;
	struct topics woken_topics;

	/* What other threads say. */
	pthread_mutex_t lock;
	struct topics published; /* under lock */
	bool posted;             /* under lock: task is in the mailbox */
	struct loop_task task;
	_Atomic uint64_t revision;
};

static void
ring_init(struct watch_link *head)
{
	head->next = head->prev = head;
}

static bool
ring_empty(const struct watch_link *head)
{
	return head->next == head;
}

static void
ring_append(struct watch_link *head, struct watch_link *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static void
ring_leave(struct watch_link *link)
{
	if (link->next == NULL)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

static void
ring_splice(struct watch_link *to, struct watch_link *from)
{
	if (ring_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	ring_init(from);
}

static struct watch_link *
bucket_of(struct watch *watch, uint64_t topic)
{
	/* Fibonacci hashing: the table number sits in the top byte. */
	return &watch->buckets[(topic * UINT64_C(0x9e3779b97f4a7c15)) >>
	    (64 - BUCKET_BITS)];
}

static void
closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	if (--watch->open_handles == 0)
		watch->done(watch->done_arg);
}

static void
close_when_drained(struct watch *watch)
{
	if (!watch->stopping || watch->drained || !ring_empty(&watch->woken))
		return;
	assert(watch->count == 0);
	watch->drained = true;
	uv_close((uv_handle_t *)&watch->timer, closed);
	uv_close((uv_handle_t *)&watch->idle, closed);
}

/* The wait's last moment with us: its memory is the owner's again. */
static void
leave(struct watch *watch, struct watch_wait *wait)
{
	ring_leave(&wait->link);
	ring_leave(&wait->timer);
	watch->count--;
	atomic_fetch_sub_explicit(watch->total, 1, memory_order_relaxed);
	if (watch->count == 0 && !watch->drained)
		uv_timer_stop(&watch->timer);
}

static void
wake_first(struct watch *watch)
{
	struct watch_wait *wait =
	    CONTAINER_OF(watch->woken.next, struct watch_wait, link);
	enum watch_reason reason;

	if (watch->stopping) {
		reason = WATCH_STOPPING;
	} else if (wait->deadline_ms == 0) {
		reason = WATCH_TIMEOUT;
	} else if (topics_has(&watch->woken_topics, wait->topic)) {
		reason = WATCH_CHANGED;
	} else { /* it only shares the bucket */
		ring_leave(&wait->link);
		ring_append(bucket_of(watch, wait->topic), &wait->link);
		return;
	}
	leave(watch, wait);
	wait->cb(wait, reason);
}

static void
run_slice(uv_idle_t *idle)
{
	struct watch *watch = idle->data;
	uint64_t start = uv_hrtime();

	while (!ring_empty(&watch->woken)) {
		wake_first(watch);
		if (uv_hrtime() - start >= SLICE_NS)
			break;
	}
	if (!ring_empty(&watch->woken))
		return;
	watch->woken_topics = (struct topics){0};
	uv_idle_stop(&watch->idle);
	close_when_drained(watch);
}

static void
run_soon(struct watch *watch)
{
	if (!watch->drained)
		uv_idle_start(&watch->idle, run_slice);
}

static void
expire_slot(struct watch *watch, struct watch_link *slot, uint64_t now_ms)
{
	struct watch_link *next;

	for (struct watch_link *l = slot->next; l != slot; l = next) {
		struct watch_wait *wait =
		    CONTAINER_OF(l, struct watch_wait, timer);

		next = l->next;
		if (wait->deadline_ms > now_ms)
			continue; /* a later turn of the wheel */
		ring_leave(&wait->timer);
		ring_leave(&wait->link);
		wait->deadline_ms = 0;
		ring_append(&watch->woken, &wait->link);
	}
}

static void
turn_wheel(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	uint64_t now_ms = time_mono_ms(), tick = now_ms / STEP_MS;

	if (tick - watch->tick > SLOTS) /* asleep for more than a turn */
		watch->tick = tick - SLOTS;
	while (watch->tick < tick) {
		watch->tick++;
		expire_slot(watch, &watch->slots[watch->tick % SLOTS], now_ms);
	}
	if (!ring_empty(&watch->woken))
		run_soon(watch);
}

static void
take_published(struct loop_task *task)
{
	struct watch *watch = CONTAINER_OF(task, struct watch, task);
	struct topics topics;

	pthread_mutex_lock(&watch->lock);
	topics = watch->published;
	watch->published = (struct topics){0};
	watch->posted = false;
	pthread_mutex_unlock(&watch->lock);

	if (watch->drained)
		return;
	if (watch->dirty != NULL)
		watch->dirty(watch->dirty_arg, &topics);
	topics_merge(&watch->woken_topics, &topics);
	if (topics.all) {
		for (size_t i = 0; i < BUCKETS; i++)
			ring_splice(&watch->woken, &watch->buckets[i]);
	}
	for (size_t i = 0; !topics.all && i < topics.count; i++)
		ring_splice(&watch->woken, bucket_of(watch, topics.ids[i]));
	if (ring_empty(&watch->woken))
		watch->woken_topics = (struct topics){0};
	else
		run_soon(watch);
}

enum err
watch_new(
    struct loop *loop, unsigned max, struct watch **out, struct errmsg *why)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	watch->loop = loop;
	watch->max = max;
	watch->total = &watch->own;
	for (size_t i = 0; i < BUCKETS; i++)
		ring_init(&watch->buckets[i]);
	for (size_t i = 0; i < SLOTS; i++)
		ring_init(&watch->slots[i]);
	ring_init(&watch->woken);
	watch->task.run = take_published;
	if (pthread_mutex_init(&watch->lock, NULL) != 0) {
		free(watch);
		return err_set(why, ERR_INTERNAL, "cannot make a lock");
	}
	/* These two cannot fail: they only fill in the struct. */
	uv_timer_init(loop_uv(loop), &watch->timer);
	uv_idle_init(loop_uv(loop), &watch->idle);
	watch->timer.data = watch->idle.data = watch;
	watch->open_handles = 2;
	*out = watch;
	return OK;
}

void
watch_share(struct watch *watch, _Atomic unsigned *total)
{
	watch->total = total;
}

void
watch_stop(struct watch *watch, void (*done)(void *arg), void *arg)
{
	assert(loop_here(watch->loop) && !watch->stopping);
	watch->stopping = true;
	watch->done = done;
	watch->done_arg = arg;
	for (size_t i = 0; i < BUCKETS; i++)
		ring_splice(&watch->woken, &watch->buckets[i]);
	if (ring_empty(&watch->woken))
		close_when_drained(watch);
	else
		run_soon(watch);
}

void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	assert(watch->open_handles == 0);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

enum err
watch_park(struct watch *watch, struct watch_wait *wait, uint64_t topic,
    uint64_t deadline_ms, watch_cb cb)
{
	uint64_t tick;

	assert(loop_here(watch->loop) && !watch_parked(wait));
	if (watch->stopping)
		return ERR_CLOSED;
	if (atomic_fetch_add_explicit(watch->total, 1, memory_order_relaxed) >=
	    watch->max) {
		atomic_fetch_sub_explicit(
		    watch->total, 1, memory_order_relaxed);
		return ERR_LIMIT;
	}
	if (watch->count++ == 0) {
		watch->tick = time_mono_ms() / STEP_MS;
		uv_timer_start(&watch->timer, turn_wheel, STEP_MS, STEP_MS);
	}
	wait->topic = topic;
	wait->deadline_ms = deadline_ms == 0 ? 1 : deadline_ms;
	wait->cb = cb;
	/* The step after the deadline, and never one already passed. */
	tick = deadline_ms / STEP_MS + 1;
	if (tick <= watch->tick)
		tick = watch->tick + 1;
	ring_append(bucket_of(watch, topic), &wait->link);
	ring_append(&watch->slots[tick % SLOTS], &wait->timer);
	return OK;
}

void
watch_cancel(struct watch *watch, struct watch_wait *wait)
{
	assert(loop_here(watch->loop));
	if (watch_parked(wait))
		leave(watch, wait);
}

bool
watch_parked(const struct watch_wait *wait)
{
	return wait->link.next != NULL;
}

unsigned
watch_count(const struct watch *watch)
{
	return watch->count;
}

uint64_t
watch_revision(const struct watch *watch)
{
	return atomic_load_explicit(&watch->revision, memory_order_acquire);
}

void
watch_on_dirty(struct watch *watch,
    void (*dirty)(void *arg, const struct topics *topics), void *arg)
{
	watch->dirty = dirty;
	watch->dirty_arg = arg;
}

void
watch_publish(
    struct watch *watch, const struct topics *topics, uint64_t revision)
{
	bool post;

	pthread_mutex_lock(&watch->lock);
	topics_merge(&watch->published, topics);
	if (revision > watch_revision(watch)) {
		atomic_store_explicit(
		    &watch->revision, revision, memory_order_release);
	}
	post = !watch->posted;
	watch->posted = true;
	pthread_mutex_unlock(&watch->lock);
	if (post)
		loop_post(watch->loop, &watch->task);
}
