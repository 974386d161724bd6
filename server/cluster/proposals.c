#include "server/cluster/proposals.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/command.h"
#include "server/cluster/consensus.h"
#include "server/cluster/flights.h"
#include "server/cluster/forwards.h"
#include "server/cluster/guests.h"
#include "server/cluster/identity.h"
#include "server/cluster/membership.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/metrics.h"

#define BEHIND_MS     1000 /* how long an answer waits for this server */
#define QUOTA_PERCENT 80   /* of the quota: writes stop, removals pass */

struct proposals {
	struct env *env;
	struct proposal_list queued; /* to be packed or forwarded */
	struct proposal_list
	    behind;               /* answered, this server has not applied it */
	struct forwards forwards; /* sent to the leader */
	struct flights *flights;  /* in entries of ours */
	bool held;             /* nobody took what was forwarded: for a while */
	struct guests *guests; /* of other servers */
	atomic_uint unanswered; /* local ones, all threads */
};

enum err
proposals_new(struct env *env, struct proposals **out, struct errmsg *why)
{
	struct proposals *s = calloc(1, sizeof(*s));
	enum err rc;

	if (s == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	s->env = env;
	proposal_list_init(&s->queued);
	forwards_init(&s->forwards, env);
	proposal_list_init(&s->behind);
	rc = flights_new(env, &s->flights, why);
	if (rc == OK)
		rc = guests_new(env, &s->guests, why);
	if (rc != OK) {
		proposals_free(s);
		return rc;
	}
	*out = s;
	return OK;
}

void
proposals_free(struct proposals *s)
{
	if (s == NULL)
		return;
	flights_free(s->flights);
	guests_free(s->guests);
	free(s);
}

/* ---- answers ------------------------------------------------------------ */

static void
run_callback(struct loop_task *task)
{
	struct node_proposal *p =
	    CONTAINER_OF(task, struct node_proposal, task);

	p->cb(p);
}

/* The end of a proposal: status (and result or why) are set. */
static void
finish(struct proposals *s, struct node_proposal *p)
{
	if (p->home == NULL) {
		guests_answer(s->guests, p);
		return;
	}
	forwards_forget(&s->forwards, p);
	buf_wipe(&p->command);
	atomic_fetch_sub_explicit(&s->unanswered, 1, memory_order_relaxed);
	p->task.run = run_callback;
	loop_post(p->home, &p->task);
}

static const char unknown_text[] =
    "leadership lost while committing log: the outcome is unknown, read "
    "before you retry";

/* An earlier attempt at a leader that was lost may be applied, whatever
 * becomes of this one. */
static void
fail(struct proposals *s, struct node_proposal *p, enum err status,
    const char *why)
{
	if (p->doubtful)
		p->status = err_set(&p->why, ERR_UNKNOWN, "%s", unknown_text);
	else
		p->status = err_set(&p->why, status, "%s", why);
	finish(s, p);
}

static void
fail_all(struct proposals *s, struct proposal_list *list, enum err status,
    const char *why)
{
	struct node_proposal *p;

	while ((p = proposal_list_pop(list)) != NULL)
		fail(s, p, status, why);
}

/* Surely not applied by who was asked: somebody else is asked, by us or by the
 * server it came from. What this server does as the leader, it does only as
 * the leader. */
static void
retry(struct proposals *s, struct node_proposal *p)
{
	if (p->home == NULL || p->internal)
		fail(s, p, ERR_NOTLEADER, "not the leader");
	else
		proposal_list_push(&s->queued, p);
}

static void
succeed(struct proposals *s, struct node_proposal *p)
{
	uint64_t now = time_mono_ms();

	p->status = OK;
	metrics_observe(METRIC_RAFT_COMMIT_TIME, (double)(now - p->begun_ms));
	if (p->home != NULL &&
	    p->result.revision >
		machine_revision(consensus_machine(s->env->consensus))) {
		forwards_forget(&s->forwards, p);
		p->deadline_ms = now + BEHIND_MS;
		proposal_list_push(&s->behind, p);
		return;
	}
	finish(s, p);
}

/* ---- arrival --------------------------------------------------------------
 */

static void
arrive(struct loop_task *task)
{
	struct node_proposal *p =
	    CONTAINER_OF(task, struct node_proposal, task);
	struct proposals *s = p->owner;

	if (s->env->stopping) {
		fail(s, p, ERR_CLOSED, "this server is stopping");
		return;
	}
	p->begun_ms = time_mono_ms();
	p->deadline_ms = p->begun_ms + s->env->config->rpc_hold_ms;
	if (!p->internal)
		proposal_list_push(&s->queued, p);
	else if (consensus_leading(s->env->consensus))
		/* Those of clients may be waiting for what it brings. */
		proposal_list_push_front(&s->queued, p);
	else
		fail(s, p, ERR_NOTLEADER, "not the leader");
}

enum err
proposals_enter(struct proposals *s, struct loop *home, struct buf *command,
    bool internal, struct node_proposal *p, node_propose_cb cb)
{
	unsigned held;

	if (command->size > COMMAND_SIZE_MAX)
		return ERR_LIMIT;
	held =
	    atomic_fetch_add_explicit(&s->unanswered, 1, memory_order_relaxed);
	if (held >= s->env->config->max_proposals && !internal) {
		atomic_fetch_sub_explicit(
		    &s->unanswered, 1, memory_order_relaxed);
		return ERR_BUSY;
	}
	*p = (struct node_proposal){.cb = cb,
	    .home = home,
	    .owner = s,
	    .internal = internal,
	    .command = *command};
	*command = buf_new(command->max);
	p->task.run = arrive;
	loop_post(s->env->loop, &p->task);
	return OK;
}

/* ---- on the leader --------------------------------------------------------
 */

/* May it be written now? If not, it is answered. */
static bool
admitted(struct proposals *s, struct node_proposal *p)
{
	struct env *env = s->env;
	struct errmsg why;
	uint64_t used;

	if (p->internal || command_is_removal(p->command.data, p->command.size))
		return true;
	used = db_used(machine_db(consensus_machine(env->consensus)));
	if (used > env->quota / 100 * QUOTA_PERCENT) {
		(void)err_set(&why, ERR_FULL,
		    "state quota reached: %" PRIu64 " bytes in use, writes "
		    "stop at %d %% of limits.state_quota %" PRIu64,
		    used, QUOTA_PERCENT, env->quota);
		fail(s, p, ERR_FULL, why.text);
		return false;
	}
	if (env->low_disk) {
		fail(s, p, ERR_FULL,
		    "a server is low on disk space, only removals are taken");
		return false;
	}
	return true;
}

/* The next proposal that may be packed now. */
static struct node_proposal *
next_admitted(void *arg)
{
	struct proposals *s = arg;
	struct node_proposal *p;

	while ((p = s->queued.head) != NULL) {
		if (!s->env->formed && !p->internal)
			return NULL; /* hazard 6: before all first servers vote
				      */
		(void)proposal_list_pop(&s->queued);
		if (!admitted(s, p))
			continue;
		/* What came from a client of this server and was never
		 * forwarded is not retried: no id, no row. */
		if (p->home != NULL && p->id.sequence != 0)
			p->id.lowest = forwards_lowest(&s->forwards);
		return p;
	}
	return NULL;
}

static void
pack(struct proposals *s)
{
	struct proposal_list back;
	struct errmsg why;
	enum err rc = OK;

	while (rc == OK && s->queued.head != NULL && flights_room(s->flights)) {
		proposal_list_init(&back);
		rc = flights_submit(s->flights, next_admitted, s, &back, &why);
		if (rc == ERR_NOTLEADER) /* handing on, or no more: see role */
			proposal_list_prepend(&s->queued, &back);
		else if (rc != OK)
			fail_all(s, &back, rc, why.text);
	}
}

void
proposals_applied(struct proposals *s, uint64_t index,
    const uint8_t hash[static DB_HASH_SIZE], const struct fsm_outcome *outcome)
{
	struct proposal_list overwritten;
	struct node_proposal *p;

	proposal_list_init(&overwritten);
	flights_applied(s->flights, index, hash, outcome, &overwritten);
	while ((p = proposal_list_pop(&overwritten)) != NULL)
		retry(s, p);
}

/* Answers that waited for this server to catch up. */
static void
release_behind(struct proposals *s, uint64_t now_ms)
{
	uint64_t revision =
	    machine_revision(consensus_machine(s->env->consensus));
	struct proposal_list old = s->behind;
	struct node_proposal *p;

	if (old.head == NULL)
		return;
	proposal_list_init(&s->behind);
	while (old.head != NULL) {
		p = old.head;
		old.head = p->next;
		p->behind = p->result.revision > revision;
		if (p->behind && now_ms < p->deadline_ms)
			proposal_list_push(&s->behind, p);
		else
			finish(s, p);
	}
}

void
proposals_committed(struct proposals *s)
{
	struct proposal_list done;
	struct node_proposal *p;

	proposal_list_init(&done);
	flights_committed(s->flights, &done);
	while ((p = proposal_list_pop(&done)) != NULL)
		succeed(s, p);
	release_behind(s, 0);
	guests_flush(s->guests);
}

void
proposals_dropped(struct proposals *s, uint64_t index)
{
	struct proposal_list lost;

	proposal_list_init(&lost);
	flights_dropped(s->flights, index, &lost);
	fail_all(s, &lost, ERR_UNKNOWN, unknown_text);
}

/* ---- on a follower ------------------------------------------------------- */

static void
take_result(struct proposals *s, struct node_proposal *p,
    const struct guests_result *item)
{
	p->sent = false;
	if (item->status == OK && item->result.code == ERR_UNKNOWN) {
		/* The table no longer knew the id: perhaps applied. */
		fail(s, p, ERR_UNKNOWN, unknown_text);
	} else if (item->status == OK) {
		p->result = item->result;
		succeed(s, p);
	} else if (item->status == ERR_NOTLEADER) {
		s->held = true;
		retry(s, p);
	} else if (item->status == ERR_UNKNOWN) {
		p->doubtful = true;
		retry(s, p); /* under the same id */
	} else {
		fail(s, p, item->status, item->why.text);
	}
}

void
proposals_frame(struct proposals *s, uint64_t from, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};
	struct guests_result item;
	struct node_proposal *p;

	if (s->env->stopping)
		return;
	if (frame->type == FRAME_PROPOSE) {
		/* Packed once we are ready; else proposals_role answers. */
		guests_take(s->guests, from, in, &s->queued);
		return;
	}
	/* Only who was asked last can answer: what another said of an earlier
	 * attempt says nothing of this one. */
	while (in.size > 0 && guests_result_decode(&in, &item)) {
		p = forwards_take(&s->forwards, from, item.sequence);
		if (p != NULL) /* else answered meanwhile, by its deadline */
			take_result(s, p, &item);
	}
}

