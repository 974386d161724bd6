/*
 * Goal: bytes pass in order and whole, plain or TLS; every way to fail is told
 * once and every stream that began ends with closed; limits hold.
 * Method: both ends on one loop over loopback, each callback can be told to
 * close; a raw socket where an end must misbehave.
 */
#include "server/net/stream.h"

#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/pki.h"
#include "tests/support/test.h"

#define BIG     (3u << 20)
#define WAIT_MS 10000

enum event { NONE, OPENED, DATA, ENDED, FAILED, DRAINED };

struct end {
	struct stream stream;
	unsigned opened, data, ended, failed, drained, closed;
	enum event close_in; /* close from inside this callback */
	struct body *answer; /* written at the first data, then dropped */
	bool echo, linger;   /* give back what comes; linger at first data */
	struct buf got;
	enum err code;
	struct errmsg why;
};

struct world {
	char *dir;
	struct pki *ca;
	struct tls_context *server_tls, *client_tls;
	uv_loop_t loop;
	struct stream_shared *shared;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	uv_timer_t clock;
	struct sockaddr_in6 address;
	struct end server, client;
	struct tls_context *accept_tls; /* for the next connection */
	bool either, plain_ok;
	uint32_t write_max;
	unsigned accepted;
};

static struct end *
end_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct end, stream);
}

static void
maybe_close(struct end *end, enum event event)
{
	if (end->close_in == event)
		stream_close(&end->stream);
}

static void
on_opened(struct stream *stream)
{
	end_of(stream)->opened++;
	maybe_close(end_of(stream), OPENED);
}

static void
on_data(struct stream *stream, const uint8_t *data, size_t size)
{
	struct end *end = end_of(stream);
	struct errmsg why;

	assert_int_equal(end->closed, 0);
	end->data++;
	buf_raw(&end->got, data, size);
	if (end->echo)
		assert_int_equal(
		    stream_write(stream, data, size, NULL, &why), OK);
	if (end->answer != NULL) {
		assert_int_equal(
		    stream_write(stream, "head", 4, end->answer, &why), OK);
		body_unref(end->answer);
		end->answer = NULL;
	}
	if (end->linger)
		stream_linger(stream);
	maybe_close(end, DATA);
}

static void
on_ended(struct stream *stream)
{
	end_of(stream)->ended++;
	maybe_close(end_of(stream), ENDED);
}

static void
on_failed(struct stream *stream, enum err code, const struct errmsg *why)
{
	struct end *end = end_of(stream);

	end->failed++;
	end->code = code;
	end->why = *why;
	stream_close(stream);
}

static void
on_drained(struct stream *stream)
{
	end_of(stream)->drained++;
	maybe_close(end_of(stream), DRAINED);
}

static void
on_closed(struct stream *stream)
{
	end_of(stream)->closed++;
}

static const struct stream_events events = {
    on_opened, on_data, on_ended, on_failed, on_drained, on_closed};

static void
on_connection(uv_stream_t *listener, int status)
{
	struct world *world = listener->data;
	struct stream *stream = &world->server.stream;
	struct errmsg why;

	assert_int_equal(status, 0);
	world->accepted++;
	if (world->either)
		assert_int_equal(stream_accept_either(stream, world->shared,
				     &events, listener, world->accept_tls,
				     world->plain_ok, world->write_max, &why),
		    OK);
	else
		assert_int_equal(
		    stream_accept(stream, world->shared, &events, listener,
			world->accept_tls, world->write_max, &why),
		    OK);
}

static int
make_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct tls_files server = {0}, client = {0};
	char ca[300], cert[300], key[300];
	struct errmsg why;

	assert_non_null(world);
	world->dir = test_tmpdir();
	world->ca = pki_new(world->dir, "ca");
	pki_issue(world->ca,
	    &(struct pki_leaf){.name = "server", .dns = "server.dc1.consul"});
	snprintf(ca, sizeof(ca), "%s/ca.pem", world->dir);
	snprintf(cert, sizeof(cert), "%s/server.pem", world->dir);
	snprintf(key, sizeof(key), "%s/server.key", world->dir);
	server.cert_file = cert;
	server.key_file = key;
	client.ca_file = ca;
	assert_int_equal(tls_context_new(&server, true, false, NULL,
			     &world->server_tls, &why),
	    OK);
	assert_int_equal(tls_context_new(&client, false, true, NULL,
			     &world->client_tls, &why),
	    OK);
	*state = world;
	return 0;
}

static int
end_world(void **state)
{
	struct world *world = *state;

	tls_context_unref(world->server_tls);
	tls_context_unref(world->client_tls);
	pki_free(world->ca);
	test_rmdir(world->dir);
	free(world);
	return 0;
}

static void
on_clock(uv_timer_t *clock)
{
	(void)clock;
}

