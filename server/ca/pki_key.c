#include "server/ca/pki.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "server/ca/pki_openssl.h"
#include "storage/secret.h"

static const struct curve {
	const char *group; /* OpenSSL's name */
	const char *name;  /* for key generation */
	unsigned bits;
} curves[] = {
    {"secp224r1", "P-224", 224},
    {"prime256v1", "P-256", 256},
    {"secp384r1", "P-384", 384},
    {"secp521r1", "P-521", 521},
};

enum err
pki_refuse(struct errmsg *why, enum err code, const char *what)
{
	unsigned long first = ERR_peek_error();
	const char *reason = ERR_reason_error_string(first);

	if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
		code = err_set(why, ERR_NOMEM, "out of memory");
	else if (reason != NULL)
		code = err_set(why, code, "%s: %s", what, reason);
	else
		code = err_set(why, code, "%s", what);
	ERR_clear_error();
	return code;
}

/* No pass phrase: an encrypted key is refused, nobody is asked. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

enum err
pki_read_key(const char *pem, EVP_PKEY **out, struct errmsg *why)
{
	BIO *bio;
	EVP_PKEY *key;

	ERR_clear_error();
	if (strstr(pem, "-----BEGIN ") == NULL) {
		return err_set(
		    why, ERR_INVALID, "private key: no PEM-encoded data found");
	}
	bio = BIO_new_mem_buf(pem, -1);
	if (bio == NULL)
		return pki_refuse(why, ERR_NOMEM, "private key");
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL) {
		ERR_clear_error();
		return err_set(why, ERR_INVALID,
		    "private key: not an unencrypted EC PRIVATE KEY, RSA "
		    "PRIVATE KEY or PRIVATE KEY in PEM");
	}
	ERR_clear_error();
	*out = key;
	return OK;
}

enum err
pki_key_kind(
    const EVP_PKEY *key, const char **type, unsigned *bits, struct errmsg *why)
{
	char group[64];
	size_t size;

	if (EVP_PKEY_is_a(key, "RSA")) {
		*type = "rsa";
		*bits = (unsigned)EVP_PKEY_get_bits(key);
		return OK;
	}
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1) {
		for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
			if (strcmp(group, curves[i].group) == 0) {
				*type = "ec";
				*bits = curves[i].bits;
				return OK;
			}
		}
	}
	ERR_clear_error();
	return err_set(why, ERR_INVALID, "unsupported key type");
}

enum err
pki_key_id(
    const EVP_PKEY *key, uint8_t id[static PKI_KEY_ID_SIZE], struct errmsg *why)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	int ok;

	if (size <= 0)
		return pki_refuse(why, ERR_INVALID, "public key");
	ok = EVP_Digest(der, (size_t)size, id, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	if (ok != 1)
		return pki_refuse(why, ERR_INTERNAL, "SHA-256");
	return OK;
}

/* Traditional form: EC PRIVATE KEY (SEC1) or RSA PRIVATE KEY (PKCS#1). */
static enum err
write_key(const EVP_PKEY *key, char **pem, struct errmsg *why)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *data, *text = NULL;
	long size;
	enum err rc;

	if (bio == NULL ||
	    PEM_write_bio_PrivateKey_traditional(
		bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		rc = pki_refuse(why, ERR_INTERNAL, "writing the private key");
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
	BIO_free(bio); /* wipes: secure memory */
	return rc;
}

enum err
pki_key_new(const char *type, unsigned bits, char **pem, struct errmsg *why)
{
	EVP_PKEY *key = NULL;
	enum err rc;

	ERR_clear_error();
	if (strcmp(type, "ec") == 0) {
		const struct curve *curve = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
			if (curves[i].bits == bits)
				curve = &curves[i];
		}
		if (curve == NULL) {
			return err_set(why, ERR_INVALID,
			    "EC key length must be one of (224, 256, 384, 521) "
			    "bits");
		}
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve->name);
	} else if (strcmp(type, "rsa") == 0) {
		if (bits != 2048 && bits != 4096) {
			return err_set(why, ERR_INVALID,
			    "RSA key length must be 2048 or 4096 bits");
		}
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	} else {
		return err_set(why, ERR_INVALID,
		    "private key type must be either 'ec' or 'rsa'");
	}
	if (key == NULL)
		return pki_refuse(why, ERR_INTERNAL, "key generation");
	rc = write_key(key, pem, why);
	EVP_PKEY_free(key);
	return rc;
}

enum err
pki_key_check(
    const char *pem, const char **type, unsigned *bits, struct errmsg *why)
{
	EVP_PKEY *key = NULL;
	enum err rc;

	rc = pki_read_key(pem, &key, why);
	if (rc != OK)
		return rc;
	rc = pki_key_kind(key, type, bits, why);
	EVP_PKEY_free(key);
	return rc;
}
