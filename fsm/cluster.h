/*
 * cluster - who belongs to this cluster, as the cluster itself agrees on it.
 *
 * The raft configuration says who votes; these rows say who they are. Member
 * records are keyed by raft id (big-endian u64). Readers: any thread, own
 * transaction, results borrowed. Writers: apply only.
 */
#ifndef FSM_CLUSTER_H
#define FSM_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/span.h"
#include "fsm/topic.h"
#include "storage/err.h"
#include "storage/txn.h"

#define CLUSTER_MEMBERS_MAX   16
#define CLUSTER_TEXT_MAX      255                 /* bytes of each text below */
#define CLUSTER_QUOTA_DEFAULT (UINT64_C(1) << 30) /* bytes of live state */
#define CLUSTER_QUOTA_MIN     (UINT64_C(1) << 20)

/* COMMAND_CLUSTER_INIT; a second one is refused: ERR_EXISTS. */
struct cluster_init {
	struct span cluster_id; /* UUID drawn at bootstrap: server identity, not
				   the CA's ClusterID */
	struct span datacenter;
};

/* COMMAND_CLUSTER_QUOTA: ERR_INVALID below CLUSTER_QUOTA_MIN, ERR_BADSTATE
 * before COMMAND_CLUSTER_INIT. */
struct cluster_quota {
	uint64_t bytes;
};

struct cluster {
	struct span cluster_id, datacenter;
	uint64_t quota; /* bytes; default CLUSTER_QUOTA_DEFAULT */
	uint64_t create_index, modify_index;
};

struct member {
	uint64_t id;         /* raft id, not 0 */
	struct span node_id; /* UUID, survives a change of raft id */
	struct span name;    /* node name */
	struct span address; /* "ip:port" of the server RPC, as advertised */
	struct span version; /* program version */
	uint64_t create_index, modify_index; /* set by apply */
};

/* ERR_NOTFOUND, ERR_CORRUPT, ERR_IO. */
MUST_CHECK enum err cluster_get(
    struct txn *txn, struct cluster *out, struct errmsg *why);
MUST_CHECK enum err cluster_member(
    struct txn *txn, uint64_t id, struct member *out, struct errmsg *why);
/* By raft id ascending. ERR_LIMIT if there are more than max. */
MUST_CHECK enum err cluster_members(struct txn *txn, struct member *out,
    size_t max, size_t *count, struct errmsg *why);

/* The rules, as in fsm/tlsconf.h. A member set as it stands, the quota as it
 * stands, or a missing member deleted: OK, not changed. */
struct fsm_result;
MUST_CHECK enum err cluster_apply_init(struct txn *txn, uint64_t revision,
    const struct cluster_init *init, struct fsm_result *result);
MUST_CHECK enum err cluster_apply_quota(struct txn *txn, uint64_t revision,
    const struct cluster_quota *quota, struct fsm_result *result);
MUST_CHECK enum err cluster_apply_member(struct txn *txn, uint64_t revision,
    const struct member *member, struct fsm_result *result);
MUST_CHECK enum err cluster_apply_member_delete(
    struct txn *txn, uint64_t revision, uint64_t id, struct fsm_result *result);

#endif
