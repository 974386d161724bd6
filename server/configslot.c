#include "server/configslot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/configca.h"
#include "server/duration.h"
#include "server/jsontext.h"
#include "storage/secret.h"

bool
config_in_result(const struct config_option *option)
{
	return option->type < CONFIG_FILE &&
	    option->offset < sizeof(struct config);
}

void *
config_at(const struct config_option *option, void *base)
{
	return (char *)base + option->offset;
}

const void *
config_seen(const struct config_option *option, const void *base)
{
	return (const char *)base + option->offset;
}

unsigned *
config_count_at(const struct config_option *option, void *base)
{
	return (void *)((char *)base + option->count_offset);
}

static unsigned
count_of(const struct config_option *option, const void *base)
{
	return *(const unsigned *)(const void *)((const char *)base +
	    option->count_offset);
}

/* Bytes of the value itself; lists: of all its pointers. */
static size_t
size_of(const struct config_option *option)
{
	switch (option->type) {
	case CONFIG_BOOL:
	case CONFIG_TRUE:
		return sizeof(bool);
	case CONFIG_PORT:
		return sizeof(int);
	case CONFIG_UINT:
		return sizeof(unsigned);
	case CONFIG_BYTES:
	case CONFIG_MS:
		return sizeof(uint64_t);
	case CONFIG_TEXT:
	case CONFIG_CA:
		return sizeof(char *);
	case CONFIG_LEVEL:
		return sizeof(enum log_level);
	case CONFIG_WORDS:
	case CONFIG_LIST:
		return (size_t)option->max * sizeof(char *);
	case CONFIG_HEADERS:
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		break;
	}
	return 0;
}

static void
clear_items(char **items, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		free(items[i]);
		items[i] = NULL;
	}
}

void
config_clear(const struct config_option *option, void *base)
{
	void *at = config_at(option, base);
	struct config *config = base;

	switch (option->type) {
	case CONFIG_TEXT:
	case CONFIG_CA:
		secret_free_text(*(char **)at);
		*(char **)at = NULL;
		break;
	case CONFIG_WORDS:
	case CONFIG_LIST:
		clear_items(at, *config_count_at(option, base));
		*config_count_at(option, base) = 0;
		break;
	case CONFIG_HEADERS:
		clear_items(config->header_names, config->header_count);
		clear_items(config->header_values, config->header_count);
		config->header_count = 0;
		break;
	case CONFIG_BOOL:
	case CONFIG_TRUE:
	case CONFIG_PORT:
	case CONFIG_UINT:
	case CONFIG_BYTES:
	case CONFIG_MS:
	case CONFIG_LEVEL:
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		break;
	}
}

static char *
copy_text(const char *text, bool *failed)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	*failed = *failed || (text != NULL && copy == NULL);
	return copy;
}

enum err
config_copy(const struct config_option *from, const struct config_option *to,
    void *base, struct errmsg *why)
{
	char **source, **target;
	bool failed = false;

	assert(from->type == to->type);
	assert(from->max == to->max);
	config_clear(to, base);
	source = config_at(from, base);
	target = config_at(to, base);
	if (to->type == CONFIG_TEXT) {
		*target = copy_text(*source, &failed);
	} else if (to->type == CONFIG_WORDS) {
		for (unsigned i = 0; i < count_of(from, base); i++)
			target[i] = copy_text(source[i], &failed);
		*config_count_at(to, base) = count_of(from, base);
	} else {
		memcpy(target, source, size_of(to));
	}
	return failed ? err_set(why, ERR_NOMEM, "out of memory") : OK;
}

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool
same_items(char *const *a, char *const *b, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!same_text(a[i], b[i]))
			return false;
	}
	return true;
}

