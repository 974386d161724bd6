/*
 * Goal: the root set changes whole or not at all, as contract 3.1 has it.
 * Method: contract 9.2 case by case (C-numbers name its cases), tables of bad
 * sets, an image into an empty state.
 */
#include "fsm/authority.h"

#include <stdio.h>

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

static struct fsm_result
set_all(struct state *s, uint64_t revision, const struct ca_roots_set *set)
{
	struct fsm_result result = {0};

	assert_int_equal(
	    authority_apply_roots(s->txn, revision, set, &result), OK);
	assert_int_equal(result.code != OK, strlen(result.why) != 0);
	return result;
}

static struct fsm_result
set_roots(struct state *s, uint64_t revision, uint64_t expected,
    struct ca_root *roots, size_t count)
{
	const struct ca_roots_set set = {
	    .expected_roots = expected, .roots = roots, .root_count = count};

	return set_all(s, revision, &set);
}

/* "id:create:modify[*] ..." of all stored roots, and the table's index. */
static void
assert_roots(struct state *s, const char *want, uint64_t want_index)
{
	struct ca_root roots[AUTHORITY_ROOTS_MAX];
	char text[512] = "";
	struct errmsg why;
	uint64_t index;
	size_t count, used = 0;

	assert_int_equal(authority_roots(s->txn, roots, ARRAY_SIZE(roots),
			     &count, &index, &why),
	    OK);
	for (size_t i = 0; i < count; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%.*s:%d:%d%s ", (int)roots[i].id.size, roots[i].id.data,
		    (int)roots[i].create_index, (int)roots[i].modify_index,
		    roots[i].active ? "*" : "");
	}
	assert_string_equal(text, want);
	assert_int_equal(index, want_index);
}

static void
blank_root_id_is_refused(void **state) /* C043 */
{
	struct ca_root roots[] = {sample_root("", true)};
	struct fsm_result result;
	struct state s;

	(void)state;
	state_open(&s);
	state_mark(&s);
	result = set_roots(&s, 1, 0, roots, 1);
	assert_int_equal(result.code, ERR_INVALID);
	assert_string_equal(result.why, "root ID is missing");
	assert_true(state_unchanged(&s));
	assert_roots(&s, "", 0);
	state_close(&s);
}

static void
set_without_exactly_one_active_root_is_refused(void **state) /* C044 */
{
	struct ca_root none[] = {
	    sample_root("a", false), sample_root("b", false)};
	struct ca_root two[] = {sample_root("a", true), sample_root("b", true)};
	const struct {
		struct ca_root *roots;
		size_t count;
	} cases[] = {{NULL, 0}, {none, 1}, {none, 2}, {two, 2}};
	struct state s;

	(void)state;
	state_open(&s);
	state_mark(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fsm_result result =
		    set_roots(&s, 1, 0, cases[i].roots, cases[i].count);

		assert_int_equal(result.code, ERR_INVALID);
		assert_string_equal(
		    result.why, "there must be exactly one active CA");
	}
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
sets_over_a_limit_or_with_doubles_are_refused(void **state)
{
	struct ca_root many[AUTHORITY_ROOTS_MAX + 1], bad[10];
	char ids[AUTHORITY_ROOTS_MAX + 1][4];
	struct state s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "%02x", (unsigned)i);
		many[i] = sample_root(ids[i], i == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = sample_root("a", true);
	bad[0].id = (struct span){big, AUTHORITY_TEXT_MAX + 1};
	bad[1].name = bad[0].id;
	bad[2].signing_key_id = bad[0].id;
	bad[3].external_trust_domain = bad[0].id;
	bad[4].key_type = bad[0].id;
	bad[5].intermediate_count = AUTHORITY_INTERMEDIATES_MAX + 1;
	bad[6].cert = (struct span){big, AUTHORITY_CHAIN_MAX - 5};
	bad[7].intermediates[1] = (struct span){big, AUTHORITY_CHAIN_MAX};
	bad[8].cert = (struct span){big, sizeof(big)};

	state_open(&s);
	state_mark(&s);
	assert_int_equal(
	    set_roots(&s, 1, 0, many, ARRAY_SIZE(many)).code, ERR_LIMIT);
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(
		    set_roots(&s, 1, 0, &bad[i], 1).code, ERR_LIMIT);
	}
	bad[8] = sample_root("a", false); /* beside bad[9], of the same ID */
	assert_int_equal(set_roots(&s, 1, 0, &bad[8], 2).code, ERR_INVALID);
	assert_true(state_unchanged(&s));

	bad[6].cert.size--; /* the most that is allowed */
	assert_int_equal(set_roots(&s, 1, 0, &bad[6], 1).code, OK);
	assert_int_equal(
	    set_roots(&s, 2, 1, many, AUTHORITY_ROOTS_MAX).code, OK);
	state_close(&s);
}

