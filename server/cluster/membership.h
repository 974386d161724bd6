/*
 * membership - changes to the raft configuration, and leadership handed on.
 *
 * The one door to libraft's raft_add, raft_assign, raft_remove and
 * raft_transfer: it holds the rule of hazard 1 and allows one change and one
 * transfer at a time. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_MEMBERSHIP_H
#define SERVER_CLUSTER_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/err.h"

struct consensus;
struct membership;

MUST_CHECK enum err membership_new(
    struct consensus *consensus, struct membership **out, struct errmsg *why);
void membership_free(struct membership *membership);

enum membership_change {
	MEMBERSHIP_ADD,     /* as a spare */
	MEMBERSHIP_STANDBY, /* gets the log, no vote */
	MEMBERSHIP_VOTER,   /* after catching up */
	MEMBERSHIP_REMOVE
};
typedef void (*membership_cb)(void *arg, enum err status);
/*
 * The one way membership changes (hazard 1): refused with ERR_NOTLEADER until
 * ready, ERR_BUSY while another is under way. cb once, later, if OK is
 * returned; its status may be ERR_UNKNOWN: look at the configuration again.
 */
MUST_CHECK enum err membership_change(struct membership *membership,
    enum membership_change change, uint64_t id, membership_cb cb, void *arg,
    struct errmsg *why);

#define MEMBERSHIP_WAIT_MS 500 /* for the other to have every entry */

/*
 * Hand leadership to id (0 = any voter) as soon as it has every entry; none may
 * be begun meanwhile. done runs once it is over, later: look at
 * consensus_leading. ERR_NOTLEADER, ERR_BUSY, ERR_NOTFOUND.
 */
MUST_CHECK enum err membership_transfer(struct membership *membership,
    uint64_t id, void (*done)(void *arg), void *arg, struct errmsg *why);
bool membership_transferring(const struct membership *membership);
/* At the end of each turn. */
void membership_turn(struct membership *membership);
/* A transfer that has not begun is over. */
void membership_stop(struct membership *membership);

#endif
