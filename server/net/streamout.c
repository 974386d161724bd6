#include "server/net/streamout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/secret.h"

#define COALESCE_MAX 4096 /* bytes */

static_assert(COALESCE_MAX <= STREAM_RECORD_MAX, "the scratch holds it");

/* One stream_write that could not leave at once. */
struct stream_write {
	struct stream_write *next;
	uv_write_t request; /* plain: while libuv has it */
	struct body *body;  /* counted, or NULL */
	size_t sent;        /* bytes of head and body that have left (TLS) */
	size_t head_size;
	uint8_t head[];
};

/* Ciphertext the socket did not take. */
struct stream_cipher {
	uv_write_t request;
	uint8_t data[];
};

static size_t
write_size(const struct stream_write *write)
{
	return write->head_size + (write->body != NULL ? write->body->size : 0);
}

static struct stream *
stream_of(uv_write_t *request)
{
	return CONTAINER_OF(request->handle, struct stream, uv.stream);
}

bool
streamout_empty(const struct stream *stream)
{
	return stream->writes == NULL &&
	    uv_stream_get_write_queue_size(&stream->uv.stream) == 0;
}

static void
write_free(struct stream_write *write)
{
	secret_wipe(write->head, write->head_size);
	body_unref(write->body);
	free(write);
}

void
streamout_drop(struct stream *stream)
{
	while (stream->writes != NULL) {
		struct stream_write *write = stream->writes;

		stream->writes = write->next;
		write_free(write);
	}
	stream->last_write = NULL;
}

void
streamout_moved(struct stream *stream)
{
	if (stream->state == STREAM_CLOSED || stream->state == STREAM_BROKEN ||
	    !streamout_empty(stream))
		return;
	if ((stream->flags & STREAM_FINISHING) != 0)
		stream_finished(stream);
	else if (stream->queued == 0 && stream->events->drained != NULL)
		stream->events->drained(stream);
}

static void
on_plain_written(uv_write_t *request, int status)
{
	struct stream_write *write =
	    CONTAINER_OF(request, struct stream_write, request);
	struct stream *stream = stream_of(request);
	struct errmsg why;

	stream->queued -= (uint32_t)(write_size(write) - write->sent);
	write_free(write);
	if (status == 0) {
		streamout_moved(stream);
	} else if (status != UV_ECANCELED) {
		enum err rc = stream_uv_error(status, "write", &why);

		stream_break(stream, rc, &why);
	}
}

static void
on_cipher_written(uv_write_t *request, int status)
{
	struct stream *stream = stream_of(request);
	struct errmsg why;
	enum err rc = OK;

	free(CONTAINER_OF(request, struct stream_cipher, request));
	if (stream->state == STREAM_CLOSED || stream->state == STREAM_BROKEN)
		return;
	if (status != 0)
		rc = stream_uv_error(status, "write", &why);
	else if (stream->state == STREAM_OPEN)
		rc = streamout_flush(stream, &why);
	if (rc != OK)
		stream_break(stream, rc, &why);
	else
		streamout_moved(stream);
}

