/*
 * Goal: bytes pass in order and whole, plain or TLS, from whichever call a
 * stream began with; limits hold.
 * Method: both ends on one loop over loopback.
 */
#include "server/net/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/ends.h"

/* Three writes in a row, two of them large, come in order and unharmed, and
 * the first is made before anything is connected. */
static void
big_writes(struct ends *world, bool tls)
{
	struct body *body = ends_pattern(ENDS_BIG);
	size_t want = 5 + ENDS_BIG + 4 + ENDS_BIG + 3;
	struct errmsg why;

	world->accept_tls = tls ? world->server_tls : NULL;
	ends_dial(world, tls);
	assert_int_equal(
	    stream_write(&world->client.stream, "early", 5, body, &why), OK);
	assert_int_equal(world->client.stream.queued, 5 + ENDS_BIG);
	UNTIL(world, world->client.opened == 1);
	assert_int_equal(
	    stream_write(&world->client.stream, "then", 4, body, &why), OK);
	assert_int_equal(
	    stream_write(&world->client.stream, "end", 3, NULL, &why), OK);
	UNTIL(world, world->server.got.size == want);
	UNTIL(world, world->client.drained > 0);
	assert_int_equal(world->client.stream.queued, 0);
	assert_int_equal(body->references, 1);
	assert_memory_equal(world->server.got.data, "early", 5);
	assert_memory_equal(world->server.got.data + 5, body->data, ENDS_BIG);
	assert_memory_equal(world->server.got.data + 5 + ENDS_BIG, "then", 4);
	assert_memory_equal(
	    world->server.got.data + 9 + ENDS_BIG, body->data, ENDS_BIG);
	assert_memory_equal(
	    world->server.got.data + 9 + 2 * ENDS_BIG, "end", 3);
	assert_int_equal(world->server.opened, tls ? 1 : 0);
	assert_int_equal(stream_is_tls(&world->server.stream), tls);
	ends_close_both(world);
	assert_int_equal(world->client.failed + world->server.failed, 0);
	body_unref(body);
}

static void
plain_writes_come_in_order(void **state)
{
	big_writes(*state, false);
}

static void
tls_writes_come_in_order(void **state)
{
	big_writes(*state, true);
}

static void
echo_passes_both_ways(void **state)
{
	struct ends *world = *state;
	struct errmsg why;
	char text[64];
	uint8_t ip[16];

	world->accept_tls = world->server_tls;
	world->server.echo = true;
	ends_dial(world, true);
	assert_int_equal(
	    stream_write(&world->client.stream, "hello", 5, NULL, &why), OK);
	UNTIL(world, world->client.got.size == 5);
	assert_memory_equal(world->client.got.data, "hello", 5);
	stream_peer(&world->client.stream, text, sizeof(text));
	assert_int_equal(strncmp(text, "[::1]:", 6), 0);
	stream_peer_ip(&world->server.stream, ip);
	assert_memory_equal(ip, &in6addr_loopback, 16);
	/* An orderly end passes as an end. */
	world->server.close_in = AT_ENDED;
	stream_close_after_writes(&world->client.stream);
	UNTIL(world, world->server.closed == 1 && world->client.closed == 1);
	assert_int_equal(world->server.ended, 1);
	assert_int_equal(world->server.failed, 0);
}

static void
more_than_write_max_is_refused_whole(void **state)
{
	struct ends *world = *state;
	struct body *body = ends_pattern(1000);
	struct errmsg why;

	world->write_max = 1500;
	ends_dial(world, false);
	assert_int_equal(
	    stream_write(&world->client.stream, NULL, 0, body, &why), OK);
	assert_int_equal(
	    stream_write(&world->client.stream, "x", 1, body, &why), ERR_LIMIT);
	assert_non_null(strstr(why.text, "1500"));
	assert_int_equal(
	    stream_write(&world->client.stream, body->data, 500, NULL, &why),
	    OK);
	UNTIL(world, world->server.got.size == 1500);
	ends_close_both(world);
	body_unref(body);
}

static void
a_port_for_both_looks_at_the_first_byte(void **state)
{
	struct ends *world = *state;
	struct errmsg why;

	for (unsigned mask = 0; mask < 8; mask++) {
		bool tls = (mask & 1) != 0;
		bool good = tls ? (mask & 2) != 0 : (mask & 4) != 0;

		ends_reset(world);
		world->either = true;
		world->accept_tls = (mask & 2) != 0 ? world->server_tls : NULL;
		world->plain_ok = (mask & 4) != 0;
		ends_dial(world, tls);
		assert_int_equal(
		    stream_write(&world->client.stream, "CF", 2, NULL, &why),
		    OK);
		UNTIL(world,
		    world->server.got.size == 2 || world->server.closed == 1);
		assert_int_equal(world->server.failed, good ? 0 : 1);
		if (!good)
			assert_int_equal(world->server.code, ERR_PROTOCOL);
		else
			assert_memory_equal(world->server.got.data, "CF", 2);
		assert_int_equal(
		    stream_is_tls(&world->server.stream), good && tls);
		ends_close_both(world);
	}
	/* Closed before any byte came: the context is let go. */
	ends_reset(world);
	world->accept_tls = world->server_tls;
	ends_dial(world, false);
	UNTIL(world, world->accepted == 1 && world->client.opened == 1);
	ends_close_both(world);
}

static void
a_paused_stream_reads_on_when_resumed(void **state)
{
	struct ends *world = *state;
	struct body *body = ends_pattern(ENDS_BIG);
	struct errmsg why;

	ends_dial(world, false);
	UNTIL(world, world->accepted == 1);
	stream_pause(&world->server.stream);
	assert_int_equal(
	    stream_write(&world->client.stream, NULL, 0, body, &why), OK);
	for (unsigned i = 0; i < 50; i++)
		uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(world->server.got.size, 0);
	stream_resume(&world->server.stream);
	UNTIL(world, world->server.got.size == ENDS_BIG);
	ends_close_both(world);
	body_unref(body);
}

static void
adopts_sockets_and_refuses_what_is_none(void **state)
{
	struct ends *world = *state;
	struct errmsg why;
	char text[32] = "";
	uint8_t ip[16];
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(stream_adopt(&world->server.stream, world->shared,
			     &ends_events, pair[0], true, NULL, 100, &why),
	    OK);
	world->accepted = 1;
	world->server.echo = true;
	stream_peer(&world->server.stream, text, sizeof(text));
	assert_string_equal(text, "unix");
	stream_peer_ip(&world->server.stream, ip);
	assert_int_equal(ip[15], 0);
	assert_int_equal(write(pair[1], "abc", 3), 3);
	UNTIL(world, world->server.got.size == 3);
	assert_int_equal(read(pair[1], text, sizeof(text)), 3);
	close(pair[1]);
	UNTIL(world, world->server.ended == 1);
	stream_close(&world->server.stream);
	UNTIL(world, world->server.closed == 1);

	assert_int_equal(
	    stream_adopt(&world->client.stream, world->shared, &ends_events,
		9999, false, world->server_tls, 100, &why),
	    OK);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_LOOP(plain_writes_come_in_order),
	    ON_LOOP(tls_writes_come_in_order),
	    ON_LOOP(echo_passes_both_ways),
	    ON_LOOP(more_than_write_max_is_refused_whole),
	    ON_LOOP(a_port_for_both_looks_at_the_first_byte),
	    ON_LOOP(a_paused_stream_reads_on_when_resumed),
	    ON_LOOP(adopts_sockets_and_refuses_what_is_none),
	};

	return cmocka_run_group_tests_name(
	    "stream", tests, ends_make_world, ends_end_world);
}