/* A fresh loop with a listener on loopback. */
static int
set_up(void **state)
{
	struct world *world = *state;
	struct sockaddr_in6 any = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int size = sizeof(world->address);
	struct errmsg why;

	memset(&world->server, 0, sizeof(world->server));
	memset(&world->client, 0, sizeof(world->client));
	world->server.got = buf_new(64u << 20);
	world->client.got = buf_new(64u << 20);
	world->accept_tls = NULL;
	world->either = world->plain_ok = false;
	world->write_max = 16u << 20;
	world->accepted = 0;
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(
	    stream_shared_new(&world->loop, &world->shared, &why), OK);
	assert_int_equal(uv_tcp_init(&world->loop, &world->listener.tcp), 0);
	world->listener.handle.data = world;
	assert_int_equal(uv_timer_init(&world->loop, &world->clock), 0);
	assert_int_equal(uv_timer_start(&world->clock, on_clock, 20, 20), 0);
	assert_int_equal(
	    uv_tcp_bind(&world->listener.tcp, (const struct sockaddr *)&any, 0),
	    0);
	assert_int_equal(
	    uv_listen(&world->listener.stream, 16, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(&world->listener.tcp,
			     (struct sockaddr *)&world->address, &size),
	    0);
	return 0;
}

static void
unlisten(struct world *world)
{
	if (!uv_is_closing(&world->listener.handle))
		uv_close(&world->listener.handle, NULL);
}

/* Everything must have been closed by now, on pain of a hanging handle. */
static int
tear_down(void **state)
{
	struct world *world = *state;

	unlisten(world);
	uv_close((uv_handle_t *)&world->clock, NULL);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	stream_shared_free(world->shared);
	buf_free(&world->server.got);
	buf_free(&world->client.got);
	return 0;
}

/* Turn the loop until condition holds; the clock ends a turn in which nothing
 * happens. */
#define UNTIL(world, condition)                                                \
	do {                                                                   \
		uint64_t start = uv_now(&(world)->loop);                       \
		while (!(condition)) {                                         \
			assert_true(uv_now(&(world)->loop) - start < WAIT_MS); \
			uv_run(&(world)->loop, UV_RUN_ONCE);                   \
		}                                                              \
	} while (0)

static void
dial(struct world *world, bool tls)
{
	struct errmsg why;

	assert_int_equal(
	    stream_connect(&world->client.stream, world->shared, &events,
		(const struct sockaddr *)&world->address,
		tls ? world->client_tls : NULL,
		tls ? "server.dc1.consul" : NULL, tls, world->write_max, &why),
	    OK);
}

static void
close_both(struct world *world)
{
	stream_close(&world->client.stream);
	if (world->accepted > 0)
		stream_close(&world->server.stream);
	UNTIL(world,
	    world->client.closed == 1 &&
		(world->accepted == 0 || world->server.closed == 1));
}

static struct body *
pattern(size_t size)
{
	uint8_t *bytes = malloc(size);
	struct body *body;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
	body = body_new(bytes, size);
	assert_non_null(body);
	free(bytes);
	return body;
}

/* Three writes in a row, two of them large, come in order and unharmed, and
 * the first is made before anything is connected. */
static void
big_writes(struct world *world, bool tls)
{
	struct body *body = pattern(BIG);
	size_t want = 5 + BIG + 4 + BIG + 3;
	struct errmsg why;

	world->accept_tls = tls ? world->server_tls : NULL;
	dial(world, tls);
	assert_int_equal(
	    stream_write(&world->client.stream, "early", 5, body, &why), OK);
	assert_int_equal(world->client.stream.queued, 5 + BIG);
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
	assert_memory_equal(world->server.got.data + 5, body->data, BIG);
	assert_memory_equal(world->server.got.data + 5 + BIG, "then", 4);
	assert_memory_equal(world->server.got.data + 9 + BIG, body->data, BIG);
	assert_memory_equal(world->server.got.data + 9 + 2 * BIG, "end", 3);
	assert_int_equal(world->server.opened, tls ? 1 : 0);
	assert_int_equal(stream_is_tls(&world->server.stream), tls);
	close_both(world);
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
	struct world *world = *state;
	struct errmsg why;
	char text[64];
	uint8_t ip[16];

	world->accept_tls = world->server_tls;
	world->server.echo = true;
	dial(world, true);
	assert_int_equal(
	    stream_write(&world->client.stream, "hello", 5, NULL, &why), OK);
	UNTIL(world, world->client.got.size == 5);
	assert_memory_equal(world->client.got.data, "hello", 5);
	stream_peer(&world->client.stream, text, sizeof(text));
	assert_int_equal(strncmp(text, "[::1]:", 6), 0);
	stream_peer_ip(&world->server.stream, ip);
	assert_memory_equal(ip, &in6addr_loopback, 16);
	/* An orderly end passes as an end. */
	world->server.close_in = ENDED;
	stream_close_after_writes(&world->client.stream);
	UNTIL(world, world->server.closed == 1 && world->client.closed == 1);
	assert_int_equal(world->server.ended, 1);
	assert_int_equal(world->server.failed, 0);
}

static void
more_than_write_max_is_refused_whole(void **state)
{
	struct world *world = *state;
	struct body *body = pattern(1000);
	struct errmsg why;

	world->write_max = 1500;
	dial(world, false);
	assert_int_equal(
	    stream_write(&world->client.stream, NULL, 0, body, &why), OK);
	assert_int_equal(
	    stream_write(&world->client.stream, "x", 1, body, &why), ERR_LIMIT);
	assert_non_null(strstr(why.text, "1500"));
	assert_int_equal(
	    stream_write(&world->client.stream, body->data, 500, NULL, &why),
	    OK);
	UNTIL(world, world->server.got.size == 1500);
	close_both(world);
	body_unref(body);
}

static void
a_refused_dial_fails_once(void **state)
{
	struct world *world = *state;

	unlisten(world);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	for (int tls = 0; tls < 2; tls++) {
		world->client.failed = world->client.closed = 0;
		dial(world, tls == 1);
		UNTIL(world, world->client.closed == 1);
		assert_int_equal(world->client.failed, 1);
		assert_int_equal(world->client.code, ERR_IO);
		assert_non_null(strstr(world->client.why.text, "refused"));
	}
	/* Closed before the answer is there: only closed. */
	world->client.failed = world->client.closed = 0;
	dial(world, false);
	stream_close(&world->client.stream);
	stream_close(&world->client.stream);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 0);
}

