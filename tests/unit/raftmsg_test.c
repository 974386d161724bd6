/*
 * Goal: raft's messages survive the wire unchanged, and no byte from it makes
 * libraft read what is not there.
 * Method: all six types round; every proper prefix; single damages of entries.
 */
#include "server/cluster/raftmsg.h"
#include "tests/support/test.h"

#define LIMIT (16u << 20)

static struct buf
encoded(const struct raft_message *message)
{
	struct buf out = buf_new(LIMIT);

	raftmsg_encode(message, &out);
	assert_int_equal(buf_status(&out, NULL), OK);
	return out;
}

/* Round trip; every proper prefix and one byte more are refused on the way. */
static void
through_the_wire(const struct raft_message *message, struct raft_message *got)
{
	struct buf out = encoded(message);
	struct errmsg why;

	for (size_t size = 0; size < out.size; size++) {
		uint8_t *exact = malloc(size > 0 ? size : 1);

		assert_non_null(exact);
		memcpy(exact, out.data, size);
		assert_int_equal(
		    raftmsg_decode(exact, size, got, &why), ERR_CORRUPT);
		free(exact);
	}
	buf_u8(&out, 0);
	assert_int_equal(
	    raftmsg_decode(out.data, out.size, got, &why), ERR_CORRUPT);
	memset(got, 0xee, sizeof(*got));
	assert_int_equal(raftmsg_decode(out.data, out.size - 1, got, &why), OK);
	assert_int_equal(got->type, message->type);
	assert_int_equal(got->server_id, 0);
	assert_null(got->server_address);
	buf_free(&out);
}

static void
request_vote_goes_round(void **state)
{
	struct raft_message m = {.type = RAFT_REQUEST_VOTE}, got;

	(void)state;
	for (int flags = 0; flags < 4; flags++) {
		m.request_vote = (struct raft_request_vote){.version = 2,
		    .term = 5,
		    .candidate_id = UINT64_MAX,
		    .last_log_index = 77,
		    .last_log_term = 4,
		    .disrupt_leader = (flags & 1) != 0,
		    .pre_vote = (flags & 2) != 0};
		through_the_wire(&m, &got);
		assert_int_equal(got.request_vote.version, 2);
		assert_int_equal(got.request_vote.term, 5);
		assert_true(got.request_vote.candidate_id == UINT64_MAX);
		assert_int_equal(got.request_vote.last_log_index, 77);
		assert_int_equal(got.request_vote.last_log_term, 4);
		assert_int_equal(
		    got.request_vote.disrupt_leader, (flags & 1) != 0);
		assert_int_equal(got.request_vote.pre_vote, (flags & 2) != 0);
		raftmsg_free(&got);
	}
}

static void
results_and_timeout_now_go_round(void **state)
{
	struct raft_message m, got;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.type = RAFT_REQUEST_VOTE_RESULT;
	m.request_vote_result = (struct raft_request_vote_result){.version = 2,
	    .term = 9,
	    .vote_granted = true,
	    .pre_vote = true,
	    .features = 1,
	    .capacity = 65535};
	through_the_wire(&m, &got);
	assert_int_equal(got.request_vote_result.version, 2);
	assert_int_equal(got.request_vote_result.term, 9);
	assert_true(got.request_vote_result.vote_granted);
	assert_true(got.request_vote_result.pre_vote);
	assert_int_equal(got.request_vote_result.features, 1);
	assert_int_equal(got.request_vote_result.capacity, 65535);

	memset(&m, 0, sizeof(m));
	m.type = RAFT_APPEND_ENTRIES_RESULT;
	m.append_entries_result =
	    (struct raft_append_entries_result){.version = 2,
		.term = 9,
		.rejected = 3,
		.last_log_index = UINT64_MAX - 1,
		.features = 1,
		.capacity = 4096};
	through_the_wire(&m, &got);
	assert_int_equal(got.append_entries_result.version, 2);
	assert_int_equal(got.append_entries_result.term, 9);
	assert_int_equal(got.append_entries_result.rejected, 3);
	assert_true(got.append_entries_result.last_log_index == UINT64_MAX - 1);
	assert_int_equal(got.append_entries_result.features, 1);
	assert_int_equal(got.append_entries_result.capacity, 4096);

	memset(&m, 0, sizeof(m));
	m.type = RAFT_TIMEOUT_NOW;
	m.timeout_now = (struct raft_timeout_now){
	    .version = 0, .term = 2, .last_log_index = 8, .last_log_term = 1};
	through_the_wire(&m, &got);
	assert_int_equal(got.timeout_now.term, 2);
	assert_int_equal(got.timeout_now.last_log_index, 8);
	assert_int_equal(got.timeout_now.last_log_term, 1);
}

