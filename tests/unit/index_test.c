/*
 * Goal: the index of a table, or of an object that is not there, never goes
 * back. Method: changes, deletions and floors on an empty state.
 */
#include "fsm/index.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

static void
untouched_table_answers_one(void **state)
{
	struct state s;
	struct index index;

	(void)state;
	state_open(&s);
	assert_int_equal(index_get(s.txn, TABLE_ROOT, &index), OK);
	assert_int_equal(index.changed, 1);
	assert_int_equal(index.absent, 1);
	assert_int_equal(index.floor, 0);
	state_close(&s);
}

static void
change_and_deletion_are_kept_per_table(void **state)
{
	struct state s;
	struct index index;

	(void)state;
	state_open(&s);
	assert_int_equal(index_deleted(s.txn, TABLE_TLSCONF, 5), OK);
	assert_int_equal(index_changed(s.txn, TABLE_TLSCONF, 9), OK);
	assert_int_equal(index_changed(s.txn, TABLE_ROOT, 7), OK);
	assert_int_equal(index_get(s.txn, TABLE_TLSCONF, &index), OK);
	assert_int_equal(index.changed, 9);
	assert_int_equal(index.absent, 5);
	assert_int_equal(index_get(s.txn, TABLE_ROOT, &index), OK);
	assert_int_equal(index.changed, 7);
	assert_int_equal(index.absent, 1);
	assert_int_equal(index_deleted(s.txn, TABLE_TLSCONF, 12), OK);
	assert_int_equal(index_get(s.txn, TABLE_TLSCONF, &index), OK);
	assert_int_equal(index.changed, 12);
	assert_int_equal(index.absent, 12);
	state_close(&s);
}

static void
hazard_14_floor_stamps_present_and_absent_of_every_table(void **state)
{
	const uint64_t floor = UINT64_C(1) << 32;
	struct state s;
	struct index index;

	(void)state;
	state_open(&s);
	assert_int_equal(index_deleted(s.txn, TABLE_TLSCONF, 5), OK);
	assert_int_equal(index_set_floor(s.txn, floor), OK);
	for (int table = TABLE_INDEX; table <= TABLE_TLSCONF; table++) {
		assert_int_equal(
		    index_get(s.txn, (enum table)table, &index), OK);
		assert_true(index.changed == floor);
		assert_true(index.absent == floor);
	}
	assert_true(index_stamp(&index, 5) == floor);
	assert_true(index_stamp(&index, floor + 1) == floor + 1);

	assert_int_equal(index_changed(s.txn, TABLE_TLSCONF, floor + 1), OK);
	assert_int_equal(index_get(s.txn, TABLE_TLSCONF, &index), OK);
	assert_true(index.changed == floor + 1);
	assert_true(index.absent == floor);

	/* A lower floor never takes it back. */
	assert_int_equal(index_set_floor(s.txn, 3), OK);
	assert_int_equal(index_get(s.txn, TABLE_ROOT, &index), OK);
	assert_true(index.changed == floor);
	state_close(&s);
}

static void
damaged_row_is_reported(void **state)
{
	const uint8_t key = TABLE_ROOT;
	struct state s;
	struct index index;

	(void)state;
	state_open(&s);
	assert_int_equal(txn_put(s.txn, TABLE_INDEX, &key, 1, "short", 5), OK);
	assert_int_equal(index_get(s.txn, TABLE_ROOT, &index), ERR_CORRUPT);
	assert_int_equal(index_changed(s.txn, TABLE_ROOT, 9), ERR_CORRUPT);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(untouched_table_answers_one),
	    cmocka_unit_test(change_and_deletion_are_kept_per_table),
	    cmocka_unit_test(
		hazard_14_floor_stamps_present_and_absent_of_every_table),
	    cmocka_unit_test(damaged_row_is_reported),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
