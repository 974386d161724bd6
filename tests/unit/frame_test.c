/*
 * Goal: frames come out whole however the bytes arrive, and nothing but frames.
 * Method: one stream of several frames fed in every cut; a table of bad heads.
 */
#include "server/cluster/frame.h"
#include "tests/support/test.h"

#define BIG (300u << 10)

static void
put(struct buf *out, enum frame_type type, size_t size, uint8_t fill)
{
	uint8_t head[FRAME_HEAD_SIZE];
	uint8_t *at;

	frame_head(head, type, (uint32_t)size);
	buf_raw(out, head, sizeof(head));
	at = buf_reserve(out, size > 0 ? size : 1);
	assert_non_null(at);
	memset(at, fill, size);
	buf_added(out, size);
}

/* Feed size bytes in pieces of at most piece; returns the frames seen. */
static unsigned
feed(struct frame_reader *reader, const uint8_t *data, size_t size,
    size_t piece, size_t *payload)
{
	struct frame frame;
	struct errmsg why;
	unsigned count = 0;
	bool got;

	*payload = 0;
	while (size > 0) {
		size_t n = size < piece ? size : piece;
		const uint8_t *at = data;

		data += n;
		size -= n;
		do {
			assert_int_equal(
			    frame_next(reader, &at, &n, &got, &frame, &why),
			    OK);
			if (!got)
				break;
			count++;
			*payload += frame.size;
			for (size_t i = 0; i < frame.size; i++)
				assert_int_equal(frame.data[i], count);
		} while (true);
		assert_int_equal(n, 0);
	}
	return count;
}

static void
frames_come_whole_in_every_cut(void **state)
{
	struct buf out = buf_new(2 * BIG);
	struct frame_reader reader;
	size_t payload;

	(void)state;
	put(&out, FRAME_HELLO, 5, 1);
	put(&out, FRAME_KEEPALIVE, 0, 2);
	put(&out, FRAME_RAFT, 300, 3);
	put(&out, FRAME_CALL, 1, 4);
	for (size_t piece = 1; piece <= out.size; piece++) {
		frame_reader_init(&reader);
		assert_int_equal(
		    feed(&reader, out.data, out.size, piece, &payload), 4);
		assert_int_equal(payload, 306);
		frame_reader_free(&reader);
	}
	buf_free(&out);
}

static void
a_large_frame_does_not_keep_its_memory(void **state)
{
	struct buf out = buf_new(2 * BIG);
	struct frame_reader reader;
	size_t payload;

	(void)state;
	put(&out, FRAME_SNAPSHOT_DATA, BIG, 1);
	put(&out, FRAME_KEEPALIVE, 0, 2);
	frame_reader_init(&reader);
	assert_int_equal(feed(&reader, out.data, out.size, 4096, &payload), 2);
	assert_int_equal(payload, BIG);
	assert_true(reader.partial.capacity < BIG);
	frame_reader_free(&reader);
	buf_free(&out);
}

static void
bad_heads_are_refused_at_the_first_wrong_byte(void **state)
{
	static const struct {
		uint8_t bytes[FRAME_HEAD_SIZE];
		size_t size; /* enough to see it */
	} cases[] = {
	    {{0x16}, 1},                          /* TLS */
	    {{'G'}, 1},                           /* HTTP */
	    {{0x00}, 1},                          /* nothing */
	    {{FRAME_MAGIC, 0}, 2},                /* no type */
	    {{FRAME_MAGIC, FRAME_LAST + 1}, 2},   /* unknown type */
	    {{FRAME_MAGIC, 0xff}, 2},             /* unknown type */
	    {{FRAME_MAGIC, FRAME_RAFT, 1, 0}, 4}, /* reserved bits */
	    {{FRAME_MAGIC, FRAME_RAFT, 0, 1}, 4}, /* reserved bits */
	    {{FRAME_MAGIC, FRAME_RAFT, 0, 0, 1, 0, 0, 1}, 8}, /* > limit */
	    {{FRAME_MAGIC, FRAME_RAFT, 0, 0, 0xff, 0xff, 0xff, 0xff}, 8},
	};
	struct frame_reader reader;
	struct frame frame;
	struct errmsg why;
	bool got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint8_t *data = cases[i].bytes;
		size_t size = cases[i].size;

		frame_reader_init(&reader);
		why.text[0] = '\0';
		assert_int_equal(
		    frame_next(&reader, &data, &size, &got, &frame, &why),
		    ERR_PROTOCOL);
		assert_false(got);
		assert_true(strlen(why.text) > 0);
		frame_reader_free(&reader);
		/* Byte by byte as well, one byte earlier is not enough. */
		frame_reader_init(&reader);
		for (size_t n = 0; n < cases[i].size; n++) {
			bool last = n + 1 == cases[i].size;

			data = cases[i].bytes + n;
			size = 1;
			assert_int_equal(frame_next(&reader, &data, &size, &got,
					     &frame, &why),
			    last ? ERR_PROTOCOL : OK);
		}
		frame_reader_free(&reader);
	}
}

static void
the_owner_may_lower_the_limit(void **state)
{
	struct buf out = buf_new(1024);
	struct frame_reader reader;
	struct frame frame;
	struct errmsg why;
	const uint8_t *data;
	size_t size;
	bool got;

	(void)state;
	put(&out, FRAME_HELLO, 100, 1);
	for (uint32_t max = 99; max <= 100; max++) {
		frame_reader_init(&reader);
		reader.max = max;
		data = out.data;
		size = out.size;
		assert_int_equal(
		    frame_next(&reader, &data, &size, &got, &frame, &why),
		    max < 100 ? ERR_PROTOCOL : OK);
		frame_reader_free(&reader);
	}
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_come_whole_in_every_cut),
	    cmocka_unit_test(a_large_frame_does_not_keep_its_memory),
	    cmocka_unit_test(bad_heads_are_refused_at_the_first_wrong_byte),
	    cmocka_unit_test(the_owner_may_lower_the_limit),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
