/*
 * forwards - writes given to the leader: their request ids, in order, and what
 * has no answer yet (hazard 22).
 *
 * FRAME_PROPOSE: u64 start, u64 lowest, u16 count, count times (u64 sequence,
 * u32 size, command). Consensus loop only.
 */
#ifndef SERVER_CLUSTER_FORWARDS_H
#define SERVER_CLUSTER_FORWARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/env.h"
#include "server/cluster/node.h"

/* Proposals first in, first out; linked by next. Plain. */
struct proposal_list {
	struct node_proposal *head, **tail;
	unsigned count;
};

void proposal_list_init(struct proposal_list *list);
void proposal_list_push(
    struct proposal_list *list, struct node_proposal *proposal);
void proposal_list_push_front(
    struct proposal_list *list, struct node_proposal *proposal);
/* Put all of front before what is in list; front is empty then. */
void proposal_list_prepend(
    struct proposal_list *list, struct proposal_list *front);
/* NULL when empty. */
struct node_proposal *proposal_list_pop(struct proposal_list *list);

/* Embedded by its owner. */
struct forwards {
	struct env *env;                       /* borrowed */
	struct proposal_list sent;             /* no answer yet */
	struct node_proposal *oldest, *newest; /* with an id, in its order */
	uint64_t sequence;
};

void forwards_init(struct forwards *forwards, struct env *env);
/* The lowest sequence not answered yet: what the leader may forget ends below
 * it. Only while something has an id. */
uint64_t forwards_lowest(const struct forwards *forwards);
/* The proposal is answered: its id is no longer kept. Without one: nothing. */
void forwards_forget(struct forwards *forwards, struct node_proposal *proposal);
/* Send all of queued to the leader, under ids of their own; what cannot be
 * sent now stays queued. */
void forwards_send(
    struct forwards *forwards, uint64_t leader, struct proposal_list *queued);
/* Take the one of this sequence that was sent to peer out of sent; NULL if it
 * is not there. */
struct node_proposal *forwards_take(
    struct forwards *forwards, uint64_t peer, uint64_t sequence);
/* Move what was sent to anybody but except back to queued: it is sent again,
 * under the same id, and doubtful from now on. except 0 = all. */
void forwards_requeue(
    struct forwards *forwards, uint64_t except, struct proposal_list *queued);

#endif
