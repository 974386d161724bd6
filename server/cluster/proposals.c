#include "server/cluster/proposals.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/command.h"
#include "server/cluster/consensus.h"
#include "server/cluster/forwards.h"
#include "server/cluster/identity.h"
#include "server/cluster/outbox.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/metrics.h"

#define FLIGHTS_MAX   4    /* entries under way */
#define BEHIND_MS     1000 /* how long an answer waits for this server */
#define QUOTA_PERCENT 80   /* of the quota: writes stop, removals pass */

/* One entry between submit and commit. */
struct flight {
	uint64_t index; /* 0 = free */
	uint8_t hash[DB_HASH_SIZE];
	bool resolved; /* applied: results are in the items */
	uint16_t count;
	struct node_proposal *items[ENTRY_COMMANDS_MAX];
};

struct proposals {
	struct env *env;
	struct proposal_list queued; /* to be packed or forwarded */
	struct proposal_list
	    behind;               /* answered, this server has not applied it */
	struct forwards forwards; /* sent to the leader */
	struct flight flights[FLIGHTS_MAX];
	unsigned remote; /* from other servers, not yet answered */
	struct buf entry;
	struct outbox *results; /* answers to other servers, per turn */
	atomic_uint held;       /* local ones not yet answered, all threads */
};

enum err
proposals_new(struct env *env, struct proposals **out, struct errmsg *why)
{
	struct proposals *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	s->env = env;
	proposal_list_init(&s->queued);
	forwards_init(&s->forwards, env);
	proposal_list_init(&s->behind);
	s->entry = buf_new(ENTRY_SIZE_MAX);
	if (outbox_new(FRAME_PROPOSE_RESULT, &s->results, why) != OK) {
		free(s);
		return ERR_NOMEM;
	}
	*out = s;
	return OK;
}

void
proposals_free(struct proposals *s)
{
	if (s == NULL)
		return;
	buf_wipe(&s->entry);
	outbox_free(s->results);
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

/* Encode and queue the answer to another server; the proposal is ours. */
static void
answer_remote(struct proposals *s, struct node_proposal *p)
{
	struct buf *out = outbox_item(s->results, s->env->transport, p->peer);

	if (out != NULL) {
		buf_u64(out, p->id.sequence);
		buf_u16(out, (uint16_t)p->status);
		buf_text(out, p->status == OK ? "" : p->why.text);
		if (p->status == OK)
			fsm_result_encode(&p->result, out);
	}
	s->remote--;
	buf_wipe(&p->command);
	free(p);
}

/* The end of a proposal: status (and result or why) are set. */
static void
finish(struct proposals *s, struct node_proposal *p)
{
	if (p->home == NULL) {
		answer_remote(s, p);
		return;
	}
	forwards_forget(&s->forwards, p);
	buf_wipe(&p->command);
	atomic_fetch_sub_explicit(&s->held, 1, memory_order_relaxed);
	p->task.run = run_callback;
	loop_post(p->home, &p->task);
}

static void
fail(struct proposals *s, struct node_proposal *p, enum err status,
    const char *why)
{
	p->status = err_set(&p->why, status, "%s", why);
	finish(s, p);
}

static const char unknown_text[] =
    "leadership lost while committing log: the outcome is unknown, read "
    "before you retry";

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
	proposal_list_push(&s->queued, p);
}

enum err
proposals_enter(struct proposals *s, struct loop *home, struct buf *command,
    bool internal, struct node_proposal *p, node_propose_cb cb)
{
	unsigned held;

	if (command->size > COMMAND_SIZE_MAX)
		return ERR_LIMIT;
	held = atomic_fetch_add_explicit(&s->held, 1, memory_order_relaxed);
	if (held >= s->env->config->max_proposals && !internal) {
		atomic_fetch_sub_explicit(&s->held, 1, memory_order_relaxed);
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

static bool
admitted(struct proposals *s, struct node_proposal *p)
{
	struct env *env = s->env;
	uint64_t used;

	if (p->internal || command_is_removal(p->command.data, p->command.size))
		return true;
	used = db_used(machine_db(consensus_machine(env->consensus)));
	if (used > env->quota / 100 * QUOTA_PERCENT) {
		p->status = err_set(&p->why, ERR_FULL,
		    "state quota reached: %" PRIu64 " bytes in use, writes "
		    "stop at %d %% of limits.state_quota %" PRIu64,
		    used, QUOTA_PERCENT, env->quota);
		return false;
	}
	if (env->low_disk) {
		p->status = err_set(&p->why, ERR_FULL,
		    "a server is low on disk space, only removals are taken");
		return false;
	}
	return true;
}

static struct flight *
free_flight(struct proposals *s)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (s->flights[i].index == 0)
			return &s->flights[i];
	}
	return NULL;
}

