#include "server/ca/pki.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "server/ca/pki_openssl.h"

#define CLUSTER_ID_SIZE 36 /* characters of a UUID */

/* RFC 5280, 4.2.1.3: bit numbers of KeyUsage. */
enum {
	DIGITAL_SIGNATURE = 0,
	KEY_ENCIPHERMENT = 2,
	DATA_ENCIPHERMENT = 3,
	KEY_AGREEMENT = 4,
	KEY_CERT_SIGN = 5,
	CRL_SIGN = 6
};

static const int ca_usage[] = {DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN};
static const int leaf_usage[] = {
    DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, DATA_ENCIPHERMENT, KEY_AGREEMENT};

/* The extensions below answer 1 for success, as OpenSSL does. */
static int
add_ext(X509 *cert, int nid, void *value, int critical)
{
	return X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_APPEND);
}

static int
add_key_usage(X509 *cert, const int *bits, size_t count)
{
	ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
	int ok = usage != NULL;

	for (size_t i = 0; ok && i < count; i++)
		ok = ASN1_BIT_STRING_set_bit(usage, bits[i], 1);
	ok = ok && add_ext(cert, NID_key_usage, usage, 1);
	ASN1_BIT_STRING_free(usage);
	return ok;
}

static int
add_extended_usage(X509 *cert)
{
	EXTENDED_KEY_USAGE *usage = sk_ASN1_OBJECT_new_null();
	int ok = usage != NULL &&
	    sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_client_auth)) > 0 &&
	    sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_server_auth)) > 0 &&
	    add_ext(cert, NID_ext_key_usage, usage, 0);

	EXTENDED_KEY_USAGE_free(usage);
	return ok;
}

static int
add_basic_constraints(X509 *cert, bool ca)
{
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
	int ok;

	if (constraints == NULL)
		return 0;
	constraints->ca = ca ? 0xff : 0;
	ok = add_ext(cert, NID_basic_constraints, constraints, 1);
	BASIC_CONSTRAINTS_free(constraints);
	return ok;
}

static int
add_subject_key_id(X509 *cert, const uint8_t *id, size_t size)
{
	ASN1_OCTET_STRING *text = ASN1_OCTET_STRING_new();
	int ok = text != NULL &&
	    ASN1_OCTET_STRING_set(text, id, (int)size) == 1 &&
	    add_ext(cert, NID_subject_key_identifier, text, 0);

	ASN1_OCTET_STRING_free(text);
	return ok;
}

static int
add_authority_key_id(X509 *cert, const uint8_t *id, size_t size)
{
	AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
	int ok = authority != NULL;

	if (ok) {
		authority->keyid = ASN1_OCTET_STRING_new();
		ok = authority->keyid != NULL &&
		    ASN1_OCTET_STRING_set(authority->keyid, id, (int)size) ==
			1 &&
		    add_ext(cert, NID_authority_key_identifier, authority, 0);
	}
	AUTHORITY_KEYID_free(authority);
	return ok;
}

static int
add_uri(X509 *cert, const char *uri, int critical)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	int ok = names != NULL && name != NULL && text != NULL &&
	    ASN1_STRING_set(text, uri, -1) == 1;

	if (ok) {
		GENERAL_NAME_set0_value(name, GEN_URI, text);
		text = NULL; /* moved */
		ok = sk_GENERAL_NAME_push(names, name) > 0;
	}
	if (ok) {
		name = NULL; /* moved */
		ok = add_ext(cert, NID_subject_alt_name, names, critical);
	}
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(name);
	GENERAL_NAMES_free(names);
	return ok;
}

/* Times are given, never taken from a clock of this machine. */
static int
set_frame(X509 *cert, uint64_t serial, int64_t not_before, int64_t not_after)
{
	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial) == 1 &&
	    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)not_before) !=
	    NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after) != NULL;
}

/* What signs: its certificate and the key that must belong to it. */
struct signer {
	X509 *cert;
	EVP_PKEY *key;
	uint8_t key_id[PKI_KEY_ID_SIZE];
	const uint8_t *id; /* its subject key id, else SHA-256 of its key */
	size_t id_size;
};

static void
signer_free(struct signer *signer)
{
	X509_free(signer->cert);
	EVP_PKEY_free(signer->key);
}

/* On an error too, the caller frees. */
static enum err
signer_read(struct signer *signer, const char *cert, const char *key,
    struct errmsg *why)
{
	const ASN1_OCTET_STRING *id;
	enum err rc;

