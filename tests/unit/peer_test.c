/*
 * Goal: raft's messages reach the peer as they were, a commit is pushed only
 * where it may be, and a snapshot neither floods nor blocks.
 * Method: two transports in one loop; what arrives is compared field by field.
 */
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#include "server/cluster/raftmsg.h"
#include "server/loop.h"
#include "tests/support/servers.h"

#define SNAPSHOT_SIZE (3u << 20)

struct sent {
	struct raft_io_send req;
	unsigned done;
	int status;
};

static void
on_sent(struct raft_io_send *req, int status)
{
	struct sent *sent = CONTAINER_OF(req, struct sent, req);

	sent->done++;
	sent->status = status;
}

static struct sent
send_to(struct server *from, uint64_t to, struct raft_message *message)
{
	struct sent sent = {.status = -1};

	message->server_id = to;
	message->server_address = "ignored";
	transport_send_raft(from->transport, &sent.req, message, on_sent);
	assert_int_equal(sent.done, 1);
	return sent;
}

static struct raft_message
heartbeat(raft_term term, raft_index prev, raft_term prev_term)
{
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES};

	m.append_entries.term = term;
	m.append_entries.prev_log_index = prev;
	m.append_entries.prev_log_term = prev_term;
	return m;
}

static struct raft_message
snapshot_of(uint8_t *data, size_t size, raft_index index)
{
	struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT};

	m.server_id = 2;
	m.install_snapshot.term = 3;
	m.install_snapshot.last_index = index;
	m.install_snapshot.last_term = 2;
	m.install_snapshot.conf_index = 1;
	raft_configuration_init(&m.install_snapshot.conf);
	assert_int_equal(raft_configuration_add(
			     &m.install_snapshot.conf, 1, "one", RAFT_VOTER),
	    0);
	m.install_snapshot.data.base = data;
	m.install_snapshot.data.len = size;
	return m;
}

struct pair {
	struct loop *loop;
	struct server a, b;
};

static int
setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (pair == NULL)
		return -1;
	pair->loop = servers_loop();
	server_start(&pair->a, pair->loop, 1, 0, NULL);
	server_start(&pair->b, pair->loop, 2, 0, NULL);
	*state = pair;
	return 0;
}

static int
teardown(void **state)
{
	struct pair *pair = *state;

	if (pair->a.transport != NULL)
		server_stop(&pair->a);
	if (pair->b.transport != NULL)
		server_stop(&pair->b);
	loop_free(pair->loop);
	free(pair);
	return 0;
}

static void
entries_arrive_byte_for_byte(void **state)
{
	struct pair *pair = *state;
	static uint8_t block[64u << 10];
	struct raft_entry entries[3] = {
	    {.term = 1, .type = RAFT_COMMAND, .buf = {block, 8}},
	    {.term = 2, .type = RAFT_BARRIER, .buf = {block + 8, 8}},
	    {.term = 2, .type = RAFT_COMMAND, .buf = {block, sizeof(block)}},
	};
	struct raft_message m = heartbeat(2, 10, 1);
	struct raft_append_entries *got;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 13 + i / 256);
	m.append_entries.leader_commit = 9;
	m.append_entries.entries = entries;
	m.append_entries.n_entries = 3;
	servers_connect(&pair->a, &pair->b);
	assert_int_equal(send_to(&pair->a, 2, &m).status, 0);
	servers_until(pair->loop, &pair->b.message_count, 1, 2000);
	assert_int_equal(pair->b.messages[0].type, RAFT_APPEND_ENTRIES);
	assert_int_equal(pair->b.messages[0].server_id, 1);
	assert_string_equal(pair->b.message_address, pair->a.address);
	got = &pair->b.messages[0].append_entries;
	assert_int_equal(got->term, 2);
	assert_int_equal(got->prev_log_index, 10);
	assert_int_equal(got->prev_log_term, 1);
	assert_int_equal(got->leader_commit, 9);
	assert_int_equal(got->n_entries, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(got->entries[i].term, entries[i].term);
		assert_int_equal(got->entries[i].type, entries[i].type);
		assert_int_equal(got->entries[i].buf.len, entries[i].buf.len);
		assert_memory_equal(got->entries[i].buf.base,
		    entries[i].buf.base, entries[i].buf.len);
	}
}

