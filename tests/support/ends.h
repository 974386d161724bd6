/*
 * ends - both ends of a stream on one loop of the test's, over loopback.
 *
 * A listener takes one connection at a time into ends->server; ends->client
 * dials it. Each end counts its callbacks, keeps what it got, and can be told
 * to close from inside any of them.
 */
#ifndef TESTS_SUPPORT_ENDS_H
#define TESTS_SUPPORT_ENDS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include "server/net/stream.h"
#include "tests/support/pki.h"
#include "tests/support/test.h"

#define ENDS_BIG     (3u << 20)
#define ENDS_WAIT_MS 10000

/* Callbacks of a stream. */
enum event { AT_NONE, AT_OPENED, AT_DATA, AT_ENDED, AT_FAILED, AT_DRAINED };

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

struct ends {
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

/* Certificates, once for a group; a loop and a listener for each test. After
 * it everything must have been closed, or the loop does not close. */
int ends_make_world(void **state);
int ends_end_world(void **state);
int ends_set_up(void **state);
int ends_tear_down(void **state);

extern const struct stream_events ends_events;

/* Turn the loop until condition holds; the clock ends a turn in which nothing
 * happens. */
#define UNTIL(world, condition)                                                \
	do {                                                                   \
		uint64_t start = uv_now(&(world)->loop);                       \
		while (!(condition)) {                                         \
			assert_true(                                           \
			    uv_now(&(world)->loop) - start < ENDS_WAIT_MS);    \
			uv_run(&(world)->loop, UV_RUN_ONCE);                   \
		}                                                              \
	} while (0)

void ends_dial(struct ends *world, bool tls);
void ends_unlisten(struct ends *world);
void ends_close_both(struct ends *world);
/* Forget what was counted and kept, for another round. */
void ends_reset(struct ends *world);
/* size bytes that do not repeat soon. */
struct body *ends_pattern(size_t size);

#define ON_LOOP(test)                                                          \
	cmocka_unit_test_setup_teardown(test, ends_set_up, ends_tear_down)

#endif
