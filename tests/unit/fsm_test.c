/*
 * Goal: fsm_apply answers command by command, moves the revision with each
 * change and only then, and wakes who waits for what changed.
 * Method: entries built by hand. Guards are in chain_test, retries in
 * retry_test, random histories in history_test.
 */
#include "fsm/fsm.h"

#include "fsm/authority.h"
#include "tests/support/draft.h"
#include "tests/support/test.h"

static const struct request_id nobody;

static void
revision_grows_with_each_change_and_only_then(void **state)
{
	const struct command set = draft_tlsconf("x", "{}");
	const struct command drop = {.type = COMMAND_TLSCONF_DELETE,
	    .tlsconf_delete = {{"absent", 6}, false, 0}};
	const struct command bad = draft_tlsconf("", "{}");
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	draft = draft_at(&s, 10);
	draft_add(&draft, nobody, &set);
	draft_add(&draft, nobody, &drop); /* changes nothing */
	draft_add(&draft, nobody, &bad);  /* refused */
	draft_add(&draft, nobody, &set);
	draft_end(&draft);
	draft_apply(&s, 10, &draft);

	assert_false(s.outcome.refused);
	assert_int_equal(s.outcome.count, 4);
	assert_int_equal(s.outcome.results[0].code, OK);
	assert_true(s.outcome.results[0].changed);
	assert_int_equal(s.outcome.results[0].revision, 1);
	assert_int_equal(s.outcome.results[0].modify_index, 1);
	assert_string_equal(s.outcome.results[0].why, "");
	assert_int_equal(s.outcome.results[1].code, OK);
	assert_false(s.outcome.results[1].changed);
	assert_int_equal(s.outcome.results[1].revision, 1);
	assert_int_equal(s.outcome.results[2].code, ERR_INVALID);
	assert_false(s.outcome.results[2].changed);
	assert_int_equal(s.outcome.results[2].revision, 1);
	assert_true(strlen(s.outcome.results[2].why) > 0);
	assert_int_equal(s.outcome.results[3].create_index, 1);
	assert_int_equal(s.outcome.results[3].modify_index, 2);
	assert_int_equal(txn_meta(s.txn)->revision, 2);
	assert_int_equal(txn_meta(s.txn)->index, 10);
	assert_int_equal(txn_meta(s.txn)->term, 3);
	buf_free(&draft.bytes);
	state_close(&s);
}

static void
undecodable_command_is_answered_alone(void **state)
{
	const struct command set = draft_tlsconf("x", "{}");
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	draft = draft_at(&s, 1);
	draft_raw(&draft, nobody, "\x63garbage", 8);
	draft_add(&draft, nobody, &set);
	draft_raw(&draft, nobody, NULL, 0);
	draft_end_and_apply(&s, 1, &draft);
	assert_int_equal(s.outcome.count, 3);
	assert_int_equal(s.outcome.results[0].code, ERR_CORRUPT);
	assert_string_equal(
	    s.outcome.results[0].why, "command type 99 is not known");
	assert_int_equal(s.outcome.results[1].code, OK);
	assert_int_equal(s.outcome.results[1].revision, 1);
	assert_int_equal(s.outcome.results[2].code, ERR_CORRUPT);
	state_close(&s);
}

