/*
 * hub - what all connections of one transport share.
 *
 * The loop, the TLS contexts, the owner's callbacks, who has been seen under
 * which instance (hazard 6), and the count of what must be closed before the
 * transport may go. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_HUB_H
#define SERVER_CLUSTER_HUB_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "server/cluster/hello.h"
#include "server/cluster/transport.h"
#include "server/net/address.h"
#include "storage/err.h"

#define HUB_SEEN_MAX 64 /* servers remembered; the silent give way */

struct stream_shared;

struct hub {
	uv_loop_t *uv;                /* borrowed */
	struct stream_shared *shared; /* owned */
	struct transport_tls tls;     /* contexts referenced, name -> below */
	struct transport_events events;
	void *arg;
	void (*wake)(struct hub *hub); /* a snapshot piece can be sent */
	uint64_t refused;              /* see transport_refused */
	/* private */
	char name[ADDRESS_HOST_MAX];
	uint64_t random;
	unsigned open; /* objects not yet closed */
	void (*idle)(struct hub *hub);
	struct hub_seen {
		uint64_t id, start, instance, heard_ms;
	} seen[HUB_SEEN_MAX];
};

MUST_CHECK enum err hub_init(struct hub *hub, uv_loop_t *uv,
    const struct transport_tls *tls, const struct transport_events *events,
    void *arg, struct errmsg *why);
/* After every hold was released. */
void hub_free(struct hub *hub);
void hub_set_tls(struct hub *hub, const struct transport_tls *tls);

/* One more object to wait for; one less. hub_wait: idle runs when none is
 * left, perhaps at once. */
void hub_hold(struct hub *hub);
void hub_release(struct hub *hub);
void hub_wait(struct hub *hub, void (*idle)(struct hub *hub));

/*
 * Judge a hello against ours and against what was seen of that id, then ask the
 * owner; remember it if both agree. ERR_EXISTS: it is this very process. Any
 * other: why has the words.
 */
MUST_CHECK enum err hub_greet(struct hub *hub, const struct hello *ours,
    const struct hello *theirs, struct errmsg *why);

/* Bytes came from a greeted server; when that was last (uv_now), 0 = never. */
void hub_heard(struct hub *hub, uint64_t id);
uint64_t hub_heard_ms(const struct hub *hub, uint64_t id);

/* ms, give or take a fifth, so that servers do not redial in step. */
uint64_t hub_jitter(struct hub *hub, uint64_t ms);

#endif
