/*
 * Goal: what a crash may leave and libraft stumbles over is mended: libraft
 * then starts, with every entry the scan counted.
 * Method: the leavings are made by hand in directories of a real single-voter
 * libraft, which is started on them afterwards; a control starts it without.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "server/cluster/batch.h"
#include "server/cluster/raftdir.h"
#include "server/cluster/segment.h"
#include "storage/file.h"
#include "tests/support/solo.h"
#include "tests/support/test.h"

static const struct solo killed = {
    .entries = 1000,
    .entry_size = 256,
    .in_flight = 8,
    .segment_size = 64 * 1024,
    .trailing = 400,
    .settle = true,
    .kill = true,
};

struct site {
	char *dir;
	struct raftdir list;
	struct batch_crc crc;
};

static void
site_make(struct site *site, unsigned entries, unsigned threshold)
{
	struct solo plan = killed;
	struct errmsg why;

	site->dir = test_tmpdir();
	plan.dir = site->dir;
	plan.entries = entries;
	plan.threshold = threshold;
	assert_int_equal(solo_run(&plan).status, 0);
	assert_int_equal(raftdir_list(site->dir, &site->list, &why), OK);
	batch_crc_init(&site->crc);
}

static void
path_of(const struct site *site, const char *name, char out[4096])
{
	snprintf(out, 4096, "%s/%s", site->dir, name);
}

/* A file, and where its good batches end. */
static size_t
read_batches(const struct site *site, const char *name, unsigned most,
    uint8_t **data, size_t *size, uint64_t *entries)
{
	size_t offset = BATCH_FILE_HEAD;
	struct batch batch;

	*entries = 0;
	assert_int_equal(
	    raftdir_read(&site->list, name, SIZE_MAX, data, size, NULL), OK);
	for (unsigned i = 0; i < most && offset < *size &&
	     batch_read(&site->crc, *data, *size, offset, &batch) == BATCH_GOOD;
	     i++) {
		offset += batch.size;
		*entries += batch.entries;
	}
	return offset;
}

/* The open segment with data, and where its good batches end. */
static size_t
open_end(const struct site *site, char path[4096], size_t *size)
{
	for (size_t i = 0; i < site->list.open.count; i++) {
		const char *name = site->list.open.files[i].name;
		uint8_t *data = NULL;
		uint64_t entries;
		size_t end =
		    read_batches(site, name, UINT_MAX, &data, size, &entries);

		free(data);
		if (entries > 0) {
			path_of(site, name, path);
			return end;
		}
	}
	fail_msg("no open segment with data");
	return 0;
}

static void
pwrite_all(const char *path, const void *data, size_t size, size_t at)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, (off_t)at), size);
	close(fd);
}

/* A batch that says it reaches behind the end of the file. */
static void
tear_far(const struct site *site)
{
	static const uint8_t junk[24] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0x80};
	char path[4096];
	size_t size, end = open_end(site, path, &size);

	pwrite_all(path, junk, sizeof(junk), end);
}

static void
tear_near(const struct site *site)
{
	static const uint8_t junk[40] = {1, 2, 3, 4, 5, 6, 7, 8, 1, [16] = 9};
	char path[4096];
	size_t size, end = open_end(site, path, &size);

	pwrite_all(path, junk, sizeof(junk), end);
}

/* Filled but for eight bytes, killed before it was closed. */
static void
leave_eight_bytes(const struct site *site)
{
	char path[4096];
	size_t size, end = open_end(site, path, &size);

	assert_int_equal(truncate(path, (off_t)end + 8), 0);
}

/* Its very first batch is torn. */
static void
tear_first(const struct site *site)
{
	static const uint8_t torn[64] = {1, [8] = 7, [16] = 1, [30] = 3};
	const struct raftdir_list *open = &site->list.open;
	char path[4096];

	path_of(site, open->files[open->count - 1].name, path);
	pwrite_all(path, torn, sizeof(torn), 0);
}

/* Killed while the segments before an installed snapshot were removed. */
static void
leave_before_snapshot(const struct site *site)
{
	const struct raftdir_list *snapshots = &site->list.snapshots;
	uint64_t index = snapshots->files[snapshots->count - 1].key[1];
	char path[4096];
	size_t size, left = 0;

	for (size_t i = 0; i < site->list.closed.count; i++) {
		path_of(site, site->list.closed.files[i].name, path);
		if (site->list.closed.files[i].key[1] < index)
			left++;
		else
			assert_int_equal(unlink(path), 0);
	}
	assert_true(left > 0);
	(void)open_end(site, path, &size);
	assert_int_equal(unlink(path), 0);
}

