/*
 * Goal: fsm_apply answers every entry alike on every member, believes no entry
 * made for another place, and applies no request twice.
 * Method: entries built by hand against one or two states. Random histories
 * are in history_test.
 */
#include "fsm/fsm.h"

#include "fsm/command.h"
#include "storage/hash.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

static struct fsm_outcome outcome; /* large */
static struct topics topics;

/* An entry under construction. */
struct draft {
	struct buf bytes;
	uint16_t count;
};

static struct draft
draft_at(struct state *s, uint64_t index)
{
	struct draft draft = {buf_new(ENTRY_SIZE_MAX), 0};

	entry_begin(&draft.bytes, index, 3, txn_meta(s->txn)->chain);
	return draft;
}

static void
draft_raw(
    struct draft *draft, struct request_id id, const void *data, size_t size)
{
	entry_add(&draft->bytes, &id, data, size);
	draft->count++;
}

static void
draft_add(
    struct draft *draft, struct request_id id, const struct command *command)
{
	struct buf out = buf_new(COMMAND_SIZE_MAX);
	struct errmsg why;

	assert_int_equal(command_encode(command, &out, &why), OK);
	draft_raw(draft, id, out.data, out.size);
	buf_free(&out);
}

static void
draft_end(struct draft *draft)
{
	uint8_t hash[DB_HASH_SIZE];
	struct errmsg why;

	assert_int_equal(
	    entry_end(&draft->bytes, draft->count, hash, &why), OK);
}

static void
apply(struct state *s, uint64_t index, const struct draft *draft)
{
	assert_int_equal(fsm_apply(s->txn, index, draft->bytes.data,
			     draft->bytes.size, &outcome, &topics),
	    OK);
}

static void
apply_and_free(struct state *s, uint64_t index, struct draft *draft)
{
	draft_end(draft);
	apply(s, index, draft);
	buf_free(&draft->bytes);
}

/* Apply one command at the next index. */
static void
apply_one(struct state *s, struct request_id id, const struct command *command)
{
	uint64_t index = txn_meta(s->txn)->index + 1;
	struct draft draft = draft_at(s, index);

	draft_add(&draft, id, command);
	apply_and_free(s, index, &draft);
	assert_false(outcome.refused);
	assert_int_equal(outcome.count, 1);
}

static const struct request_id nobody;

static struct command
tlsconf(const char *scope, const char *document)
{
	return (struct command){.type = COMMAND_TLSCONF_SET,
	    .tlsconf_set = {span_of(scope), span_of(document), false, 0}};
}

static void
assert_chain_is_hash_of(struct state *s, const struct draft *draft)
{
	uint8_t hash[DB_HASH_SIZE];

	hash_bytes(draft->bytes.data, draft->bytes.size, hash);
	assert_memory_equal(txn_meta(s->txn)->chain, hash, sizeof(hash));
}

static void
revision_grows_with_each_change_and_only_then(void **state)
{
	const struct command set = tlsconf("x", "{}");
	const struct command drop = {.type = COMMAND_TLSCONF_DELETE,
	    .tlsconf_delete = {{"absent", 6}, false, 0}};
	const struct command bad = tlsconf("", "{}");
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
	apply(&s, 10, &draft);

	assert_false(outcome.refused);
	assert_int_equal(outcome.count, 4);
	assert_int_equal(outcome.results[0].code, OK);
	assert_true(outcome.results[0].changed);
	assert_int_equal(outcome.results[0].revision, 1);
	assert_int_equal(outcome.results[0].modify_index, 1);
	assert_string_equal(outcome.results[0].why, "");
	assert_int_equal(outcome.results[1].code, OK);
	assert_false(outcome.results[1].changed);
	assert_int_equal(outcome.results[1].revision, 1);
	assert_int_equal(outcome.results[2].code, ERR_INVALID);
	assert_false(outcome.results[2].changed);
	assert_int_equal(outcome.results[2].revision, 1);
	assert_true(strlen(outcome.results[2].why) > 0);
	assert_int_equal(outcome.results[3].create_index, 1);
	assert_int_equal(outcome.results[3].modify_index, 2);
	assert_int_equal(txn_meta(s.txn)->revision, 2);
	assert_int_equal(txn_meta(s.txn)->index, 10);
	assert_int_equal(txn_meta(s.txn)->term, 3);
	assert_chain_is_hash_of(&s, &draft);
	buf_free(&draft.bytes);
	state_close(&s);
}

