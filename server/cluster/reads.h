/*
 * reads - read barriers under way (hazards 15, 17).
 *
 * On the leader a round of quorum.h, begun after the reads reached this loop,
 * serves all that wait, its own and those of followers; on a follower one
 * frame asks the leader for all that wait. Then each waits until this server
 * shows what the leader had committed. FRAME_BARRIER: u64 sequence.
 * FRAME_BARRIER_RESULT: u64 sequence, u16 status, u64 raft index. Consensus
 * loop, but for reads_enter.
 */
#ifndef SERVER_CLUSTER_READS_H
#define SERVER_CLUSTER_READS_H

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "server/cluster/node.h"
#include "server/cluster/quorum.h"

struct reads;

MUST_CHECK enum err reads_new(
    struct env *env, struct reads **out, struct errmsg *why);
void reads_free(struct reads *reads);
void reads_use_quorum(struct reads *reads, struct quorum *quorum);

/* node_read_barrier; any thread. */
void reads_enter(struct reads *reads, struct loop *home,
    struct node_barrier *barrier, node_barrier_cb cb);

void reads_pump(struct reads *reads); /* at the end of each turn */
void reads_tick(struct reads *reads, uint64_t now_ms);
void reads_role(struct reads *reads); /* leader or readiness changed */
/* What peer was asked is asked again. */
void reads_peer_down(struct reads *reads, uint64_t peer);
void reads_round_done(struct reads *reads, uint64_t round, bool proved);
void reads_frame(struct reads *reads, uint64_t from, const struct frame *frame);
void reads_stop(struct reads *reads);

#endif