static void
append_entries_goes_round_as_libraft_wants_it(void **state)
{
	uint8_t a[16] = "entry number one", b[8] = "second", c[24] = "third";
	struct raft_entry entries[4] = {
	    {.term = 1, .type = RAFT_COMMAND, .buf = {a, sizeof(a)}},
	    {.term = 3, .type = RAFT_BARRIER, .buf = {b, sizeof(b)}},
	    {.term = 3, .type = RAFT_COMMAND, .buf = {NULL, 0}},
	    {.term = 4, .type = RAFT_COMMAND, .buf = {c, sizeof(c)}},
	};
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES}, got;

	(void)state;
	for (unsigned n = 0; n <= ARRAY_SIZE(entries); n++) {
		m.append_entries = (struct raft_append_entries){.term = 4,
		    .prev_log_index = 10,
		    .prev_log_term = 1,
		    .leader_commit = 9,
		    .entries = n > 0 ? entries : NULL,
		    .n_entries = n};
		through_the_wire(&m, &got);
		assert_int_equal(got.append_entries.term, 4);
		assert_int_equal(got.append_entries.prev_log_index, 10);
		assert_int_equal(got.append_entries.prev_log_term, 1);
		assert_int_equal(got.append_entries.leader_commit, 9);
		assert_int_equal(got.append_entries.n_entries, n);
		if (n == 0)
			assert_null(got.append_entries.entries);
		for (unsigned i = 0; i < n; i++) {
			struct raft_entry *e = &got.append_entries.entries[i];

			assert_int_equal(e->term, entries[i].term);
			assert_int_equal(e->type, entries[i].type);
			assert_int_equal(e->buf.len, entries[i].buf.len);
			assert_ptr_equal(
			    e->batch, got.append_entries.entries[0].batch);
			assert_non_null(e->batch);
			assert_int_equal((uintptr_t)e->buf.base % 8, 0);
			if (e->buf.len > 0)
				assert_memory_equal(e->buf.base,
				    entries[i].buf.base, e->buf.len);
		}
		raftmsg_free(&got);
	}
}

static void
install_snapshot_head_goes_round(void **state)
{
	struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT}, got;
	struct raft_configuration *conf = &m.install_snapshot.conf;

	(void)state;
	m.install_snapshot.term = 6;
	m.install_snapshot.last_index = 100;
	m.install_snapshot.last_term = 5;
	m.install_snapshot.conf_index = 90;
	raft_configuration_init(conf);
	assert_int_equal(raft_configuration_add(conf, 1, "one", RAFT_VOTER), 0);
	assert_int_equal(
	    raft_configuration_add(conf, UINT64_MAX, "two", RAFT_SPARE), 0);
	assert_int_equal(
	    raft_configuration_add(conf, 3, "three", RAFT_STANDBY), 0);
	through_the_wire(&m, &got);
	assert_int_equal(got.install_snapshot.term, 6);
	assert_int_equal(got.install_snapshot.last_index, 100);
	assert_int_equal(got.install_snapshot.last_term, 5);
	assert_int_equal(got.install_snapshot.conf_index, 90);
	assert_null(got.install_snapshot.data.base);
	assert_int_equal(got.install_snapshot.conf.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(got.install_snapshot.conf.servers[i].id ==
		    conf->servers[i].id);
		assert_int_equal(got.install_snapshot.conf.servers[i].role,
		    conf->servers[i].role);
		assert_string_equal(
		    got.install_snapshot.conf.servers[i].address,
		    conf->servers[i].address);
	}
	raftmsg_free(&got);
	raft_configuration_close(conf);
}