/* Killed while a truncation had written the shorter segment already. */
static void
leave_truncation(const struct site *site)
{
	const struct raftdir_list *closed = &site->list.closed;
	const struct raftdir_file *file = &closed->files[closed->count - 1];
	char name[64], path[4096];
	uint8_t *data = NULL;
	uint64_t entries;
	size_t size, end;

	end = read_batches(site, file->name, 3, &data, &size, &entries);
	snprintf(name, sizeof(name), "%016llu-%016llu",
	    (unsigned long long)file->key[0],
	    (unsigned long long)(file->key[0] + entries - 1));
	path_of(site, name, path);
	assert_int_equal(file_write(path, data, end, NULL), OK);
	free(data);
}

static const struct {
	const char *name;
	unsigned entries, threshold;
	void (*leave)(const struct site *site);
	bool torn;
	bool libraft_refuses; /* without mending */
} leavings[] = {
    {"torn batch, sizes past the end", 300, 0, tear_far, true, true},
    {"torn batch", 300, 0, tear_near, true, false},
    {"eight bytes left", 300, 0, leave_eight_bytes, false, true},
    {"torn first batch", 300, 0, tear_first, true, false},
    {"behind the snapshot", 1000, 300, leave_before_snapshot, false, true},
    {"truncation", 1000, 0, leave_truncation, false, true},
};

/* Starts libraft on it; false if it refuses or crashes. */
static bool
starts(const char *dir, uint64_t *last)
{
	struct solo plan = killed;
	struct solo_result result;

	plan.dir = dir;
	plan.entries = 0;
	plan.kill = false;
	plan.may_crash = true;
	result = solo_run(&plan);
	*last = result.last_index;
	return result.status == 0 && !result.crashed;
}

static void
what_a_crash_left_is_mended_and_libraft_starts(void **state)
{
	bool wrong = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leavings); i++) {
		struct segment_report report = {0};
		struct errmsg why = {""};
		struct site site;
		uint64_t last = 0;
		enum err rc;

		site_make(&site, leavings[i].entries, leavings[i].threshold);
		leavings[i].leave(&site);
		rc = segment_scan(site.dir, &report, &why);
		for (unsigned n = 0; rc == OK && n < 2; n++)
			rc = segment_mend(site.dir, &why);
		if (rc != OK || report.torn != leavings[i].torn ||
		    !starts(site.dir, &last) || last != report.last_index) {
			print_error("%s: %d %s, last %llu want %llu\n",
			    leavings[i].name, rc, why.text,
			    (unsigned long long)last,
			    (unsigned long long)report.last_index);
			wrong = true;
		}
		raftdir_free(&site.list);
		test_rmdir(site.dir);
	}
	assert_false(wrong);
}

static void
control_without_mending_libraft_refuses_or_crashes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leavings); i++) {
		struct site site;
		uint64_t last;

		site_make(&site, leavings[i].entries, leavings[i].threshold);
		leavings[i].leave(&site);
		assert_int_equal(
		    starts(site.dir, &last), !leavings[i].libraft_refuses);
		raftdir_free(&site.list);
		test_rmdir(site.dir);
	}
}

static void
a_bootstrap_cut_short_can_be_done_again(void **state)
{
	static const uint8_t term[32] = {1, [8] = 1, [16] = 1};
	struct solo plan = killed;
	struct site site = {.dir = test_tmpdir()};
	struct segment_report report;
	char path[4096];
	struct errmsg why;

	(void)state;
	path_of(&site, "metadata1", path);
	assert_int_equal(file_write(path, term, sizeof(term), NULL), OK);
	assert_int_equal(segment_scan(site.dir, &report, &why), OK);
	assert_int_equal(report.last_index, 0);
	assert_int_equal(segment_mend(site.dir, &why), OK);
	assert_int_not_equal(access(path, F_OK), 0);
	plan.dir = site.dir;
	plan.entries = 10;
	assert_int_equal(solo_run(&plan).status, 0);
	assert_int_equal(segment_scan(site.dir, &report, &why), OK);
	assert_true(report.last_index > 10);
	assert_int_equal(segment_mend(site.dir, &why), OK);
	assert_int_equal(access(path, F_OK), 0); /* with a log it stays */
	test_rmdir(site.dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bootstrap_cut_short_can_be_done_again),
	    cmocka_unit_test(what_a_crash_left_is_mended_and_libraft_starts),
	    cmocka_unit_test(
		control_without_mending_libraft_refuses_or_crashes),
	};

	return cmocka_run_group_tests_name("segment_mend", tests, NULL, NULL);
}
