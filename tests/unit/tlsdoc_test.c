/*
 * Goal: a document is stored in one form whatever order it came in, and every
 * rule of contract 8.3 refuses with words that name the field.
 * Method: tables of bodies.
 */
#include "server/api/tlsdoc.h"

#include "tests/support/test.h"

static struct http_slice
slice(const char *text)
{
	return (struct http_slice){text, strlen(text)};
}

static void
documents_get_one_form(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"{}", "{}"},
	    {" { } trailing", "{}"},
	    {"{\"note\":\"n\",\"tls_min_version\":\"TLSv1_3\"}",
		"{\"tls_min_version\":\"TLSv1_3\",\"note\":\"n\"}"},
	    {"{\"Note\":\"a<b\"}", "{\"note\":\"a\\u003cb\"}"},
	    {"{\"note\":null}", "{}"},
	    {"{\"verify_incoming\":true,\"client_authentication\":"
	     "\"required\"}",
		"{\"verify_incoming\":true,\"client_authentication\":"
		"\"required\"}"},
	    {"{\"verify_incoming\":false,\"client_authentication\":"
	     "\"optional\"}",
		"{\"verify_incoming\":false,\"client_authentication\":"
		"\"optional\"}"},
	    {"{\"cipher_list\":\"HIGH:!aNULL:!eNULL:@STRENGTH\"}",
		"{\"cipher_list\":\"HIGH:!aNULL:!eNULL:@STRENGTH\"}"},
	    {"{\"tls_cipher_suites\":"
	     "\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "
	     "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA\"}",
		"{\"tls_cipher_suites\":"
		"\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "
		"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA\"}"},
	    {"{\"tls13_cipher_suites\":\"TLS_AES_128_GCM_SHA256:"
	     "TLS_AES_256_GCM_SHA384\",\"curves\":\"X25519:P-256\","
	     "\"http_support\":\"disabled\",\"verification_mode\":\"full\"}",
		"{\"verification_mode\":\"full\",\"http_support\":"
		"\"disabled\",\"tls13_cipher_suites\":"
		"\"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384\","
		"\"curves\":\"X25519:P-256\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = buf_new(TLSCONF_DOCUMENT_MAX);
		struct errmsg why;

		if (tlsdoc_decode(slice(cases[i].in), &out, &why) != OK)
			fail_msg("%s: %s", cases[i].in, why.text);
		assert_int_equal(out.size, strlen(cases[i].out));
		assert_memory_equal(out.data, cases[i].out, out.size);
		buf_free(&out);
	}
}

