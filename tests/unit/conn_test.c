/*
 * Goal: each request is answered once and in order, deadlines and limits hold,
 * a client that goes away is noticed, a parked one is cheap, and stopping ends.
 * Method: a server on the test's own loop, raw sockets as clients; deadlines
 * are brought near through the private header instead of being waited for.
 */
#include "server/net/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/loop.h"
#include "server/net/connserver.h"
#include "tests/support/pki.h"
#include "tests/support/test.h"

#define BODY_MAX  1024
#define BIG       (8u << 20)
#define WAIT_MS   8000
#define REPLY_MAX (16u << 20)

enum { PARKED_MAX = 6000 };

struct world {
	struct loop *loop;
	uv_loop_t *uv;
	uv_timer_t pulse; /* ends a turn in which nothing happens */
	struct conn_limits limits;
	struct conn_server *server;
	struct address address;
	uint16_t port;
	unsigned handled, gone, closed;
	struct conn *parked[PARKED_MAX];
	unsigned parked_count;
	const struct http_request *kept;
	bool keep, mute; /* keep the request; do not ask for word */
	char log[4096];  /* paths and bodies as handled */
	struct body *big;
};

static void
on_gone(struct conn *conn, void *arg)
{
	struct world *world = arg;

	for (unsigned i = 0; i < world->parked_count; i++) {
		if (world->parked[i] == conn)
			world->parked[i] = NULL;
	}
	world->gone++;
}

static void
note(struct world *world, const struct http_request *request)
{
	size_t used = strlen(world->log);

	snprintf(world->log + used, sizeof(world->log) - used, "%.*s[%.*s]",
	    (int)request->path.size, request->path.data,
	    (int)request->body.size, request->body.data);
}

static void
handle(void *arg, struct conn *conn, const struct http_request *request)
{
	struct world *world = arg;

	world->handled++;
	if (world->handled < 100)
		note(world, request);
	if (request->path.size > 1 && request->path.data[1] == 'w') {
		if (!world->mute)
			conn_on_gone(conn, on_gone, world);
		if (world->keep) {
			assert_int_equal(conn_keep_request(conn), OK);
			assert_int_equal(conn_keep_request(conn), OK);
			world->kept = request;
		}
		assert_true(world->parked_count < PARKED_MAX);
		world->parked[world->parked_count++] = conn;
		return;
	}
	if (request->path.size > 1 && request->path.data[1] == 'b') {
		conn_reply(conn, 200, NULL, "", 0, body_ref(world->big));
		return;
	}
	conn_reply(conn, 200, "text/plain", "X-A: b\r\n", 8,
	    body_new(request->path.data, request->path.size));
}

static void
on_pulse(uv_timer_t *pulse)
{
	(void)pulse;
}

static int
set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	static const char *const names[] = {"X-Frame-Options"};
	static const char *const values[] = {"DENY"};
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	struct errmsg why;
	uint8_t *zeros;
	int fd;

	assert_non_null(world);
	world->limits.max_connections = 10000;
	world->limits.body_max = BODY_MAX;
	world->limits.header_names = names;
	world->limits.header_values = values;
	world->limits.header_count = 1;
	zeros = calloc(1, BIG);
	assert_non_null(zeros);
	world->big = body_new(zeros, BIG);
	free(zeros);
	assert_int_equal(loop_new("test", &world->loop, &why), OK);
	world->uv = loop_uv(world->loop);
	assert_int_equal(conn_server_new(world->loop, &world->limits, handle,
			     world, &world->server, &why),
	    OK);
	assert_int_equal(
	    address_parse("127.0.0.1", 0, &world->address, &why), OK);
	assert_int_equal(conn_bind(&world->address, false, &fd, &why), OK);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
	world->port = ntohs(own.sin_port);
	assert_int_equal(conn_server_listen(world->server, fd, NULL, &why), OK);
	uv_timer_init(world->uv, &world->pulse);
	uv_timer_start(&world->pulse, on_pulse, 5, 5);
	*state = world;
	return 0;
}

#define UNTIL(world, condition)                                                \
	do {                                                                   \
		uint64_t start = uv_now((world)->uv);                          \
		while (!(condition)) {                                         \
			assert_true(uv_now((world)->uv) - start < WAIT_MS);    \
			uv_run((world)->uv, UV_RUN_ONCE);                      \
		}                                                              \
	} while (0)

