#include "server/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "storage/secret.h"

#define FEW_MEMBERS 12 /* up to here comparing all pairs beats sorting */

/*
 * cJSON has no use for valueint once a text is parsed (printing and comparing
 * go by valuedouble), so it holds the number of the item's mark.
 */
struct json_doc {
	cJSON *root;
	struct jsonscan_mark *marks;
	size_t size;
	char text[]; /* copy; each number's token is cut off with a NUL */
};

/* The same object under its two names: cJSON is named in this file only. */
static const cJSON *
item(const struct json *value)
{
	return (const void *)value;
}

static const struct json *
json(const cJSON *value)
{
	return (const void *)value;
}

static const struct jsonscan_mark *
mark(const struct json_doc *doc, const cJSON *value)
{
	return &doc->marks[value->valueint];
}

static int
by_name(const void *a, const void *b)
{
	const cJSON *const *left = a, *const *right = b;

	return strcmp((*left)->string, (*right)->string);
}

/* Children of an object, sorted by name; how many. */
static size_t
sort_members(const cJSON *object, const cJSON *members[JSON_MEMBERS_MAX])
{
	const cJSON *child;
	size_t count = 0;

	cJSON_ArrayForEach(child, object)
	{
		assert(count < JSON_MEMBERS_MAX);
		members[count++] = child;
	}
	qsort(members, count, sizeof(members[0]), by_name);
	return count;
}

static const cJSON *
find_double_sorted(const cJSON *object)
{
	const cJSON *members[JSON_MEMBERS_MAX];
	size_t count = sort_members(object, members);

	for (size_t i = 1; i < count; i++) {
		if (strcmp(members[i - 1]->string, members[i]->string) == 0) {
			/* The one further down in the text. */
			return members[i]->valueint > members[i - 1]->valueint
			    ? members[i]
			    : members[i - 1];
		}
	}
	return NULL;
}

/* A member whose name another one has as well, or NULL. */
static const cJSON *
find_double(const cJSON *object)
{
	const cJSON *child, *other;
	size_t count = 0;

	cJSON_ArrayForEach(child, object)
	{
		if (++count > FEW_MEMBERS)
			return find_double_sorted(object);
		for (other = object->child; other != child;
		     other = other->next) {
			if (strcmp(other->string, child->string) == 0)
				return child;
		}
	}
	return NULL;
}

/*
 * Number the items as the scanner numbered them and cut off each token. A key
 * given twice is found here, where names are decoded: that item, else NULL.
 */
static const cJSON *
number_items(struct json_doc *doc, cJSON *value, int *next)
{
	const cJSON *twice;
	cJSON *child;
	uint32_t token;

	value->valueint = (*next)++;
	token = mark(doc, value)->token;
	if (token != JSONSCAN_NO_TOKEN) {
		char *text = doc->text + token;

		text[strspn(text, "+-.0123456789Ee")] = '\0';
	}
	cJSON_ArrayForEach(child, value)
	{
		twice = number_items(doc, child, next);
		if (twice != NULL)
			return twice;
	}
	return cJSON_IsObject(value) ? find_double(value) : NULL;
}

static enum err
check_rest(const char *name, const char *data, size_t size, size_t end,
    struct errmsg *why)
{
	unsigned line = 1;
	size_t line_start = 0;

	while (end < size && strchr(" \t\r\n", data[end]) != NULL &&
	    data[end] != '\0')
		end++;
	if (end == size)
		return OK;
	for (size_t i = 0; i < end; i++) {
		if (data[i] == '\n') {
			line++;
			line_start = i + 1;
		}
	}
	return jsonscan_refuse(why, ERR_INVALID, name, line,
	    (unsigned)(end - line_start + 1),
	    "more text after the end of the JSON value");
}

/* Tree, numbering and double keys; doc has its marks and text. */
static enum err
build_tree(
    struct json_doc *doc, size_t end, const char *name, struct errmsg *why)
{
	const struct jsonscan_mark *where;
	const cJSON *twice;
	char text[128];
	struct buf quoted = buf_new(sizeof(text));
	enum err rc;
	int next = 0;

	doc->root = cJSON_ParseWithLengthOpts(doc->text, end, NULL, false);
	/* The text is known to be good, so only memory can be lacking. */
	if (doc->root == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	twice = number_items(doc, doc->root, &next);
	if (twice == NULL)
		return OK;
	where = mark(doc, twice);
	buf_puts(&quoted, "duplicate key ");
	json_put_string(&quoted, twice->string, strnlen(twice->string, 32));
	buf_u8(&quoted, '\0');
	rc = jsonscan_refuse(why, ERR_INVALID, name, where->line, where->column,
	    quoted.failed == OK ? (const char *)quoted.data : "duplicate key");
	buf_free(&quoted);
	return rc;
}

static enum err
parse(const char *name, const char *data, size_t size, size_t *rest,
    struct json_doc **out, struct errmsg *why)
{
	struct json_doc *doc = NULL;
	struct jsonscan scan;
	enum err rc;

