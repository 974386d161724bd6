/*
 * dial - a client's non-blocking connection, plain TCP or TLS 1.3.
 */
#ifndef TESTS_BENCH_DIAL_H
#define TESTS_BENCH_DIAL_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <sys/types.h>

#define TARGETS_MAX 64

/* What dial_read and dial_write give besides a size; 0 is the end. */
#define DIAL_ERROR      -1
#define DIAL_WANT_READ  -2
#define DIAL_WANT_WRITE -3

struct target {
	struct sockaddr_in address;
	char host[64]; /* as given, for the Host header */
};

struct targets {
	struct target target[TARGETS_MAX];
	size_t count;
};

/* IPv4 ADDRESS:PORT, comma separated; ends the program otherwise. */
struct targets parse_targets(const char *text);

/* ca, certificate and key are PEM paths or NULL; without ca nothing is
 * verified. Ends the program when a file cannot be loaded. */
SSL_CTX *dial_tls(const char *ca, const char *certificate, const char *key);

/* A socket that is connecting, or -1 (errno). */
int dial(const struct target *target);
/* A client's TLS over fd, or NULL without context. Freed by the caller. */
SSL *dial_secure(SSL_CTX *context, int fd);

ssize_t dial_read(int fd, SSL *tls, void *out, size_t room);
ssize_t dial_write(int fd, SSL *tls, const void *data, size_t size);

#endif
