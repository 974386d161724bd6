/*
 * reply - answers as contract 1.5, 1.6 and 1.9 want them.
 *
 * Every function here ends the request: one call, and the conn may be gone
 * after it. Client loop.
 */
#ifndef SERVER_API_REPLY_H
#define SERVER_API_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/api/query.h"
#include "server/api/route.h"
#include "server/net/conn.h"
#include "storage/buf.h"
#include "storage/err.h"

#define REPLY_HEAD_MAX 512 /* bytes of header lines of ours */

#define REPLY_JSON  "application/json"
#define REPLY_PLAIN "text/plain; charset=utf-8"

struct api;

/* One request: who asks, and what the shared parameters said. Copied by who
 * answers later. */
struct ask {
	struct api *api;
	struct conn *conn;
	const struct route *route;
	struct http_slice
	    rest; /* behind a prefix route; during the call only */
	struct query query;
	bool gzip;
};

/* Header lines being put together. Too long is a fault of ours: asserted. */
struct reply_head {
	size_t size;
	char text[REPLY_HEAD_MAX];
};

/* Begins with the lines every answer carries. */
void reply_head(struct reply_head *head);
void reply_line(struct reply_head *head, const char *name, const char *value);
void reply_number(struct reply_head *head, const char *name, uint64_t value);
/* X-Consul-Index (0 becomes 1), KnownLeader, LastContact, Query-Backend. */
void reply_meta(struct reply_head *head, struct api *api, uint64_t index);

/* Text of an error. retry: with Retry-After: 1. */
void reply_error(const struct ask *ask, int status, const char *text);
void reply_retry(const struct ask *ask, int status, const char *text);
/*
 * A failure of node_propose, node_call or a barrier, by contract 1.9. Codes
 * that have no fixed answer become 500 with why's text (NULL or empty: the
 * code's name).
 */
void reply_failure(
    const struct ask *ask, enum err code, const struct errmsg *why);
/* A failure of our own while reading: 503 without memory, else 500. */
void reply_fault(
    const struct ask *ask, enum err code, const struct errmsg *why);

/* 200 and nothing; behind: this server has not applied it yet. */
void reply_empty(const struct ask *ask, bool behind);
/*
 * Compact JSON, made pretty and small as asked. *json is freed; its failure
 * (limit, memory) is answered instead. head NULL: nothing special.
 */
void reply_json(const struct ask *ask, int status,
    const struct reply_head *head, struct buf *json);
/* Other text. */
void reply_text(const struct ask *ask, int status,
    const struct reply_head *head, const char *type, struct buf *text);
/* A body as it is; one reference is taken over. zipped: it is in gzip form. */
void reply_body(const struct ask *ask, int status, struct reply_head *head,
    const char *type, struct body *body, bool zipped);

#endif
