/*
 * Goal: a request is applied once however often it comes, and what is kept for
 * that is bounded (hazard 22). Method: find and remember on a small table, with
 * rows counted after each step.
 */
#include "fsm/request.h"

#include "fsm/result.h"
#include "fsm/table.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

static struct request_id
id_of(uint64_t start, uint64_t sequence, uint64_t lowest)
{
	return (struct request_id){7, start, sequence, lowest};
}

/* ERR_NOTFOUND: may be applied. Else the answer it gets; *value of an OK. */
static enum err
find(struct state *s, struct request_id id, uint64_t *value)
{
	struct fsm_result result = {0};
	bool known;

	assert_int_equal(request_find(s->txn, &id, &known, &result), OK);
	if (!known)
		return ERR_NOTFOUND;
	*value = result.value;
	return result.code;
}

static enum err
look(struct state *s, struct request_id id)
{
	uint64_t value;

	return find(s, id, &value);
}

static void
remember(struct state *s, struct request_id id, uint64_t value)
{
	const struct fsm_result result = {.value = value, .revision = 3};

	assert_int_equal(request_remember(s->txn, &id, &result), OK);
}

static bool
count_one(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	size_t *count = arg;

	(void)key;
	(void)data;
	(void)size;
	*count += key_size == 16 ? 1 : 0;
	return true;
}

static size_t
rows(struct state *s)
{
	size_t count = 0;

	assert_int_equal(txn_walk(s->txn, TABLE_REQUEST, NULL, 0, NULL, 0,
			     count_one, &count),
	    OK);
	return count;
}

static void
hazard_22_remembered_request_gets_its_first_answer(void **state)
{
	struct state s;
	uint64_t value;

	(void)state;
	state_open(&s);
	assert_int_equal(find(&s, id_of(1, 1, 1), &value), ERR_NOTFOUND);
	remember(&s, id_of(1, 1, 1), 11);
	assert_int_equal(find(&s, id_of(1, 2, 1), &value), ERR_NOTFOUND);
	remember(&s, id_of(1, 2, 1), 22);
	assert_int_equal(find(&s, id_of(1, 1, 1), &value), OK);
	assert_int_equal(value, 11);
	assert_int_equal(find(&s, id_of(1, 2, 1), &value), OK);
	assert_int_equal(value, 22);
	state_close(&s);
}

