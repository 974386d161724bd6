/*
 * Goal: certificates have exactly the profiles of the contract, what they say
 * is read back exactly, and a root that would break trust is refused.
 * Method: every key type; fields read with OpenSSL, verified strictly; refused
 * roots from a table of flaws.
 */
#include "server/ca/pki.h"
#include "storage/secret.h"
#include "tests/support/test.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define CLUSTER "11111111-2222-3333-4444-555555555555"
#define URI     "spiffe://" CLUSTER ".consul"
#define NOW     INT64_C(1790000000)
#define DAY     INT64_C(86400)
#define YEAR    (365 * DAY)

static const struct kind {
	const char *type;
	unsigned bits;
	const char *begin; /* of the key's PEM */
	int self_nid, cross_nid;
} kinds[] = {
    {"ec", 224, "-----BEGIN EC PRIVATE KEY-----", NID_ecdsa_with_SHA256,
	NID_ecdsa_with_SHA256},
    {"ec", 256, "-----BEGIN EC PRIVATE KEY-----", NID_ecdsa_with_SHA256,
	NID_ecdsa_with_SHA256},
    {"ec", 384, "-----BEGIN EC PRIVATE KEY-----", NID_ecdsa_with_SHA384,
	NID_ecdsa_with_SHA384},
    {"ec", 521, "-----BEGIN EC PRIVATE KEY-----", NID_ecdsa_with_SHA512,
	NID_ecdsa_with_SHA512},
    {"rsa", 2048, "-----BEGIN RSA PRIVATE KEY-----",
	NID_sha256WithRSAEncryption, NID_sha256WithRSAEncryption},
    {"rsa", 4096, "-----BEGIN RSA PRIVATE KEY-----",
	NID_sha256WithRSAEncryption, NID_sha256WithRSAEncryption},
};

/* One root of each kind, made once: RSA keys are slow. */
static struct pair {
	char *key, *cert;
} pairs[ARRAY_SIZE(kinds)];

static int
make_pairs(void **state)
{
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(pki_key_new(kinds[i].type, kinds[i].bits,
				     &pairs[i].key, &why),
		    OK);
		assert_int_equal(
		    pki_root_new(pairs[i].key, CLUSTER, "abcd1234", 10 + i, NOW,
			10 * YEAR, &pairs[i].cert, &why),
		    OK);
	}
	return 0;
}

static int
free_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		secret_free_text(pairs[i].key);
		free(pairs[i].cert);
	}
	return 0;
}

static X509 *
parse(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static char *
print(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *pem;
	long size;

	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	size = BIO_get_mem_data(bio, &data);
	pem = calloc(1, (size_t)size + 1);
	memcpy(pem, data, (size_t)size);
	BIO_free(bio);
	return pem;
}

static EVP_PKEY *
parse_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

/* RFC 5280's rules to the letter, as openssl verify -x509_strict. */
static void
verify_strictly(const char *leaf, const char *links, const char *root)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	X509 *trusted = parse(root), *cert = parse(leaf);
	X509_VERIFY_PARAM *param;

	if (links != NULL)
		sk_X509_push(untrusted, parse(links));
	X509_STORE_add_cert(store, trusted);
	X509_STORE_CTX_init(ctx, store, cert, untrusted);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)NOW + 60);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	if (X509_verify_cert(ctx) != 1)
		fail_msg("%s",
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_pop_free(untrusted, X509_free);
	X509_free(trusted);
	X509_free(cert);
}

