/*
 * hello - how two servers introduce themselves before any other frame.
 *
 * The dialer sends a hello, the acceptor judges it and answers with its own or
 * with a refusal whose words both sides log. Wire form: the fields below in
 * order, integers big-endian, texts as u32 length + bytes. [fuzz]
 */
#ifndef SERVER_CLUSTER_HELLO_H
#define SERVER_CLUSTER_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/node.h"
#include "storage/buf.h"
#include "storage/err.h"

#define HELLO_KNOWN_MAX 16
#define HELLO_SIZE_MAX  (64u << 10) /* bytes of one encoded hello */

/* What the sender is to its cluster. Travels: append, never renumber. */
enum hello_state {
	HELLO_EMPTY = 0,    /* no cluster yet, no promise given */
	HELLO_PROMISED = 1, /* promised to cluster_id, not yet a member */
	HELLO_MEMBER = 2    /* has a raft configuration */
};

struct hello {
	uint32_t wire; /* CONCLAVE_WIRE */
	bool bulk;     /* second connection of the pair */
	enum hello_state state;
	uint32_t expect;   /* bootstrap_expect, 0 = joins only */
	uint64_t id;       /* raft id */
	uint64_t start;    /* start counter of this process */
	uint64_t instance; /* random, drawn at process start */
	uint64_t acked_id; /* raft id of whom the sender dials, 0 = unknown:
			      another may live at that address by now */
	uint64_t acked_term,
	    acked_index; /* what that one once acknowledged to the sender as
			    stored (hazard 4); 0 = nothing known */
	char cluster_id[NODE_UUID_SIZE]; /* "" while empty */
	char node_id[NODE_UUID_SIZE];
	char name[NODE_NAME_MAX];
	char datacenter[NODE_NAME_MAX];
	char address[NODE_ADDRESS_MAX]; /* where the sender can be dialed */
	char version[32];
	unsigned known_count; /* other servers the sender knows of */
	struct hello_known {
		uint64_t id; /* 0 = id not known */
		char address[NODE_ADDRESS_MAX];
	} known[HELLO_KNOWN_MAX];
};

void hello_encode(const struct hello *hello, struct buf *out);
/* Texts must be free of control bytes, ids not 0, nothing may follow the last
 * field. ERR_CORRUPT, ERR_UNSUPPORTED (a newer wire: why names both). */
MUST_CHECK enum err hello_decode(
    const uint8_t *data, size_t size, struct hello *out, struct errmsg *why);

/*
 * May these two talk? Pure rule, used on both sides. ERR_DENIED with the words
 * for: another datacenter; another cluster; two different servers with one
 * raft id ("second instance of server ..."): same id with another instance and
 * a start counter not above the one seen (seen_start, seen_instance; 0 = never
 * seen); our own id. ERR_EXISTS: it is this very process.
 */
MUST_CHECK enum err hello_judge(const struct hello *ours,
    const struct hello *theirs, uint64_t seen_start, uint64_t seen_instance,
    struct errmsg *why);

#endif