bool
config_same(const struct config_option *option, const void *a, const void *b)
{
	const void *left = config_seen(option, a);
	const void *right = config_seen(option, b);
	const struct config *one = a, *two = b;

	switch (option->type) {
	case CONFIG_TEXT:
	case CONFIG_CA:
		return same_items(left, right, 1);
	case CONFIG_WORDS:
	case CONFIG_LIST:
		return count_of(option, a) == count_of(option, b) &&
		    same_items(left, right, count_of(option, a));
	case CONFIG_HEADERS:
		return one->header_count == two->header_count &&
		    same_items(one->header_names, two->header_names,
			one->header_count) &&
		    same_items(one->header_values, two->header_values,
			one->header_count);
	case CONFIG_BOOL:
	case CONFIG_TRUE:
	case CONFIG_PORT:
	case CONFIG_UINT:
	case CONFIG_BYTES:
	case CONFIG_MS:
	case CONFIG_LEVEL:
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		break;
	}
	return memcmp(left, right, size_of(option)) == 0;
}

void
config_swap(const struct config_option *option, void *a, void *b)
{
	unsigned char *left = config_at(option, a);
	unsigned char *right = config_at(option, b), byte;

	/* Lists would have to move their counts: none is reloadable. */
	assert(option->type != CONFIG_LIST);
	assert(option->type != CONFIG_WORDS);
	assert(option->type != CONFIG_HEADERS);
	for (size_t i = 0; i < size_of(option); i++) {
		byte = left[i];
		left[i] = right[i];
		right[i] = byte;
	}
}

static void
put_text(struct buf *out, const char *text)
{
	if (text == NULL)
		buf_puts(out, "null");
	else
		json_put_cstring(out, text);
}

static void
put_items(struct buf *out, char *const *items, unsigned count)
{
	buf_u8(out, '[');
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			buf_u8(out, ',');
		json_put_cstring(out, items[i]);
	}
	buf_u8(out, ']');
}

/* Items of CONFIG_WORDS hold no blank and nothing that needs an escape. */
static void
put_words(struct buf *out, char *const *items, unsigned count)
{
	buf_u8(out, '"');
	for (unsigned i = 0; i < count; i++)
		buf_printf(out, "%s%s", i > 0 ? " " : "", items[i]);
	buf_u8(out, '"');
}

static void
put_headers(struct buf *out, const struct config *config)
{
	buf_u8(out, '{');
	for (unsigned i = 0; i < config->header_count; i++) {
		if (i > 0)
			buf_u8(out, ',');
		json_put_cstring(out, config->header_names[i]);
		buf_u8(out, ':');
		json_put_cstring(out, config->header_values[i]);
	}
	buf_u8(out, '}');
}

void
config_put_value(
    const struct config_option *option, const void *base, struct buf *out)
{
	const void *at = config_seen(option, base);
	char text[DURATION_TEXT];

	switch (option->type) {
	case CONFIG_BOOL:
	case CONFIG_TRUE:
		buf_puts(out, *(const bool *)at ? "true" : "false");
		break;
	case CONFIG_PORT:
		buf_printf(out, "%d", *(const int *)at);
		break;
	case CONFIG_UINT:
		buf_printf(out, "%u", *(const unsigned *)at);
		break;
	case CONFIG_BYTES:
		buf_printf(out, "%" PRIu64, *(const uint64_t *)at);
		break;
	case CONFIG_MS:
		duration_format(
		    (int64_t) * (const uint64_t *)at * (DURATION_SECOND / 1000),
		    text);
		json_put_cstring(out, text);
		break;
	case CONFIG_TEXT:
		put_text(out, *(char *const *)at);
		break;
	case CONFIG_LEVEL:
		json_put_cstring(
		    out, log_level_name(*(const enum log_level *)at));
		break;
	case CONFIG_WORDS:
		put_words(out, at, count_of(option, base));
		break;
	case CONFIG_LIST:
		put_items(out, at, count_of(option, base));
		break;
	case CONFIG_HEADERS:
		put_headers(out, base);
		break;
	case CONFIG_CA:
		configca_put_masked(out, *(char *const *)at);
		break;
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		break;
	}
}
