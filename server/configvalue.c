#include "server/configvalue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/configca.h"
#include "server/configrule.h"
#include "server/configslot.h"
#include "server/duration.h"
#include "server/json.h"
#include "storage/secret.h"

#define SHOWN_MAX  64 /* bytes of a refused value that are repeated */
#define RULE_MAX   160
#define NS_PER_MS  INT64_C(1000000)
#define WORDS_SIZE 2048 /* bytes of one CONFIG_WORDS text */

/* "<value> must be <rule>" */
static enum err
refuse(const char *shown, size_t size, const char *rule, struct errmsg *why)
{
	size_t cut = size < SHOWN_MAX ? size : SHOWN_MAX;

	return err_set(why, ERR_INVALID, "%.*s%s must be %s", (int)cut, shown,
	    cut < size ? "..." : "", rule);
}

static enum err
refuse_text(const char *text, const char *rule, struct errmsg *why)
{
	struct buf shown = buf_new(8 * SHOWN_MAX);
	enum err rc;

	json_put_string(&shown, text, strnlen(text, SHOWN_MAX));
	rc = refuse((const char *)shown.data, shown.size, rule, why);
	buf_free(&shown);
	return rc;
}

static enum err
refuse_json(const struct json_doc *doc, const struct json *value,
    const char *rule, struct errmsg *why)
{
	struct buf shown = buf_new(6 * JSON_SIZE_MAX);
	enum err rc;

	json_put(&shown, doc, value, false);
	rc = refuse((const char *)shown.data, shown.size, rule, why);
	buf_wipe(&shown);
	return rc;
}

/* What a number, duration or bool has to be. */
static const char *
rule_of(const struct config_option *option, char rule[static RULE_MAX])
{
	char low[DURATION_TEXT], high[DURATION_TEXT];

	switch (option->type) {
	case CONFIG_BOOL:
		return "true or false";
	case CONFIG_TRUE:
		return "true: every process is a server";
	case CONFIG_PORT:
		snprintf(rule, RULE_MAX, "%sa port from 1 to %" PRId64,
		    option->min < 0 ? "-1 (off) or " : "", option->max);
		return rule;
	case CONFIG_MS:
		duration_format(option->min * NS_PER_MS, low);
		duration_format(option->max * NS_PER_MS, high);
		snprintf(rule, RULE_MAX,
		    "a duration such as \"10s\", from %s to %s", low, high);
		return rule;
	case CONFIG_UINT:
	case CONFIG_BYTES:
		snprintf(rule, RULE_MAX,
		    "a whole number from %" PRId64 " to %" PRId64, option->min,
		    option->max);
		return rule;
	case CONFIG_WORDS:
		return "a text of at most 2047 bytes";
	case CONFIG_LIST:
		return "a list of texts";
	case CONFIG_HEADERS:
	case CONFIG_CA:
		return "an object";
	case CONFIG_TEXT:
	case CONFIG_LEVEL:
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		break;
	}
	return "a text";
}

/* False: outside the option's range. */
static bool
set_number(
    const struct config_option *option, struct config_draft *draft, int64_t n)
{
	void *at = config_at(option, draft);

	if (n < option->min || n > option->max)
		return false;
	if (option->type == CONFIG_PORT) {
		*(int *)at = (int)n;
		return n != 0;
	}
	if (option->type == CONFIG_UINT)
		*(unsigned *)at = (unsigned)n;
	else
		*(uint64_t *)at = (uint64_t)n;
	return true;
}

