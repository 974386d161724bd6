/*
 * Goal: a topic tells tables and objects apart, and a set of topics never
 * forgets one. Method: known values, and sets filled past their limit.
 */
#include "fsm/topic.h"

#include "tests/support/test.h"

static void
topic_is_table_above_folded_fnv1a(void **state)
{
	/* FNV-1a 64 of "a" is af63dc4c8601ec8c, of nothing cbf29ce484222325. */
	const uint64_t a =
	    (UINT64_C(0xaf63dc4c8601ec8c) ^ 0xaf) & ~(UINT64_C(0xff) << 56);
	const uint64_t none =
	    (UINT64_C(0xcbf29ce484222325) ^ 0xcb) & ~(UINT64_C(0xff) << 56);

	(void)state;
	assert_int_equal(
	    topic_of(TABLE_TLSCONF, "a", 1), UINT64_C(9) << 56 | a);
	assert_int_equal(
	    topic_of(TABLE_ROOT, NULL, 0), UINT64_C(6) << 56 | none);
}

static void
topics_differ_by_table_key_and_listing(void **state)
{
	(void)state;
	assert_int_not_equal(
	    topic_of(TABLE_ROOT, "x", 1), topic_of(TABLE_TLSCONF, "x", 1));
	assert_int_not_equal(
	    topic_of(TABLE_TLSCONF, "x", 1), topic_of(TABLE_TLSCONF, "y", 1));
	assert_int_not_equal(
	    topic_of(TABLE_TLSCONF, "x", 1), topic_of(TABLE_TLSCONF, NULL, 0));
	assert_int_not_equal(
	    topic_of(TABLE_TLSCONF, "ab", 2), topic_of(TABLE_TLSCONF, "ba", 2));
}

static void
set_keeps_each_topic_once(void **state)
{
	struct topics set = {0};

	(void)state;
	assert_false(topics_has(&set, 1));
	topics_add(&set, 1);
	topics_add(&set, 1);
	topics_add(&set, 2);
	assert_int_equal(set.count, 2);
	assert_true(topics_has(&set, 1));
	assert_true(topics_has(&set, 2));
	assert_false(topics_has(&set, 3));
	assert_false(set.all);
}

static void
set_past_its_limit_means_all(void **state)
{
	struct topics set = {0};

	(void)state;
	for (uint64_t i = 0; i < TOPICS_MAX; i++)
		topics_add(&set, i);
	topics_add(&set, 0); /* again: still fits */
	assert_false(set.all);
	assert_int_equal(set.count, TOPICS_MAX);
	topics_add(&set, TOPICS_MAX);
	assert_true(set.all);
	assert_true(topics_has(&set, 12345));
	topics_add(&set, 7);
	assert_true(set.all);
}

static void
merge_joins_sets_and_keeps_all(void **state)
{
	struct topics a = {0}, b = {0}, all = {.all = true};

	(void)state;
	topics_add(&a, 1);
	topics_add(&b, 1);
	topics_add(&b, 2);
	topics_merge(&a, &b);
	assert_int_equal(a.count, 2);
	assert_true(topics_has(&a, 2));
	topics_merge(&a, &all);
	assert_true(a.all);
	topics_merge(&all, &b);
	assert_true(all.all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(topic_is_table_above_folded_fnv1a),
	    cmocka_unit_test(topics_differ_by_table_key_and_listing),
	    cmocka_unit_test(set_keeps_each_topic_once),
	    cmocka_unit_test(set_past_its_limit_means_all),
	    cmocka_unit_test(merge_joins_sets_and_keeps_all),
	};

	return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
