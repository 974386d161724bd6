/*
 * Goal: CA configuration, provider rows and serials follow contract 3.1, and a
 * refusal changes nothing. Method: contract 9.2 case by case (C-numbers name
 * its cases), tables of bad values, images into an empty state.
 */
#include "fsm/authority.h"

#include "fsm/index.h"
#include "fsm/result.h"
#include "tests/support/sample.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

#define BIG (128 * 1024)

static char big[BIG]; /* zeroes; longer than any limit */

static struct fsm_result
set_config(
    struct state *s, uint64_t revision, struct ca_config config, uint64_t cas)
{
	const struct ca_config_set set = {config, cas};
	struct fsm_result result = {0};

	assert_int_equal(
	    authority_apply_config(s->txn, revision, &set, &result), OK);
	assert_int_equal(result.code != OK, strlen(result.why) != 0);
	return result;
}

static struct fsm_result
set_row(struct state *s, uint64_t revision, struct ca_provider_row row)
{
	struct fsm_result result = {0};

	assert_int_equal(
	    authority_apply_provider(s->txn, revision, &row, &result), OK);
	return result;
}

static struct fsm_result
drop_row(struct state *s, uint64_t revision, const char *id)
{
	struct fsm_result result = {0};

	assert_int_equal(authority_apply_provider_delete(
			     s->txn, revision, span_of(id), &result),
	    OK);
	return result;
}

static struct fsm_result
take(struct state *s, uint64_t revision, uint32_t count)
{
	const struct ca_serial serial = {count};
	struct fsm_result result = {0};

	assert_int_equal(
	    authority_apply_serial(s->txn, revision, &serial, &result), OK);
	return result;
}

static void
assert_config(
    struct state *s, const char *config, uint64_t create, uint64_t modify)
{
	struct ca_config have;
	struct errmsg why;

	assert_int_equal(authority_config(s->txn, &have, &why), OK);
	assert_true(span_equal(have.cluster_id, span_of("uuid")));
	assert_true(span_equal(have.provider, span_of("consul")));
	assert_true(span_equal(have.config, span_of(config)));
	assert_true(span_equal(have.state, span_of("{\"a\":\"b\"}")));
	assert_true(have.force);
	assert_int_equal(have.create_index, create);
	assert_int_equal(have.modify_index, modify);
}

static void
config_set_without_index_is_read_back(void **state) /* C038 */
{
	struct fsm_result result;
	struct ca_config have;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(authority_config(s.txn, &have, &why), ERR_NOTFOUND);
	result = set_config(&s, 1, sample_config("{}"), 0);
	assert_true(result.changed);
	assert_int_equal(result.modify_index, 1);
	assert_config(&s, "{}", 1, 1);
	state_close(&s);
}

static void
config_compare_and_set_follows_the_contract(void **state) /* C040 */
{
	struct fsm_result result;
	struct state s;

	(void)state;
	state_open(&s);
	result = set_config(&s, 1, sample_config("{}"), 7); /* none stored */
	assert_int_equal(result.code, ERR_CONFLICT);
	(void)set_config(&s, 1, sample_config("{}"), 0);
	state_mark(&s);
	result = set_config(&s, 2, sample_config("{\"x\":1}"), 3);
	assert_int_equal(result.code, ERR_CONFLICT);
	assert_string_equal(result.why, "ModifyIndex did not match existing");
	assert_true(state_unchanged(&s));
	result = set_config(&s, 2, sample_config("{\"x\":1}"), 1);
	assert_int_equal(result.code, OK);
	assert_int_equal(result.create_index, 1);
	assert_int_equal(result.modify_index, 2);
	assert_config(&s, "{\"x\":1}", 1, 2);
	state_close(&s);
}

static void
blank_cluster_id_keeps_the_stored_one(void **state)
{
	struct ca_config config = sample_config("{\"x\":1}");
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, sample_config("{}"), 0);
	config.cluster_id = span_of("");
	(void)set_config(&s, 2, config, 0);
	assert_config(&s, "{\"x\":1}", 1, 2);
	state_close(&s);
}

