/*
 * handler - what a watch hands its JSON to: standard output, a program, a URL.
 */
#ifndef CLIENT_HANDLER_H
#define CLIENT_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handler {
	char *const *args; /* of a program, NULL behind the last; or NULL */
	bool shell;        /* args joined by blanks, for /bin/sh -c */
	const char *url;   /* or NULL; args is NULL then */
	const char *method;
	const char *headers; /* NAME:VALUE by newlines, or NULL */
	unsigned timeout_s;
	bool no_verify;
};

/*
 * Hand one JSON text over and wait until it is dealt with. A program has it
 * on standard input, and the index in CONCLAVE_INDEX and CONSUL_INDEX; a URL
 * gets it as a body, with X-Consul-Index. 0; -1: it failed, and why is said.
 */
int handler_run(const struct handler *handler, const char *json, size_t size,
    uint64_t index);

#endif