/* The next proposal that may be packed now; those refused are answered. */
static struct node_proposal *
next_admitted(struct proposals *s)
{
	struct node_proposal *p;

	while ((p = s->queued.head) != NULL) {
		if (!s->env->formed && !p->internal)
			return NULL; /* hazard 6: before all first servers vote
				      */
		(void)proposal_list_pop(&s->queued);
		if (admitted(s, p))
			return p;
		finish(s, p);
	}
	return NULL;
}

static void
give_back(struct proposals *s, struct flight *f, enum err rc,
    const struct errmsg *why)
{
	for (size_t i = 0; i < f->count; i++) {
		if (rc == ERR_NOTLEADER && f->items[i]->home != NULL)
			proposal_list_push(&s->queued, f->items[i]);
		else
			fail(s, f->items[i], rc, why->text);
	}
	f->count = 0;
}

static void
pack(struct proposals *s)
{
	struct node_proposal *p;
	struct errmsg why;
	struct flight *f;
	uint64_t index;
	enum err rc;

	while (s->queued.head != NULL && (f = free_flight(s)) != NULL) {
		f->count = 0;
		f->resolved = false;
		buf_reset(&s->entry);
		consensus_begin(s->env->consensus, &s->entry);
		while (f->count < ENTRY_COMMANDS_MAX &&
		    s->entry.size < ENTRY_SIZE_SOFT &&
		    (p = next_admitted(s)) != NULL) {
			/* What came from a client of this server and was never
			 * forwarded is not retried: no id, no row. */
			if (p->home != NULL && p->id.sequence != 0)
				p->id.lowest = forwards_lowest(&s->forwards);
			entry_add(&s->entry, &p->id, p->command.data,
			    p->command.size);
			f->items[f->count++] = p;
		}
		if (f->count == 0)
			return;
		rc = consensus_submit(s->env->consensus, &s->entry, f->count,
		    &index, f->hash, &why);
		if (rc != OK) {
			give_back(s, f, rc, &why);
			return;
		}
		f->index = index;
	}
}

static struct flight *
find_flight(struct proposals *s, uint64_t index)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (s->flights[i].index == index && !s->flights[i].resolved)
			return &s->flights[i];
	}
	return NULL;
}

static void
clear_flight(struct flight *f)
{
	f->index = 0;
	f->count = 0;
	f->resolved = false;
}

void
proposals_applied(struct proposals *s, uint64_t index,
    const uint8_t hash[static DB_HASH_SIZE], const struct fsm_outcome *outcome)
{
	struct flight *f = find_flight(s, index);
	struct node_proposal *p;

	if (f == NULL)
		return;
	if (memcmp(hash, f->hash, DB_HASH_SIZE) != 0) {
		/* Another leader's entry took the place: ours never will be. */
		give_back(s, f, ERR_NOTLEADER,
		    &(struct errmsg){"not the leader any more"});
		clear_flight(f);
		return;
	}
	f->resolved = true;
	for (uint16_t i = 0; i < f->count; i++) {
		p = f->items[i];
		if (i < outcome->count) {
			p->result = outcome->results[i];
			continue;
		}
		p->result = (struct fsm_result){.code = ERR_INTERNAL};
		(void)snprintf(p->result.why, sizeof(p->result.why), "%.200s",
		    outcome->why.text);
	}
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
	struct flight *f;

	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		f = &s->flights[i];
		if (f->index == 0 || !f->resolved)
			continue;
		for (uint16_t k = 0; k < f->count; k++)
			succeed(s, f->items[k]);
		clear_flight(f);
	}
	release_behind(s, 0);
	outbox_flush(s->results, s->env->transport);
}

void
proposals_dropped(struct proposals *s, uint64_t index)
{
	struct flight *f = find_flight(s, index);

	if (f == NULL)
		return;
	for (uint16_t i = 0; i < f->count; i++)
		fail(s, f->items[i], ERR_UNKNOWN, unknown_text);
	clear_flight(f);
}

/* ---- on a follower ------------------------------------------------------- */

static void
take_result(struct proposals *s, uint64_t sequence, enum err status,
    const char *why, const struct fsm_result *result)
{
	struct node_proposal *p = forwards_take(&s->forwards, sequence);

	if (p == NULL)
		return; /* answered meanwhile, by its deadline */
	if (status == OK) {
		p->result = *result;
		/* The table no longer knew the id: perhaps applied. */
		if (result->code == ERR_UNKNOWN)
			fail(s, p, ERR_UNKNOWN, unknown_text);
		else
			succeed(s, p);
	} else if (status == ERR_NOTLEADER || status == ERR_UNKNOWN) {
		proposal_list_push(
		    &s->queued, p); /* again, under the same id */
	} else {
		fail(s, p, status, why);
	}
}

