#include "server/cluster/calls.h"

#include <stdlib.h>

#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/metrics.h"
#include "storage/secret.h"

#define INCOMING_MAX 256 /* calls of other servers executing here */

/* One being executed here, for a loop of ours or for another server. */
struct node_incoming {
	struct calls *calls;
	struct node_call *local; /* or NULL: */
	uint64_t peer, slot;
};

struct calls {
	struct env *env;
	struct {
		node_serve_cb cb;
		void *arg;
	} served[NODE_CALL_KINDS];
	struct node_call *waiting; /* for a leader; newest first */
	struct node_call *sent;
	uint64_t slot;
	unsigned incoming;
	bool held; /* nobody took what was sent: until the next tick */
};

static void
push(struct node_call **list, struct node_call *call)
{
	call->next = *list;
	*list = call;
}

enum err
calls_new(struct env *env, struct calls **out, struct errmsg *why)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	c->env = env;
	*out = c;
	return OK;
}

void
calls_free(struct calls *c)
{
	free(c);
}

void
calls_serve(
    struct calls *c, enum node_call_kind kind, node_serve_cb cb, void *arg)
{
	c->served[kind].cb = cb;
	c->served[kind].arg = arg;
}

static void
run_callback(struct loop_task *task)
{
	struct node_call *call = CONTAINER_OF(task, struct node_call, task);

	call->cb(call);
}

static void
finish(struct node_call *call, enum err status, const char *why)
{
	call->status = err_set(&call->why, status, "%s", why);
	buf_wipe(&call->request);
	call->task.run = run_callback;
	loop_post(call->home, &call->task);
}

/* No longer than the hold timeout, and than the caller has patience. */
static void
wait_leader(struct calls *c, struct node_call *call)
{
	call->until_ms = time_mono_ms() + c->env->config->rpc_hold_ms;
	if (call->until_ms > call->deadline_ms)
		call->until_ms = call->deadline_ms;
	push(&c->waiting, call);
}

static void
wait_answer(struct calls *c, struct node_call *call)
{
	call->until_ms = call->deadline_ms;
	push(&c->sent, call);
}

static void
arrive(struct loop_task *task)
{
	struct node_call *call = CONTAINER_OF(task, struct node_call, task);
	struct calls *c = call->owner;

	if (c->env->stopping)
		finish(call, ERR_CLOSED, "this server is stopping");
	else
		wait_leader(c, call);
}

void
calls_enter(struct calls *c, struct loop *home, enum node_call_kind kind,
    struct buf *request, uint64_t timeout_ms, struct node_call *call,
    node_call_cb cb)
{
	*call = (struct node_call){.cb = cb,
	    .home = home,
	    .owner = c,
	    .kind = kind,
	    .request = *request,
	    .reply = buf_new(NODE_CALL_MAX),
	    .deadline_ms = time_mono_ms() + timeout_ms};
	*request = buf_new(request->max);
	call->task.run = arrive;
	loop_post(c->env->loop, &call->task);
}

/* ---- on the leader ------------------------------------------------------ */

static void
execute(struct calls *c, struct node_incoming *in, unsigned kind,
    const uint8_t *request, size_t size)
{
	if (kind < NODE_CALL_KINDS && c->served[kind].cb != NULL)
		c->served[kind].cb(c->served[kind].arg, in, request, size);
	else
		node_answer(in, ERR_UNSUPPORTED,
		    &(struct errmsg){"the leader does not know this call"},
		    NULL);
}

static void
execute_local(struct calls *c, struct node_call *call)
{
	struct node_incoming *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		finish(call, ERR_NOMEM, "out of memory");
		return;
	}
	*in = (struct node_incoming){.calls = c, .local = call};
	c->incoming++;
	execute(c, in, call->kind, call->request.data, call->request.size);
}

static void
answer_peer(struct calls *c, uint64_t peer, uint64_t slot, enum err status,
    const char *why, const struct buf *reply)
{
	struct buf out = buf_new(NODE_CALL_MAX + 1024);

	buf_u64(&out, slot);
	buf_u16(&out, (uint16_t)status);
	buf_text(&out, why);
	if (reply != NULL)
		buf_raw(&out, reply->data, reply->size);
	if (out.failed == OK)
		(void)!transport_send(c->env->transport, peer, true,
		    FRAME_CALL_RESULT, out.data, out.size);
	buf_wipe(&out);
}

void
node_answer(struct node_incoming *in, enum err status, const struct errmsg *why,
    const struct buf *reply)
{
	const char *text = why == NULL || status == OK ? "" : why->text;
	struct node_call *call = in->local;

	in->calls->incoming--;
	if (call == NULL) {
		answer_peer(in->calls, in->peer, in->slot, status, text, reply);
	} else if (status == ERR_NOTLEADER && !in->calls->env->stopping) {
		/* Led no longer: the next leader executes it. */
		wait_leader(in->calls, call);
	} else {
		if (reply != NULL)
			buf_raw(&call->reply, reply->data, reply->size);
		finish(call, status, text);
	}
	free(in);
}

