/*
 * Goal: libraft never sees a failed write and sends no message that would
 * mislead a peer (hazards 2 and 4, the defects of its compatibility layer).
 * Method: a recorded raft_io underneath, whose answers the test chooses.
 */
#include "server/cluster/raftio.h"

#include <stdio.h>

#include "tests/support/lowio.h"
#include "tests/support/test.h"

/* -- messages ------------------------------------------------------------- */

static void
on_sent(struct raft_io_send *req, int status)
{
	struct lowio *bench = req->data;

	bench->callbacks++;
	bench->status = status;
}

static void
sends(struct lowio *bench, const struct raft_message *message, int status)
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
	struct lowio *bench = lowio_new();

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
	lowio_free(bench);
}

static void
a_send_never_fails_towards_libraft(void **state)
{
	struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
	struct lowio *bench = lowio_new();

	(void)state;
	bench->rv = RAFT_NOMEM;
	sends(bench, &message, RAFT_NOCONNECTION);
	assert_int_equal(bench->fatals, 0);
	lowio_free(bench);
}

static void
on_got(struct raft_io_snapshot_get *req, struct raft_snapshot *snapshot,
    int status)
{
	struct lowio *bench = req->data;

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
	struct lowio *bench = lowio_new();

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
	lowio_free(bench);
}

static void
a_snapshot_that_cannot_be_read_never_reaches_libraft(void **state)
{
	struct raft_io_snapshot_get req = {0};
	struct lowio *bench = lowio_new();

	(void)state;
	req.data = bench;
	assert_int_equal(bench->io.snapshot_get(&bench->io, &req, on_got), 0);
	bench->get->cb(bench->get, NULL, RAFT_IOERR);
	assert_int_equal(bench->fatals, 1);
	assert_int_equal(bench->callbacks, 0);
	lowio_free(bench);
}

static void
on_received(struct raft_io *io, struct raft_message *message)
{
	(void)message;
	lowio_of(io)->received++;
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
delivers(struct lowio *bench, enum raft_message_type type, bool kept)
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
	struct lowio *bench = lowio_new();
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
	lowio_free(bench);
}

static void
hazard_04_a_muted_server_neither_votes_nor_stands(void **state)
{
	struct raft_message ask = {.type = RAFT_REQUEST_VOTE};
	struct raft_message answer = {.type = RAFT_APPEND_ENTRIES_RESULT};
	struct lowio *bench = lowio_new();

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
	lowio_free(bench);
}

static void
messages_are_dropped_and_freed_when_libraft_could_not_take_them(void **state)
{
	static const enum raft_message_type types[] = {RAFT_APPEND_ENTRIES,
	    RAFT_APPEND_ENTRIES_RESULT, RAFT_INSTALL_SNAPSHOT,
	    RAFT_REQUEST_VOTE, RAFT_REQUEST_VOTE_RESULT, RAFT_TIMEOUT_NOW};
	struct lowio *bench = lowio_new();

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
	bench->io.close(&bench->io, lowio_on_closed);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		delivers(bench, types[i], false);
	lowio_free(bench);
}

/* -- log ------------------------------------------------------------------ */

static void
on_appended(struct raft_io_append *req, int status)
{
	struct lowio *bench = req->data;

	bench->callbacks++;
	bench->status = status;
}

static struct raft_io_append *
appends(struct lowio *bench, struct raft_io_append *req)
{
	struct raft_entry entries[3] = {{0}};

	req->data = bench;
	assert_int_equal(
	    bench->io.append(&bench->io, req, entries, 3, on_appended), 0);
	return bench->append;
}

static void
a_write_that_never_comes_back_is_fatal_after_the_deadline(void **state)
{
	struct raft_io_append one, two;
	struct raft_io_append *first, *second;
	struct lowio *bench = lowio_new();

	(void)state;
	lowio_wait(bench, 1000, 100);
	first = appends(bench, &one);
	lowio_wait(bench, 3000, 100);
	second = appends(bench, &two);
	assert_int_equal(raftio_appends(bench->raftio), 2);
	first->cb(first, 0);
	assert_int_equal(bench->callbacks, 1);
	assert_int_equal(bench->stored, 3);
	lowio_wait(bench, 4000, 100);
	assert_int_equal(bench->fatals, 0);
	lowio_wait(bench, 200, 100);
	assert_true(bench->fatals > 0);
	assert_non_null(strstr(bench->fatal, "4 s"));
	second->cb(second, 0);
	assert_int_equal(raftio_appends(bench->raftio), 0);
	lowio_free(bench);
}

static void
a_stalled_loop_does_not_make_a_write_late(void **state)
{
	struct raft_io_append one;
	struct raft_io_append *first;
	struct lowio *bench = lowio_new();

	(void)state;
	lowio_wait(bench, 1000, 100);
	first = appends(bench, &one);
	/* stopped by a signal for a minute, three times */
	lowio_wait(bench, 180 * 1000, 60 * 1000);
	lowio_wait(bench, 1000, 100);
	assert_int_equal(bench->fatals, 0);
	first->cb(first, 0);
	lowio_free(bench);
}

static void
every_failed_write_is_fatal_before_libraft_hears_of_it(void **state)
{
	struct raft_io_append one = {0};
	struct raft_io_append *first;
	struct raft_entry entry = {0};
	struct lowio *bench = lowio_new();

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
	lowio_free(bench);
}

static void
a_write_canceled_by_closing_is_no_failure(void **state)
{
	struct raft_io_append one = {0};
	struct raft_io_append *first;
	struct lowio *bench = lowio_new();

	(void)state;
	first = appends(bench, &one);
	bench->io.close(&bench->io, lowio_on_closed);
	first->cb(first, RAFT_CANCELED);
	assert_int_equal(bench->fatals, 0);
	assert_int_equal(bench->status, RAFT_CANCELED);
	assert_int_equal(bench->stored, 0);
	lowio_free(bench);
}

/* -- term and vote -------------------------------------------------------- */

static void
the_ballot_is_written_before_librafts_own_file(void **state)
{
	struct lowio *bench = lowio_new_ballot();

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
	lowio_free(bench);
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
		struct lowio *bench = lowio_new_ballot();
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
		lowio_free(bench);
	}
}

static void
bootstrap_is_for_a_ballot_that_never_voted(void **state)
{
	struct raft_configuration conf;
	struct lowio *bench;
	struct errmsg why;

	(void)state;
	raft_configuration_init(&conf);
	bench = lowio_new_ballot();
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
	lowio_free(bench);
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
	};

	return cmocka_run_group_tests_name("raftio", tests, NULL, NULL);
}
