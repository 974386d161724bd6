#include "server/cluster/reads.h"

#include <stdlib.h>

#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/duration.h"

#define ROUNDS_WANTED 2    /* under way at once; the rest waits and shares */
#define REMOTE_MAX    4096 /* asks of followers that wait here */

struct reads {
	struct env *env;
	struct quorum *quorum;
	struct node_barrier *waiting;  /* for a round or for the leader */
	struct node_barrier *asking;   /* in a round, or asked */
	struct node_barrier *applying; /* for this server to catch up */
	uint64_t sequence;
	unsigned rounds, remote;
	bool held; /* nobody took what was asked: for a while */
};

static void
push(struct node_barrier **list, struct node_barrier *b)
{
	b->next = *list;
	*list = b;
}

enum err
reads_new(struct env *env, struct reads **out, struct errmsg *why)
{
	struct reads *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	r->env = env;
	*out = r;
	return OK;
}

void
reads_free(struct reads *r)
{
	free(r);
}

void
reads_use_quorum(struct reads *r, struct quorum *quorum)
{
	r->quorum = quorum;
}

static void
run_callback(struct loop_task *task)
{
	struct node_barrier *b = CONTAINER_OF(task, struct node_barrier, task);

	b->cb(b);
}

static void
answer_remote(struct reads *r, struct node_barrier *b)
{
	struct buf out = buf_new(32);

	buf_u64(&out, b->sequence);
	buf_u16(&out, (uint16_t)b->status);
	buf_u64(&out, b->index);
	if (out.failed == OK)
		(void)!transport_send(r->env->transport, b->peer, false,
		    FRAME_BARRIER_RESULT, out.data, out.size);
	buf_free(&out);
	r->remote--;
	free(b);
}

static void
finish(
    struct reads *r, struct node_barrier *b, enum err status, const char *why)
{
	b->status = err_set(&b->why, status, "%s", why);
	if (b->home == NULL) {
		answer_remote(r, b);
		return;
	}
	b->task.run = run_callback;
	loop_post(b->home, &b->task);
}

static void
arrive(struct loop_task *task)
{
	struct node_barrier *b = CONTAINER_OF(task, struct node_barrier, task);
	struct reads *r = b->owner;

	if (r->env->stopping) {
		finish(r, b, ERR_CLOSED, "this server is stopping");
		return;
	}
	b->deadline_ms = time_mono_ms() + r->env->config->rpc_hold_ms;
	push(&r->waiting, b);
}

void
reads_enter(struct reads *r, struct loop *home, struct node_barrier *b,
    node_barrier_cb cb)
{
	*b = (struct node_barrier){.cb = cb, .home = home, .owner = r};
	b->task.run = arrive;
	loop_post(r->env->loop, &b->task);
}

/* Answer those whose index this server shows. */
static void
release(struct reads *r)
{
	uint64_t visible =
	    machine_visible(consensus_machine(r->env->consensus));
	struct node_barrier *b, **link = &r->applying;

	while ((b = *link) != NULL) {
		if (b->index > visible) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		finish(r, b, OK, "");
	}
}

/* All that wait share one round; it begins after they came. */
static void
begin_round(struct reads *r)
{
	uint64_t index = raft_commit_index(consensus_raft(r->env->consensus));
	uint64_t round = quorum_next(r->quorum);
	struct node_barrier *b;

	/* Listed before the round begins: for a lone server it ends inside. */
	while ((b = r->waiting) != NULL) {
		r->waiting = b->next;
		b->index = index;
		b->round = round;
		push(&r->asking, b);
	}
	r->rounds++;
	if (!quorum_begin(r->quorum))
		reads_round_done(r, round, false);
}

static void
ask_leader(struct reads *r, uint64_t leader)
{
	struct buf out = buf_new(8);
	struct node_barrier *b;
	enum err rc;

	buf_u64(&out, r->sequence + 1);
	rc = out.failed != OK ? out.failed
			      : transport_send(r->env->transport, leader, false,
				    FRAME_BARRIER, out.data, out.size);
	buf_free(&out);
	if (rc != OK)
		return; /* still waiting */
	r->sequence++;
	while ((b = r->waiting) != NULL) {
		r->waiting = b->next;
		b->sequence = r->sequence;
		b->peer = leader;
		push(&r->asking, b);
	}
}

static void
lead_no_more(struct reads *r, struct node_barrier *b)
{
	if (b->home == NULL)
		finish(r, b, ERR_NOTLEADER, "not the leader");
	else
		push(&r->waiting, b);
}

void
reads_round_done(struct reads *r, uint64_t round, bool proved)
{
	struct node_barrier *b, **link = &r->asking;

	r->rounds--;
	while ((b = *link) != NULL) {
		if (b->round != round) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		b->round = 0;
		/* Nothing was read yet: who leads now may be asked. */
		if (!proved && !consensus_leading(r->env->consensus))
			lead_no_more(r, b);
		else if (!proved)
			finish(r, b, ERR_TIMEOUT,
			    "leadership could not be confirmed");
		else if (b->home == NULL)
			finish(r, b, OK, "");
		else
			push(&r->applying, b);
	}
}

