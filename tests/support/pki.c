#include "tests/support/pki.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY 86400

struct pki {
	const char *dir;
	X509 *certificate;
	EVP_PKEY *key;
	long serial;
};

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "test CA: %s failed\n", what);
	abort();
}

static FILE *
create(const struct pki *pki, const char *name, const char *suffix)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", pki->dir, name, suffix);
	file = fopen(path, "we");
	must(file != NULL, path);
	return file;
}

static void
extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension != NULL, value);
	must(X509_add_ext(certificate, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static X509 *
draft(struct pki *pki, const char *name, EVP_PKEY *key, bool expired)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_NAME_new();

	must(certificate != NULL && subject != NULL, "memory");
	must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		 (const unsigned char *)name, -1, -1, 0) == 1,
	    "name");
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * DAY);
	X509_gmtime_adj(X509_getm_notAfter(certificate), expired ? -DAY : DAY);
	must(X509_set_subject_name(certificate, subject) == 1, "subject");
	must(X509_set_pubkey(certificate, key) == 1, "key");
	X509_NAME_free(subject);
	return certificate;
}

static void
write_pair(const struct pki *pki, const char *name, X509 *certificate,
    EVP_PKEY *key, const char *secret)
{
	FILE *file = create(pki, name, ".pem");

	must(PEM_write_X509(file, certificate) == 1, "write");
	fclose(file);
	file = create(pki, name, ".key");
	must(PEM_write_PrivateKey(file, key,
		 secret != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
		 (void *)(uintptr_t)secret) == 1,
	    "write");
	fclose(file);
}

struct pki *
pki_new(const char *dir, const char *name)
{
	struct pki *pki = calloc(1, sizeof(*pki));

	must(pki != NULL, "memory");
	pki->dir = dir;
	pki->key = EVP_EC_gen("P-256");
	must(pki->key != NULL, "key");
	pki->certificate = draft(pki, name, pki->key, false);
	X509_set_issuer_name(
	    pki->certificate, X509_get_subject_name(pki->certificate));
	extend(pki->certificate, pki->certificate, NID_basic_constraints,
	    "critical,CA:TRUE");
	extend(pki->certificate, pki->certificate, NID_key_usage,
	    "critical,keyCertSign,cRLSign");
	must(X509_sign(pki->certificate, pki->key, EVP_sha256()) > 0, "sign");
	write_pair(pki, name, pki->certificate, pki->key, NULL);
	return pki;
}

void
pki_issue(struct pki *pki, const struct pki_leaf *leaf)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate;
	char names[300];

	must(key != NULL, "key");
	certificate = draft(pki, leaf->name, key, leaf->expired);
	X509_set_issuer_name(
	    certificate, X509_get_subject_name(pki->certificate));
	if (leaf->dns != NULL) {
		snprintf(names, sizeof(names), "DNS:%s", leaf->dns);
		extend(
		    certificate, pki->certificate, NID_subject_alt_name, names);
	}
	if (leaf->usage != NULL)
		extend(certificate, pki->certificate, NID_ext_key_usage,
		    leaf->usage);
	must(X509_sign(certificate, pki->key, EVP_sha256()) > 0, "sign");
	write_pair(pki, leaf->name, certificate, key, leaf->secret);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void
pki_free(struct pki *pki)
{
	X509_free(pki->certificate);
	EVP_PKEY_free(pki->key);
	free(pki);
}