static void
on_stopped(void *arg)
{
	struct world *world = arg;

	world->closed++;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	if (!world->server->stopping)
		conn_server_stop(world->server, on_stopped, world);
	assert_int_equal(world->closed, 0);
	UNTIL(world, world->closed == 1);
	assert_int_equal(atomic_load(&world->limits.open), 0);
	conn_server_free(world->server);
	uv_close((uv_handle_t *)&world->pulse, NULL);
	loop_stop(world->loop);
	uv_run(world->uv, UV_RUN_DEFAULT);
	loop_free(world->loop);
	body_unref(world->big);
	free(world);
	return 0;
}

static int
dial(const struct world *world)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(world->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(poll(&wait, 1, 1000), 1);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Read until want is seen at the end, the server ends (*ended), or the time is
 * up (a failure). */
static void
hear(struct world *world, int fd, const char *want, char *out, size_t size,
    bool *ended)
{
	uint64_t start = uv_now(world->uv);
	size_t used = 0, tail = want != NULL ? strlen(want) : 0;

	*ended = false;
	for (;;) {
		ssize_t got = read(fd, out + used, size - 1 - used);

		if (got > 0) {
			used += (size_t)got;
		} else if (got == 0 || errno != EAGAIN) {
			*ended = true;
			break;
		}
		out[used] = '\0';
		if (tail > 0 && used >= tail &&
		    strcmp(out + used - tail, want) == 0)
			break;
		assert_true(uv_now(world->uv) - start < WAIT_MS);
		uv_run(world->uv, UV_RUN_NOWAIT);
		if (got < 0)
			uv_run(world->uv, UV_RUN_ONCE);
	}
	out[used] = '\0';
}

static void
expect(struct world *world, int fd, const char *want)
{
	char text[4096];
	bool ended;

	hear(world, fd, want, text, sizeof(text), &ended);
	assert_false(ended);
}

/* The whole of what comes before the server's end. */
static char *
to_the_end(struct world *world, int fd)
{
	static char text[4096];
	bool ended;

	hear(world, fd, NULL, text, sizeof(text), &ended);
	assert_true(ended);
	close(fd);
	return text;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void
answers_are_framed_and_keep_alive(void **state)
{
	struct world *world = *state;
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
	struct world *world = *state;
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
	struct world *world = *state;
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
	struct world *world = *state;
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
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;
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
	struct world *world = *state;
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

/* Deadlines of all connections come with the next turn of the clock. */
static void
hurry(struct wheel_node *node, void *arg)
{
	struct conn *conn = CONTAINER_OF(node, struct conn, node);

	(void)arg;
	if (conn->state == CONN_READING)
		conn->begun -= 11;
	if (node->due != WHEEL_NEVER)
		wheel_set(
		    &conn->server->wheel, node, conn_now(conn->server) + 1);
}

static void
deadlines_end_what_does_not_move(void **state)
{
	struct world *world = *state;
	int idle = dial(world), slow = dial(world), parked = dial(world);
	int stuck = dial(world), body = dial(world);
	char *text;

	say(slow, "GET / HTTP/1.1\r\nHost");
	say(body, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
	say(parked, GET("/w"));
	say(stuck, GET("/b")); /* eight megabytes nobody reads */
	UNTIL(world, world->handled == 2 && world->server->connections == 5);
	for (unsigned i = 0; i < 10; i++)
		uv_run(world->uv, UV_RUN_ONCE);
	wheel_each(&world->server->wheel, hurry, NULL);
	text = to_the_end(world, slow);
	assert_non_null(strstr(text, "408 Request Timeout\r\n"));
	assert_non_null(strstr(text, "request was not whole"));
	assert_non_null(strstr(to_the_end(world, body), "408 "));
	assert_string_equal(to_the_end(world, idle), "");
	UNTIL(world, world->server->connections == 1);
	assert_int_equal(world->gone, 0);
	conn_reply(world->parked[0], 200, NULL, "", 0, NULL);
	expect(world, parked, "Content-Length: 0\r\n\r\n");
	close(parked);
	close(stuck);
}

static void
pick(struct wheel_node *node, void *arg)
{
	struct conn **out = arg;

	*out = CONTAINER_OF(node, struct conn, node);
}

/* More bytes do not put the head's deadline off; a large body earns time. */
static void
trickling_does_not_help(void **state)
{
	struct world *world = *state;
	struct conn *conn = NULL;
	char kilobyte[1025];
	uint32_t due;
	int fd = dial(world);

	world->limits.body_max = 1u << 20;
	say(fd, "PUT / HTTP/1.1\r\nX: ");
	UNTIL(world, world->server->connections == 1);
	wheel_each(&world->server->wheel, pick, &conn);
	UNTIL(world, conn->state == CONN_READING);
	due = conn->node.due;
	assert_true(due <= conn_now(world->server) + 10);
	conn->begun -= 5;
	say(fd, "y");
	UNTIL(world, conn->node.due == due - 5);
	say(fd, "\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
	memset(kilobyte, 'x', 1024);
	kilobyte[1024] = '\0';
	for (unsigned i = 0; i < 130; i++) {
		say(fd, kilobyte);
		uv_run(world->uv, UV_RUN_ONCE);
	}
	UNTIL(world, conn->node.due == due - 5 + 2);
	close(fd);
	UNTIL(world, world->server->connections == 0);
}

static void
too_many_are_told_to_come_again(void **state)
{
	struct world *world = *state;
	char *text;
	int fds[3];

	world->limits.max_connections = 2;
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = dial(world);
		say(fds[i], GET("/x"));
	}
	text = to_the_end(world, fds[2]);
	assert_non_null(strstr(text, "503 Service Unavailable\r\n"));
	assert_non_null(strstr(text, "Retry-After: 1\r\n"));
	expect(world, fds[0], "/x");
	close(fds[0]);
	UNTIL(world, atomic_load(&world->limits.open) < 2);
	fds[2] = dial(world);
	say(fds[2], GET("/again"));
	expect(world, fds[2], "/again");
	close(fds[1]);
	close(fds[2]);
}

static void
stopping_lets_answers_out_and_ends(void **state)
{
	struct world *world = *state;
	int idle = dial(world), parked = dial(world), lost = dial(world);

	say(parked, GET("/w"));
	UNTIL(world, world->parked_count == 1);
	say(lost, GET("/w"));
	UNTIL(
	    world, world->parked_count == 2 && world->server->connections == 3);
	conn_server_stop(world->server, on_stopped, world);
	assert_string_equal(to_the_end(world, idle), "");
	conn_reply(world->parked[0], 200, "text/plain", "", 0, NULL);
	assert_non_null(
	    strstr(to_the_end(world, parked), "Connection: close\r\n"));
	/* One that is never answered is told so after the grace. */
	world->server->stop_by = conn_now(world->server);
	UNTIL(world, world->gone == 1);
	assert_string_equal(to_the_end(world, lost), "");
}

static void
out_of_descriptors_drops_but_does_not_hang(void **state)
{
	struct world *world = *state;
	struct rlimit was, tight;
	int fds[64], count = 0, first = dial(world);

	say(first, GET("/x"));
	expect(world, first, "/x");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (; count < 3; count++)
		fds[count] = dial(world);
	tight = was;
	tight.rlim_cur = (rlim_t)fds[2] + 1; /* nothing above what is open */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (unsigned i = 0; i < 20; i++)
		uv_run(world->uv, UV_RUN_ONCE);
	say(first, GET("/still"));
	expect(world, first, "/still");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	while (count > 0)
		close(fds[--count]);
	close(first);
	first = dial(world);
	say(first, GET("/anew"));
	expect(world, first, "/anew");
	close(first);
}

static void
a_busy_address_is_named(void **state)
{
	struct world *world = *state;
	struct address address = world->address;
	struct errmsg why;
	char text[64];
	int fd;

	address.port = world->port;
	snprintf(text, sizeof(text), "127.0.0.1:%u", world->port);
	assert_int_equal(conn_bind(&address, false, &fd, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, text));
	/* The one that has it was not bound to be shared, though it is ours. */
	assert_int_equal(conn_bind(&address, true, &fd, &why), ERR_EXISTS);
	snprintf(address.host, sizeof(address.host), "host.example");
	assert_int_equal(conn_bind(&address, true, &fd, &why), ERR_INVALID);
}

/* Several of ours on one port; but no other process, not even one of the same
 * user that would share. */
static void
a_port_is_shared_with_nobody_else(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "::1"};
	struct address address;
	struct errmsg why;
	int fds[3], status;
	pid_t pid;

	(void)state;
	for (size_t h = 0; h < ARRAY_SIZE(hosts); h++) {
		uint16_t port = (uint16_t)(20000 + getpid() % 10000);
		enum err rc;

		assert_int_equal(
		    address_parse(hosts[h], port, &address, &why), OK);
		while ((rc = conn_bind(&address, true, &fds[0], &why)) ==
		    ERR_EXISTS)
			address.port++;
		assert_int_equal(rc, OK);
		for (unsigned i = 1; i < 3; i++)
			assert_int_equal(
			    conn_bind(&address, true, &fds[i], &why), OK);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			for (unsigned i = 0; i < 3; i++)
				close(fds[i]);
			_exit((int)conn_bind(&address, true, &fds[0], &why));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), ERR_EXISTS);
		for (unsigned i = 0; i < 3; i++)
			close(fds[i]);
	}
}

static void
a_unix_socket_is_private_and_replaced_when_stale(void **state)
{
	struct world *world = *state;
	char *dir = test_tmpdir(), text[300];
	struct sockaddr_storage sa;
	struct address address;
	struct stat status;
	struct errmsg why;
	FILE *file;
	int fd, client;

	snprintf(text, sizeof(text), "unix://%s/http.sock", dir);
	assert_int_equal(address_parse(text, 0, &address, &why), OK);
	assert_int_equal(conn_bind(&address, false, &fd, &why), OK);
	assert_int_equal(stat(address.host, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(conn_bind(&address, false, &client, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, text));
	close(fd); /* the file stays, nobody answers */
	assert_int_equal(conn_bind(&address, false, &fd, &why), OK);
	assert_int_equal(conn_server_listen(world->server, fd, NULL, &why), OK);

	client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(address_sockaddr(&address, &sa, &why), OK);
	assert_int_equal(
	    connect(client, (struct sockaddr *)&sa, sizeof(struct sockaddr_un)),
	    0);
	say(client, GET("/w"));
	UNTIL(world, world->parked_count == 1);
	assert_true(conn_is_loopback(world->parked[0]));
	conn_peer_text(world->parked[0], text, sizeof(text));
	assert_string_equal(text, "unix");
	conn_reply(world->parked[0], 204, NULL, "", 0, NULL);
	expect(world, client,
	    "HTTP/1.1 204 No Content\r\nX-Frame-Options: DENY\r\n\r\n");
	close(client);

	snprintf(text, sizeof(text), "unix://%s/file", dir);
	assert_int_equal(address_parse(text, 0, &address, &why), OK);
	file = fopen(address.host, "we");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(conn_bind(&address, false, &fd, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, "no socket"));
	test_rmdir(dir);
}

/* ---- TLS, with our own stream as the client ----------------------------- */

struct client {
	struct stream stream;
	struct buf got;
	unsigned opened, ended, failed, closed;
};

static void
client_opened(struct stream *stream)
{
	CONTAINER_OF(stream, struct client, stream)->opened++;
}

static void
client_data(struct stream *stream, const uint8_t *data, size_t size)
{
	buf_raw(&CONTAINER_OF(stream, struct client, stream)->got, data, size);
}

static void
client_ended(struct stream *stream)
{
	CONTAINER_OF(stream, struct client, stream)->ended++;
}

static void
client_failed(struct stream *stream, enum err code, const struct errmsg *why)
{
	(void)code;
	(void)why;
	CONTAINER_OF(stream, struct client, stream)->failed++;
}

static void
client_closed(struct stream *stream)
{
	CONTAINER_OF(stream, struct client, stream)->closed++;
}

static const struct stream_events client_events = {client_opened, client_data,
    client_ended, client_failed, NULL, client_closed};

static struct tls_context *
context(const char *dir, const char *ca, const char *own)
{
	struct tls_context *out = NULL;
	struct tls_files files = {0};
	char paths[3][300];
	struct errmsg why;

	if (ca != NULL) {
		snprintf(paths[0], sizeof(paths[0]), "%s/%s.pem", dir, ca);
		files.ca_file = paths[0];
	}
	if (own != NULL) {
		snprintf(paths[1], sizeof(paths[1]), "%s/%s.pem", dir, own);
		snprintf(paths[2], sizeof(paths[2]), "%s/%s.key", dir, own);
		files.cert_file = paths[1];
		files.key_file = paths[2];
	}
	assert_int_equal(tls_context_new(&files, own != NULL, ca != NULL,
			     "http/1.1", &out, &why),
	    OK);
	return out;
}

static void
get_by_tls(struct world *world, struct client *client, uint16_t port,
    struct tls_context *tls, const char *request, unsigned good)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct errmsg why;

	memset(client, 0, sizeof(*client));
	client->got = buf_new(BIG * 2);
	assert_int_equal(stream_connect(&client->stream, world->server->shared,
			     &client_events, (struct sockaddr *)&to, tls,
			     "a.example", true, 1000, &why),
	    OK);
	assert_int_equal(
	    stream_write(&client->stream, request, strlen(request), NULL, &why),
	    OK);
	UNTIL(world, client->ended + client->failed > 0);
	assert_int_equal(client->opened, good);
	stream_close(&client->stream);
	UNTIL(world, client->closed == 1);
}

static void
tls_serves_and_a_reload_changes_the_certificate(void **state)
{
	static const char request[] =
	    "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	struct world *world = *state;
	struct tls_context *old_server, *new_server, *old_client, *new_client;
	char *dir = test_tmpdir();
	struct pki *old = pki_new(dir, "old-ca"), *new = pki_new(dir, "new-ca");
	struct client client;
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	struct errmsg why;
	int fd;

	pki_issue(old, &(struct pki_leaf){.name = "old", .dns = "a.example"});
	pki_issue(new, &(struct pki_leaf){.name = "new", .dns = "a.example"});
	old_server = context(dir, NULL, "old");
	new_server = context(dir, NULL, "new");
	old_client = context(dir, "old-ca", NULL);
	new_client = context(dir, "new-ca", NULL);
	assert_int_equal(conn_bind(&world->address, false, &fd, &why), OK);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
	assert_int_equal(
	    conn_server_listen(world->server, fd, old_server, &why), OK);

	get_by_tls(world, &client, ntohs(own.sin_port), old_client, request, 1);
	assert_true(client.got.size > BIG);
	buf_free(&client.got);
	conn_server_set_tls(world->server, new_server);
	get_by_tls(world, &client, ntohs(own.sin_port), old_client, request, 0);
	assert_int_equal(client.failed, 1);
	buf_free(&client.got);
	get_by_tls(world, &client, ntohs(own.sin_port), new_client, request, 1);
	assert_true(client.got.size > BIG);
	buf_free(&client.got);

	/* Over the limit it is told so after the handshake. */
	world->limits.max_connections = 0;
	get_by_tls(world, &client, ntohs(own.sin_port), new_client, request, 1);
	assert_memory_equal(client.got.data, "HTTP/1.1 503 ", 13);
	buf_free(&client.got);

	tls_context_unref(old_server);
	tls_context_unref(new_server);
	tls_context_unref(old_client);
	tls_context_unref(new_client);
	pki_free(old);
	pki_free(new);
	test_rmdir(dir);
}

static void
a_header_that_is_none_is_refused(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {{"", "a"}, {"X Y", "a"}, {"X:", "a"}, {"X", "a\r\nB: c"},
	    {"X", "\x7f"}};
	struct world *world = *state;
	struct conn_server *server = NULL;
	struct errmsg why;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conn_limits limits = {.header_names = &cases[i].name,
		    .header_values = &cases[i].value,
		    .header_count = 1};

		assert_int_equal(conn_server_new(world->loop, &limits, handle,
				     world, &server, &why),
		    ERR_INVALID);
		assert_null(server);
	}
}

/* What a parked plain connection costs, the kernel's part aside. A sanitizer's
 * heap says nothing of it. */
static void
a_parked_connection_is_cheap(void **state)
{
	enum { COUNT = 400 };
	struct world *world = *state;
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

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

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
	    SERVED(deadlines_end_what_does_not_move),
	    SERVED(trickling_does_not_help),
	    SERVED(too_many_are_told_to_come_again),
	    SERVED(stopping_lets_answers_out_and_ends),
	    SERVED(out_of_descriptors_drops_but_does_not_hang),
	    SERVED(a_busy_address_is_named),
	    SERVED(a_port_is_shared_with_nobody_else),
	    SERVED(a_unix_socket_is_private_and_replaced_when_stale),
	    SERVED(tls_serves_and_a_reload_changes_the_certificate),
	    SERVED(a_header_that_is_none_is_refused),
	    SERVED(a_parked_connection_is_cheap),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
