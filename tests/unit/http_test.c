/*
 * Goal: what two readers could understand in two ways is refused by name;
 * everything else comes out the same however the bytes were cut; limits hold
 * at their exact byte; a request in one piece costs no memory.
 * Method: tables, each case fed whole, byte by byte, and cut once at every
 * place.
 */
#include "server/net/http.h"

#include <stdbool.h>
#include <stdio.h>

#include "tests/support/test.h"

#define BODY_MAX 64
#define H        "Host: a\r\n"

/* One answer of the parser, with the request's parts copied as text. */
struct seen {
	enum http_progress progress;
	int status;
	struct errmsg why;
	size_t used;
	unsigned continues;
	bool borrowed; /* the slices are the input's */
	struct http_request request;
	char text[4 * HTTP_HEAD_MAX];
};

static void
describe(struct seen *seen)
{
	const struct http_request *request = &seen->request;
	char *at = seen->text, *end = seen->text + sizeof(seen->text);

	at += snprintf(at, (size_t)(end - at), "%.*s|%.*s|%.*s|%.*s|%d%d%d|",
	    (int)request->method_text.size, request->method_text.data,
	    (int)request->path.size, request->path.data,
	    (int)request->query.size, request->query.data,
	    (int)request->body.size, request->body.data, request->keep_alive,
	    request->accepts_gzip, request->expects_continue);
	for (size_t i = 0; i < request->header_count; i++) {
		assert_true(at < end);
		at += snprintf(at, (size_t)(end - at), "%.*s=%.*s|",
		    (int)request->headers[i].name.size,
		    request->headers[i].name.data,
		    (int)request->headers[i].value.size,
		    request->headers[i].value.data);
	}
}

/* Feed the first request of data in pieces: first bytes, then step each. */
static void
feed(
    const char *data, size_t size, size_t first, size_t step, struct seen *seen)
{
	struct http_parser_state parser = {0};
	size_t used, piece = first;

	seen->used = 0;
	seen->continues = 0;
	seen->status = 0;
	seen->progress = HTTP_MORE;
	while (seen->used < size) {
		size_t left = size - seen->used;
		char *copy;

		if (piece > left)
			piece = left;
		copy = malloc(piece); /* its exact size: asan sees overreads */
		assert_non_null(copy);
		memcpy(copy, data + seen->used, piece);
		seen->progress = http_feed(&parser, (uint8_t *)copy, piece,
		    BODY_MAX, &used, &seen->request, &seen->status, &seen->why);
		assert_true(used <= piece);
		seen->used += used;
		if (seen->progress == HTTP_REQUEST) {
			seen->borrowed = parser.partial == NULL;
			assert_false(http_pending(&parser));
			describe(seen);
		} else if (seen->progress == HTTP_MORE) {
			assert_int_equal(used, piece);
			assert_true(http_pending(&parser));
		} else if (seen->progress == HTTP_CONTINUE) {
			assert_int_equal(used, piece);
			seen->continues++;
		}
		free(copy);
		if (seen->progress == HTTP_REQUEST ||
		    seen->progress == HTTP_BAD)
			break;
		piece = step;
	}
	http_next(&parser);
	assert_null(parser.partial);
}

static struct seen whole, cut; /* too large for a stack */

static void
expect_same_when_cut(const char *data, size_t size)
{
	feed(data, size, size, size, &whole);
	for (size_t i = 0; i <= size; i++) {
		/* 0 stands for byte by byte. */
		feed(data, size, i == 0 ? 1 : i, i == 0 ? 1 : size, &cut);
		assert_int_equal(cut.progress, whole.progress);
		if (whole.progress == HTTP_REQUEST) {
			assert_int_equal(cut.used, whole.used);
			assert_string_equal(cut.text, whole.text);
		} else if (whole.progress == HTTP_BAD) {
			assert_int_equal(cut.status, whole.status);
			assert_string_equal(cut.why.text, whole.why.text);
		}
	}
}