/* ---- time and role ----------------------------------------------------------
 */

void
proposals_peer_down(struct proposals *s, uint64_t peer)
{
	const struct node_proposal *first = s->forwards.sent.head;

	if (first != NULL && first->peer == peer)
		forwards_requeue(&s->forwards, 0, &s->queued);
}

/* Not the leader (any more): what only the leader may pack goes back. */
static void
return_queued(struct proposals *s)
{
	struct proposal_list old = s->queued;
	struct node_proposal *p;

	proposal_list_init(&s->queued);
	while (old.head != NULL) {
		p = old.head;
		old.head = p->next;
		retry(s, p);
	}
}

void
proposals_role(struct proposals *s)
{
	uint64_t leader = consensus_leader(s->env->consensus);

	s->held = false;
	if (leader != 0)
		forwards_requeue(&s->forwards, leader, &s->queued);
	if (!consensus_leading(s->env->consensus))
		return_queued(s);
}

static bool
may_forward(const struct proposals *s, uint64_t leader)
{
	return !s->held && leader != 0 && leader != s->env->identity->id &&
	    transport_mutual(s->env->transport, leader);
}

void
proposals_pump(struct proposals *s)
{
	uint64_t leader = consensus_leader(s->env->consensus);

	if (s->queued.head != NULL && !s->env->stopping) {
		if (!consensus_leading(s->env->consensus)) {
			if (may_forward(s, leader))
				forwards_send(&s->forwards, leader, &s->queued);
		} else if (consensus_ready(s->env->consensus) &&
		    !membership_transferring(s->env->membership)) {
			pack(s);
		}
	}
	guests_flush(s->guests);
}

