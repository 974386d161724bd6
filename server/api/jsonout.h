/*
 * jsonout - members and items of JSON text, with their commas.
 *
 * Each call appends one member (key not NULL) or item (key NULL) to the object
 * or array whose opening bracket, or last member, ends the text so far. Pure.
 */
#ifndef SERVER_API_JSONOUT_H
#define SERVER_API_JSONOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/span.h"
#include "storage/buf.h"

/* Comma if needed, then the key: what follows is a value written by hand. */
void jsonout_key(struct buf *out, const char *key);
void jsonout_text(struct buf *out, const char *key, const char *value);
void jsonout_span(struct buf *out, const char *key, struct span value);
void jsonout_u64(struct buf *out, const char *key, uint64_t value);
/* The number as a text: "12". */
void jsonout_count(struct buf *out, const char *key, uint64_t value);
void jsonout_bool(struct buf *out, const char *key, bool value);
/* RFC 3339 from seconds since 1970. */
void jsonout_time(struct buf *out, const char *key, int64_t seconds);
/* bracket: '{' or '['; closed by its pair. */
void jsonout_open(struct buf *out, const char *key, char bracket);
void jsonout_close(struct buf *out, char bracket);

#endif
