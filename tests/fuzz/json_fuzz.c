/*
 * Goal: no text hurts the JSON reader, and what is printed is the same value.
 * Method: json_parse, json_put, json_pretty, json_equal, json_u64, json_i64 and
 * json_position on the input; what is printed is read again and compared.
 */
#include "server/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool good)
{
	if (!good)
		abort();
}

/* Numbers read exactly print as they were; every value has a place. */
static void
walk(const struct json_doc *doc, const struct json *value)
{
	unsigned line = 0, column = 0;
	uint64_t u64 = 0;
	int64_t i64 = 0;

	json_position(doc, value, &line, &column);
	expect(line >= 1 && column >= 1);
	if (json_u64(doc, value, &u64))
		expect(strtoull(json_token(doc, value), NULL, 10) == u64);
	if (json_i64(doc, value, &i64))
		expect(strtoll(json_token(doc, value), NULL, 10) == i64);
	for (value = json_first(value); value != NULL; value = json_next(value))
		walk(doc, value);
}

static void
read_back(const struct json_doc *doc, const struct buf *text)
{
	struct json_doc *again = NULL;
	struct errmsg why;

	expect(text->failed == OK);
	if (text->size > JSON_SIZE_MAX)
		return; /* escapes made it longer than what is taken */
	expect(json_parse(text->data, text->size, NULL, &again, &why) == OK);
	expect(json_equal(json_root(doc), json_root(again)));
	expect(json_equal(json_root(again), json_root(doc)));
	json_wipe(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = buf_new(64 * JSON_SIZE_MAX), pretty;
	struct json_doc *doc = NULL;
	struct errmsg why;
	size_t rest = 0;

	if (json_parse(data, size, &rest, &doc, &why) != OK) {
		expect(doc == NULL);
		return 0;
	}
	expect(rest < size);
	walk(doc, json_root(doc));
	json_put(&text, doc, json_root(doc), true);
	read_back(doc, &text);
	pretty = buf_new(64 * JSON_SIZE_MAX);
	json_pretty(&pretty, (const char *)text.data, text.size, 4);
	read_back(doc, &pretty);
	buf_free(&pretty);
	buf_free(&text);
	json_free(doc);
	return 0;
}