/* The kernel refuses at once: told later, like every other failure. */
static void
an_impossible_dial_fails_later(void **state)
{
	struct world *world = *state;
	struct sockaddr_in6 was = world->address;
	struct sockaddr_in broadcast = {.sin_family = AF_INET,
	    .sin_port = 1,
	    .sin_addr.s_addr = INADDR_BROADCAST};
	struct errmsg why;

	memcpy(&world->address, &broadcast, sizeof(broadcast));
	dial(world, true);
	assert_int_equal(world->client.failed, 0);
	assert_int_equal(
	    stream_write(&world->client.stream, "x", 1, NULL, &why),
	    ERR_CLOSED);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 1);

	world->client.failed = world->client.closed = 0;
	dial(world, true);
	stream_close(&world->client.stream);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 0);

	world->address = was;
	broadcast.sin_family = AF_UNIX;
	assert_int_equal(stream_connect(&world->client.stream, world->shared,
			     &events, (const struct sockaddr *)&broadcast, NULL,
			     NULL, false, 1, &why),
	    ERR_INVALID);
}

static void
a_port_for_both_looks_at_the_first_byte(void **state)
{
	struct world *world = *state;
	struct errmsg why;

	for (unsigned mask = 0; mask < 8; mask++) {
		bool tls = (mask & 1) != 0;
		bool good = tls ? (mask & 2) != 0 : (mask & 4) != 0;

		memset(&world->client, 0, offsetof(struct end, got));
		memset(&world->server, 0, offsetof(struct end, got));
		buf_reset(&world->server.got);
		world->accepted = 0;
		world->either = true;
		world->accept_tls = (mask & 2) != 0 ? world->server_tls : NULL;
		world->plain_ok = (mask & 4) != 0;
		dial(world, tls);
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
		close_both(world);
	}
	/* Closed before any byte came: the context is let go. */
	memset(&world->client, 0, offsetof(struct end, got));
	memset(&world->server, 0, offsetof(struct end, got));
	world->accepted = 0;
	world->accept_tls = world->server_tls;
	dial(world, false);
	UNTIL(world, world->accepted == 1 && world->client.opened == 1);
	close_both(world);
}

