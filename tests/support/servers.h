/*
 * servers - transports of several servers on loopback in one loop, and raw
 * sockets to talk to them with. Not thread-safe; asserts by cmocka.
 */
#ifndef TESTS_SUPPORT_SERVERS_H
#define TESTS_SUPPORT_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/transport.h"
#include "tests/support/test.h"

#define SERVERS_KEPT 32 /* messages and frames kept per server */

struct server {
	struct loop *loop;
	struct transport *transport; /* NULL = stopped */
	struct hello self;
	uint16_t port;
	char address[32];   /* 127.0.0.1:port */
	const char *denies; /* greeted() refuses with these words */
	bool makes_peers;   /* greeted() calls transport_peer */
	unsigned ups, downs, deafs, greetings;
	uint64_t last_up, last_down;
	struct hello last_greeted;
	unsigned message_count; /* raft messages, owned */
	struct raft_message messages[SERVERS_KEPT];
	char message_address[NODE_ADDRESS_MAX]; /* of the last one */
	unsigned frame_count;
	struct server_frame {
		uint64_t from;
		enum frame_type type;
		struct buf data;
	} frames[SERVERS_KEPT];
	bool closed; /* private */
};

/* Listening on a port of the kernel's choice, or on the given one. */
void server_start(struct server *server, struct loop *loop, uint64_t id,
    uint16_t port, const struct transport_tls *tls);
void server_stop(struct server *server);
/* Forget and free what has arrived. */
void server_forget(struct server *server);
void server_peer(struct server *server, const struct server *other);

struct loop *servers_loop(void);
/* Run the loop until *counter >= want; fails the test after ms. */
void servers_until(
    struct loop *loop, const unsigned *counter, unsigned want, unsigned ms);
void servers_run(struct loop *loop, unsigned ms);
/* Both know each other and both main connections are up. */
void servers_connect(struct server *a, struct server *b);

/* A non-blocking socket connected to the server; one that listens on loopback,
 * and its address. */
int raw_connect(const struct server *server);
int raw_listen(char *address, size_t size);
void raw_send(int fd, enum frame_type type, const void *data, size_t size);
void raw_hello(int fd, const struct hello *hello);
/* Run the loop until a whole frame arrived (true) or the end (false). data
 * holds size bytes. */
bool raw_frame(
    struct loop *loop, int fd, enum frame_type *type, void *data, size_t *size);

#endif
