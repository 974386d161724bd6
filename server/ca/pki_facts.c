#include "server/ca/pki.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "server/ca/pki_openssl.h"

/* What OpenSSL parsed must be what the bytes say: the ID is their hash. */
static bool
is_der_of(X509 *cert, const unsigned char *data, long size)
{
	unsigned char *der = NULL;
	int der_size = i2d_X509(cert, &der);
	bool same = der_size == size && memcmp(der, data, (size_t)size) == 0;

	OPENSSL_free(der);
	return same;
}

enum err
pki_read_cert(const char *pem, X509 **out, struct errmsg *why)
{
	BIO *bio;
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	const unsigned char *at;
	X509 *cert = NULL;
	long size;
	enum err rc;

	ERR_clear_error();
	bio = BIO_new_mem_buf(pem, -1);
	if (bio == NULL)
		return pki_refuse(why, ERR_NOMEM, "certificate");
	if (PEM_read_bio(bio, &name, &header, &data, &size) != 1) {
		rc = err_set(why, ERR_INVALID, "no PEM-encoded data found");
		goto out;
	}
	if (strcmp(name, "CERTIFICATE") != 0) {
		rc = err_set(why, ERR_INVALID,
		    "first PEM-block should be CERTIFICATE type");
		goto out;
	}
	at = data;
	cert = d2i_X509(NULL, &at, size);
	if (cert == NULL || !is_der_of(cert, data, size)) {
		rc = pki_refuse(why, ERR_INVALID, "error parsing certificate");
		goto out;
	}
	*out = cert;
	cert = NULL; /* moved */
	rc = OK;
out:
	X509_free(cert);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

enum err
pki_read_certs(const char *pem, STACK_OF(X509) * *out, struct errmsg *why)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;
	unsigned long error;
	enum err rc = OK;

	ERR_clear_error();
	if (all == NULL || bio == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(all, cert) == 0) {
			X509_free(cert);
			rc = err_set(why, ERR_NOMEM, "out of memory");
			goto out;
		}
	}
	error = ERR_peek_last_error();
	if (ERR_GET_LIB(error) != ERR_LIB_PEM ||
	    ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
		rc = pki_refuse(why, ERR_INVALID, "error parsing certificate");
		goto out;
	}
	*out = all;
	all = NULL; /* moved */
out:
	sk_X509_pop_free(all, X509_free);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

enum err
pki_write_cert(X509 *cert, char **pem, struct errmsg *why)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long size;
	enum err rc;

	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1) {
		rc = pki_refuse(why, ERR_INTERNAL, "writing the certificate");
		goto out;
	}
	size = BIO_get_mem_data(bio, &data);
	text = malloc((size_t)size + 1);
	if (text == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	memcpy(text, data, (size_t)size);
	text[size] = '\0';
	*pem = text;
	rc = OK;
out:
	BIO_free(bio);
	return rc;
}

void
pki_hex(const uint8_t *data, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		out[3 * i] = digits[data[i] >> 4];
		out[3 * i + 1] = digits[data[i] & 15];
		out[3 * i + 2] = ':';
	}
	out[3 * size - 1] = '\0';
}

/* Early releases put the colon-hex text itself into the extension. */
static bool
is_hex_text(const unsigned char *data, int size)
{
	if (size % 3 != 2)
		return false;
	for (int i = 0; i < size; i++) {
		bool hex = (data[i] >= '0' && data[i] <= '9') ||
		    (data[i] >= 'a' && data[i] <= 'f') ||
		    (data[i] >= 'A' && data[i] <= 'F');

		if (i % 3 == 2 ? data[i] != ':' : !hex)
			return false;
	}
	return true;
}

static enum err
key_id_text(const ASN1_OCTET_STRING *id, char out[static PKI_KEY_ID_TEXT],
    struct errmsg *why)
{
	const unsigned char *data;
	int size;

