/*
 * canned - an HTTP server on loopback that answers from a script.
 *
 * One thread serves all connections. The n-th request, over all of them, is
 * dealt with by the n-th step; the last step repeats. What was asked is kept.
 */
#ifndef TESTS_SUPPORT_CANNED_H
#define TESTS_SUPPORT_CANNED_H

#include <stddef.h>

#define CANNED_REQUESTS_MAX 64
#define CANNED_TEXT_MAX     8192 /* bytes of a request kept */

enum canned_act {
	CANNED_ANSWER,
	CANNED_DROP, /* read the request, close without a word */
	CANNED_HANG, /* read it, never answer */
};

struct canned_step {
	enum canned_act act;
	const char *status; /* "200 OK" */
	const char *header; /* lines with \r\n, or NULL */
	const char *body;   /* or NULL */
};

struct canned;

/* steps: borrowed until canned_stop. Aborts the test on failure. */
struct canned *canned_start(const struct canned_step *steps, size_t count);
/* "127.0.0.1:port"; borrowed. */
const char *canned_address(const struct canned *canned);
/* Requests read so far, and one of them from 0 on: head and body. */
size_t canned_count(struct canned *canned);
const char *canned_request(struct canned *canned, size_t at);
void canned_stop(struct canned *canned);

/* An address nobody listens at; borrowed, static. */
const char *canned_nobody(void);

#endif
