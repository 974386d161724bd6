/*
 * calls - requests that only the leader can execute, carried to it and back.
 *
 * FRAME_CALL: u64 slot, u8 kind, bytes. FRAME_CALL_RESULT: u64 slot, u16
 * status, text, bytes. A call refused with ERR_NOTLEADER is sent again to the
 * next leader until its deadline; one whose connection broke while the leader
 * had it is ERR_UNKNOWN. Consensus loop, but for calls_enter.
 */
#ifndef SERVER_CLUSTER_CALLS_H
#define SERVER_CLUSTER_CALLS_H

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "server/cluster/node.h"

struct calls;

MUST_CHECK enum err calls_new(
    struct env *env, struct calls **out, struct errmsg *why);
void calls_free(struct calls *calls);
/* node_serve */
void calls_serve(
    struct calls *calls, enum node_call_kind kind, node_serve_cb cb, void *arg);

/* node_call; any thread. */
void calls_enter(struct calls *calls, struct loop *home,
    enum node_call_kind kind, struct buf *request, uint64_t timeout_ms,
    struct node_call *call, node_call_cb cb);

void calls_pump(struct calls *calls);
void calls_tick(struct calls *calls, uint64_t now_ms);
void calls_peer_down(struct calls *calls, uint64_t peer);
void calls_frame(struct calls *calls, uint64_t from, const struct frame *frame);
void calls_stop(struct calls *calls);

#endif
