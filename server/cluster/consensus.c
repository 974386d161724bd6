/*
 * Life of an entry on the leader: consensus_submit -> raft_apply -> the log is
 * written here and on a majority -> machine applies it -> the local log has
 * stored it -> machine commits -> events. Failure paths: raft_apply refuses at
 * once (nothing happened); its callback reports an error (events.dropped:
 * unknown until applied); anything that fails on disk ends the process.
 */
#include "server/cluster/consensus_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/entry.h"
#include "server/cluster/raftmsg.h"
#include "server/log.h"
#include "server/metrics.h"

void
consensus_fatal(void *arg, const char *what, const char *reason)
{
	(void)arg;
	log_event(
	    LOG_ERROR, "raft", "%s failed, stopping: reason=%s", what, reason);
	err_die("conclaved: %s failed: %s", what, reason);
}

/* ---- role ------------------------------------------------------------- */

struct barrier {
	struct raft_barrier req;
	struct consensus *c;
	uint64_t term;
};

static void
barrier_done(struct raft_barrier *req, int status)
{
	struct barrier *b = CONTAINER_OF(req, struct barrier, req);
	struct consensus *c = b->c;

	c->barrier = false;
	if (status == 0 && raft_state(&c->raft) == RAFT_LEADER &&
	    b->term == raft_current_term(&c->raft) && !c->closing) {
		/* All that was inherited is applied: the chain starts here. */
		machine_chain(c->machine, c->tail);
		c->ready = true;
		log_event(LOG_INFO, "raft",
		    "leadership established: term=%" PRIu64, b->term);
		c->events->role(c->arg);
	}
	free(b);
}

static void
begin_leadership(struct consensus *c)
{
	struct barrier *b;

	if (c->barrier)
		return; /* of an earlier term: tried again once it is over */
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return; /* tried again at the next turn */
	b->c = c;
	b->term = raft_current_term(&c->raft);
	if (raft_barrier(&c->raft, &b->req, barrier_done) != 0)
		free(b); /* no longer leader, or no log space */
	else
		c->barrier = true;
}

void
consensus_hurry(struct consensus *c)
{
	unsigned hurried_ms = 2 * c->raft.heartbeat_timeout;

	if (!c->started || c->closing || c->leader == 0 ||
	    consensus_leading(c) || hurried_ms >= c->election_ms)
		return;
	c->hurried = c->leader;
	raft_set_election_timeout(&c->raft, hurried_ms);
}

void
consensus_calm(struct consensus *c)
{
	if (c->hurried == 0)
		return;
	c->hurried = 0;
	raft_set_election_timeout(&c->raft, c->election_ms);
}

static void
follow_role(struct consensus *c)
{
	int state = (int)raft_state(&c->raft);
	uint64_t term = raft_current_term(&c->raft);
	const char *address;
	raft_id leader = 0;

	raft_leader(&c->raft, &leader, &address);
	if (state != c->state || term != c->term || leader != c->leader) {
		if (state == RAFT_CANDIDATE && c->state != RAFT_CANDIDATE)
			metrics_add(METRIC_RAFT_ELECTIONS, 1);
		if (c->ready && (state != RAFT_LEADER || term != c->term)) {
			c->ready = false;
			log_event(LOG_WARN, "raft",
			    "leadership lost: term=%" PRIu64, c->term);
		}
		c->state = state;
		c->term = term;
		c->leader = leader;
		if (leader != 0 && leader != c->hurried)
			consensus_calm(c);
		c->events->role(c->arg);
	}
	if (state == RAFT_LEADER && !c->ready)
		begin_leadership(c);
}

void
consensus_turn(struct consensus *c)
{
	if (c->closing)
		return;
	follow_role(c);
	machine_commit(c->machine);
	c->events->turn(c->arg);
}

/* ---- what it knows ------------------------------------------------------ */

struct machine *
consensus_machine(struct consensus *c)
{
	return c->machine;
}

struct raft *
consensus_raft(struct consensus *c)
{
	return &c->raft;
}

