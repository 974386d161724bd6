/*
 * Goal: libraft never sees a failed write, sends no message that would mislead
 * a peer, and gets each callback exactly once (hazards 2 and 4, the defects of
 * its compatibility layer).
 * Method: a recorded raft_io underneath, whose answers the test chooses; a real
 * loop and worker for the dump; a real directory for a whole life.
 */
#include "server/cluster/raftio.h"

#include <stdbool.h>
#include <stdio.h>

#include "server/loop.h"
#include "server/worker.h"
#include "tests/support/solo.h"
#include "tests/support/test.h"

/* Everything one case looks at. */
struct bench {
	struct raft_io io;
	struct raft raft;
	struct raftio *raftio;
	struct ballot *ballot;
	char *dir;
	struct ballot ballot_file;

	/* what the wrapped io does and saw */
	int rv;         /* of the next calls */
	unsigned calls; /* of the entry under test */
	uint64_t loaded_term, loaded_vote;
	uint64_t set_term, set_vote;
	struct raft_message sent;
	struct raft_io_append *append; /* handed down, to be called back */
	struct raft_io_snapshot_put *put;
	const struct raft_snapshot *put_snapshot;
	unsigned put_trailing;
	struct raft_io_snapshot_get *get;
	raft_io_recv_cb recv;
	raft_io_close_cb close;

	/* what libraft saw */
	unsigned callbacks;
	int status;
	unsigned received;
	unsigned closed;
	char order[32]; /* letters, in order of happening */

	/* hooks */
	unsigned fatals;
	char fatal[256];
	unsigned stored;
	enum err dump;

	/* of a real dump */
	struct loop *loop;
	struct worker *worker;
	bool close_early;
	struct raft_io_snapshot_put own;
	struct loop_task stop;
};

static uint64_t now_ms;

static uint64_t
clock_ms(void)
{
	return now_ms;
}

static struct bench *
bench_of(struct raft_io *io)
{
	return CONTAINER_OF(io, struct bench, io);
}

static void
note(struct bench *bench, char letter)
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
	*term = bench_of(io)->loaded_term;
	*voted_for = bench_of(io)->loaded_vote;
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
	bench_of(io)->recv = recv;
	return 0;
}

static int
low_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	(void)conf;
	bench_of(io)->calls++;
	return bench_of(io)->rv;
}

static int
low_set_term(struct raft_io *io, raft_term term)
{
	bench_of(io)->set_term = term;
	note(bench_of(io), 't');
	return bench_of(io)->rv;
}

static int
low_set_vote(struct raft_io *io, raft_id vote)
{
	bench_of(io)->set_vote = vote;
	note(bench_of(io), 'v');
	return bench_of(io)->rv;
}

static int
low_send(struct raft_io *io, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb)
{
	struct bench *bench = bench_of(io);

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
	bench_of(io)->append = req;
	return bench_of(io)->rv;
}

static int
low_truncate(struct raft_io *io, raft_index index)
{
	(void)index;
	return bench_of(io)->rv;
}

static int
low_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
    const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct bench *bench = bench_of(io);

	req->cb = cb;
	bench->put = req;
	bench->put_snapshot = snapshot;
	bench->put_trailing = trailing;
	note(bench, 'p');
	return bench->rv;
}

static int
low_get(struct raft_io *io, struct raft_io_snapshot_get *req,
    raft_io_snapshot_get_cb cb)
{
	req->cb = cb;
	bench_of(io)->get = req;
	return bench_of(io)->rv;
}

static void
low_close(struct raft_io *io, raft_io_close_cb cb)
{
	cb(io);
}

static void
on_fatal(void *arg, const char *what, const char *reason)
{
	struct bench *bench = arg;

	bench->fatals++;
	snprintf(bench->fatal, sizeof(bench->fatal), "%s: %s", what, reason);
}

static void
on_stored(void *arg, unsigned entries, uint64_t ms)
{
	(void)ms;
	((struct bench *)arg)->stored += entries;
}

static enum err
on_dump(void *arg, void *snapshot, uint64_t index, void **data, size_t *size,
    struct errmsg *why)
{
	struct bench *bench = arg;