	rc = pki_read_cert(cert, &signer->cert, why);
	if (rc == OK)
		rc = pki_read_key(key, &signer->key, why);
	if (rc != OK)
		return rc;
	if (X509_check_private_key(signer->cert, signer->key) != 1) {
		ERR_clear_error();
		return err_set(why, ERR_INVALID,
		    "the private key does not belong to the signer's "
		    "certificate");
	}
	id = X509_get0_subject_key_id(signer->cert);
	if (id != NULL && ASN1_STRING_length(id) > 0) {
		signer->id = ASN1_STRING_get0_data(id);
		signer->id_size = (size_t)ASN1_STRING_length(id);
		return OK;
	}
	signer->id = signer->key_id;
	signer->id_size = sizeof(signer->key_id);
	return pki_key_id(signer->key, signer->key_id, why);
}

/* The digest of the algorithm that signed cert; SHA-256 for what we would not
 * make any more. */
static const EVP_MD *
recorded_digest(const X509 *cert)
{
	int digest = NID_undef;

	if (OBJ_find_sigid_algs(X509_get_signature_nid(cert), &digest, NULL) ==
	    1) {
		if (digest == NID_sha384)
			return EVP_sha384();
		if (digest == NID_sha512)
			return EVP_sha512();
	}
	return EVP_sha256();
}

/* A self-signed root follows its curve. */
static const EVP_MD *
root_digest(const char *type, unsigned bits)
{
	if (strcmp(type, "ec") == 0 && bits == 384)
		return EVP_sha384();
	if (strcmp(type, "ec") == 0 && bits == 521)
		return EVP_sha512();
	return EVP_sha256();
}

enum err
pki_uri(
    const char *cluster_id, char uri[static PKI_URI_TEXT], struct errmsg *why)
{
	char low[CLUSTER_ID_SIZE + 1] = "";

	if (strlen(cluster_id) != CLUSTER_ID_SIZE) {
		return err_set(why, ERR_INVALID,
		    "the cluster id has %zu characters, want %d",
		    strlen(cluster_id), CLUSTER_ID_SIZE);
	}
	for (size_t i = 0; i < CLUSTER_ID_SIZE; i++) {
		if (!isxdigit((unsigned char)cluster_id[i]) &&
		    cluster_id[i] != '-') {
			return err_set(
			    why, ERR_INVALID, "the cluster id is not a UUID");
		}
		low[i] = (char)tolower((unsigned char)cluster_id[i]);
	}
	snprintf(uri, PKI_URI_TEXT, "spiffe://%s.consul", low);
	return OK;
}

static enum err
set_root_names(X509 *cert, const char *uri, const char *uid, struct errmsg *why)
{
	X509_NAME *name = X509_get_subject_name(cert);
	char cn[64 + 1];
	int size;

	/* The first eight characters of the cluster id stand behind
	 * "spiffe://". */
	size = snprintf(cn, sizeof(cn), "pri-%s.consul.ca.%.8s.consul", uid,
	    uri + strlen("spiffe://"));
	assert(size > 0 && (size_t)size < sizeof(cn));
	if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
		(const unsigned char *)cn, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, name) != 1)
		return pki_refuse(why, ERR_INTERNAL, "naming the root");
	return OK;
}

enum err
pki_root_new(const char *key_pem, const char *cluster_id, const char *uid,
    uint64_t serial, int64_t not_before, int64_t ttl_seconds, char **cert_pem,
    struct errmsg *why)
{
	uint8_t id[PKI_KEY_ID_SIZE];
	char uri[PKI_URI_TEXT];
	const char *type = NULL;
	unsigned bits = 0;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum err rc;

