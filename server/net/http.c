#include "server/net/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/chunk.h"
#include "server/net/head.h"
#include "storage/secret.h"

/* The library has a type and a constant of the same names. */
#define http_method  library_http_method
#define HTTP_REQUEST LIBRARY_HTTP_REQUEST
#include <http_parser.h>
#undef http_method
#undef HTTP_REQUEST

#define PARTIAL_MIN 1024 /* bytes of the first allocation */

/* A request that did not come in one piece: its head, then its body, decoded.
 * Bytes are wiped when they are let go, for a body may hold a key. */
struct http_partial {
	uint8_t *data; /* owned */
	size_t size, capacity;
	size_t head_size; /* 0 until the head is whole */
	struct head_scan scan;
	struct head head;
	struct chunk chunk;
	bool asked; /* HTTP_CONTINUE was answered */
	bool whole;
};

static_assert(sizeof(struct http_parser_state) <= 64, "idle is cheap");

/* Where refusals go. */
struct refusal {
	int *status;
	struct errmsg *why;
};

static enum http_progress
refuse(const struct refusal *to, int status)
{
	*to->status = status;
	return HTTP_BAD;
}

static enum http_progress
refuse_memory(const struct refusal *to)
{
	(void)err_set(to->why, ERR_NOMEM, "out of memory");
	return refuse(to, 503);
}

static enum http_progress
refuse_size(const struct refusal *to, size_t body_max)
{
	(void)err_set(
	    to->why, ERR_LIMIT, "request body is over %zu bytes", body_max);
	return refuse(to, 413);
}

/* realloc would leave a copy behind. */
static bool
partial_append(struct http_partial *partial, const uint8_t *data, size_t size)
{
	size_t capacity = partial->capacity;
	uint8_t *fresh;

	if (size == 0)
		return true;
	while (capacity - partial->size < size)
		capacity = capacity < PARTIAL_MIN ? PARTIAL_MIN : capacity * 2;
	if (capacity != partial->capacity) {
		fresh = malloc(capacity);
		if (fresh == NULL)
			return false;
		if (partial->size > 0)
			memcpy(fresh, partial->data, partial->size);
		secret_wipe(partial->data, partial->size);
		free(partial->data);
		partial->data = fresh;
		partial->capacity = capacity;
	}
	memcpy(partial->data + partial->size, data, size);
	partial->size += size;
	return true;
}

void
http_next(struct http_parser_state *parser)
{
	struct http_partial *partial = parser->partial;

	if (partial == NULL)
		return;
	secret_wipe(partial->data, partial->size);
	free(partial->data);
	free(partial);
	parser->partial = NULL;
}

bool
http_pending(const struct http_parser_state *parser)
{
	return parser->partial != NULL && !parser->partial->whole;
}

size_t
http_held(const struct http_parser_state *parser)
{
	return parser->partial != NULL ? parser->partial->size : 0;
}

static int
on_field(http_parser *parser, const char *at, size_t size)
{
	struct http_request *request = parser->data;

	if (request->header_count == HTTP_HEADERS_MAX)
		return 1;
	request->headers[request->header_count].name =
	    (struct http_slice){at, size};
	return 0;
}

static int
on_value(http_parser *parser, const char *at, size_t size)
{
	struct http_request *request = parser->data;

	if (request->header_count == HTTP_HEADERS_MAX)
		return 1;
	while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t'))
		size--;
	request->headers[request->header_count++].value =
	    (struct http_slice){at, size};
	return 0;
}

static int
on_head(http_parser *parser)
{
	(void)parser;
	return 1; /* the body is ours */
}

/*
 * Let http_parser take the judged head apart. It knows only the methods of its
 * own list, so it is told GET, and the method is what head_judge found. false:
 * it sees the head otherwise than we do.
 */
static bool
take_apart(const char *data, size_t size, const struct head *head,
    struct http_request *request)
{
	http_parser_settings settings = {.on_header_field = on_field,
	    .on_header_value = on_value,
	    .on_headers_complete = on_head};
	http_parser parser;
	size_t rest = size - head->method_size;

