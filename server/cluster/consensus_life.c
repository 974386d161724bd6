/*
 * Opens, starts and closes libraft, its disk and the machine.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/cluster/consensus_impl.h"
#include "server/cluster/doubt.h"
#include "server/cluster/proof.h"
#include "server/cluster/snapcheck.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/loop.h"

#define INFLIGHT_MAX  512   /* AppendEntries under way to one follower */
#define DISK_RETRY_MS 30000 /* above raftio's deadline for appends */
#define CATCH_UP_MAX  20    /* rounds a standby may take to become voter */

/* libuv runs prepare before it polls and check after: raft's callbacks and
 * our network events fall between, so both ends are ends of a turn. */
static void
on_prepare(uv_prepare_t *handle)
{
	consensus_turn(handle->data);
}

static void
on_check(uv_check_t *handle)
{
	consensus_turn(handle->data);
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
	    .fatal = consensus_fatal};
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
	if (rc != OK) {
		raft_uv_close(&c->io);
		return rc;
	}
	(void)snprintf(c->address, sizeof(c->address), "%016" PRIx64, id);
	rv = raft_init(
	    &c->raft, &c->io, machine_fsm(c->machine), id, c->address);
	if (rv != 0) {
		raft_uv_close(&c->io);
		return err_set(why, rv == RAFT_MALFORMED ? ERR_CORRUPT : ERR_IO,
		    "raft: %s", raft_errmsg(&c->raft));
	}
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
	c->worker = worker;
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
		rc = snapcheck(raft_dir, why);
	if (rc == OK)
		rc = open_raft(c, config, identity->id, worker, raft_dir, why);
	if (rc == OK) {
		*out = c;
		return OK;
	}
	raftio_free(c->raftio);
	/* With the log in doubt the state may be the last sound copy: leave it
	 * as it was found. */
	if (rc == ERR_CORRUPT)
		machine_close(c->machine);
	else
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

static void finish_close(struct consensus *c);

static void
state_proven(void *arg)
{
	struct consensus *c = arg;

	c->proving = false;
	if (c->closed_raft)
		finish_close(c);
}

enum err
consensus_start(struct consensus *c, struct errmsg *why)
{
	bool corrupt;
	int rv = raft_start(&c->raft);

	if (rv != 0) {
		corrupt = rv == RAFT_CORRUPT || rv == RAFT_MALFORMED;
		return err_set(why, corrupt ? ERR_CORRUPT : ERR_IO,
		    "libraft refuses its files: %s (%s)", raft_strerror(rv),
		    raft_errmsg(&c->raft));
	}
	c->proving = proof_begin(
	    machine_db(c->machine), c->loop, c->worker, state_proven, c);
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

/* The state stays open: others may still read it. */
static void
finish_close(struct consensus *c)
{
	if (c->proving) {
		c->closed_raft = true;
		return;
	}
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
	assert(c->raftio == NULL); /* stopped */
	machine_close(c->machine);
	ballot_close(&c->ballot);
	free(c);
}