static bool
parse_number(const char *text, int64_t *out)
{
	char *end;

	if (text[strspn(text, "-0123456789")] != '\0')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

static bool
set_duration(const struct config_option *option, struct config_draft *draft,
    const char *text)
{
	int64_t ns;

	return duration_parse(text, &ns, NULL) == OK && ns % NS_PER_MS == 0 &&
	    set_number(option, draft, ns / NS_PER_MS);
}

static bool
parse_bool(const char *text, bool *out)
{
	*out = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
	return *out || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool
set_bool(
    const struct config_option *option, struct config_draft *draft, bool value)
{
	if (option->type == CONFIG_TRUE && !value)
		return false;
	*(bool *)config_at(option, draft) = value;
	return true;
}

static enum err
set_string(const struct config_option *option, struct config_draft *draft,
    const char *text, struct errmsg *why)
{
	char **at = config_at(option, draft), *copy = NULL;

	if (*text == '\0')
		text = option->initial; /* Consul's files say so */
	else if (option->rule != NULL && option->rule(text) != NULL)
		return refuse_text(text, option->rule(text), why);
	if (text != NULL) {
		copy = strdup(text);
		if (copy == NULL)
			return err_set(why, ERR_NOMEM, "out of memory");
	}
	free(*at);
	*at = copy;
	return OK;
}

static enum err
add_item(const struct config_option *option, struct config_draft *draft,
    const char *text, struct errmsg *why)
{
	char **items = config_at(option, draft);
	unsigned *count = config_count_at(option, draft);

	if (option->rule != NULL && option->rule(text) != NULL)
		return refuse_text(text, option->rule(text), why);
	if (*count == (unsigned)option->max) {
		return err_set(why, ERR_LIMIT, "more than %" PRId64 " of them",
		    option->max);
	}
	items[*count] = strdup(text);
	if (items[*count] == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	(*count)++;
	return OK;
}

static enum err
set_words(const struct config_option *option, struct config_draft *draft,
    const char *text, struct errmsg *why)
{
	char copy[WORDS_SIZE], rule[RULE_MAX], *rest = copy, *word;
	enum err rc;

	if (strlen(text) >= sizeof(copy))
		return refuse_text(text, rule_of(option, rule), why);
	config_clear(option, draft);
	memcpy(copy, text, strlen(text) + 1);
	while ((word = strsep(&rest, " ")) != NULL) {
		rc = *word == '\0' ? OK : add_item(option, draft, word, why);
		if (rc != OK)
			return rc;
	}
	return OK;
}

enum err
config_set_text(const struct config_option *option, struct config_draft *draft,
    const char *text, bool more, struct errmsg *why)
{
	const struct json *none;
	char rule[RULE_MAX];
	enum log_level *level;
	bool good = false, yes;
	int64_t n;

	switch (option->type) {
	case CONFIG_BOOL:
	case CONFIG_TRUE:
		good = parse_bool(text, &yes) && set_bool(option, draft, yes);
		break;
	case CONFIG_PORT:
	case CONFIG_UINT:
	case CONFIG_BYTES:
		good = parse_number(text, &n) && set_number(option, draft, n);
		break;
	case CONFIG_MS:
		good = set_duration(option, draft, text);
		break;
	case CONFIG_TEXT:
		return set_string(option, draft, text, why);
	case CONFIG_LEVEL:
		level = config_at(option, draft);
		if (!log_level_parse(text, level))
			return refuse_text(text, option->rule(text), why);
		return OK;
	case CONFIG_WORDS:
		return set_words(option, draft, text, why);
	case CONFIG_LIST:
		if (!more)
			config_clear(option, draft);
		return add_item(option, draft, text, why);
	case CONFIG_CA:
		return configca_translate(
		    NULL, NULL, (char **)config_at(option, draft), &none, why);
	case CONFIG_HEADERS:
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		break;
	}
	return good ? OK : refuse_text(text, rule_of(option, rule), why);
}

static enum err
set_list(const struct config_option *option, struct config_draft *draft,
    const struct json_doc *doc, const struct json *value,
    const struct json **culprit, struct errmsg *why)
{
	const struct json *item = json_first(value);
	enum err rc;

	config_clear(option, draft);
	for (; item != NULL; item = json_next(item)) {
		*culprit = item;
		if (json_type(item) != JSON_STRING)
			return refuse_json(doc, item, "a text", why);
		rc = add_item(option, draft, json_string(item), why);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static enum err
add_header(const struct config_option *option, struct config_draft *draft,
    const struct json *member, struct errmsg *why)
{
	struct config *config = &draft->config;
	const char *name = json_key(member), *value = json_string(member);
	unsigned at = config->header_count;

	if (configrule_header_name(name) != NULL)
		return refuse_text(name, configrule_header_name(name), why);
	if (configrule_header_value(value) != NULL)
		return refuse_text(value, configrule_header_value(value), why);
	for (unsigned i = 0; i < at; i++) {
		if (strcasecmp(config->header_names[i], name) == 0) {
			return err_set(
			    why, ERR_INVALID, "header %s is given twice", name);
		}
	}
	if (at == (unsigned)option->max) {
		return err_set(why, ERR_LIMIT, "more than %" PRId64 " headers",
		    option->max);
	}
	config->header_names[at] = strdup(name);
	config->header_values[at] = strdup(value);
	config->header_count++; /* so that config_clear frees either */
	if (config->header_names[at] == NULL ||
	    config->header_values[at] == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	return OK;
}

static enum err
set_headers(const struct config_option *option, struct config_draft *draft,
    const struct json_doc *doc, const struct json *value,
    const struct json **culprit, struct errmsg *why)
{
	const struct json *member = json_first(value);
	enum err rc;

	config_clear(option, draft);
	for (; member != NULL; member = json_next(member)) {
		*culprit = member;
		if (json_type(member) != JSON_STRING)
			return refuse_json(doc, member, "a text", why);
		rc = add_header(option, draft, member, why);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static enum err
set_ca(const struct config_option *option, struct config_draft *draft,
    const struct json_doc *doc, const struct json *value,
    const struct json **culprit, struct errmsg *why)
{
	char **at = config_at(option, draft), *text;
	enum err rc;

	rc = configca_translate(doc, value, &text, culprit, why);
	if (rc != OK)
		return rc;
	secret_free_text(*at);
	*at = text;
	return OK;
}

enum err
config_set_json(const struct config_option *option, struct config_draft *draft,
    const struct json_doc *doc, const struct json *value,
    const struct json **culprit, struct errmsg *why)
{
	enum json_type type = json_type(value);
	const char *text = json_string(value);
	char rule[RULE_MAX];
	bool good = false;
	int64_t n;

	*culprit = value;
	switch (option->type) {
	case CONFIG_BOOL:
	case CONFIG_TRUE:
		good = type == JSON_BOOL &&
		    set_bool(option, draft, json_bool(value));
		break;
	case CONFIG_PORT:
	case CONFIG_UINT:
	case CONFIG_BYTES:
		good = json_i64(doc, value, &n) && set_number(option, draft, n);
		break;
	case CONFIG_MS:
		good = text != NULL && set_duration(option, draft, text);
		break;
	case CONFIG_LIST:
		if (type == JSON_ARRAY)
			return set_list(
			    option, draft, doc, value, culprit, why);
		if (text != NULL)
			return config_set_text(option, draft, text, false, why);
		break;
	case CONFIG_HEADERS:
		if (type == JSON_OBJECT)
			return set_headers(
			    option, draft, doc, value, culprit, why);
		break;
	case CONFIG_CA:
		if (type == JSON_OBJECT)
			return set_ca(option, draft, doc, value, culprit, why);
		break;
	case CONFIG_TEXT:
	case CONFIG_LEVEL:
	case CONFIG_WORDS:
	case CONFIG_FILE:
	case CONFIG_DIR:
	case CONFIG_ACT:
		if (text != NULL)
			return config_set_text(option, draft, text, false, why);
	}
	if (good)
		return OK;
	if (option->type == CONFIG_CA) /* it may hold a key: not repeated */
		return refuse("value", strlen("value"), "an object", why);
	return refuse_json(doc, value, rule_of(option, rule), why);
}
