/*
 * jsonscan - is it strict JSON, and where is what?
 *
 * RFC 8259 and nothing beside it, plus limits of ours. One pass, no allocation
 * except the list of marks. Pure; any thread. [fuzz]
 */
#ifndef SERVER_JSONSCAN_H
#define SERVER_JSONSCAN_H

#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

#define JSON_DEPTH_MAX   32
#define JSON_SIZE_MAX    (1u << 20)
#define JSON_VALUES_MAX  65536 /* of any type, in one document */
#define JSON_MEMBERS_MAX 1024  /* of one object */
#define JSON_TOKEN_MAX   63    /* characters of a number: cJSON cuts there */

#define JSONSCAN_NO_TOKEN UINT32_MAX

/* One value, in document order (the order of cJSON's tree as well). */
struct jsonscan_mark {
	uint32_t line, column; /* from 1, columns in bytes; a member's key */
	uint32_t token; /* offset of a number's text, else JSONSCAN_NO_TOKEN */
};

struct jsonscan {
	struct jsonscan_mark *marks; /* owned by the caller: free */
	size_t count;
	size_t end; /* offset after the first value */
};

/*
 * Judge the first JSON value of data. name: file for messages of the form
 * name:line:column, or NULL for "line 1, column 2: ...". On error out->marks is
 * NULL. ERR_INVALID, ERR_LIMIT (which limit is said), ERR_NOMEM.
 */
MUST_CHECK enum err jsonscan_value(const char *data, size_t size,
    const char *name, struct jsonscan *out, struct errmsg *why);

/* A refusal with its position, as jsonscan_value words it. */
enum err jsonscan_refuse(struct errmsg *why, enum err code, const char *name,
    unsigned line, unsigned column, const char *text);

#endif
