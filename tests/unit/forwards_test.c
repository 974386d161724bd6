/*
 * Goal: the list of forwarded writes keeps its order and its end, and only who
 * was asked last may answer.
 * Method: lists and forwards filled by hand; no leader is needed for that.
 */
#include "server/cluster/forwards.h"
#include "tests/support/test.h"

#define COUNT 5

static struct node_proposal items[COUNT];

static void
assert_order(struct proposal_list *list, const size_t *want, size_t count)
{
	assert_int_equal(list->count, count);
	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(proposal_list_pop(list), &items[want[i]]);
	assert_null(proposal_list_pop(list));
	assert_int_equal(list->count, 0);
	/* The end is where it was for an empty list. */
	proposal_list_push(list, &items[0]);
	assert_ptr_equal(proposal_list_pop(list), &items[0]);
}

static void
lists_keep_order_and_end(void **state)
{
	struct proposal_list list, front;

	(void)state;
	proposal_list_init(&list);
	proposal_list_init(&front);
	proposal_list_push_front(&list, &items[1]);
	proposal_list_push(&list, &items[2]);
	proposal_list_push_front(&list, &items[0]);
	assert_order(&list, (const size_t[]){0, 1, 2}, 3);

	proposal_list_push(&list, &items[2]);
	proposal_list_push(&front, &items[0]);
	proposal_list_push(&front, &items[1]);
	proposal_list_prepend(&list, &front);
	proposal_list_push(&list, &items[3]);
	assert_null(proposal_list_pop(&front));
	assert_order(&list, (const size_t[]){0, 1, 2, 3}, 4);

	proposal_list_push(&front, &items[4]);
	proposal_list_prepend(&list, &front); /* to an empty one */
	proposal_list_prepend(&list, &front); /* nothing to add */
	proposal_list_push(&list, &items[0]);
	assert_order(&list, (const size_t[]){4, 0}, 2);
}

/* One that was sent as sequence to peer. */
static struct node_proposal *
sent(struct forwards *f, size_t i, uint64_t peer)
{
	items[i] = (struct node_proposal){
	    .peer = peer, .id.sequence = i + 1, .sent = true};
	proposal_list_push(&f->sent, &items[i]);
	return &items[i];
}

static void
hazard_22_only_who_was_asked_last_answers(void **state)
{
	struct proposal_list queued;
	struct forwards f;

	(void)state;
	forwards_init(&f, NULL);
	proposal_list_init(&queued);
	(void)sent(&f, 0, 7);
	(void)sent(&f, 1, 8);
	assert_null(forwards_take(&f, 8, 1)); /* what 8 said does not count */
	assert_null(forwards_take(&f, 7, 9));
	assert_ptr_equal(forwards_take(&f, 8, 2), &items[1]);
	assert_null(forwards_take(&f, 8, 2)); /* once */
	(void)sent(&f, 2, 7);
	assert_ptr_equal(forwards_take(&f, 7, 1), &items[0]);
	assert_ptr_equal(forwards_take(&f, 7, 3), &items[2]);
	assert_int_equal(f.sent.count, 0);
}

/* Sent to a leader that was lost: perhaps applied, whatever the next one says
 * of its own attempt. */
static void
hazard_22_what_a_lost_leader_had_is_doubtful(void **state)
{
	struct proposal_list queued;
	struct forwards f;

	(void)state;
	forwards_init(&f, NULL);
	proposal_list_init(&queued);
	(void)sent(&f, 0, 7);
	(void)sent(&f, 1, 8);
	forwards_requeue(&f, 8, &queued);
	assert_ptr_equal(proposal_list_pop(&queued), &items[0]);
	assert_null(proposal_list_pop(&queued));
	assert_true(items[0].doubtful);
	assert_false(items[0].sent);
	assert_false(items[1].doubtful);
	assert_true(items[1].sent);
	assert_int_equal(f.sent.count, 1);
	forwards_requeue(&f, 0, &queued);
	assert_ptr_equal(proposal_list_pop(&queued), &items[1]);
	assert_true(items[1].doubtful);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_keep_order_and_end),
	    cmocka_unit_test(hazard_22_only_who_was_asked_last_answers),
	    cmocka_unit_test(hazard_22_what_a_lost_leader_had_is_doubtful),
	};

	return cmocka_run_group_tests_name("forwards", tests, NULL, NULL);
}
