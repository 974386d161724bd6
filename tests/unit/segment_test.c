/*
 * Goal: whatever a healthy libraft leaves is accepted and counted as libraft
 * itself counts it, kill -9 included.
 * Method: directories written by a real single-voter libraft, ended cleanly or
 * by SIGKILL, scanned, then loaded by libraft again.
 */
#include "server/cluster/segment.h"

#include <stdio.h>

#include "storage/file.h"
#include "tests/support/solo.h"
#include "tests/support/test.h"

#define SEGMENT (64 * 1024)

static const struct solo small = {
    .entries = 1000,
    .entry_size = 256,
    .in_flight = 8,
    .segment_size = SEGMENT,
    .trailing = 100,
};

static char *
path_of(const char *dir, const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static struct segment_report
accepted(const char *dir)
{
	struct segment_report report;
	struct errmsg why;

	why.text[0] = '\0';
	if (segment_scan(dir, &report, &why) != OK)
		fail_msg("refused: %s", why.text);
	return report;
}

static void
an_empty_directory_is_empty(void **state)
{
	char *dir = test_tmpdir();
	struct segment_report report = accepted(dir);

	(void)state;
	assert_true(report.empty);
	assert_false(report.metadata);
	assert_int_equal(report.last_index, 0);
	test_rmdir(dir);
}

static void
what_libraft_leaves_is_accepted_and_counted_as_it_counts(void **state)
{
	static const struct {
		unsigned threshold, trailing;
		bool kill;
	} cases[] = {
	    {0, 100, false},
	    {0, 100, true},
	    {200, 50, false},
	    {200, 50, true},
	    {100, 2000, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *dir = test_tmpdir();
		struct solo plan = small, look = small;
		struct segment_report report;
		struct solo_result result;

		plan.dir = look.dir = dir;
		plan.threshold = cases[i].threshold;
		plan.trailing = cases[i].trailing;
		plan.kill = cases[i].kill;
		look.entries = 0;
		for (unsigned run = 0; run < 3; run++) {
			plan.entries = small.entries / (run + 1);
			result = solo_run(&plan);
			assert_int_equal(result.status, 0);
			report = accepted(dir);
			assert_false(report.empty);
			assert_true(report.metadata);
			assert_int_equal(report.term, result.term);
			result = solo_run(&look);
			assert_int_equal(result.status, 0);
			assert_int_equal(report.last_index, result.last_index);
			assert_int_equal(
			    report.snapshot_index, result.restored);
			assert_int_equal(
			    report.snapshot_index > 0, cases[i].threshold > 0);
		}
		test_rmdir(dir);
	}
}

static void
metadata_cut_short_is_accepted_only_at_its_first_writing(void **state)
{
	uint8_t one[32] = {1, [8] = 1, [16] = 1};
	char *dir = test_tmpdir(), *path;
	struct segment_report report;

	(void)state;
	path = path_of(dir, "metadata1");
	assert_int_equal(file_write(path, one, 0, NULL), OK);
	report = accepted(dir);
	assert_true(report.empty);
	assert_int_equal(file_write(path, one, sizeof(one), NULL), OK);
	free(path);
	path = path_of(dir, "metadata2");
	assert_int_equal(file_write(path, one, 7, NULL), OK);
	report = accepted(dir);
	assert_true(report.metadata);
	assert_int_equal(report.term, 1);
	assert_int_equal(report.vote, 0);
	assert_int_equal(report.last_index, 0);
	free(path);
	test_rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_directory_is_empty),
	    cmocka_unit_test(
		what_libraft_leaves_is_accepted_and_counted_as_it_counts),
	    cmocka_unit_test(
		metadata_cut_short_is_accepted_only_at_its_first_writing),
	};

	return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
