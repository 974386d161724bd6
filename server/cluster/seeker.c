#include "server/cluster/seeker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/cluster/hub.h"

static void
on_up(struct dial *dial, const struct hello *theirs)
{
	struct seeker *seeker = CONTAINER_OF(dial, struct seeker, dial);

	dial_close(dial);
	seeker->events->found(seeker, theirs);
}

static void
on_down(struct dial *dial)
{
	assert(dial->closing); /* it is closed the moment it is up */
}

static void
on_closed(struct dial *dial)
{
	struct seeker *seeker = CONTAINER_OF(dial, struct seeker, dial);
	struct hub *hub = seeker->hub;

	seeker->events->closed(seeker); /* it is gone */
	hub_release(hub);
}

static const struct dial_events dial_events = {
    .up = on_up,
    .down = on_down,
    .drained = NULL,
    .closed = on_closed,
};

struct seeker *
seeker_new(struct hub *hub, const struct seeker_events *events, void *owner,
    const char *address)
{
	struct seeker *seeker = calloc(1, sizeof(*seeker));

	if (seeker == NULL)
		return NULL;
	seeker->hub = hub;
	seeker->events = events;
	seeker->owner = owner;
	(void)snprintf(seeker->address, sizeof(seeker->address), "%s", address);
	dial_open(&seeker->dial, hub, &dial_events, 0, false, address);
	hub_hold(hub);
	return seeker;
}

void
seeker_close(struct seeker *seeker)
{
	dial_close(&seeker->dial);
}