static void
sha256_of_key(X509 *cert, uint8_t out[32])
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(X509_get0_pubkey(cert), &der);

	assert_true(size > 0);
	assert_int_equal(
	    EVP_Digest(der, (size_t)size, out, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
}

static void
check_extension(X509 *cert, int nid, int critical)
{
	int at = X509_get_ext_by_NID(cert, nid, -1);

	assert_true(at >= 0);
	assert_int_equal(
	    X509_EXTENSION_get_critical(X509_get_ext(cert, at)), critical);
	assert_int_equal(X509_get_ext_by_NID(cert, nid, at), -1);
}

static void
root_has_the_profile_of_the_contract_for_every_key_type(void **state)
{
	uint8_t id[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		X509 *cert = parse(pairs[i].cert);
		struct pki_facts facts;
		struct errmsg why;

		assert_memory_equal(
		    pairs[i].key, kinds[i].begin, strlen(kinds[i].begin));
		assert_int_equal(pki_facts(pairs[i].cert, &facts, &why), OK);
		assert_string_equal(facts.key_type, kinds[i].type);
		assert_int_equal(facts.key_bits, kinds[i].bits);
		assert_int_equal(facts.serial, 10 + i);
		assert_int_equal(facts.not_before, NOW);
		assert_int_equal(facts.not_after, NOW + 10 * YEAR);
		assert_string_equal(facts.common_name,
		    "pri-abcd1234.consul.ca.11111111.consul");
		assert_string_equal(facts.uri, URI);
		assert_string_equal(
		    facts.subject_key_id, facts.authority_key_id);
		assert_int_equal(strlen(facts.id), 59);

		sha256_of_key(cert, id);
		assert_int_equal(
		    ASN1_STRING_length(X509_get0_subject_key_id(cert)), 32);
		assert_memory_equal(
		    ASN1_STRING_get0_data(X509_get0_subject_key_id(cert)), id,
		    32);
		assert_int_equal(X509_get_version(cert), X509_VERSION_3);
		assert_int_equal(
		    X509_get_signature_nid(cert), kinds[i].self_nid);
		assert_int_equal(X509_get_pathlen(cert), -1);
		assert_int_equal(X509_get_key_usage(cert),
		    KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN);
		assert_true(X509_get_extension_flags(cert) & EXFLAG_CA);
		check_extension(cert, NID_basic_constraints, 1);
		check_extension(cert, NID_key_usage, 1);
		check_extension(cert, NID_subject_alt_name, 0);
		check_extension(cert, NID_subject_key_identifier, 0);
		check_extension(cert, NID_authority_key_identifier, 0);
		assert_int_equal(X509_get_ext_count(cert), 5);
		assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
		X509_free(cert);
	}
}

static void
leaf_of_every_root_verifies_as_client_and_server(void **state)
{
	struct errmsg why;
	char *key = NULL;

	(void)state;
	assert_int_equal(pki_key_new("ec", 256, &key, &why), OK);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *other = pairs[(i + 1) % ARRAY_SIZE(pairs)].cert;
		char *leaf = NULL;
		X509 *cert;

		assert_int_equal(pki_leaf_new(pairs[i].cert, pairs[i].key, key,
				     URI "/ns/default/dc/dc1/svc/web", 77,
				     NOW - 60, NOW + 3600, &leaf, &why),
		    OK);
		assert_int_equal(
		    pki_verify(leaf, "", pairs[i].cert, NOW, &why), OK);
		verify_strictly(leaf, NULL, pairs[i].cert);
		assert_int_equal(
		    pki_verify(leaf, "", other, NOW, &why), ERR_INVALID);
		assert_int_equal(
		    pki_verify(leaf, "", pairs[i].cert, NOW + 2 * 3600, &why),
		    ERR_INVALID);
		assert_non_null(strstr(why.text, "expired"));

		cert = parse(leaf);
		assert_int_equal(
		    X509_NAME_entry_count(X509_get_subject_name(cert)), 0);
		check_extension(cert, NID_subject_alt_name, 1);
		check_extension(cert, NID_basic_constraints, 1);
		check_extension(cert, NID_ext_key_usage, 0);
		assert_int_equal(X509_get_key_usage(cert),
		    KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT |
			KU_DATA_ENCIPHERMENT | KU_KEY_AGREEMENT);
		assert_int_equal(X509_get_extended_key_usage(cert),
		    XKU_SSL_CLIENT | XKU_SSL_SERVER);
		assert_int_equal(X509_get_signature_nid(cert),
		    kinds[i].type[0] == 'r' ? NID_sha256WithRSAEncryption
					    : NID_ecdsa_with_SHA256);
		X509_free(cert);
		free(leaf);
	}
	secret_free_text(key);
}