	http_parser_init(&parser, LIBRARY_HTTP_REQUEST);
	parser.data = request;
	request->header_count = 0;
	return http_parser_execute(&parser, &settings, "GET", 3) == 3 &&
	    http_parser_execute(
		&parser, &settings, data + head->method_size, rest) == rest &&
	    HTTP_PARSER_ERRNO(&parser) == HPE_OK &&
	    request->header_count == head->header_count;
}

static enum http_progress
give(const uint8_t *bytes, size_t head_size, const struct head *head,
    const uint8_t *body, size_t body_size, struct http_request *request,
    const struct refusal *to)
{
	const char *data = (const char *)bytes;

	if (!take_apart(data, head_size, head, request)) {
		(void)err_set(
		    to->why, ERR_INVALID, "the request head is ambiguous");
		return refuse(to, 400);
	}
	request->method = head->method;
	request->method_text = (struct http_slice){data, head->method_size};
	request->path = (struct http_slice){data + head->path, head->path_size};
	if (head->path_size == 0) /* "http://host?query" */
		request->path = (struct http_slice){"/", 1};
	request->query =
	    (struct http_slice){data + head->query, head->query_size};
	request->body = (struct http_slice){(const char *)body, body_size};
	request->keep_alive = head->keep_alive;
	request->is_http10 = head->is_http10;
	request->accepts_gzip = head->accepts_gzip;
	request->expects_continue = head->expects_continue;
	return HTTP_REQUEST;
}

/* Body bytes of a known length. */
static enum http_progress
eat_length(struct http_partial *partial, const uint8_t *data, size_t size,
    size_t *used, const struct refusal *to)
{
	size_t have = partial->size - partial->head_size;
	size_t want = (size_t)partial->head.length - have;

	if (size > want)
		size = want;
	if (!partial_append(partial, data, size))
		return refuse_memory(to);
	*used += size;
	return size == want ? HTTP_REQUEST : HTTP_MORE;
}

static enum http_progress
eat_chunks(struct http_partial *partial, const uint8_t *data, size_t size,
    size_t body_max, size_t *used, const struct refusal *to)
{
	const uint8_t *piece = NULL;
	size_t taken, piece_size;

	for (;;) {
		switch (chunk_next(&partial->chunk, data, size, HTTP_HEAD_MAX,
		    &taken, &piece, &piece_size, to->why)) {
		case CHUNK_MORE:
			*used += taken;
			return HTTP_MORE;
		case CHUNK_END:
			*used += taken;
			return HTTP_REQUEST;
		case CHUNK_BAD:
			return refuse(to, 400);
		case CHUNK_DATA:
			break;
		}
		if (piece_size >
		    body_max - (partial->size - partial->head_size))
			return refuse_size(to, body_max);
		if (!partial_append(partial, piece, piece_size))
			return refuse_memory(to);
		*used += taken;
		data += taken;
		size -= taken;
	}
}

static enum http_progress
eat_body(struct http_partial *partial, const uint8_t *data, size_t size,
    size_t body_max, size_t *used, struct http_request *request,
    const struct refusal *to)
{
	enum http_progress rc;

	if (partial->head.chunked)
		rc = eat_chunks(partial, data, size, body_max, used, to);
	else
		rc = eat_length(partial, data, size, used, to);
	if (rc == HTTP_MORE && size == 0 && !partial->asked &&
	    partial->head.expects_continue) {
		partial->asked = true;
		return HTTP_CONTINUE;
	}
	if (rc != HTTP_REQUEST)
		return rc;
	partial->whole = true;
	return give(partial->data, partial->head_size, &partial->head,
	    partial->data + partial->head_size,
	    partial->size - partial->head_size, request, to);
}

static bool
judge(const uint8_t *data, size_t size, size_t body_max, struct head *head,
    const struct refusal *to)
{
	if (!head_judge(data, size, head, to->status, to->why))
		return false;
	if (head->length <= body_max)
		return true;
	(void)refuse_size(to, body_max);
	return false;
}

