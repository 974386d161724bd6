/*
 * cabody - the body of PUT /v1/connect/ca/configuration, decoded (2.3).
 *
 * Top-level names in any case, unknown ones refused; Config is any map and
 * keeps its numbers' tokens. May hold a private key: wiped on free. Any
 * thread. [fuzz]
 */
#ifndef SERVER_API_CABODY_H
#define SERVER_API_CABODY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/http.h"
#include "storage/buf.h"
#include "storage/err.h"

struct cabody {
	struct buf provider; /* text with NUL; "" if missing */
	struct buf config;   /* compact sorted JSON object, "{}" if missing */
	struct buf state;    /* the same with NUL; "" if missing or empty */
	bool force;
	uint64_t modify_index; /* 0 = unconditional */
};

/* ERR_INVALID: the answer's words in why (400). ERR_LIMIT, ERR_NOMEM. On error
 * nothing is owed. */
MUST_CHECK enum err cabody_decode(
    struct http_slice body, struct cabody *out, struct errmsg *why);
void cabody_free(struct cabody *body);

#endif
