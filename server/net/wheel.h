/*
 * wheel - deadlines to the second for very many connections, at no cost while
 * they only move further away.
 *
 * A node stands in the slot of some second at or before its deadline. When that
 * second comes the wheel looks: due is told, later is moved on. So to put a
 * deadline off is one store; only to bring it nearer costs a move. One timer
 * of the owner's turns it. Nodes without a deadline wait aside. One loop.
 */
#ifndef SERVER_NET_WHEEL_H
#define SERVER_NET_WHEEL_H

#include <stdint.h>

#define WHEEL_SLOTS 128        /* seconds */
#define WHEEL_NEVER UINT32_MAX /* no deadline */

/* Embed it; all zero before the first wheel_set. */
struct wheel_node {
	struct wheel_node *next, *previous; /* private */
	uint32_t due;                       /* seconds */
	uint32_t seen; /* private: the second of its slot */
};

struct wheel {
	struct wheel_node slots[WHEEL_SLOTS];
	struct wheel_node aside; /* those without a deadline */
	uint32_t now;
};

/* now: seconds of a clock that does not run backwards. */
void wheel_init(struct wheel *wheel, uint32_t now);
/* A deadline (WHEEL_NEVER = none); the node may be in the wheel already. */
void wheel_set(struct wheel *wheel, struct wheel_node *node, uint32_t due);
/* Take it out; it must be in. */
void wheel_remove(struct wheel_node *node);
/* Time goes on: expired runs for each node that is due, which is out of the
 * wheel then. It may set and remove any node. */
void wheel_turn(struct wheel *wheel, uint32_t now,
    void (*expired)(struct wheel_node *node, void *arg), void *arg);
/* each runs once for every node; it may remove that one node only. */
void wheel_each(struct wheel *wheel,
    void (*each)(struct wheel_node *node, void *arg), void *arg);

#endif
