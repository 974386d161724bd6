/*
 * Goal: a snapshot is written beside the running loop and each callback comes
 * exactly once, also when libraft closes meanwhile.
 * Method: a recorded raft_io underneath, a real loop and worker for the dump; a
 * real directory for a whole life with kills.
 */
#include "server/cluster/raftio.h"

#include "tests/support/lowio.h"
#include "tests/support/solo.h"
#include "tests/support/test.h"

static void
on_put(struct raft_io_snapshot_put *req, int status)
{
	struct lowio *bench = req->data;

	bench->callbacks++;
	bench->status = status;
	lowio_note(bench, 'o');
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
	struct lowio *bench = lowio_new();

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
	lowio_free(bench);
}

static void
a_snapshot_that_cannot_be_written_is_fatal(void **state)
{
	struct raft_io_snapshot_put req = {0};
	struct lowio *bench = lowio_new();

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
	lowio_free(bench);
}

/* On the loop: libraft asks for the snapshot, and perhaps closes at once. */
static void
begin(struct loop_task *task)
{
	struct lowio *bench = CONTAINER_OF(task, struct lowio, stop);

	bench->own.data = bench;
	raftio_set_snapshot(bench->raftio, bench);
	assert_int_equal(bench->io.snapshot_put(
			     &bench->io, 100, &bench->own, &at_50, on_put),
	    0);
	if (bench->close_early) {
		bench->io.close(&bench->io, lowio_on_closed);
		assert_int_equal(bench->closed, 0); /* the dump is out */
	}
}

static struct lowio *
dump_in_worker(bool close_early)
{
	struct lowio *bench = calloc(1, sizeof(*bench));
	struct errmsg why;

	assert_non_null(bench);
	assert_int_equal(loop_new("test", &bench->loop, &why), OK);
	assert_int_equal(worker_new(1, 4, &bench->worker, &why), OK);
	lowio_wrap(bench);
	bench->close_early = close_early;
	bench->stop.run = begin;
	loop_post(bench->loop, &bench->stop);
	return bench;
}

static void
closing_during_a_dump_answers_once_and_before_the_end(void **state)
{
	struct lowio *bench = dump_in_worker(true);

	(void)state;
	loop_run(bench->loop); /* on_put stops it */
	assert_string_equal(bench->order, "doc");
	assert_int_equal(bench->callbacks, 1);
	assert_int_equal(bench->status, RAFT_CANCELED);
	assert_int_equal(bench->closed, 1);
	assert_int_equal(bench->fatals, 0);
	worker_free(bench->worker);
	loop_free(bench->loop);
	lowio_free(bench);
}

static void
a_dump_in_the_worker_goes_on_to_the_files(void **state)
{
	struct lowio *bench = dump_in_worker(false);

	(void)state;
	bench->put_at_once = true;
	loop_run(bench->loop);
	assert_string_equal(bench->order, "dpo");
	assert_int_equal(bench->status, 0);
	assert_false(raftio_snapshotting(bench->raftio));
	worker_free(bench->worker);
	loop_free(bench->loop);
	lowio_free(bench);
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
		our_own_snapshot_is_dumped_and_the_leaders_passed_on),
	    cmocka_unit_test(a_snapshot_that_cannot_be_written_is_fatal),
	    cmocka_unit_test(
		closing_during_a_dump_answers_once_and_before_the_end),
	    cmocka_unit_test(a_dump_in_the_worker_goes_on_to_the_files),
	    cmocka_unit_test(
		a_real_disk_lives_through_snapshots_kills_and_restarts),
	};

	return cmocka_run_group_tests_name(
	    "raftio_snapshot", tests, NULL, NULL);
}
