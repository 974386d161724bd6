/*
 * Goal: a TLS configuration is stored, compared-and-set, deleted and listed as
 * contract 1.13 and 8.3 say, and a refusal changes nothing.
 * Method: tables of cases against an empty or small state.
 */
#include "fsm/tlsconf.h"

#include <stdio.h>

#include "fsm/index.h"
#include "fsm/result.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

static struct fsm_result
set(struct state *s, uint64_t revision, const char *scope, const char *document)
{
	const struct tlsconf_set command = {
	    span_of(scope), span_of(document), false, 0};
	struct fsm_result result = {0};

	assert_int_equal(
	    tlsconf_apply_set(s->txn, revision, &command, &result), OK);
	return result;
}

static struct fsm_result
set_cas(struct state *s, uint64_t revision, const char *scope, uint64_t cas)
{
	const struct tlsconf_set command = {
	    span_of(scope), span_of("{}"), true, cas};
	struct fsm_result result = {0};

	assert_int_equal(
	    tlsconf_apply_set(s->txn, revision, &command, &result), OK);
	return result;
}

static struct fsm_result delete (struct state *s, uint64_t revision,
    const char *scope, bool has_cas, uint64_t cas)
{
	const struct tlsconf_delete command = {span_of(scope), has_cas, cas};
	struct fsm_result result = {0};

	assert_int_equal(
	    tlsconf_apply_delete(s->txn, revision, &command, &result), OK);
	return result;
}

