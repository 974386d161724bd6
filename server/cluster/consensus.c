/*
 * Life of an entry on the leader: consensus_submit -> raft_apply -> the log is
 * written here and on a majority -> machine applies it -> the local log has
 * stored it -> machine commits -> events. Failure paths: raft_apply refuses at
 * once (nothing happened); its callback reports an error (events.dropped:
 * unknown until applied); anything that fails on disk ends the process.
 */
#include "server/cluster/consensus.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "fsm/entry.h"
#include "server/cluster/ballot.h"
#include "server/cluster/doubt.h"
#include "server/cluster/raftio.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "storage/image.h"

#define INFLIGHT_MAX  512   /* AppendEntries under way to one follower */
#define DISK_RETRY_MS 30000 /* above raftio's deadline for appends */
#define CATCH_UP_MAX  20    /* rounds a standby may take to become voter */

struct consensus {
	struct loop *loop;
	const struct consensus_events *events;
	void *arg;
	struct raft raft;
	struct raft_io io;
	struct raft_uv_transport no_transport;
	struct raftio *raftio;
	struct machine *machine;
	struct ballot ballot;
	bool started, closing;
	char address[24]; /* logical: the raft id in hex */

	int state;
	uint64_t term, leader;
	bool ready, barrier;
	uint64_t hurried; /* the leader whose end we hurry after; 0 = none */
	unsigned election_ms;       /* as configured */
	uint8_t tail[DB_HASH_SIZE]; /* hash of the last entry submitted */

	uv_prepare_t prepare;
	uv_check_t check;
	unsigned handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void
fatal(void *arg, const char *what, const char *reason)
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

/* libuv runs prepare before it polls and check after: raft's callbacks and
 * our network events fall between, so both ends are ends of a turn. */
static void
end_turn(struct consensus *c)
{
	if (c->closing)
		return;
	follow_role(c);
	machine_commit(c->machine);
	c->events->turn(c->arg);
}

static void
on_prepare(uv_prepare_t *handle)
{
	end_turn(handle->data);
}

static void
on_check(uv_check_t *handle)
{
	end_turn(handle->data);
}

/* ---- open -------------------------------------------------------------- */

static void
send_message(void *arg, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb)
{
	struct consensus *c = arg;

	c->events->send(c->arg, req, message, cb);
}

static enum err
open_raft(struct consensus *c, const struct config *config, uint64_t id,
    struct worker *worker, const char *dir, struct errmsg *why)
{
	const struct raftio_hooks hooks = {.arg = c,
	    .send = send_message,
	    .dump = machine_dump,
	    .fatal = fatal};
	enum err rc;
	int rv;

	raftio_no_transport(&c->no_transport);
	rv = raft_uv_init(&c->io, loop_uv(c->loop), dir, &c->no_transport);
	if (rv != 0)
		return err_set(why, ERR_IO, "%s: %s", dir, c->io.errmsg);
	raft_uv_set_auto_recovery(&c->io, false);
	raft_uv_set_disk_retry(&c->io, DISK_RETRY_MS);
	rc = raftio_wrap(&c->io, &c->raft, c->loop, worker, &c->ballot, &hooks,
	    time_mono_ms, &c->raftio, why);
	if (rc != OK)
		return rc;
	(void)snprintf(c->address, sizeof(c->address), "%016" PRIx64, id);
	rv = raft_init(
	    &c->raft, &c->io, machine_fsm(c->machine), id, c->address);
	if (rv != 0)
		return err_set(why, rv == RAFT_MALFORMED ? ERR_CORRUPT : ERR_IO,
		    "raft: %s", raft_errmsg(&c->raft));
	c->raft.tracer = NULL; /* else each step formats its trace texts */
	c->election_ms = (unsigned)config->election_ms;
	raft_set_election_timeout(&c->raft, c->election_ms);
	raft_set_heartbeat_timeout(&c->raft, (unsigned)config->heartbeat_ms);
	raft_set_pre_vote(&c->raft, true);
	raft_set_max_inflight_entries(&c->raft, INFLIGHT_MAX);
	raft_set_max_catch_up_rounds(&c->raft, CATCH_UP_MAX);
	machine_attach(c->machine, &c->raft, c->raftio,
	    config->snapshot_threshold, config->snapshot_trailing);
	return OK;
}

static enum err
make_dir(const char *base, const char *name, char *out, size_t size,
    struct errmsg *why)
{
	int n = snprintf(out, size, "%s/%s", base, name);

