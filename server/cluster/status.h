/*
 * status - what this server knows of the cluster, copied for other threads.
 *
 * Refreshed on the consensus loop at each tick and change of role; read under
 * a short lock, or, for the headers of every answer, as relaxed atomics.
 */
#ifndef SERVER_CLUSTER_STATUS_H
#define SERVER_CLUSTER_STATUS_H

#include <stdatomic.h>

#include "server/cluster/env.h"
#include "server/cluster/formation.h"
#include "server/cluster/hello.h"
#include "server/cluster/members.h"
#include "server/cluster/node.h"
#include "server/cluster/quorum.h"

struct status;

struct status_facts {
	atomic_bool leader_known;
	atomic_uint_least64_t
	    heard_ms; /* of the last leader; 0 = we lead, or none yet */
};

/* ERR_INVALID: the configuration does not say where others find us. */
MUST_CHECK enum err status_new(
    struct env *env, struct status **out, struct errmsg *why);
void status_free(struct status *status);
/* The parts it asks; borrowed. */
void status_use(struct status *status, const struct quorum *quorum,
    const struct members *members, const struct formation *formation);

/* Consensus loop. started: raft is. */
void status_refresh(struct status *status, bool started);
void status_facts(
    struct status *status, bool started, struct status_facts *facts);
/* Who we are and whom we know, into a hello. */
void status_introduce(const struct status *status, struct hello *ours);
/* Our own address as advertised, "ip:port". Borrowed. */
const char *status_address(const struct status *status);

/* Any thread. */
void status_copy(struct status *status, struct node_status *out);

#endif
