/*
 * Goal: a snapshot that is not a sound image is named before libraft hands it
 * to the state machine.
 * Method: an image of an empty state under raft_uv's names, whole, flipped,
 * cut, empty; an older sound one beside a newer damaged one and the reverse.
 */
#include "server/cluster/snapcheck.h"

#include <stdio.h>

#include "storage/file.h"
#include "storage/image.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

struct fixture {
	char *dir;
	struct state state;
	uint8_t *image;
	size_t size;
};

static int
fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *data;

	assert_non_null(f);
	f->dir = test_tmpdir();
	state_open(&f->state);
	assert_int_equal(
	    image_write(f->state.txn, 7, malloc, &data, &f->size, NULL), OK);
	f->image = data;
	*state = f;
	return 0;
}

static int
fixture_free(void **state)
{
	struct fixture *f = *state;

	free(f->image);
	state_close(&f->state);
	test_rmdir(f->dir);
	free(f);
	return 0;
}

static void
store(const struct fixture *f, const char *name, size_t size)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(file_write(path, f->image, size, NULL), OK);
	(void)snprintf(path, sizeof(path), "%s/%s.meta", f->dir, name);
	assert_int_equal(file_write(path, "", 0, NULL), OK);
}

static void
no_snapshot_is_no_doubt(void **state)
{
	struct fixture *f = *state;
	struct errmsg why;

	assert_int_equal(snapcheck(f->dir, &why), OK);
}

static void
a_damaged_one_is_named(void **state)
{
	struct fixture *f = *state;
	struct errmsg why;

	store(f, "snapshot-1-7-100", f->size);
	assert_int_equal(snapcheck(f->dir, &why), OK);
	store(f, "snapshot-1-7-100", f->size - 1);
	assert_int_equal(snapcheck(f->dir, &why), ERR_CORRUPT);
	store(f, "snapshot-1-7-100", 0);
	assert_int_equal(snapcheck(f->dir, &why), ERR_CORRUPT);
	f->image[f->size / 2] ^= 1;
	store(f, "snapshot-1-7-100", f->size);
	assert_int_equal(snapcheck(f->dir, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "snapshot-1-7-100: "));
}

static void
only_the_newest_counts(void **state)
{
	struct fixture *f = *state;
	struct errmsg why;

	store(f, "snapshot-1-6-100", 3);
	store(f, "snapshot-1-7-100", f->size);
	assert_int_equal(snapcheck(f->dir, &why), OK);
	store(f, "snapshot-2-8-100", 3);
	assert_int_equal(snapcheck(f->dir, &why), ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		no_snapshot_is_no_doubt, fixture_new, fixture_free),
	    cmocka_unit_test_setup_teardown(
		a_damaged_one_is_named, fixture_new, fixture_free),
	    cmocka_unit_test_setup_teardown(
		only_the_newest_counts, fixture_new, fixture_free),
	};

	return cmocka_run_group_tests_name("snapcheck", tests, NULL, NULL);
}
