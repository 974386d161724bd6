/*
 * Goal: strangers at the server port are sent away, with words where they
 * understand them, and hold nothing up.
 * Method: raw sockets that misbehave; for the 10 s of the hello's deadline the
 * ticks are counted by hand instead of by a clock.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "server/cluster/inbound.h"
#include "server/cluster/raftmsg.h"
#include "server/cluster/reception.h"
#include "server/loop.h"
#include "server/version.h"
#include "tests/support/servers.h"

static bool gone;

static void
on_gone(struct hub *hub)
{
	(void)hub;
	gone = true;
}

static void
no_hello_within_ten_seconds_closes(void **state)
{
	static const struct transport_tls plain = {.plain_allowed = true};
	static const struct transport_events none = {.introduce = NULL};
	struct loop *loop = servers_loop();
	struct server server = {.loop = loop};
	struct reception reception;
	struct hub hub;
	struct errmsg why;
	enum frame_type type;
	uint8_t data[16];
	size_t size = sizeof(data);
	int fd;

	(void)state;
	assert_int_equal(
	    hub_init(&hub, loop_uv(loop), &plain, &none, NULL, &why), OK);
	reception_init(&reception, &hub);
	assert_int_equal(reception_listen(&reception, "127.0.0.1", &why), OK);
	server.port = reception.port;
	fd = raw_connect(&server);
	servers_run(loop, 20);
	for (int tick = 1; tick < INBOUND_HELLO_TICKS; tick++)
		reception_tick(&reception);
	servers_run(loop, 20);
	assert_non_null(reception.list);
	assert_int_equal(hub.refused, 0);
	reception_tick(&reception);
	assert_false(raw_frame(loop, fd, &type, data, &size));
	servers_run(loop, 20);
	assert_null(reception.list);
	assert_int_equal(hub.refused, 1);
	assert_int_equal(close(fd), 0);
	reception_close(&reception);
	hub_wait(&hub, on_gone);
	while (!gone)
		(void)uv_run(loop_uv(loop), UV_RUN_ONCE);
	hub_free(&hub);
	loop_free(loop);
}

static void
hazard_06_a_second_instance_is_refused(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;
	struct hello copy;
	enum frame_type type;
	char words[512];
	size_t size = sizeof(words) - 1;
	int fd;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	servers_connect(&a, &b);
	copy = b.self;
	copy.instance++; /* same identity, same counter, another process */
	fd = raw_connect(&a);
	raw_hello(fd, &copy);
	memset(words, 0, sizeof(words));
	assert_true(raw_frame(loop, fd, &type, words, &size));
	assert_int_equal(type, FRAME_REFUSE);
	assert_non_null(strstr(words, "second instance of server 2"));
	assert_false(raw_frame(loop, fd, &type, words, &size));
	assert_int_equal(close(fd), 0);
	assert_int_equal(a.downs, 0);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
the_refused_are_told_why(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a;
	struct {
		const char *datacenter;
		uint32_t wire;
		const char *denies, *words;
	} cases[] = {
	    {"dc2", CONCLAVE_WIRE, NULL, "is of datacenter \"dc2\""},
	    {"dc1", CONCLAVE_WIRE + 1, NULL, "speaks server RPC version 2"},
	    {"dc1", CONCLAVE_WIRE, "no room here", "no room here"},
	};
	enum frame_type type;
	char words[512];
	size_t size;
	int fd;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hello hello = a.self;

		a.denies = cases[i].denies;
		hello.id = 7;
		hello.wire = cases[i].wire;
		(void)snprintf(hello.datacenter, sizeof(hello.datacenter), "%s",
		    cases[i].datacenter);
		fd = raw_connect(&a);
		raw_hello(fd, &hello);
		memset(words, 0, sizeof(words));
		size = sizeof(words) - 1;
		assert_true(raw_frame(loop, fd, &type, words, &size));
		assert_int_equal(type, FRAME_REFUSE);
		assert_non_null(strstr(words, cases[i].words));
		assert_false(raw_frame(loop, fd, &type, words, &size));
		assert_int_equal(close(fd), 0);
		assert_int_equal(transport_refused(a.transport), i + 1);
	}
	server_stop(&a);
	loop_free(loop);
}

