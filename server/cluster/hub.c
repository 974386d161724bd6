#include "server/cluster/hub.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "server/net/stream.h"
#include "server/net/tls.h"

enum err
hub_init(struct hub *hub, uv_loop_t *uv, const struct transport_tls *tls,
    const struct transport_events *events, void *arg, struct errmsg *why)
{
	enum err rc;

	memset(hub, 0, sizeof(*hub));
	rc = stream_shared_new(uv, &hub->shared, why);
	if (rc != OK)
		return rc;
	hub->uv = uv;
	hub->events = *events;
	hub->arg = arg;
	hub->random = uv_hrtime() | 1; /* the generator's state is never 0 */
	hub_set_tls(hub, tls);
	return OK;
}

void
hub_free(struct hub *hub)
{
	assert(hub->open == 0);
	tls_context_unref(hub->tls.accept);
	tls_context_unref(hub->tls.dial);
	stream_shared_free(hub->shared);
}

void
hub_set_tls(struct hub *hub, const struct transport_tls *tls)
{
	struct transport_tls old = hub->tls;

	hub->tls = *tls;
	if (tls->accept != NULL)
		hub->tls.accept = tls_context_ref(tls->accept);
	else
		hub->tls.plain_allowed = true;
	if (tls->dial != NULL)
		hub->tls.dial = tls_context_ref(tls->dial);
	if (tls->name != NULL) {
		(void)snprintf(hub->name, sizeof(hub->name), "%s", tls->name);
		hub->tls.name = hub->name;
	}
	tls_context_unref(old.accept);
	tls_context_unref(old.dial);
}

void
hub_hold(struct hub *hub)
{
	hub->open++;
}

void
hub_release(struct hub *hub)
{
	assert(hub->open > 0);
	if (--hub->open == 0 && hub->idle != NULL)
		hub->idle(hub);
}

void
hub_wait(struct hub *hub, void (*idle)(struct hub *hub))
{
	assert(hub->idle == NULL);
	hub->idle = idle;
	if (hub->open == 0)
		idle(hub);
}

static struct hub_seen *
seen_find(struct hub *hub, uint64_t id)
{
	for (unsigned i = 0; id != 0 && i < HUB_SEEN_MAX; i++) {
		if (hub->seen[i].id == id)
			return &hub->seen[i];
	}
	return NULL;
}

static void
seen_remember(struct hub *hub, const struct hello *theirs)
{
	struct hub_seen *seen = seen_find(hub, theirs->id);

	if (seen == NULL) {
		/* A free slot, or the one silent for longest. */
		seen = &hub->seen[0];
		for (unsigned i = 1; i < HUB_SEEN_MAX; i++) {
			if (hub->seen[i].heard_ms < seen->heard_ms)
				seen = &hub->seen[i];
		}
		seen->heard_ms = uv_now(hub->uv);
	}
	seen->id = theirs->id;
	seen->start = theirs->start;
	seen->instance = theirs->instance;
}

enum err
hub_greet(struct hub *hub, const struct hello *ours, const struct hello *theirs,
    struct errmsg *why)
{
	const struct hub_seen *seen = seen_find(hub, theirs->id);
	enum err rc;

	rc = hello_judge(ours, theirs, seen != NULL ? seen->start : 0,
	    seen != NULL ? seen->instance : 0, why);
	if (rc != OK)
		return rc;
	rc = hub->events.greeted(hub->arg, theirs, why);
	if (rc == ERR_EXISTS) /* means "ourselves" here */
		rc = ERR_DENIED;
	if (rc == OK)
		seen_remember(hub, theirs);
	return rc;
}

void
hub_heard(struct hub *hub, uint64_t id)
{
	struct hub_seen *seen = seen_find(hub, id);

	if (seen != NULL)
		seen->heard_ms = uv_now(hub->uv);
}

uint64_t
hub_heard_ms(const struct hub *hub, uint64_t id)
{
	for (unsigned i = 0; id != 0 && i < HUB_SEEN_MAX; i++) {
		if (hub->seen[i].id == id)
			return hub->seen[i].heard_ms;
	}
	return 0;
}

uint64_t
hub_jitter(struct hub *hub, uint64_t ms)
{
	uint64_t x = hub->random;

	/* xorshift64 (Marsaglia 2003): no secret hangs on it. */
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	hub->random = x;
	return ms - ms / 5 + x % (2 * (ms / 5) + 1);
}
