/*
 * Goal: configuration, roots, provider rows and serials follow contract 3.1,
 * and a refusal changes nothing. Method: contract 9.2 case by case, tables of
 * bad sets, images into an empty state. C-numbers name the contract's cases.
 */
#include "fsm/authority.h"

#include <stdio.h>

#include "fsm/index.h"
#include "fsm/result.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

#define BIG (128 * 1024)

static char big[BIG]; /* zeroes; longer than any limit */

static struct ca_config
config_of(const char *config)
{
	return (struct ca_config){.cluster_id = {"uuid", 4},
	    .provider = {"consul", 6},
	    .config = span_of(config),
	    .state = {"{\"a\":\"b\"}", 9},
	    .force = true};
}

static struct ca_root
root_of(const char *id, bool active)
{
	return (struct ca_root){.id = span_of(id),
	    .name = {"name", 4},
	    .serial = UINT64_C(16238269036752183483),
	    .signing_key_id = {"cc", 2},
	    .external_trust_domain = {"uuid", 4},
	    .not_before = -5,
	    .not_after = 1000,
	    .cert = {"PEM\n", 4},
	    .intermediates = {{"I1\n", 3}, {"I2\n", 3}},
	    .intermediate_count = 2,
	    .active = active,
	    .key_type = {"ec", 2},
	    .key_bits = 256,
	    .rotated_out = active ? 0 : 77};
}

static struct ca_provider_row
row_of(const char *id, const char *key)
{
	return (struct ca_provider_row){.id = span_of(id),
	    .private_key = span_of(key),
	    .root_cert = {"ROOT", 4},
	    .intermediate_cert = {"INT", 3}};
}

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
config_set_without_index_is_read_back(void **state) /* C038 */
{
	struct fsm_result result;
	struct ca_config have;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(authority_config(s.txn, &have, &why), ERR_NOTFOUND);
	result = set_config(&s, 1, config_of("{}"), 0);
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
	result = set_config(&s, 1, config_of("{}"), 7); /* none stored */
	assert_int_equal(result.code, ERR_CONFLICT);
	(void)set_config(&s, 1, config_of("{}"), 0);
	state_mark(&s);
	result = set_config(&s, 2, config_of("{\"x\":1}"), 3);
	assert_int_equal(result.code, ERR_CONFLICT);
	assert_string_equal(result.why, "ModifyIndex did not match existing");
	assert_true(state_unchanged(&s));
	result = set_config(&s, 2, config_of("{\"x\":1}"), 1);
	assert_int_equal(result.code, OK);
	assert_int_equal(result.create_index, 1);
	assert_int_equal(result.modify_index, 2);
	assert_config(&s, "{\"x\":1}", 1, 2);
	state_close(&s);
}

static void
blank_cluster_id_keeps_the_stored_one(void **state)
{
	struct ca_config config = config_of("{\"x\":1}");
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, config_of("{}"), 0);
	config.cluster_id = span_of("");
	(void)set_config(&s, 2, config, 0);
	assert_config(&s, "{\"x\":1}", 1, 2);
	state_close(&s);
}