static void
one_root_of_three_is_active(void **state) /* C046 */
{
	struct ca_root roots[] = {sample_root("c", false),
	    sample_root("a", true), sample_root("b", false)};
	struct state s;

	(void)state;
	state_open(&s);
	assert_true(set_roots(&s, 3, 0, roots, 3).changed);
	assert_roots(&s, "a:3:3* b:3:3 c:3:3 ", 3);
	state_close(&s);
}

static void
root_keeps_every_field(void **state)
{
	struct ca_root want = sample_root("a", true), got[1];
	struct errmsg why;
	uint64_t index;
	struct state s;
	size_t count;

	(void)state;
	want.rotated_out = 99;
	state_open(&s);
	(void)set_roots(&s, 3, 0, &want, 1);
	assert_int_equal(
	    authority_roots(s.txn, got, 1, &count, &index, &why), OK);
	assert_true(span_equal(got->name, want.name));
	assert_true(got->serial == want.serial);
	assert_true(span_equal(got->signing_key_id, want.signing_key_id));
	assert_true(
	    span_equal(got->external_trust_domain, want.external_trust_domain));
	assert_true(got->not_before == want.not_before);
	assert_true(got->not_after == want.not_after);
	assert_true(span_equal(got->cert, want.cert));
	assert_int_equal(got->intermediate_count, 2);
	assert_true(span_equal(got->intermediates[1], want.intermediates[1]));
	assert_true(span_equal(got->key_type, want.key_type));
	assert_int_equal(got->key_bits, 256);
	assert_int_equal(got->rotated_out, 99);
	state_close(&s);
}

static void
new_set_replaces_the_old_and_stamps_all_alike(void **state)
{
	struct ca_root first[] = {
	    sample_root("a", true), sample_root("b", false)};
	struct ca_root second[] = {
	    sample_root("c", true), sample_root("a", false)};
	struct fsm_result result;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_roots(&s, 3, 0, first, 2);
	state_mark(&s);
	for (uint64_t expected = 0; expected < 6; expected++) {
		if (expected == 3)
			continue;
		result = set_roots(&s, 8, expected, second, 2);
		assert_int_equal(result.code, ERR_CONFLICT);
		assert_string_equal(
		    result.why, "could not atomically update roots and config");
	}
	assert_true(state_unchanged(&s));
	result = set_roots(&s, 8, 3, second, 2);
	assert_int_equal(result.code, OK);
	assert_int_equal(result.create_index, 8);
	assert_int_equal(result.modify_index, 8);
	assert_roots(&s, "a:3:8 c:8:8* ", 8);
	state_close(&s);
}

static void
roots_config_and_provider_rows_change_in_one_step(void **state)
{
	struct ca_root roots[] = {sample_root("a", true)};
	struct ca_provider_row rows[] = {sample_row("p2", "K2")}, row;
	struct span deletes[] = {{"p1", 2}, {"never", 5}};
	struct ca_roots_set set = {.roots = roots,
	    .root_count = 1,
	    .has_config = true,
	    .config = {sample_config("{\"x\":2}"), 9},
	    .rows = rows,
	    .row_count = 1,
	    .deletes = deletes,
	    .delete_count = 2};
	struct fsm_result result;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, sample_config("{}"), 0);
	(void)set_row(&s, 2, sample_row("p1", "K1"));
	state_mark(&s);
	result = set_all(&s, 3, &set);
	assert_int_equal(result.code, ERR_CONFLICT);
	assert_string_equal(result.why, "ModifyIndex did not match existing");
	assert_true(state_unchanged(&s));

	set.config.cas = 1;
	result = set_all(&s, 3, &set);
	assert_int_equal(result.code, OK);
	assert_roots(&s, "a:3:3* ", 3);
	assert_config(&s, "{\"x\":2}", 1, 3);
	assert_int_equal(
	    authority_provider(s.txn, span_of("p1"), &row, &why), ERR_NOTFOUND);
	assert_int_equal(
	    authority_provider(s.txn, span_of("p2"), &row, &why), OK);
	assert_int_equal(row.create_index, 3);
	state_close(&s);
}