static void
entry_without_commands_moves_only_the_chain(void **state)
{
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	draft = draft_at(&s, 1);
	draft_end(&draft);
	apply(&s, 1, &draft);
	assert_false(outcome.refused);
	assert_int_equal(outcome.count, 0);
	assert_int_equal(txn_meta(s.txn)->revision, 0);
	assert_int_equal(txn_meta(s.txn)->index, 1);
	assert_chain_is_hash_of(&s, &draft);
	buf_free(&draft.bytes);
	state_close(&s);
}

static void
undecodable_command_is_answered_alone(void **state)
{
	const struct command set = tlsconf("x", "{}");
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	draft = draft_at(&s, 1);
	draft_raw(&draft, nobody, "\x63garbage", 8);
	draft_add(&draft, nobody, &set);
	draft_raw(&draft, nobody, NULL, 0);
	apply_and_free(&s, 1, &draft);
	assert_int_equal(outcome.count, 3);
	assert_int_equal(outcome.results[0].code, ERR_CORRUPT);
	assert_string_equal(
	    outcome.results[0].why, "command type 99 is not known");
	assert_int_equal(outcome.results[1].code, OK);
	assert_int_equal(outcome.results[1].revision, 1);
	assert_int_equal(outcome.results[2].code, ERR_CORRUPT);
	state_close(&s);
}

/* The damage done to an entry that would be good at index 5. */
enum damage {
	WRONG_PREVIOUS,
	WRONG_INDEX,
	CUT_SHORT,
	BAD_MAGIC,
	COUNT_TOO_HIGH,
	BAD_PADDING,
	NOTHING_AT_ALL,
	DAMAGES
};

static struct draft
damaged_draft(struct state *s, enum damage damage)
{
	const struct command set = tlsconf("damaged", "{}");
	struct draft draft = draft_at(s, damage == WRONG_INDEX ? 6 : 5);

	draft_add(&draft, nobody, &set);
	draft_end(&draft);
	switch (damage) {
	case WRONG_PREVIOUS:
		draft.bytes.data[4 + 8 + 8] ^= 1;
		break;
	case CUT_SHORT:
		draft.bytes.size -= 8;
		break;
	case BAD_MAGIC:
		draft.bytes.data[0] ^= 1;
		break;
	case COUNT_TOO_HIGH:
		draft.bytes.data[4 + 8 + 8 + 32 + 1]++;
		break;
	case BAD_PADDING:
		draft.bytes.data[draft.bytes.size - 1] ^= 1;
		break;
	case NOTHING_AT_ALL:
		draft.bytes.size = 0;
		break;
	case WRONG_INDEX:
	case DAMAGES:
		break;
	}
	return draft;
}

static void
hazard_03_entry_of_another_place_is_refused_alike_and_the_chain_goes_on(
    void **state)
{
	const struct command set = tlsconf("good", "{}");

	(void)state;
	for (enum damage damage = 0; damage < DAMAGES; damage++) {
		struct state members[2];
		struct errmsg whys[2];
		struct draft bad;

		state_open(&members[0]);
		apply_one(&members[0], nobody, &set); /* a chain to break */
		state_open(&members[1]);
		state_copy(&members[1], &members[0]);
		bad = damaged_draft(&members[0], damage);

		for (size_t i = 0; i < 2; i++) {
			struct state *s = &members[i];
			struct draft next;

			state_mark(s);
			memset(&topics, 0, sizeof(topics));
			apply(s, 5, &bad);
			assert_true(outcome.refused);
			assert_int_equal(outcome.count, 0);
			assert_int_equal(
			    strncmp(outcome.why.text, "refused: ", 9), 0);
			if (damage <= WRONG_INDEX) {
				assert_int_equal(strncmp(outcome.why.text,
						     "refused: chain ", 15),
				    0);
			}
			whys[i] = outcome.why;
			assert_int_equal(topics.count, 0);
			assert_false(topics.all);
			assert_int_equal(txn_meta(s->txn)->index, 5);
			assert_int_equal(txn_meta(s->txn)->revision, 1);
			assert_memory_equal(txn_meta(s->txn)->sums,
			    s->mark.sums, sizeof(s->mark.sums));
			assert_chain_is_hash_of(s, &bad);

			next = draft_at(s, 6); /* from the refused one's hash */
			draft_add(&next, nobody, &set);
			apply_and_free(s, 6, &next);
			assert_false(outcome.refused);
			assert_int_equal(outcome.results[0].revision, 2);
		}
		assert_string_equal(whys[0].text, whys[1].text);
		assert_memory_equal(txn_meta(members[0].txn),
		    txn_meta(members[1].txn), sizeof(struct db_meta));
		buf_free(&bad.bytes);
		state_close(&members[0]);
		state_close(&members[1]);
	}
}

