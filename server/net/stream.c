#include "server/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/net/address.h"
#include "server/net/streamin.h"
#include "server/net/streamout.h"

#define STREAM_KEEPALIVE_S 60

static void on_closed(uv_handle_t *handle);

static struct stream *
stream_of(uv_handle_t *handle)
{
	return CONTAINER_OF(handle, struct stream, uv.handle);
}

enum err
stream_shared_new(
    uv_loop_t *loop, struct stream_shared **out, struct errmsg *why)
{
	struct stream_shared *shared = malloc(sizeof(*shared));

	if (shared == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	shared->loop = loop;
	shared->cipher = buf_new(STREAM_CIPHER_MAX);
	*out = shared;
	return OK;
}

void
stream_shared_free(struct stream_shared *shared)
{
	if (shared == NULL)
		return;
	buf_free(&shared->cipher);
	free(shared);
}

enum err
stream_uv_error(int error, const char *what, struct errmsg *why)
{
	enum err code;

	switch (error) {
	case UV_ENOMEM:
		code = ERR_NOMEM;
		break;
	case UV_ETIMEDOUT:
		code = ERR_TIMEOUT;
		break;
	case UV_EPIPE:
	case UV_ECONNRESET:
	case UV_ECONNABORTED:
		code = ERR_CLOSED;
		break;
	default:
		code = ERR_IO;
	}
	return err_set(why, code, "%s: %s", what, uv_strerror(error));
}

void
stream_break(struct stream *stream, enum err code, const struct errmsg *why)
{
	if (stream->state == STREAM_CLOSED || stream->state == STREAM_BROKEN)
		return;
	if ((stream->flags & STREAM_FINISHING) != 0) {
		stream_close(stream);
		return;
	}
	stream->state = STREAM_BROKEN;
	(void)uv_read_stop(&stream->uv.stream);
	stream->events->failed(stream, code, why);
}

static void
prepare(struct stream *stream, struct stream_shared *shared,
    const struct stream_events *events, uint32_t write_max, bool is_unix)
{
	int rc;

	memset(stream, 0, sizeof(*stream));
	stream->shared = shared;
	stream->events = events;
	stream->write_max = write_max;
	stream->state = STREAM_OPEN;
	if (is_unix)
		rc = uv_pipe_init(shared->loop, &stream->uv.pipe, 0);
	else
		rc = uv_tcp_init(shared->loop, &stream->uv.tcp);
	assert(rc == 0); /* no socket yet: nothing that could fail */
	(void)rc;
}

static void
on_aborted(uv_handle_t *handle)
{
	struct stream *stream = stream_of(handle);
	struct errmsg why;
	enum err rc;

	if ((stream->flags & STREAM_WANTED) != 0) {
		on_closed(handle);
		return;
	}
	stream->state = STREAM_ABORTED;
	rc = stream_uv_error(stream->error, "connection", &why);
	stream->events->failed(stream, rc, &why);
}

/* The handle exists but leads nowhere: tell so in a later turn. */
static void
abort_start(struct stream *stream, int error)
{
	stream->state = STREAM_ABORTING;
	stream->error = (int16_t)error;
	uv_close(&stream->uv.handle, on_aborted);
}

/* A connected socket is in place. */
static void
begin(struct stream *stream)
{
	if (stream->uv.handle.type == UV_TCP) {
		/* Comfort, not need: the connection works without. */
		(void)uv_tcp_nodelay(&stream->uv.tcp, 1);
		(void)uv_tcp_keepalive(&stream->uv.tcp, 1, STREAM_KEEPALIVE_S);
	}
	if (stream->tls != NULL)
		stream->state = STREAM_HANDSHAKE;
	streamin_start(stream);
}

/* Session of an accepted stream; a failure is told later, so that the socket
 * is taken off the listener in any case. */
static int
add_session(struct stream *stream, struct tls_context *context)
{
	if (context == NULL)
		return 0;
	if (tls_new(context, NULL, false, &stream->shared->cipher, &stream->tls,
		NULL) != OK)
		return UV_ENOMEM;
	return 0;
}

enum err
stream_accept(struct stream *stream, struct stream_shared *shared,
    const struct stream_events *events, uv_stream_t *listener,
    struct tls_context *context, uint32_t write_max, struct errmsg *why)
{
	int rc, session;

	if (listener->type != UV_TCP && listener->type != UV_NAMED_PIPE)
		return err_set(why, ERR_INVALID, "not a stream listener");
	prepare(
	    stream, shared, events, write_max, listener->type == UV_NAMED_PIPE);
	rc = uv_accept(listener, &stream->uv.stream);
	session = add_session(stream, context);
	if (rc != 0 || session != 0)
		abort_start(stream, rc != 0 ? rc : session);
	else
		begin(stream);
	return OK;
}

enum err
stream_accept_either(struct stream *stream, struct stream_shared *shared,
    const struct stream_events *events, uv_stream_t *listener,
    struct tls_context *context, bool plain_allowed, uint32_t write_max,
    struct errmsg *why)
{
	enum err rc;

	rc = stream_accept(
	    stream, shared, events, listener, NULL, write_max, why);
	if (rc != OK || stream->state != STREAM_OPEN)
		return rc;
	stream->state = STREAM_PEEKING;
	if (plain_allowed)
		stream->flags |= STREAM_PLAIN_OK;
	if (context != NULL)
		stream->starting = tls_context_ref(context);
	return OK;
}

enum err
stream_adopt(struct stream *stream, struct stream_shared *shared,
    const struct stream_events *events, int fd, bool is_unix,
    struct tls_context *context, uint32_t write_max, struct errmsg *why)
{
	int rc;

	(void)why;
	prepare(stream, shared, events, write_max, is_unix);
	if (is_unix)
		rc = uv_pipe_open(&stream->uv.pipe, fd);
	else
		rc = uv_tcp_open(&stream->uv.tcp, fd);
	if (rc != 0)
		(void)close(fd); /* else it is the handle's */
	else
		rc = add_session(stream, context);
	if (rc != 0)
		abort_start(stream, rc);
	else
		begin(stream);
	return OK;
}

static void
on_connected(uv_connect_t *request, int status)
{
	struct stream *stream =
	    CONTAINER_OF(request->handle, struct stream, uv.stream);
	struct errmsg why;

	stream->starting = NULL;
	free(request);
	if (stream->state == STREAM_CLOSED)
		return;
	if (status != 0) {
		enum err rc = stream_uv_error(status, "connect", &why);

		stream_break(stream, rc, &why);
		return;
	}
	begin(stream);
	if (stream->tls != NULL)
		streamin_hello(stream);
	else
		streamin_open(stream, true);
}

enum err
stream_connect(struct stream *stream, struct stream_shared *shared,
    const struct stream_events *events, const struct sockaddr *address,
    struct tls_context *context, const char *server_name, bool check_name,
    uint32_t write_max, struct errmsg *why)
{
	uv_connect_t *request;
	struct tls *tls = NULL;
	enum err rc;
	int error;

	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return err_set(why, ERR_INVALID, "not an IP address");
	request = malloc(sizeof(*request));
	if (request == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	if (context != NULL) {
		rc = tls_new(context, server_name, check_name, &shared->cipher,
		    &tls, why);
		if (rc != OK) {
			free(request);
			return rc;
		}
	}
	prepare(stream, shared, events, write_max, false);
	stream->tls = tls;
	stream->state = STREAM_DIALLING;
	error = uv_tcp_connect(request, &stream->uv.tcp, address, on_connected);
	if (error != 0) {
		free(request);
		abort_start(stream, error);
		return OK;
	}
	stream->starting = request;
	return OK;
}

void
stream_pause(struct stream *stream)
{
	if ((stream->flags & STREAM_FINISHING) != 0)
		return; /* a lingering stream reads to the end */
	stream->flags |= STREAM_PAUSED;
	if (stream_live(stream))
		(void)uv_read_stop(&stream->uv.stream);
}

void
stream_resume(struct stream *stream)
{
	stream->flags &= (uint8_t)~STREAM_PAUSED;
	/* Dialling: reading starts when connected. */
	if (stream_live(stream) && stream->state != STREAM_DIALLING)
		streamin_start(stream);
}

static void
on_closed(uv_handle_t *handle)
{
	struct stream *stream = stream_of(handle);

	tls_free(stream->tls);
	stream->tls = NULL;
	stream->events->closed(stream);
}

void
stream_close(struct stream *stream)
{
	enum stream_state before = stream->state;
	int rc;

	if (before == STREAM_CLOSED)
		return;
	if (before == STREAM_ABORTING) {
		stream->flags |= STREAM_WANTED;
		return;
	}
	if (before == STREAM_PEEKING)
		tls_context_unref(stream->starting);
	stream->state = STREAM_CLOSED;
	streamout_drop(stream);
	if (before == STREAM_ABORTED) {
		/* The handle went already; a fresh one, without a socket,
		 * calls closed from the loop as promised. */
		rc = uv_tcp_init(stream->shared->loop, &stream->uv.tcp);
		assert(rc == 0);
		(void)rc;
	}
	uv_close(&stream->uv.handle, on_closed);
}

void
stream_finished(struct stream *stream)
{
	struct errmsg why;
	uv_os_fd_t fd;

	if ((stream->flags & STREAM_SHUT) == 0) {
		stream->flags |= STREAM_SHUT;
		if (stream->tls != NULL) {
			tls_shutdown(stream->tls);
			if (streamout_cipher(stream, &why) != OK) {
				stream_close(stream);
				return;
			}
		}
	}
	if (!streamout_empty(stream))
		return; /* close_notify waits; called again when it has left */
	if ((stream->flags & STREAM_LINGERS) == 0 ||
	    (stream->flags & STREAM_ENDED) != 0 ||
	    uv_fileno(&stream->uv.handle, &fd) != 0 ||
	    shutdown(fd, SHUT_WR) != 0)
		stream_close(stream);
}

void
stream_close_after_writes(struct stream *stream)
{
	if (!stream_live(stream)) {
		stream_close(stream);
		return;
	}
	stream->flags |= STREAM_FINISHING;
	if (streamout_empty(stream))
		stream_finished(stream);
}

void
stream_linger(struct stream *stream)
{
	if (!stream_live(stream)) {
		stream_close(stream);
		return;
	}
	stream->flags |= STREAM_LINGERS | STREAM_FINISHING;
	stream_resume(stream);
	if (streamout_empty(stream))
		stream_finished(stream);
}

bool
stream_closing(const struct stream *stream)
{
	return stream->state == STREAM_CLOSED ||
	    (stream->flags & (STREAM_FINISHING | STREAM_WANTED)) != 0;
}

bool
stream_is_tls(const struct stream *stream)
{
	return stream->tls != NULL;
}

static bool
peer_address(const struct stream *stream, struct sockaddr_storage *out)
{
	int size = sizeof(*out);

	return stream->uv.handle.type == UV_TCP &&
	    uv_tcp_getpeername(
		&stream->uv.tcp, (struct sockaddr *)out, &size) == 0;
}

void
stream_peer(const struct stream *stream, char *text, size_t size)
{
	struct sockaddr_storage peer;

	if (stream->uv.handle.type == UV_NAMED_PIPE)
		(void)snprintf(text, size, "unix");
	else if (peer_address(stream, &peer))
		address_text_of((const struct sockaddr *)&peer, text, size);
	else
		(void)snprintf(text, size, "unknown");
}

void
stream_peer_ip(const struct stream *stream, uint8_t ip[static 16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct sockaddr_storage peer;

	memset(ip, 0, 16);
	if (!peer_address(stream, &peer))
		return;
	if (peer.ss_family == AF_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;

		memcpy(ip, mapped, sizeof(mapped));
		memcpy(ip + sizeof(mapped), &v4->sin_addr, 4);
	} else if (peer.ss_family == AF_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;

		memcpy(ip, &v6->sin6_addr, 16);
	}
}