static void
good_requests_are_taken_apart(void **state)
{
	static const struct {
		const char *data, *want;
	} cases[] = {
	    {"GET / HTTP/1.1\r\n" H "\r\n", "GET|/|||100|Host=a|"},
	    {"GET /v1/x?index=1&wait=5s HTTP/1.1\r\nhOST:a:80 \t\r\n\r\n",
		"GET|/v1/x|index=1&wait=5s||100|hOST=a:80|"},
	    {"PUT /p? HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
		"PUT|/p||abc|100|Host=a|Content-Length=3|"},
	    {"PUT /p HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
		"PUT|/p|||100|Host=a|Content-Length=0|"},
	    {"POST /p HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"
	     "2\r\nab\r\n01;a=\"b\"\r\nc\r\n0\r\n\r\n",
		"POST|/p||abc|100|Host=a|Transfer-Encoding=Chunked|"},
	    {"POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
	     "a\r\n0123456789\r\n000\r\nTrailer: x\r\nB: y\r\n\r\n",
		"POST|/p||0123456789|100|Host=a|Transfer-Encoding=chunked|"},
	    {"GET /g HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi",
		"GET|/g||hi|100|Host=a|Content-Length=2|"},
	    {"GET / HTTP/1.0\r\n\r\n", "GET|/|||000|"},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET|/|||100|Connection=keep-alive|"},
	    {"GET / HTTP/1.1\r\n" H "Connection: x, Close\r\n\r\n",
		"GET|/|||000|Host=a|Connection=x, Close|"},
	    {"FROB /x HTTP/1.1\r\n" H "\r\n", "FROB|/x|||100|Host=a|"},
	    {"CONNECT /x HTTP/1.1\r\n" H "\r\n", "CONNECT|/x|||100|Host=a|"},
	    {"HEAD /x HTTP/1.1\r\n" H "Upgrade: h2c\r\n"
	     "Connection: upgrade\r\n\r\n",
		"HEAD|/x|||100|Host=a|Upgrade=h2c|Connection=upgrade|"},
	    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS|*|||100|Host=a|"},
	    {"GET http://a:8500/v1?q HTTP/1.1\r\n" H "\r\n",
		"GET|/v1|q||100|Host=a|"},
	    {"GET HTTPS://a?q HTTP/1.1\r\n" H "\r\n", "GET|/|q||100|Host=a|"},
	    {"GET /%41%c3%a4 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
		"GET|/%41%c3%a4|||100|Host=[::1]:80|"},
	    {"GET / HTTP/1.1\r\nHost:\r\nX:\r\nY: \xe4 \t z\r\n\r\n",
		"GET|/|||100|Host=|X=|Y=\xe4 \t z|"},
	    {"GET / HTTP/1.1\r\n" H "Accept-Encoding: br, GZip;q=0.5\r\n\r\n",
		"GET|/|||110|Host=a|Accept-Encoding=br, GZip;q=0.5|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = strlen(cases[i].data);

		expect_same_when_cut(cases[i].data, size);
		assert_int_equal(whole.progress, HTTP_REQUEST);
		assert_int_equal(whole.used, size);
		assert_string_equal(whole.text, cases[i].want);
	}
}

static const struct {
	const char *data;
	int status;
	const char *words;
} refusals[] = {
    {"GET / HTTP/1.1\nHost: a\n\n", 400, "bare LF"},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare LF"},
    {"GET / HTTP/1.1\r\n\nHost: a\r\n\r\n", 400, "bare LF"},
    {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "bare CR"},
    {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400, "bare CR"},
    {"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400, "folded"},
    {"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", 400, "folded"},
    {" GET / HTTP/1.1\r\n\r\n", 400, "blank before"},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", 400, "empty request line"},
    {"\nGET / HTTP/1.1\r\n" H "\r\n", 400, "bare LF"},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "before the colon"},
    {"GET / HTTP/1.1\r\nHo\tst: a\r\n\r\n", 400, "before the colon"},
    {"GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n", 400, "header line 2"},
    {"GET / HTTP/1.1\r\n" H "X\xe4: a\r\n\r\n", 400, "header line 2"},
    {"GET / HTTP/1.1\r\n: a\r\n\r\n", 400, "no name"},
    {"GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "no name"},
    {"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400, "0x01"},
    {"GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400, "0x7f"},
    {"GET /\t HTTP/1.1\r\n\r\n", 400, "0x09"},
    {"GET /\x0b HTTP/1.1\r\n\r\n", 400, "0x0b"},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400, "METHOD"},
    {"GET /  HTTP/1.1\r\n" H "\r\n", 400, "METHOD"},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400, "METHOD"},
    {"GET /\r\n\r\n", 400, "METHOD"},
    {"GET\r\n\r\n", 400, "METHOD"},
    {"G\"T / HTTP/1.1\r\n" H "\r\n", 400, "no word"},
    {"GET / http/1.1\r\n" H "\r\n", 400, "METHOD"},
    {"GET / HTTP/1.11\r\n" H "\r\n", 400, "METHOD"},
    {"GET / HTTP/1.2\r\n" H "\r\n", 505, "HTTP/1.2"},
    {"GET / HTTP/0.9\r\n" H "\r\n", 505, "HTTP/0.9"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2.0"},
    {"GET x HTTP/1.1\r\n" H "\r\n", 400, "no path"},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400, "no path"},
    {"GET ftp://a/ HTTP/1.1\r\n" H "\r\n", 400, "no path"},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", 400, "no path"},
    {"GET http://u:p@a/x HTTP/1.1\r\n" H "\r\n", 400, "no path"},
    {"CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 400, "no path"},
    {"GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400, "0xc3"},
    {"GET /#x HTTP/1.1\r\n" H "\r\n", 400, "0x23"},
    {"GET /%0a HTTP/1.1\r\n" H "\r\n", 400, "non-printable"},
    {"GET /%7F HTTP/1.1\r\n" H "\r\n", 400, "non-printable"},
    {"GET /%4 HTTP/1.1\r\n" H "\r\n", 400, "escape"},
    {"GET /%zz HTTP/1.1\r\n" H "\r\n", 400, "escape"},
    {"GET / HTTP/1.1\r\n\r\n", 400, "Host is missing"},
    {"GET / HTTP/1.1\r\n" H H "\r\n", 400, "Host is given twice"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
     "Content-Length: 1\r\n\r\na",
	400, "Content-Length is given twice"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\na", 400,
	"not a number"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\na", 400, "not a number"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\na", 400, "not a number"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\na", 400,
	"not a number"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400, "empty"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n", 400,
	"out of range"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 9223372036854775807\r\n\r\n", 413,
	"over 64 bytes"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 65\r\n\r\n", 413, "over 64 bytes"},
    {"PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
	400, "both"},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 400,
	"exactly chunked"},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
	400, "exactly chunked"},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400,
	"exactly chunked"},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
	400, "0x0b"},
    {"PUT / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400,
	"HTTP/1.0"},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0 \r\n", 400,
	"0x20"},
    {"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
     "41\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaa",
	413, "over 64 bytes"},
    {"PUT / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417, "Expect"},
    {"\x16\x03\x01\x02", 400, "began TLS"},
    {"\x80\x01\x02", 400, "0x01"},
};

static void
ambiguous_requests_are_refused_by_name(void **state)
{

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		expect_same_when_cut(
		    refusals[i].data, strlen(refusals[i].data));
		if (whole.progress != HTTP_BAD ||
		    whole.status != refusals[i].status ||
		    strstr(whole.why.text, refusals[i].words) == NULL)
			fail_msg("case %zu: %d %d \"%s\"", i, whole.progress,
			    whole.status, whole.why.text);
	}
}