	rc = jsonscan_value(data, size, name, &scan, why);
	if (rc != OK)
		return rc;
	if (rest == NULL) {
		rc = check_rest(name, data, size, scan.end, why);
		if (rc != OK)
			goto out;
	}
	doc = malloc(sizeof(*doc) + scan.end + 1);
	if (doc == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	doc->root = NULL;
	doc->marks = scan.marks;
	scan.marks = NULL; /* moved */
	doc->size = scan.end;
	memcpy(doc->text, data, scan.end);
	doc->text[scan.end] = '\0';
	rc = build_tree(doc, scan.end, name, why);
	if (rc != OK)
		goto out;
	if (rest != NULL)
		*rest = size - scan.end;
	*out = doc;
	doc = NULL; /* moved */
out:
	free(scan.marks);
	json_wipe(doc);
	return rc;
}

enum err
json_parse(const void *data, size_t size, size_t *rest, struct json_doc **out,
    struct errmsg *why)
{
	return parse(NULL, data, size, rest, out, why);
}

enum err
json_parse_file(const char *name, const void *data, size_t size,
    struct json_doc **out, struct errmsg *why)
{
	assert(name != NULL);
	return parse(name, data, size, NULL, out, why);
}

void
json_free(struct json_doc *doc)
{
	if (doc == NULL)
		return;
	cJSON_Delete(doc->root);
	free(doc->marks);
	free(doc);
}

static void
wipe_strings(cJSON *value)
{
	cJSON *child;

	if (value->valuestring != NULL) {
		secret_wipe(value->valuestring, strlen(value->valuestring));
	}
	cJSON_ArrayForEach(child, value) wipe_strings(child);
}

void
json_wipe(struct json_doc *doc)
{
	if (doc == NULL)
		return;
	if (doc->root != NULL)
		wipe_strings(doc->root);
	secret_wipe(doc->text, doc->size);
	json_free(doc);
}

const struct json *
json_root(const struct json_doc *doc)
{
	return json(doc->root);
}

enum json_type
json_type(const struct json *value)
{
	switch (item(value)->type & 0xff) {
	case cJSON_True:
	case cJSON_False:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

const struct json *
json_get(const struct json *object, const char *name)
{
	if (!cJSON_IsObject(item(object)))
		return NULL;
	return json(cJSON_GetObjectItemCaseSensitive(item(object), name));
}

const struct json *
json_get_fold(const struct json *object, const char *name)
{
	if (!cJSON_IsObject(item(object)))
		return NULL;
	return json(cJSON_GetObjectItem(item(object), name));
}

const struct json *
json_first(const struct json *value)
{
	return json(item(value)->child);
}

const struct json *
json_next(const struct json *value)
{
	return json(item(value)->next);
}

const char *
json_key(const struct json *value)
{
	return item(value)->string != NULL ? item(value)->string : "";
}

const char *
json_string(const struct json *value)
{
	return cJSON_GetStringValue(item(value));
}

bool
json_bool(const struct json *value)
{
	return cJSON_IsTrue(item(value));
}

double
json_number(const struct json *value)
{
	return cJSON_IsNumber(item(value)) ? item(value)->valuedouble : 0;
}

const char *
json_token(const struct json_doc *doc, const struct json *value)
{
	if (!cJSON_IsNumber(item(value)))
		return NULL;
	return doc->text + mark(doc, item(value))->token;
}

/* [0-9]+ of at most max. */
static bool
read_digits(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t sum = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*out = sum;
	return *text == '\0';
}

bool
json_u64(const struct json_doc *doc, const struct json *value, uint64_t *out)
{
	const char *token = json_token(doc, value);

	return token != NULL && *token != '-' &&
	    read_digits(token, UINT64_MAX, out);
}

bool
json_i64(const struct json_doc *doc, const struct json *value, int64_t *out)
{
	const char *token = json_token(doc, value);
	uint64_t magnitude;

	if (token == NULL)
		return false;
	if (*token != '-') {
		if (!read_digits(token, INT64_MAX, &magnitude))
			return false;
		*out = (int64_t)magnitude;
		return true;
	}
	if (!read_digits(token + 1, (uint64_t)INT64_MAX + 1, &magnitude))
		return false;
	*out = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
	return true;
}

void
json_position(const struct json_doc *doc, const struct json *value,
    unsigned *line, unsigned *column)
{
	*line = mark(doc, item(value))->line;
	*column = mark(doc, item(value))->column;
}

static bool
objects_equal(const cJSON *a, const cJSON *b)
{
	const cJSON *child, *other = b->child;
	int count = 0;

	/* Names are unique, so one way is enough if there are as many. */
	cJSON_ArrayForEach(child, a)
	{
		count++;
		/* Mostly both have the same order. */
		if (other == NULL || strcmp(other->string, child->string) != 0)
			other =
			    cJSON_GetObjectItemCaseSensitive(b, child->string);
		if (other == NULL || !json_equal(json(child), json(other)))
			return false;
		other = other->next;
	}
	return count == cJSON_GetArraySize(b);
}

static bool
arrays_equal(const cJSON *a, const cJSON *b)
{
	const cJSON *left = a->child, *right = b->child;

	while (left != NULL && right != NULL) {
		if (!json_equal(json(left), json(right)))
			return false;
		left = left->next;
		right = right->next;
	}
	return left == right;
}

bool
json_equal(const struct json *a, const struct json *b)
{
	enum json_type type = json_type(a);
	double left, right;

	if (type != json_type(b))
		return false;
	switch (type) {
	case JSON_BOOL:
		return json_bool(a) == json_bool(b);
	case JSON_NUMBER:
		left = json_number(a);
		right = json_number(b);
		return !(left < right) && !(left > right);
	case JSON_STRING:
		return strcmp(json_string(a), json_string(b)) == 0;
	case JSON_ARRAY:
		return arrays_equal(item(a), item(b));
	case JSON_OBJECT:
		return objects_equal(item(a), item(b));
	case JSON_NULL:
		break;
	}
	return true;
}
