/*
 * tls - TLS sessions over memory, both roles; the only user of OpenSSL's SSL.
 *
 * A context is built from files, counted, and can be swapped while sessions
 * that began under the old one go on. A session eats and makes ciphertext; the
 * stream (stream.h) moves it. The error queue is cleared before each call.
 * Contexts: any thread (atomic count). Sessions: one loop.
 */
#ifndef SERVER_NET_TLS_H
#define SERVER_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

struct tls_files {
	const char *ca_file, *ca_path, *cert_file, *key_file; /* NULL = none */
	const char *min_version;   /* TLSv1_2 (default), TLSv1_3 */
	const char *cipher_suites; /* IANA names of contract 5.1, or NULL */
};

struct tls_context;
struct tls;

/*
 * Load and check (texts of contract 5.2). server_role: accept; verify_peer:
 * require and verify the peer's certificate against the CA files.
 * alpn: "http/1.1" or NULL. Keys never appear in why. ERR_INVALID, ERR_IO.
 */
MUST_CHECK enum err tls_context_new(const struct tls_files *files,
    bool server_role, bool verify_peer, const char *alpn,
    struct tls_context **out, struct errmsg *why);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* NULL allowed */
/* Seconds since 1970 at which its own certificate expires; 0 = has none. */
int64_t tls_context_expiry(const struct tls_context *context);

/* One session; takes a reference of context. server_name: SNI and, with
 * check_name, the DNS name that must be in the peer's certificate; NULL for
 * the accepting side. */
MUST_CHECK enum err tls_new(struct tls_context *context,
    const char *server_name, bool check_name, struct tls **out,
    struct errmsg *why);
void tls_free(struct tls *tls);

/* Feed ciphertext that arrived. */
MUST_CHECK enum err tls_feed(
    struct tls *tls, const void *data, size_t size, struct errmsg *why);
/*
 * Go on with the handshake or read plaintext into out (at most out_size; *got
 * may be 0). ERR_CLOSED: close_notify seen. ERR_PROTOCOL: handshake or record
 * failure, the session is dead.
 */
MUST_CHECK enum err tls_read(struct tls *tls, void *out, size_t out_size,
    size_t *got, struct errmsg *why);
/* Encrypt all of data (after the handshake). */
MUST_CHECK enum err tls_write(
    struct tls *tls, const void *data, size_t size, struct errmsg *why);
/* Begin the shutdown (queues close_notify). */
void tls_shutdown(struct tls *tls);
/* Move the ciphertext that waits to be sent into out. */
void tls_take(struct tls *tls, struct buf *out);
bool tls_established(const struct tls *tls);

/* The verified peer: does its certificate carry this DNS name and clientAuth?
 * false without a verified certificate. */
bool tls_peer_has_name(const struct tls *tls, const char *dns_name);
/* SHA-256 of the peer's public key (SubjectPublicKeyInfo). false: no cert. */
bool tls_peer_key(const struct tls *tls, uint8_t hash[static 32]);

#endif