static void
decode_refuses_configurations_libraft_would_not_take(void **state)
{
	static const struct {
		uint64_t ids[2];
		uint8_t roles[2];
		const char *addresses[2];
	} cases[] = {
	    {{1, 1}, {RAFT_VOTER, RAFT_VOTER}, {"a", "b"}}, /* double id */
	    {{1, 2}, {RAFT_VOTER, RAFT_VOTER}, {"a", "a"}}, /* double address */
	    {{1, 2}, {RAFT_VOTER, 9}, {"a", "b"}},          /* no such role */
	    {{1, 0}, {RAFT_VOTER, RAFT_VOTER}, {"a", "b"}}, /* id 0 */
	};
	struct raft_message got;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = buf_new(LIMIT);

		buf_u8(&out, RAFT_INSTALL_SNAPSHOT);
		buf_u8(&out, 0);
		for (int field = 0; field < 3; field++)
			buf_u64(&out, 5);
		buf_u32(&out, 2);
		for (int server = 0; server < 2; server++) {
			buf_u64(&out, cases[i].ids[server]);
			buf_u8(&out, cases[i].roles[server]);
			buf_text(&out, cases[i].addresses[server]);
		}
		buf_u64(&out, 1);
		assert_int_equal(raftmsg_decode(out.data, out.size, &got, &why),
		    ERR_CORRUPT);
		buf_free(&out);
	}
}

static void
decode_refuses_entries_that_would_crash_libraft(void **state)
{
	static const uint8_t change[24] = {1, 1, 0, 0, 0, 0, 0, 0, 0, /* n */
	    7, 0, 0, 0, 0, 0, 0, 0, 'h', 0, RAFT_VOTER};
	static const uint8_t open_end[24] = {1, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0,
	    0, 0, 0, 0, 0, 'h', 'h', 'h', 'h', 'h', 'h', 'h'};
	static const uint8_t too_many[24] = {1, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0,
	    0, 0, 0, 0, 0, 'h', 0, RAFT_VOTER};
	static const uint8_t plain[24] = {0};
	static const struct {
		uint64_t term;
		uint8_t type;
		uint32_t size;
		const uint8_t *data;
		enum err want;
	} cases[] = {
	    {5, RAFT_COMMAND, 24, plain, OK}, {5, RAFT_CHANGE, 24, change, OK},
	    {0, RAFT_COMMAND, 24, plain, ERR_CORRUPT},    /* term 0 */
	    {6, RAFT_COMMAND, 24, plain, ERR_CORRUPT},    /* the future */
	    {5, 0, 24, plain, ERR_CORRUPT},               /* no such type */
	    {5, RAFT_CHANGE + 1, 24, plain, ERR_CORRUPT}, /* no such type */
	    {5, RAFT_COMMAND, 23, plain, ERR_CORRUPT},    /* not padded */
	    {5, RAFT_CHANGE, 24, plain, ERR_CORRUPT},     /* no format */
	    {5, RAFT_CHANGE, 24, open_end, ERR_CORRUPT},  /* text runs on */
	    {5, RAFT_CHANGE, 24, too_many, ERR_CORRUPT},  /* count too high */
	    {5, RAFT_CHANGE, 0, plain, ERR_CORRUPT},      /* empty */
	    {5, RAFT_CHANGE, 16, change, ERR_CORRUPT},    /* cut short */
	};
	struct raft_message got;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = buf_new(LIMIT);

		buf_u8(&out, RAFT_APPEND_ENTRIES);
		buf_u8(&out, 0);
		buf_u64(&out, 5);
		buf_u64(&out, 1);
		buf_u64(&out, 1);
		buf_u64(&out, 1);
		buf_u32(&out, 1);
		buf_u64(&out, cases[i].term);
		buf_u8(&out, cases[i].type);
		buf_bytes(&out, cases[i].data, cases[i].size);
		assert_int_equal(raftmsg_decode(out.data, out.size, &got, &why),
		    cases[i].want);
		if (cases[i].want == OK)
			raftmsg_free(&got);
		buf_free(&out);
	}
}