static void
refusals_name_field_and_reason(void **state)
{
	static const struct {
		const char *in, *words;
	} cases[] = {
	    {"", "Request decode failed: EOF"},
	    {"{", "Request decode failed: "},
	    {"null",
		"Request decode failed: json: cannot unmarshal null into an "
		"object"},
	    {"[]", "Request decode failed: json: cannot unmarshal array"},
	    {"{\"ca_file\":\"/x\"}",
		"Request decode failed: json: unknown field \"ca_file\""},
	    {"{\"ModifyIndex\":1}",
		"Request decode failed: json: unknown field \"ModifyIndex\""},
	    {"{\"note\":1}",
		"Request decode failed: json: cannot unmarshal number into "
		"field \"note\" of type string"},
	    {"{\"verify_incoming\":\"true\"}",
		"Request decode failed: json: cannot unmarshal string into "
		"field \"verify_incoming\" of type bool"},
	    {"{\"note\":\"a\",\"NOTE\":\"b\"}",
		"field \"note\" is given twice"},
	    {"{\"tls_min_version\":\"tls12\"}", "tls_min_version: \"tls12\""},
	    {"{\"http_support\":\"on\"}",
		"http_support: \"on\" is not one of: enabled, disabled"},
	    {"{\"tls_cipher_suites\":\"TLS_RSA_WITH_RC4_128_SHA\"}",
		"unsupported cipher \"TLS_RSA_WITH_RC4_128_SHA\""},
	    {"{\"tls_cipher_suites\":"
	     "\"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,\"}",
		"unsupported cipher \"\""},
	    {"{\"tls_cipher_suites\":\" \"}", "unsupported cipher \"\""},
	    {"{\"tls13_cipher_suites\":\"TLS_NO\"}",
		"unsupported TLS 1.3 cipher \"TLS_NO\""},
	    {"{\"cipher_list\":\"HIGH;LOW\"}",
		"cipher_list: byte 5 (0x3b) is not allowed there"},
	    {"{\"curves\":\"P 256\"}", "curves: byte 2 (0x20)"},
	    {"{\"verify_incoming\":true,\"client_authentication\":\"none\"}",
		"verify_incoming true contradicts client_authentication "
		"\"none\""},
	    {"{\"verify_incoming\":false,\"client_authentication\":"
	     "\"required\"}",
		"verify_incoming false contradicts"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = buf_new(TLSCONF_DOCUMENT_MAX);
		struct errmsg why = {.text = ""};

		assert_int_equal(
		    tlsdoc_decode(slice(cases[i].in), &out, &why), ERR_INVALID);
		if (strstr(why.text, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].in, why.text);
		buf_free(&out);
	}
}

static void
a_body_of_strings(struct buf *body, const char *field, size_t size)
{
	buf_printf(body, "{\"%s\":\"", field);
	for (size_t i = 0; i < size; i++)
		buf_u8(body, 'a');
	buf_puts(body, "\"}");
}

static void
sizes_are_limited(void **state)
{
	static const struct {
		const char *field;
		size_t size;
		enum err want;
	} cases[] = {
	    {"note", TLSDOC_NOTE_MAX, OK},
	    {"note", TLSDOC_NOTE_MAX + 1, ERR_INVALID},
	    {"cipher_list", TLSCONF_DOCUMENT_MAX - 18, OK},
	    {"cipher_list", TLSCONF_DOCUMENT_MAX - 17, ERR_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf body = buf_new(32768);
		struct buf out = buf_new(TLSCONF_DOCUMENT_MAX);
		struct errmsg why = {.text = ""};
		enum err rc;

		a_body_of_strings(&body, cases[i].field, cases[i].size);
		rc = tlsdoc_decode(
		    (struct http_slice){(const char *)body.data, body.size},
		    &out, &why);
		assert_int_equal(rc, cases[i].want);
		if (rc == ERR_LIMIT)
			assert_non_null(strstr(why.text, "16384"));
		buf_free(&body);
		buf_free(&out);
	}
}

static void
answers_carry_scope_and_indexes(void **state)
{
	static const struct {
		const char *document;
		bool with_scope;
		const char *want;
	} cases[] = {
	    {"{}", false, "{\"CreateIndex\":3,\"ModifyIndex\":9}"},
	    {"{}", true,
		"{\"scope\":\"web\",\"CreateIndex\":3,\"ModifyIndex\":9}"},
	    {"{\"note\":\"x\"}", false,
		"{\"note\":\"x\",\"CreateIndex\":3,\"ModifyIndex\":9}"},
	    {"{\"note\":\"x\"}", true,
		"{\"scope\":\"web\",\"note\":\"x\",\"CreateIndex\":3,"
		"\"ModifyIndex\":9}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tlsconf conf = {
		    span_of("web"), span_of(cases[i].document), 3, 9};
		struct buf out = buf_new(1024);

		tlsdoc_put(&out, &conf, cases[i].with_scope);
		assert_int_equal(out.size, strlen(cases[i].want));
		assert_memory_equal(out.data, cases[i].want, out.size);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(documents_get_one_form),
	    cmocka_unit_test(refusals_name_field_and_reason),
	    cmocka_unit_test(sizes_are_limited),
	    cmocka_unit_test(answers_carry_scope_and_indexes),
	};

	return cmocka_run_group_tests_name("tlsdoc", tests, NULL, NULL);
}