static void
hazard_03_first_entry_of_an_empty_state_carries_zeroes(void **state)
{
	const struct command set = tlsconf("x", "{}");
	const uint8_t other[DB_HASH_SIZE] = {1};
	struct draft draft = {buf_new(ENTRY_SIZE_MAX), 0};
	struct state s;

	(void)state;
	state_open(&s);
	entry_begin(&draft.bytes, 1, 1, other);
	draft_add(&draft, nobody, &set);
	apply_and_free(&s, 1, &draft);
	assert_true(outcome.refused);
	state_close(&s);
}

static void
hazard_03_chain_comes_with_an_image(void **state)
{
	const struct command set = tlsconf("x", "{}");
	struct state a, b;
	struct draft draft;

	(void)state;
	state_open(&a);
	state_open(&b);
	apply_one(&a, nobody, &set);
	state_copy(&b, &a);
	draft = draft_at(&a, 2);
	draft_add(&draft, nobody, &set);
	apply_and_free(&b, 2, &draft);
	assert_false(outcome.refused);
	state_close(&a);
	state_close(&b);
}

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
	apply_one(&a, id, &take);
	first = outcome.results[0];
	assert_true(first.changed);
	apply_one(&a, nobody, &take); /* the world moves on */
	memset(&topics, 0, sizeof(topics));
	apply_one(&a, id, &take);
	assert_memory_equal(&outcome.results[0], &first, sizeof(first));
	assert_int_equal(txn_meta(a.txn)->revision, 2);
	assert_int_equal(topics.count, 0);

	state_open(&b);
	state_copy(&b, &a);
	apply_one(&b, id, &take);
	assert_memory_equal(&outcome.results[0], &first, sizeof(first));
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
	apply_and_free(&s, 1, &draft);
	assert_memory_equal(&outcome.results[0], &outcome.results[1],
	    sizeof(outcome.results[0]));
	assert_int_equal(txn_meta(s.txn)->revision, 1);
	state_close(&s);
}

static void
hazard_22_refusals_are_remembered_too(void **state)
{
	const struct request_id id = {4, 1, 1, 1};
	struct command set = tlsconf("x", "{}");
	struct fsm_result first;
	struct state s;

	(void)state;
	state_open(&s);
	set.tlsconf_set.has_cas = true;
	set.tlsconf_set.cas = 9;
	apply_one(&s, id, &set);
	first = outcome.results[0];
	assert_int_equal(first.code, ERR_CONFLICT);
	apply_one(&s, id, &set);
	assert_memory_equal(&outcome.results[0], &first, sizeof(first));
	state_close(&s);
}