static void
a_claimed_count_allocates_nothing(void **state)
{
	struct buf out = buf_new(LIMIT);
	struct raft_message got;
	struct errmsg why;

	(void)state;
	buf_u8(&out, RAFT_APPEND_ENTRIES);
	buf_u8(&out, 0);
	for (int i = 0; i < 4; i++)
		buf_u64(&out, 1);
	buf_u32(&out, UINT32_MAX);
	assert_int_equal(
	    raftmsg_decode(out.data, out.size, &got, &why), ERR_CORRUPT);
	buf_free(&out);
}

static enum err
decode_again(void *arg)
{
	const struct buf *bytes = arg;
	struct raft_message got;
	enum err rc;

	rc = raftmsg_decode(bytes->data, bytes->size, &got, NULL);
	if (rc == OK)
		raftmsg_free(&got);
	return rc;
}

static void
decode_leaks_nothing_when_memory_is_short(void **state)
{
	uint8_t a[8] = {1};
	struct raft_entry entry = {
	    .term = 1, .type = RAFT_COMMAND, .buf = {a, sizeof(a)}};
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES};
	struct buf out;

	(void)state;
	m.append_entries.term = 1;
	m.append_entries.entries = &entry;
	m.append_entries.n_entries = 1;
	out = encoded(&m);
	test_torture(decode_again, &out);
	buf_free(&out);
	memset(&m, 0, sizeof(m));
	m.type = RAFT_INSTALL_SNAPSHOT;
	assert_int_equal(raft_configuration_add(
			     &m.install_snapshot.conf, 1, "one", RAFT_VOTER),
	    0);
	assert_int_equal(raft_configuration_add(
			     &m.install_snapshot.conf, 2, "two", RAFT_STANDBY),
	    0);
	out = encoded(&m);
	test_torture(decode_again, &out);
	buf_free(&out);
	raft_configuration_close(&m.install_snapshot.conf);
}

static void
what_fits_into_one_frame_is_whole_entries(void **state)
{
	static uint8_t block[1 << 20];
	struct raft_entry entries[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		entries[i] = (struct raft_entry){.term = 1,
		    .type = RAFT_COMMAND,
		    .buf = {block, sizeof(block)}};
	}
	assert_int_equal(raftmsg_fitting(NULL, 0), 0);
	assert_int_equal(raftmsg_fitting(entries, 1), 1);
	assert_int_equal(raftmsg_fitting(entries, 7), 7);
	assert_int_equal(raftmsg_fitting(entries, 20), 7);
	entries[0].buf.len = 2 * RAFTMSG_APPEND_MAX;
	assert_int_equal(raftmsg_fitting(entries, 20), 1);
}

static void
a_change_of_the_configuration_stands_first(void **state)
{
	static uint8_t block[8];
	struct raft_entry entries[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		entries[i] = (struct raft_entry){
		    .term = 1, .type = RAFT_COMMAND, .buf = {block, 8}};
	}
	entries[0].type = RAFT_CHANGE;
	assert_int_equal(raftmsg_fitting(entries, 6), 6);
	entries[4].type = RAFT_CHANGE;
	assert_int_equal(raftmsg_fitting(entries, 6), 4);
	assert_int_equal(raftmsg_fitting(entries, 4), 4);
	assert_int_equal(raftmsg_fitting(entries + 4, 2), 2);
	entries[3].type = RAFT_BARRIER;
	assert_int_equal(raftmsg_fitting(entries, 6), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_vote_goes_round),
	    cmocka_unit_test(results_and_timeout_now_go_round),
	    cmocka_unit_test(append_entries_goes_round_as_libraft_wants_it),
	    cmocka_unit_test(install_snapshot_head_goes_round),
	    cmocka_unit_test(
		decode_refuses_configurations_libraft_would_not_take),
	    cmocka_unit_test(decode_refuses_entries_that_would_crash_libraft),
	    cmocka_unit_test(a_claimed_count_allocates_nothing),
	    cmocka_unit_test(decode_leaks_nothing_when_memory_is_short),
	    cmocka_unit_test(what_fits_into_one_frame_is_whole_entries),
	    cmocka_unit_test(a_change_of_the_configuration_stands_first),
	};

	return cmocka_run_group_tests_name("raftmsg", tests, NULL, NULL);
}
