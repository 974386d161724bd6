/*
 * Our own snapshot, the happy path: libraft calls the fsm's snapshot hook,
 * which opens a read transaction and leaves it here (raftio_set_snapshot);
 * libraft calls snapshot_put at once; dump turns the transaction into one
 * buffer on a worker thread while the loop goes on; back on the loop the
 * wrapped snapshot_put writes the files; its callback frees the buffer and
 * calls libraft, which calls the fsm's finalize (raftio_snapshot_done).
 *
 * libraft closes while the dump runs: the wrapped io closes at once, libraft
 * hears of it only after the dump came back and its put was answered with
 * RAFT_CANCELED, because that answer still touches the raft instance. The
 * worker's queue is full: snapshot_put fails before anything began, libraft
 * finalizes and tries again at a later event. Everything else that goes wrong
 * is fatal.
 */
#include <assert.h>
#include <stdlib.h>

#include "server/cluster/raftio.h"
#include "server/cluster/raftio_impl.h"
#include "server/worker.h"

struct put {
	struct worker_job job;
	struct raftio *raftio;
	unsigned trailing;
	struct raft_io_snapshot_put *outer;
	raft_io_snapshot_put_cb cb;
	struct raft_io_snapshot_put inner;
	struct raft_snapshot snapshot; /* libraft's, bufs replaced by ours */
	struct raft_buffer buffer;     /* owned; empty for an install */
	void *content;                 /* what dump reads */
	enum err status;               /* of dump */
	struct errmsg why;
};

struct get {
	struct raft_io_snapshot_get inner;
	struct raft_io_snapshot_get *outer;
	raft_io_snapshot_get_cb cb;
	struct raftio *raftio;
};

static void
put_end(struct put *put, int status)
{
	struct raft_io_snapshot_put *outer = put->outer;
	raft_io_snapshot_put_cb cb = put->cb;

	raft_free(put->buffer.base);
	free(put);
	cb(outer, status);
}

static void
put_done(struct raft_io_snapshot_put *req, int status)
{
	struct put *put = req->data;
	struct raftio *raftio = put->raftio;

	if (status != 0 && !(raftio->closing && status == RAFT_CANCELED))
		raftio_fail(raftio, "snapshot could not be stored", status);
	put_end(put, status);
}

static void
maybe_closed(struct raftio *raftio)
{
	if (raftio->inner_closed && !raftio->dumping)
		raftio->closed(raftio->io); /* last: frees raft's memory */
}

static void
dump_work(struct worker_job *job)
{
	struct put *put = CONTAINER_OF(job, struct put, job);
	const struct raftio_hooks *hooks = &put->raftio->hooks;
	void *data = NULL;
	size_t size = 0;

	put->status = hooks->dump(hooks->arg, put->content, put->snapshot.index,
	    &data, &size, &put->why);
	if (put->status != OK)
		return;
	put->buffer.base = data;
	put->buffer.len = size;
}

/* Returns what the wrapped io said; on 0 the put is its. */
static int
dump_then_put(struct put *put)
{
	struct raftio *raftio = put->raftio;

	if (put->status != OK) {
		raftio->hooks.fatal(raftio->hooks.arg,
		    "snapshot could not be written", put->why.text);
		return RAFT_IOERR;
	}
	put->snapshot.bufs = &put->buffer;
	put->snapshot.n_bufs = 1;
	return raftio->inner.snapshot_put(
	    raftio->io, put->trailing, &put->inner, &put->snapshot, put_done);
}

static void
dump_done(struct worker_job *job)
{
	struct put *put = CONTAINER_OF(job, struct put, job);
	struct raftio *raftio = put->raftio;
	int rv;

	raftio->dumping = false;
	if (raftio->closing) {
		put_end(put, RAFT_CANCELED);
		maybe_closed(raftio);
		return;
	}
	rv = dump_then_put(put);
	if (rv == 0)
		return;
	raftio_fail(raftio, "snapshot could not be stored", rv);
	put_end(put, rv);
}

