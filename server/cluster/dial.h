/*
 * dial - one connection we make and keep: resolve, connect, hello, again.
 *
 * States: waiting -> resolving -> connecting -> greeting -> up, and from each
 * back to waiting when it fails: 50 ms, doubling to 1 s, give or take a fifth;
 * from the start again once it was up. A name is resolved anew at each try and
 * all its addresses are tried in turn. A try that is not up after 3 s has
 * failed. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_DIAL_H
#define SERVER_CLUSTER_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "server/cluster/hello.h"
#include "server/cluster/link.h"
#include "storage/err.h"

struct dial;
struct hub;

struct dial_events {
	/* The welcome of an acceptable server arrived (its id is the one asked
	 * for, if one was). The dial may be closed in here. */
	void (*up)(struct dial *dial, const struct hello *theirs);
	/* It was up. */
	void (*down)(struct dial *dial);
	void (*drained)(struct dial *dial); /* NULL allowed */
	/* After dial_close: the memory may go. */
	void (*closed)(struct dial *dial);
};

/* Embedded by the owner. */
struct dial {
	struct link link;
	bool up;
	/* private */
	struct hub *hub;
	const struct dial_events *events;
	uint64_t id; /* whom we expect, 0 = anyone but ourselves */
	bool bulk;
	bool closing;
	bool timer_open;
	bool resolving, stale;
	bool greeting;  /* our hello is out */
	bool said;      /* this series of failures has been logged */
	unsigned tries; /* failed in a row */
	unsigned ticks; /* of the present try */
	char address[NODE_ADDRESS_MAX];
	uv_timer_t timer;
	uv_getaddrinfo_t resolver;
	struct addrinfo *found, *next; /* owned; next one to try */
};

/* Begin, and go on until dial_close. address: canonical text, copied. */
void dial_open(struct dial *dial, struct hub *hub,
    const struct dial_events *events, uint64_t id, bool bulk,
    const char *address);
/* From now on to this address; a connection to another is closed (down). */
void dial_redirect(struct dial *dial, const char *address);
/* The server is alive: one that waits for its next try makes it now. */
void dial_hurry(struct dial *dial);
/* Once a LINK_TICK_MS. */
void dial_tick(struct dial *dial);
void dial_close(struct dial *dial);

#endif