enum err
streamout_cipher(struct stream *stream, struct errmsg *why)
{
	struct buf *cipher = &stream->shared->cipher;
	struct stream_cipher *rest;
	uv_buf_t part;
	size_t left;
	enum err rc;
	int sent;

	rc = buf_status(cipher, why);
	if (rc != OK || cipher->size == 0)
		goto out;
	part = uv_buf_init((char *)cipher->data, (unsigned)cipher->size);
	sent = uv_try_write(&stream->uv.stream, &part, 1);
	if (sent < 0 && sent != UV_EAGAIN) {
		rc = stream_uv_error(sent, "write", why);
		goto out;
	}
	left = cipher->size - (size_t)(sent > 0 ? sent : 0);
	if (left == 0)
		goto out;
	rest = malloc(sizeof(*rest) + left);
	if (rest == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	memcpy(rest->data, cipher->data + (cipher->size - left), left);
	part = uv_buf_init((char *)rest->data, (unsigned)left);
	sent = uv_write(
	    &rest->request, &stream->uv.stream, &part, 1, on_cipher_written);
	if (sent != 0) {
		free(rest);
		rc = stream_uv_error(sent, "write", why);
	}
out:
	buf_reset(cipher);
	return rc;
}

/* Up to two parts from byte offset on, at most limit bytes. */
static unsigned
parts_from(const uint8_t *head, size_t head_size, struct body *body,
    size_t offset, uv_buf_t parts[static 2])
{
	unsigned count = 0;

	if (offset < head_size) {
		/* libuv's buffers are not const, but only read from here. */
		parts[count++] = uv_buf_init((char *)(uintptr_t)(head + offset),
		    (unsigned)(head_size - offset));
		offset = head_size;
	}
	offset -= head_size;
	if (body != NULL && offset < body->size) {
		parts[count++] = uv_buf_init((char *)body->data + offset,
		    (unsigned)(body->size - offset));
	}
	return count;
}

/* Encrypt and send the next record. *offset moves on. */
static enum err
send_record(struct stream *stream, const uint8_t *head, size_t head_size,
    struct body *body, size_t *offset, struct errmsg *why)
{
	uint8_t *record = stream->shared->record;
	uv_buf_t parts[2];
	unsigned count = parts_from(head, head_size, body, *offset, parts);
	size_t size = 0;
	enum err rc;

	if (count == 0)
		return OK;
	if (count == 1 && parts[0].len >= STREAM_RECORD_MAX) {
		size = STREAM_RECORD_MAX;
		rc = tls_write(stream->tls, parts[0].base, size, why);
	} else {
		for (unsigned i = 0; i < count; i++) {
			size_t room = STREAM_RECORD_MAX - size;
			size_t take = parts[i].len < room ? parts[i].len : room;

			memcpy(record + size, parts[i].base, take);
			size += take;
		}
		rc = tls_write(stream->tls, record, size, why);
		secret_wipe(record, size);
	}
	if (rc != OK) {
		buf_reset(&stream->shared->cipher);
		return rc;
	}
	*offset += size;
	return streamout_cipher(stream, why);
}

static bool
socket_takes(const struct stream *stream)
{
	return uv_stream_get_write_queue_size(&stream->uv.stream) == 0;
}

/* Give a write to libuv, from write->sent on. */
static enum err
hand_over(struct stream *stream, struct stream_write *write, struct errmsg *why)
{
	uv_buf_t parts[2];
	unsigned count = parts_from(
	    write->head, write->head_size, write->body, write->sent, parts);
	int rc = uv_write(&write->request, &stream->uv.stream, parts, count,
	    on_plain_written);

	if (rc == 0)
		return OK;
	write_free(write);
	return stream_uv_error(rc, "write", why);
}

enum err
streamout_flush(struct stream *stream, struct errmsg *why)
{
	enum err rc = OK;

	assert(stream->state == STREAM_OPEN);
	while (rc == OK && stream->writes != NULL) {
		struct stream_write *write = stream->writes;
		size_t before = write->sent;

		if (stream->tls == NULL) {
			stream->writes = write->next;
			rc = hand_over(stream, write, why);
			continue;
		}
		if (!socket_takes(stream))
			break;
		rc = send_record(stream, write->head, write->head_size,
		    write->body, &write->sent, why);
		stream->queued -= (uint32_t)(write->sent - before);
		if (write->sent == write_size(write)) {
			stream->writes = write->next;
			write_free(write);
		}
	}
	if (stream->writes == NULL)
		stream->last_write = NULL;
	return rc;
}

/* Keep what is left of a write from byte sent on. */
static enum err
enqueue(struct stream *stream, const uint8_t *head, size_t head_size,
    struct body *body, size_t sent, struct errmsg *why)
{
	size_t skip = sent < head_size ? sent : head_size;
	size_t copied = head_size - skip;
	struct stream_write *write = malloc(sizeof(*write) + copied);

	if (write == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	write->next = NULL;
	write->body = body != NULL ? body_ref(body) : NULL;
	write->sent = sent - skip;
	write->head_size = copied;
	if (copied > 0)
		memcpy(write->head, head + skip, copied);
	stream->queued += (uint32_t)(write_size(write) - write->sent);
	if (stream->tls == NULL && stream->state == STREAM_OPEN)
		return hand_over(stream, write, why);
	if (stream->last_write != NULL)
		stream->last_write->next = write;
	else
		stream->writes = write;
	stream->last_write = write;
	return OK;
}

/* Two small parts as one: the copy costs less than the kernel's vector. */
static unsigned
coalesce(uint8_t *scratch, uv_buf_t parts[static 2])
{
	memcpy(scratch, parts[0].base, parts[0].len);
	memcpy(scratch + parts[0].len, parts[1].base, parts[1].len);
	parts[0] = uv_buf_init(
	    (char *)scratch, (unsigned)(parts[0].len + parts[1].len));
	return 1;
}

/* As much as the socket takes now; *sent counts. */
static enum err
send_now(struct stream *stream, const uint8_t *head, size_t head_size,
    struct body *body, size_t *sent, struct errmsg *why)
{
	size_t total = head_size + (body != NULL ? body->size : 0);
	uv_buf_t parts[2];
	unsigned count;
	enum err rc = OK;
	int taken;

	if (stream->tls != NULL) {
		while (rc == OK && *sent < total && socket_takes(stream)) {
			rc = send_record(
			    stream, head, head_size, body, sent, why);
		}
		return rc;
	}
	count = parts_from(head, head_size, body, 0, parts);
	if (count == 2 && total <= COALESCE_MAX)
		count = coalesce(stream->shared->record, parts);
	taken = uv_try_write(&stream->uv.stream, parts, count);
	if (body != NULL && body->secret && total <= COALESCE_MAX)
		secret_wipe(stream->shared->record, total);
	if (taken < 0 && taken != UV_EAGAIN)
		return stream_uv_error(taken, "write", why);
	*sent = taken > 0 ? (size_t)taken : 0;
	return OK;
}

enum err
stream_write(struct stream *stream, const void *head, size_t head_size,
    struct body *body, struct errmsg *why)
{
	size_t total = head_size + (body != NULL ? body->size : 0);
	size_t sent = 0;
	enum err rc = OK;

	if (stream->state > STREAM_OPEN ||
	    (stream->flags & STREAM_FINISHING) != 0)
		return err_set(why, ERR_CLOSED, "the connection is closed");
	if (total > stream->write_max - stream->queued) {
		return err_set(why, ERR_LIMIT,
		    "more than %u bytes wait to be sent",
		    (unsigned)stream->write_max);
	}
	if (total == 0)
		return OK;
	if (stream->state == STREAM_OPEN && stream->writes == NULL &&
	    socket_takes(stream))
		rc = send_now(stream, head, head_size, body, &sent, why);
	if (rc == OK && sent < total)
		rc = enqueue(stream, head, head_size, body, sent, why);
	if (rc != OK) {
		stream->state = STREAM_BROKEN;
		(void)uv_read_stop(&stream->uv.stream);
	}
	return rc;
}