static int
put_begin(struct raftio *raftio, struct put *put)
{
	assert(raftio->snapshotting);
	assert(!raftio->dumping);
	put->content = raftio->snapshot;
	if (raftio->worker == NULL) {
		dump_work(&put->job);
		return dump_then_put(put);
	}
	put->job.work = dump_work;
	put->job.done = dump_done;
	put->job.home = raftio->loop;
	raftio->dumping = true;
	if (worker_submit(raftio->worker, &put->job) == OK)
		return 0;
	raftio->dumping = false;
	return RAFT_BUSY;
}

/* trailing 0: a snapshot from the leader, content included. (Our own with
 * trailing 0 would look the same: libraft must be told to keep some.) */
int
raftio_put(struct raft_io *io, unsigned trailing,
    struct raft_io_snapshot_put *req, const struct raft_snapshot *snapshot,
    raft_io_snapshot_put_cb cb)
{
	struct raftio *raftio = raftio_of(io);
	struct put *put;
	int rv;

	assert((trailing != 0) == raftio->snapshotting);
	put = calloc(1, sizeof(*put));
	if (put == NULL) {
		return raftio_fail(
		    raftio, "snapshot could not be stored", RAFT_NOMEM);
	}
	put->raftio = raftio;
	put->trailing = trailing;
	put->outer = req;
	put->cb = cb;
	put->inner.data = put;
	put->snapshot = *snapshot;
	req->cb = cb;
	if (trailing != 0) {
		rv = put_begin(raftio, put);
	} else {
		rv = raftio->inner.snapshot_put(
		    io, 0, &put->inner, &put->snapshot, put_done);
		if (rv != 0) {
			raftio_fail(raftio,
			    "the leader's snapshot could not be stored", rv);
		}
	}
	if (rv != 0) {
		raft_free(put->buffer.base);
		free(put);
	}
	return rv;
}

static void
get_done(struct raft_io_snapshot_get *req, struct raft_snapshot *snapshot,
    int status)
{
	struct get *get = req->data;
	struct raftio *raftio = get->raftio;
	struct raft_io_snapshot_get *outer = get->outer;
	raft_io_snapshot_get_cb cb = get->cb;

	free(get);
	if (status != 0) {
		/* libraft would free a configuration it never set. */
		raftio_fail(raftio, "snapshot could not be read", status);
		return;
	}
	raftio->got = snapshot->index;
	raftio->got_term = snapshot->term;
	cb(outer, snapshot, status); /* sends it before it returns */
}

int
raftio_get(struct raft_io *io, struct raft_io_snapshot_get *req,
    raft_io_snapshot_get_cb cb)
{
	struct raftio *raftio = raftio_of(io);
	struct get *get;
	int rv;

	get = calloc(1, sizeof(*get));
	if (get == NULL) {
		return raftio_fail(
		    raftio, "snapshot could not be read", RAFT_NOMEM);
	}
	get->inner.data = get;
	get->outer = req;
	get->cb = cb;
	get->raftio = raftio;
	req->cb = cb;
	rv = raftio->inner.snapshot_get(io, &get->inner, get_done);
	if (rv == 0)
		return 0;
	free(get);
	return raftio_fail(raftio, "snapshot could not be read", rv);
}

static void
on_closed(struct raft_io *io)
{
	struct raftio *raftio = raftio_of(io);

	raftio->inner_closed = true;
	maybe_closed(raftio);
}

void
raftio_close(struct raft_io *io, raft_io_close_cb cb)
{
	struct raftio *raftio = raftio_of(io);

	assert(!raftio->closing);
	raftio->closing = true;
	raftio->closed = cb;
	raftio->inner.close(io, on_closed);
}

void
raftio_set_snapshot(struct raftio *raftio, void *snapshot)
{
	assert(!raftio->snapshotting);
	raftio->snapshot = snapshot;
	raftio->snapshotting = true;
}

void
raftio_snapshot_done(struct raftio *raftio)
{
	raftio->snapshot = NULL;
	raftio->snapshotting = false;
}

bool
raftio_snapshotting(const struct raftio *raftio)
{
	return raftio->snapshotting;
}