static void
a_nul_anywhere_in_the_head_is_refused(void **state)
{
	static const char head[] = "PUT /x HTTP/1.1\r\nHost: a\r\n\r\n";
	char data[sizeof(head)];

	(void)state;
	for (size_t i = 0; i < sizeof(head) - 1; i++) {
		memcpy(data, head, sizeof(head));
		data[i] = '\0';
		feed(data, sizeof(head) - 1, sizeof(head) - 1, 1, &whole);
		assert_int_equal(whole.progress, HTTP_BAD);
		assert_int_equal(whole.status, 400);
	}
}

static void
add(char *data, size_t *size, const char *text)
{
	size_t length = strlen(text);

	memcpy(data + *size, text, length + 1);
	*size += length;
}

/* A head of exactly want bytes. */
static size_t
head_of(char *data, size_t want)
{
	size_t size = 0;

	add(data, &size, "GET / HTTP/1.1\r\n" H "X: ");
	memset(data + size, 'a', want - 4 - size);
	size = want - 4;
	add(data, &size, "\r\n\r\n");
	assert_int_equal(size, want);
	return size;
}

static void
expect_both(const char *data, size_t size, enum http_progress progress,
    int status, const char *words)
{
	feed(data, size, size, size, &whole);
	feed(data, size, 1, 997, &cut);
	assert_int_equal(whole.progress, progress);
	assert_int_equal(cut.progress, progress);
	if (progress != HTTP_BAD)
		return;
	assert_int_equal(whole.status, status);
	assert_int_equal(cut.status, status);
	assert_non_null(strstr(whole.why.text, words));
	assert_non_null(strstr(cut.why.text, words));
}