	assert_ptr_equal(snapshot, bench);
	assert_int_equal(index, 50);
	note(bench, 'd');
	if (bench->dump != OK)
		return err_set(why, bench->dump, "no room");
	*data = raft_malloc(8);
	assert_non_null(*data);
	memcpy(*data, "content", 8);
	*size = 8;
	return OK;
}

static void
wrap(struct bench *bench)
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

static struct bench *
bench_new(void)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	wrap(bench);
	return bench;
}

static struct bench *
bench_new_ballot(void)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct errmsg why;

	assert_non_null(bench);
	bench->dir = test_tmpdir();
	assert_int_equal(
	    ballot_open(bench->dir, &bench->ballot_file, &why), OK);
	bench->ballot = &bench->ballot_file;
	wrap(bench);
	return bench;
}

static void
bench_free(struct bench *bench)
{
	raftio_free(bench->raftio);
	if (bench->ballot != NULL) {
		ballot_close(bench->ballot);
		test_rmdir(bench->dir);
	}
	free(bench);
}

/* -- messages ------------------------------------------------------------- */

static void
on_sent(struct raft_io_send *req, int status)
{
	struct bench *bench = req->data;

	bench->callbacks++;
	bench->status = status;
}

static void
sends(struct bench *bench, const struct raft_message *message, int status)
{
	struct raft_io_send req = {.data = bench};
	unsigned before = bench->callbacks;

	assert_int_equal(bench->io.send(&bench->io, &req, message, on_sent), 0);
	assert_int_equal(bench->callbacks, before + 1);
	assert_int_equal(bench->status, status);
}

static void
hazard_02_a_refused_prevote_carries_our_own_higher_term(void **state)
{
	static const struct {
		bool pre_vote, granted;
		raft_term ours, asked, want;
	} cases[] = {
	    {true, false, 7, 3, 7},  /* the asker learns it is behind */
	    {true, false, 3, 3, 3},  /* */
	    {true, false, 2, 3, 3},  /* never lowered */
	    {true, true, 7, 3, 3},   /* granted: untouched */
	    {false, false, 7, 3, 3}, /* a real vote: untouched */
	};
	struct bench *bench = bench_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct raft_message message = {.type = RAFT_REQUEST_VOTE_RESULT,
		    .request_vote_result = {.term = cases[i].asked,
			.pre_vote = cases[i].pre_vote,
			.vote_granted = cases[i].granted}};

		bench->raft.current_term = cases[i].ours;
		sends(bench, &message, 0);
		assert_int_equal(
		    bench->sent.request_vote_result.term, cases[i].want);
		assert_int_equal(
		    message.request_vote_result.term, cases[i].asked);
	}
	bench_free(bench);
}

static void
a_send_never_fails_towards_libraft(void **state)
{
	struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
	struct bench *bench = bench_new();

	(void)state;
	bench->rv = RAFT_NOMEM;
	sends(bench, &message, RAFT_NOCONNECTION);
	assert_int_equal(bench->fatals, 0);
	bench_free(bench);
}

static void
on_got(struct raft_io_snapshot_get *req, struct raft_snapshot *snapshot,
    int status)
{
	struct bench *bench = req->data;

	(void)snapshot;
	bench->callbacks++;
	bench->status = status;
}

static void
an_installed_snapshot_carries_the_term_of_what_was_loaded(void **state)
{
	struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT,
	    .install_snapshot = {.last_index = 80, .last_term = 2}};
	struct raft_snapshot snapshot = {.index = 80, .term = 3};
	struct raft_io_snapshot_get req = {0};
	struct bench *bench = bench_new();

	(void)state;
	req.data = bench;
	assert_int_equal(bench->io.snapshot_get(&bench->io, &req, on_got), 0);
	bench->get->cb(bench->get, &snapshot, 0);
	assert_int_equal(bench->callbacks, 1);
	sends(bench, &message, 0);
	assert_int_equal(bench->sent.install_snapshot.last_term, 3);
	assert_int_equal(message.install_snapshot.last_term, 2);

	message.install_snapshot.last_index = 79; /* never loaded */
	bench->calls = 0;
	sends(bench, &message, RAFT_NOCONNECTION);
	assert_int_equal(bench->calls, 0);
	bench_free(bench);
}

