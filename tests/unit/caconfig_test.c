/*
 * Goal: the Config map means what it means to the reference: same defaults,
 * same tolerance for types, same refusals in the same order.
 * Method: tables of maps with what they decode to, or the words they get.
 */
#include "server/ca/caconfig.h"
#include "server/duration.h"
#include "server/json.h"
#include "tests/support/test.h"

#define HOUR (3600 * DURATION_SECOND)

static enum err
decode(const char *text, struct caconfig *out, struct errmsg *why)
{
	struct json_doc *doc = NULL;
	enum err rc;

	rc = json_parse(text, strlen(text), NULL, &doc, why);
	assert_int_equal(rc, OK);
	rc = caconfig_decode(doc, json_root(doc), out, why);
	json_free(doc);
	return rc;
}

static void
an_empty_map_means_the_defaults(void **state)
{
	static const char *const maps[] = {"{}", caconfig_default,
	    "{\"LeafCertTTL\":null,\"PrivateKey\":\"\",\"RootCert\":null}",
	    "{\"leaf_cert_ttl\":\"1s\",\"Unknown\":[1,{}]}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct caconfig config;
		struct errmsg why;

		assert_int_equal(decode(maps[i], &config, &why), OK);
		assert_int_equal(config.leaf_ttl, 72 * HOUR);
		assert_int_equal(config.intermediate_ttl, 8760 * HOUR);
		assert_int_equal(config.root_ttl, 87600 * HOUR);
		assert_string_equal(config.key_type, "ec");
		assert_int_equal(config.key_bits, 256);
		assert_true(config.csr_per_second > 49.9 &&
		    config.csr_per_second < 50.1);
		assert_int_equal(config.csr_concurrent, 0);
		assert_null(config.private_key);
		assert_null(config.root_cert);
		assert_false(config.disable_cross_signing);
		assert_false(config.skip_validate);
		caconfig_free(&config);
	}
}

static void
strings_numbers_and_booleans_stand_for_each_other(void **state)
{
	static const char *const maps[] = {
	    "{\"PrivateKeyType\":\"rsa\",\"PrivateKeyBits\":2048,"
	    "\"CSRMaxPerSecond\":1.5,\"CSRMaxConcurrent\":3,"
	    "\"DisableCrossSigning\":true,\"LeafCertTTL\":\"2h\"}",
	    "{\"PrivateKeyType\":\"rsa\",\"PrivateKeyBits\":\"2048\","
	    "\"CSRMaxPerSecond\":\"1.5\",\"CSRMaxConcurrent\":\"3\","
	    "\"DisableCrossSigning\":\"true\",\"LeafCertTTL\":7200000000000}",
	    "{\"privatekeytype\":\"rsa\",\"PRIVATEKEYBITS\":2048.0,"
	    "\"csrMaxPerSecond\":1.5,\"CSRMaxConcurrent\":\"0x3\","
	    "\"DisableCrossSigning\":1,\"leafcertttl\":\"120m\"}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct caconfig config;
		struct errmsg why;

		assert_int_equal(decode(maps[i], &config, &why), OK);
		assert_string_equal(config.key_type, "rsa");
		assert_int_equal(config.key_bits, 2048);
		assert_true(config.csr_per_second > 1.49 &&
		    config.csr_per_second < 1.51);
		assert_int_equal(config.csr_concurrent, 3);
		assert_true(config.disable_cross_signing);
		assert_int_equal(config.leaf_ttl, 2 * HOUR);
		caconfig_free(&config);
	}
}

static void
the_exact_name_wins_over_another_case(void **state)
{
	struct caconfig config;
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    decode("{\"leafcertttl\":\"2h\",\"LeafCertTTL\":\"3h\"}", &config,
		&why),
	    OK);
	assert_int_equal(config.leaf_ttl, 3 * HOUR);
	caconfig_free(&config);
}

static void
pems_are_kept_as_they_are_configured(void **state)
{
	struct caconfig config;
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    decode("{\"PrivateKey\":\"key\\n\",\"RootCert\":\"cert\"}", &config,
		&why),
	    OK);
	assert_string_equal(config.private_key, "key\n");
	assert_string_equal(config.root_cert, "cert");
	caconfig_free(&config);
	assert_null(config.private_key);
}

