/*
 * Goal: data is believed after an unclean stop only where its page cache must
 * have survived, and never when the marker itself is in doubt.
 * Method: stored markers with one field changed, copied and damaged files.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/buf.h"
#include "storage/db.h"
#include "storage/file.h"
#include "storage/marker.h"
#include "tests/support/test.h"

#define MAGIC "CONCLMRK"

/* Offsets in the content: u8 clean, u32 schema, u32 length and 36 bytes of
 * boot id, u64 mount, u64 device, u64 inode. */
enum {
	AT_CLEAN = 0,
	AT_SCHEMA = 4, /* its last byte */
	AT_BOOT_ID = 9,
	AT_MOUNT = 52,
	AT_DEVICE = 60,
	AT_INODE = 68,
	CONTENT_SIZE = 69
};

static char *
in(const char *dir, const char *name)
{
	static char paths[2][256];
	static size_t turn;
	char *path = paths[turn++ % ARRAY_SIZE(paths)];

	assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", dir, name) > 0);
	return path;
}

static int
dir_new(void **state)
{
	char *dir = test_tmpdir();

	*state = dir;
	return file_write(in(dir, "data.mdb"), "pages", 5, NULL) == OK ? 0 : -1;
}

static int
dir_remove(void **state)
{
	test_rmdir(*state);
	return 0;
}

static bool
believed(const char *dir, struct errmsg *why)
{
	bool believe = false;

	assert_int_equal(marker_check(dir, &believe, why), OK);
	return believe;
}

/* Change one byte of the stored marker's content. */
static void
marker_change(const char *dir, size_t at)
{
	struct buf content = buf_new(1000);
	uint32_t version;

	assert_int_equal(file_read_checked(in(dir, "marker"), MAGIC, 1,
			     &version, &content, NULL),
	    OK);
	assert_int_equal(content.size, CONTENT_SIZE);
	content.data[at] ^= 3;
	assert_int_equal(
	    file_write_checked(in(dir, "marker"), MAGIC, 1, &content, NULL),
	    OK);
	buf_free(&content);
}

static void
hazard_05_marker_doubts(void **state)
{
	static const struct {
		size_t at;
		const char *why;
	} cases[] = {
	    {AT_BOOT_ID, "rebooted"},
	    {AT_MOUNT, "mounted anew"},
	    {AT_DEVICE, "another device"},
	    {AT_INODE, "another file"},
	};
	struct errmsg why;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(marker_write(*state, false, NULL), OK);
		assert_true(believed(*state, &why)); /* kill -9 */
		marker_change(*state, cases[i].at);
		assert_false(believed(*state, &why));
		assert_non_null(strstr(why.text, cases[i].why));

		/* All was on disk: reboot and copy do no harm. */
		assert_int_equal(marker_write(*state, true, NULL), OK);
		assert_true(believed(*state, &why));
		marker_change(*state, cases[i].at);
		assert_true(believed(*state, &why));
	}
}

static void
hazard_05_a_copied_directory_is_doubted(void **state)
{
	char *copy = test_tmpdir();
	struct buf bytes = buf_new(1000);
	struct errmsg why;

	assert_int_equal(marker_write(*state, false, NULL), OK);
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "data.mdb" : "marker";

		assert_int_equal(file_read(in(*state, name), &bytes, NULL), OK);
		assert_int_equal(
		    file_write(in(copy, name), bytes.data, bytes.size, NULL),
		    OK);
	}
	assert_false(believed(copy, &why));
	assert_true(believed(*state, &why));
	buf_free(&bytes);
	test_rmdir(copy);
}

static void
no_data_is_no_doubt_and_no_marker_is_one(void **state)
{
	struct errmsg why;

	assert_false(believed(*state, &why));
	assert_non_null(strstr(why.text, "no marker"));
	assert_int_equal(unlink(in(*state, "data.mdb")), 0);
	assert_true(believed(*state, &why));
	assert_int_equal(marker_write(*state, true, &why), ERR_IO);
}

static void
a_damaged_marker_is_a_doubt(void **state)
{
	struct buf whole = buf_new(1000);
	const char *path;
	struct errmsg why;

	assert_int_equal(marker_write(*state, true, NULL), OK);
	path = in(*state, "marker");
	assert_int_equal(file_read(path, &whole, NULL), OK);
	for (size_t at = 0; at < whole.size; at++) {
		whole.data[at] ^= 1;
		assert_int_equal(
		    file_write(path, whole.data, whole.size, NULL), OK);
		assert_false(believed(*state, &why));
		whole.data[at] ^= 1;
	}
	assert_int_equal(file_write(path, "", 0, NULL), OK);
	assert_false(believed(*state, &why));
	buf_free(&whole);
}

static void
content_that_is_no_marker_is_a_doubt(void **state)
{
	struct buf content = buf_new(1000);
	struct errmsg why;

	for (size_t size = 0; size < 100; size++) {
		assert_int_equal(file_write_checked(in(*state, "marker"), MAGIC,
				     1, &content, NULL),
		    OK);
		assert_false(believed(*state, &why));
		buf_u8(&content, size < 5 ? 0 : 1);
	}
	buf_free(&content);
	assert_int_equal(marker_write(*state, true, NULL), OK);
	marker_change(*state, AT_CLEAN); /* 2 is neither */
	assert_false(believed(*state, &why));
}

static void
what_a_newer_version_wrote_is_refused_not_doubted(void **state)
{
	struct buf content = buf_new(1000);
	struct errmsg why;
	bool believe;

	assert_int_equal(marker_write(*state, false, NULL), OK);
	marker_change(*state, AT_SCHEMA);
	marker_change(*state, AT_BOOT_ID);
	assert_int_equal(marker_check(*state, &believe, &why), ERR_UNSUPPORTED);
	assert_non_null(strstr(why.text, "schema 2"));
	assert_int_equal(
	    file_write_checked(in(*state, "marker"), MAGIC, 2, &content, NULL),
	    OK);
	assert_int_equal(marker_check(*state, &believe, &why), ERR_UNSUPPORTED);
}

static void
a_marker_that_cannot_be_read_is_a_doubt(void **state)
{
	struct errmsg why;

	assert_int_equal(mkdir(in(*state, "marker"), 0700), 0);
	assert_false(believed(*state, &why));
	assert_int_equal(marker_write(*state, true, &why), ERR_IO);
}

static enum err
write_and_check(void *arg)
{
	struct errmsg why;
	bool believe;
	enum err rc;

	rc = marker_write(arg, false, &why);
	if (rc == OK)
		rc = marker_check(arg, &believe, &why);
	if (rc == OK)
		assert_true(believe);
	return rc;
}

static void
every_lack_of_memory_is_an_answer(void **state)
{
	test_torture(write_and_check, *state);
}

#define in_fresh_dir(test)                                                     \
	cmocka_unit_test_setup_teardown(test, dir_new, dir_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    in_fresh_dir(hazard_05_marker_doubts),
	    in_fresh_dir(hazard_05_a_copied_directory_is_doubted),
	    in_fresh_dir(no_data_is_no_doubt_and_no_marker_is_one),
	    in_fresh_dir(a_damaged_marker_is_a_doubt),
	    in_fresh_dir(content_that_is_no_marker_is_a_doubt),
	    in_fresh_dir(what_a_newer_version_wrote_is_refused_not_doubted),
	    in_fresh_dir(a_marker_that_cannot_be_read_is_a_doubt),
	    in_fresh_dir(every_lack_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests_name("marker", tests, NULL, NULL);
}
