#include "server/cluster/outbox.h"

#include <stdlib.h>

#include "server/cluster/node.h"
#include "server/cluster/transport.h"

#define OUTBOX_SOFT (64 * 1024)
#define OUTBOX_MAX  (256 * 1024)

struct outbox {
	enum frame_type type;
	struct slot {
		uint64_t peer; /* 0 = free */
		struct buf buf;
	} slots[NODE_MEMBERS_MAX];
};

enum err
outbox_new(enum frame_type type, struct outbox **out, struct errmsg *why)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	o->type = type;
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++)
		o->slots[i].buf = buf_new(OUTBOX_MAX);
	*out = o;
	return OK;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++)
		buf_free(&o->slots[i].buf);
	free(o);
}

static void
send_slot(struct outbox *o, struct transport *transport, struct slot *slot)
{
	if (slot->buf.size > 0 && slot->buf.failed == OK)
		(void)!transport_send(transport, slot->peer, true, o->type,
		    slot->buf.data, slot->buf.size);
	buf_reset(&slot->buf);
}

struct buf *
outbox_item(struct outbox *o, struct transport *transport, uint64_t peer)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < NODE_MEMBERS_MAX && found == NULL; i++) {
		if (o->slots[i].peer == peer)
			found = &o->slots[i];
	}
	for (size_t i = 0; i < NODE_MEMBERS_MAX && found == NULL; i++) {
		if (o->slots[i].buf.size == 0)
			found = &o->slots[i];
	}
	if (found == NULL)
		return NULL;
	found->peer = peer;
	if (found->buf.size > OUTBOX_SOFT)
		send_slot(o, transport, found);
	return &found->buf;
}

void
outbox_flush(struct outbox *o, struct transport *transport)
{
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
		if (o->slots[i].buf.size > 0)
			send_slot(o, transport, &o->slots[i]);
	}
}
