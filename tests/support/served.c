#include "tests/support/served.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void
on_gone(struct conn *conn, void *arg)
{
	struct served *world = arg;

	for (unsigned i = 0; i < world->parked_count; i++) {
		if (world->parked[i] == conn)
			world->parked[i] = NULL;
	}
	world->gone++;
}

static void
note(struct served *world, const struct http_request *request)
{
	size_t used = strlen(world->log);

	snprintf(world->log + used, sizeof(world->log) - used, "%.*s[%.*s]",
	    (int)request->path.size, request->path.data,
	    (int)request->body.size, request->body.data);
}

void
served_handle(void *arg, struct conn *conn, const struct http_request *request)
{
	struct served *world = arg;

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
		assert_true(world->parked_count < SERVED_PARKED_MAX);
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

int
served_set_up(void **state)
{
	struct served *world = calloc(1, sizeof(*world));
	static const char *const names[] = {"X-Frame-Options"};
	static const char *const values[] = {"DENY"};
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	struct errmsg why;
	uint8_t *zeros;
	int fd;

	assert_non_null(world);
	world->limits.max_connections = 10000;
	world->limits.body_max = SERVED_BODY_MAX;
	world->limits.header_names = names;
	world->limits.header_values = values;
	world->limits.header_count = 1;
	zeros = calloc(1, SERVED_BIG);
	assert_non_null(zeros);
	world->big = body_new(zeros, SERVED_BIG);
	free(zeros);
	assert_int_equal(loop_new("test", &world->loop, &why), OK);
	world->uv = loop_uv(world->loop);
	assert_int_equal(conn_server_new(world->loop, &world->limits,
			     served_handle, world, &world->server, &why),
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

void
served_stopped(void *arg)
{
	struct served *world = arg;

	world->closed++;
}

int
served_tear_down(void **state)
{
	struct served *world = *state;

	if (!world->server->stopping)
		conn_server_stop(world->server, served_stopped, world);
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

int
dial(const struct served *world)
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

void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

void
hear(struct served *world, int fd, const char *want, char *out, size_t size,
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
		assert_true(uv_now(world->uv) - start < SERVED_WAIT_MS);
		uv_run(world->uv, UV_RUN_NOWAIT);
		if (got < 0)
			uv_run(world->uv, UV_RUN_ONCE);
	}
	out[used] = '\0';
}

void
expect(struct served *world, int fd, const char *want)
{
	char text[4096];
	bool ended;

	hear(world, fd, want, text, sizeof(text), &ended);
	assert_false(ended);
}

char *
to_the_end(struct served *world, int fd)
{
	static char text[4096];
	bool ended;

	hear(world, fd, NULL, text, sizeof(text), &ended);
	assert_true(ended);
	close(fd);
	return text;
}