static void
too_many_entries_are_cut_to_what_fits(void **state)
{
	struct pair *pair = *state;
	static uint8_t block[1u << 20];
	struct raft_entry entries[12];
	struct raft_message m = heartbeat(1, 0, 0);

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		entries[i] = (struct raft_entry){.term = 1,
		    .type = RAFT_COMMAND,
		    .buf = {block, sizeof(block)}};
	}
	m.append_entries.entries = entries;
	m.append_entries.n_entries = ARRAY_SIZE(entries);
	servers_connect(&pair->a, &pair->b);
	assert_int_equal(send_to(&pair->a, 2, &m).status, 0);
	assert_int_equal(m.append_entries.n_entries, ARRAY_SIZE(entries));
	servers_until(pair->loop, &pair->b.message_count, 1, 5000);
	assert_int_equal(pair->b.messages[0].append_entries.n_entries, 7);
	/* A commit of what was cut off is not pushed, one of the rest is. */
	transport_push_commit(pair->a.transport, 1, 8);
	transport_push_commit(pair->a.transport, 1, 7);
	servers_until(pair->loop, &pair->b.message_count, 2, 2000);
	servers_run(pair->loop, 50);
	assert_int_equal(pair->b.message_count, 2);
	assert_int_equal(pair->b.messages[1].append_entries.prev_log_index, 7);
}

static void
votes_wait_while_connecting(void **state)
{
	struct pair *pair = *state;
	struct raft_message vote = {.type = RAFT_REQUEST_VOTE};
	struct raft_message beat = heartbeat(1, 0, 0);

	/* To nobody we know. */
	assert_int_equal(send_to(&pair->a, 2, &vote).status, RAFT_NOCONNECTION);
	server_peer(&pair->a, &pair->b);
	for (raft_term term = 1; term <= 20; term++) {
		vote.request_vote.term = term;
		vote.request_vote.candidate_id = 1;
		assert_int_equal(send_to(&pair->a, 2, &vote).status, 0);
	}
	assert_int_equal(send_to(&pair->a, 2, &beat).status, RAFT_NOCONNECTION);
	servers_until(pair->loop, &pair->b.message_count, 16, 2000);
	servers_run(pair->loop, 50);
	assert_int_equal(pair->b.message_count, 16); /* the newest, in order */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(pair->b.messages[i].request_vote.term, i + 5);
}

/* One more message at b? Then it is the push, and this is what it says. */
static void
expect_push(struct pair *pair, raft_term term, raft_index commit,
    raft_index prev, raft_term prev_term)
{
	unsigned before = pair->b.message_count;
	struct raft_append_entries *got;

	transport_push_commit(pair->a.transport, term, commit);
	if (prev == 0) {
		servers_run(pair->loop, 50);
		assert_int_equal(pair->b.message_count, before);
		return;
	}
	servers_until(pair->loop, &pair->b.message_count, before + 1, 2000);
	got = &pair->b.messages[before].append_entries;
	assert_int_equal(pair->b.messages[before].type, RAFT_APPEND_ENTRIES);
	assert_int_equal(got->term, term);
	assert_int_equal(got->leader_commit, commit);
	assert_int_equal(got->prev_log_index, prev);
	assert_int_equal(got->prev_log_term, prev_term);
	assert_int_equal(got->n_entries, 0);
	assert_null(got->entries);
}

static void
hazard_16_push_is_a_real_append_entries_behind_the_entries(void **state)
{
	struct pair *pair = *state;
	uint8_t block[8] = {1};
	struct raft_entry entries[2] = {
	    {.term = 3, .type = RAFT_COMMAND, .buf = {block, 8}},
	    {.term = 4, .type = RAFT_COMMAND, .buf = {block, 8}},
	};
	struct raft_message m = heartbeat(4, 10, 3);
	struct raft_message beat = heartbeat(4, 50, 4);

	servers_connect(&pair->a, &pair->b);
	/* Only heartbeats so far: nothing to stand behind. */
	assert_int_equal(send_to(&pair->a, 2, &beat).status, 0);
	servers_until(pair->loop, &pair->b.message_count, 1, 2000);
	expect_push(pair, 4, 10, 0, 0);
	m.append_entries.leader_commit = 10;
	m.append_entries.entries = entries;
	m.append_entries.n_entries = 2;
	assert_int_equal(send_to(&pair->a, 2, &m).status, 0);
	servers_until(pair->loop, &pair->b.message_count, 2, 2000);
	expect_push(pair, 4, 10, 0, 0);  /* told with the entries */
	expect_push(pair, 4, 11, 12, 4); /* the last entry and its term */
	expect_push(pair, 4, 11, 0, 0);  /* told */
	expect_push(pair, 5, 12, 0, 0);  /* another term's leader */
	expect_push(pair, 4, 13, 0, 0);  /* more than it was sent */
	expect_push(pair, 4, 12, 12, 4);
	/* The same entries on an earlier connection do not count. */
	m.append_entries.prev_log_index = 12;
	assert_int_equal(send_to(&pair->a, 2, &m).status, 0);
	servers_until(pair->loop, &pair->b.message_count, 5, 2000);
	transport_drop(pair->b.transport, 1);
	servers_until(pair->loop, &pair->a.downs, 1, 2000);
	servers_until(pair->loop, &pair->a.ups, 2, 2000);
	expect_push(pair, 4, 14, 0, 0);
}

