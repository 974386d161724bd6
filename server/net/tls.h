/*
 * tls - TLS sessions over memory, both roles; with tlsctx.c the only user of
 * OpenSSL's SSL.
 *
 * A context is built from files, counted, and can be swapped while sessions
 * that began under the old one go on. A session eats and makes ciphertext; the
 * stream (stream.h) moves it. Sessions keep no ciphertext of their own: what
 * arrives is borrowed until it is eaten, what is made goes straight into the
 * buffer given at birth, so that an idle session is as small as OpenSSL lets
 * it be. No tickets, no session cache, no renegotiation, no compression. The
 * error queue is cleared before each call.
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
 * require and verify the peer's certificate against the CA files. ca_file wins
 * over ca_path; ca_path is walked with its subfolders. "" counts as NULL.
 * alpn: "http/1.1" or NULL. Keys never appear in why, and an encrypted key
 * file is refused, never asked for. ERR_INVALID, ERR_IO, ERR_NOMEM.
 */
MUST_CHECK enum err tls_context_new(const struct tls_files *files,
    bool server_role, bool verify_peer, const char *alpn,
    struct tls_context **out, struct errmsg *why);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* NULL allowed */
/* Seconds since 1970 at which its own certificate expires; 0 = has none. */
int64_t tls_context_expiry(const struct tls_context *context);

/*
 * One session; takes a reference of context. server_name: SNI and, with
 * check_name, the DNS name that must be in the peer's certificate; NULL for
 * the accepting side. out: where ciphertext to be sent is appended by every
 * call below; borrowed for the session's life, the caller empties it after
 * each call (one buffer may serve all sessions of a loop).
 */
MUST_CHECK enum err tls_new(struct tls_context *context,
    const char *server_name, bool check_name, struct buf *out,
    struct tls **session, struct errmsg *why);
void tls_free(struct tls *tls); /* NULL allowed */

/* Ciphertext that arrived: borrowed until tls_read says *got is 0 or fails.
 * The former bytes must have been eaten. */
void tls_feed(struct tls *tls, const void *data, size_t size);
/*
 * Go on with the handshake or read plaintext into out (at most out_size; *got
 * is 0 when all that was fed is eaten). ERR_CLOSED: close_notify seen.
 * ERR_PROTOCOL: handshake or record failure, the session is dead. To begin a
 * dialled session's handshake call it with nothing fed.
 */
MUST_CHECK enum err tls_read(struct tls *tls, void *out, size_t out_size,
    size_t *got, struct errmsg *why);
/* Encrypt all of data (after the handshake). ERR_CLOSED, ERR_NOMEM. */
MUST_CHECK enum err tls_write(
    struct tls *tls, const void *data, size_t size, struct errmsg *why);
/* Begin the shutdown: makes close_notify, once. */
void tls_shutdown(struct tls *tls);
bool tls_established(const struct tls *tls);

/* The verified peer: does its certificate carry exactly this DNS name, and
 * clientAuth (contract 5.3)? false without a verified certificate. */
bool tls_peer_has_name(const struct tls *tls, const char *dns_name);
/* SHA-256 of the peer's public key (SubjectPublicKeyInfo, DER). false: no
 * certificate was shown. */
bool tls_peer_key(const struct tls *tls, uint8_t hash[static 32]);

#endif
