/*
 * Goal: servers find, greet, keep and lose each other as transport.h says.
 * Method: real transports on loopback ports in one loop, and a raw socket for
 * one that falls silent.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "server/loop.h"
#include "tests/support/servers.h"

static void
servers_greet_and_exchange_frames(void **state)
{
	static const size_t sizes[] = {0, 1, 1000, 1024, 1025, 1u << 20};
	static uint8_t block[1u << 20];
	struct loop *loop = servers_loop();
	static struct server a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	servers_connect(&a, &b);
	assert_int_equal(a.last_up, 2);
	assert_int_equal(b.last_greeted.id, 1);
	assert_string_equal(b.last_greeted.address, a.address);
	assert_string_equal(transport_address(a.transport, 2), b.address);
	assert_true(transport_heard_ms(a.transport, 2) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(transport_send(a.transport, 2, false,
				     FRAME_PING, block, sizes[i]),
		    OK);
		assert_int_equal(transport_send(b.transport, 1, true,
				     FRAME_CALL, block, sizes[i]),
		    OK);
	}
	servers_until(loop, &a.frame_count, ARRAY_SIZE(sizes), 5000);
	servers_until(loop, &b.frame_count, ARRAY_SIZE(sizes), 5000);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(b.frames[i].from, 1);
		assert_int_equal(b.frames[i].type, FRAME_PING);
		assert_int_equal(b.frames[i].data.size, sizes[i]);
		assert_int_equal(a.frames[i].type, FRAME_CALL);
		assert_int_equal(a.frames[i].data.size, sizes[i]);
		if (sizes[i] > 0)
			assert_memory_equal(
			    a.frames[i].data.data, block, sizes[i]);
	}
	assert_int_equal(
	    transport_send(a.transport, 3, false, FRAME_PING, NULL, 0),
	    ERR_CLOSED);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
a_full_queue_refuses_and_loses_nothing_it_took(void **state)
{
	static uint8_t block[4u << 20];
	struct loop *loop = servers_loop();
	static struct server a, b;
	unsigned taken = 0;
	enum err rc;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	servers_connect(&a, &b);
	do {
		rc = transport_send(
		    a.transport, 2, true, FRAME_CALL, block, sizeof(block));
		taken += rc == OK;
	} while (rc == OK);
	assert_int_equal(rc, ERR_BUSY);
	assert_in_range(taken, 7, 16);
	/* The other connection is not behind it. */
	assert_int_equal(
	    transport_send(a.transport, 2, false, FRAME_PING, "x", 1), OK);
	servers_until(loop, &b.frame_count, taken + 1, 10000);
	assert_int_equal(a.downs, 0);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