static void
each_change_touches_its_topics(void **state)
{
	struct ca_root root = {.id = {"a", 1}, .active = true};
	const struct {
		struct command command;
		uint64_t touched[2]; /* 0: none */
	} cases[] = {
	    {{.type = COMMAND_CLUSTER_INIT,
		 .cluster_init = {{"u", 1}, {"dc1", 3}}},
		{topic_of(TABLE_MEMBER, NULL, 0)}},
	    {{.type = COMMAND_CLUSTER_QUOTA,
		 .cluster_quota = {CLUSTER_QUOTA_MIN}},
		{topic_of(TABLE_MEMBER, NULL, 0)}},
	    {{.type = COMMAND_MEMBER_SET,
		 .member_set = {1, {"n", 1}, {"n", 1}, {"a", 1}, {"v", 1}, 0,
		     0}},
		{topic_of(TABLE_MEMBER, NULL, 0)}},
	    {{.type = COMMAND_MEMBER_DELETE, .member_delete = 1},
		{topic_of(TABLE_MEMBER, NULL, 0)}},
	    {{.type = COMMAND_CA_CONFIG,
		 .ca_config = {{.provider = {"consul", 6}, .config = {"{}", 2}},
		     0}},
		{AUTHORITY_TOPIC}},
	    {{.type = COMMAND_CA_ROOTS,
		 .ca_roots = {.roots = &root, .root_count = 1}},
		{AUTHORITY_TOPIC}},
	    {{.type = COMMAND_CA_PROVIDER_SET,
		 .ca_provider_set = {.id = {"p", 1}}},
		{0}},
	    {{.type = COMMAND_CA_PROVIDER_DELETE,
		 .ca_provider_delete = {"p", 1}},
		{0}},
	    {{.type = COMMAND_CA_SERIAL, .ca_serial = {1}}, {0}},
	    {{.type = COMMAND_TLSCONF_SET,
		 .tlsconf_set = {{"x", 1}, {"{}", 2}, false, 0}},
		{topic_of(TABLE_TLSCONF, "x", 1),
		    topic_of(TABLE_TLSCONF, NULL, 0)}},
	    {{.type = COMMAND_TLSCONF_DELETE,
		 .tlsconf_delete = {{"x", 1}, false, 0}},
		{topic_of(TABLE_TLSCONF, "x", 1),
		    topic_of(TABLE_TLSCONF, NULL, 0)}},
	};
	struct state s;

	(void)state;
	state_open(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t want = 0;

		memset(&s.topics, 0, sizeof(s.topics));
		draft_apply_one(&s, nobody, &cases[i].command);
		if (s.outcome.results[0].code != OK)
			fail_msg("%s", s.outcome.results[0].why);
		assert_true(s.outcome.results[0].changed);
		for (size_t j = 0; j < 2 && cases[i].touched[j] != 0; j++) {
			assert_true(topics_has(&s.topics, cases[i].touched[j]));
			want++;
		}
		assert_int_equal(s.topics.count, want);
	}
	/* What changes nothing wakes nobody. */
	memset(&s.topics, 0, sizeof(s.topics));
	draft_apply_one(&s, nobody, &cases[ARRAY_SIZE(cases) - 1].command);
	assert_int_equal(s.topics.count, 0);
	state_close(&s);
}

static void
revision_stays_below_two_to_the_53(void **state)
{
	const struct command set = draft_tlsconf("x", "{}");
	struct state s;

	(void)state;
	state_open(&s);
	txn_meta_change(s.txn)->revision = FSM_REVISION_MAX - 1;
	draft_apply_one(&s, nobody, &set);
	assert_int_equal(s.outcome.results[0].code, OK);
	assert_true(s.outcome.results[0].revision == FSM_REVISION_MAX);
	draft_apply_one(&s, nobody, &set);
	assert_int_equal(s.outcome.results[0].code, ERR_LIMIT);
	assert_true(txn_meta(s.txn)->revision == FSM_REVISION_MAX);
	state_close(&s);
}

static void
damaged_row_is_storage_trouble_not_an_answer(void **state)
{
	const struct command set = draft_tlsconf("x", "{}");
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(txn_put(s.txn, TABLE_TLSCONF, "x", 1, "bad", 3), OK);
	draft = draft_at(&s, 1);
	draft_add(&draft, nobody, &set);
	draft_end(&draft);
	assert_int_equal(fsm_apply(s.txn, 1, draft.bytes.data, draft.bytes.size,
			     &s.outcome, &s.topics),
	    ERR_CORRUPT);
	buf_free(&draft.bytes);
	state_close(&s);
}

/* Memory that fails while an entry is applied must stop it, never skip it. */
struct torture {
	struct state *state;
	struct draft draft;
};

static enum err
apply_in_new_txn(void *arg)
{
	struct torture *torture = arg;
	struct txn *txn;
	struct errmsg why;
	enum err rc;

	rc = txn_write(torture->state->db, &txn, &why);
	if (rc != OK)
		return rc;
	rc = fsm_apply(txn, 1, torture->draft.bytes.data,
	    torture->draft.bytes.size, &torture->state->outcome,
	    &torture->state->topics);
	txn_abort(txn);
	return rc;
}

static void
apply_survives_each_failed_allocation(void **state)
{
	struct ca_root root = {.id = {"a", 1}, .active = true};
	const struct command roots = {.type = COMMAND_CA_ROOTS,
	    .ca_roots = {.roots = &root, .root_count = 1}};
	const struct command set = draft_tlsconf("x", "{}");
	struct torture torture;
	struct state s;

	(void)state;
	state_open(&s);
	torture.state = &s;
	torture.draft = draft_at(&s, 1);
	draft_add(&torture.draft, (struct request_id){4, 1, 1, 1}, &set);
	draft_add(&torture.draft, nobody, &roots);
	draft_end(&torture.draft);
	txn_abort(s.txn);
	test_torture(apply_in_new_txn, &torture);
	assert_int_equal(s.outcome.count, 2);
	s.txn = NULL;
	buf_free(&torture.draft.bytes);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(revision_grows_with_each_change_and_only_then),
	    cmocka_unit_test(undecodable_command_is_answered_alone),
	    cmocka_unit_test(each_change_touches_its_topics),
	    cmocka_unit_test(revision_stays_below_two_to_the_53),
	    cmocka_unit_test(damaged_row_is_storage_trouble_not_an_answer),
	    cmocka_unit_test(apply_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
