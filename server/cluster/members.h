/*
 * members - the leader's care for the membership: first servers, joiners,
 * records, and the steps add -> standby -> voter.
 *
 * Who may be added: a server that greeted us as empty, or promised to this
 * cluster, while connected; before the cluster is formed only those of the
 * promise's list (hazard 6). A server that came back under a new raft id (same
 * node id) first has its old id removed. One change at a time, each through
 * membership_change (hazard 1). A living member is never removed for one that
 * has its node id too. Consensus loop.
 */
#ifndef SERVER_CLUSTER_MEMBERS_H
#define SERVER_CLUSTER_MEMBERS_H

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "server/cluster/hello.h"
#include "server/cluster/promise.h"
#include "server/cluster/proposals.h"

#define MEMBERS_VOTERS_MAX 5 /* more stay standby */

struct members;

MUST_CHECK enum err members_new(struct env *env, struct proposals *proposals,
    struct members **out, struct errmsg *why);
void members_free(struct members *members);

/* Our own advertised address; borrowed. */
void members_self(struct members *members, const char *address);
/* The first servers, known on those that promised. Copied. */
void members_first(struct members *members, const struct promise *promise);
/* A peer greeted us. */
void members_hello(struct members *members, const struct hello *hello);
/* The last hello of that raft id, or NULL. Borrowed until the next hello. */
const struct hello *members_known(const struct members *members, uint64_t id);
/* Forget those that are neither members nor connected, nor but; false: nobody
 * was. */
bool members_make_room(struct members *members, uint64_t but);
/* FRAME_REMOVED, from another server: believed while nobody leads us. */
void members_removed(struct members *members, const struct frame *frame);
/* One step, if one is due; about each 100 ms, on a ready leader. */
void members_tick(struct members *members, uint64_t now_ms);
/*
 * Take a server out of the configuration; done once. ERR_NOTFOUND: no such id.
 * Removing the leader itself is refused: transfer first.
 */
typedef void (*members_cb)(void *arg, enum err status);
MUST_CHECK enum err members_remove(struct members *members, uint64_t id,
    members_cb done, void *arg, struct errmsg *why);

#endif
