/*
 * Goal: every written form of an address is read, printed back, and no wrong
 * one passes.
 * Method: tables.
 */
#include "server/net/address.h"

#include <arpa/inet.h>

#include "tests/support/test.h"

enum { IP = 1, LOOPBACK = 2, ANY = 4 };

static void
good_forms_are_read_and_printed(void **state)
{
	static const struct {
		const char *text, *host, *printed;
		unsigned port, kind;
	} cases[] = {
	    {"1.2.3.4", "1.2.3.4", "1.2.3.4:8300", 8300, IP},
	    {"1.2.3.4:9", "1.2.3.4", "1.2.3.4:9", 9, IP},
	    {"127.8.0.1:65535", "127.8.0.1", "127.8.0.1:65535", 65535,
		IP | LOOPBACK},
	    {"0.0.0.0", "0.0.0.0", "0.0.0.0:8300", 8300, IP | ANY},
	    {"::", "::", "[::]:8300", 8300, IP | ANY},
	    {"::1", "::1", "[::1]:8300", 8300, IP | LOOPBACK},
	    {"[::1]", "::1", "[::1]:8300", 8300, IP | LOOPBACK},
	    {"[::1]:80", "::1", "[::1]:80", 80, IP | LOOPBACK},
	    {"::ffff:127.0.0.1", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:8300",
		8300, IP | LOOPBACK},
	    {"fe80::1%lo", "fe80::1%lo", "[fe80::1%lo]:8300", 8300, IP},
	    {"db", "db", "db:8300", 8300, 0},
	    {"a-b.c_d.example.:1", "a-b.c_d.example.", "a-b.c_d.example.:1", 1,
		0},
	    {"localhost", "localhost", "localhost:8300", 8300, 0},
	    {"0x.1a", "0x.1a", "0x.1a:8300", 8300, 0},
	};
	char text[ADDRESS_TEXT_MAX];
	struct sockaddr_storage sa;
	struct address address;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		    address_parse(cases[i].text, 8300, &address, &why), OK);
		assert_string_equal(address.host, cases[i].host);
		assert_int_equal(address.port, cases[i].port);
		assert_int_equal(address.is_ip, (cases[i].kind & IP) != 0);
		assert_false(address.is_unix);
		address_text(&address, text, sizeof(text));
		assert_string_equal(text, cases[i].printed);
		assert_int_equal(address_is_loopback(&address),
		    (cases[i].kind & LOOPBACK) != 0);
		assert_int_equal(
		    address_is_any(&address), (cases[i].kind & ANY) != 0);
		if ((cases[i].kind & IP) == 0) {
			assert_int_equal(
			    address_sockaddr(&address, &sa, &why), ERR_INVALID);
			continue;
		}
		assert_int_equal(address_sockaddr(&address, &sa, &why), OK);
		if (strchr(text, '%') != NULL)
			continue; /* the zone is a number in the kernel */
		address_text_of((struct sockaddr *)&sa, text, sizeof(text));
		assert_string_equal(text, cases[i].printed);
	}
}

static void
bad_forms_are_refused_by_name(void **state)
{
	static const char *const cases[] = {"", ":", ":80",
	    "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:99999999999",
	    "1.2.3.4:+1", "1.2.3.4:1x", "256.1.1.1", "1.2.3", "10.0.0.1.",
	    "1:2:3", "[::1", "[::1]x", "[::1]:", "[name]:1", "[1.2.3.4]:1",
	    "[]", "fe80::1%nosuchdevice", "-a", "a-", "a..b", ".a", "a b",
	    "a/b", "a%b", "unix://", "unix://relative"};
	struct address address;
	struct errmsg why;
	char text[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		why.text[0] = '\0';
		assert_int_equal(
		    address_parse(cases[i], 8300, &address, &why), ERR_INVALID);
		assert_non_null(strstr(why.text, cases[i]));
	}
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(
	    address_parse(text, 8300, &address, &why), ERR_INVALID);
	text[100] = '.';
	assert_int_equal(
	    address_parse(text, 8300, &address, &why), ERR_INVALID);
}

static void
a_unix_path_is_kept_and_bounded(void **state)
{
	char text[ADDRESS_TEXT_MAX], longest[200] = "unix:///";
	struct sockaddr_storage sa;
	struct address address;
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    address_parse("unix:///run/c.sock", 8500, &address, &why), OK);
	assert_true(address.is_unix);
	assert_true(address_is_loopback(&address));
	assert_false(address_is_any(&address));
	assert_int_equal(address.port, 0);
	assert_string_equal(address.host, "/run/c.sock");
	address_text(&address, text, sizeof(text));
	assert_string_equal(text, "unix:///run/c.sock");
	assert_int_equal(address_sockaddr(&address, &sa, &why), OK);
	assert_int_equal(sa.ss_family, AF_UNIX);
	address_text_of((struct sockaddr *)&sa, text, sizeof(text));
	assert_string_equal(text, "unix:///run/c.sock");

	memset(longest + 8, 'a', 106);
	assert_int_equal(address_parse(longest, 0, &address, &why), OK);
	assert_int_equal(address_sockaddr(&address, &sa, &why), OK);
	longest[8 + 106] = 'a';
	assert_int_equal(
	    address_parse(longest, 0, &address, &why), ERR_INVALID);
	assert_non_null(strstr(why.text, "107"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_forms_are_read_and_printed),
	    cmocka_unit_test(bad_forms_are_refused_by_name),
	    cmocka_unit_test(a_unix_path_is_kept_and_bounded),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