static void
hazard_22_too_old_a_request_is_unknown_and_not_applied(void **state)
{
	const struct command set = tlsconf("x", "{}");
	struct state s;

	(void)state;
	state_open(&s);
	apply_one(&s, (struct request_id){4, 1, 5, 5}, &set);
	apply_one(&s, (struct request_id){4, 1, 2, 2}, &set);
	assert_int_equal(outcome.results[0].code, ERR_UNKNOWN);
	assert_false(outcome.results[0].changed);
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
	const struct command set = tlsconf("x", "{}");
	struct state s;

	(void)state;
	state_open(&s);
	apply_one(&s, nobody, &join);
	apply_one(&s, (struct request_id){4, 1, 5, 5}, &set);
	apply_one(&s, (struct request_id){4, 1, 6, 5}, &leave);
	assert_true(outcome.results[0].changed);
	apply_one(&s, (struct request_id){4, 1, 5, 5}, &set);
	assert_int_equal(outcome.results[0].code, ERR_UNKNOWN);
	/* Its own leave is still answered as it was. */
	apply_one(&s, (struct request_id){4, 1, 6, 5}, &leave);
	assert_int_equal(outcome.results[0].code, OK);
	assert_true(outcome.results[0].changed);
	assert_int_equal(txn_meta(s.txn)->revision, 3);
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

		memset(&topics, 0, sizeof(topics));
		apply_one(&s, nobody, &cases[i].command);
		if (outcome.results[0].code != OK)
			fail_msg("%s", outcome.results[0].why);
		assert_true(outcome.results[0].changed);
		for (size_t j = 0; j < 2 && cases[i].touched[j] != 0; j++) {
			assert_true(topics_has(&topics, cases[i].touched[j]));
			want++;
		}
		assert_int_equal(topics.count, want);
	}
	/* What changes nothing wakes nobody. */
	memset(&topics, 0, sizeof(topics));
	apply_one(&s, nobody, &cases[ARRAY_SIZE(cases) - 1].command);
	assert_int_equal(topics.count, 0);
	state_close(&s);
}

static void
revision_stays_below_two_to_the_53(void **state)
{
	const struct command set = tlsconf("x", "{}");
	struct state s;

	(void)state;
	state_open(&s);
	txn_meta_change(s.txn)->revision = FSM_REVISION_MAX - 1;
	apply_one(&s, nobody, &set);
	assert_int_equal(outcome.results[0].code, OK);
	assert_true(outcome.results[0].revision == FSM_REVISION_MAX);
	apply_one(&s, nobody, &set);
	assert_int_equal(outcome.results[0].code, ERR_LIMIT);
	assert_true(txn_meta(s.txn)->revision == FSM_REVISION_MAX);
	state_close(&s);
}

static void
damaged_row_is_storage_trouble_not_an_answer(void **state)
{
	const struct command set = tlsconf("x", "{}");
	struct draft draft;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(txn_put(s.txn, TABLE_TLSCONF, "x", 1, "bad", 3), OK);
	draft = draft_at(&s, 1);
	draft_add(&draft, nobody, &set);
	draft_end(&draft);
	assert_int_equal(fsm_apply(s.txn, 1, draft.bytes.data, draft.bytes.size,
			     &outcome, &topics),
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
	    torture->draft.bytes.size, &outcome, &topics);
	txn_abort(txn);
	return rc;
}

static void
apply_survives_each_failed_allocation(void **state)
{
	struct ca_root root = {.id = {"a", 1}, .active = true};
	const struct command roots = {.type = COMMAND_CA_ROOTS,
	    .ca_roots = {.roots = &root, .root_count = 1}};
	const struct command set = tlsconf("x", "{}");
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
	assert_int_equal(outcome.count, 2);
	s.txn = NULL;
	buf_free(&torture.draft.bytes);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(revision_grows_with_each_change_and_only_then),
	    cmocka_unit_test(entry_without_commands_moves_only_the_chain),
	    cmocka_unit_test(undecodable_command_is_answered_alone),
	    cmocka_unit_test(
		hazard_03_entry_of_another_place_is_refused_alike_and_the_chain_goes_on),
	    cmocka_unit_test(
		hazard_03_first_entry_of_an_empty_state_carries_zeroes),
	    cmocka_unit_test(hazard_03_chain_comes_with_an_image),
	    cmocka_unit_test(
		hazard_22_retry_is_applied_once_and_answered_alike),
	    cmocka_unit_test(hazard_22_twice_in_one_entry_is_applied_once),
	    cmocka_unit_test(hazard_22_refusals_are_remembered_too),
	    cmocka_unit_test(
		hazard_22_too_old_a_request_is_unknown_and_not_applied),
	    cmocka_unit_test(hazard_22_leaving_server_keeps_no_rows),
	    cmocka_unit_test(each_change_touches_its_topics),
	    cmocka_unit_test(revision_stays_below_two_to_the_53),
	    cmocka_unit_test(damaged_row_is_storage_trouble_not_an_answer),
	    cmocka_unit_test(apply_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
