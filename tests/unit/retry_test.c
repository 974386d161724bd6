/*
 * Goal: a request that comes again is applied once and answered alike (hazard
 * 22). Method: the same bytes under the same id, in later entries, in the same
 * entry, after an image.
 */
#include "fsm/fsm.h"

#include "tests/support/draft.h"
#include "tests/support/test.h"

static const struct request_id nobody;

static void
hazard_22_retry_is_applied_once_and_answered_alike(void **state)
{
	const struct request_id id = {4, 1, 1, 1};
	const struct command take = {
	    .type = COMMAND_CA_SERIAL, .ca_serial = {1}};
	struct fsm_result first;
	struct state a, b;

	(void)state;
	state_open(&a);
	draft_apply_one(&a, id, &take);
	first = a.outcome.results[0];
	assert_true(first.changed);
	draft_apply_one(&a, nobody, &take); /* the world moves on */
	memset(&a.topics, 0, sizeof(a.topics));
	draft_apply_one(&a, id, &take);
	assert_memory_equal(&a.outcome.results[0], &first, sizeof(first));
	assert_int_equal(txn_meta(a.txn)->revision, 2);
	assert_int_equal(a.topics.count, 0);

	state_open(&b);
	state_copy(&b, &a);
	draft_apply_one(&b, id, &take);
	assert_memory_equal(&a.outcome.results[0], &first, sizeof(first));
	assert_int_equal(txn_meta(b.txn)->revision, 2);
	state_close(&a);
	state_close(&b);
}

static void
hazard_22_twice_in_one_entry_is_applied_once(void **state)
{
	const struct request_id id = {4, 1, 1, 1};
	const struct command take = {
	    .type = COMMAND_CA_SERIAL, .ca_serial = {1}};
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	draft = draft_at(&s, 1);
	draft_add(&draft, id, &take);
	draft_add(&draft, id, &take);
	draft_end_and_apply(&s, 1, &draft);
	assert_memory_equal(&s.outcome.results[0], &s.outcome.results[1],
	    sizeof(s.outcome.results[0]));
	assert_int_equal(txn_meta(s.txn)->revision, 1);
	state_close(&s);
}

static void
hazard_22_refusals_are_remembered_too(void **state)
{
	const struct request_id id = {4, 1, 1, 1};
	struct command set = draft_tlsconf("x", "{}");
	struct fsm_result first;
	struct state s;

	(void)state;
	state_open(&s);
	set.tlsconf_set.has_cas = true;
	set.tlsconf_set.cas = 9;
	draft_apply_one(&s, id, &set);
	first = s.outcome.results[0];
	assert_int_equal(first.code, ERR_CONFLICT);
	draft_apply_one(&s, id, &set);
	assert_memory_equal(&s.outcome.results[0], &first, sizeof(first));
	state_close(&s);
}

static void
hazard_22_too_old_a_request_is_unknown_and_not_applied(void **state)
{
	const struct command set = draft_tlsconf("x", "{}");
	struct state s;

	(void)state;
	state_open(&s);
	draft_apply_one(&s, (struct request_id){4, 1, 5, 5}, &set);
	draft_apply_one(&s, (struct request_id){4, 1, 2, 2}, &set);
	assert_int_equal(s.outcome.results[0].code, ERR_UNKNOWN);
	assert_false(s.outcome.results[0].changed);
	assert_int_equal(txn_meta(s.txn)->revision, 1);
	state_close(&s);
}

static void
hazard_22_leaving_server_keeps_no_rows(void **state)
{
	const struct command join = {.type = COMMAND_MEMBER_SET,
	    .member_set = {.id = 4,
		.node_id = {"n", 1},
		.name = {"s4", 2},
		.address = {"127.0.0.1:1", 11},
		.version = {"1", 1}}};
	const struct command leave = {
	    .type = COMMAND_MEMBER_DELETE, .member_delete = 4};
	const struct command set = draft_tlsconf("x", "{}");
	struct state s;

	(void)state;
	state_open(&s);
	draft_apply_one(&s, nobody, &join);
	draft_apply_one(&s, (struct request_id){4, 1, 5, 5}, &set);
	draft_apply_one(&s, (struct request_id){4, 1, 6, 5}, &leave);
	assert_true(s.outcome.results[0].changed);
	draft_apply_one(&s, (struct request_id){4, 1, 5, 5}, &set);
	assert_int_equal(s.outcome.results[0].code, ERR_UNKNOWN);
	/* Its own leave is still answered as it was. */
	draft_apply_one(&s, (struct request_id){4, 1, 6, 5}, &leave);
	assert_int_equal(s.outcome.results[0].code, OK);
	assert_true(s.outcome.results[0].changed);
	assert_int_equal(txn_meta(s.txn)->revision, 3);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_22_retry_is_applied_once_and_answered_alike),
	    cmocka_unit_test(hazard_22_twice_in_one_entry_is_applied_once),
	    cmocka_unit_test(hazard_22_refusals_are_remembered_too),
	    cmocka_unit_test(
		hazard_22_too_old_a_request_is_unknown_and_not_applied),
	    cmocka_unit_test(hazard_22_leaving_server_keeps_no_rows),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
