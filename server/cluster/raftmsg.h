/*
 * raftmsg - libraft's messages <-> bytes. [fuzz]
 *
 * u8 type, then the fields of the public struct in order, big-endian. Entries:
 * u32 count, each u64 term, u8 type, u32 size, bytes. Configuration: u32 count,
 * each u64 id, u8 role, text address. Decoding builds what libraft expects to
 * own: one raft_malloc'ed array of entries and one payload block (every entry's
 * batch points at it, data 8-byte aligned and padded); n_entries 0 means
 * entries NULL. What libraft would believe without a look and crash on is
 * refused here: an entry whose size is no multiple of 8, of term 0 or above the
 * message's, a configuration entry that is not whole. Consensus loop.
 */
#ifndef SERVER_CLUSTER_RAFTMSG_H
#define SERVER_CLUSTER_RAFTMSG_H

#include <raft.h>

#include "storage/buf.h"
#include "storage/err.h"

/* Bytes of one encoded AppendEntries: heads and whole entries. */
#define RAFTMSG_APPEND_MAX (8u << 20)
/* Servers in one configuration; the cluster's own limit is lower. */
#define RAFTMSG_SERVERS_MAX 64

/*
 * How many of the entries go into one message: what fits into
 * RAFTMSG_APPEND_MAX bytes, at least one of n > 0, and a change of the
 * configuration only as the first. libraft's follower notes it under the index
 * of the message's first entry: found further back it would never count as
 * committed there (that follower, once leader, could change no membership), nor
 * be taken back when it is truncated.
 */
unsigned raftmsg_fitting(const struct raft_entry *entries, unsigned n);

/* All but InstallSnapshot's data, which follows in frames of its own: for that
 * type only the head is written. ERR via buf_status. */
void raftmsg_encode(const struct raft_message *message, struct buf *out);

/*
 * server_id and server_address of the message are left zero: they come from
 * the connection. For InstallSnapshot data.base is NULL. Moved to the caller,
 * who hands it to libraft or calls raftmsg_free. ERR_CORRUPT, ERR_NOMEM.
 */
MUST_CHECK enum err raftmsg_decode(const uint8_t *data, size_t size,
    struct raft_message *out, struct errmsg *why);
void raftmsg_free(struct raft_message *message);

#endif
