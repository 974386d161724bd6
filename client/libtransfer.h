/*
 * libtransfer - one request to one server, on one pair of curl handles.
 *
 * Happy path: libtransfer_run connects (or takes up its old connection), sends,
 * receives, fills the answer. Failure paths: not connected, not trusted, out of
 * time, stopped, an answer too large or no HTTP; for each it says whether a
 * byte of the request may have reached the server, which decides whether a
 * write may be sent again.
 *
 * curl itself repeats a request when a kept connection dies under it before an
 * answer, and would do so with a write, too. So a write never rides on a kept
 * connection.
 *
 * Belongs to one thread at a time, but for libtransfer_stop.
 */
#ifndef CLIENT_LIBTRANSFER_H
#define CLIENT_LIBTRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conclave.h"
#include "client/libendpoint.h"

struct libtransfer;

/* What all requests of a client share. NULL: not set. */
struct libtransfer_setup {
	char *token_header; /* "X-Consul-Token: ..."; a secret */
	char *ca_file, *ca_path, *client_cert, *client_key;
	bool no_verify;
	unsigned connect_timeout_ms;
	size_t answer_max; /* bytes */
};

struct libtransfer_job {
	const struct libendpoint *endpoint;
	const char *method;
	const char *url;
	const void *body; /* or NULL */
	size_t body_size;
	unsigned timeout_ms; /* at least 1 */
};

/* NULL: out of memory. */
struct libtransfer *libtransfer_new(void);
void libtransfer_free(struct libtransfer *transfer);

/*
 * answer  on OK the caller's, of any status.
 * sent    out: some of the request has left.
 * error   on error: the server, and the reason. CONCLAVE_UNREACHABLE, _TLS,
 *         _TIMEOUT, _CANCELED, _MALFORMED, _NOMEM.
 */
LIB_MUST_CHECK enum conclave_err libtransfer_run(struct libtransfer *transfer,
    const struct libtransfer_setup *setup, const struct libtransfer_job *job,
    struct conclave_answer *answer, bool *sent, struct conclave_error *error);

/* Sleep; false if it was stopped. */
LIB_MUST_CHECK bool libtransfer_pause(
    struct libtransfer *transfer, unsigned wait_ms);

/* End what runs and all that follows. Any thread, while transfer lives. */
void libtransfer_stop(struct libtransfer *transfer);

/* Milliseconds of a clock that never jumps. */
uint64_t libtransfer_now_ms(void);

#endif
