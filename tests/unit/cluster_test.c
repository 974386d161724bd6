/*
 * Goal: the cluster is initialised once, its quota and members follow their
 * rules, and a refusal changes nothing. Method: the rules on an empty state.
 */
#include "fsm/cluster.h"
#include "fsm/index.h"
#include "fsm/result.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

static const struct cluster_init init_good = {{"uuid", 4}, {"dc1", 3}};

static struct fsm_result
init(struct state *s, uint64_t revision, const struct cluster_init *command)
{
	struct fsm_result result = {0};

	assert_int_equal(
	    cluster_apply_init(s->txn, revision, command, &result), OK);
	return result;
}

static struct fsm_result
quota(struct state *s, uint64_t revision, uint64_t bytes)
{
	const struct cluster_quota command = {bytes};
	struct fsm_result result = {0};

	assert_int_equal(
	    cluster_apply_quota(s->txn, revision, &command, &result), OK);
	return result;
}

static struct member
member_of(uint64_t id)
{
	return (struct member){.id = id,
	    .node_id = {"node-id", 7},
	    .name = {"s1", 2},
	    .address = {"127.0.0.1:8300", 14},
	    .version = {"0.1.0", 5}};
}

static struct fsm_result
put(struct state *s, uint64_t revision, const struct member *member)
{
	struct fsm_result result = {0};

	assert_int_equal(
	    cluster_apply_member(s->txn, revision, member, &result), OK);
	return result;
}

static struct fsm_result
drop(struct state *s, uint64_t revision, uint64_t id)
{
	struct fsm_result result = {0};

	assert_int_equal(
	    cluster_apply_member_delete(s->txn, revision, id, &result), OK);
	return result;
}

