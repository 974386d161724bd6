/*
 * Goal: a snapshot is whole or it is not delivered, whatever the pieces claim.
 * Method: heads and pieces by hand.
 */
#include "server/cluster/raftmsg.h"
#include "server/cluster/snapshot_in.h"
#include "storage/image.h"
#include "tests/support/test.h"

static struct buf
head(uint64_t size)
{
	struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT};
	struct buf out = buf_new(4096);

	m.install_snapshot.last_index = 5;
	raft_configuration_init(&m.install_snapshot.conf);
	assert_int_equal(raft_configuration_add(
			     &m.install_snapshot.conf, 1, "one", RAFT_VOTER),
	    0);
	raftmsg_encode(&m, &out);
	buf_u64(&out, size);
	assert_int_equal(buf_status(&out, NULL), OK);
	raft_configuration_close(&m.install_snapshot.conf);
	return out;
}

static void
heads_are_judged_before_memory_is_taken(void **state)
{
	static const struct {
		uint64_t size;
		enum err want;
	} cases[] = {
	    {0, ERR_LIMIT},
	    {IMAGE_SIZE_MAX + 1, ERR_LIMIT},
	    {UINT64_MAX, ERR_LIMIT},
	    {1, OK},
	};
	struct snapshot_in in;
	struct errmsg why;
	struct buf out;

	(void)state;
	memset(&in, 0, sizeof(in));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		out = head(cases[i].size);
		assert_int_equal(
		    snapshot_in_begin(&in, out.data, out.size, &why),
		    cases[i].want);
		assert_int_equal(in.active, cases[i].want == OK);
		buf_free(&out);
	}
	out = head(8);
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(
		    snapshot_in_begin(&in, out.data, size, &why), OK);
	buf_free(&out);
	/* Another kind of message with a size behind it. */
	struct raft_message m = {.type = RAFT_TIMEOUT_NOW};

	out = buf_new(4096);
	raftmsg_encode(&m, &out);
	buf_u64(&out, 8);
	assert_int_equal(
	    snapshot_in_begin(&in, out.data, out.size, &why), ERR_CORRUPT);
	buf_free(&out);
	snapshot_in_discard(&in);
}

static void
pieces_add_up_exactly(void **state)
{
	static const uint8_t data[10] = "0123456789";
	struct snapshot_in in;
	struct raft_message got;
	struct errmsg why;
	struct buf out = head(10);
	bool done;

	(void)state;
	memset(&in, 0, sizeof(in));
	assert_int_equal(
	    snapshot_in_add(&in, data, 1, &done, &got, &why), ERR_PROTOCOL);
	assert_int_equal(snapshot_in_begin(&in, out.data, out.size, &why), OK);
	assert_int_equal(
	    snapshot_in_add(&in, data, 0, &done, &got, &why), ERR_PROTOCOL);
	assert_int_equal(snapshot_in_add(&in, data, 4, &done, &got, &why), OK);
	assert_false(done);
	assert_int_equal(
	    snapshot_in_add(&in, data, 7, &done, &got, &why), ERR_PROTOCOL);
	/* A second head throws the first away. */
	assert_int_equal(snapshot_in_begin(&in, out.data, out.size, &why), OK);
	assert_int_equal(snapshot_in_add(&in, data, 9, &done, &got, &why), OK);
	assert_false(done);
	assert_int_equal(
	    snapshot_in_add(&in, data + 9, 1, &done, &got, &why), OK);
	assert_true(done);
	assert_false(in.active);
	assert_int_equal(got.install_snapshot.data.len, 10);
	assert_memory_equal(got.install_snapshot.data.base, data, 10);
	raftmsg_free(&got);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(heads_are_judged_before_memory_is_taken),
	    cmocka_unit_test(pieces_add_up_exactly),
	};

	return cmocka_run_group_tests_name("snapshot_in", tests, NULL, NULL);
}