static void
a_snapshot_arrives_whole_and_once(void **state)
{
	struct pair *pair = *state;
	static uint8_t data[SNAPSHOT_SIZE + 5];
	struct raft_message m = snapshot_of(data, sizeof(data), 70);
	struct raft_install_snapshot *got;
	struct sent sent = {.status = -1}, again = {.status = -1};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 4096);
	servers_connect(&pair->a, &pair->b);
	transport_send_raft(pair->a.transport, &sent.req, &m, on_sent);
	assert_int_equal(sent.done, 0);
	transport_send_raft(pair->a.transport, &again.req, &m, on_sent);
	assert_int_equal(again.status, RAFT_NOCONNECTION);
	servers_until(pair->loop, &pair->b.message_count, 1, 10000);
	assert_int_equal(sent.done, 1);
	assert_int_equal(sent.status, 0);
	got = &pair->b.messages[0].install_snapshot;
	assert_int_equal(pair->b.messages[0].server_id, 1);
	assert_int_equal(got->last_index, 70);
	assert_int_equal(got->last_term, 2);
	assert_int_equal(got->conf.n, 1);
	assert_int_equal(got->data.len, sizeof(data));
	assert_memory_equal(got->data.base, data, sizeof(data));
	/* Still the same index within 30 s; the next one goes. */
	transport_send_raft(pair->a.transport, &again.req, &m, on_sent);
	assert_int_equal(again.done, 2);
	assert_int_equal(again.status, RAFT_NOCONNECTION);
	m.install_snapshot.last_index = 71;
	transport_send_raft(pair->a.transport, &again.req, &m, on_sent);
	servers_until(pair->loop, &pair->b.message_count, 2, 10000);
	assert_int_equal(again.status, 0);
	raft_configuration_close(&m.install_snapshot.conf);
}

static void
hazard_17_a_snapshot_does_not_stand_before_a_heartbeat(void **state)
{
	struct pair *pair = *state;
	size_t size = 64u << 20;
	uint8_t *data = calloc(1, size);
	struct raft_message m, beat = heartbeat(3, 1, 1);
	struct sent sent = {.status = -1};

	assert_non_null(data);
	m = snapshot_of(data, size, 70);
	servers_connect(&pair->a, &pair->b);
	transport_send_raft(pair->a.transport, &sent.req, &m, on_sent);
	servers_run(pair->loop, 5);
	assert_int_equal(sent.done, 0); /* it is under way */
	assert_int_equal(send_to(&pair->a, 2, &beat).status, 0);
	servers_until(pair->loop, &pair->b.message_count, 2, 20000);
	assert_int_equal(pair->b.messages[0].type, RAFT_APPEND_ENTRIES);
	assert_int_equal(pair->b.messages[1].type, RAFT_INSTALL_SNAPSHOT);
	raft_configuration_close(&m.install_snapshot.conf);
	free(data);
}

static void
a_broken_snapshot_is_answered_and_discarded(void **state)
{
	struct pair *pair = *state;
	size_t size = 64u << 20;
	uint8_t *data = calloc(1, size);
	struct raft_message m;
	struct sent sent = {.status = -1};

	assert_non_null(data);
	m = snapshot_of(data, size, 70);
	transport_send_raft(pair->a.transport, &sent.req, &m, on_sent);
	assert_int_equal(sent.status, RAFT_NOCONNECTION); /* unknown peer */
	servers_connect(&pair->a, &pair->b);
	transport_send_raft(pair->a.transport, &sent.req, &m, on_sent);
	assert_int_equal(sent.done, 1);
	servers_run(pair->loop, 5);
	transport_drop(pair->b.transport, 1); /* breaks it, once */
	servers_until(pair->loop, &sent.done, 2, 5000);
	assert_int_equal(sent.status, RAFT_NOCONNECTION);
	assert_int_equal(pair->b.message_count, 0);
	/* At once again on the next connection, and stopped in the middle. */
	servers_run(pair->loop, 300);
	transport_send_raft(pair->a.transport, &sent.req, &m, on_sent);
	assert_int_equal(sent.done, 2);
	servers_run(pair->loop, 5);
	server_stop(&pair->a);
	assert_int_equal(sent.done, 3);
	assert_int_equal(sent.status, RAFT_CANCELED);
	raft_configuration_close(&m.install_snapshot.conf);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		entries_arrive_byte_for_byte, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		too_many_entries_are_cut_to_what_fits, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		votes_wait_while_connecting, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		hazard_16_push_is_a_real_append_entries_behind_the_entries,
		setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_snapshot_arrives_whole_and_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		hazard_17_a_snapshot_does_not_stand_before_a_heartbeat, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		a_broken_snapshot_is_answered_and_discarded, setup, teardown),
	};

	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
