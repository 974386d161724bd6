/*
 * gate - one read barrier per loop turn for all reads that came in it.
 *
 * A barrier is asked for when the turn is over, so its quorum round begins
 * after every read that uses it arrived (hazard 15), and sixty-four concurrent
 * reads cost one hand-over. Those it sets free run in slices of 5 ms a turn,
 * so that ten thousand woken readers make no stall. Client loop.
 */
#ifndef SERVER_API_GATE_H
#define SERVER_API_GATE_H

#include <stdbool.h>

#include "storage/err.h"

struct api;
struct gate;

/* Embed it, zeroed. All private but status. */
struct gate_wait {
	struct gate_wait *next, *prev; /* NULL while not waiting */
	enum err status; /* in the callback: how the barrier ended */
};

/* Not waiting any more; the callback may free it. */
typedef void (*gate_cb)(struct gate_wait *wait);

/* Before the loop starts. ERR_NOMEM. */
MUST_CHECK enum err gate_new(
    struct api *api, gate_cb cb, struct gate **out, struct errmsg *why);
/* cb runs once, later, on this loop, unless gate_leave comes first. */
void gate_enter(struct gate *gate, struct gate_wait *wait);
void gate_leave(struct gate_wait *wait); /* not waiting: no effect */

/* When nobody waits and no barrier is out: closes the handles, then runs
 * api_release. */
void gate_close(struct gate *gate);
void gate_free(struct gate *gate); /* after that. NULL allowed */

#endif
