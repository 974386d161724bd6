/*
 * json - strict JSON in, raw JSON text out.
 *
 * In: the bytes are scanned once (UTF-8, depth, duplicate keys, size, each
 * number's own token and position) before cJSON sees them, because cJSON keeps
 * neither; integers are read from the token, never from a double. Limits are in
 * jsonscan.h. Out: text appended to a struct buf (jsontext.h). struct json is a
 * cJSON item under another name, so that only this file (and server/api,
 * client) includes cJSON. Any thread. [fuzz]
 */
#ifndef SERVER_JSON_H
#define SERVER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/jsonscan.h"
#include "server/jsontext.h"
#include "storage/buf.h"
#include "storage/err.h"

struct json_doc; /* a parsed document; owns every struct json of it */
struct json;     /* one value, borrowed from its document */

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/*
 * Parse the first JSON value. rest: bytes after it (borrowed size) or NULL to
 * refuse anything but white space there. Refused with ERR_INVALID: empty
 * input ("EOF"), bad syntax, duplicate keys, depth, bad UTF-8, NUL characters,
 * numbers outside double's range or over JSON_TOKEN_MAX; why has line and
 * column. ERR_LIMIT, ERR_NOMEM. On error *out is untouched.
 */
MUST_CHECK enum err json_parse(const void *data, size_t size, size_t *rest,
    struct json_doc **out, struct errmsg *why);
/* The same for a whole file: why begins with name:line:column. */
MUST_CHECK enum err json_parse_file(const char *name, const void *data,
    size_t size, struct json_doc **out, struct errmsg *why);
void json_free(struct json_doc *doc); /* NULL allowed */
void json_wipe(struct json_doc *doc); /* wipes every string first */
const struct json *json_root(const struct json_doc *doc);

enum json_type json_type(const struct json *value);
/* Member by exact name, NULL if absent or value is no object. */
const struct json *json_get(const struct json *object, const char *name);
/* First member whose name matches ignoring ASCII case. */
const struct json *json_get_fold(const struct json *object, const char *name);
/* Children in order: json_first(v), json_next(child). Key: "" in arrays. */
const struct json *json_first(const struct json *value);
const struct json *json_next(const struct json *value);
const char *json_key(const struct json *value);
const char *json_string(const struct json *value); /* NULL if no string */
bool json_bool(const struct json *value);          /* false if no bool */
double json_number(const struct json *value);
/* The number's own token (borrowed), and from it exact integers: false if not
 * a number, has fraction or exponent, or is out of range. */
const char *json_token(const struct json_doc *doc, const struct json *value);
MUST_CHECK bool json_u64(
    const struct json_doc *doc, const struct json *value, uint64_t *out);
MUST_CHECK bool json_i64(
    const struct json_doc *doc, const struct json *value, int64_t *out);
/* Position from 1, columns in bytes: of a member's key, else of the value. */
void json_position(const struct json_doc *doc, const struct json *value,
    unsigned *line, unsigned *column);
/* Same type and content; objects without regard to order. Numbers by value. */
bool json_equal(const struct json *a, const struct json *b);

#endif
