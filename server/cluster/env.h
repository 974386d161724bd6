/*
 * env - what the parts of a node share: borrowed pointers and a few facts.
 * Owned by the node; consensus loop only.
 */
#ifndef SERVER_CLUSTER_ENV_H
#define SERVER_CLUSTER_ENV_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct consensus;
struct identity;
struct loop;
struct membership;
struct transport;
struct worker;

struct env {
	const struct config *config;
	struct loop *loop;
	struct worker *worker;
	struct identity *identity;
	struct consensus *consensus;
	struct membership *membership;
	struct transport *transport;
	bool formed;   /* the cluster row exists: all first servers vote */
	bool low_disk; /* here, or a voter says so (leader) */
	bool stopping;
	bool removed;   /* we are out, as far as we know, and nobody leads us */
	uint64_t quota; /* bytes of live state, from the cluster row */
};

#endif