bool
consensus_leading(const struct consensus *c)
{
	return c->started && !c->closing && c->raft.state == RAFT_LEADER;
}

bool
consensus_ready(const struct consensus *c)
{
	return c->ready && consensus_leading(c) &&
	    c->raft.current_term == c->term;
}

uint64_t
consensus_term(const struct consensus *c)
{
	return c->raft.current_term;
}

uint64_t
consensus_leader(const struct consensus *c)
{
	return c->leader;
}

bool
consensus_has(const struct consensus *c, uint64_t id)
{
	const struct raft_configuration *conf = &c->raft.configuration;

	for (unsigned i = 0; i < conf->n; i++) {
		if (conf->servers[i].id == id)
			return true;
	}
	return false;
}

bool
consensus_is_voter(const struct consensus *c, uint64_t id)
{
	const struct raft_configuration *conf = &c->raft.configuration;

	for (unsigned i = 0; i < conf->n; i++) {
		if (conf->servers[i].id == id)
			return conf->servers[i].role == RAFT_VOTER;
	}
	return false;
}

unsigned
consensus_voters(const struct consensus *c)
{
	const struct raft_configuration *conf = &c->raft.configuration;
	unsigned n = 0;

	for (unsigned i = 0; i < conf->n; i++)
		n += conf->servers[i].role == RAFT_VOTER;
	return n;
}

/* ---- entries ------------------------------------------------------------ */

struct submission {
	struct raft_apply req;
	struct consensus *c;
};

static void
submission_done(struct raft_apply *req, int status, void *result)
{
	struct submission *s = CONTAINER_OF(req, struct submission, req);

	(void)result;
	if (status != 0)
		s->c->events->dropped(s->c->arg, req->index);
	free(s);
}

void
consensus_begin(struct consensus *c, struct buf *out)
{
	entry_begin(out, raft_last_index(&c->raft) + 1,
	    raft_current_term(&c->raft), c->tail);
}

enum err
consensus_submit(struct consensus *c, struct buf *entry, uint16_t count,
    uint64_t *index, uint8_t hash[static DB_HASH_SIZE], struct errmsg *why)
{
	struct submission *s = NULL;
	struct raft_buffer b = {0};
	enum err rc;
	int rv;

	if (!consensus_ready(c))
		return err_set(why, ERR_NOTLEADER, "not the leader");
	rc = entry_end(entry, count, hash, why);
	if (rc != OK)
		return rc;
	assert(entry->size % 8 == 0); /* libraft breaks on other lengths */
	s = calloc(1, sizeof(*s));
	b.base = raft_malloc(entry->size);
	b.len = entry->size;
	if (s == NULL || b.base == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	memcpy(b.base, entry->data, entry->size);
	s->c = c;
	rv = raft_apply(&c->raft, &s->req, &b, 1, submission_done);
	if (rv == RAFT_NOTLEADER || rv == RAFT_NOSPACE) {
		rc = rv == RAFT_NOTLEADER
		    ? err_set(why, ERR_NOTLEADER, "not the leader")
		    : err_set(why, ERR_FULL, "no space for the log on disk");
		goto out;
	}
	if (rv != 0) /* libraft's own state is broken now (notes, 6) */
		consensus_fatal(c, "submitting an entry", raft_strerror(rv));
	*index = s->req.index;
	memcpy(c->tail, hash, DB_HASH_SIZE);
	return OK;
out:
	raft_free(b.base);
	free(s);
	return rc;
}

void
consensus_deliver(struct consensus *c, struct raft_message *message)
{
	if (c->raftio != NULL)
		raftio_deliver(c->raftio, message);
	else
		raftmsg_free(message);
}

void
consensus_mute(struct consensus *c, bool muted)
{
	raftio_mute(c->raftio, muted);
}

void
consensus_tick(struct consensus *c, uint64_t now_ms)
{
	if (c->started && !c->closing)
		raftio_tick(c->raftio, now_ms);
}
