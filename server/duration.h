/*
 * duration - Go duration strings ("72h", "1h2m", "500ms") and RFC 3339 times.
 * Pure; any thread. Contract 1.11.
 */
#ifndef SERVER_DURATION_H
#define SERVER_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

#define DURATION_SECOND INT64_C(1000000000) /* nanoseconds */
#define DURATION_TEXT   40                  /* bytes, enough for any */

/* [+-] then one or more of number[.fraction]unit, unit ns us µs ms s m h; "0"
 * alone is allowed. ERR_INVALID with Go's words (time: invalid duration "x",
 * time: missing unit in duration "5"), ERR_LIMIT on overflow. */
MUST_CHECK enum err duration_parse(
    const char *text, int64_t *nanoseconds, struct errmsg *why);

/* Canonical Go form: 1h0m0s, 500ms, 27.291304ms, 0s. */
void duration_format(int64_t nanoseconds, char text[static DURATION_TEXT]);

/* 2018-06-06T17:35:25Z from seconds since 1970. */
void time_format(int64_t seconds, char text[static DURATION_TEXT]);

/* Wall clock in ms since 1970, and monotonic ms. */
int64_t time_wall_ms(void);
uint64_t time_mono_ms(void);

#endif