static void
scopes_are_judged_by_length_and_letters(void **state)
{
	static const struct {
		const char *scope;
		bool want;
	} cases[] = {
	    {"defaults", true},
	    {"internal_rpc", true},
	    {"a", true},
	    {"0-9_z", true},
	    {"0123456789012345678901234567890123456789012345678901234567890123",
		true},
	    {"0123456789012345678901234567890123456789012345678901234567890123"
	     "4",
		false},
	    {"", false},
	    {"Upper", false},
	    {"a/b", false},
	    {"a.b", false},
	    {"a b", false},
	    {"\xc3\xa9", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (tlsconf_scope_valid(span_of(cases[i].scope)) !=
		    cases[i].want)
			fail_msg("scope \"%s\"", cases[i].scope);
	}
	assert_false(tlsconf_scope_valid((struct span){"a\0b", 3}));
}

static void
document_is_stored_and_keeps_its_create_index(void **state)
{
	struct fsm_result result;
	struct tlsconf conf;
	struct errmsg why;
	uint64_t index;
	struct state s;

	(void)state;
	state_open(&s);
	result = set(&s, 5, "defaults", "{\"a\":1}");
	assert_int_equal(result.code, OK);
	assert_true(result.changed);
	assert_int_equal(result.create_index, 5);
	assert_int_equal(result.modify_index, 5);
	result = set(&s, 8, "defaults", "{\"a\":2}");
	assert_int_equal(result.create_index, 5);
	assert_int_equal(result.modify_index, 8);
	assert_int_equal(
	    tlsconf_get(s.txn, span_of("defaults"), &conf, &index, &why), OK);
	assert_true(span_equal(conf.document, span_of("{\"a\":2}")));
	assert_true(span_equal(conf.scope, span_of("defaults")));
	assert_int_equal(conf.create_index, 5);
	assert_int_equal(conf.modify_index, 8);
	assert_int_equal(index, 8);
	state_close(&s);
}

static void
absent_scope_answers_with_last_deletion(void **state)
{
	struct tlsconf conf;
	struct errmsg why;
	uint64_t index;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(tlsconf_get(s.txn, span_of("x"), &conf, &index, &why),
	    ERR_NOTFOUND);
	assert_int_equal(index, 1);
	(void)set(&s, 5, "x", "{}");
	(void)set(&s, 6, "y", "{}");
	assert_int_equal(tlsconf_get(s.txn, span_of("z"), &conf, &index, &why),
	    ERR_NOTFOUND);
	assert_int_equal(index, 1);
	assert_true(delete (&s, 7, "x", false, 0).changed);
	assert_int_equal(tlsconf_get(s.txn, span_of("x"), &conf, &index, &why),
	    ERR_NOTFOUND);
	assert_int_equal(index, 7);
	assert_int_equal(
	    tlsconf_get(s.txn, span_of("Not valid"), &conf, &index, &why),
	    ERR_NOTFOUND);
	state_close(&s);
}

static void
compare_and_set_follows_the_contract(void **state)
{
	static const struct {
		const char *scope;
		uint64_t cas;
		const char *why; /* NULL: accepted */
	} cases[] = {
	    {"there", 0, "ModifyIndex did not match existing: have 5, got 0"},
	    {"there", 4, "ModifyIndex did not match existing: have 5, got 4"},
	    {"there", UINT64_MAX,
		"ModifyIndex did not match existing: have 5, got "
		"18446744073709551615"},
	    {"absent", 3, "ModifyIndex did not match existing: have 0, got 3"},
	    {"there", 5, NULL},
	    {"absent", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fsm_result results[2];
		struct state s;

		state_open(&s);
		(void)set(&s, 5, "there", "{\"a\":1}");
		state_mark(&s);
		results[0] = delete (&s, 9, cases[i].scope, true, cases[i].cas);
		if (cases[i].why != NULL) {
			results[1] =
			    set_cas(&s, 9, cases[i].scope, cases[i].cas);
			for (size_t j = 0; j < 2; j++) {
				assert_int_equal(results[j].code, ERR_CONFLICT);
				assert_string_equal(
				    results[j].why, cases[i].why);
				assert_false(results[j].changed);
			}
			assert_true(state_unchanged(&s));
		} else {
			assert_int_equal(results[0].code, OK);
			assert_int_equal(results[0].changed, cases[i].cas != 0);
			results[1] = set_cas(&s, 10, cases[i].scope, 0);
			assert_int_equal(results[1].code, OK);
			results[1] = set_cas(&s, 11, cases[i].scope, 10);
			assert_int_equal(results[1].code, OK);
			assert_int_equal(results[1].create_index, 10);
			assert_int_equal(results[1].modify_index, 11);
		}
		state_close(&s);
	}
}

static void
deleting_what_is_not_there_changes_nothing(void **state)
{
	struct fsm_result result;
	struct state s;

	(void)state;
	state_open(&s);
	state_mark(&s);
	result = delete (&s, 5, "x", false, 0);
	assert_int_equal(result.code, OK);
	assert_false(result.changed);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
refusals_change_nothing(void **state)
{
	static char big[TLSCONF_DOCUMENT_MAX + 2];
	struct fsm_result result;
	struct state s;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	state_open(&s);
	state_mark(&s);
	result = set(&s, 5, "defaults", big);
	assert_int_equal(result.code, ERR_LIMIT);
	result = set(&s, 5, "defaults", "");
	assert_int_equal(result.code, ERR_INVALID);
	result = set(&s, 5, "No", "{}");
	assert_int_equal(result.code, ERR_INVALID);
	result = delete (&s, 5, "", false, 0);
	assert_int_equal(result.code, ERR_INVALID);
	assert_true(state_unchanged(&s));
	big[TLSCONF_DOCUMENT_MAX] = '\0';
	result = set(&s, 5, "defaults", big);
	assert_int_equal(result.code, OK);
	state_close(&s);
}

struct seen {
	char scopes[64];
	size_t used;
	uint64_t modify[4];
	size_t count, stop;
};

static bool
see(void *arg, const struct tlsconf *conf)
{
	struct seen *seen = arg;

	seen->used += (size_t)snprintf(seen->scopes + seen->used,
	    sizeof(seen->scopes) - seen->used, "%.*s ", (int)conf->scope.size,
	    conf->scope.data);
	seen->modify[seen->count++] = conf->modify_index;
	return seen->count != seen->stop;
}

static void
listing_goes_in_scope_order_with_the_table_index(void **state)
{
	struct seen seen = {.stop = 4};
	struct errmsg why;
	uint64_t index;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(tlsconf_list(s.txn, see, &seen, &index, &why), OK);
	assert_int_equal(seen.count, 0);
	assert_int_equal(index, 1);
	(void)set(&s, 2, "web", "{}");
	(void)set(&s, 3, "defaults", "{}");
	(void)set(&s, 4, "https", "{}");
	(void)delete (&s, 5, "web", false, 0);
	(void)set(&s, 6, "db", "{}");
	assert_int_equal(tlsconf_list(s.txn, see, &seen, &index, &why), OK);
	assert_string_equal(seen.scopes, "db defaults https ");
	assert_int_equal(seen.modify[1], 3);
	assert_int_equal(index, 6);

	seen = (struct seen){.stop = 1};
	assert_int_equal(tlsconf_list(s.txn, see, &seen, &index, &why), OK);
	assert_int_equal(seen.count, 1);
	state_close(&s);
}

static void
hazard_14_index_from_before_a_restore_passes_no_compare_and_set(void **state)
{
	const uint64_t floor = UINT64_C(1) << 32;
	struct fsm_result result;
	struct seen seen = {0};
	struct tlsconf conf;
	struct errmsg why;
	uint64_t index;
	struct state s;

	(void)state;
	state_open(&s);
	(void)set(&s, 5, "x", "{}");
	assert_int_equal(index_set_floor(s.txn, floor), OK);
	assert_int_equal(
	    tlsconf_get(s.txn, span_of("x"), &conf, &index, &why), OK);
	assert_int_equal(conf.create_index, 5);
	assert_true(conf.modify_index == floor);
	assert_true(index == floor);
	assert_int_equal(tlsconf_get(s.txn, span_of("y"), &conf, &index, &why),
	    ERR_NOTFOUND);
	assert_true(index == floor);
	assert_int_equal(tlsconf_list(s.txn, see, &seen, &index, &why), OK);
	assert_true(seen.modify[0] == floor);
	assert_true(index == floor);

	state_mark(&s);
	result = set_cas(&s, floor + 1, "x", 5);
	assert_int_equal(result.code, ERR_CONFLICT);
	assert_string_equal(result.why,
	    "ModifyIndex did not match existing: have 4294967296, got 5");
	assert_true(state_unchanged(&s));
	result = set_cas(&s, floor + 1, "x", floor);
	assert_int_equal(result.code, OK);
	assert_true(result.modify_index == floor + 1);
	state_close(&s);
}

static void
damaged_row_is_storage_trouble(void **state)
{
	const struct tlsconf_set command = {{"x", 1}, {"{}", 2}, false, 0};
	struct fsm_result result = {0};
	struct seen seen = {0};
	struct tlsconf conf;
	struct errmsg why;
	uint64_t index;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(txn_put(s.txn, TABLE_TLSCONF, "x", 1, "bad", 3), OK);
	assert_int_equal(
	    tlsconf_apply_set(s.txn, 5, &command, &result), ERR_CORRUPT);
	assert_int_equal(
	    tlsconf_get(s.txn, span_of("x"), &conf, &index, &why), ERR_CORRUPT);
	assert_int_equal(
	    tlsconf_list(s.txn, see, &seen, &index, &why), ERR_CORRUPT);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scopes_are_judged_by_length_and_letters),
	    cmocka_unit_test(document_is_stored_and_keeps_its_create_index),
	    cmocka_unit_test(absent_scope_answers_with_last_deletion),
	    cmocka_unit_test(compare_and_set_follows_the_contract),
	    cmocka_unit_test(deleting_what_is_not_there_changes_nothing),
	    cmocka_unit_test(refusals_change_nothing),
	    cmocka_unit_test(listing_goes_in_scope_order_with_the_table_index),
	    cmocka_unit_test(
		hazard_14_index_from_before_a_restore_passes_no_compare_and_set),
	    cmocka_unit_test(damaged_row_is_storage_trouble),
	};

	return cmocka_run_group_tests_name("tlsconf", tests, NULL, NULL);
}
