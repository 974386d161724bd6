/*
 * decode - what request bodies have in common: their refusals (contract 1.4).
 *
 * Pure; any thread.
 */
#ifndef SERVER_API_DECODE_H
#define SERVER_API_DECODE_H

#include <stddef.h>

#include "server/json.h"
#include "server/net/http.h"
#include "storage/err.h"

/*
 * The first JSON value of a body, which must be an object; what follows it is
 * ignored. ERR_INVALID with "Request decode failed: <reason>"; ERR_NOMEM,
 * ERR_LIMIT. The caller frees (or wipes) *out.
 */
MUST_CHECK enum err decode_object(
    struct http_slice body, struct json_doc **out, struct errmsg *why);

/* ERR_INVALID, for a member no field of ours matches. */
enum err decode_unknown(const struct json *member, struct errmsg *why);
/* ERR_INVALID, for a member that is not of the type its field wants. */
enum err decode_mismatch(
    const struct json *member, const char *want, struct errmsg *why);

#endif