static void
leaf_never_outlives_its_signer(void **state)
{
	struct pki_facts facts;
	struct errmsg why;
	char *leaf = NULL;

	(void)state;
	assert_int_equal(pki_leaf_new(pairs[1].cert, pairs[1].key, pairs[0].key,
			     URI, 1, NOW, NOW + 20 * YEAR, &leaf, &why),
	    OK);
	assert_int_equal(pki_facts(leaf, &facts, &why), OK);
	assert_int_equal(facts.not_after, NOW + 10 * YEAR);
	free(leaf);
}

static void
cross_signed_root_links_every_old_to_every_new_key_type(void **state)
{
	struct errmsg why;
	char *key = NULL;

	(void)state;
	assert_int_equal(pki_key_new("ec", 256, &key, &why), OK);
	for (size_t old = 0; old < ARRAY_SIZE(kinds); old++) {
		size_t new = (old + 1) % ARRAY_SIZE(kinds);
		struct pki_facts link_facts, old_facts, new_facts;
		char *link = NULL, *leaf = NULL;
		bool yes = false;
		X509 *cert;

		assert_int_equal(pki_cross_sign(pairs[old].cert, pairs[old].key,
				     pairs[new].cert, 99, NOW - 60,
				     NOW + 7 * DAY, &link, &why),
		    OK);
		assert_int_equal(pki_facts(link, &link_facts, &why), OK);
		assert_int_equal(
		    pki_facts(pairs[old].cert, &old_facts, &why), OK);
		assert_int_equal(
		    pki_facts(pairs[new].cert, &new_facts, &why), OK);
		assert_string_equal(
		    link_facts.authority_key_id, old_facts.subject_key_id);
		assert_string_equal(
		    link_facts.subject_key_id, new_facts.subject_key_id);
		assert_string_equal(link_facts.uri, URI);
		assert_int_equal(link_facts.serial, 99);
		assert_int_equal(link_facts.not_after, NOW + 7 * DAY);
		cert = parse(link);
		assert_int_equal(
		    X509_get_signature_nid(cert), kinds[old].cross_nid);
		assert_int_equal(X509_get_ext_count(cert), 5);
		assert_true(X509_get_extension_flags(cert) & EXFLAG_CA);
		X509_free(cert);

		assert_int_equal(
		    pki_signed_by(link, pairs[old].cert, &yes, &why), OK);
		assert_true(yes);
		assert_int_equal(
		    pki_signed_by(link, pairs[new].cert, &yes, &why), OK);
		assert_false(yes);

		assert_int_equal(
		    pki_leaf_new(pairs[new].cert, pairs[new].key, key, URI, 100,
			NOW - 60, NOW + 3600, &leaf, &why),
		    OK);
		assert_int_equal(
		    pki_verify(leaf, link, pairs[old].cert, NOW, &why), OK);
		assert_int_equal(
		    pki_verify(leaf, "", pairs[new].cert, NOW, &why), OK);
		assert_int_equal(
		    pki_verify(leaf, "", pairs[old].cert, NOW, &why),
		    ERR_INVALID);
		verify_strictly(leaf, link, pairs[old].cert);
		free(link);
		free(leaf);
	}
	secret_free_text(key);
}

static void
signing_with_a_foreign_key_is_refused(void **state)
{
	struct errmsg why;
	char *out = NULL;

	(void)state;
	assert_int_equal(pki_cross_sign(pairs[0].cert, pairs[1].key,
			     pairs[2].cert, 1, NOW, NOW + DAY, &out, &why),
	    ERR_INVALID);
	assert_int_equal(pki_leaf_new(pairs[0].cert, pairs[1].key, pairs[1].key,
			     URI, 1, NOW, NOW + DAY, &out, &why),
	    ERR_INVALID);
	assert_null(out);
}