static void
a_snapshot_that_cannot_be_read_never_reaches_libraft(void **state)
{
	struct raft_io_snapshot_get req = {0};
	struct bench *bench = bench_new();

	(void)state;
	req.data = bench;
	assert_int_equal(bench->io.snapshot_get(&bench->io, &req, on_got), 0);
	bench->get->cb(bench->get, NULL, RAFT_IOERR);
	assert_int_equal(bench->fatals, 1);
	assert_int_equal(bench->callbacks, 0);
	bench_free(bench);
}

static void
on_received(struct raft_io *io, struct raft_message *message)
{
	(void)message;
	bench_of(io)->received++;
}

static struct raft_message
incoming(enum raft_message_type type)
{
	struct raft_message message = {.type = type};
	struct raft_install_snapshot *install = &message.install_snapshot;
	struct raft_append_entries *append = &message.append_entries;

	if (type == RAFT_INSTALL_SNAPSHOT) {
		raft_configuration_init(&install->conf);
		assert_int_equal(raft_configuration_add(
				     &install->conf, 1, "one", RAFT_VOTER),
		    0);
		install->data.base = raft_malloc(32);
		install->data.len = 32;
	}
	if (type == RAFT_APPEND_ENTRIES) {
		append->entries = raft_calloc(2, sizeof(struct raft_entry));
		assert_non_null(append->entries);
		append->n_entries = 2;
		append->entries[0].batch = raft_malloc(16);
		append->entries[1].batch = append->entries[0].batch;
	}
	return message;
}

/* Kept ones are released here: libraft, who would, is not there. */
static void
delivers(struct bench *bench, enum raft_message_type type, bool kept)
{
	struct raft_message message = incoming(type);
	unsigned before = bench->received;

	raftio_deliver(bench->raftio, &message);
	assert_int_equal(bench->received - before, kept ? 1 : 0);
	if (!kept)
		return;
	if (type == RAFT_INSTALL_SNAPSHOT) {
		raft_configuration_close(&message.install_snapshot.conf);
		raft_free(message.install_snapshot.data.base);
	}
	if (type == RAFT_APPEND_ENTRIES) {
		raft_free(message.append_entries.entries[0].batch);
		raft_free(message.append_entries.entries);
	}
}

/* Without the guard libraft goes back to commit index 3 (recv of
 * AppendEntries: min(leader_commit, prev + n)). */
static void
a_probe_with_a_low_prev_does_not_take_the_commit_index_back(void **state)
{
	static const struct {
		raft_index prev, leader_commit, want;
	} cases[] = {
	    {3, 12, 10},  /* a probe: prev + 2 entries end below 10 */
	    {9, 12, 12},  /* reaches further: libraft may go on */
	    {10, 11, 11}, /* the usual heartbeat */
	    {3, 9, 9},    /* nothing newer: libraft ignores it */
	};
	struct bench *bench = bench_new();
	struct raft_message message;

	(void)state;
	assert_int_equal(
	    bench->io.start(&bench->io, 100, NULL, on_received), 0);
	bench->raft.commit_index = 10;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		message = incoming(RAFT_APPEND_ENTRIES);
		message.append_entries.prev_log_index = cases[i].prev;
		message.append_entries.leader_commit = cases[i].leader_commit;
		raftio_deliver(bench->raftio, &message);
		assert_int_equal(
		    message.append_entries.leader_commit, cases[i].want);
		raft_free(message.append_entries.entries[0].batch);
		raft_free(message.append_entries.entries);
	}
	bench_free(bench);
}

static void
hazard_04_a_muted_server_neither_votes_nor_stands(void **state)
{
	struct raft_message ask = {.type = RAFT_REQUEST_VOTE};
	struct raft_message answer = {.type = RAFT_APPEND_ENTRIES_RESULT};
	struct bench *bench = bench_new();

	(void)state;
	assert_int_equal(
	    bench->io.start(&bench->io, 100, NULL, on_received), 0);
	raftio_mute(bench->raftio, true);
	sends(bench, &ask, RAFT_NOCONNECTION);
	sends(bench, &answer, 0);
	delivers(bench, RAFT_REQUEST_VOTE, false);
	delivers(bench, RAFT_TIMEOUT_NOW, false);
	delivers(bench, RAFT_APPEND_ENTRIES, true);
	raftio_mute(bench->raftio, false);
	sends(bench, &ask, 0);
	delivers(bench, RAFT_REQUEST_VOTE, true);
	delivers(bench, RAFT_TIMEOUT_NOW, true);
	bench_free(bench);
}