/* Go on with a head that did not come in one piece. */
static enum http_progress
eat_head(struct http_partial *partial, const uint8_t *data, size_t size,
    size_t body_max, size_t *used, const struct refusal *to)
{
	size_t before = partial->size;
	size_t room = HTTP_HEAD_MAX - before;

	if (!partial_append(partial, data, size < room ? size : room))
		return refuse_memory(to);
	switch (head_scan(&partial->scan, partial->data, partial->size,
	    to->status, to->why)) {
	case HEAD_BAD:
		return HTTP_BAD;
	case HEAD_MORE:
		*used = size;
		return HTTP_MORE;
	case HEAD_WHOLE:
		break;
	}
	/* What lies behind the head is looked at where it came from. */
	secret_wipe(
	    partial->data + partial->scan.at, partial->size - partial->scan.at);
	partial->size = partial->head_size = partial->scan.at;
	*used = partial->head_size - before;
	if (!judge(partial->data, partial->head_size, body_max, &partial->head,
		to))
		return HTTP_BAD;
	return HTTP_REQUEST;
}

/* Nothing of the request was seen before this input. */
static enum http_progress
begin(struct http_parser_state *parser, const uint8_t *data, size_t size,
    size_t body_max, size_t *used, struct http_request *request,
    const struct refusal *to)
{
	struct http_partial *partial;
	struct head_scan scan = {0};
	enum head_progress seen;
	struct head head = {0};

	seen = head_scan(&scan, data, size, to->status, to->why);
	if (seen == HEAD_BAD)
		return HTTP_BAD;
	if (seen == HEAD_WHOLE) {
		if (!judge(data, scan.at, body_max, &head, to))
			return HTTP_BAD;
		if (!head.chunked && head.length <= size - scan.at) {
			*used = scan.at + (size_t)head.length;
			return give(data, scan.at, &head, data + scan.at,
			    (size_t)head.length, request, to);
		}
		size = scan.at;
	}
	partial = calloc(1, sizeof(*partial));
	if (partial == NULL)
		return refuse_memory(to);
	parser->partial = partial;
	partial->scan = scan;
	if (!partial_append(partial, data, size))
		return refuse_memory(to);
	*used = size;
	if (seen == HEAD_MORE)
		return HTTP_MORE;
	partial->head = head;
	partial->head_size = size;
	return HTTP_REQUEST;
}

enum http_progress
http_feed(struct http_parser_state *parser, const uint8_t *data, size_t size,
    size_t body_max, size_t *used, struct http_request *request, int *status,
    struct errmsg *why)
{
	const struct refusal to = {status, why};
	enum http_progress rc;

	*used = 0;
	if (parser->partial == NULL) {
		if (size == 0)
			return HTTP_MORE;
		rc = begin(parser, data, size, body_max, used, request, &to);
		if (parser->partial == NULL)
			return rc;
	} else {
		assert(!parser->partial->whole); /* http_next comes first */
		rc = HTTP_REQUEST;
		if (parser->partial->head_size == 0)
			rc = eat_head(
			    parser->partial, data, size, body_max, used, &to);
	}
	if (rc != HTTP_REQUEST)
		return rc;
	return eat_body(parser->partial, data + *used, size - *used, body_max,
	    used, request, &to);
}

/* A slice of the old bytes becomes one of the copy. */
static void
move(struct http_slice *slice, const uint8_t *from, size_t size,
    const uint8_t *to)
{
	uintptr_t offset = (uintptr_t)slice->data - (uintptr_t)from;

	if ((uintptr_t)slice->data >= (uintptr_t)from && offset <= size)
		slice->data = (const char *)to + offset;
}

enum err
http_keep(struct http_parser_state *parser, const uint8_t *data, size_t used,
    struct http_request *request)
{
	struct http_partial *partial;

	if (parser->partial != NULL)
		return OK; /* it has its own bytes already */
	partial = calloc(1, sizeof(*partial));
	if (partial == NULL)
		return ERR_NOMEM;
	if (!partial_append(partial, data, used)) {
		free(partial);
		return ERR_NOMEM;
	}
	partial->whole = true;
	parser->partial = partial;
	move(&request->method_text, data, used, partial->data);
	move(&request->path, data, used, partial->data);
	move(&request->query, data, used, partial->data);
	move(&request->body, data, used, partial->data);
	for (size_t i = 0; i < request->header_count; i++) {
		move(&request->headers[i].name, data, used, partial->data);
		move(&request->headers[i].value, data, used, partial->data);
	}
	return OK;
}