a_dead_server_is_noticed_and_found_again(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;
	uint16_t port;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	servers_connect(&a, &b);
	port = b.port;
	server_stop(&b);
	servers_until(loop, &a.downs, 1, 1000);
	assert_int_equal(a.last_down, 2);
	assert_false(transport_connected(a.transport, 2));
	server_start(&b, loop, 2, port, NULL); /* with a higher start */
	servers_until(loop, &a.ups, 2, 3000);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
one_that_comes_back_and_greets_is_dialed_at_once(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;
	uint16_t port;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	a.makes_peers = true;
	servers_connect(&a, &b);
	port = b.port;
	server_stop(&b);
	servers_until(loop, &a.downs, 1, 1000);
	servers_run(loop, 1800); /* until its tries are a second apart */
	server_start(&b, loop, 2, port, NULL);
	server_peer(&b, &a);
	servers_until(loop, &a.ups, 2, 100);
	servers_run(loop, 50);
	assert_true(transport_mutual(a.transport, 2));
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
who_cannot_answer_is_not_mutual(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	server_peer(&a, &b);
	servers_until(loop, &a.ups, 1, 1000);
	servers_run(loop, 50);
	assert_true(transport_connected(a.transport, 2));
	assert_false(transport_mutual(a.transport, 2)); /* b does not dial */
	server_peer(&b, &a);
	servers_until(loop, &b.ups, 1, 1000);
	servers_run(loop, 50);
	assert_true(transport_mutual(a.transport, 2));
	assert_int_equal(a.deafs, 0);
	transport_drop(b.transport, 1); /* a dials again, b does not */
	servers_until(loop, &a.deafs, 2, 1000);
	servers_run(loop, 200);
	assert_true(transport_connected(a.transport, 2));
	assert_false(transport_mutual(a.transport, 2));
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
discovery_finds_whose_address_it_is(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;
	struct errmsg why;
	char name[64];

	(void)state;
	for (int owner = 0; owner < 2; owner++) {
		server_start(&a, loop, 1, 0, NULL);
		server_start(&b, loop, 2, 0, NULL);
		a.makes_peers = b.makes_peers = owner == 1;
		(void)snprintf(name, sizeof(name), "localhost:%u", b.port);
		assert_int_equal(
		    transport_discover(a.transport, name, &why), OK);
		assert_int_equal(
		    transport_discover(a.transport, name, &why), OK);
		/* Its own address among those to join. */
		assert_int_equal(
		    transport_discover(a.transport, a.address, &why), OK);
		servers_until(loop, &a.ups, 1, 5000);
		assert_int_equal(a.last_up, 2);
		assert_string_equal(transport_address(a.transport, 2),
		    owner == 1 ? b.address : name);
		if (owner == 1)
			servers_until(loop, &b.ups, 1, 5000);
		servers_run(loop, 300);
		assert_int_equal(a.downs + b.downs, 0);
		assert_string_equal(transport_address(a.transport, 1), "");
		server_stop(&a);
		server_stop(&b);
	}
	loop_free(loop);
}

static void
a_changed_address_reconnects_and_a_dropped_peer_is_silent(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b, c;
	struct errmsg why;
	char name[64];

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	server_start(&c, loop, 3, 0, NULL);
	servers_connect(&a, &b);
	(void)snprintf(name, sizeof(name), "localhost:%u", b.port);
	assert_int_equal(transport_peer(a.transport, 2, name, &why), OK);
	servers_until(loop, &a.ups, 2, 5000);
	assert_int_equal(a.downs, 1);
	assert_string_equal(transport_address(a.transport, 2), name);
	/* Another server at this address is not taken for the peer. */
	assert_int_equal(transport_peer(a.transport, 2, c.address, &why), OK);
	servers_run(loop, 300);
	assert_false(transport_connected(a.transport, 2));
	assert_int_equal(transport_peer(a.transport, 2, b.address, &why), OK);
	servers_until(loop, &a.ups, 3, 5000);
	transport_drop(a.transport, 2);
	assert_string_equal(transport_address(a.transport, 2), "");
	servers_run(loop, 50);
	assert_int_equal(a.downs, 2);
	assert_int_equal(
	    transport_peer(a.transport, 0, b.address, &why), ERR_INVALID);
	assert_int_equal(
	    transport_peer(a.transport, 5, "unix:///x", &why), ERR_INVALID);
	for (uint64_t id = 10; id < 10 + NODE_MEMBERS_MAX; id++)
		assert_int_equal(
		    transport_peer(a.transport, id, c.address, &why), OK);
	assert_int_equal(
	    transport_peer(a.transport, 99, c.address, &why), ERR_LIMIT);
	server_stop(&a);
	server_stop(&b);
	server_stop(&c);
	loop_free(loop);
}

static void
stopping_in_the_middle_of_everything_is_clean(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;
	struct errmsg why;
	int fd;

	(void)state;
	/* After 0, 1, 2 ... turns: resolving, connecting, greeting, up. */
	for (int turns = 0; turns < 12; turns++) {
		server_start(&a, loop, 1, 0, NULL);
		server_start(&b, loop, 2, 0, NULL);
		server_peer(&a, &b);
		assert_int_equal(
		    transport_discover(a.transport, "localhost:9", &why), OK);
		assert_int_equal(
		    transport_discover(a.transport, b.address, &why), OK);
		fd = raw_connect(&a);
		for (int i = 0; i < turns; i++)
			(void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
		server_stop(&a);
		server_stop(&b);
		assert_int_equal(close(fd), 0);
	}
	loop_free(loop);
}

static void
silence_closes_and_keep_alives_prevent_it(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a, b;
	static uint8_t data[HELLO_SIZE_MAX];
	struct hello hello;
	enum frame_type type;
	size_t size = sizeof(data);
	uint64_t begun;
	unsigned keepalives = 0, dialed = 0;
	char address[32];
	struct errmsg why;
	int fd, mute;

	(void)state;
	server_start(&a, loop, 1, 0, NULL);
	server_start(&b, loop, 2, 0, NULL);
	servers_connect(&a, &b);
	/* One that takes connections and never says a word. */
	mute = raw_listen(address, sizeof(address));
	assert_int_equal(transport_peer(a.transport, 9, address, &why), OK);
	hello = a.self;
	hello.id = 7;
	hello.instance = 7;
	fd = raw_connect(&a);
	raw_hello(fd, &hello);
	assert_true(raw_frame(loop, fd, &type, data, &size));
	assert_int_equal(type, FRAME_WELCOME);
	begun = uv_hrtime();
	size = sizeof(data);
	while (raw_frame(loop, fd, &type, data, &size)) {
		assert_int_equal(type, FRAME_KEEPALIVE);
		keepalives++;
		size = sizeof(data);
	}
	assert_in_range((uv_hrtime() - begun) / 1000000, 2500, 6000);
	assert_in_range(keepalives, 3, 7);
	assert_int_equal(close(fd), 0);
	servers_run(loop, 300);
	while ((fd = accept(mute, NULL, NULL)) >= 0) {
		assert_int_equal(close(fd), 0);
		dialed++;
	}
	assert_in_range(dialed, 3, 4); /* both given up once, and again */
	assert_int_equal(close(mute), 0);
	/* Those two had nothing to say either, but said so. */
	assert_int_equal(a.downs + b.downs, 0);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
note_closed(void *arg)
{
	*(bool *)arg = true;
}

static void
a_busy_address_is_named(void **state)
{
	struct loop *loop = servers_loop();
	static struct server a;
	struct transport_tls plain = {.plain_allowed = true};
	struct transport_events none;
	struct transport *other;
	struct errmsg why;
	bool closed = false;

	(void)state;
	memset(&none, 0, sizeof(none));
	server_start(&a, loop, 1, 0, NULL);
	assert_int_equal(
	    transport_new(loop, &plain, &none, NULL, &other, &why), OK);
	assert_int_equal(transport_listen(other, a.address, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, a.address));
	assert_int_equal(transport_port(other), 0);
	transport_stop(other, note_closed, &closed);
	while (!closed)
		(void)uv_run(loop_uv(loop), UV_RUN_ONCE);
	transport_free(other);
	server_stop(&a);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_greet_and_exchange_frames),
	    cmocka_unit_test(a_full_queue_refuses_and_loses_nothing_it_took),
	    cmocka_unit_test(a_dead_server_is_noticed_and_found_again),
	    cmocka_unit_test(one_that_comes_back_and_greets_is_dialed_at_once),
	    cmocka_unit_test(who_cannot_answer_is_not_mutual),
	    cmocka_unit_test(discovery_finds_whose_address_it_is),
	    cmocka_unit_test(
		a_changed_address_reconnects_and_a_dropped_peer_is_silent),
	    cmocka_unit_test(stopping_in_the_middle_of_everything_is_clean),
	    cmocka_unit_test(silence_closes_and_keep_alives_prevent_it),
	    cmocka_unit_test(a_busy_address_is_named),
	};

	return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