static void
cluster_is_initialised_once(void **state)
{
	struct fsm_result result;
	struct cluster cluster;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(cluster_get(s.txn, &cluster, &why), ERR_NOTFOUND);
	result = init(&s, 1, &init_good);
	assert_int_equal(result.code, OK);
	assert_true(result.changed);
	assert_int_equal(cluster_get(s.txn, &cluster, &why), OK);
	assert_true(span_equal(cluster.cluster_id, span_of("uuid")));
	assert_true(span_equal(cluster.datacenter, span_of("dc1")));
	assert_true(cluster.quota == CLUSTER_QUOTA_DEFAULT);
	assert_int_equal(cluster.create_index, 1);
	assert_int_equal(cluster.modify_index, 1);

	state_mark(&s);
	result = init(&s, 2, &init_good);
	assert_int_equal(result.code, ERR_EXISTS);
	assert_false(result.changed);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
quota_has_a_least_value_and_needs_a_cluster(void **state)
{
	struct fsm_result result;
	struct cluster cluster;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	assert_int_equal(quota(&s, 1, CLUSTER_QUOTA_MIN).code, ERR_BADSTATE);
	(void)init(&s, 1, &init_good);
	state_mark(&s);
	assert_int_equal(quota(&s, 2, CLUSTER_QUOTA_MIN - 1).code, ERR_INVALID);
	result = quota(&s, 2, CLUSTER_QUOTA_DEFAULT); /* as it stands */
	assert_int_equal(result.code, OK);
	assert_false(result.changed);
	assert_true(state_unchanged(&s));
	result = quota(&s, 2, CLUSTER_QUOTA_MIN);
	assert_true(result.changed);
	assert_int_equal(cluster_get(s.txn, &cluster, &why), OK);
	assert_true(cluster.quota == CLUSTER_QUOTA_MIN);
	assert_true(span_equal(cluster.cluster_id, span_of("uuid")));
	assert_int_equal(cluster.create_index, 1);
	assert_int_equal(cluster.modify_index, 2);
	state_close(&s);
}

static void
member_is_set_changed_and_deleted(void **state)
{
	struct member member = member_of(7), back;
	struct fsm_result result;
	struct errmsg why;
	struct state s;

	(void)state;
	state_open(&s);
	result = put(&s, 3, &member);
	assert_true(result.changed);
	state_mark(&s);
	result = put(&s, 4, &member); /* as it stands */
	assert_int_equal(result.code, OK);
	assert_false(result.changed);
	assert_int_equal(result.modify_index, 3);
	assert_true(state_unchanged(&s));

	member.address = span_of("[::1]:8300");
	result = put(&s, 5, &member);
	assert_true(result.changed);
	assert_int_equal(result.create_index, 3);
	assert_int_equal(cluster_member(s.txn, 7, &back, &why), OK);
	assert_int_equal(back.id, 7);
	assert_true(span_equal(back.address, span_of("[::1]:8300")));
	assert_true(span_equal(back.node_id, span_of("node-id")));
	assert_int_equal(back.create_index, 3);
	assert_int_equal(back.modify_index, 5);

	assert_true(drop(&s, 6, 7).changed);
	assert_int_equal(cluster_member(s.txn, 7, &back, &why), ERR_NOTFOUND);
	state_mark(&s);
	result = drop(&s, 7, 7);
	assert_int_equal(result.code, OK);
	assert_false(result.changed);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
members_are_listed_by_id_and_limited(void **state)
{
	struct member member, list[CLUSTER_MEMBERS_MAX];
	struct errmsg why;
	struct state s;
	size_t count;

	(void)state;
	state_open(&s);
	for (uint64_t i = 0; i < CLUSTER_MEMBERS_MAX; i++) {
		member = member_of((CLUSTER_MEMBERS_MAX - i) * 200);
		assert_true(put(&s, i + 1, &member).changed);
	}
	state_mark(&s);
	member = member_of(1);
	assert_int_equal(put(&s, 99, &member).code, ERR_LIMIT);
	assert_true(state_unchanged(&s));
	member = member_of(200); /* one of them may still change */
	member.version = span_of("0.2.0");
	assert_true(put(&s, 99, &member).changed);

	assert_int_equal(
	    cluster_members(s.txn, list, ARRAY_SIZE(list), &count, &why), OK);
	assert_int_equal(count, CLUSTER_MEMBERS_MAX);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(list[i].id, (i + 1) * 200);
	assert_int_equal(
	    cluster_members(s.txn, list, 3, &count, &why), ERR_LIMIT);
	state_close(&s);
}

static void
bad_texts_and_ids_are_refused(void **state)
{
	static char big[CLUSTER_TEXT_MAX + 1];
	const struct span bad[] = {{"", 0}, {big, sizeof(big)}};
	struct state s;

	(void)state;
	state_open(&s);
	state_mark(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cluster_init a = init_good, b = init_good;
		struct member members[4];

		a.cluster_id = bad[i];
		b.datacenter = bad[i];
		assert_int_equal(init(&s, 1, &a).code, ERR_INVALID);
		assert_int_equal(init(&s, 1, &b).code, ERR_INVALID);
		for (size_t j = 0; j < ARRAY_SIZE(members); j++)
			members[j] = member_of(1);
		members[0].node_id = bad[i];
		members[1].name = bad[i];
		members[2].address = bad[i];
		members[3].version = bad[i];
		for (size_t j = 0; j < ARRAY_SIZE(members); j++) {
			assert_int_equal(
			    put(&s, 1, &members[j]).code, ERR_INVALID);
		}
	}
	assert_int_equal(put(&s, 1, &(struct member){0}).code, ERR_INVALID);
	assert_true(state_unchanged(&s));
	state_close(&s);
}

static void
hazard_14_floor_stamps_cluster_and_members(void **state)
{
	struct member member = member_of(7), list[1];
	struct cluster cluster;
	struct errmsg why;
	struct state s;
	size_t count;

	(void)state;
	state_open(&s);
	(void)init(&s, 1, &init_good);
	(void)put(&s, 2, &member);
	assert_int_equal(index_set_floor(s.txn, 1000), OK);
	assert_int_equal(cluster_get(s.txn, &cluster, &why), OK);
	assert_int_equal(cluster.modify_index, 1000);
	assert_int_equal(cluster_member(s.txn, 7, &member, &why), OK);
	assert_int_equal(member.modify_index, 1000);
	assert_int_equal(cluster_members(s.txn, list, 1, &count, &why), OK);
	assert_int_equal(list[0].modify_index, 1000);
	state_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cluster_is_initialised_once),
	    cmocka_unit_test(quota_has_a_least_value_and_needs_a_cluster),
	    cmocka_unit_test(member_is_set_changed_and_deleted),
	    cmocka_unit_test(members_are_listed_by_id_and_limited),
	    cmocka_unit_test(bad_texts_and_ids_are_refused),
	    cmocka_unit_test(hazard_14_floor_stamps_cluster_and_members),
	};

	return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
