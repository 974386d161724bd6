/*
 * Goal: every way to fail is told once, every stream that began ends with
 * closed, and no order of closing loses bytes that were promised.
 * Method: both ends on one loop over loopback, each callback can be told to
 * close.
 */
#include <sys/socket.h>

#include "server/net/stream.h"
#include "tests/support/ends.h"

static void
a_refused_dial_fails_once(void **state)
{
	struct ends *world = *state;

	ends_unlisten(world);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	for (int tls = 0; tls < 2; tls++) {
		world->client.failed = world->client.closed = 0;
		ends_dial(world, tls == 1);
		UNTIL(world, world->client.closed == 1);
		assert_int_equal(world->client.failed, 1);
		assert_int_equal(world->client.code, ERR_IO);
		assert_non_null(strstr(world->client.why.text, "refused"));
	}
	/* Closed before the answer is there: only closed. */
	world->client.failed = world->client.closed = 0;
	ends_dial(world, false);
	stream_close(&world->client.stream);
	stream_close(&world->client.stream);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 0);
}

/* The kernel refuses at once: told later, like every other failure. */
static void
an_impossible_dial_fails_later(void **state)
{
	struct ends *world = *state;
	struct sockaddr_in6 was = world->address;
	struct sockaddr_in broadcast = {.sin_family = AF_INET,
	    .sin_port = 1,
	    .sin_addr.s_addr = INADDR_BROADCAST};
	struct errmsg why;

	memcpy(&world->address, &broadcast, sizeof(broadcast));
	ends_dial(world, true);
	assert_int_equal(world->client.failed, 0);
	assert_int_equal(
	    stream_write(&world->client.stream, "x", 1, NULL, &why),
	    ERR_CLOSED);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 1);

	world->client.failed = world->client.closed = 0;
	ends_dial(world, true);
	stream_close(&world->client.stream);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 0);

	world->address = was;
	broadcast.sin_family = AF_UNIX;
	assert_int_equal(stream_connect(&world->client.stream, world->shared,
			     &ends_events, (const struct sockaddr *)&broadcast,
			     NULL, NULL, false, 1, &why),
	    ERR_INVALID);
}

static void
half_a_close_ends_one_way_only(void **state)
{
	struct ends *world = *state;
	struct errmsg why;
	uv_os_fd_t fd;

	ends_dial(world, false);
	UNTIL(world, world->client.opened == 1 && world->accepted == 1);
	assert_int_equal(uv_fileno(&world->client.stream.uv.handle, &fd), 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	UNTIL(world, world->server.ended == 1);
	assert_int_equal(
	    stream_write(&world->server.stream, "still", 5, NULL, &why), OK);
	UNTIL(world, world->client.got.size == 5);
	ends_close_both(world);
	assert_int_equal(world->server.failed, 0);
}

static void
tls_cut_without_notice_is_a_failure(void **state)
{
	struct ends *world = *state;

	world->accept_tls = world->server_tls;
	ends_dial(world, true);
	UNTIL(world, world->server.opened == 1 && world->client.opened == 1);
	stream_close(&world->client.stream); /* no close_notify */
	UNTIL(world, world->server.closed == 1);
	assert_int_equal(world->server.ended, 0);
	assert_int_equal(world->server.failed, 1);
	assert_int_equal(world->server.code, ERR_CLOSED);
	UNTIL(world, world->client.closed == 1);
}

static void
a_failed_handshake_is_told_to_both(void **state)
{
	struct ends *world = *state;
	struct errmsg why;

	world->accept_tls = world->server_tls;
	assert_int_equal(
	    stream_connect(&world->client.stream, world->shared, &ends_events,
		(const struct sockaddr *)&world->address, world->client_tls,
		"other.dc1.consul", true, 1000, &why),
	    OK);
	UNTIL(world, world->client.closed == 1 && world->server.closed == 1);
	assert_int_equal(world->client.code, ERR_PROTOCOL);
	assert_non_null(strstr(world->client.why.text, "ostname mismatch"));
	assert_int_equal(world->server.failed, 1);
	assert_int_equal(world->client.opened + world->server.opened, 0);
}

static void
any_callback_may_close(void **state)
{
	struct ends *world = *state;

	for (unsigned tls = 0; tls < 2; tls++) {
		for (enum event at = AT_OPENED; at <= AT_DRAINED; at++) {
			struct body *body;
			struct errmsg why;

			if (at == AT_FAILED || at == AT_ENDED)
				continue; /* shown by other cases */
			body = ends_pattern(ENDS_BIG);
			ends_reset(world);
			world->accept_tls = tls ? world->server_tls : NULL;
			world->client.close_in = at;
			world->server.echo = at == AT_DATA;
			ends_dial(world, tls == 1);
			assert_int_equal(
			    stream_write(&world->client.stream, "x", 1,
				at == AT_DATA ? NULL : body, &why),
			    OK);
			UNTIL(world, world->client.closed == 1);
			UNTIL(world, world->accepted == 1);
			ends_close_both(world);
			assert_int_equal(body->references, 1);
			body_unref(body);
		}
	}
}

/* The peer goes on sending while it is answered and dismissed: with a plain
 * close it would lose the answer to a reset. */
static void
lingering_lets_the_answer_through(void **state)
{
	struct ends *world = *state;

	for (unsigned tls = 0; tls < 2; tls++) {
		struct body *body = ends_pattern(ENDS_BIG);
		struct errmsg why;

		ends_reset(world);
		world->accept_tls = tls ? world->server_tls : NULL;
		world->server.answer = body_ref(body);
		world->server.linger = true;
		ends_dial(world, tls == 1);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(stream_write(&world->client.stream,
					     NULL, 0, body, &why),
			    OK);
		UNTIL(world, world->client.ended == 1);
		assert_int_equal(world->client.got.size, 4 + ENDS_BIG);
		assert_memory_equal(
		    world->client.got.data + 4, body->data, ENDS_BIG);
		assert_int_equal(world->client.failed, 0);
		assert_int_equal(world->server.data, 1);
		assert_true(stream_closing(&world->server.stream));
		ends_close_both(world);
		body_unref(body);
	}
}

static void
a_reset_is_a_failure(void **state)
{
	struct ends *world = *state;
	const struct linger hard = {.l_onoff = 1};
	uv_os_fd_t fd;

	ends_dial(world, false);
	UNTIL(world, world->accepted == 1 && world->client.opened == 1);
	assert_int_equal(uv_fileno(&world->client.stream.uv.handle, &fd), 0);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	stream_close(&world->client.stream);
	UNTIL(world, world->server.closed == 1 && world->client.closed == 1);
	assert_int_equal(world->server.failed, 1);
	assert_int_equal(world->server.code, ERR_CLOSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_LOOP(a_refused_dial_fails_once),
	    ON_LOOP(an_impossible_dial_fails_later),
	    ON_LOOP(half_a_close_ends_one_way_only),
	    ON_LOOP(tls_cut_without_notice_is_a_failure),
	    ON_LOOP(a_failed_handshake_is_told_to_both),
	    ON_LOOP(any_callback_may_close),
	    ON_LOOP(lingering_lets_the_answer_through),
	    ON_LOOP(a_reset_is_a_failure),
	};

	return cmocka_run_group_tests_name(
	    "streamend", tests, ends_make_world, ends_end_world);
}