static void
on_closed(struct raft_io *io)
{
	bench_of(io)->closed++;
	note(bench_of(io), 'c');
}

static void
messages_are_dropped_and_freed_when_libraft_could_not_take_them(void **state)
{
	static const enum raft_message_type types[] = {RAFT_APPEND_ENTRIES,
	    RAFT_APPEND_ENTRIES_RESULT, RAFT_INSTALL_SNAPSHOT,
	    RAFT_REQUEST_VOTE, RAFT_REQUEST_VOTE_RESULT, RAFT_TIMEOUT_NOW};
	struct bench *bench = bench_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		delivers(bench, types[i], false); /* before start */
	assert_int_equal(
	    bench->io.start(&bench->io, 100, NULL, on_received), 0);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		delivers(bench, types[i], true);
	raftio_set_snapshot(bench->raftio, bench);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		delivers(bench, types[i], types[i] != RAFT_INSTALL_SNAPSHOT);
	}
	raftio_snapshot_done(bench->raftio);
	delivers(bench, RAFT_INSTALL_SNAPSHOT, true);
	bench->io.close(&bench->io, on_closed);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		delivers(bench, types[i], false);
	bench_free(bench);
}

/* -- log ------------------------------------------------------------------ */

static void
on_appended(struct raft_io_append *req, int status)
{
	struct bench *bench = req->data;

	bench->callbacks++;
	bench->status = status;
}

static struct raft_io_append *
appends(struct bench *bench, struct raft_io_append *req)
{
	struct raft_entry entries[3] = {{0}};

	req->data = bench;
	assert_int_equal(
	    bench->io.append(&bench->io, req, entries, 3, on_appended), 0);
	return bench->append;
}

/* Ticks at the usual pace. */
static void
wait_ms(struct bench *bench, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 100) {
		now_ms += 100;
		raftio_tick(bench->raftio, now_ms);
	}
}

static void
a_write_that_never_comes_back_is_fatal_after_the_deadline(void **state)
{
	struct raft_io_append one, two;
	struct raft_io_append *first, *second;
	struct bench *bench = bench_new();

	(void)state;
	wait_ms(bench, 1000);
	first = appends(bench, &one);
	wait_ms(bench, 3000);
	second = appends(bench, &two);
	assert_int_equal(raftio_appends(bench->raftio), 2);
	first->cb(first, 0);
	assert_int_equal(bench->callbacks, 1);
	assert_int_equal(bench->stored, 3);
	wait_ms(bench, 4000);
	assert_int_equal(bench->fatals, 0);
	wait_ms(bench, 200);
	assert_true(bench->fatals > 0);
	assert_non_null(strstr(bench->fatal, "4 s"));
	second->cb(second, 0);
	assert_int_equal(raftio_appends(bench->raftio), 0);
	bench_free(bench);
}

static void
a_stalled_loop_does_not_make_a_write_late(void **state)
{
	struct raft_io_append one;
	struct raft_io_append *first;
	struct bench *bench = bench_new();

	(void)state;
	wait_ms(bench, 1000);
	first = appends(bench, &one);
	for (unsigned i = 0; i < 3; i++) {
		now_ms += 60 * 1000; /* stopped by a signal for a minute */
		raftio_tick(bench->raftio, now_ms);
	}
	wait_ms(bench, 1000);
	assert_int_equal(bench->fatals, 0);
	first->cb(first, 0);
	bench_free(bench);
}

static void
every_failed_write_is_fatal_before_libraft_hears_of_it(void **state)
{
	struct raft_io_append one = {0};
	struct raft_io_append *first;
	struct raft_entry entry = {0};
	struct bench *bench = bench_new();

	(void)state;
	first = appends(bench, &one);
	first->cb(first, RAFT_IOERR);
	assert_int_equal(bench->fatals, 1);

	bench->rv = RAFT_IOERR;
	snprintf(bench->io.errmsg, sizeof(bench->io.errmsg), "disk gone");
	assert_int_not_equal(
	    bench->io.append(&bench->io, &one, &entry, 1, on_appended), 0);
	assert_int_equal(bench->fatals, 2);
	assert_non_null(strstr(bench->fatal, "disk gone"));
	assert_int_equal(raftio_appends(bench->raftio), 0);
	assert_int_not_equal(bench->io.truncate(&bench->io, 3), 0);
	assert_int_equal(bench->fatals, 3);
	assert_int_not_equal(bench->io.set_term(&bench->io, 3), 0);
	assert_int_equal(bench->fatals, 4);
	assert_int_not_equal(bench->io.set_vote(&bench->io, 3), 0);
	assert_int_equal(bench->fatals, 5);
	bench_free(bench);
}