	out[0] = '\0';
	if (id == NULL)
		return OK;
	data = ASN1_STRING_get0_data(id);
	size = ASN1_STRING_length(id);
	if (size < PKI_KEY_ID_TEXT && is_hex_text(data, size)) {
		memcpy(out, data, (size_t)size);
		out[size] = '\0';
		return OK;
	}
	if (size > PKI_KEY_ID_TEXT / 3) {
		return err_set(why, ERR_INVALID,
		    "key identifier of %d bytes, at most %d are supported",
		    size, PKI_KEY_ID_TEXT / 3);
	}
	if (size > 0)
		pki_hex(data, (size_t)size, out);
	return OK;
}

static enum err
seconds_of(const ASN1_TIME *at, int64_t *seconds, struct errmsg *why)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(at, &tm) != 1)
		return pki_refuse(why, ERR_INVALID, "certificate time");
	*seconds = (int64_t)timegm(&tm);
	return OK;
}

static enum err
low_serial(X509 *cert, uint64_t *serial, struct errmsg *why)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	unsigned char bytes[64];
	int size;

	if (number == NULL)
		return pki_refuse(why, ERR_INVALID, "serial number");
	size = BN_num_bytes(number);
	if (size > (int)sizeof(bytes)) {
		BN_free(number);
		return err_set(why, ERR_INVALID,
		    "serial number of %d bytes, at most %zu are supported",
		    size, sizeof(bytes));
	}
	BN_bn2binpad(number, bytes, (int)sizeof(bytes));
	BN_free(number);
	*serial = 0;
	for (size_t i = sizeof(bytes) - 8; i < sizeof(bytes); i++)
		*serial = *serial << 8 | bytes[i];
	return OK;
}

/* A name we can show: no NUL inside, not longer than room. */
static void
copy_name(const ASN1_STRING *name, char *out, size_t room)
{
	const char *data;
	size_t size;

	if (name == NULL)
		return;
	data = (const char *)ASN1_STRING_get0_data(name);
	size = (size_t)ASN1_STRING_length(name);
	if (size >= room || memchr(data, '\0', size) != NULL)
		return;
	memcpy(out, data, size);
	out[size] = '\0';
}

static void
names_of(X509 *cert, struct pki_facts *out)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	GENERAL_NAMES *names;
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0) {
		copy_name(
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)),
		    out->common_name, sizeof(out->common_name));
	}
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI) {
			copy_name(name->d.uniformResourceIdentifier, out->uri,
			    sizeof(out->uri));
			break;
		}
	}
	GENERAL_NAMES_free(names);
}

static enum err
facts_of(X509 *cert, struct pki_facts *out, struct errmsg *why)
{
	uint8_t digest[20];
	struct errmsg reason;
	EVP_PKEY *key;
	enum err rc;

	if (X509_digest(cert, EVP_sha1(), digest, NULL) != 1)
		return pki_refuse(why, ERR_INTERNAL, "SHA-1");
	pki_hex(digest, sizeof(digest), out->id);
	key = X509_get0_pubkey(cert);
	if (key == NULL ||
	    pki_key_kind(key, &out->key_type, &out->key_bits, &reason) != OK) {
		return err_set(why, ERR_INVALID,
		    "error extracting root key info: unsupported key type");
	}
	rc = key_id_text(
	    X509_get0_subject_key_id(cert), out->subject_key_id, why);
	if (rc == OK)
		rc = key_id_text(X509_get0_authority_key_id(cert),
		    out->authority_key_id, why);
	if (rc == OK)
		rc = low_serial(cert, &out->serial, why);
	if (rc == OK)
		rc = seconds_of(
		    X509_get0_notBefore(cert), &out->not_before, why);
	if (rc == OK)
		rc = seconds_of(X509_get0_notAfter(cert), &out->not_after, why);
	if (rc == OK)
		names_of(cert, out);
	return rc;
}

enum err
pki_facts(const char *pem, struct pki_facts *out, struct errmsg *why)
{
	X509 *cert = NULL;
	enum err rc;

	*out = (struct pki_facts){0};
	rc = pki_read_cert(pem, &cert, why);
	if (rc != OK)
		return rc;
	rc = facts_of(cert, out, why);
	X509_free(cert);
	ERR_clear_error();
	return rc;
}
