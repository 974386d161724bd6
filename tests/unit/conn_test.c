/*
 * Goal: each request is answered once and in order, a client that goes away is
 * noticed, what is refused is told why, and a parked connection is cheap.
 * Method: a server on the test's own loop, raw sockets as clients.
 */
#include "server/net/conn.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/served.h"

static void
answers_are_framed_and_keep_alive(void **state)
{
	struct served *world = *state;
	char text[4096];
	bool ended;
	int fd = dial(world);

	say(fd, GET("/one"));
	hear(world, fd, "/one", text, sizeof(text), &ended);
	assert_string_equal(text,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	    "X-Frame-Options: DENY\r\nX-A: b\r\nContent-Length: 4\r\n\r\n"
	    "/one");
	say(fd, "HEAD /two HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(world, fd, "\r\n\r\n", text, sizeof(text), &ended);
	assert_non_null(strstr(text, "Content-Length: 4\r\n\r\n"));
	say(fd,
	    "PUT /three HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
	expect(world, fd, "/three");
	say(fd, "GET /four HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	assert_non_null(
	    strstr(to_the_end(world, fd), "Connection: close\r\n\r\n/four"));
	assert_string_equal(world->log, "/one[]/two[]/three[ab]/four[]");

	fd = dial(world);
	say(fd, "GET /five HTTP/1.0\r\n\r\n");
	assert_non_null(
	    strstr(to_the_end(world, fd), "Connection: close\r\n\r\n/five"));
	fd = dial(world);
	say(fd, "GET /six HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	expect(world, fd, "Connection: keep-alive\r\n\r\n/six");
	close(fd);
	UNTIL(world, world->server->connections == 0);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
	struct served *world = *state;
	char want[4096] = "", text[65536], line[64];
	char *at = text;
	bool ended;
	int fd = dial(world);

	for (unsigned i = 0; i < 60; i++) { /* more than one turn's worth */
		snprintf(line, sizeof(line),
		    "GET /%u HTTP/1.1\r\nHost: a\r\n"
		    "\r\n",
		    i);
		say(fd, line);
	}
	hear(world, fd, "/59", text, sizeof(text), &ended);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(want, sizeof(want), "\r\n\r\n/%u", i);
		at = strstr(at, want);
		assert_non_null(at);
	}
	close(fd);
}

static void
what_comes_behind_a_parked_request_waits(void **state)
{
	struct served *world = *state;
	char filler[4096];
	size_t sent = 0;
	int fd = dial(world);

	say(fd, GET("/w") GET("/next"));
	UNTIL(world, world->parked_count == 1);
	say(fd, GET("/later"));
	for (unsigned i = 0; i < 20; i++)
		uv_run(world->uv, UV_RUN_ONCE);
	assert_int_equal(world->handled, 1);
	conn_reply(world->parked[0], 200, NULL, "", 0, NULL);
	assert_int_equal(world->handled, 1); /* never from inside */
	expect(world, fd, "/later");
	assert_string_equal(world->log, "/w[]/next[]/later[]");

	/* One that floods meanwhile is no longer read from. */
	say(fd, GET("/w"));
	UNTIL(world, world->parked_count == 2);
	memset(filler, 'x', sizeof(filler));
	for (unsigned i = 0; i < 20000; i++) {
		ssize_t put = write(fd, filler, sizeof(filler));

		sent += put > 0 ? (size_t)put : 0;
		if (put < 0)
			uv_run(world->uv, UV_RUN_NOWAIT);
	}
	assert_true(
	    world->parked[1]->held->size <= HTTP_HEAD_MAX + STREAM_READ_MAX);
	assert_true(sent < 20000 * sizeof(filler));
	conn_reply(world->parked[1], 200, NULL, "", 0, NULL);
	close(fd);
	UNTIL(world, world->server->connections == 0);
}

static void
a_lost_client_is_told_at_once(void **state)
{
	struct served *world = *state;
	const struct linger hard = {.l_onoff = 1};
	int fd;

	for (unsigned how = 0; how < 3; how++) {
		fd = dial(world);
		say(fd, GET("/w"));
		UNTIL(world, world->parked_count == how + 1);
		if (how == 1)
			shutdown(fd, SHUT_WR); /* half a close counts */
		if (how == 2)
			setsockopt(
			    fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		if (how != 1)
			close(fd);
		UNTIL(world, world->gone == how + 1);
		UNTIL(world, world->server->connections == 0);
		if (how == 1)
			close(fd);
	}
	/* Who asked for no word may answer into the void. */
	world->mute = true;
	fd = dial(world);
	say(fd, GET("/w"));
	UNTIL(world, world->parked_count == 4);
	close(fd);
	for (unsigned i = 0; i < 20; i++)
		uv_run(world->uv, UV_RUN_ONCE);
	assert_int_equal(world->server->connections, 1);
	conn_reply(world->parked[3], 200, NULL, "", 0, body_ref(world->big));
	assert_int_equal(world->server->connections, 0);
	assert_int_equal(world->big->references, 1);
}

static void
a_kept_request_is_whole_until_the_answer(void **state)
{
	struct served *world = *state;
	int fd = dial(world), other = dial(world);

	world->keep = true;
	say(fd,
	    "PUT /w?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy");
	UNTIL(world, world->parked_count == 1);
	say(other, GET("/something-else-altogether"));
	expect(world, other, "altogether");
	assert_int_equal(world->kept->path.size, 2);
	assert_memory_equal(world->kept->path.data, "/w", 2);
	assert_memory_equal(world->kept->query.data, "a=b", 3);
	assert_memory_equal(world->kept->body.data, "xy", 2);
	conn_reply(world->parked[0], 200, NULL, "", 0, NULL);
	expect(world, fd, "Content-Length: 0\r\n\r\n");
	close(fd);
	close(other);
}

static void
bad_requests_are_answered_and_dismissed(void **state)
{
	static const struct {
		const char *data, *status, *words;
	} cases[] = {
	    {"GET / HTTP/1.1\nHost: a\n\n", "400 Bad Request", "bare LF"},
	    {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "Host is missing"},
	    {"GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported",
		"HTTP/2.0"},
	    {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n",
		"413 Request Entity Too Large",
		"request body is over 1024 bytes"},
	};
	struct served *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = dial(world);
		char *text, *body;

		say(fd, cases[i].data);
		text = to_the_end(world, fd);
		assert_non_null(strstr(text, cases[i].status));
		assert_non_null(strstr(text, "Connection: close\r\n"));
		assert_non_null(strstr(text, "X-Frame-Options: DENY\r\n"));
		assert_non_null(strstr(
		    text, "Content-Type: text/plain; charset=utf-8\r\n"));
		body = strstr(text, "\r\n\r\n");
		assert_non_null(strstr(body, cases[i].words));
		assert_int_not_equal(body[strlen(body) - 1], '\n');
	}
	assert_int_equal(world->handled, 0);
}

/* A client that pushes ten megabytes all the same still reads why not. */
static void
an_oversized_upload_reads_its_refusal(void **state)
{
	struct served *world = *state;
	static char text[8192], filler[65536];
	size_t sent = 0;
	bool ended;
	int fd = dial(world);

	say(fd,
	    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
	    "\r\nA00000\r\n");
	while (sent < 0xA00000) {
		ssize_t put = write(fd, filler, sizeof(filler));

		if (put < 0 && errno != EAGAIN)
			break;
		sent += put > 0 ? (size_t)put : 0;
		uv_run(world->uv, UV_RUN_NOWAIT);
	}
	assert_true(sent >= 0xA00000);
	hear(world, fd, "1024 bytes", text, sizeof(text), &ended);
	assert_non_null(strstr(text, "413 "));
	close(fd);
}

static void
expect_continue_is_asked_for(void **state)
{
	struct served *world = *state;
	int fd = dial(world);

	say(fd,
	    "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
	    "Content-Length: 2\r\n\r\n");
	expect(world, fd, "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "ab");
	expect(world, fd, "/x");
	assert_string_equal(world->log, "/x[ab]");
	close(fd);
}

/* What a parked plain connection costs, the kernel's part aside. A sanitizer's
 * heap says nothing of it. */
static void
a_parked_connection_is_cheap(void **state)
{
	enum { COUNT = 400 };
	struct served *world = *state;
	size_t before, after;
	int fds[COUNT];

	for (unsigned i = 0; i < COUNT; i++) {
		fds[i] = dial(world);
		uv_run(world->uv, UV_RUN_NOWAIT);
	}
	UNTIL(world, world->server->connections == COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		close(fds[i]);
		uv_run(world->uv, UV_RUN_NOWAIT);
	}
	UNTIL(world, world->server->connections == 0);

	before = mallinfo2().uordblks;
	for (unsigned i = 0; i < COUNT; i++) {
		fds[i] = dial(world);
		say(fds[i], GET("/w"));
		uv_run(world->uv, UV_RUN_NOWAIT);
	}
	UNTIL(world, world->parked_count == COUNT);
	after = mallinfo2().uordblks;
	assert_true(after - before <= 512 * COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		close(fds[i]);
	UNTIL(world, world->gone == COUNT);
	UNTIL(world, world->server->connections == 0);
	assert_true(mallinfo2().uordblks <= before + 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVED(answers_are_framed_and_keep_alive),
	    SERVED(pipelined_requests_are_answered_in_order),
	    SERVED(what_comes_behind_a_parked_request_waits),
	    SERVED(a_lost_client_is_told_at_once),
	    SERVED(a_kept_request_is_whole_until_the_answer),
	    SERVED(bad_requests_are_answered_and_dismissed),
	    SERVED(an_oversized_upload_reads_its_refusal),
	    SERVED(expect_continue_is_asked_for),
	    SERVED(a_parked_connection_is_cheap),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
