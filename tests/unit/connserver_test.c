/*
 * Goal: deadlines and limits hold, stopping ends, and a server without file
 * descriptors goes on.
 * Method: a server on the test's own loop, raw sockets as clients; deadlines
 * are brought near through the private header instead of being waited for.
 */
#include "server/net/connserver.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/served.h"

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
	struct served *world = *state;
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
	struct served *world = *state;
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
	struct served *world = *state;
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
	struct served *world = *state;
	int idle = dial(world), parked = dial(world), lost = dial(world);

	say(parked, GET("/w"));
	UNTIL(world, world->parked_count == 1);
	say(lost, GET("/w"));
	UNTIL(
	    world, world->parked_count == 2 && world->server->connections == 3);
	conn_server_stop(world->server, served_stopped, world);
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
	struct served *world = *state;
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
a_header_that_is_none_is_refused(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {{"", "a"}, {"X Y", "a"}, {"X:", "a"}, {"X", "a\r\nB: c"},
	    {"X", "\x7f"}};
	struct served *world = *state;
	struct conn_server *server = NULL;
	struct errmsg why;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conn_limits limits = {.header_names = &cases[i].name,
		    .header_values = &cases[i].value,
		    .header_count = 1};

		assert_int_equal(conn_server_new(world->loop, &limits,
				     served_handle, world, &server, &why),
		    ERR_INVALID);
		assert_null(server);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVED(deadlines_end_what_does_not_move),
	    SERVED(trickling_does_not_help),
	    SERVED(too_many_are_told_to_come_again),
	    SERVED(stopping_lets_answers_out_and_ends),
	    SERVED(out_of_descriptors_drops_but_does_not_hang),
	    SERVED(a_header_that_is_none_is_refused),
	};

	return cmocka_run_group_tests_name("connserver", tests, NULL, NULL);
}