static void
config_survives_an_image_with_its_indexes(void **state) /* C041 */
{
	struct state a, b;

	(void)state;
	state_open(&a);
	state_open(&b);
	(void)set_config(&a, 1, config_of("{}"), 0);
	(void)set_config(&a, 4, config_of("{\"x\":1}"), 0);
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
		bad[i] = config_of("{}");
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
blank_root_id_is_refused(void **state) /* C043 */
{
	struct ca_root roots[] = {root_of("", true)};
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
	struct ca_root none[] = {root_of("a", false), root_of("b", false)};
	struct ca_root two[] = {root_of("a", true), root_of("b", true)};
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
		many[i] = root_of(ids[i], i == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = root_of("a", true);
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
	bad[8] = root_of("a", false); /* beside bad[9], of the same ID */
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
	struct ca_root roots[] = {
	    root_of("c", false), root_of("a", true), root_of("b", false)};
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
	struct ca_root want = root_of("a", true), got[1];
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
	struct ca_root first[] = {root_of("a", true), root_of("b", false)};
	struct ca_root second[] = {root_of("c", true), root_of("a", false)};
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
	struct ca_root roots[] = {root_of("a", true)};
	struct ca_provider_row rows[] = {row_of("p2", "K2")}, row;
	struct span deletes[] = {{"p1", 2}, {"never", 5}};
	struct ca_roots_set set = {.roots = roots,
	    .root_count = 1,
	    .has_config = true,
	    .config = {config_of("{\"x\":2}"), 9},
	    .rows = rows,
	    .row_count = 1,
	    .deletes = deletes,
	    .delete_count = 2};
	struct fsm_result result;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, config_of("{}"), 0);
	(void)set_row(&s, 2, row_of("p1", "K1"));
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
	struct ca_root roots[] = {root_of("a", true)};
	struct ca_provider_row rows[] = {row_of("", "K2")};
	struct span deletes[] = {{"", 0}};
	const struct ca_roots_set good = {.roots = roots, .root_count = 1};
	struct ca_roots_set bad[] = {good, good, good};
	struct state s;

	(void)state;
	bad[0].has_config = true;
	bad[0].config.config = config_of("");
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
	struct ca_root roots[] = {
	    root_of("a", false), root_of("b", true), root_of("c", false)};
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
	struct ca_root roots[] = {root_of("a", true)};
	struct state s;
	uint64_t index;

	(void)state;
	state_open(&s);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 1);
	(void)set_roots(&s, 3, 0, roots, 1);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 3);
	(void)set_config(&s, 4, config_of("{}"), 0);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 4);
	assert_roots(&s, "a:3:3* ", 3);
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
	(void)set_row(&s, 2, row_of("p1", "K1"));
	result = set_row(&s, 5, row_of("p1", "K2"));
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
		bad[i] = row_of("p", "K");
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
	(void)set_row(&a, 6, row_of("p1", "K1"));
	/* The first follows the index of the provider table. */
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(take(&a, 7 + i, 1).value, 7 + i);
	(void)set_row(&a, 90, row_of("p1", "K1"));
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
hazard_14_floor_stamps_roots_config_and_provider_rows(void **state)
{
	struct ca_root roots[] = {root_of("a", true)};
	struct ca_provider_row row;
	struct errmsg why;
	struct state s;
	uint64_t index;

	(void)state;
	state_open(&s);
	(void)set_config(&s, 1, config_of("{}"), 0);
	(void)set_roots(&s, 2, 0, roots, 1);
	(void)set_row(&s, 3, row_of("p", "K"));
	assert_int_equal(index_set_floor(s.txn, 1000), OK);
	assert_config(&s, "{}", 1, 1000);
	assert_roots(&s, "a:2:1000* ", 1000);
	assert_int_equal(
	    authority_provider(s.txn, span_of("p"), &row, &why), OK);
	assert_int_equal(row.modify_index, 1000);
	assert_int_equal(authority_index(s.txn, &index), OK);
	assert_int_equal(index, 1000);

	/* Who still holds the old indexes changes nothing. */
	assert_int_equal(
	    set_config(&s, 1001, config_of("{}"), 1).code, ERR_CONFLICT);
	assert_int_equal(set_roots(&s, 1001, 2, roots, 1).code, ERR_CONFLICT);
	assert_int_equal(set_config(&s, 1001, config_of("{}"), 1000).code, OK);
	assert_int_equal(set_roots(&s, 1002, 1000, roots, 1).code, OK);
	state_close(&s);
}

static void
damaged_rows_are_storage_trouble(void **state)
{
	struct ca_root roots[] = {root_of("a", true)};
	const struct ca_roots_set set = {.roots = roots, .root_count = 1};
	const struct ca_config_set config = {config_of("{}"), 0};
	const struct ca_provider_row row = row_of("p", "K");
	struct ca_root out[2];
	struct fsm_result result = {0};
	struct errmsg why;
	struct state s;
	uint64_t index;
	size_t count;

	(void)state;
	state_open(&s);
	assert_int_equal(txn_put(s.txn, TABLE_ROOT, "r", 1, "bad", 3), OK);
	assert_int_equal(
	    txn_put(s.txn, TABLE_CACONFIG, "config", 6, "bad", 3), OK);
	assert_int_equal(txn_put(s.txn, TABLE_PROVIDER, "p", 1, "bad", 3), OK);
	assert_int_equal(txn_put(s.txn, TABLE_SERIAL, "serial", 6, "b", 1), OK);
	assert_int_equal(
	    authority_roots(s.txn, out, 2, &count, &index, &why), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_roots(s.txn, 1, &set, &result), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_config(s.txn, 1, &config, &result), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_provider(s.txn, 1, &row, &result), ERR_CORRUPT);
	assert_int_equal(
	    authority_apply_serial(s.txn, 1, &(struct ca_serial){1}, &result),
	    ERR_CORRUPT);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(config_set_without_index_is_read_back),
	    cmocka_unit_test(config_compare_and_set_follows_the_contract),
	    cmocka_unit_test(blank_cluster_id_keeps_the_stored_one),
	    cmocka_unit_test(config_survives_an_image_with_its_indexes),
	    cmocka_unit_test(bad_configs_are_refused),
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
	    cmocka_unit_test(provider_row_is_set_read_and_deleted),
	    cmocka_unit_test(bad_provider_rows_are_refused),
	    cmocka_unit_test(serials_grow_by_one_and_survive_an_image),
	    cmocka_unit_test(block_of_serials_is_given_once),
	    cmocka_unit_test(serials_never_wrap),
	    cmocka_unit_test(
		hazard_14_floor_stamps_roots_config_and_provider_rows),
	    cmocka_unit_test(damaged_rows_are_storage_trouble),
	};

	return cmocka_run_group_tests_name("authority", tests, NULL, NULL);
}
