/*
 * Goal: term and vote survive any torn write and are never believed damaged.
 * Method: the file is damaged by hand; all single-byte flips of both slots.
 */
#include "server/cluster/ballot.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test.h"

#define SLOT 512

static int
open_file(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/ballot", dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

static void
stores(const char *dir, uint64_t term, uint64_t vote)
{
	struct ballot ballot;
	struct errmsg why;

	assert_int_equal(ballot_open(dir, &ballot, &why), OK);
	assert_int_equal(ballot_store(&ballot, term, vote, &why), OK);
	ballot_close(&ballot);
}

static void
expect(const char *dir, uint64_t term, uint64_t vote)
{
	struct ballot ballot;
	struct errmsg why;

	assert_int_equal(ballot_open(dir, &ballot, &why), OK);
	assert_int_equal(ballot.term, term);
	assert_int_equal(ballot.vote, vote);
	ballot_close(&ballot);
}

static void
what_was_stored_is_there_after_each_start(void **state)
{
	char *dir = test_tmpdir();

	(void)state;
	expect(dir, 0, 0);
	for (uint64_t term = 1; term < 20; term++) {
		stores(dir, term, 0);
		expect(dir, term, 0);
		stores(dir, term, 1000 + term);
		expect(dir, term, 1000 + term);
	}
	test_rmdir(dir);
}

static void
any_flip_leaves_one_of_the_two_newest_or_refuses(void **state)
{
	char *dir = test_tmpdir();
	struct ballot ballot;
	struct errmsg why;
	uint8_t byte;
	int fd;

	(void)state;
	stores(dir, 7, 0);
	stores(dir, 7, 9); /* even sequence: slot 0 */
	fd = open_file(dir);
	for (off_t at = 0; at < 2 * SLOT; at++) {
		bool record = at % SLOT < 64; /* the rest is padding */

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		expect(dir, 7, at < SLOT && record ? 0 : 9);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	byte = 0xee;
	assert_int_equal(pwrite(fd, &byte, 1, 20), 1);
	assert_int_equal(pwrite(fd, &byte, 1, SLOT + 20), 1);
	assert_int_equal(ballot_open(dir, &ballot, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, "ballot"));
	close(fd);
	test_rmdir(dir);
}

static void
a_file_of_another_size_or_with_swapped_slots_refuses(void **state)
{
	char *dir = test_tmpdir();
	uint8_t slots[2 * SLOT];
	struct ballot ballot;
	struct errmsg why;
	int fd;

	(void)state;
	stores(dir, 3, 1);
	stores(dir, 4, 1);
	fd = open_file(dir);
	assert_int_equal(pread(fd, slots, sizeof(slots), 0), sizeof(slots));
	assert_int_equal(pwrite(fd, slots + SLOT, SLOT, 0), SLOT);
	assert_int_equal(pwrite(fd, slots, SLOT, SLOT), SLOT);
	assert_int_equal(ballot_open(dir, &ballot, &why), ERR_CORRUPT);
	assert_int_equal(ftruncate(fd, 2 * SLOT - 1), 0);
	assert_int_equal(ballot_open(dir, &ballot, &why), ERR_CORRUPT);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ballot_open(dir, &ballot, &why), ERR_CORRUPT);
	close(fd);
	test_rmdir(dir);
}

static void
librafts_copy_may_be_behind_and_never_ahead(void **state)
{
	static const struct {
		uint64_t ours_term, ours_vote, term, vote;
		enum err want;
	} cases[] = {
	    {0, 0, 0, 0, OK},          /* fresh */
	    {5, 2, 5, 2, OK},          /* the same */
	    {5, 2, 5, 0, OK},          /* crash before its vote */
	    {5, 0, 4, 3, OK},          /* crash before its term */
	    {5, 2, 0, 0, OK},          /* its files are lost */
	    {5, 0, 5, 2, ERR_CORRUPT}, /* our vote is lost */
	    {5, 2, 5, 3, ERR_CORRUPT}, /* two votes in one term */
	    {5, 2, 6, 0, ERR_CORRUPT}, /* our term is lost */
	    {0, 0, 1, 0, ERR_CORRUPT}, /* our file is fresh, its is not */
	};
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ballot ballot = {.fd = -1,
		    .term = cases[i].ours_term,
		    .vote = cases[i].ours_vote};

		assert_int_equal(
		    ballot_judge(&ballot, cases[i].term, cases[i].vote, &why),
		    cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_stored_is_there_after_each_start),
	    cmocka_unit_test(any_flip_leaves_one_of_the_two_newest_or_refuses),
	    cmocka_unit_test(
		a_file_of_another_size_or_with_swapped_slots_refuses),
	    cmocka_unit_test(librafts_copy_may_be_behind_and_never_ahead),
	};

	return cmocka_run_group_tests_name("ballot", tests, NULL, NULL);
}