	if (n < 0 || (size_t)n >= size)
		return err_set(
		    why, ERR_LIMIT, "data_dir: the path is too long");
	if (mkdir(out, 0700) != 0 && errno != EEXIST)
		return err_set(why, ERR_IO, "%s: %s", out, strerror(errno));
	return OK;
}

enum err
consensus_open(const struct config *config, const struct identity *identity,
    struct loop *loop, struct worker *worker,
    const struct consensus_events *events, void *arg, struct consensus **out,
    struct errmsg *why)
{
	char raft_dir[3072], state_dir[3072];
	struct consensus *c = calloc(1, sizeof(*c));
	const char *base = identity->dir;
	enum err rc;

	if (c == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	c->loop = loop;
	c->events = events;
	c->arg = arg;
	c->ballot.fd = -1;
	c->state = -1;
	rc = make_dir(base, "raft", raft_dir, sizeof(raft_dir), why);
	if (rc == OK)
		rc = make_dir(base, "state", state_dir, sizeof(state_dir), why);
	if (rc == OK)
		rc = ballot_open(base, &c->ballot, why);
	if (rc == OK)
		rc = machine_open(
		    state_dir, &events->machine, arg, &c->machine, why);
	if (rc == OK)
		rc = doubt_check(raft_dir, identity, &c->ballot,
		    machine_applied(c->machine), why);
	if (rc == OK)
		rc = open_raft(c, config, identity->id, worker, raft_dir, why);
	if (rc == OK) {
		*out = c;
		return OK;
	}
	raftio_free(c->raftio);
	machine_abandon(c->machine);
	ballot_close(&c->ballot);
	free(c);
	return rc;
}

enum err
consensus_bootstrap(struct consensus *c, struct errmsg *why)
{
	struct raft_configuration conf;
	int rv;

	raft_configuration_init(&conf);
	rv = raft_configuration_add(&conf, c->raft.id, c->address, RAFT_VOTER);
	if (rv == 0)
		rv = raft_bootstrap(&c->raft, &conf);
	raft_configuration_close(&conf);
	if (rv == RAFT_CANTBOOTSTRAP)
		return err_set(why, ERR_EXISTS, "bootstrapped before");
	if (rv != 0)
		return err_set(why, ERR_BADSTATE, "raft bootstrap: %s",
		    raft_errmsg(&c->raft));
	return OK;
}

enum err
consensus_start(struct consensus *c, struct errmsg *why)
{
	bool corrupt;
	int rv = raft_start(&c->raft);

	if (rv != 0) {
		corrupt = rv == RAFT_CORRUPT || rv == RAFT_MALFORMED;
		return err_set(why, corrupt ? ERR_CORRUPT : ERR_IO,
		    "raft start: %s", raft_errmsg(&c->raft));
	}
	(void)uv_prepare_init(loop_uv(c->loop), &c->prepare);
	(void)uv_check_init(loop_uv(c->loop), &c->check);
	c->prepare.data = c->check.data = c;
	(void)uv_prepare_start(&c->prepare, on_prepare);
	(void)uv_check_start(&c->check, on_check);
	c->handles = 2;
	c->started = true;
	return OK;
}

/* ---- close ------------------------------------------------------------- */

static void
finish_close(struct consensus *c)
{
	machine_close(c->machine);
	c->machine = NULL;
	raftio_free(c->raftio);
	c->raftio = NULL;
	c->closed(c->closed_arg);
}

static void
handle_closed(uv_handle_t *handle)
{
	struct consensus *c = handle->data;

	if (--c->handles == 0)
		finish_close(c);
}

static void
raft_closed(struct raft *raft)
{
	struct consensus *c = CONTAINER_OF(raft, struct consensus, raft);

	raft_uv_close(&c->io);
	if (c->handles == 0) {
		finish_close(c);
		return;
	}
	uv_close((uv_handle_t *)&c->prepare, handle_closed);
	uv_close((uv_handle_t *)&c->check, handle_closed);
}

void
consensus_stop(struct consensus *c, void (*closed)(void *arg), void *arg)
{
	assert(!c->closing);
	c->closed = closed;
	c->closed_arg = arg;
	if (c->started)
		machine_commit(c->machine);
	c->closing = true;
	c->ready = false;
	raft_close(&c->raft, raft_closed);
}

void
consensus_free(struct consensus *c)
{
	if (c == NULL)
		return;
	ballot_close(&c->ballot);
	free(c);
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
		fatal(c, "submitting an entry", raft_strerror(rv));
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
	raftio_deliver(c->raftio, message);
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