static void
take_call(struct calls *c, uint64_t from, struct reader in)
{
	struct node_incoming *incoming;
	uint64_t slot;
	uint8_t kind;

	if (!read_u64(&in, &slot) || !read_u8(&in, &kind))
		return;
	if (!consensus_ready(c->env->consensus) || !c->env->formed) {
		answer_peer(
		    c, from, slot, ERR_NOTLEADER, "not the leader", NULL);
		return;
	}
	if (!consensus_has(c->env->consensus, from)) {
		answer_peer(
		    c, from, slot, ERR_REMOVED, err_text(ERR_REMOVED), NULL);
		return;
	}
	incoming =
	    c->incoming < INCOMING_MAX ? calloc(1, sizeof(*incoming)) : NULL;
	if (incoming == NULL) {
		answer_peer(c, from, slot, ERR_BUSY,
		    "the leader has too many calls under way", NULL);
		return;
	}
	*incoming =
	    (struct node_incoming){.calls = c, .peer = from, .slot = slot};
	c->incoming++;
	execute(c, incoming, kind, in.data, in.size);
}

/* ---- on a follower --------------------------------------------------------
 */

static enum err
send_call(struct calls *c, struct node_call *call, uint64_t leader)
{
	struct buf out = buf_new(NODE_CALL_MAX + 1024);
	enum err rc;

	call->slot = ++c->slot;
	call->peer = leader;
	buf_u64(&out, call->slot);
	buf_u8(&out, (uint8_t)call->kind);
	buf_raw(&out, call->request.data, call->request.size);
	rc = out.failed != OK ? out.failed
			      : transport_send(c->env->transport, leader, true,
				    FRAME_CALL, out.data, out.size);
	buf_wipe(&out);
	if (rc == OK)
		metrics_add(METRIC_RPC_FORWARDED, 1);
	return rc;
}

static void
take_result(struct calls *c, struct reader in)
{
	struct node_call *call, **link = &c->sent;
	uint64_t slot;
	uint16_t status;
	char *text;

	if (!read_u64(&in, &slot) || !read_u16(&in, &status) ||
	    read_text(&in, ERRMSG_SIZE, &text) != OK)
		return;
	while ((call = *link) != NULL && call->slot != slot)
		link = &call->next;
	if (call != NULL) {
		*link = call->next;
		if (status == ERR_NOTLEADER) {
			c->held = true;
			wait_leader(c, call);
		} else {
			buf_raw(&call->reply, in.data, in.size);
			finish(call, (enum err)status, text);
		}
	}
	free(text);
}

void
calls_frame(struct calls *c, uint64_t from, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};

	if (c->env->stopping)
		return;
	if (frame->type == FRAME_CALL)
		take_call(c, from, in);
	else
		take_result(c, in);
}

void
calls_pump(struct calls *c)
{
	struct node_call *all = c->waiting, *call;
	uint64_t leader = consensus_leader(c->env->consensus);
	bool here = consensus_ready(c->env->consensus) && c->env->formed;
	bool there = !c->held && leader != 0 &&
	    leader != c->env->identity->id &&
	    transport_mutual(c->env->transport, leader);

	if (all == NULL || c->env->stopping || (!here && !there))
		return;
	c->waiting = NULL;
	while ((call = all) != NULL) {
		all = call->next;
		if (here)
			execute_local(c, call);
		else if (send_call(c, call, leader) == OK)
			wait_answer(c, call);
		else
			push(&c->waiting, call);
	}
}

static void
expire(
    struct node_call **list, uint64_t now_ms, enum err status, const char *why)
{
	struct node_call *call, **link = list;

	while ((call = *link) != NULL) {
		if (now_ms < call->until_ms) {
			link = &call->next;
			continue;
		}
		*link = call->next;
		finish(call, status, why);
	}
}

static const char unknown_text[] =
    "the leader did not answer: the outcome is unknown, read before you retry";

void
calls_tick(struct calls *c, uint64_t now_ms)
{
	c->held = false;
	if (c->env->removed)
		expire(&c->waiting, UINT64_MAX, ERR_REMOVED,
		    err_text(ERR_REMOVED));
	expire(&c->waiting, now_ms, ERR_NOLEADER, "No cluster leader");
	expire(&c->sent, now_ms, ERR_UNKNOWN, unknown_text);
}

void
calls_peer_down(struct calls *c, uint64_t peer)
{
	struct node_call *call, **link = &c->sent;

	while ((call = *link) != NULL) {
		if (call->peer != peer) {
			link = &call->next;
			continue;
		}
		*link = call->next;
		finish(call, ERR_UNKNOWN, unknown_text);
	}
}

void
calls_stop(struct calls *c)
{
	expire(&c->waiting, UINT64_MAX, ERR_CLOSED, "this server is stopping");
	expire(&c->sent, UINT64_MAX, ERR_UNKNOWN, unknown_text);
}