static void
key_parameters_and_garbage_are_refused_without_an_echo(void **state)
{
	static const struct {
		const char *type;
		unsigned bits;
		const char *text;
	} cases[] = {
	    {"ec", 255,
		"EC key length must be one of (224, 256, 384, 521) bits"},
	    {"rsa", 1024, "RSA key length must be 2048 or 4096 bits"},
	    {"foo", 256, "private key type must be either 'ec' or 'rsa'"},
	};
	static const char *const garbage[] = {"", "SECRETBYTES",
	    "-----BEGIN EC PRIVATE KEY-----\nSECRETBYTES\n"
	    "-----END EC PRIVATE KEY-----\n",
	    "-----BEGIN EC PRIVATE KEY-----\nU0VDUkVUQllURVM=\n"
	    "-----END EC PRIVATE KEY-----\n",
	    "-----BEGIN PRIVATE KEY-----\nU0VDUkVUQllURVM=\n"};
	struct errmsg why;
	const char *type;
	char *pem = NULL;
	unsigned bits;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		    pki_key_new(cases[i].type, cases[i].bits, &pem, &why),
		    ERR_INVALID);
		assert_string_equal(why.text, cases[i].text);
	}
	assert_null(pem);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		assert_int_equal(
		    pki_key_check(garbage[i], &type, &bits, &why), ERR_INVALID);
		assert_null(strstr(why.text, "SECRET"));
		assert_null(strstr(why.text, "U0VD"));
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void
pkcs8_and_traditional_keys_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		EVP_PKEY *key = parse_key(pairs[i].key);
		BIO *bio = BIO_new(BIO_s_mem());
		struct errmsg why;
		const char *type;
		unsigned bits;
		char *data, pem[8192];
		long size;

		PEM_write_bio_PKCS8PrivateKey(
		    bio, key, NULL, NULL, 0, NULL, NULL);
		size = BIO_get_mem_data(bio, &data);
		assert_true(size < (long)sizeof(pem));
		memcpy(pem, data, (size_t)size);
		pem[size] = '\0';
		BIO_free(bio);
		EVP_PKEY_free(key);
		assert_non_null(strstr(pem, "-----BEGIN PRIVATE KEY-----"));
		assert_int_equal(pki_key_check(pem, &type, &bits, &why), OK);
		assert_string_equal(type, kinds[i].type);
		assert_int_equal(bits, kinds[i].bits);
		assert_int_equal(
		    pki_key_check(pairs[i].key, &type, &bits, &why), OK);
	}
}

static void
facts_refuse_what_is_no_certificate(void **state)
{
	static const struct {
		const char *pem, *text;
	} cases[] = {
	    {"", "no PEM-encoded data found"},
	    {"garbage", "no PEM-encoded data found"},
	    {"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
		"no PEM-encoded data found"},
	    {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
	     "-----END EC PARAMETERS-----\n",
		"first PEM-block should be CERTIFICATE type"},
	};
	struct pki_facts facts;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		    pki_facts(cases[i].pem, &facts, &why), ERR_INVALID);
		assert_string_equal(why.text, cases[i].text);
	}
	assert_int_equal(pki_facts("-----BEGIN CERTIFICATE-----\nMAA=\n"
				   "-----END CERTIFICATE-----\n",
			     &facts, &why),
	    ERR_INVALID);
	assert_memory_equal(why.text, "error parsing certificate", 25);
}

static void
trust_domain_is_lower_case(void **state)
{
	char uri[PKI_URI_TEXT];
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    pki_uri("ABCDEF01-2222-3333-4444-555555555555", uri, &why), OK);
	assert_string_equal(
	    uri, "spiffe://abcdef01-2222-3333-4444-555555555555.consul");
	assert_int_equal(pki_uri("", uri, &why), ERR_INVALID);
	assert_int_equal(
	    pki_uri("11111111/2222-3333-4444-555555555555", uri, &why),
	    ERR_INVALID);
}

/* -- a root that an operator brings --------------------------------------- */

enum flaw {
	SOUND,
	NO_CONSTRAINTS,
	NOT_CA,
	PATH_LENGTH_0,
	PATH_LENGTH_1,
	NO_SIGNING,
	NO_USAGE,
	NO_KEY_ID,
	NO_URI,
	OTHER_URI,
	UPPER_URI,
	LONG_SERIAL,
	TEXT_KEY_ID,
	NOT_SELF_SIGNED,
	CLIENT_ONLY
};

static void
replace_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int at = X509_get_ext_by_NID(cert, nid, -1);

	if (at >= 0)
		X509_EXTENSION_free(X509_delete_ext(cert, at));
	if (value == NULL)
		return;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static void