static void
a_write_canceled_by_closing_is_no_failure(void **state)
{
	struct raft_io_append one = {0};
	struct raft_io_append *first;
	struct bench *bench = bench_new();

	(void)state;
	first = appends(bench, &one);
	bench->io.close(&bench->io, on_closed);
	first->cb(first, RAFT_CANCELED);
	assert_int_equal(bench->fatals, 0);
	assert_int_equal(bench->status, RAFT_CANCELED);
	assert_int_equal(bench->stored, 0);
	bench_free(bench);
}

/* -- term and vote -------------------------------------------------------- */

static void
the_ballot_is_written_before_librafts_own_file(void **state)
{
	struct bench *bench = bench_new_ballot();

	(void)state;
	assert_int_equal(bench->io.set_term(&bench->io, 4), 0);
	assert_int_equal(bench->io.set_vote(&bench->io, 2), 0);
	assert_int_equal(bench->ballot->term, 4);
	assert_int_equal(bench->ballot->vote, 2);
	bench->rv = RAFT_IOERR; /* the second write fails: ours stands */
	assert_int_not_equal(bench->io.set_term(&bench->io, 5), 0);
	assert_int_equal(bench->ballot->term, 5);
	assert_int_equal(bench->ballot->vote, 0);
	assert_int_equal(bench->fatals, 1);
	bench_free(bench);
}

