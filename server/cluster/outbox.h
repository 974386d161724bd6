/*
 * outbox - small answers to other servers, collected per peer and sent as one
 * frame at the end of a loop turn. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_OUTBOX_H
#define SERVER_CLUSTER_OUTBOX_H

#include "server/cluster/frame.h"
#include "storage/buf.h"
#include "storage/err.h"

struct outbox;
struct transport;

/* All its frames are of one type and go by the bulk connection. */
MUST_CHECK enum err outbox_new(
    enum frame_type type, struct outbox **out, struct errmsg *why);
void outbox_free(struct outbox *outbox);
/* Where to append the next item for peer; borrowed until the next call. Sends
 * what is there when it has grown large. NULL: out of places. */
struct buf *outbox_item(
    struct outbox *outbox, struct transport *transport, uint64_t peer);
/* Send all. What cannot be sent is dropped: the asker's deadline decides. */
void outbox_flush(struct outbox *outbox, struct transport *transport);

#endif
