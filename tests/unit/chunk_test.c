/*
 * Goal: a chunked body ends where it says and nowhere else.
 * Method: tables, each case whole and byte by byte.
 */
#include "server/net/chunk.h"
#include "tests/support/test.h"

#define EXTRA_MAX 16

struct seen {
	enum chunk_progress progress;
	size_t used, size;
	char body[64];
	struct errmsg why;
};

static void
decode(const char *data, size_t step, struct seen *seen)
{
	struct chunk chunk = {0};
	size_t size = strlen(data);

	memset(seen, 0, sizeof(*seen));
	seen->progress = CHUNK_MORE;
	while (seen->used < size) {
		size_t piece = size - seen->used, used = 0, got;
		const uint8_t *out = NULL;

		if (piece > step)
			piece = step;
		seen->progress =
		    chunk_next(&chunk, (const uint8_t *)data + seen->used,
			piece, EXTRA_MAX, &used, &out, &got, &seen->why);
		assert_true(used <= piece);
		if (seen->progress == CHUNK_DATA) {
			assert_true(seen->size + got < sizeof(seen->body));
			memcpy(seen->body + seen->size, out, got);
			seen->size += got;
		}
		seen->used += used;
		if (seen->progress == CHUNK_END || seen->progress == CHUNK_BAD)
			break;
	}
}

static void
good_bodies_are_put_together(void **state)
{
	static const struct {
		const char *data, *body;
		size_t behind; /* bytes of the next request */
	} cases[] = {
	    {"0\r\n\r\n", "", 0},
	    {"0000\r\n\r\nGET", "", 3},
	    {"1\r\na\r\n0\r\n\r\n", "a", 0},
	    {"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
		"0123456789abcdefghij", 0},
	    {"0000000000000001\r\na\r\n0\r\n\r\n", "a", 0},
	    {"2;x=\"y\"\r\n\r\n\r\n0;z\r\n\r\n", "\r\n", 0},
	    {"0\r\nA: b\r\nC:\r\n\r\n\r\n", "", 2},
	    {"0;12345678901234\r\n\r\n", "", 0},
	};
	static const size_t steps[] = {1, 2, 3, 1000};
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
			decode(cases[i].data, steps[s], &seen);
			assert_int_equal(seen.progress, CHUNK_END);
			assert_string_equal(seen.body, cases[i].body);
			assert_int_equal(
			    seen.used + cases[i].behind, strlen(cases[i].data));
		}
	}
}

static void
bad_bodies_are_refused_by_their_byte(void **state)
{
	static const struct {
		const char *data, *words;
	} cases[] = {
	    {"\r\n", "0x0d"},
	    {";a\r\n", "0x3b"},
	    {"g\r\n", "0x67"},
	    {" 1\r\n", "0x20"},
	    {"1 \r\na\r\n", "0x20"},
	    {"-1\r\n", "0x2d"},
	    {"0x1\r\n", "0x78"},
	    {"00000000000000001\r\n", "0x31"},
	    {"1\na\r\n", "0x0a"},
	    {"1\r\nab\r\n", "0x62"},
	    {"1\r\na\n0\r\n\r\n", "0x0a"},
	    {"1\r\na\rx", "0x78"},
	    {"1\r\na\r\n\r\n", "0x0d"},
	    {"1;\x01\r\n", "0x01"},
	    {"1;a\n", "0x0a"},
	    {"0\r\n fold: x\r\n\r\n", "0x20"},
	    {"0\r\nA: \x01\r\n\r\n", "0x01"},
	    {"0\r\nA: x\n\r\n", "0x0a"},
	    {"0\r\n\rX", "0x58"},
	    {"0\r\n\n", "0x0a"},
	    {"0;123456789012345\r\n\r\n", "over 16 bytes"},
	    {"0\r\nA: 123456789012345", "over 16 bytes"},
	};
	struct seen whole, cut;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		decode(cases[i].data, 1000, &whole);
		decode(cases[i].data, 1, &cut);
		assert_int_equal(whole.progress, CHUNK_BAD);
		assert_int_equal(cut.progress, CHUNK_BAD);
		assert_non_null(strstr(whole.why.text, cases[i].words));
		assert_string_equal(cut.why.text, whole.why.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_bodies_are_put_together),
	    cmocka_unit_test(bad_bodies_are_refused_by_their_byte),
	};

	return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
