#include "server/cluster/raftio.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <raft/uv.h>

#include "server/cluster/raftio_impl.h"
#include "server/cluster/raftmsg.h"

#define TICK_MAX_MS 500 /* a longer gap between ticks was a stall */

/* One append; ours goes to the wrapped io in place of libraft's. */
struct raftio_append {
	struct raft_io_append inner;
	struct raft_io_append *outer;
	raft_io_append_cb cb;
	struct raftio *raftio;
	struct raftio_append *older, *newer;
	unsigned entries;
	uint64_t begun_ms;   /* clock */
	uint64_t watched_ms; /* raftio->watched_ms then */
};

struct raftio *
raftio_of(struct raft_io *io)
{
	struct raft *raft = io->data;

	assert(raft != NULL);
	assert(raft->data != NULL);
	return raft->data;
}

int
raftio_fail(struct raftio *raftio, const char *what, int status)
{
	const char *reason = raftio->io->errmsg;

	if (reason[0] == '\0')
		reason = raft_strerror(status);
	raftio->hooks.fatal(raftio->hooks.arg, what, reason);
	return status;
}

/* -- term and vote -------------------------------------------------------- */

static int
ballot_write(struct raftio *raftio, uint64_t term, uint64_t vote)
{
	struct errmsg why;

	if (raftio->ballot == NULL ||
	    ballot_store(raftio->ballot, term, vote, &why) == OK)
		return 0;
	raftio->hooks.fatal(
	    raftio->hooks.arg, "term or vote could not be stored", why.text);
	return RAFT_IOERR;
}

static int
io_set_term(struct raft_io *io, raft_term term)
{
	struct raftio *raftio = raftio_of(io);
	int rv;

	rv = ballot_write(raftio, term, 0);
	if (rv != 0)
		return rv;
	rv = raftio->inner.set_term(io, term);
	if (rv != 0)
		return raftio_fail(raftio, "term could not be stored", rv);
	return 0;
}

static int
io_set_vote(struct raft_io *io, raft_id vote)
{
	struct raftio *raftio = raftio_of(io);
	int rv;

	if (raftio->ballot != NULL) {
		rv = ballot_write(raftio, raftio->ballot->term, vote);
		if (rv != 0)
			return rv;
	}
	rv = raftio->inner.set_vote(io, vote);
	if (rv != 0)
		return raftio_fail(raftio, "vote could not be stored", rv);
	return 0;
}

/* Going on from a later (term, vote) than libraft saw is as if it had crashed
 * a moment after the write instead of before it. */
static int
catch_up(struct raftio *raftio, raft_term *term, raft_id *vote)
{
	const struct ballot *ballot = raftio->ballot;
	struct errmsg why;
	int rv = 0;

	if (ballot_judge(ballot, *term, *vote, &why) != OK) {
		raftio->hooks.fatal(raftio->hooks.arg,
		    "term and vote cannot be believed", why.text);
		return RAFT_CORRUPT;
	}
	if (ballot->term != *term)
		rv = raftio->inner.set_term(raftio->io, ballot->term);
	if (rv == 0 && ballot->vote != 0 &&
	    (ballot->term != *term || ballot->vote != *vote))
		rv = raftio->inner.set_vote(raftio->io, ballot->vote);
	if (rv != 0)
		return raftio_fail(raftio, "vote could not be stored", rv);
	*term = ballot->term;
	*vote = ballot->vote;
	return 0;
}

static int
io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
    struct raft_snapshot **snapshot, raft_index *start_index,
    struct raft_entry *entries[], size_t *n_entries)
{
	struct raftio *raftio = raftio_of(io);
	int rv;

	rv = raftio->inner.load(
	    io, term, voted_for, snapshot, start_index, entries, n_entries);
	if (rv != 0 || raftio->ballot == NULL)
		return rv;
	return catch_up(raftio, term, voted_for);
}

/* The wrapped one writes term 1 without a call to set_term. */
static int
io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	struct raftio *raftio = raftio_of(io);
	int rv;

	if (raftio->ballot != NULL) {
		if (raftio->ballot->term > 1 || raftio->ballot->vote != 0)
			return RAFT_CANTBOOTSTRAP;
		rv = ballot_write(raftio, 1, 0);
		if (rv != 0)
			return rv;
	}
	return raftio->inner.bootstrap(io, conf);
}

/* -- log ------------------------------------------------------------------ */

