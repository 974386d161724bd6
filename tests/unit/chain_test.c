/*
 * Goal: an entry made for another place in the log is believed by nobody, and
 * stops nobody (hazard 3). Method: one good entry, damaged in each way, applied
 * to two members.
 */
#include "fsm/fsm.h"

#include "storage/hash.h"
#include "tests/support/draft.h"
#include "tests/support/test.h"

static const struct request_id nobody;

static void
assert_chain_is_hash_of(struct state *s, const struct draft *draft)
{
	uint8_t hash[DB_HASH_SIZE];

	hash_bytes(draft->bytes.data, draft->bytes.size, hash);
	assert_memory_equal(txn_meta(s->txn)->chain, hash, sizeof(hash));
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
	draft_apply(&s, 1, &draft);
	assert_false(s.outcome.refused);
	assert_int_equal(s.outcome.count, 0);
	assert_int_equal(txn_meta(s.txn)->revision, 0);
	assert_int_equal(txn_meta(s.txn)->index, 1);
	assert_chain_is_hash_of(&s, &draft);
	buf_free(&draft.bytes);
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
	const struct command set = draft_tlsconf("damaged", "{}");
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
	const struct command set = draft_tlsconf("good", "{}");

	(void)state;
	for (enum damage damage = 0; damage < DAMAGES; damage++) {
		struct state members[2];
		struct errmsg whys[2];
		struct draft bad;

		state_open(&members[0]);
		draft_apply_one(
		    &members[0], nobody, &set); /* a chain to break */
		state_open(&members[1]);
		state_copy(&members[1], &members[0]);
		bad = damaged_draft(&members[0], damage);

		for (size_t i = 0; i < 2; i++) {
			struct state *s = &members[i];
			struct draft next;

			state_mark(s);
			memset(&s->topics, 0, sizeof(s->topics));
			draft_apply(s, 5, &bad);
			assert_true(s->outcome.refused);
			assert_int_equal(s->outcome.count, 0);
			assert_int_equal(
			    strncmp(s->outcome.why.text, "refused: ", 9), 0);
			if (damage <= WRONG_INDEX) {
				assert_int_equal(strncmp(s->outcome.why.text,
						     "refused: chain ", 15),
				    0);
			}
			whys[i] = s->outcome.why;
			assert_int_equal(s->topics.count, 0);
			assert_false(s->topics.all);
			assert_int_equal(txn_meta(s->txn)->index, 5);
			assert_int_equal(txn_meta(s->txn)->revision, 1);
			assert_memory_equal(txn_meta(s->txn)->sums,
			    s->mark.sums, sizeof(s->mark.sums));
			assert_chain_is_hash_of(s, &bad);

			next = draft_at(s, 6); /* from the refused one's hash */
			draft_add(&next, nobody, &set);
			draft_end_and_apply(s, 6, &next);
			assert_false(s->outcome.refused);
			assert_int_equal(s->outcome.results[0].revision, 2);
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
	const struct command set = draft_tlsconf("x", "{}");
	const uint8_t other[DB_HASH_SIZE] = {1};
	struct draft draft = {buf_new(ENTRY_SIZE_MAX), 0};
	struct state s;

	(void)state;
	state_open(&s);
	entry_begin(&draft.bytes, 1, 1, other);
	draft_add(&draft, nobody, &set);
	draft_end_and_apply(&s, 1, &draft);
	assert_true(s.outcome.refused);
	state_close(&s);
}

static void
hazard_03_chain_comes_with_an_image(void **state)
{
	const struct command set = draft_tlsconf("x", "{}");
	struct state a, b;
	struct draft draft;

	(void)state;
	state_open(&a);
	state_open(&b);
	draft_apply_one(&a, nobody, &set);
	state_copy(&b, &a);
	draft = draft_at(&a, 2);
	draft_add(&draft, nobody, &set);
	draft_end_and_apply(&b, 2, &draft);
	assert_false(a.outcome.refused);
	state_close(&a);
	state_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entry_without_commands_moves_only_the_chain),
	    cmocka_unit_test(
		hazard_03_entry_of_another_place_is_refused_alike_and_the_chain_goes_on),
	    cmocka_unit_test(
		hazard_03_first_entry_of_an_empty_state_carries_zeroes),
	    cmocka_unit_test(hazard_03_chain_comes_with_an_image),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
