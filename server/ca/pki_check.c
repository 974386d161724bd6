#include "server/ca/pki.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "server/ca/pki_openssl.h"
#include "storage/secret.h"

#define LEAF_SECONDS 3600 /* lifetime of a throw-away leaf */

/* s_client's default: 80 bits, so P-224 and RSA 2048 pass and SHA-1 fails. */
#define SECURITY_LEVEL 1

static enum err
verify_as(X509_STORE *store, X509 *leaf, STACK_OF(X509) * untrusted,
    int64_t now, int purpose, struct errmsg *why)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	enum err rc = OK;

	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, store, leaf, untrusted) != 1)
		rc = pki_refuse(why, ERR_NOMEM, "verification");
	if (rc == OK) {
		param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_time(param, (time_t)now);
		X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
		X509_STORE_CTX_set_purpose(ctx, purpose);
		if (X509_verify_cert(ctx) != 1) {
			rc = err_set(why, ERR_INVALID, "%s (depth %d)",
			    X509_verify_cert_error_string(
				X509_STORE_CTX_get_error(ctx)),
			    X509_STORE_CTX_get_error_depth(ctx));
		}
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

enum err
pki_verify(const char *leaf, const char *intermediates, const char *roots,
    int64_t now, struct errmsg *why)
{
	STACK_OF(X509) *untrusted = NULL, *trusted = NULL;
	X509_STORE *store = X509_STORE_new();
	X509 *cert = NULL;
	enum err rc;

	if (store == NULL)
		return pki_refuse(why, ERR_NOMEM, "verification");
	rc = pki_read_cert(leaf, &cert, why);
	if (rc == OK)
		rc = pki_read_certs(intermediates, &untrusted, why);
	if (rc == OK)
		rc = pki_read_certs(roots, &trusted, why);
	for (int i = 0; rc == OK && i < sk_X509_num(trusted); i++) {
		if (X509_STORE_add_cert(store, sk_X509_value(trusted, i)) != 1)
			rc = pki_refuse(why, ERR_NOMEM, "verification");
	}
	if (rc == OK)
		rc = verify_as(
		    store, cert, untrusted, now, X509_PURPOSE_SSL_CLIENT, why);
	if (rc == OK)
		rc = verify_as(
		    store, cert, untrusted, now, X509_PURPOSE_SSL_SERVER, why);
	sk_X509_pop_free(untrusted, X509_free);
	sk_X509_pop_free(trusted, X509_free);
	X509_free(cert);
	X509_STORE_free(store);
	return rc;
}

enum err
pki_signed_by(
    const char *cert_pem, const char *signer_pem, bool *yes, struct errmsg *why)
{
	X509 *cert = NULL, *signer = NULL;
	enum err rc;

	rc = pki_read_cert(cert_pem, &cert, why);
	if (rc == OK)
		rc = pki_read_cert(signer_pem, &signer, why);
	if (rc == OK) {
		*yes = X509_NAME_cmp(X509_get_issuer_name(cert),
			   X509_get_subject_name(signer)) == 0 &&
		    X509_verify(cert, X509_get0_pubkey(signer)) == 1;
	}
	X509_free(cert);
	X509_free(signer);
	ERR_clear_error();
	return rc;
}

static void
warn(struct errmsg *warnings, const char *sentence)
{
	size_t size = strlen(warnings->text);

	if (size + strlen(sentence) + 3 > sizeof(warnings->text))
		return;
	if (size > 0) {
		memcpy(warnings->text + size, "; ", 2);
		size += 2;
	}
	memcpy(warnings->text + size, sentence, strlen(sentence) + 1);
}

/* RFC 5280, 4.2.1.9 and 4.2.1.3: may it sign certificates, and CA ones? */
static enum err
check_ca(X509 *cert, struct errmsg *warnings, struct errmsg *why)
{
	BASIC_CONSTRAINTS *constraints;
	ASN1_BIT_STRING *usage;
	enum err rc = OK;

	constraints = X509_get_ext_d2i(cert, NID_basic_constraints, NULL, NULL);
	if (constraints == NULL || !constraints->ca) {
		rc = err_set(why, ERR_INVALID,
		    "its basic constraints do not say that it is a CA");
	} else if (constraints->pathlen != NULL &&
	    ASN1_INTEGER_get(constraints->pathlen) < 1) {
		rc = err_set(why, ERR_INVALID,
		    "its path length 0 forbids the CA certificates it has to "
		    "sign");
	}
	BASIC_CONSTRAINTS_free(constraints);
	if (rc != OK)
		return rc;
	usage = X509_get_ext_d2i(cert, NID_key_usage, NULL, NULL);
	if (usage == NULL)
		warn(warnings, "it has no key usage");
	else if (ASN1_BIT_STRING_get_bit(usage, 5) == 0) /* keyCertSign */
		rc = err_set(
		    why, ERR_INVALID, "its key usage lacks keyCertSign");
	ASN1_BIT_STRING_free(usage);
	return rc;
}

static enum err
check_times(X509 *cert, int64_t now, struct errmsg *why)
{
	/* -2: a time that cannot be read is no proof of validity. */
	int begin =
	    ASN1_TIME_cmp_time_t(X509_get0_notBefore(cert), (time_t)now);
	int end = ASN1_TIME_cmp_time_t(X509_get0_notAfter(cert), (time_t)now);

	if (begin == 1 || begin == -2)
		return err_set(why, ERR_INVALID, "it is not yet valid");
	if (end < 0)
		return err_set(why, ERR_INVALID, "it has expired");
	return OK;
}

static enum err
check_names(X509 *cert, const char *trust_domain_uri, struct errmsg *warnings,
    struct errmsg *why)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t want = strlen(trust_domain_uri);
	bool found = false;
	enum err rc = OK;

	for (int i = 0; rc == OK && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_IA5STRING *uri;

		if (name->type != GEN_URI)
			continue;
		found = true;
		uri = name->d.uniformResourceIdentifier;
		if ((size_t)ASN1_STRING_length(uri) != want ||
		    strncasecmp((const char *)ASN1_STRING_get0_data(uri),
			trust_domain_uri, want) != 0) {
			rc = err_set(why, ERR_INVALID,
			    "it names another trust domain, ours is %s",
			    trust_domain_uri);
		}
	}
	GENERAL_NAMES_free(names);
	if (rc == OK && !found)
		warn(warnings, "it does not name the trust domain");
	return rc;
}

