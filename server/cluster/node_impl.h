/*
 * node_impl - struct node, for node.c, node_events.c and node_stop.c alone.
 */
#ifndef SERVER_CLUSTER_NODE_IMPL_H
#define SERVER_CLUSTER_NODE_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "server/cluster/consensus.h"
#include "server/cluster/env.h"
#include "server/cluster/identity.h"
#include "server/cluster/node.h"
#include "server/cluster/rpctls.h"
#include "server/cluster/status.h"
#include "server/cluster/transport.h"

#define NODE_LOOPS_MAX   64
#define NODE_SUBSCRIBERS 4

struct calls;
struct disk;
struct operator;
struct proposals;
struct reads;
struct statehash;

struct node {
	struct env env;
	struct identity identity;
	int lock;
	struct consensus *consensus;
	struct transport *transport;
	struct rpctls tls;
	struct proposals *proposals;
	struct quorum *quorum;
	struct reads *reads;
	struct calls *calls;
	struct members *members;
	struct formation *formation;
	struct statehash *statehash;
	struct operator* operator;
	struct disk *disk;
	struct status *status;

	bool started; /* raft is */
	bool ready;   /* as last told to the role callbacks */
	uint64_t unmute_ms, pushed, care_ms;
	uv_timer_t timer;
	bool timer_open;

	struct watch *watches[NODE_LOOPS_MAX];
	unsigned watch_count;
	struct {
		node_role_cb cb;
		void *arg;
	} roles[NODE_SUBSCRIBERS];
	struct {
		node_applied_cb cb;
		void *arg;
	} applied[NODE_SUBSCRIBERS];
	unsigned role_count, applied_count;

	struct status_facts facts; /* for the headers of every answer */
	void (*closed)(void *arg);
	void *closed_arg;
	uint64_t handover_ms;
};

/* What the parts call back; arg is the node. */
extern const struct consensus_events node_consensus_events;
extern const struct transport_events node_transport_events;
void node_on_round(void *arg, uint64_t round, bool proved);
void node_on_rotten(void *arg, uint64_t index);
void node_on_timer(uv_timer_t *timer);

/* Read the cluster row: formed, quota. */
void node_read_cluster(struct node *node);
/* Tell the role callbacks if readiness changed. */
void node_tell_role(struct node *node);

#endif
