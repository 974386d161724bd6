/*
 * flights - entries of this leader between submit and commit, and the
 * proposals packed in them.
 *
 * At most FLIGHTS_MAX are under way, so that what arrives meanwhile forms the
 * next batch. Answers nothing itself: proposals whose fate is known are handed
 * back in lists. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_FLIGHTS_H
#define SERVER_CLUSTER_FLIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/env.h"
#include "server/cluster/forwards.h"
#include "server/cluster/node.h"

#define FLIGHTS_MAX 4

struct flights;

MUST_CHECK enum err flights_new(
    struct env *env, struct flights **out, struct errmsg *why);
void flights_free(struct flights *flights);

bool flights_room(const struct flights *flights);
/*
 * Pack what next gives (NULL: no more) into one entry and submit it; there
 * must be room. ERR_NOTFOUND: next gave nothing. On any other error of
 * consensus_submit the proposals are in back, in their order, surely not
 * applied.
 */
MUST_CHECK enum err flights_submit(struct flights *flights,
    struct node_proposal *(*next)(void *arg), void *arg,
    struct proposal_list *back, struct errmsg *why);

/* From the machine. overwritten: those whose place in the log another entry
 * took, surely never applied. */
void flights_applied(struct flights *flights, uint64_t index,
    const uint8_t hash[static DB_HASH_SIZE], const struct fsm_outcome *outcome,
    struct proposal_list *overwritten);
/* done: those with a result (of what was applied). */
void flights_committed(struct flights *flights, struct proposal_list *done);
/* libraft gave the entry up; lost: perhaps applied some day. */
void flights_dropped(
    struct flights *flights, uint64_t index, struct proposal_list *lost);
/* Give all up. */
void flights_stop(struct flights *flights, struct proposal_list *lost);

#endif
