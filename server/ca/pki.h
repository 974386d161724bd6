/*
 * pki - keys and certificates with OpenSSL: profiles of contract 3.5, checks of
 * 3.3, facts of 1.11. The only user of OpenSSL's X.509 in the server.
 *
 * Everything here computes: call it from a worker, not from a loop. PEM in, PEM
 * out; the caller owns and wipes (secret_free_text) what holds a key.
 */
#ifndef SERVER_CA_PKI_H
#define SERVER_CA_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

#define PKI_ID_TEXT     60  /* 59 characters of colon-hex SHA-1, NUL */
#define PKI_KEY_ID_TEXT 200 /* colon-hex of a key id of up to 64 bytes */
#define PKI_PEM_MAX     (64 * 1024)
#define PKI_URI_TEXT    64 /* spiffe://<uuid>.consul, NUL */

/* A fresh private key. type "ec" bits 224/256/384/521, "rsa" 2048/4096; PEM as
 * EC PRIVATE KEY or RSA PRIVATE KEY. ERR_INVALID (texts of 3.3), ERR_NOMEM. */
MUST_CHECK enum err pki_key_new(
    const char *type, unsigned bits, char **pem, struct errmsg *why);
/* Check a supplied key (EC, RSA or PKCS#8 PEM), tell its type and bits. Never
 * echoes it. */
MUST_CHECK enum err pki_key_check(
    const char *pem, const char **type, unsigned *bits, struct errmsg *why);

/* What a root certificate says (contract 1.11, 2.1). */
struct pki_facts {
	char id[PKI_ID_TEXT];                 /* colon-hex SHA-1 of DER */
	char subject_key_id[PKI_KEY_ID_TEXT]; /* "" if absent; the text form of
						 early releases is passed on */
	char authority_key_id[PKI_KEY_ID_TEXT];
	uint64_t serial;               /* low 64 bits */
	int64_t not_before, not_after; /* seconds since 1970 */
	const char *key_type;          /* "ec", "rsa"; static */
	unsigned key_bits;
	char uri[256]; /* first URI SAN, "" if none */
	char common_name[65];
};
/* First certificate of the PEM. Texts of 3.3. ERR_INVALID. */
MUST_CHECK enum err pki_facts(
    const char *pem, struct pki_facts *out, struct errmsg *why);

/* The trust domain's URI, "spiffe://<cluster id in lower case>.consul".
 * ERR_INVALID: not a UUID. */
MUST_CHECK enum err pki_uri(
    const char *cluster_id, char uri[static PKI_URI_TEXT], struct errmsg *why);

/* Self-signed root, contract 3.5. uid: 8 characters of a-z 0-9, drawn by the
 * caller. */
MUST_CHECK enum err pki_root_new(const char *key_pem, const char *cluster_id,
    const char *uid, uint64_t serial, int64_t not_before, int64_t ttl_seconds,
    char **cert_pem, struct errmsg *why);

/* The new root's subject and key, signed by the old root (3.5 cross-signed;
 * lifetime by hazard 12's rule is the caller's). */
MUST_CHECK enum err pki_cross_sign(const char *signer_cert,
    const char *signer_key, const char *subject_cert, uint64_t serial,
    int64_t not_before, int64_t not_after, char **cert_pem, struct errmsg *why);

/* A leaf for a public key and one URI; ends with its signer at the latest. */
MUST_CHECK enum err pki_leaf_new(const char *signer_cert,
    const char *signer_key, const char *public_from_key_pem,
    const char *spiffe_uri, uint64_t serial, int64_t not_before,
    int64_t not_after, char **cert_pem, struct errmsg *why);

/*
 * The checks of a supplied root (contract 3.3 *Ours*), first failure wins:
 * ERR_INVALID with the bare reason. warnings: sentences separated by "; "
 * (missing subject key id, key usage or URI SAN), may be empty.
 */
MUST_CHECK enum err pki_root_check(const char *cert_pem, const char *key_pem,
    const char *trust_domain_uri, int64_t now, struct errmsg *warnings,
    struct errmsg *why);

/* Verify leaf under the roots (PEMs, concatenated) with untrusted
 * intermediates, at time now, as a TLS client and server would. */
MUST_CHECK enum err pki_verify(const char *leaf, const char *intermediates,
    const char *roots, int64_t now, struct errmsg *why);

/* Does cert name signer as its issuer and carry a good signature of its key?
 * Times are not looked at. */
MUST_CHECK enum err pki_signed_by(const char *cert_pem, const char *signer_pem,
    bool *yes, struct errmsg *why);

/* Colon-hex in lower case; out has room for 3 * size bytes (size > 0). */
void pki_hex(const uint8_t *data, size_t size, char *out);

#endif