static void
refusals_have_the_words_of_the_reference(void **state)
{
	static const struct {
		const char *map, *text;
	} cases[] = {
	    {"{\"LeafCertTTL\":\"59m\"}",
		"leaf cert TTL must be greater or equal than 1h0m0s"},
	    {"{\"LeafCertTTL\":\"8761h\",\"IntermediateCertTTL\":\"87600h\"}",
		"leaf cert TTL must be less than 8760h0m0s"},
	    {"{\"LeafCertTTL\":\"1h\",\"IntermediateCertTTL\":\"179m\"}",
		"Intermediate Cert TTL must be greater or equal than 3h"},
	    {"{\"LeafCertTTL\":\"5h\",\"IntermediateCertTTL\":\"14h\"}",
		"Intermediate Cert TTL must be greater or equal than 3 * "
		"LeafCertTTL (>=15h0m0s)."},
	    {"{\"RootCertTTL\":\"3h\",\"IntermediateCertTTL\":\"4h\"}",
		"root cert TTL is set and is not greater than intermediate "
		"cert ttl. root cert ttl: 3h0m0s, intermediate cert ttl: "
		"4h0m0s"},
	    {"{\"PrivateKeyBits\":128}",
		"EC key length must be one of (224, 256, 384, 521) bits"},
	    {"{\"PrivateKeyType\":\"rsa\"}",
		"RSA key length must be 2048 or 4096 bits"},
	    {"{\"PrivateKeyType\":\"foo\"}",
		"private key type must be either 'ec' or 'rsa'"},
	    {"{\"PrivateKeyType\":\"ec and much more\"}",
		"private key type must be either 'ec' or 'rsa'"},
	    {"{\"RootCert\":\"x\",\"SkipValidate\":true}",
		"must provide a private key when providing a root cert"},
	    {"{\"LeafCertTTL\":\"72x\"}",
		"error decoding config: error decoding 'LeafCertTTL': time: "
		"unknown unit \"x\" in duration \"72x\""},
	    {"{\"PrivateKeyBits\":\"many\"}",
		"error decoding config: error decoding 'PrivateKeyBits': not "
		"an integer"},
	    {"{\"PrivateKeyBits\":[]}",
		"error decoding config: error decoding 'PrivateKeyBits': not "
		"an integer"},
	    {"{\"PrivateKeyBits\":1e300}",
		"error decoding config: error decoding 'PrivateKeyBits': not "
		"an integer"},
	    {"{\"CSRMaxPerSecond\":\"nan\"}",
		"error decoding config: error decoding 'CSRMaxPerSecond': not "
		"a number"},
	    {"{\"SkipValidate\":\"maybe\"}",
		"error decoding config: error decoding 'SkipValidate': not a "
		"boolean"},
	    {"{\"PrivateKey\":{\"SECRET\":1}}",
		"error decoding config: error decoding 'PrivateKey': not a "
		"string"},
	    {"[]", "error decoding config: expected a map"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct caconfig config;
		struct errmsg why;

		assert_int_equal(
		    decode(cases[i].map, &config, &why), ERR_INVALID);
		assert_string_equal(why.text, cases[i].text);
	}
}

static void
limits_themselves_pass(void **state)
{
	static const char *const maps[] = {
	    "{\"LeafCertTTL\":\"1h\",\"IntermediateCertTTL\":\"3h\","
	    "\"RootCertTTL\":\"3h\"}",
	    "{\"LeafCertTTL\":\"8760h\",\"IntermediateCertTTL\":\"26280h\"}",
	    "{\"SkipValidate\":true,\"LeafCertTTL\":\"1s\","
	    "\"PrivateKeyBits\":1}",
	    "{\"PrivateKeyType\":\"rsa\",\"PrivateKeyBits\":4096}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct caconfig config;
		struct errmsg why;

		assert_int_equal(decode(maps[i], &config, &why), OK);
		caconfig_free(&config);
	}
}

static void
a_name_is_found_in_any_case(void **state)
{
	static const char text[] = "{\"intermediatecertttl\":null}";
	struct json_doc *doc = NULL;
	struct errmsg why;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), NULL, &doc, &why), OK);
	assert_true(caconfig_has(json_root(doc), "IntermediateCertTTL"));
	assert_false(caconfig_has(json_root(doc), "LeafCertTTL"));
	json_free(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_map_means_the_defaults),
	    cmocka_unit_test(strings_numbers_and_booleans_stand_for_each_other),
	    cmocka_unit_test(the_exact_name_wins_over_another_case),
	    cmocka_unit_test(pems_are_kept_as_they_are_configured),
	    cmocka_unit_test(refusals_have_the_words_of_the_reference),
	    cmocka_unit_test(limits_themselves_pass),
	    cmocka_unit_test(a_name_is_found_in_any_case),
	};

	return cmocka_run_group_tests_name("caconfig", tests, NULL, NULL);
}
