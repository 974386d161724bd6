#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "server/metrics.h"
#include "server/net/connserver.h"

#define STATUS_TEXT 48 /* bytes of "HTTP/1.1 200 OK\r\n", and more */
#define LENGTH_TEXT 48 /* of "Content-Length: ...\r\n" */

static void
put(uint8_t **at, const void *data, size_t size)
{
	if (size > 0)
		memcpy(*at, data, size);
	*at += size;
}

static void
put_text(uint8_t **at, const char *text)
{
	put(at, text, strlen(text));
}

static void
put_number(uint8_t **at, size_t value)
{
	char digits[20];
	size_t size = 0;

	do {
		digits[sizeof(digits) - ++size] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	put(at, digits + sizeof(digits) - size, size);
}

/* The head into server->scratch. One pass, one reservation: an answer that is
 * served a hundred thousand times a second is mostly this. */
static bool
put_head(struct conn *conn, int status, const char *content_type,
    const char *headers, size_t headers_size, size_t body_size)
{
	struct conn_server *server = conn->server;
	const char *reason = http_reason(status);
	bool close = (conn->flags & CONN_KEEP) == 0 || server->stopping;
	size_t type_size = content_type != NULL ? strlen(content_type) : 0;
	uint8_t *start, *at;

	assert(status >= 200 && status < 600);
	buf_reset(&server->scratch);
	start = buf_reserve(&server->scratch,
	    STATUS_TEXT + LENGTH_TEXT + 64 + type_size + server->fixed.size +
		headers_size);
	if (start == NULL)
		return false;
	at = start;
	put_text(&at, "HTTP/1.1 ");
	put_number(&at, (size_t)status);
	put_text(&at, " ");
	put_text(&at, reason);
	put_text(&at, "\r\n");
	if (content_type != NULL) {
		put_text(&at, "Content-Type: ");
		put(&at, content_type, type_size);
		put_text(&at, "\r\n");
	}
	put(&at, server->fixed.data, server->fixed.size);
	put(&at, headers, headers_size);
	if (status != 204) { /* RFC 9110, 8.6 */
		put_text(&at, "Content-Length: ");
		put_number(&at, body_size);
		put_text(&at, "\r\n");
	}
	if (close)
		put_text(&at, "Connection: close\r\n");
	else if ((conn->flags & CONN_HTTP10) != 0)
		put_text(&at, "Connection: keep-alive\r\n");
	put_text(&at, "\r\n");
	buf_added(&server->scratch, (size_t)(at - start));
	return true;
}

void
conn_reply(struct conn *conn, int status, const char *content_type,
    const char *headers, size_t headers_size, struct body *body)
{
	struct conn_server *server = conn->server;
	size_t size = body != NULL ? body->size : 0;
	struct errmsg why;
	enum err rc = ERR_NOMEM;

	assert(conn->state == CONN_BUSY);
	assert(status != 204 || size == 0);
	conn->gone = NULL;
	if ((conn->flags & CONN_LOST) != 0) {
		body_unref(body);
		conn_answered(conn);
		return;
	}
	metrics_add(METRIC_HTTP_REQUESTS, 1);
	metrics_observe(
	    METRIC_HTTP_LATENCY, (uint32_t)(conn_now_us() - conn->begun) / 1e3);
	if (status >= 400)
		metrics_add(METRIC_HTTP_ERRORS, 1);
	if (put_head(conn, status, content_type, headers, headers_size, size))
		rc = stream_write(&conn->stream, server->scratch.data,
		    server->scratch.size,
		    (conn->flags & CONN_HEAD) != 0 ? NULL : body, &why);
	body_unref(body);
	conn->state = CONN_SENDING;
	if (rc != OK)
		conn_drop(conn);
	else
		conn_settle(conn);
	conn_answered(conn);
}

void
conn_refuse(
    struct conn *conn, int status, const char *text, const char *headers)
{
	struct body *body = body_new(text, strlen(text));

	/* Without memory for the words the status line has to do. */
	conn->state = CONN_BUSY;
	conn->begun = conn_now_us();
	conn->flags &= (uint8_t) ~(CONN_KEEP | CONN_HTTP10 | CONN_HEAD);
	conn_reply(conn, status, "text/plain; charset=utf-8", headers,
	    strlen(headers), body);
}
