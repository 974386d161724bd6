/*
 * route - the one table of paths: method, handler, what a request may ask.
 *
 * A path that ends in '/' is a prefix: the rest of the request's path is the
 * handler's. Methods of one path stand together, in the order of contract 1.2.
 * The table is constant; any thread.
 */
#ifndef SERVER_API_ROUTE_H
#define SERVER_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/net/http.h"
#include "storage/buf.h"

struct ask;

typedef void (*route_handler)(
    const struct ask *ask, const struct http_request *request);

enum route_flags {
	ROUTE_DC = 1,       /* dc is honoured, others' are refused */
	ROUTE_MODES = 2,    /* default, stale, consistent */
	ROUTE_WAIT = 4,     /* index and wait are parsed */
	ROUTE_BLOCKS = 8,   /* and honoured */
	ROUTE_PUBLIC = 16,  /* one rendered body serves all readers */
	ROUTE_CONNECT = 32, /* needs connect to be enabled */
	ROUTE_PREFIX = 64
};

struct route {
	const char *path;
	size_t path_size;
	enum http_method method;
	const char *method_name;
	route_handler handler;
	unsigned flags; /* enum route_flags */
	/* resource:level; "" = none. Not enforced yet. */
	const char *privilege;
};

extern const struct route route_table[];
extern const size_t route_count;

/*
 * The first row of the path (other methods follow it), NULL if unknown. *rest
 * is what stands behind a prefix, raw; empty for whole paths.
 */
const struct route *route_find(struct http_slice path, struct http_slice *rest);
/* The row for this method among those of the path; NULL: 405. */
const struct route *route_method(
    const struct route *first, enum http_method method);
/* "OPTIONS,GET,PUT" for the path. */
void route_allow(const struct route *first, struct buf *out);

#endif