static void
another_cluster_id_is_refused_once_one_is_stored(void **state)
{
	struct ca_config config = sample_config("{\"x\":1}");
	struct fsm_result result;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, sample_config("{}"), 0);
	config.cluster_id = span_of("another");
	result = set_config(&s, 2, config, 0);
	assert_int_equal(result.code, ERR_CONFLICT);
	assert_false(result.changed);
	assert_config(&s, "{}", 1, 1);
	state_close(&s);
}

static void
config_survives_an_image_with_its_indexes(void **state) /* C041 */
{
	struct state a, b;

	(void)state;
	state_open(&a);
	state_open(&b);
	(void)set_config(&a, 1, sample_config("{}"), 0);
	(void)set_config(&a, 4, sample_config("{\"x\":1}"), 0);
	state_copy(&b, &a);
	assert_config(&b, "{\"x\":1}", 1, 4);
	state_close(&a);
	state_close(&b);
}

static void
bad_configs_are_refused(void **state)
{
	const struct span large = {big, sizeof(big)};
	struct ca_config bad[6];
	struct state s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = sample_config("{}");
	bad[0].cluster_id = large;
	bad[1].provider = large;
	bad[2].config = large;
	bad[3].state = large;
	bad[4].provider = span_of("");
	bad[5].config = span_of("");
	state_open(&s);
	state_mark(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(set_config(&s, 1, bad[i], 0).code,
		    i < 4 ? ERR_LIMIT : ERR_INVALID);
	}
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
provider_row_is_set_read_and_deleted(void **state) /* C049 */
{
	struct fsm_result result;
	struct ca_provider_row row;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_row(&s, 2, sample_row("p1", "K1"));
	result = set_row(&s, 5, sample_row("p1", "K2"));
	assert_true(result.changed);
	assert_int_equal(result.create_index, 2);
	assert_int_equal(result.modify_index, 5);
	assert_int_equal(
	    authority_provider(s.txn, span_of("p1"), &row, &why), OK);
	assert_true(span_equal(row.id, span_of("p1")));
	assert_true(span_equal(row.private_key, span_of("K2")));
	assert_true(span_equal(row.root_cert, span_of("ROOT")));
	assert_true(span_equal(row.intermediate_cert, span_of("INT")));
	assert_int_equal(row.create_index, 2);
	assert_int_equal(row.modify_index, 5);

	assert_true(drop_row(&s, 6, "p1").changed);
	assert_int_equal(
	    authority_provider(s.txn, span_of("p1"), &row, &why), ERR_NOTFOUND);
	state_mark(&s);
	result = drop_row(&s, 7, "p1");
	assert_int_equal(result.code, OK);
	assert_false(result.changed);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
bad_provider_rows_are_refused(void **state)
{
	struct ca_provider_row bad[5], out;
	struct errmsg why;
	struct state s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = sample_row("p", "K");
	bad[0].id = span_of("");
	bad[1].id = (struct span){big, AUTHORITY_TEXT_MAX + 1};
	bad[2].private_key = (struct span){big, AUTHORITY_KEY_MAX + 1};
	bad[3].root_cert = (struct span){big, AUTHORITY_CHAIN_MAX + 1};
	bad[4].intermediate_cert = bad[3].root_cert;
	state_open(&s);
	state_mark(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(set_row(&s, 1, bad[i]).code,
		    i < 2 ? ERR_INVALID : ERR_LIMIT);
	}
	assert_int_equal(drop_row(&s, 1, "").code, ERR_INVALID);
	assert_int_equal(
	    authority_provider(s.txn, bad[1].id, &out, &why), ERR_NOTFOUND);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
serials_grow_by_one_and_survive_an_image(void **state) /* C050 */
{
	struct state a, b;

	(void)state;
	state_open(&a);
	state_open(&b);
	(void)set_row(&a, 6, sample_row("p1", "K1"));
	/* The first follows the index of the provider table. */
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(take(&a, 7 + i, 1).value, 7 + i);
	(void)set_row(&a, 90, sample_row("p1", "K1"));
	assert_int_equal(take(&a, 91, 1).value, 12);
	state_copy(&b, &a);
	assert_int_equal(take(&b, 92, 1).value, 13);
	state_close(&a);
	state_close(&b);
}

static void
block_of_serials_is_given_once(void **state)
{
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(take(&s, 1, 100).value, 2);
	assert_int_equal(take(&s, 2, AUTHORITY_SERIALS_MAX).value, 102);
	assert_int_equal(take(&s, 3, 1).value, 102 + AUTHORITY_SERIALS_MAX);
	state_mark(&s);
	assert_int_equal(take(&s, 4, 0).code, ERR_INVALID);
	assert_int_equal(
	    take(&s, 4, AUTHORITY_SERIALS_MAX + 1).code, ERR_INVALID);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
serials_never_wrap(void **state)
{
	const uint8_t last[8] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd};
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(
	    txn_put(s.txn, TABLE_SERIAL, "serial", 6, last, sizeof(last)), OK);
	state_mark(&s);
	assert_int_equal(take(&s, 1, 3).code, ERR_LIMIT);
	assert_true(state_unchanged(&s));
	assert_true(take(&s, 1, 2).value == UINT64_MAX - 1);
	assert_int_equal(take(&s, 2, 1).code, ERR_LIMIT);
	state_close(&s);
}

static void
hazard_14_floor_stamps_config_and_provider_rows(void **state)
{
	struct ca_provider_row row;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, sample_config("{}"), 0);
	(void)set_row(&s, 3, sample_row("p", "K"));
	assert_int_equal(index_set_floor(s.txn, 1000), OK);
	assert_config(&s, "{}", 1, 1000);
	assert_int_equal(
	    authority_provider(s.txn, span_of("p"), &row, &why), OK);
	assert_int_equal(row.modify_index, 1000);

	/* Who still holds the old index changes nothing. */
	assert_int_equal(
	    set_config(&s, 1001, sample_config("{}"), 1).code, ERR_CONFLICT);
	assert_int_equal(
	    set_config(&s, 1001, sample_config("{}"), 1000).code, OK);
	state_close(&s);
}

static void
damaged_rows_are_storage_trouble(void **state)
{
	const struct ca_config_set config = {sample_config("{}"), 0};
	const struct ca_provider_row row = sample_row("p", "K");
	const struct ca_serial serial = {1};
	struct fsm_result result = {0};
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(
	    txn_put(s.txn, TABLE_CACONFIG, "config", 6, "bad", 3), OK);
	assert_int_equal(txn_put(s.txn, TABLE_PROVIDER, "p", 1, "bad", 3), OK);
	assert_int_equal(txn_put(s.txn, TABLE_SERIAL, "serial", 6, "b", 1), OK);
	assert_int_equal(
	    authority_apply_config(s.txn, 1, &config, &result), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_provider(s.txn, 1, &row, &result), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_serial(s.txn, 1, &serial, &result), ERR_CORRUPT);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(config_set_without_index_is_read_back),
	    cmocka_unit_test(config_compare_and_set_follows_the_contract),
	    cmocka_unit_test(blank_cluster_id_keeps_the_stored_one),
	    cmocka_unit_test(another_cluster_id_is_refused_once_one_is_stored),
	    cmocka_unit_test(config_survives_an_image_with_its_indexes),
	    cmocka_unit_test(bad_configs_are_refused),
	    cmocka_unit_test(provider_row_is_set_read_and_deleted),
	    cmocka_unit_test(bad_provider_rows_are_refused),
	    cmocka_unit_test(serials_grow_by_one_and_survive_an_image),
	    cmocka_unit_test(block_of_serials_is_given_once),
	    cmocka_unit_test(serials_never_wrap),
	    cmocka_unit_test(hazard_14_floor_stamps_config_and_provider_rows),
	    cmocka_unit_test(damaged_rows_are_storage_trouble),
	};

	return cmocka_run_group_tests_name("authority", tests, NULL, NULL);
}
