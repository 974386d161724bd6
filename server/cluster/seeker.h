/*
 * seeker - dials an address until somebody's hello tells whose it is.
 *
 * Consensus loop only.
 */
#ifndef SERVER_CLUSTER_SEEKER_H
#define SERVER_CLUSTER_SEEKER_H

#include <stdbool.h>

#include "server/cluster/dial.h"

#define SEEKER_MAX 32 /* addresses sought at a time */

struct seeker;

struct seeker_events {
	/* Somebody else than ourselves lives there. The seeker is closing. */
	void (*found)(struct seeker *seeker, const struct hello *theirs);
	void (*closed)(struct seeker *seeker); /* the memory may go */
};

struct seeker {
	struct seeker *next; /* the owner's list */
	void *owner;         /* the owner's */
	char address[NODE_ADDRESS_MAX];
	/* private */
	struct hub *hub;
	const struct seeker_events *events;
	struct dial dial;
};

/* address: canonical text, copied. NULL: out of memory. */
struct seeker *seeker_new(struct hub *hub, const struct seeker_events *events,
    void *owner, const char *address);
void seeker_close(struct seeker *seeker);

#endif
