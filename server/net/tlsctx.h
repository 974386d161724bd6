/*
 * tlsctx - what a TLS context is made of; private to tls.c and tlsctx.c.
 *
 * Built from files by tls_context_new, read-only from then on but for the
 * count. Any thread.
 */
#ifndef SERVER_NET_TLSCTX_H
#define SERVER_NET_TLSCTX_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "server/net/tls.h"

#define TLS_CA_MAX      4096              /* certificates from CA files */
#define TLS_CA_FILE_MAX (4 * 1024 * 1024) /* bytes in one file */

struct tls_context {
	SSL_CTX *ssl;
	atomic_uint references;
	bool server_role;
	bool verify_peer;
	int64_t expiry; /* of the own certificate, seconds since 1970 */
};

/* The latest OpenSSL error as a short reason, and the queue cleared. Never a
 * file's content. */
void tls_reason(char *out, size_t size);

#endif