static void
each_bad_part_refuses_the_whole_set(void **state)
{
	struct ca_root roots[] = {sample_root("a", true)};
	struct ca_provider_row rows[] = {sample_row("", "K2")};
	struct span deletes[] = {{"", 0}};
	const struct ca_roots_set good = {.roots = roots, .root_count = 1};
	struct ca_roots_set bad[] = {good, good, good};
	struct state s;

	(void)state;
	bad[0].has_config = true;
	bad[0].config.config = sample_config("");
	bad[1].rows = rows;
	bad[1].row_count = 1;
	bad[2].deletes = deletes;
	bad[2].delete_count = 1;
	state_open(&s);
	state_mark(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(set_all(&s, 1, &bad[i]).code, ERR_INVALID);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
roots_survive_an_image_with_the_table_index(void **state) /* C047 */
{
	struct ca_root roots[] = {sample_root("a", false),
	    sample_root("b", true), sample_root("c", false)};
	struct state a, b;
	uint64_t index;

	(void)state;
	state_open(&a);
	state_open(&b);
	(void)set_roots(&a, 3, 0, &roots[1], 1);
	(void)set_roots(&a, 6, 3, roots, 3);
	state_copy(&b, &a);
	assert_roots(&b, "a:6:6 b:3:6* c:6:6 ", 6);
	assert_int_equal(authority_index(b.txn, &index), OK);
	assert_int_equal(index, 6);
	state_close(&a);
	state_close(&b);
}

static void
config_alone_moves_what_root_watchers_compare(void **state)
{
	struct ca_root roots[] = {sample_root("a", true)};
	struct state s;
	uint64_t index;

	(void)state;
	state_open(&s);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 1);
	(void)set_roots(&s, 3, 0, roots, 1);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 3);
	(void)set_config(&s, 4, sample_config("{}"), 0);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 4);
	assert_roots(&s, "a:3:3* ", 3);
	state_close(&s);
}

static void
hazard_14_floor_stamps_roots_and_what_watchers_compare(void **state)
{
	struct ca_root roots[] = {sample_root("a", true)};
	struct state s;
	uint64_t index;

	(void)state;
	state_open(&s);
	assert_int_equal(index_set_floor(s.txn, 500), OK);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 500);
	assert_roots(&s, "", 0);
	assert_int_equal(set_roots(&s, 501, 0, roots, 1).code, OK);
	assert_int_equal(index_set_floor(s.txn, 1000), OK);
	assert_roots(&s, "a:501:1000* ", 1000);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 1000);

	/* Who still holds the old index changes nothing. */
	assert_int_equal(set_roots(&s, 1001, 501, roots, 1).code, ERR_CONFLICT);
	assert_int_equal(set_roots(&s, 1001, 1000, roots, 1).code, OK);
	state_close(&s);
}

static void
damaged_row_is_storage_trouble(void **state)
{
	struct ca_root roots[] = {sample_root("a", true)}, out[2];
	const struct ca_roots_set set = {.roots = roots, .root_count = 1};
	struct fsm_result result = {0};
	struct errmsg why;
	struct state s;
	uint64_t index;
	size_t count;

	(void)state;
	state_open(&s);
	assert_int_equal(txn_put(s.txn, TABLE_ROOT, "r", 1, "bad", 3), OK);
	assert_int_equal(
	    authority_roots(s.txn, out, 2, &count, &index, &why), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_roots(s.txn, 1, &set, &result), ERR_CORRUPT);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blank_root_id_is_refused),
	    cmocka_unit_test(set_without_exactly_one_active_root_is_refused),
	    cmocka_unit_test(sets_over_a_limit_or_with_doubles_are_refused),
	    cmocka_unit_test(one_root_of_three_is_active),
	    cmocka_unit_test(root_keeps_every_field),
	    cmocka_unit_test(new_set_replaces_the_old_and_stamps_all_alike),
	    cmocka_unit_test(roots_config_and_provider_rows_change_in_one_step),
	    cmocka_unit_test(each_bad_part_refuses_the_whole_set),
	    cmocka_unit_test(roots_survive_an_image_with_the_table_index),
	    cmocka_unit_test(config_alone_moves_what_root_watchers_compare),
	    cmocka_unit_test(
		hazard_14_floor_stamps_roots_and_what_watchers_compare),
	    cmocka_unit_test(damaged_row_is_storage_trouble),
	};

	return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
