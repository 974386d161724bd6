/*
 * pki_openssl - what the pki_*.c files share of OpenSSL; nobody else includes
 * it.
 *
 * Every function leaves OpenSSL's error queue empty, and its words hold only
 * OpenSSL's constant reasons, never input.
 */
#ifndef SERVER_CA_PKI_OPENSSL_H
#define SERVER_CA_PKI_OPENSSL_H

#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "storage/err.h"

#define PKI_KEY_ID_SIZE 32 /* bytes of the key ids we make: SHA-256 */

/* "<what>: <OpenSSL's first reason>" if it gave one; ERR_NOMEM if that was it.
 * Empties the queue. */
enum err pki_refuse(struct errmsg *why, enum err code, const char *what);

/* First private key of the PEM; unencrypted only. ERR_INVALID, ERR_NOMEM. */
MUST_CHECK enum err pki_read_key(
    const char *pem, EVP_PKEY **out, struct errmsg *why);
/* Only the four NIST curves and RSA have a kind; else ERR_INVALID
 * "unsupported key type". type is static. */
MUST_CHECK enum err pki_key_kind(
    const EVP_PKEY *key, const char **type, unsigned *bits, struct errmsg *why);
/* SHA-256 of the DER SubjectPublicKeyInfo. */
MUST_CHECK enum err pki_key_id(const EVP_PKEY *key,
    uint8_t id[static PKI_KEY_ID_SIZE], struct errmsg *why);

/* First certificate, in strict DER. Texts of contract 3.3. */
MUST_CHECK enum err pki_read_cert(
    const char *pem, X509 **out, struct errmsg *why);
/* All certificates of the text, at least none; sk_X509_pop_free. */
MUST_CHECK enum err pki_read_certs(
    const char *pem, STACK_OF(X509) * *out, struct errmsg *why);
/* PEM of a certificate, owned by the caller. */
MUST_CHECK enum err pki_write_cert(X509 *cert, char **pem, struct errmsg *why);

#endif
