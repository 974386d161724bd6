/*
 * Goal: a root is removed when nothing signed by it can be alive, and never by
 * one wrong look at a clock.
 * Method: roots and times from a table; a clock that jumps and comes back.
 */
#include "server/ca/overdue.h"

#include "server/duration.h"
#include "tests/support/test.h"

#define NOW      INT64_C(1790000000)
#define HOUR     INT64_C(3600)
#define LEAF_TTL (72 * HOUR * DURATION_SECOND)

/* Two roots rotated out, the third active. */
static struct castore *
store_of_three(void)
{
	static const char *const ids[] = {"id00", "id01", "id02"};
	struct castore *store = calloc(1, sizeof(*store));

	assert_non_null(store);
	store->settings.leaf_ttl = LEAF_TTL;
	store->root_count = 3;
	store->active = 2;
	for (size_t i = 0; i < 3; i++) {
		store->roots[i].id = span_of(ids[i]);
		store->roots[i].active = i == 2;
		store->roots[i].rotated_out = i == 2 ? 0 : NOW - 1000;
	}
	return store;
}

static void
a_root_is_due_two_leaf_lifetimes_after_it_was_rotated_out(void **state)
{
	static const struct {
		bool active;
		int64_t rotated_out;
		bool due;
	} cases[] = {
	    {false, NOW - 144 * HOUR - 1, true},
	    {false, NOW - 144 * HOUR, false},
	    {false, 0, false}, /* never rotated out */
	    {true, NOW - 1000 * HOUR, false},
	    {false, NOW + HOUR, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ca_root root = {.active = cases[i].active,
		    .rotated_out = cases[i].rotated_out};

		assert_int_equal(
		    overdue_root(&root, LEAF_TTL, NOW), cases[i].due);
	}
}

static void
hazard_13_a_root_goes_only_if_it_stayed_due_for_ten_minutes(void **state)
{
	struct castore *store = store_of_three();
	struct overdue overdue = {0};
	bool drop[AUTHORITY_ROOTS_MAX];
	const int64_t later = NOW + 200 * HOUR;

	(void)state;
	/* One check of a wrong clock removes nothing. */
	assert_int_equal(overdue_check(&overdue, store, later, 1000, drop), 0);
	assert_int_equal(
	    overdue_check(&overdue, store, later, 1000 + 599999, drop), 0);
	/* The clock comes back: what was seen is forgotten. */
	assert_int_equal(overdue_check(&overdue, store, NOW, 700000, drop), 0);
	assert_int_equal(
	    overdue_check(&overdue, store, later, 800000, drop), 0);
	assert_int_equal(
	    overdue_check(&overdue, store, later, 800000 + 600000, drop), 2);
	assert_true(drop[0]);
	assert_true(drop[1]);
	assert_false(drop[2]);
	free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_root_is_due_two_leaf_lifetimes_after_it_was_rotated_out),
	    cmocka_unit_test(
		hazard_13_a_root_goes_only_if_it_stayed_due_for_ten_minutes),
	};

	return cmocka_run_group_tests_name("overdue", tests, NULL, NULL);
}
