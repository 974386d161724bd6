/*
 * libpace - how soon the next request of a watch may follow.
 *
 * A token bucket of two, and a backoff after errors. Pure: times are given in
 * milliseconds of a monotonic clock, randomness as a number.
 */
#ifndef CLIENT_LIBPACE_H
#define CLIENT_LIBPACE_H

#include <stdint.h>

#define LIBPACE_BACKOFF_MIN_MS 500
#define LIBPACE_BACKOFF_MAX_MS 60000

struct libpace {
	unsigned interval_ms; /* a token comes back after this */
	uint64_t full_ms;     /* when the bucket is full again */
	unsigned failures;    /* in a row */
};

/* A full bucket. */
struct libpace libpace_new(unsigned interval_ms);

/* Take a token: milliseconds to wait before it may be used, 0 if at once. */
unsigned libpace_take(struct libpace *pace, uint64_t now_ms);

/* Count an error: milliseconds until the next try, of which random takes off
 * up to half. */
unsigned libpace_fail(struct libpace *pace, uint32_t random);

/* An answer came: the next error is a first one. */
void libpace_good(struct libpace *pace);

#endif
