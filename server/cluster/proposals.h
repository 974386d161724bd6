/*
 * proposals - writes under way: pack them into entries here on the leader, or
 * forward them to it, and answer each exactly once.
 *
 * Life of a proposal: queued -> (leader) packed into an entry, at most 64 in
 * one and FLIGHTS_MAX entries under way, so that what arrives meanwhile forms
 * the next batch -> applied -> committed -> answered. Or (follower) given a
 * request id and forwarded -> result -> wait until this server has it too ->
 * answered. No leader: held until the deadline. A forwarded one whose leader
 * is lost is sent again under the same id (hazard 22); one that the leader's
 * own log may or may not keep is answered ERR_UNKNOWN. Consensus loop, but for
 * proposals_enter.
 */
#ifndef SERVER_CLUSTER_PROPOSALS_H
#define SERVER_CLUSTER_PROPOSALS_H

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "server/cluster/node.h"

struct proposals;

MUST_CHECK enum err proposals_new(
    struct env *env, struct proposals **out, struct errmsg *why);
void proposals_free(struct proposals *proposals);

/* node_propose; any thread. */
MUST_CHECK enum err proposals_enter(struct proposals *proposals,
    struct loop *home, struct buf *command, bool internal,
    struct node_proposal *proposal, node_propose_cb cb);

/* Move what can move; at the end of each turn. */
void proposals_pump(struct proposals *proposals);
/* Deadlines; about each 100 ms. */
void proposals_tick(struct proposals *proposals, uint64_t now_ms);

/* From the machine. */
void proposals_applied(struct proposals *proposals, uint64_t index,
    const uint8_t hash[static DB_HASH_SIZE], const struct fsm_outcome *outcome);
void proposals_committed(struct proposals *proposals);
void proposals_dropped(struct proposals *proposals, uint64_t index);

/* From other servers. */
void proposals_frame(
    struct proposals *proposals, uint64_t from, const struct frame *frame);
/* Our connection to peer broke: what it held is sent again. */
void proposals_peer_down(struct proposals *proposals, uint64_t peer);
/* Another leader, or none. */
void proposals_role(struct proposals *proposals);
/* Answer everything: ERR_CLOSED what never left, ERR_UNKNOWN the rest. */
void proposals_stop(struct proposals *proposals);

/* Are there proposals still to be packed? (the next entry carries the commit
 * index, so no push is needed) */
bool proposals_waiting(const struct proposals *proposals);

#endif