static void
append_link(struct raftio *raftio, struct raftio_append *append)
{
	append->older = raftio->newest;
	if (raftio->newest != NULL)
		raftio->newest->newer = append;
	else
		raftio->oldest = append;
	raftio->newest = append;
	raftio->appends++;
}

static void
append_unlink(struct raftio *raftio, struct raftio_append *append)
{
	assert(raftio->appends > 0);
	if (append->older != NULL)
		append->older->newer = append->newer;
	else
		raftio->oldest = append->newer;
	if (append->newer != NULL)
		append->newer->older = append->older;
	else
		raftio->newest = append->older;
	raftio->appends--;
}

static void
append_done(struct raft_io_append *req, int status)
{
	struct raftio_append *append = req->data;
	struct raftio *raftio = append->raftio;
	struct raft_io_append *outer = append->outer;
	raft_io_append_cb cb = append->cb;

	append_unlink(raftio, append);
	if (status != 0 && !(raftio->closing && status == RAFT_CANCELED))
		raftio_fail(raftio, "log entries could not be stored", status);
	if (status == 0 && raftio->hooks.stored != NULL) {
		raftio->hooks.stored(raftio->hooks.arg, append->entries,
		    raftio->clock() - append->begun_ms);
	}
	free(append);
	cb(outer, status);
}

static int
io_append(struct raft_io *io, struct raft_io_append *req,
    const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
	struct raftio *raftio = raftio_of(io);
	struct raftio_append *append;
	int rv;

	append = calloc(1, sizeof(*append));
	if (append == NULL) {
		return raftio_fail(
		    raftio, "log entries could not be stored", RAFT_NOMEM);
	}
	append->inner.data = append;
	append->outer = req;
	append->cb = cb;
	append->raftio = raftio;
	append->entries = n;
	append->begun_ms = raftio->clock();
	append->watched_ms = raftio->watched_ms;
	req->cb = cb;
	append_link(raftio, append);
	rv = raftio->inner.append(io, &append->inner, entries, n, append_done);
	if (rv == 0)
		return 0;
	append_unlink(raftio, append);
	free(append);
	return raftio_fail(raftio, "log entries could not be stored", rv);
}

static int
io_truncate(struct raft_io *io, raft_index index)
{
	struct raftio *raftio = raftio_of(io);
	int rv;

	rv = raftio->inner.truncate(io, index);
	if (rv != 0)
		return raftio_fail(raftio, "log could not be truncated", rv);
	return 0;
}

void
raftio_tick(struct raftio *raftio, uint64_t now_ms)
{
	uint64_t gap;

	gap = raftio->ticked_ms == 0 ? 0 : now_ms - raftio->ticked_ms;
	raftio->ticked_ms = now_ms;
	raftio->watched_ms += gap < TICK_MAX_MS ? gap : TICK_MAX_MS;
	if (raftio->oldest != NULL &&
	    raftio->watched_ms - raftio->oldest->watched_ms >
		RAFTIO_APPEND_DEADLINE_MS) {
		raftio->hooks.fatal(raftio->hooks.arg,
		    "log entries could not be stored",
		    "the write has not come back for 4 s");
	}
}

unsigned
raftio_appends(const struct raftio *raftio)
{
	return raftio->appends;
}

/* -- messages ------------------------------------------------------------- */

/* True if the message goes out, possibly repaired; it must never fail. */
static bool
repair(const struct raftio *raftio, struct raft_message *message)
{
	struct raft_request_vote_result *vote = &message->request_vote_result;
	struct raft_install_snapshot *install = &message->install_snapshot;

	/* The wire type of a message is an outside library's enumeration. */
	if (message->type == RAFT_REQUEST_VOTE)
		return !raftio->muted;
	if (message->type == RAFT_REQUEST_VOTE_RESULT && vote->pre_vote &&
	    !vote->vote_granted) {
		/* libraft answers with the term that was asked, so the asker
		 * never learns that it is behind. */
		if (raft_current_term(raftio->raft) > vote->term)
			vote->term = raft_current_term(raftio->raft);
	}
	if (message->type == RAFT_INSTALL_SNAPSHOT) {
		/* The term was noted when sending was decided, the data read
		 * later and perhaps from a newer snapshot. */
		if (install->last_index != raftio->got)
			return false;
		install->last_term = raftio->got_term;
	}
	return true;
}