static void
half_a_close_ends_one_way_only(void **state)
{
	struct world *world = *state;
	struct errmsg why;
	uv_os_fd_t fd;

	dial(world, false);
	UNTIL(world, world->client.opened == 1 && world->accepted == 1);
	assert_int_equal(uv_fileno(&world->client.stream.uv.handle, &fd), 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	UNTIL(world, world->server.ended == 1);
	assert_int_equal(
	    stream_write(&world->server.stream, "still", 5, NULL, &why), OK);
	UNTIL(world, world->client.got.size == 5);
	close_both(world);
	assert_int_equal(world->server.failed, 0);
}

static void
tls_cut_without_notice_is_a_failure(void **state)
{
	struct world *world = *state;

	world->accept_tls = world->server_tls;
	dial(world, true);
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
	struct world *world = *state;
	struct errmsg why;

	world->accept_tls = world->server_tls;
	assert_int_equal(
	    stream_connect(&world->client.stream, world->shared, &events,
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
	struct world *world = *state;

	for (unsigned tls = 0; tls < 2; tls++) {
		for (enum event at = OPENED; at <= DRAINED; at++) {
			struct body *body;
			struct errmsg why;

			if (at == FAILED || at == ENDED)
				continue; /* shown by other cases */
			body = pattern(BIG);
			memset(&world->client, 0, offsetof(struct end, got));
			memset(&world->server, 0, offsetof(struct end, got));
			buf_reset(&world->client.got);
			buf_reset(&world->server.got);
			world->accepted = 0;
			world->accept_tls = tls ? world->server_tls : NULL;
			world->client.close_in = at;
			world->server.echo = at == DATA;
			dial(world, tls == 1);
			assert_int_equal(
			    stream_write(&world->client.stream, "x", 1,
				at == DATA ? NULL : body, &why),
			    OK);
			UNTIL(world, world->client.closed == 1);
			UNTIL(world, world->accepted == 1);
			close_both(world);
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
	struct world *world = *state;

	for (unsigned tls = 0; tls < 2; tls++) {
		struct body *body = pattern(BIG);
		struct errmsg why;

		memset(&world->client, 0, offsetof(struct end, got));
		memset(&world->server, 0, offsetof(struct end, got));
		buf_reset(&world->client.got);
		buf_reset(&world->server.got);
		world->accepted = 0;
		world->accept_tls = tls ? world->server_tls : NULL;
		world->server.answer = body_ref(body);
		world->server.linger = true;
		dial(world, tls == 1);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(stream_write(&world->client.stream,
					     NULL, 0, body, &why),
			    OK);
		UNTIL(world, world->client.ended == 1);
		assert_int_equal(world->client.got.size, 4 + BIG);
		assert_memory_equal(
		    world->client.got.data + 4, body->data, BIG);
		assert_int_equal(world->client.failed, 0);
		assert_int_equal(world->server.data, 1);
		assert_true(stream_closing(&world->server.stream));
		close_both(world);
		body_unref(body);
	}
}

static void
a_paused_stream_reads_on_when_resumed(void **state)
{
	struct world *world = *state;
	struct body *body = pattern(BIG);
	struct errmsg why;

	dial(world, false);
	UNTIL(world, world->accepted == 1);
	stream_pause(&world->server.stream);
	assert_int_equal(
	    stream_write(&world->client.stream, NULL, 0, body, &why), OK);
	for (unsigned i = 0; i < 50; i++)
		uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(world->server.got.size, 0);
	stream_resume(&world->server.stream);
	UNTIL(world, world->server.got.size == BIG);
	close_both(world);
	body_unref(body);
}

static void
a_reset_is_a_failure(void **state)
{
	struct world *world = *state;
	const struct linger hard = {.l_onoff = 1};
	uv_os_fd_t fd;

	dial(world, false);
	UNTIL(world, world->accepted == 1 && world->client.opened == 1);
	assert_int_equal(uv_fileno(&world->client.stream.uv.handle, &fd), 0);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	stream_close(&world->client.stream);
	UNTIL(world, world->server.closed == 1 && world->client.closed == 1);
	assert_int_equal(world->server.failed, 1);
	assert_int_equal(world->server.code, ERR_CLOSED);
}

static void
adopts_sockets_and_refuses_what_is_none(void **state)
{
	struct world *world = *state;
	struct errmsg why;
	char text[32] = "";
	uint8_t ip[16];
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(stream_adopt(&world->server.stream, world->shared,
			     &events, pair[0], true, NULL, 100, &why),
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
	    stream_adopt(&world->client.stream, world->shared, &events, 9999,
		false, world->server_tls, 100, &why),
	    OK);
	UNTIL(world, world->client.closed == 1);
	assert_int_equal(world->client.failed, 1);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_LOOP(plain_writes_come_in_order),
	    ON_LOOP(tls_writes_come_in_order),
	    ON_LOOP(echo_passes_both_ways),
	    ON_LOOP(more_than_write_max_is_refused_whole),
	    ON_LOOP(a_refused_dial_fails_once),
	    ON_LOOP(an_impossible_dial_fails_later),
	    ON_LOOP(a_port_for_both_looks_at_the_first_byte),
	    ON_LOOP(half_a_close_ends_one_way_only),
	    ON_LOOP(tls_cut_without_notice_is_a_failure),
	    ON_LOOP(a_failed_handshake_is_told_to_both),
	    ON_LOOP(any_callback_may_close),
	    ON_LOOP(lingering_lets_the_answer_through),
	    ON_LOOP(a_paused_stream_reads_on_when_resumed),
	    ON_LOOP(a_reset_is_a_failure),
	    ON_LOOP(adopts_sockets_and_refuses_what_is_none),
	};

	return cmocka_run_group_tests_name(
	    "stream", tests, make_world, end_world);
}