static void
limits_hold_at_their_byte(void **state)
{
	static char data[4 * HTTP_HEAD_MAX];
	size_t size;

	(void)state;
	size = head_of(data, HTTP_HEAD_MAX);
	expect_both(data, size, HTTP_REQUEST, 0, "");
	size = head_of(data, HTTP_HEAD_MAX + 1);
	expect_both(data, size, HTTP_BAD, 431, "over 16384 bytes");
	/* No end in sight: refused when the limit is reached. */
	expect_both(data, HTTP_HEAD_MAX, HTTP_BAD, 431, "over 16384 bytes");

	for (unsigned count = 100; count <= 101; count++) {
		size = 0;
		add(data, &size, "GET / HTTP/1.1\r\n" H);
		for (unsigned i = 1; i < count; i++)
			add(data, &size, "a: b\r\n");
		add(data, &size, "\r\n");
		expect_both(data, size, count == 100 ? HTTP_REQUEST : HTTP_BAD,
		    431, "more than 100 headers");
	}

	for (unsigned extra = 0; extra < 2; extra++) {
		size = 0;
		add(data, &size, "GET /");
		memset(data + size, 'a', 8192 - 14 + extra);
		size += 8192 - 14 + extra;
		add(data, &size, " HTTP/1.1\r\n" H "\r\n");
		expect_both(data, size, extra == 0 ? HTTP_REQUEST : HTTP_BAD,
		    400, "over 8192 bytes");
	}

	for (unsigned extra = 0; extra < 2; extra++) {
		size = 0;
		add(data, &size,
		    "PUT / HTTP/1.1\r\n" H
		    "Transfer-Encoding: chunked\r\n\r\n1;");
		memset(data + size, 'a', HTTP_HEAD_MAX - 2 + extra);
		size += HTTP_HEAD_MAX - 2 + extra;
		add(data, &size, "\r\nx\r\n0\r\n\r\n");
		expect_both(data, size, extra == 0 ? HTTP_REQUEST : HTTP_BAD,
		    400, "extensions and trailers are over 16384 bytes");
	}
	size = 0;
	add(data, &size,
	    "PUT / HTTP/1.1\r\n" H
	    "Transfer-Encoding: chunked\r\n\r\n0\r\na: ");
	memset(data + size, 'a', HTTP_HEAD_MAX);
	size += HTTP_HEAD_MAX;
	expect_both(data, size, HTTP_BAD, 400,
	    "extensions and trailers are over 16384 bytes");
	size = 0;
	add(data, &size,
	    "PUT / HTTP/1.1\r\n" H "Content-Length: 64\r\n\r\n"
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
	expect_both(data, size, HTTP_REQUEST, 0, "");
	assert_int_equal(whole.request.body.size, 64);
}

static void
one_piece_borrows_and_pipelines(void **state)
{
	static const char data[] =
	    "GET /1 HTTP/1.1\r\n" H "\r\n"
	    "PUT /2 HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab"
	    "GET /3 HTTP/1.1\r\n" H "\r\n";
	size_t at = 0;

	(void)state;
	for (char want = '1'; want <= '3'; want++) {
		size_t size = sizeof(data) - 1 - at;

		feed(data + at, size, size, size, &whole);
		assert_int_equal(whole.progress, HTTP_REQUEST);
		assert_true(whole.borrowed);
		assert_non_null(strchr(whole.text, want));
		at += whole.used;
	}
	assert_int_equal(at, sizeof(data) - 1);
}

static void
continue_is_asked_once_and_only_without_a_body(void **state)
{
	static const char head[] =
	    "PUT /x HTTP/1.1\r\n" H "Expect: 100-Continue\r\n"
	    "Content-Length: 2\r\n\r\nab";
	size_t size = sizeof(head) - 1;

	(void)state;
	feed(head, size, size, size, &whole);
	assert_int_equal(whole.progress, HTTP_REQUEST);
	assert_int_equal(whole.continues, 0);
	feed(head, size, size - 2, 1, &whole);
	assert_int_equal(whole.progress, HTTP_REQUEST);
	assert_int_equal(whole.continues, 1);
	feed(head, size, size - 1, 1, &whole);
	assert_int_equal(whole.continues, 0);
	feed(head, size, 1, 1, &whole);
	assert_int_equal(whole.continues, 1);
	assert_string_equal(whole.text,
	    "PUT|/x||ab|101|Host=a|Expect=100-Continue|"
	    "Content-Length=2|");
}

static void
a_kept_request_outlives_its_input(void **state)
{
	static const char head[] =
	    "PUT /x?y=z HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab";
	struct http_parser_state parser = {0};
	uint8_t data[sizeof(head)];
	size_t used;

	(void)state;
	memcpy(data, head, sizeof(head));
	assert_int_equal(http_feed(&parser, data, sizeof(head) - 1, BODY_MAX,
			     &used, &whole.request, &whole.status, &whole.why),
	    HTTP_REQUEST);
	assert_null(parser.partial);
	assert_int_equal(http_keep(&parser, data, used, &whole.request), OK);
	memset(data, 'X', sizeof(data));
	describe(&whole);
	assert_string_equal(
	    whole.text, "PUT|/x|y=z|ab|100|Host=a|Content-Length=2|");
	assert_false(http_pending(&parser));
	assert_int_equal(http_keep(&parser, data, used, &whole.request), OK);
	http_next(&parser);
	http_next(&parser);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_requests_are_taken_apart),
	    cmocka_unit_test(ambiguous_requests_are_refused_by_name),
	    cmocka_unit_test(a_nul_anywhere_in_the_head_is_refused),
	    cmocka_unit_test(limits_hold_at_their_byte),
	    cmocka_unit_test(one_piece_borrows_and_pipelines),
	    cmocka_unit_test(continue_is_asked_once_and_only_without_a_body),
	    cmocka_unit_test(a_kept_request_outlives_its_input),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