static int
io_send(struct raft_io *io, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb)
{
	struct raftio *raftio = raftio_of(io);
	struct raft_message copy = *message;

	req->cb = cb;
	if (!repair(raftio, &copy)) {
		cb(req, RAFT_NOCONNECTION);
		return 0;
	}
	if (raftio->hooks.send != NULL) {
		raftio->hooks.send(raftio->hooks.arg, req, &copy, cb);
		return 0;
	}
	if (raftio->inner.send(io, req, &copy, cb) != 0)
		cb(req, RAFT_NOCONNECTION);
	return 0;
}

static bool
welcome(const struct raftio *raftio, const struct raft_message *message)
{
	if (raftio->recv == NULL || raftio->closing)
		return false;
	if (message->type == RAFT_INSTALL_SNAPSHOT)
		return !raftio->snapshotting;
	if (message->type == RAFT_REQUEST_VOTE ||
	    message->type == RAFT_TIMEOUT_NOW)
		return !raftio->muted;
	return true;
}

/*
 * libraft sets its commit index to min(leader_commit, prev + n) without a look
 * at what it has: a probe with a low prev after a reconnect would take it
 * back, and a snapshot taken then would bear an index below its content.
 */
static void
keep_commit(const struct raftio *raftio, struct raft_message *message)
{
	struct raft_append_entries *args = &message->append_entries;
	raft_index commit = raft_commit_index(raftio->raft);

	if (message->type == RAFT_APPEND_ENTRIES &&
	    args->leader_commit > commit &&
	    args->prev_log_index + args->n_entries < commit)
		args->leader_commit = commit;
}

void
raftio_deliver(struct raftio *raftio, struct raft_message *message)
{
	if (!welcome(raftio, message)) {
		raftmsg_free(message);
		return;
	}
	keep_commit(raftio, message);
	raftio->recv(raftio->io, message);
}

static void
on_recv(struct raft_io *io, struct raft_message *message)
{
	raftio_deliver(raftio_of(io), message);
}

static int
io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
    raft_io_recv_cb recv)
{
	struct raftio *raftio = raftio_of(io);

	raftio->recv = recv;
	return raftio->inner.start(io, msecs, tick, on_recv);
}

void
raftio_mute(struct raftio *raftio, bool muted)
{
	raftio->muted = muted;
}

/* -- life ----------------------------------------------------------------- */

enum err
raftio_wrap(struct raft_io *io, struct raft *raft, struct loop *loop,
    struct worker *worker, struct ballot *ballot,
    const struct raftio_hooks *hooks, uint64_t (*clock)(void),
    struct raftio **out, struct errmsg *why)
{
	struct raftio *raftio;

	assert(hooks->dump != NULL);
	assert(hooks->fatal != NULL);
	assert(worker == NULL || loop != NULL);

	raftio = calloc(1, sizeof(*raftio));
	if (raftio == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	raftio->io = io;
	raftio->inner = *io;
	raftio->raft = raft;
	raftio->loop = loop;
	raftio->worker = worker;
	raftio->ballot = ballot;
	raftio->hooks = *hooks;
	raftio->clock = clock;
	raft->data = raftio;
	io->data = raft; /* as raft_init will, or has */
	io->load = io_load;
	io->bootstrap = io_bootstrap;
	io->start = io_start;
	io->send = io_send;
	io->append = io_append;
	io->truncate = io_truncate;
	io->set_term = io_set_term;
	io->set_vote = io_set_vote;
	io->snapshot_put = raftio_put;
	io->snapshot_get = raftio_get;
	io->close = raftio_close;
	*out = raftio;
	return OK;
}

void
raftio_free(struct raftio *raftio)
{
	if (raftio == NULL)
		return;
	assert(!raftio->dumping);
	free(raftio);
}

static int
none_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
	(void)transport;
	(void)id;
	(void)address;
	return 0;
}

static int
none_listen(struct raft_uv_transport *transport, raft_uv_accept_cb cb)
{
	(void)transport;
	(void)cb;
	return 0;
}

static int
none_connect(struct raft_uv_transport *transport, struct raft_uv_connect *req,
    raft_id id, const char *address, raft_uv_connect_cb cb)
{
	(void)transport;
	(void)req;
	(void)id;
	(void)address;
	(void)cb;
	return RAFT_NOCONNECTION;
}

static void
none_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb cb)
{
	cb(transport);
}

void
raftio_no_transport(struct raft_uv_transport *out)
{
	*out = (struct raft_uv_transport){
	    .version = 1,
	    .init = none_init,
	    .listen = none_listen,
	    .connect = none_connect,
	    .close = none_close,
	};
}
