#include "tests/support/lowio.h"

#include <stdio.h>

#include "tests/support/test.h"

/* raftio's clock takes no argument. */
static uint64_t now_ms;

static uint64_t
clock_ms(void)
{
	return now_ms;
}

void
lowio_wait(struct lowio *bench, uint64_t ms, uint64_t step_ms)
{
	for (uint64_t i = 0; i < ms; i += step_ms) {
		now_ms += step_ms;
		raftio_tick(bench->raftio, now_ms);
	}
}

struct lowio *
lowio_of(struct raft_io *io)
{
	return CONTAINER_OF(io, struct lowio, io);
}

void
lowio_note(struct lowio *bench, char letter)
{
	size_t n = strlen(bench->order);

	assert_true(n + 1 < sizeof(bench->order));
	bench->order[n] = letter;
}

static int
low_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
    struct raft_snapshot **snapshot, raft_index *start_index,
    struct raft_entry *entries[], size_t *n_entries)
{
	*term = lowio_of(io)->loaded_term;
	*voted_for = lowio_of(io)->loaded_vote;
	*snapshot = NULL;
	*start_index = 1;
	*entries = NULL;
	*n_entries = 0;
	return 0;
}

static int
low_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
    raft_io_recv_cb recv)
{
	(void)msecs;
	(void)tick;
	lowio_of(io)->recv = recv;
	return 0;
}

static int
low_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	(void)conf;
	lowio_of(io)->calls++;
	return lowio_of(io)->rv;
}

static int
low_set_term(struct raft_io *io, raft_term term)
{
	lowio_of(io)->set_term = term;
	lowio_note(lowio_of(io), 't');
	return lowio_of(io)->rv;
}

static int
low_set_vote(struct raft_io *io, raft_id vote)
{
	lowio_of(io)->set_vote = vote;
	lowio_note(lowio_of(io), 'v');
	return lowio_of(io)->rv;
}

static int
low_send(struct raft_io *io, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb)
{
	struct lowio *bench = lowio_of(io);

	bench->calls++;
	bench->sent = *message;
	if (bench->rv == 0)
		cb(req, 0);
	return bench->rv;
}

static int
low_append(struct raft_io *io, struct raft_io_append *req,
    const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
	(void)entries;
	(void)n;
	req->cb = cb;
	lowio_of(io)->append = req;
	return lowio_of(io)->rv;
}

static int
low_truncate(struct raft_io *io, raft_index index)
{
	(void)index;
	return lowio_of(io)->rv;
}

static int
low_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
    const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct lowio *bench = lowio_of(io);

	req->cb = cb;
	bench->put = req;
	bench->put_snapshot = snapshot;
	bench->put_trailing = trailing;
	lowio_note(bench, 'p');
	if (bench->put_at_once && bench->rv == 0)
		cb(req, 0);
	return bench->rv;
}

static int
low_get(struct raft_io *io, struct raft_io_snapshot_get *req,
    raft_io_snapshot_get_cb cb)
{
	req->cb = cb;
	lowio_of(io)->get = req;
	return lowio_of(io)->rv;
}

static void
low_close(struct raft_io *io, raft_io_close_cb cb)
{
	cb(io);
}

static void
on_fatal(void *arg, const char *what, const char *reason)
{
	struct lowio *bench = arg;

	bench->fatals++;
	snprintf(bench->fatal, sizeof(bench->fatal), "%s: %s", what, reason);
}

static void
on_stored(void *arg, unsigned entries, uint64_t ms)
{
	(void)ms;
	((struct lowio *)arg)->stored += entries;
}

static enum err
on_dump(void *arg, void *snapshot, uint64_t index, void **data, size_t *size,
    struct errmsg *why)
{
	struct lowio *bench = arg;

	assert_ptr_equal(snapshot, bench);
	assert_int_equal(index, 50);
	lowio_note(bench, 'd');
	if (bench->dump != OK)
		return err_set(why, bench->dump, "no room");
	*data = raft_malloc(8);
	assert_non_null(*data);
	memcpy(*data, "content", 8);
	*size = 8;
	return OK;
}

void
lowio_wrap(struct lowio *bench)
{
	const struct raftio_hooks hooks = {.arg = bench,
	    .dump = on_dump,
	    .stored = on_stored,
	    .fatal = on_fatal};
	struct errmsg why;

	bench->io = (struct raft_io){.version = 2,
	    .load = low_load,
	    .start = low_start,
	    .bootstrap = low_bootstrap,
	    .set_term = low_set_term,
	    .set_vote = low_set_vote,
	    .send = low_send,
	    .append = low_append,
	    .truncate = low_truncate,
	    .snapshot_put = low_put,
	    .snapshot_get = low_get,
	    .close = low_close};
	now_ms = 1000;
	assert_int_equal(
	    raftio_wrap(&bench->io, &bench->raft, bench->loop, bench->worker,
		bench->ballot, &hooks, clock_ms, &bench->raftio, &why),
	    OK);
}

struct lowio *
lowio_new(void)
{
	struct lowio *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	lowio_wrap(bench);
	return bench;
}

struct lowio *
lowio_new_ballot(void)
{
	struct lowio *bench = calloc(1, sizeof(*bench));
	struct errmsg why;

	assert_non_null(bench);
	bench->dir = test_tmpdir();
	assert_int_equal(
	    ballot_open(bench->dir, &bench->ballot_file, &why), OK);
	bench->ballot = &bench->ballot_file;
	lowio_wrap(bench);
	return bench;
}

void
lowio_free(struct lowio *bench)
{
	raftio_free(bench->raftio);
	if (bench->ballot != NULL) {
		ballot_close(bench->ballot);
		test_rmdir(bench->dir);
	}
	free(bench);
}

void
lowio_on_closed(struct raft_io *io)
{
	lowio_of(io)->closed++;
	lowio_note(lowio_of(io), 'c');
}
