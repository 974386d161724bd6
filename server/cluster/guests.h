/*
 * guests - proposals of other servers' clients, taken in and answered here.
 *
 * FRAME_PROPOSE as in forwards.h. FRAME_PROPOSE_RESULT: items of u64 sequence,
 * u16 status, text, and the result if status is 0. A guest has no home loop
 * and no deadline of its own: its server keeps that. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_GUESTS_H
#define SERVER_CLUSTER_GUESTS_H

#include "server/cluster/env.h"
#include "server/cluster/forwards.h"
#include "server/cluster/node.h"

struct guests;

MUST_CHECK enum err guests_new(
    struct env *env, struct guests **out, struct errmsg *why);
void guests_free(struct guests *guests);

/* FRAME_PROPOSE. taken: to be proposed; the others are answered. */
void guests_take(struct guests *guests, uint64_t from, struct reader in,
    struct proposal_list *taken);
/* status (and result or why) are set: tell its server; it is gone then. */
void guests_answer(struct guests *guests, struct node_proposal *guest);
/* Send what was answered; at the end of each turn. */
void guests_flush(struct guests *guests);

/* One item of FRAME_PROPOSE_RESULT; false: the bytes are at their end or no
 * items. */
struct guests_result {
	uint64_t sequence;
	enum err status;
	struct errmsg why;
	struct fsm_result result; /* if status is OK */
};
MUST_CHECK bool guests_result_decode(
    struct reader *in, struct guests_result *out);

#endif
