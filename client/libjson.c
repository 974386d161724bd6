#include "client/libjson.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "client/libbytes.h"

#define DIGITS_EXACT 15 /* any integer of so many digits fits a double */
#define TEXT_LIMIT   (SIZE_MAX / 4)

/* -- tokens -------------------------------------------------------------- */

/* Past the string that begins at text[at], which is a quote. */
static size_t
skip_string(const char *text, size_t size, size_t at)
{
	for (at++; at < size && text[at] != '"'; at++) {
		if (text[at] == '\\')
			at++;
	}
	return at < size ? at + 1 : size;
}

static bool
in_number(char byte)
{
	return byte != '\0' && strchr("0123456789+-.eE", byte) != NULL;
}

/* Past the number that begins at text[at]; *plain: digits alone. */
static size_t
skip_number(const char *text, size_t size, size_t at, bool *plain)
{
	*plain = true;
	while (at < size && in_number(text[at])) {
		if (text[at] < '0' || text[at] > '9')
			*plain = false;
		at++;
	}
	return at;
}

/* text with its long integers quoted; see the header. */
static char *
quote_integers(const char *text, size_t size)
{
	struct libbytes out = libbytes_new(TEXT_LIMIT);
	size_t at = 0;

	while (at < size) {
		size_t end = at + 1;
		bool plain = false;

		if (text[at] == '"')
			end = skip_string(text, size, at);
		else if (in_number(text[at]))
			end = skip_number(text, size, at, &plain);
		plain = plain && end - at > DIGITS_EXACT;
		if (plain)
			libbytes_add(&out, "\"", 1);
		libbytes_add(&out, text + at, end - at);
		if (plain)
			libbytes_add(&out, "\"", 1);
		at = end;
	}
	return libbytes_take(&out);
}

/* -- trees --------------------------------------------------------------- */

enum conclave_err
libjson_parse(const char *text, size_t size, const char *what, cJSON **out,
    struct conclave_error *error)
{
	char *quoted;
	cJSON *json;

	/* cJSON would stop at a NUL and believe what came before. */
	if (memchr(text, '\0', size) != NULL) {
		return liberror_set(error, CONCLAVE_MALFORMED,
		    "%s: a NUL in the JSON text", what);
	}
	quoted = quote_integers(text, size);
	if (quoted == NULL)
		return liberror_nomem(error);
	json = cJSON_ParseWithOpts(quoted, NULL, true);
	libbytes_drop(quoted);
	if (json == NULL) {
		return liberror_set(error, CONCLAVE_MALFORMED,
		    "%s: the answer is no JSON text", what);
	}
	*out = json;
	return CONCLAVE_OK;
}

/* Depth is bounded by cJSON's parser. */
static void
wipe(cJSON *json)
{
	for (; json != NULL; json = json->next) {
		if (json->valuestring != NULL)
			OPENSSL_cleanse(
			    json->valuestring, strlen(json->valuestring));
		wipe(json->child);
	}
}

void
libjson_close(cJSON *json)
{
	wipe(json);
	cJSON_Delete(json);
}

char *
libjson_text(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	return strdup(cJSON_IsString(item) ? item->valuestring : "");
}

uint64_t
libjson_u64(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);
	uint64_t value = 0;

	if (cJSON_IsNumber(item)) {
		double number = item->valuedouble;

		if (number < 0 || number > 9e15)
			return 0;
		return (uint64_t)number;
	}
	if (!cJSON_IsString(item))
		return 0;
	for (const char *at = item->valuestring; *at != '\0'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*at < '0' || *at > '9' || value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

bool
libjson_bool(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItem(object, name));
}

void
libjson_texts_free(char **texts, size_t count)
{
	for (size_t i = 0; texts != NULL && i < count; i++)
		free(texts[i]);
	free(texts);
}

bool
libjson_texts(const cJSON *array, char ***out, size_t *count)
{
	size_t size = 0;
	const cJSON *item;
	char **texts;

	*out = NULL;
	*count = 0;
	cJSON_ArrayForEach(item, array) size++;
	if (!cJSON_IsArray(array) || size == 0)
		return true;
	texts = calloc(size, sizeof(*texts));
	if (texts == NULL)
		return false;
	size = 0;
	cJSON_ArrayForEach(item, array)
	{
		texts[size] =
		    strdup(cJSON_IsString(item) ? item->valuestring : "");
		if (texts[size] == NULL) {
			libjson_texts_free(texts, size);
			return false;
		}
		size++;
	}
	*out = texts;
	*count = size;
	return true;
}

/* -- bytes as they stand ------------------------------------------------- */

static size_t
skip_blanks(const char *text, size_t size, size_t at)
{
	while (at < size && strchr(" \t\r\n", text[at]) != NULL)
		at++;
	return at;
}

/* Past the value that begins at text[at]. */
static size_t
skip_value(const char *text, size_t size, size_t at)
{
	size_t depth = 0;

	while (at < size) {
		char byte = text[at];

		if (byte == '"') {
			at = skip_string(text, size, at);
			if (depth == 0)
				return at;
			continue;
		}
		if (byte == '{' || byte == '[') {
			depth++;
		} else if (byte == '}' || byte == ']') {
			if (depth == 0)
				return at;
			if (--depth == 0)
				return at + 1;
		} else if (depth == 0 && strchr(", \t\r\n", byte) != NULL) {
			return at;
		}
		at++;
	}
	return size;
}

char *
libjson_raw(const char *text, size_t size, const char *name)
{
	size_t at = skip_blanks(text, size, 0) + 1; /* past the brace */
	size_t name_size = strlen(name);

	while (at < size) {
		size_t key, key_end, value;

		key = skip_blanks(text, size, at);
		if (key >= size || text[key] != '"')
			break; /* the closing brace */
		key_end = skip_string(text, size, key);
		value = skip_blanks(text, size, key_end) + 1; /* colon */
		value = skip_blanks(text, size, value);
		at = skip_value(text, size, value);
		if (key_end - key == name_size + 2 &&
		    strncasecmp(text + key + 1, name, name_size) == 0)
			return strndup(text + value, at - value);
		at = skip_blanks(text, size, at) + 1; /* comma */
	}
	return strdup("null");
}