set_text_key_id(X509 *cert)
{
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();

	ASN1_OCTET_STRING_set(id, (const unsigned char *)"ab:cd:ef:01", 11);
	replace_extension(cert, NID_subject_key_identifier, NULL);
	X509_add1_ext_i2d(cert, NID_subject_key_identifier, id, 0, 0);
	ASN1_OCTET_STRING_free(id);
}

static void
apply_flaw(X509 *cert, enum flaw flaw)
{
	BIGNUM *number = NULL;

	switch (flaw) {
	case NO_CONSTRAINTS:
		replace_extension(cert, NID_basic_constraints, NULL);
		break;
	case NOT_CA:
		replace_extension(
		    cert, NID_basic_constraints, "critical,CA:FALSE");
		break;
	case PATH_LENGTH_0:
		replace_extension(
		    cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
		break;
	case PATH_LENGTH_1:
		replace_extension(
		    cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:1");
		break;
	case NO_SIGNING:
		replace_extension(
		    cert, NID_key_usage, "critical,digitalSignature");
		break;
	case NO_USAGE:
		replace_extension(cert, NID_key_usage, NULL);
		break;
	case NO_KEY_ID:
		replace_extension(cert, NID_subject_key_identifier, NULL);
		replace_extension(cert, NID_authority_key_identifier, NULL);
		break;
	case NO_URI:
		replace_extension(cert, NID_subject_alt_name, NULL);
		break;
	case OTHER_URI:
		replace_extension(cert, NID_subject_alt_name,
		    "URI:" URI ",URI:spiffe://other.consul");
		break;
	case UPPER_URI:
		replace_extension(cert, NID_subject_alt_name,
		    "URI:SPIFFE://" CLUSTER ".CONSUL");
		break;
	case LONG_SERIAL:
		BN_hex2bn(&number,
		    "0123456789abcdef"
		    "e15a2c8f00000007");
		BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
		BN_free(number);
		break;
	case TEXT_KEY_ID:
		set_text_key_id(cert);
		break;
	case NOT_SELF_SIGNED:
		X509_NAME_add_entry_by_NID(X509_get_subject_name(cert),
		    NID_organizationName, MBSTRING_ASC,
		    (const unsigned char *)"x", -1, -1, 0);
		break;
	case CLIENT_ONLY:
		replace_extension(cert, NID_ext_key_usage, "clientAuth");
		break;
	case SOUND:
		break;
	}
}

/* The EC-256 root with one flaw, signed again with its key. */
static char *
flawed(enum flaw flaw)
{
	X509 *cert = parse(pairs[1].cert);
	EVP_PKEY *key = parse_key(pairs[1].key);
	char *pem;

	apply_flaw(cert, flaw);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	pem = print(cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	return pem;
}

static void
root_check_refuses_what_would_break_trust(void **state)
{
	static const struct {
		enum flaw flaw;
		enum err want;
		const char *text; /* in why, or in the warnings */
	} cases[] = {
	    {SOUND, OK, ""},
	    {NO_CONSTRAINTS, ERR_INVALID, "basic constraints"},
	    {NOT_CA, ERR_INVALID, "basic constraints"},
	    {PATH_LENGTH_0, ERR_INVALID, "path length 0"},
	    {PATH_LENGTH_1, OK, ""},
	    {NO_SIGNING, ERR_INVALID, "keyCertSign"},
	    {NO_USAGE, OK, "it has no key usage"},
	    {NO_KEY_ID, OK, "it has no subject key id"},
	    {NO_URI, OK, "it does not name the trust domain"},
	    {OTHER_URI, ERR_INVALID, "another trust domain"},
	    {UPPER_URI, OK, ""},
	    {LONG_SERIAL, OK, ""},
	    {NOT_SELF_SIGNED, ERR_INVALID, "does not verify"},
	    {CLIENT_ONLY, ERR_INVALID, "does not verify"},
	};
	struct errmsg why, warnings;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *pem = flawed(cases[i].flaw);
		enum err rc;

		why.text[0] = '\0';
		rc = pki_root_check(
		    pem, pairs[1].key, URI, NOW + DAY, &warnings, &why);
		if (rc != cases[i].want)
			fail_msg("flaw %zu: %d %s", i, (int)rc, why.text);
		assert_non_null(
		    strstr(rc == OK ? warnings.text : why.text, cases[i].text));
		if (rc == OK && cases[i].text[0] == '\0')
			assert_string_equal(warnings.text, "");
		free(pem);
	}
}

static void
root_check_refuses_wrong_key_and_wrong_time(void **state)
{
	struct errmsg why, warnings;

	(void)state;
	assert_int_equal(pki_root_check(pairs[1].cert, pairs[0].key, URI, NOW,
			     &warnings, &why),
	    ERR_INVALID);
	assert_string_equal(why.text, "the private key does not belong to it");
	assert_int_equal(
	    pki_root_check(pairs[1].cert, "garbage", URI, NOW, &warnings, &why),
	    ERR_INVALID);
	assert_int_equal(pki_root_check(pairs[1].cert, pairs[1].key, URI,
			     NOW - DAY, &warnings, &why),
	    ERR_INVALID);
	assert_string_equal(why.text, "it is not yet valid");
	assert_int_equal(pki_root_check(pairs[1].cert, pairs[1].key, URI,
			     NOW + 11 * YEAR, &warnings, &why),
	    ERR_INVALID);
	assert_string_equal(why.text, "it has expired");
	assert_int_equal(
	    pki_root_check("", pairs[1].key, URI, NOW, &warnings, &why),
	    ERR_INVALID);
	assert_string_equal(why.text, "no PEM-encoded data found");
}

static void
facts_keep_low_serial_bits_and_early_key_id_text(void **state)
{
	struct pki_facts facts;
	struct errmsg why;
	char *pem;

	(void)state;
	pem = flawed(LONG_SERIAL);
	assert_int_equal(pki_facts(pem, &facts, &why), OK);
	assert_true(facts.serial == UINT64_C(0xe15a2c8f00000007));
	free(pem);
	pem = flawed(TEXT_KEY_ID);
	assert_int_equal(pki_facts(pem, &facts, &why), OK);
	assert_string_equal(facts.subject_key_id, "ab:cd:ef:01");
	free(pem);
	pem = flawed(NO_KEY_ID);
	assert_int_equal(pki_facts(pem, &facts, &why), OK);
	assert_string_equal(facts.subject_key_id, "");
	free(pem);
}

/* Without a key id in the signer, its key's SHA-256 names it. */
static void
signer_without_key_id_is_named_by_its_key(void **state)
{
	struct pki_facts leaf_facts, root_facts;
	struct errmsg why;
	char *pem = flawed(NO_KEY_ID), *leaf = NULL;

	(void)state;
	assert_int_equal(pki_leaf_new(pem, pairs[1].key, pairs[0].key, URI, 1,
			     NOW - 60, NOW + 3600, &leaf, &why),
	    OK);
	assert_int_equal(pki_facts(leaf, &leaf_facts, &why), OK);
	assert_int_equal(pki_facts(pairs[1].cert, &root_facts, &why), OK);
	assert_string_equal(
	    leaf_facts.authority_key_id, root_facts.subject_key_id);
	free(pem);
	free(leaf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		root_has_the_profile_of_the_contract_for_every_key_type),
	    cmocka_unit_test(leaf_of_every_root_verifies_as_client_and_server),
	    cmocka_unit_test(leaf_never_outlives_its_signer),
	    cmocka_unit_test(
		cross_signed_root_links_every_old_to_every_new_key_type),
	    cmocka_unit_test(signing_with_a_foreign_key_is_refused),
	    cmocka_unit_test(
		key_parameters_and_garbage_are_refused_without_an_echo),
	    cmocka_unit_test(pkcs8_and_traditional_keys_are_read),
	    cmocka_unit_test(facts_refuse_what_is_no_certificate),
	    cmocka_unit_test(trust_domain_is_lower_case),
	    cmocka_unit_test(root_check_refuses_what_would_break_trust),
	    cmocka_unit_test(root_check_refuses_wrong_key_and_wrong_time),
	    cmocka_unit_test(facts_keep_low_serial_bits_and_early_key_id_text),
	    cmocka_unit_test(signer_without_key_id_is_named_by_its_key),
	};

	return cmocka_run_group_tests_name(
	    "pki", tests, make_pairs, free_pairs);
}
