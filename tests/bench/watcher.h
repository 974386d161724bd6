/*
 * watcher - many clients that long-poll, on one epoll and one thread.
 *
 * Each has one connection and asks again after every answer that is not the
 * one waited for. While a round is on, an answer that carries the token (any
 * answer of 2xx, with any_answer) is the news: its time is kept and the
 * watcher rests until watchers_ask.
 */
#ifndef TESTS_BENCH_WATCHER_H
#define TESTS_BENCH_WATCHER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/dial.h"
#include "tests/bench/request.h"

struct watcher;

struct watchers {
	/* Set by the caller. */
	struct targets targets;                   /* used in turn */
	struct request_template poll, first_poll; /* first: no index known */
	const char *index_header; /* NULL = polls need no index */
	const char *token;        /* what the news carries, from '~' on */
	SSL_CTX *context;         /* NULL = plain */
	bool any_answer, round_on;
	/* How many are in what state. */
	unsigned waiting, lost;
	unsigned heads; /* waiting, with the head of the answer here already */
	unsigned early; /* answers while no round was on */
	/* Of this round; the caller sets them back. */
	unsigned told, stale, bad_status;
	/* Private. */
	struct watcher *all;
	unsigned count, opened;
	int epoll;
};

/* Room for count watchers, none open yet. */
void watchers_init(struct watchers *watchers, unsigned count);
/* Open watchers until there are that many. */
void watchers_open(struct watchers *watchers, unsigned count);
/* Have all that were told ask again, and forget when they were told. */
void watchers_ask(struct watchers *watchers);
/* Handle what happens within that time or until something did. */
void watchers_pump(struct watchers *watchers, int timeout_ms);
void watchers_pump_for(struct watchers *watchers, double seconds);
/* When those that were told in this round were told, monotonic ns, to out
 * (room for all); how many. */
unsigned watchers_told(const struct watchers *watchers, uint64_t *out);

#endif