static void
take_results(struct proposals *s, struct reader in)
{
	struct fsm_result result;
	struct errmsg why;
	uint64_t sequence;
	uint16_t status;
	char *text;

	while (in.size > 0) {
		if (!read_u64(&in, &sequence) || !read_u16(&in, &status) ||
		    read_text(&in, ERRMSG_SIZE, &text) != OK)
			return;
		(void)err_set(&why, OK, "%s", text);
		free(text);
		if (status == OK && !fsm_result_decode(&in, &result))
			return;
		take_result(s, sequence, (enum err)status, why.text, &result);
	}
}

/* ---- from another server --------------------------------------------------
 */

static void
take_remote(struct proposals *s, uint64_t from, struct request_id id,
    const uint8_t *command, size_t size)
{
	struct node_proposal *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return; /* the sender's deadline answers it */
	p->peer = from;
	p->id = id;
	p->command = buf_new(COMMAND_SIZE_MAX);
	buf_raw(&p->command, command, size);
	p->begun_ms = time_mono_ms();
	s->remote++;
	if (p->command.failed != OK)
		fail(s, p, p->command.failed, err_text(p->command.failed));
	else if (s->remote > s->env->config->max_proposals)
		fail(s, p, ERR_BUSY, "the leader's proposal queue is full");
	else if (!consensus_ready(s->env->consensus) || !s->env->formed)
		fail(s, p, ERR_NOTLEADER, "not the leader");
	else
		proposal_list_push(&s->queued, p);
}

static void
take_proposals(struct proposals *s, uint64_t from, struct reader in)
{
	struct request_id id = {.server = from};
	const uint8_t *command;
	uint16_t count;
	size_t size;

	if (!read_u64(&in, &id.start) || !read_u64(&in, &id.lowest) ||
	    !read_u16(&in, &count))
		return;
	for (uint16_t i = 0; i < count; i++) {
		if (!read_u64(&in, &id.sequence) || id.sequence == 0 ||
		    !read_bytes(&in, COMMAND_SIZE_MAX, &command, &size))
			return;
		take_remote(s, from, id, command, size);
	}
}

void
proposals_frame(struct proposals *s, uint64_t from, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};

	if (s->env->stopping)
		return;
	if (frame->type == FRAME_PROPOSE)
		take_proposals(s, from, in);
	else
		take_results(s, in);
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

void
proposals_role(struct proposals *s)
{
	uint64_t leader = consensus_leader(s->env->consensus);

	if (leader != 0)
		forwards_requeue(&s->forwards, leader, &s->queued);
}

void
proposals_pump(struct proposals *s)
{
	uint64_t leader;

	if (s->queued.head != NULL && !s->env->stopping) {
		leader = consensus_leader(s->env->consensus);
		if (consensus_leading(s->env->consensus)) {
			if (consensus_ready(s->env->consensus))
				pack(s);
		} else if (leader != 0 && leader != s->env->identity->id &&
		    transport_connected(s->env->transport, leader)) {
			forwards_send(&s->forwards, leader, &s->queued);
		}
	}
	outbox_flush(s->results, s->env->transport);
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
		else if (p->sent)
			fail(s, p, ERR_UNKNOWN, unknown_text);
		else
			fail(s, p, ERR_NOLEADER, "No cluster leader");
	}
}

void
proposals_tick(struct proposals *s, uint64_t now_ms)
{
	expire(s, &s->queued, now_ms);
	expire(s, &s->forwards.sent, now_ms);
	release_behind(s, now_ms);
}

void
proposals_stop(struct proposals *s)
{
	struct node_proposal *p;

	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		for (uint16_t k = 0; k < s->flights[i].count; k++)
			fail(s, s->flights[i].items[k], ERR_UNKNOWN,
			    unknown_text);
		clear_flight(&s->flights[i]);
	}
	while ((p = proposal_list_pop(&s->forwards.sent)) != NULL)
		fail(s, p, ERR_UNKNOWN, unknown_text);
	while ((p = proposal_list_pop(&s->behind)) != NULL)
		finish(s, p);
	while ((p = proposal_list_pop(&s->queued)) != NULL)
		fail(s, p, p->sent ? ERR_UNKNOWN : ERR_CLOSED,
		    p->sent ? unknown_text : "this server is stopping");
	outbox_flush(s->results, s->env->transport);
}

bool
proposals_waiting(const struct proposals *s)
{
	return s->queued.head != NULL;
}
