/*
 * inbound - one accepted connection: hello first, then what the peer sends.
 *
 * States: waiting for the hello (10 s, 64 KiB) -> greeted, or refused with
 * words and closed. Only a greeted one delivers, and what it delivers carries
 * the id of its hello, never one from a message. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_INBOUND_H
#define SERVER_CLUSTER_INBOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/hello.h"
#include "server/cluster/link.h"
#include "server/cluster/snapshot_in.h"

#define INBOUND_HELLO_TICKS 100 /* of LINK_TICK_MS */

struct hub;
struct inbound;

struct inbound_events {
	/* It has said who it is and is accepted. */
	void (*greeted)(struct inbound *inbound);
	/* Its first frame that is more than a keep-alive. */
	void (*proven)(struct inbound *inbound);
	/* The memory may go. */
	void (*closed)(struct inbound *inbound);
};

struct inbound {
	struct inbound *next; /* the owner's list */
	void *owner;          /* the owner's */
	bool greeted;
	bool bulk;
	uint64_t id, instance; /* once greeted */
	/* private */
	struct link link;
	struct hub *hub;
	const struct inbound_events *events;
	bool proven;
	unsigned ticks; /* without a hello, or with a refusal on its way */
	struct snapshot_in snapshot;
	char address[NODE_ADDRESS_MAX]; /* from the hello */
	char from[NODE_ADDRESS_MAX];    /* the socket's, for the log */
};

/* Take one connection from the listener. ERR_NOMEM: it still waits there. */
MUST_CHECK enum err inbound_new(struct hub *hub,
    const struct inbound_events *events, void *owner, uv_stream_t *listener,
    struct inbound **out, struct errmsg *why);
void inbound_tick(struct inbound *inbound); /* once a LINK_TICK_MS */
/* why: for the log, NULL = nothing to say. */
void inbound_close(struct inbound *inbound, const char *why);

#endif
