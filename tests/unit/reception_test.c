/*
 * Goal: the server port waits 10 s for a hello, and no longer.
 * Method: a reception whose ticks are counted by hand instead of by a clock.
 */
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "server/cluster/inbound.h"
#include "server/cluster/reception.h"
#include "server/loop.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_hello_within_ten_seconds_closes),
	};

	return cmocka_run_group_tests_name("reception", tests, NULL, NULL);
}
