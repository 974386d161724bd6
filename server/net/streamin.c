#include "server/net/streamin.h"

#include <assert.h>
#include <string.h>

#include "server/net/streamout.h"
#include "storage/secret.h"

#define TLS_RECORD_BYTE 0x16 /* a handshake record begins with it */

/* Bytes, or the end of them, come out at the top. */
static void
give_data(struct stream *stream, const uint8_t *data, size_t size)
{
	if ((stream->flags & STREAM_FINISHING) == 0)
		stream->events->data(stream, data, size);
}

static void
give_end(struct stream *stream)
{
	if ((stream->flags & STREAM_ENDED) != 0)
		return;
	stream->flags |= STREAM_ENDED;
	if ((stream->flags & STREAM_FINISHING) == 0)
		stream->events->ended(stream);
	else if ((stream->flags & STREAM_SHUT) != 0)
		stream_close(stream);
}

void
streamin_open(struct stream *stream, bool tell)
{
	bool waited = stream->writes != NULL;
	struct errmsg why;
	enum err rc;

	stream->state = STREAM_OPEN;
	if (tell && (stream->flags & STREAM_FINISHING) == 0)
		stream->events->opened(stream);
	if (stream->state != STREAM_OPEN)
		return;
	rc = streamout_flush(stream, &why);
	if (rc != OK)
		stream_break(stream, rc, &why);
	else if (waited)
		streamout_moved(stream);
}

/* Eat what was fed to the session; hand on plaintext. */
static void
run_tls(struct stream *stream)
{
	uint8_t *plain = stream->shared->plain;
	size_t got = 0;
	struct errmsg why, second;
	enum err rc, sent;

	do {
		rc =
		    tls_read(stream->tls, plain, STREAM_RECORD_MAX, &got, &why);
		sent = streamout_cipher(stream, &second); /* alerts too */
		if (rc == OK && sent != OK) {
			stream_break(stream, sent, &second);
			break;
		}
		if (stream->state == STREAM_HANDSHAKE &&
		    tls_established(stream->tls))
			streamin_open(stream, true);
		if (!stream_live(stream))
			break;
		if (rc == ERR_CLOSED)
			give_end(stream);
		else if (rc != OK)
			stream_break(stream, rc, &why);
		else if (got > 0)
			give_data(stream, plain, got);
		secret_wipe(plain, got);
	} while (rc == OK && got > 0 && stream_live(stream));
}

/* The first byte of a port that takes both. false: broken. */
static bool
choose(struct stream *stream, uint8_t first)
{
	struct tls_context *context = stream->starting;
	struct errmsg why;
	enum err rc = OK;

	stream->starting = NULL;
	if (first != TLS_RECORD_BYTE) {
		tls_context_unref(context);
		if ((stream->flags & STREAM_PLAIN_OK) != 0) {
			streamin_open(stream, false);
			return stream_live(stream);
		}
		rc = err_set(&why, ERR_PROTOCOL,
		    "Non-TLS connection attempted with VerifyIncoming set");
	} else if (context == NULL) {
		rc = err_set(&why, ERR_PROTOCOL,
		    "TLS connection attempted, but no certificate is "
		    "configured here");
	} else {
		rc = tls_new(context, NULL, false, &stream->shared->cipher,
		    &stream->tls, &why);
		tls_context_unref(context);
	}
	if (rc != OK) {
		stream_break(stream, rc, &why);
		return false;
	}
	stream->state = STREAM_HANDSHAKE;
	return true;
}

static void
on_end(struct stream *stream)
{
	struct errmsg why;

	(void)uv_read_stop(&stream->uv.stream);
	if (stream->tls == NULL || (stream->flags & STREAM_FINISHING) != 0) {
		give_end(stream);
	} else if ((stream->flags & STREAM_ENDED) == 0) {
		enum err rc = err_set(&why, ERR_CLOSED,
		    stream->state == STREAM_HANDSHAKE
			? "connection ended during the TLS handshake"
			: "connection ended without TLS close_notify");

		stream_break(stream, rc, &why);
	}
}

void
streamin_hello(struct stream *stream)
{
	tls_feed(stream->tls, NULL, 0);
	run_tls(stream);
}

static void
on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
	struct stream *stream = CONTAINER_OF(handle, struct stream, uv.stream);
	const uint8_t *data = (const uint8_t *)buffer->base;
	struct errmsg why;

	if (size == 0 || !stream_live(stream))
		return;
	if (size == UV_EOF) {
		on_end(stream);
		return;
	}
	if (size < 0) {
		enum err rc = stream_uv_error((int)size, "read", &why);

		stream_break(stream, rc, &why);
		return;
	}
	if ((stream->flags & STREAM_SHUT) != 0)
		return; /* lingering */
	if (stream->state == STREAM_PEEKING && !choose(stream, data[0]))
		return;
	if (stream->tls == NULL) {
		give_data(stream, data, (size_t)size);
		secret_wipe(buffer->base, (size_t)size);
	} else if ((stream->flags & STREAM_ENDED) == 0) {
		tls_feed(stream->tls, data, (size_t)size);
		run_tls(stream);
	}
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct stream *stream = CONTAINER_OF(handle, struct stream, uv.handle);

	(void)suggested;
	*out = uv_buf_init(
	    (char *)stream->shared->read, sizeof(stream->shared->read));
}

void
streamin_start(struct stream *stream)
{
	int rc;

	if ((stream->flags & (STREAM_PAUSED | STREAM_ENDED)) != 0)
		return;
	rc = uv_read_start(&stream->uv.stream, on_alloc, on_read);
	/* libuv refuses a handle that is not connected or is closing. */
	assert(rc == 0 || rc == UV_EALREADY);
	(void)rc;
}