static void
start_goes_on_from_the_ballot_or_not_at_all(void **state)
{
	static const struct {
		uint64_t term, vote;               /* in the ballot */
		uint64_t loaded_term, loaded_vote; /* by libraft */
		bool ok;
		const char *writes;
	} cases[] = {
	    {5, 2, 5, 2, true, ""},
	    {5, 2, 5, 0, true, "v"},
	    {5, 2, 4, 3, true, "tv"},
	    {5, 0, 4, 3, true, "t"},
	    {5, 2, 6, 0, false, ""},
	    {5, 2, 5, 3, false, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench *bench = bench_new_ballot();
		struct raft_snapshot *snapshot;
		struct raft_entry *entries;
		raft_index start;
		raft_term term;
		raft_id vote;
		size_t n;
		struct errmsg why;
		int rv;

		assert_int_equal(ballot_store(bench->ballot, cases[i].term,
				     cases[i].vote, &why),
		    OK);
		bench->loaded_term = cases[i].loaded_term;
		bench->loaded_vote = cases[i].loaded_vote;
		rv = bench->io.load(
		    &bench->io, &term, &vote, &snapshot, &start, &entries, &n);
		assert_int_equal(rv == 0, cases[i].ok);
		assert_int_equal(bench->fatals, cases[i].ok ? 0 : 1);
		assert_string_equal(bench->order, cases[i].writes);
		if (rv == 0) {
			assert_int_equal(term, cases[i].term);
			assert_int_equal(vote, cases[i].vote);
		}
		bench_free(bench);
	}
}

static void
bootstrap_is_for_a_ballot_that_never_voted(void **state)
{
	struct raft_configuration conf;
	struct bench *bench;
	struct errmsg why;

	(void)state;
	raft_configuration_init(&conf);
	bench = bench_new_ballot();
	bench->rv = RAFT_IOERR; /* as a crash in the middle: may be repeated */
	assert_int_not_equal(bench->io.bootstrap(&bench->io, &conf), 0);
	bench->rv = 0;
	assert_int_equal(bench->io.bootstrap(&bench->io, &conf), 0);
	assert_int_equal(bench->ballot->term, 1);
	assert_int_equal(ballot_store(bench->ballot, 2, 0, &why), OK);
	bench->calls = 0;
	assert_int_equal(
	    bench->io.bootstrap(&bench->io, &conf), RAFT_CANTBOOTSTRAP);
	assert_int_equal(bench->calls, 0);
	bench_free(bench);
}

/* -- snapshots ------------------------------------------------------------ */

static void
on_put(struct raft_io_snapshot_put *req, int status)
{
	struct bench *bench = req->data;

	bench->callbacks++;
	bench->status = status;
	note(bench, 'o');
	if (raftio_snapshotting(bench->raftio))
		raftio_snapshot_done(bench->raftio); /* libraft's finalize */
	if (bench->loop != NULL)
		loop_stop(bench->loop);
}

static const struct raft_snapshot at_50 = {.index = 50, .term = 2};

static void
our_own_snapshot_is_dumped_and_the_leaders_passed_on(void **state)
{
	struct raft_io_snapshot_put req = {0};
	struct raft_buffer content = {.base = NULL, .len = 0};
	struct raft_snapshot installed = {
	    .index = 70, .term = 2, .bufs = &content, .n_bufs = 1};
	struct bench *bench = bench_new();

	(void)state;
	req.data = bench;
	raftio_set_snapshot(bench->raftio, bench);
	assert_int_equal(
	    bench->io.snapshot_put(&bench->io, 100, &req, &at_50, on_put), 0);
	assert_string_equal(bench->order, "dp");
	assert_int_equal(bench->put_trailing, 100);
	assert_int_equal(bench->put_snapshot->index, 50);
	assert_int_equal(bench->put_snapshot->n_bufs, 1);
	assert_memory_equal(bench->put_snapshot->bufs[0].base, "content", 8);
	assert_null(at_50.bufs);
	bench->put->cb(bench->put, 0);
	assert_int_equal(bench->callbacks, 1);

	assert_int_equal(
	    bench->io.snapshot_put(&bench->io, 0, &req, &installed, on_put), 0);
	assert_ptr_equal(bench->put_snapshot->bufs, &content);
	bench->put->cb(bench->put, 0);
	assert_int_equal(bench->callbacks, 2);
	assert_string_equal(bench->order, "dpopo");
	bench_free(bench);
}

static void
a_snapshot_that_cannot_be_written_is_fatal(void **state)
{
	struct raft_io_snapshot_put req = {0};
	struct bench *bench = bench_new();

	(void)state;
	req.data = bench;
	bench->dump = ERR_FULL;
	raftio_set_snapshot(bench->raftio, bench);
	assert_int_not_equal(
	    bench->io.snapshot_put(&bench->io, 100, &req, &at_50, on_put), 0);
	assert_int_equal(bench->fatals, 1);
	assert_non_null(strstr(bench->fatal, "no room"));
	bench->dump = OK;
	assert_int_equal(
	    bench->io.snapshot_put(&bench->io, 100, &req, &at_50, on_put), 0);
	bench->put->cb(bench->put, RAFT_IOERR);
	assert_int_equal(bench->fatals, 2);
	bench_free(bench);
}

/* On the loop: libraft asks for the snapshot, and perhaps closes at once. */
static void
begin(struct loop_task *task)
{
	struct bench *bench = CONTAINER_OF(task, struct bench, stop);

	bench->own.data = bench;
	raftio_set_snapshot(bench->raftio, bench);
	assert_int_equal(bench->io.snapshot_put(
			     &bench->io, 100, &bench->own, &at_50, on_put),
	    0);
	if (bench->close_early) {
		bench->io.close(&bench->io, on_closed);
		assert_int_equal(bench->closed, 0); /* the dump is out */
	}
}

static struct bench *
dump_in_worker(bool close_early)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct errmsg why;

	assert_non_null(bench);
	assert_int_equal(loop_new("test", &bench->loop, &why), OK);
	assert_int_equal(worker_new(1, 4, &bench->worker, &why), OK);
	wrap(bench);
	bench->close_early = close_early;
	bench->stop.run = begin;
	loop_post(bench->loop, &bench->stop);
	return bench;
}

static void
closing_during_a_dump_answers_once_and_before_the_end(void **state)
{
	struct bench *bench = dump_in_worker(true);

	(void)state;
	loop_run(bench->loop); /* on_put stops it */
	assert_string_equal(bench->order, "doc");
	assert_int_equal(bench->callbacks, 1);
	assert_int_equal(bench->status, RAFT_CANCELED);
	assert_int_equal(bench->closed, 1);
	assert_int_equal(bench->fatals, 0);
	worker_free(bench->worker);
	loop_free(bench->loop);
	bench_free(bench);
}

