/*
 * reception - the server port and the connections accepted on it.
 *
 * At most 64 connections may wait with no hello said, and 256 be open at all;
 * more are closed at once. Of one server's connections of one kind the newest
 * that is in use stands; those of its earlier process go when a new one is
 * greeted. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_RECEPTION_H
#define SERVER_CLUSTER_RECEPTION_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "server/cluster/hub.h"
#include "storage/err.h"

#define RECEPTION_WAITING_MAX 64
#define RECEPTION_OPEN_MAX    256

struct inbound;

/* Private; zeroed by reception_init. */
struct reception {
	struct hub *hub;
	struct inbound *list;
	uv_tcp_t listener;
	bool listening; /* from listen to reception_close */
	bool busy;      /* the listener's handle is in use */
	bool starved;   /* a connection waits for memory */
	uint16_t port;
};

void reception_init(struct reception *reception, struct hub *hub);
/* ERR_EXISTS: the address is in use; ERR_INVALID, ERR_IO, ERR_BADSTATE. */
MUST_CHECK enum err reception_listen(
    struct reception *reception, const char *address, struct errmsg *why);
/* Is a greeted connection of that server and kind open? */
bool reception_has(const struct reception *reception, uint64_t id, bool bulk);
/* Close all connections of a server. */
void reception_drop(struct reception *reception, uint64_t id);
void reception_tick(struct reception *reception); /* once a LINK_TICK_MS */
/* Close all; each object releases the hub when it is gone. */
void reception_close(struct reception *reception);

#endif
