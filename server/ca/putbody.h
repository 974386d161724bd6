/*
 * putbody - the request of a CA configuration call as it travels between
 * servers, and its reply (manager.h). Any thread.
 *
 * Request: text provider, text config, text state (u32 length + bytes each), u8
 * force, u64 cas.
 */
#ifndef SERVER_CA_PUTBODY_H
#define SERVER_CA_PUTBODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

struct json;
struct json_doc;

struct putbody {
	char *provider;              /* "" if missing */
	struct json_doc *config_doc; /* an object */
	struct json_doc *state_doc;  /* NULL = omitted */
	bool force;
	uint64_t cas; /* 0 = unconditional */
};

/* Owned by the caller, on error nothing is. ERR_CORRUPT (not a request),
 * ERR_INVALID (no JSON objects), ERR_NOMEM. */
MUST_CHECK enum err putbody_decode(
    const uint8_t *data, size_t size, struct putbody *out, struct errmsg *why);
void putbody_free(struct putbody *put); /* wipes; fine on an all-zero one */

const struct json *putbody_config(const struct putbody *put);
/* NULL if it was omitted, null or empty. */
const struct json *putbody_state(const struct putbody *put);

/* u16 HTTP status, u64 revision. */
void putbody_reply(struct buf *out, unsigned http_status, uint64_t revision);

#endif