	rc = pki_uri(cluster_id, uri, why);
	if (rc == OK)
		rc = pki_read_key(key_pem, &key, why);
	if (rc == OK)
		rc = pki_key_kind(key, &type, &bits, why);
	if (rc == OK)
		rc = pki_key_id(key, id, why);
	if (rc != OK)
		goto out;
	cert = X509_new();
	if (cert == NULL) {
		rc = pki_refuse(why, ERR_NOMEM, "certificate");
		goto out;
	}
	rc = set_root_names(cert, uri, uid, why);
	if (rc != OK)
		goto out;
	if (!set_frame(cert, serial, not_before, not_before + ttl_seconds) ||
	    X509_set_pubkey(cert, key) != 1 ||
	    !add_key_usage(cert, ca_usage, ARRAY_SIZE(ca_usage)) ||
	    !add_basic_constraints(cert, true) ||
	    !add_subject_key_id(cert, id, sizeof(id)) ||
	    !add_authority_key_id(cert, id, sizeof(id)) ||
	    !add_uri(cert, uri, 0) ||
	    X509_sign(cert, key, root_digest(type, bits)) <= 0) {
		rc = pki_refuse(why, ERR_INTERNAL, "making the root");
		goto out;
	}
	rc = pki_write_cert(cert, cert_pem, why);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

/* All of the subject's extensions but the one that names its signer. */
static int
copy_extensions(X509 *cert, const X509 *subject)
{
	for (int i = 0; i < X509_get_ext_count(subject); i++) {
		X509_EXTENSION *ext = X509_get_ext(subject, i);

		if (OBJ_obj2nid(X509_EXTENSION_get_object(ext)) ==
		    NID_authority_key_identifier)
			continue;
		if (X509_add_ext(cert, ext, -1) != 1)
			return 0;
	}
	return 1;
}

enum err
pki_cross_sign(const char *signer_cert, const char *signer_key,
    const char *subject_cert, uint64_t serial, int64_t not_before,
    int64_t not_after, char **cert_pem, struct errmsg *why)
{
	struct signer signer = {0};
	X509 *subject = NULL, *cert = NULL;
	enum err rc;

	rc = signer_read(&signer, signer_cert, signer_key, why);
	if (rc == OK)
		rc = pki_read_cert(subject_cert, &subject, why);
	if (rc != OK)
		goto out;
	cert = X509_new();
	if (cert == NULL || !set_frame(cert, serial, not_before, not_after) ||
	    X509_set_subject_name(cert, X509_get_subject_name(subject)) != 1 ||
	    X509_set_issuer_name(cert, X509_get_subject_name(signer.cert)) !=
		1 ||
	    X509_set_pubkey(cert, X509_get0_pubkey(subject)) != 1 ||
	    !copy_extensions(cert, subject) ||
	    !add_authority_key_id(cert, signer.id, signer.id_size) ||
	    X509_sign(cert, signer.key, recorded_digest(signer.cert)) <= 0) {
		rc = pki_refuse(why, ERR_INTERNAL, "cross-signing");
		goto out;
	}
	rc = pki_write_cert(cert, cert_pem, why);
out:
	X509_free(cert);
	X509_free(subject);
	signer_free(&signer);
	return rc;
}

enum err
pki_leaf_new(const char *signer_cert, const char *signer_key,
    const char *public_from_key_pem, const char *spiffe_uri, uint64_t serial,
    int64_t not_before, int64_t not_after, char **cert_pem, struct errmsg *why)
{
	struct signer signer = {0};
	uint8_t id[PKI_KEY_ID_SIZE];
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	enum err rc;

	rc = signer_read(&signer, signer_cert, signer_key, why);
	if (rc == OK)
		rc = pki_read_key(public_from_key_pem, &key, why);
	if (rc == OK)
		rc = pki_key_id(key, id, why);
	if (rc != OK)
		goto out;
	cert = X509_new();
	/* The subject stays empty, so the SAN is critical (RFC 5280). */
	if (cert == NULL || !set_frame(cert, serial, not_before, not_after) ||
	    X509_set_issuer_name(cert, X509_get_subject_name(signer.cert)) !=
		1 ||
	    X509_set_pubkey(cert, key) != 1 ||
	    !add_key_usage(cert, leaf_usage, ARRAY_SIZE(leaf_usage)) ||
	    !add_extended_usage(cert) || !add_basic_constraints(cert, false) ||
	    !add_subject_key_id(cert, id, sizeof(id)) ||
	    !add_authority_key_id(cert, signer.id, signer.id_size) ||
	    !add_uri(cert, spiffe_uri, 1)) {
		rc = pki_refuse(why, ERR_INTERNAL, "making the leaf");
		goto out;
	}
	/* A leaf never outlives its signer. */
	if (ASN1_TIME_compare(X509_get0_notAfter(cert),
		X509_get0_notAfter(signer.cert)) > 0 &&
	    X509_set1_notAfter(cert, X509_get0_notAfter(signer.cert)) != 1) {
		rc = pki_refuse(why, ERR_INTERNAL, "making the leaf");
		goto out;
	}
	if (X509_sign(cert, signer.key, EVP_sha256()) <= 0) {
		rc = pki_refuse(why, ERR_INTERNAL, "signing the leaf");
		goto out;
	}
	rc = pki_write_cert(cert, cert_pem, why);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	signer_free(&signer);
	return rc;
}