/* What no single rule above says: a leaf of it must verify. */
static enum err
check_leaf(const char *cert_pem, const char *key_pem, const char *uri,
    int64_t now, struct errmsg *why)
{
	struct errmsg reason;
	char *leaf = NULL, *leaf_key = NULL;
	enum err rc;

	rc = pki_key_new("ec", 256, &leaf_key, why);
	if (rc == OK)
		rc = pki_leaf_new(cert_pem, key_pem, leaf_key, uri, 1, now - 60,
		    now + LEAF_SECONDS, &leaf, why);
	if (rc == OK) {
		rc = pki_verify(leaf, "", cert_pem, now, &reason);
		if (rc != OK) {
			rc = err_set(why, rc,
			    "a certificate signed by it does not verify: %s",
			    reason.text);
		}
	}
	free(leaf);
	secret_free_text(leaf_key);
	return rc;
}

enum err
pki_root_check(const char *cert_pem, const char *key_pem,
    const char *trust_domain_uri, int64_t now, struct errmsg *warnings,
    struct errmsg *why)
{
	struct pki_facts facts;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum err rc;

	warnings->text[0] = '\0';
	rc = pki_facts(cert_pem, &facts, why);
	if (rc == OK)
		rc = pki_read_cert(cert_pem, &cert, why);
	if (rc == OK)
		rc = pki_read_key(key_pem, &key, why);
	if (rc != OK)
		goto out;
	if (X509_check_private_key(cert, key) != 1) {
		rc = err_set(
		    why, ERR_INVALID, "the private key does not belong to it");
		goto out;
	}
	rc = check_ca(cert, warnings, why);
	if (rc == OK)
		rc = check_times(cert, now, why);
	if (rc == OK)
		rc = check_names(cert, trust_domain_uri, warnings, why);
	if (rc == OK && facts.subject_key_id[0] == '\0')
		warn(warnings, "it has no subject key id");
	if (rc == OK)
		rc = check_leaf(cert_pem, key_pem, trust_domain_uri, now, why);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}
