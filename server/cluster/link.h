/*
 * link - one framed connection between servers.
 *
 * A stream, the reader that cuts it into frames, and the watch on silence: once
 * armed, link_tick sends a keep-alive when nothing was sent for 500 ms and
 * gives the connection up when nothing was heard for 3 s. Silence is counted in
 * ticks that ran, not in time, so a loop that stalled does not take its own
 * stall for the peer's death. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_LINK_H
#define SERVER_CLUSTER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "server/cluster/frame.h"
#include "server/net/stream.h"
#include "storage/err.h"

#define LINK_TICK_MS     100 /* how often link_tick is to be called */
#define LINK_QUIET_TICKS 5   /* then a keep-alive is sent */
#define LINK_DEAD_TICKS  30  /* then the peer is taken for dead */

struct hub;
struct link;

struct link_events {
	/* TCP and TLS are up; dialed links only. */
	void (*opened)(struct link *link);
	/* One frame, keep-alives included; borrowed. */
	void (*frame)(struct link *link, const struct frame *frame);
	/* Broken, silent, ended by the peer or speaking nonsense
	 * (ERR_PROTOCOL); it is closing already. Not after link_close. */
	void (*failed)(
	    struct link *link, enum err code, const struct errmsg *why);
	/* The queue is empty again. NULL allowed. */
	void (*drained)(struct link *link);
	/* Always the last. */
	void (*closed)(struct link *link);
};

/* Embedded by the owner; zeroed before its first use. */
struct link {
	struct stream stream;
	struct frame_reader reader;
	const struct link_events *events; /* borrowed, constant */
	struct errmsg why;                /* private: of a failed write */
	enum err broken;                  /* private: the same */
	unsigned unheard, unsent;         /* ticks */
	bool live;                        /* from accept or connect to closed */
	bool closing;
};

/* Take a connection from a listening stream, TLS or plain as the hub says; or
 * dial. On error the link is not live and no callback runs. */
MUST_CHECK enum err link_accept(struct link *link, struct hub *hub,
    const struct link_events *events, uv_stream_t *listener,
    struct errmsg *why);
MUST_CHECK enum err link_connect(struct link *link, struct hub *hub,
    const struct link_events *events, const struct sockaddr *address,
    struct errmsg *why);

/*
 * Send one frame, copied if it cannot leave at once. ERR_CLOSED; ERR_BUSY above
 * TRANSPORT_QUEUE_MAX, nothing was sent. After any other error the link breaks:
 * failed follows, later. link_write takes a whole frame, head included.
 */
MUST_CHECK enum err link_send(
    struct link *link, enum frame_type type, const void *data, size_t size);
MUST_CHECK enum err link_write(
    struct link *link, const void *frame, size_t size);

/* Every LINK_TICK_MS while the link is to be kept alive. */
void link_tick(struct link *link);
/* Give up for a reason of the owner's: close, and report failed. */
void link_fail(struct link *link, enum err code, const struct errmsg *why);
void link_close(struct link *link); /* nothing to do if not live */
void link_close_after_writes(struct link *link);

#endif
