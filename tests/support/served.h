/*
 * served - a connection server on a test's own loop, and raw clients of it.
 *
 * The handler answers every path with itself, but parks /w... in world->parked
 * and answers /b... with SERVED_BIG zero bytes. Everything runs on the test's
 * thread, so the clients' sockets do not block and each wait turns the loop.
 */
#ifndef TESTS_SUPPORT_SERVED_H
#define TESTS_SUPPORT_SERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include "server/loop.h"
#include "server/net/connserver.h"
#include "tests/support/test.h"

#define SERVED_BODY_MAX   1024
#define SERVED_BIG        (8u << 20)
#define SERVED_WAIT_MS    8000
#define SERVED_PARKED_MAX 1000

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct served {
	struct loop *loop;
	uv_loop_t *uv;
	uv_timer_t pulse; /* ends a turn in which nothing happens */
	struct conn_limits limits;
	struct conn_server *server;
	struct address address; /* 127.0.0.1, port 0 */
	uint16_t port;
	unsigned handled, gone, closed;
	struct conn *parked[SERVED_PARKED_MAX];
	unsigned parked_count;
	const struct http_request *kept;
	bool keep, mute; /* keep the request; do not ask for word */
	char log[4096];  /* paths and bodies as handled */
	struct body *big;
};

/* For cmocka_unit_test_setup_teardown; *state is the struct served. */
int served_set_up(void **state);
int served_tear_down(void **state);
/* The handler, for a second server. */
void served_handle(
    void *arg, struct conn *conn, const struct http_request *request);
void served_stopped(void *arg);

/* Turn the loop until condition holds; too long is a failure. */
#define UNTIL(world, condition)                                                \
	do {                                                                   \
		uint64_t start = uv_now((world)->uv);                          \
		while (!(condition)) {                                         \
			assert_true(                                           \
			    uv_now((world)->uv) - start < SERVED_WAIT_MS);     \
			uv_run((world)->uv, UV_RUN_ONCE);                      \
		}                                                              \
	} while (0)

int dial(const struct served *world);
void say(int fd, const char *text);
/* Read until want is seen at the end, or the server ends (*ended). want NULL:
 * until it ends. */
void hear(struct served *world, int fd, const char *want, char *out,
    size_t size, bool *ended);
void expect(struct served *world, int fd, const char *want);
/* All that comes before the server's end, in static memory; closes fd. */
char *to_the_end(struct served *world, int fd);

#define SERVED(test)                                                           \
	cmocka_unit_test_setup_teardown(test, served_set_up, served_tear_down)

#endif
