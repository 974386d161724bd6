/*
 * onewrite - the write that the watchers are to hear of, on a thread of its
 * own, so that its acknowledgement is timed without waiting behind thousands
 * of notifications.
 */
#ifndef TESTS_BENCH_ONEWRITE_H
#define TESTS_BENCH_ONEWRITE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdint.h>

#include "tests/bench/dial.h"
#include "tests/bench/request.h"

#define ONE_WRITE_TOKEN_SIZE 32 /* bytes, NUL included */

struct one_write {
	const char *command; /* a shell command with {token}, or NULL: */
	struct request_template request;
	struct target target;
	/* Out, once finished. */
	uint64_t start_ns, acknowledged_ns;
	int status; /* HTTP's; 0 = no answer */
	/* Private. */
	SSL_CTX *context;
	SSL *tls;
	int fd;
	pthread_t thread;
	char token[ONE_WRITE_TOKEN_SIZE];
};

/* Connect, unless it is a command; context NULL = plain. Ends the program
 * when that fails. */
void one_write_open(struct one_write *write, SSL_CTX *context);
void one_write_start(struct one_write *write, const char *token);
/* Wait for its end; a lost connection is opened again. */
void one_write_finish(struct one_write *write);

#endif