static void
expire(struct proposals *s, struct proposal_list *list, uint64_t now_ms)
{
	struct proposal_list old = *list;
	struct node_proposal *p;

	proposal_list_init(list);
	while (old.head != NULL) {
		p = old.head;
		old.head = p->next;
		if (p->home == NULL || now_ms < p->deadline_ms)
			proposal_list_push(list, p);
		else if (p->sent) /* by a leader that did not answer */
			fail(s, p, ERR_UNKNOWN, unknown_text);
		else
			fail(s, p, ERR_NOLEADER, "No cluster leader");
	}
}

void
proposals_tick(struct proposals *s, uint64_t now_ms)
{
	s->held = false;
	if (s->env->removed)
		fail_all(s, &s->queued, ERR_REMOVED, err_text(ERR_REMOVED));
	expire(s, &s->queued, now_ms);
	expire(s, &s->forwards.sent, now_ms);
	release_behind(s, now_ms);
}

void
proposals_stop(struct proposals *s)
{
	struct proposal_list lost;
	struct node_proposal *p;

	proposal_list_init(&lost);
	flights_stop(s->flights, &lost);
	fail_all(s, &lost, ERR_UNKNOWN, unknown_text);
	fail_all(s, &s->forwards.sent, ERR_UNKNOWN, unknown_text);
	while ((p = proposal_list_pop(&s->behind)) != NULL)
		finish(s, p);
	fail_all(s, &s->queued, ERR_CLOSED, "this server is stopping");
	guests_flush(s->guests);
}

bool
proposals_waiting(const struct proposals *s)
{
	return s->queued.head != NULL;
}