static void
request_without_server_is_never_remembered(void **state)
{
	const struct request_id id = {0, 1, 1, 1};
	struct state s;

	(void)state;
	state_open(&s);
	state_mark(&s);
	remember(&s, id, 1);
	assert_int_equal(look(&s, id), ERR_NOTFOUND);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
hazard_22_below_lowest_is_dropped_and_refused(void **state)
{
	struct state s;

	(void)state;
	state_open(&s);
	for (uint64_t i = 1; i <= 5; i++)
		remember(&s, id_of(1, i, 1), i);
	assert_int_equal(rows(&s), 5);
	remember(&s, id_of(1, 6, 4), 6);
	assert_int_equal(rows(&s), 3); /* 4, 5, 6 */
	assert_int_equal(look(&s, id_of(1, 3, 1)), ERR_UNKNOWN);
	assert_int_equal(look(&s, id_of(1, 3, 3)), ERR_UNKNOWN);
	assert_int_equal(look(&s, id_of(1, 4, 1)), OK);
	assert_int_equal(look(&s, id_of(1, 7, 1)), ERR_NOTFOUND);
	/* A late id with a lower lowest takes nothing back. */
	remember(&s, id_of(1, 7, 1), 7);
	assert_int_equal(look(&s, id_of(1, 3, 1)), ERR_UNKNOWN);
	/* Ids that contradict themselves. */
	assert_int_equal(look(&s, id_of(1, 8, 9)), ERR_UNKNOWN);
	assert_int_equal(look(&s, id_of(2, 0, 0)), ERR_UNKNOWN);
	state_close(&s);
}

static void
hazard_22_higher_start_drops_older_rows(void **state)
{
	struct state s;

	(void)state;
	state_open(&s);
	for (uint64_t i = 1; i <= 5; i++)
		remember(&s, id_of(1, i, 1), i);
	/* Its sequences begin anew: 3 is another request now. */
	assert_int_equal(look(&s, id_of(2, 3, 1)), ERR_NOTFOUND);
	remember(&s, id_of(2, 3, 1), 33);
	assert_int_equal(rows(&s), 1);
	assert_int_equal(look(&s, id_of(2, 3, 1)), OK);
	assert_int_equal(look(&s, id_of(2, 1, 1)), ERR_NOTFOUND);
	assert_int_equal(look(&s, id_of(1, 3, 1)), ERR_UNKNOWN);
	assert_int_equal(look(&s, id_of(1, 9, 1)), ERR_UNKNOWN);
	state_close(&s);
}

static void
hazard_22_rows_of_a_server_are_bounded(void **state)
{
	struct state s;

	(void)state;
	state_open(&s);
	for (uint64_t i = 1; i <= REQUEST_ROWS_MAX; i++) {
		assert_int_equal(look(&s, id_of(1, i, 1)), ERR_NOTFOUND);
		remember(&s, id_of(1, i, 1), i);
	}
	assert_int_equal(look(&s, id_of(1, REQUEST_ROWS_MAX + 1, 1)), ERR_BUSY);
	assert_int_equal(look(&s, id_of(1, UINT64_MAX, 1)), ERR_BUSY);
	assert_int_equal(rows(&s), REQUEST_ROWS_MAX);
	/* One answered makes room for one. */
	assert_int_equal(
	    look(&s, id_of(1, REQUEST_ROWS_MAX + 1, 2)), ERR_NOTFOUND);
	remember(&s, id_of(1, REQUEST_ROWS_MAX + 1, 2), 1);
	assert_int_equal(rows(&s), REQUEST_ROWS_MAX);
	/* Another server has its own bound. */
	assert_int_equal(
	    look(&s, (struct request_id){8, 1, 1, 1}), ERR_NOTFOUND);
	/* All answered, the numbers far ahead. */
	assert_int_equal(look(&s, id_of(1, UINT64_MAX, UINT64_MAX)), ERR_BUSY);
	remember(&s, id_of(1, UINT64_MAX - 1, UINT64_MAX - 1), 1);
	assert_int_equal(rows(&s), 1);
	assert_int_equal(look(&s, id_of(1, UINT64_MAX - 1, 5)), OK);
	/* A new start clears a full table too. */
	remember(&s, id_of(2, 1, 1), 1);
	assert_int_equal(rows(&s), 1);
	state_close(&s);
}

static void
hazard_22_table_survives_an_image(void **state)
{
	struct state a, b;
	uint64_t value;

	(void)state;
	state_open(&a);
	state_open(&b);
	remember(&a, id_of(4, 2, 2), 22);
	state_copy(&b, &a);
	assert_int_equal(find(&b, id_of(4, 2, 2), &value), OK);
	assert_int_equal(value, 22);
	assert_int_equal(look(&b, id_of(4, 1, 1)), ERR_UNKNOWN);
	assert_int_equal(look(&b, id_of(3, 9, 1)), ERR_UNKNOWN);
	state_close(&a);
	state_close(&b);
}

static void
forgotten_server_gets_no_late_retry_applied(void **state)
{
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(request_forget(s.txn, 7), OK); /* never heard of */
	for (uint64_t i = 3; i <= 5; i++)
		remember(&s, id_of(1, i, 3), i);
	remember(&s, (struct request_id){8, 1, 1, 1}, 1);
	assert_int_equal(request_forget(s.txn, 7), OK);
	assert_int_equal(rows(&s), 1);
	assert_int_equal(look(&s, id_of(1, 5, 3)), ERR_UNKNOWN);
	assert_int_equal(look(&s, id_of(1, 6, 3)), ERR_NOTFOUND);
	assert_int_equal(look(&s, (struct request_id){8, 1, 1, 1}), OK);
	state_close(&s);
}

static void
damaged_rows_are_storage_trouble(void **state)
{
	const uint8_t server[16] = {[7] = 7, [15] = 1};
	const struct request_id id = id_of(1, 1, 1);
	struct fsm_result result = {0};
	struct state s;
	bool known;

	(void)state;
	state_open(&s);
	remember(&s, id, 1);
	assert_int_equal(
	    txn_put(s.txn, TABLE_REQUEST, server, 16, "bad", 3), OK);
	assert_int_equal(
	    request_find(s.txn, &id, &known, &result), ERR_CORRUPT);
	assert_int_equal(
	    txn_put(s.txn, TABLE_REQUEST, server, 8, "bad", 3), OK);
	assert_int_equal(
	    request_find(s.txn, &id, &known, &result), ERR_CORRUPT);
	assert_int_equal(request_remember(s.txn, &id, &result), ERR_CORRUPT);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_22_remembered_request_gets_its_first_answer),
	    cmocka_unit_test(request_without_server_is_never_remembered),
	    cmocka_unit_test(hazard_22_below_lowest_is_dropped_and_refused),
	    cmocka_unit_test(hazard_22_higher_start_drops_older_rows),
	    cmocka_unit_test(hazard_22_rows_of_a_server_are_bounded),
	    cmocka_unit_test(hazard_22_table_survives_an_image),
	    cmocka_unit_test(forgotten_server_gets_no_late_retry_applied),
	    cmocka_unit_test(damaged_rows_are_storage_trouble),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
