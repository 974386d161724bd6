/*
 * http - HTTP/1.1 request bytes in, one request out; no I/O. [fuzz]
 *
 * The raw head is looked over before http_parser sees it: bare LF, folded
 * headers, a blank before the colon, control characters, two lengths, length
 * with chunked, and anything else that two readers could understand in two
 * ways is refused with 400 (http_parser takes some of these without a word).
 * Limits: head 16 KiB and 100 headers (431), body as given (413). Keep-alive
 * and pipelining. A request that comes in one piece is not copied: its slices
 * point into the input. What had to be copied is wiped. One loop.
 */
#ifndef SERVER_NET_HTTP_H
#define SERVER_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

#define HTTP_HEAD_MAX    (16 * 1024)
#define HTTP_HEADERS_MAX 100

enum http_method {
	HTTP_GET_,
	HTTP_PUT_,
	HTTP_POST_,
	HTTP_DELETE_,
	HTTP_HEAD_,
	HTTP_OPTIONS_,
	HTTP_OTHER_
};

struct http_slice {
	const char *data; /* not NUL-terminated */
	size_t size;
};

/* One whole request; slices borrow from the parser's input or its buffers and
 * are good until http_next. */
struct http_request {
	enum http_method method;
	struct http_slice method_text;
	struct http_slice path;  /* raw, before '?'; escapes are whole */
	struct http_slice query; /* raw, after '?', may be empty */
	struct http_slice body;
	struct {
		struct http_slice name, value;
	} headers[HTTP_HEADERS_MAX];
	size_t header_count;
	bool keep_alive;
	bool is_http10;
	bool accepts_gzip;
	bool expects_continue; /* answered by the connection before the body */
};

/* A parser between requests holds no buffer: 64 bytes or less. */
struct http_parser_state {
	struct http_partial
	    *partial; /* owned; NULL while nothing is half read */
};

enum http_progress {
	HTTP_MORE,     /* all input eaten (copied), request not whole yet */
	HTTP_REQUEST,  /* *request is whole; *used bytes of data were eaten */
	HTTP_CONTINUE, /* head is whole, client waits for 100: say so and call
			  again with the rest */
	HTTP_BAD       /* answer *status with why.text, then close: 400,
			  413, 417, 431, 503 (out of memory), 505 */
};

/*
 * Eat input. With HTTP_REQUEST, bytes beyond *used belong to the next request
 * (pipelining): the caller feeds them again after http_next.
 */
enum http_progress http_feed(struct http_parser_state *parser,
    const uint8_t *data, size_t size, size_t body_max, size_t *used,
    struct http_request *request, int *status, struct errmsg *why);
/*
 * Make a request's slices good until http_next, whatever becomes of the input
 * it came from: data and used as given to and by the http_feed that answered
 * HTTP_REQUEST. Slices taken from the request before do not move along.
 */
MUST_CHECK enum err http_keep(struct http_parser_state *parser,
    const uint8_t *data, size_t used, struct http_request *request);
/* The request was answered, or the connection ends: release its buffers. */
void http_next(struct http_parser_state *parser);
/* Has a head or body been begun and not finished? (slow-loris deadline) */
bool http_pending(const struct http_parser_state *parser);
/* Bytes held of it. */
size_t http_held(const struct http_parser_state *parser);

/* First header of that name (case-insensitive); size 0 data NULL if absent. */
struct http_slice http_header(
    const struct http_request *request, const char *name);
/* Does the query hold the key? *value raw (still percent-encoded). First one
 * wins. */
bool http_query(const struct http_request *request, const char *key,
    struct http_slice *value);
/* Percent-decode (plus = blank if plus) into a NUL-terminated text; false on
 * a bad escape, an encoded NUL, or more than size - 1 bytes. */
bool http_unescape(struct http_slice in, bool plus, char *out, size_t size);
/* True if every pair of the query decodes; ';' is no separator, and refused
 * as Go refuses it. */
bool http_query_valid(const struct http_request *request);
/* Reason phrase of a status. */
const char *http_reason(int status);

#endif
