#include "server/cluster/link.h"

#include <assert.h>
#include <string.h>

#include "server/cluster/hub.h"

/* Frames up to this size are put together on the stack. */
#define SMALL_SIZE 1024
/* The stream's own limit stands above ours, TLS records included. */
#define STREAM_QUEUE_MAX (TRANSPORT_QUEUE_MAX + 2 * FRAME_MAX)

static struct link *
link_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct link, stream);
}

static void
on_opened(struct stream *stream)
{
	struct link *link = link_of(stream);

	/* Accepted TLS streams report it too; their owners wait for a hello. */
	if (!link->closing && link->events->opened != NULL)
		link->events->opened(link);
}

static void
on_data(struct stream *stream, const uint8_t *data, size_t size)
{
	struct link *link = link_of(stream);
	struct frame frame;
	struct errmsg why;
	bool got;
	enum err rc;

	link->unheard = 0;
	while (!link->closing) {
		rc =
		    frame_next(&link->reader, &data, &size, &got, &frame, &why);
		if (rc != OK)
			link_fail(link, rc, &why);
		else if (got)
			link->events->frame(link, &frame);
		if (rc != OK || !got)
			return;
	}
}

static void
on_ended(struct stream *stream)
{
	struct errmsg why;

	link_fail(link_of(stream),
	    err_set(&why, ERR_CLOSED, "closed by the peer"), &why);
}

static void
on_failed(struct stream *stream, enum err code, const struct errmsg *why)
{
	struct link *link = link_of(stream);

	/* While refused words leave, the owner is not told any more. */
	if (link->closing)
		stream_close(stream);
	else
		link_fail(link, code, why);
}

static void
on_drained(struct stream *stream)
{
	struct link *link = link_of(stream);

	if (!link->closing && link->events->drained != NULL)
		link->events->drained(link);
}

static void
on_closed(struct stream *stream)
{
	struct link *link = link_of(stream);

	frame_reader_free(&link->reader);
	link->live = false;
	if (link->broken != OK)
		link->events->failed(link, link->broken, &link->why);
	link->events->closed(link);
}

static const struct stream_events stream_events = {
    .opened = on_opened,
    .data = on_data,
    .ended = on_ended,
    .failed = on_failed,
    .drained = on_drained,
    .closed = on_closed,
};

static void
link_init(struct link *link, const struct link_events *events)
{
	assert(!link->live);
	memset(link, 0, sizeof(*link));
	link->events = events;
	frame_reader_init(&link->reader);
}

enum err
link_accept(struct link *link, struct hub *hub,
    const struct link_events *events, uv_stream_t *listener, struct errmsg *why)
{
	enum err rc;

	link_init(link, events);
	rc = stream_accept_either(&link->stream, hub->shared, &stream_events,
	    listener, hub->tls.accept, hub->tls.plain_allowed, STREAM_QUEUE_MAX,
	    why);
	link->live = rc == OK;
	return rc;
}

enum err
link_connect(struct link *link, struct hub *hub,
    const struct link_events *events, const struct sockaddr *address,
    struct errmsg *why)
{
	enum err rc;

	link_init(link, events);
	rc = stream_connect(&link->stream, hub->shared, &stream_events, address,
	    hub->tls.dial, hub->tls.name, hub->tls.name != NULL,
	    STREAM_QUEUE_MAX, why);
	link->live = rc == OK;
	return rc;
}

static enum err
write_parts(struct link *link, const void *head, size_t head_size,
    struct body *body, size_t body_size)
{
	enum err rc;

	if (!link->live || link->closing)
		return ERR_CLOSED;
	if (link->stream.queued + head_size + body_size > TRANSPORT_QUEUE_MAX)
		return ERR_BUSY;
	link->unsent = 0;
	rc = stream_write(&link->stream, head, head_size, body, &link->why);
	/* Half a frame may have left. The owner learns of it from the loop,
	 * not from inside its own call. */
	if (rc != OK && !link->closing) {
		link->broken = rc;
		link_close(link);
	}
	return rc;
}

enum err
link_write(struct link *link, const void *frame, size_t size)
{
	return write_parts(link, frame, size, NULL, 0);
}

enum err
link_send(
    struct link *link, enum frame_type type, const void *data, size_t size)
{
	uint8_t frame[FRAME_HEAD_SIZE + SMALL_SIZE];
	struct body *body;
	enum err rc;

	assert(size <= FRAME_MAX);
	frame_head(frame, type, (uint32_t)size);
	if (size <= SMALL_SIZE) {
		if (size > 0)
			memcpy(frame + FRAME_HEAD_SIZE, data, size);
		return link_write(link, frame, FRAME_HEAD_SIZE + size);
	}
	body = body_new(data, size);
	if (body == NULL)
		return ERR_BUSY; /* nothing has left, the link is whole */
	rc = write_parts(link, frame, FRAME_HEAD_SIZE, body, size);
	body_unref(body);
	return rc;
}

void
link_tick(struct link *link)
{
	struct errmsg why;

	if (!link->live || link->closing)
		return;
	if (++link->unheard >= LINK_DEAD_TICKS) {
		link_fail(link,
		    err_set(&why, ERR_TIMEOUT, "nothing heard for %d ms",
			LINK_DEAD_TICKS * LINK_TICK_MS),
		    &why);
		return;
	}
	/* A full queue is being sent from: no keep-alive needed, and what else
	 * goes wrong is reported by the link itself. */
	if (++link->unsent >= LINK_QUIET_TICKS)
		(void)!link_send(link, FRAME_KEEPALIVE, NULL, 0);
}

void
link_fail(struct link *link, enum err code, const struct errmsg *why)
{
	if (!link->live || link->closing)
		return;
	link_close(link);
	link->events->failed(link, code, why);
}

void
link_close(struct link *link)
{
	if (!link->live)
		return;
	/* Also while refused words leave: cut those short. */
	link->closing = true;
	stream_close(&link->stream);
}

void
link_close_after_writes(struct link *link)
{
	if (!link->live || link->closing)
		return;
	link->closing = true;
	stream_close_after_writes(&link->stream);
}
