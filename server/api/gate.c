#include "server/api/gate.h"

#include <assert.h>
#include <stdlib.h>

#include <uv.h>

#include "server/api/context.h"

#define SLICE_NS UINT64_C(5000000) /* of callbacks per loop turn */

/* One barrier and those who wait for it. Kept for another turn after use. */
struct turn {
	struct node_barrier barrier;
	struct gate *gate;
	struct gate_wait waiting; /* head of a ring */
	struct turn *next;        /* in spare */
};

struct gate {
	struct api *api;
	gate_cb cb;
	uv_check_t check; /* ends the turn: one barrier for all of fresh */
	uv_idle_t idle;   /* runs while fresh or ready is not empty */
	unsigned open_handles;
	struct gate_wait fresh; /* came in this turn, want a barrier */
	struct gate_wait ready; /* had their barrier, want to go on */
	struct turn *spare;
};

static void
ring_init(struct gate_wait *head)
{
	head->next = head->prev = head;
}

static bool
ring_empty(const struct gate_wait *head)
{
	return head->next == head;
}

static void
ring_append(struct gate_wait *head, struct gate_wait *wait)
{
	wait->prev = head->prev;
	wait->next = head;
	head->prev->next = wait;
	head->prev = wait;
}

static void
ring_move(struct gate_wait *to, struct gate_wait *from)
{
	if (ring_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	ring_init(from);
}

void
gate_leave(struct gate_wait *wait)
{
	if (wait->next == NULL)
		return;
	wait->prev->next = wait->next;
	wait->next->prev = wait->prev;
	wait->next = wait->prev = NULL;
}

static void
run_ready(uv_idle_t *idle)
{
	struct gate *gate = idle->data;
	uint64_t start = uv_hrtime();

	while (!ring_empty(&gate->ready)) {
		struct gate_wait *wait = gate->ready.next;

		gate_leave(wait);
		gate->cb(wait);
		if (uv_hrtime() - start >= SLICE_NS)
			break;
	}
	if (ring_empty(&gate->ready) && ring_empty(&gate->fresh))
		uv_idle_stop(&gate->idle);
}

static void
set_free(struct gate *gate, struct gate_wait *ring, enum err status)
{
	struct gate_wait *w;

	for (w = ring->next; w != ring; w = w->next)
		w->status = status;
	ring_move(&gate->ready, ring);
	uv_idle_start(&gate->idle, run_ready);
}

static void
on_barrier(struct node_barrier *barrier)
{
	struct turn *turn = CONTAINER_OF(barrier, struct turn, barrier);
	struct gate *gate = turn->gate;

	set_free(gate, &turn->waiting, barrier->status);
	turn->next = gate->spare;
	gate->spare = turn;
	api_release(gate->api);
}

static struct turn *
take_turn(struct gate *gate)
{
	struct turn *turn = gate->spare;

	if (turn != NULL) {
		gate->spare = turn->next;
		return turn;
	}
	turn = calloc(1, sizeof(*turn));
	if (turn == NULL)
		return NULL;
	turn->gate = gate;
	ring_init(&turn->waiting);
	return turn;
}

static void
end_turn(uv_check_t *check)
{
	struct gate *gate = check->data;
	struct turn *turn;

	uv_check_stop(check);
	if (ring_empty(&gate->fresh))
		return; /* all of them left */
	turn = take_turn(gate);
	if (turn == NULL) {
		set_free(gate, &gate->fresh, ERR_NOMEM);
		return;
	}
	ring_move(&turn->waiting, &gate->fresh);
	api_hold(gate->api);
	node_read_barrier(gate->api->server.node, gate->api->loop,
	    &turn->barrier, on_barrier);
}

void
gate_enter(struct gate *gate, struct gate_wait *wait)
{
	ring_append(&gate->fresh, wait);
	uv_check_start(&gate->check, end_turn);
	/* Without it the loop could sleep before the check runs. */
	uv_idle_start(&gate->idle, run_ready);
}

enum err
gate_new(struct api *api, gate_cb cb, struct gate **out, struct errmsg *why)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	gate->api = api;
	gate->cb = cb;
	ring_init(&gate->fresh);
	ring_init(&gate->ready);
	/* These two cannot fail: they only fill in the struct. */
	uv_check_init(loop_uv(api->loop), &gate->check);
	uv_idle_init(loop_uv(api->loop), &gate->idle);
	gate->check.data = gate->idle.data = gate;
	gate->open_handles = 2;
	*out = gate;
	return OK;
}

static void
on_closed(uv_handle_t *handle)
{
	struct gate *gate = handle->data;

	if (--gate->open_handles == 0)
		api_release(gate->api);
}

void
gate_close(struct gate *gate)
{
	assert(ring_empty(&gate->fresh) && ring_empty(&gate->ready));
	api_hold(gate->api);
	uv_close((uv_handle_t *)&gate->check, on_closed);
	uv_close((uv_handle_t *)&gate->idle, on_closed);
}

void
gate_free(struct gate *gate)
{
	struct turn *next;

	if (gate == NULL)
		return;
	for (struct turn *turn = gate->spare; turn != NULL; turn = next) {
		next = turn->next;
		free(turn);
	}
	free(gate);
}
