/*
 * jsontext - JSON text out, byte for byte as Go's encoder writes it.
 *
 * Appended to a struct buf, which remembers its first failure. Any thread.
 */
#ifndef SERVER_JSONTEXT_H
#define SERVER_JSONTEXT_H

#include <stdbool.h>

#include "storage/buf.h"

struct json;
struct json_doc;

/* Quoted. < > & become \u003c \u003e \u0026, as do U+2028, U+2029 and control
 * characters; each byte that is not UTF-8 becomes \ufffd. */
void json_put_string(struct buf *out, const char *text, size_t size);
void json_put_cstring(struct buf *out, const char *text);

/* Re-indent JSON text with indent spaces (0 = a tab) and one final newline;
 * empty objects and arrays stay {} and []. Text must be valid. */
void json_pretty(struct buf *out, const char *text, size_t size, int indent);

/* Compact text of a value; sorted = object members in byte order of their
 * names, as Go prints maps. Numbers are copied as their token. */
void json_put(struct buf *out, const struct json_doc *doc,
    const struct json *value, bool sorted);

#endif