static int
put_at_once(struct raft_io *io, unsigned trailing,
    struct raft_io_snapshot_put *req, const struct raft_snapshot *snapshot,
    raft_io_snapshot_put_cb cb)
{
	assert_int_equal(low_put(io, trailing, req, snapshot, cb), 0);
	assert_memory_equal(snapshot->bufs[0].base, "content", 8);
	cb(req, 0); /* raft_uv calls later; here the order is the same */
	return 0;
}

static void
a_dump_in_the_worker_goes_on_to_the_files(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	const struct raftio_hooks hooks = {
	    .arg = bench, .dump = on_dump, .fatal = on_fatal};
	struct errmsg why;

	(void)state;
	assert_non_null(bench);
	assert_int_equal(loop_new("test", &bench->loop, &why), OK);
	assert_int_equal(worker_new(1, 4, &bench->worker, &why), OK);
	bench->io.snapshot_put = put_at_once;
	assert_int_equal(
	    raftio_wrap(&bench->io, &bench->raft, bench->loop, bench->worker,
		NULL, &hooks, clock_ms, &bench->raftio, &why),
	    OK);
	bench->stop.run = begin;
	loop_post(bench->loop, &bench->stop);
	loop_run(bench->loop);
	assert_string_equal(bench->order, "dpo");
	assert_int_equal(bench->status, 0);
	assert_false(raftio_snapshotting(bench->raftio));
	worker_free(bench->worker);
	loop_free(bench->loop);
	bench_free(bench);
}

static void
a_real_disk_lives_through_snapshots_kills_and_restarts(void **state)
{
	struct solo plan = {.entries = 300,
	    .entry_size = 128,
	    .in_flight = 4,
	    .segment_size = 64 * 1024,
	    .threshold = 100,
	    .trailing = 20,
	    .settle = true};
	struct solo_result result;
	uint64_t last = 0, restored = 0;

	(void)state;
	plan.dir = test_tmpdir();
	for (unsigned run = 0; run < 4; run++) {
		plan.kill = run % 2 == 0;
		result = solo_run(&plan);
		assert_int_equal(result.status, 0);
		assert_true(result.snapshots >= 1);
		assert_true(result.last_index >= last);
		assert_true(run == 0 || result.restored > restored);
		last = result.last_index + plan.entries;
		restored = result.restored;
	}
	test_rmdir((char *)(uintptr_t)plan.dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_02_a_refused_prevote_carries_our_own_higher_term),
	    cmocka_unit_test(a_send_never_fails_towards_libraft),
	    cmocka_unit_test(
		an_installed_snapshot_carries_the_term_of_what_was_loaded),
	    cmocka_unit_test(
		a_snapshot_that_cannot_be_read_never_reaches_libraft),
	    cmocka_unit_test(
		a_probe_with_a_low_prev_does_not_take_the_commit_index_back),
	    cmocka_unit_test(hazard_04_a_muted_server_neither_votes_nor_stands),
	    cmocka_unit_test(
		messages_are_dropped_and_freed_when_libraft_could_not_take_them),
	    cmocka_unit_test(
		a_write_that_never_comes_back_is_fatal_after_the_deadline),
	    cmocka_unit_test(a_stalled_loop_does_not_make_a_write_late),
	    cmocka_unit_test(
		every_failed_write_is_fatal_before_libraft_hears_of_it),
	    cmocka_unit_test(a_write_canceled_by_closing_is_no_failure),
	    cmocka_unit_test(the_ballot_is_written_before_librafts_own_file),
	    cmocka_unit_test(start_goes_on_from_the_ballot_or_not_at_all),
	    cmocka_unit_test(bootstrap_is_for_a_ballot_that_never_voted),
	    cmocka_unit_test(
		our_own_snapshot_is_dumped_and_the_leaders_passed_on),
	    cmocka_unit_test(a_snapshot_that_cannot_be_written_is_fatal),
	    cmocka_unit_test(
		closing_during_a_dump_answers_once_and_before_the_end),
	    cmocka_unit_test(a_dump_in_the_worker_goes_on_to_the_files),
	    cmocka_unit_test(
		a_real_disk_lives_through_snapshots_kills_and_restarts),
	};

	return cmocka_run_group_tests_name("raftio", tests, NULL, NULL);
}