static void
garbage_is_closed_and_counted(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
	    {"GET / HTTP/1.1\r\n\r\n", 18}, {"\x16\x03\x01", 3}, {"\0", 1},
	    {"\xc5\x04\0\0\0\0\0\x01x", 9},  /* raft before the hello */
	    {"\xc5\x01\0\0\0\x01\0\x01", 8}, /* a hello over 64 KiB */
	    {"\xc5\x01\0\0\0\0\0\2ab", 10},  /* no hello inside */
	};
	struct loop *loop = servers_loop();
	static struct server a;
	enum frame_type type;
	uint8_t data[16];
	size_t size = sizeof(data);
	int fd;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fd = raw_connect(&a);
		assert_int_equal(
		    send(fd, cases[i].bytes, cases[i].size, MSG_NOSIGNAL),
		    cases[i].size);
		assert_false(raw_frame(loop, fd, &type, data, &size));
		assert_int_equal(close(fd), 0);
		assert_int_equal(transport_refused(a.transport), i + 1);
	}
	assert_int_equal(a.greetings, 0);
	server_stop(&a);
	loop_free(loop);
}

static void
a_greeted_liar_is_closed(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a;
	struct raft_message vote = {.type = RAFT_REQUEST_VOTE};
	struct buf out = buf_new(4096);
	struct hello hello;
	enum frame_type type;
	static uint8_t data[HELLO_SIZE_MAX];
	size_t size;
	int fd;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	hello = a.self;
	hello.id = 7;
	hello.instance = 7;
	for (int lie = 0; lie < 4; lie++) {
		fd = raw_connect(&a);
		raw_hello(fd, &hello);
		size = sizeof(data);
		assert_true(raw_frame(loop, fd, &type, data, &size));
		assert_int_equal(type, FRAME_WELCOME);
		buf_reset(&out);
		vote.request_vote.term = 1;
		vote.request_vote.candidate_id = lie == 0 ? 8 : 7;
		raftmsg_encode(&vote, &out);
		if (lie == 0 || lie == 3) /* a vote for another; the truth */
			raw_send(fd, FRAME_RAFT, out.data, out.size);
		else if (lie == 1) /* cut short */
			raw_send(fd, FRAME_RAFT, out.data, out.size - 1);
		else
			raw_send(fd, FRAME_SNAPSHOT_DATA, out.data, out.size);
		size = sizeof(data);
		if (lie == 3)
			servers_until(loop, &a.message_count, 1, 1000);
		else
			assert_false(raw_frame(loop, fd, &type, data, &size));
		assert_int_equal(close(fd), 0);
		assert_int_equal(a.message_count, lie == 3);
	}
	assert_int_equal(a.messages[0].server_id, 7);
	assert_string_equal(a.message_address, hello.address);
	buf_free(&out);
	server_stop(&a);
	loop_free(loop);
}

static void
strangers_without_a_hello_are_bounded(void **state)
{
	enum { STRANGERS = 80 };
	struct loop *loop = servers_loop();
	static struct server a, b;
	int fds[STRANGERS];

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	for (int i = 0; i < STRANGERS; i++)
		fds[i] = raw_connect(&a);
	servers_run(loop, 100);
	assert_int_equal(transport_refused(a.transport), STRANGERS - 64);
	for (int i = 0; i < STRANGERS; i++)
		assert_int_equal(close(fds[i]), 0);
	/* Room again once they have left. */
	server_start(&b, loop, 2, 0, NULL);
	servers_connect(&a, &b);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_hello_within_ten_seconds_closes),
	    cmocka_unit_test(hazard_06_a_second_instance_is_refused),
	    cmocka_unit_test(the_refused_are_told_why),
	    cmocka_unit_test(garbage_is_closed_and_counted),
	    cmocka_unit_test(a_greeted_liar_is_closed),
	    cmocka_unit_test(strangers_without_a_hello_are_bounded),
	};

	return cmocka_run_group_tests_name("reception", tests, NULL, NULL);
}
