/*
 * query - the parameters every endpoint shares, checked in contract order.
 *
 * Contract 1.3: dc, token, filter, consistency, Cache-Control, wait, index; the
 * first error wins. Reads bytes of the request, keeps none. Pure; any thread.
 * [fuzz]
 */
#ifndef SERVER_API_QUERY_H
#define SERVER_API_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/net/http.h"
#include "storage/err.h"

#define QUERY_VALUE_MAX 256 /* bytes of one decoded value, NUL included */

enum read_mode { READ_DEFAULT, READ_STALE, READ_CONSISTENT };

struct query {
	enum read_mode mode;
	bool pretty;
	bool has_max_age;
	uint64_t max_age_s; /* Cache-Control; must-revalidate makes it 0 */
	uint64_t index;     /* 0 = do not block */
	uint64_t wait_ms;   /* clamped to 600,000; absent, 0 or less: 300,000 */
};

/*
 * What flags (enum route_flags) do not name is not looked at, but pretty.
 * ERR_INVALID: answer *status with why.text (which may be empty).
 */
MUST_CHECK enum err query_parse(const struct http_request *request,
    unsigned flags, const char *datacenter, struct query *out, int *status,
    struct errmsg *why);

/*
 * One decoded parameter into out, "" if absent. ERR_INVALID if it does not
 * fit; a value that cannot be decoded was refused by query_parse.
 */
MUST_CHECK enum err query_text(const struct http_request *request,
    const char *key, char *out, size_t size, struct errmsg *why);

/* A decimal of 1 to 20 digits below 2^64, nothing else. */
bool query_u64(const char *text, uint64_t *out);
/* Go's booleans: 1 t T TRUE true True, 0 f F FALSE false False. */
bool query_bool(const char *text, bool *out);

#endif