static void
take_ask(struct reads *r, uint64_t from, struct reader in)
{
	struct node_barrier *b;
	uint64_t sequence;

	if (!read_u64(&in, &sequence) || r->remote >= REMOTE_MAX)
		return;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return; /* the asker's deadline answers it */
	b->peer = from;
	b->sequence = sequence;
	r->remote++;
	/* Until we are ready it waits; if we never are, reads_role answers. */
	if (!consensus_leading(r->env->consensus))
		finish(r, b, ERR_NOTLEADER, "not the leader");
	else if (!consensus_has(r->env->consensus, from))
		finish(r, b, ERR_REMOVED, "");
	else
		push(&r->waiting, b);
}

/* Who was asked does not lead: ask the next leader, or again a little later. */
static void
wait_on(struct reads *r, struct node_barrier *b)
{
	r->held = true;
	push(&r->waiting, b);
}

static void
take_result(struct reads *r, struct reader in)
{
	struct node_barrier *b, **link = &r->asking;
	uint64_t sequence, index;
	uint16_t status;

	if (!read_u64(&in, &sequence) || !read_u16(&in, &status) ||
	    !read_u64(&in, &index))
		return;
	while ((b = *link) != NULL) {
		if (b->sequence != sequence || b->home == NULL ||
		    b->round != 0) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		b->index = index;
		if (status == OK)
			push(&r->applying, b);
		else if (status == ERR_NOTLEADER)
			wait_on(r, b);
		else if (status == ERR_REMOVED)
			finish(r, b, ERR_REMOVED, err_text(ERR_REMOVED));
		else
			finish(r, b, (enum err)status,
			    "leadership could not be confirmed");
	}
}

void
reads_frame(struct reads *r, uint64_t from, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};

	if (r->env->stopping)
		return;
	if (frame->type == FRAME_BARRIER)
		take_ask(r, from, in);
	else
		take_result(r, in);
}

void
reads_pump(struct reads *r)
{
	uint64_t leader;

	if (r->applying != NULL)
		release(r);
	if (r->waiting == NULL || r->env->stopping)
		return;
	if (consensus_leading(r->env->consensus)) {
		if (consensus_ready(r->env->consensus) &&
		    r->rounds < ROUNDS_WANTED)
			begin_round(r);
		return;
	}
	leader = consensus_leader(r->env->consensus);
	if (!r->held && leader != 0 && leader != r->env->identity->id &&
	    transport_mutual(r->env->transport, leader))
		ask_leader(r, leader);
}

/* What was asked of the old leader is asked of the new one: nothing was read
 * yet. Rounds of our own were ended by quorum_reset. */
void
reads_role(struct reads *r)
{
	uint64_t leader = consensus_leader(r->env->consensus);
	struct node_barrier *b, **link = &r->asking;

	r->held = false;
	while ((b = *link) != NULL) {
		if (b->round != 0 || b->peer == leader) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		push(&r->waiting, b);
	}
	if (consensus_leading(r->env->consensus))
		return;
	/* Followers that wait here must ask elsewhere. */
	link = &r->waiting;
	while ((b = *link) != NULL) {
		if (b->home != NULL) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		finish(r, b, ERR_NOTLEADER, "not the leader");
	}
}

void
reads_peer_down(struct reads *r, uint64_t peer)
{
	struct node_barrier *b, **link = &r->asking;

	while ((b = *link) != NULL) {
		if (b->home == NULL || b->round != 0 || b->peer != peer) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		push(&r->waiting, b);
	}
}

static void
expire(struct reads *r, struct node_barrier **list, uint64_t now_ms,
    enum err status, const char *why)
{
	struct node_barrier *b, **link = list;

	while ((b = *link) != NULL) {
		if (b->home == NULL || now_ms < b->deadline_ms) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		finish(r, b, status, why);
	}
}

void
reads_tick(struct reads *r, uint64_t now_ms)
{
	r->held = false;
	if (r->env->removed)
		expire(r, &r->waiting, UINT64_MAX, ERR_REMOVED,
		    err_text(ERR_REMOVED));
	expire(r, &r->waiting, now_ms, ERR_NOLEADER, "No cluster leader");
	expire(r, &r->asking, now_ms, ERR_TIMEOUT,
	    "the leader did not answer in time");
	expire(r, &r->applying, now_ms, ERR_TIMEOUT,
	    "this server lags behind the leader");
}

static void
drain(struct reads *r, struct node_barrier **list)
{
	struct node_barrier *b;

	while ((b = *list) != NULL) {
		*list = b->next;
		finish(r, b, ERR_CLOSED, "this server is stopping");
	}
}

void
reads_stop(struct reads *r)
{
	drain(r, &r->waiting);
	drain(r, &r->asking);
	drain(r, &r->applying);
}
