/*
 * Goal: every path and method leads where it should, and the API document says
 * neither more nor less than the table.
 * Method: look-ups by table; openapi.json walked against the routes both ways.
 */
#include "server/api/route.h"

#include <stdio.h>
#include <strings.h>

#include "server/json.h"
#include "storage/file.h"
#include "tests/support/api_bench.h" /* what the handlers lean on */

#define DOCUMENT     "server/api/openapi.json"
#define DOCUMENT_MAX ((size_t)1 << 20)

static struct http_slice
slice(const char *text)
{
	return (struct http_slice){text, strlen(text)};
}

static void
paths_are_found_whole_or_by_prefix(void **state)
{
	static const struct {
		const char *path, *found, *rest;
	} cases[] = {
	    {"/v1/connect/ca/roots", "/v1/connect/ca/roots", ""},
	    {"/v1/connect/ca/roots/", NULL, NULL},
	    {"/v1/connect/ca/root", NULL, NULL},
	    {"/v1/tls/config", "/v1/tls/config", ""},
	    {"/v1/tls/config/", "/v1/tls/config/", ""},
	    {"/v1/tls/config/web", "/v1/tls/config/", "web"},
	    {"/v1/tls/config/a/b", "/v1/tls/config/", "a/b"},
	    {"/v1/tls/configs", NULL, NULL},
	    {"/", NULL, NULL},
	    {"", NULL, NULL},
	    {"/V1/status/leader", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_slice rest;
		const struct route *route =
		    route_find(slice(cases[i].path), &rest);

		if (cases[i].found == NULL) {
			assert_null(route);
			continue;
		}
		assert_non_null(route);
		assert_string_equal(route->path, cases[i].found);
		assert_int_equal(rest.size, strlen(cases[i].rest));
		assert_memory_equal(rest.data, cases[i].rest, rest.size);
	}
}

static void
methods_stand_in_contract_order(void **state)
{
	static const struct {
		const char *path, *allow;
	} cases[] = {
	    {"/v1/connect/ca/roots", "OPTIONS,GET"},
	    {"/v1/connect/ca/configuration", "OPTIONS,GET,PUT"},
	    {"/v1/tls/config/x", "OPTIONS,GET,PUT,DELETE"},
	    {"/v1/operator/raft/transfer-leader", "OPTIONS,POST"},
	    {"/v1/operator/raft/peer", "OPTIONS,DELETE"},
	    {"/v1/agent/leave", "OPTIONS,PUT"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf allow = buf_new(64);
		struct http_slice rest;
		const struct route *first =
		    route_find(slice(cases[i].path), &rest);

		assert_non_null(first);
		route_allow(first, &allow);
		assert_int_equal(allow.size, strlen(cases[i].allow));
		assert_memory_equal(allow.data, cases[i].allow, allow.size);
		assert_null(route_method(first, HTTP_HEAD_));
		assert_null(route_method(first, HTTP_OTHER_));
		buf_free(&allow);
	}
}

static void
rows_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		const struct route *r = &route_table[i];
		bool slash = r->path[r->path_size - 1] == '/';

		assert_int_equal(r->path_size, strlen(r->path));
		assert_int_equal(slash, (r->flags & ROUTE_PREFIX) != 0);
		assert_non_null(r->handler);
		assert_non_null(r->privilege);
		/* Only reads block, and only public bodies are shared. */
		if (r->flags & (ROUTE_BLOCKS | ROUTE_PUBLIC | ROUTE_MODES))
			assert_int_equal(r->method, HTTP_GET_);
		if (r->flags & ROUTE_BLOCKS)
			assert_true(r->flags & ROUTE_WAIT);
	}
}

/* A path of the document as the table writes it: "{scope}" is a prefix. */
static void
table_path(const char *path, char *out, size_t size)
{
	const char *brace = strchr(path, '{');
	size_t keep = brace == NULL ? strlen(path) : (size_t)(brace - path);

	assert_true(keep < size);
	memcpy(out, path, keep);
	out[keep] = '\0';
}

static const struct route *
row(const char *path, const char *method)
{
	for (size_t i = 0; i < route_count; i++) {
		if (strcmp(route_table[i].path, path) == 0 &&
		    strcasecmp(route_table[i].method_name, method) == 0)
			return &route_table[i];
	}
	return NULL;
}

/* Does the operation list a parameter "#/components/parameters/<name>"? */
static bool
refers(const struct json *operation, const char *name)
{
	const struct json *list = json_get(operation, "parameters");
	char want[80];

	snprintf(want, sizeof(want), "#/components/parameters/%s", name);
	if (list == NULL)
		return false;
	for (const struct json *p = json_first(list); p != NULL;
	     p = json_next(p)) {
		const struct json *ref = json_get(p, "$ref");

		if (ref != NULL && strcmp(json_string(ref), want) == 0)
			return true;
	}
	return false;
}

static void
check_operation(const struct route *route, const struct json *operation)
{
	const struct json *privilege = json_get(operation, "x-privilege");

	assert_non_null(privilege);
	assert_string_equal(json_string(privilege), route->privilege);
	assert_int_equal(refers(operation, "dc"), !!(route->flags & ROUTE_DC));
	assert_int_equal(
	    refers(operation, "stale"), !!(route->flags & ROUTE_MODES));
	assert_int_equal(
	    refers(operation, "index"), !!(route->flags & ROUTE_WAIT));
	assert_int_equal(
	    refers(operation, "wait"), !!(route->flags & ROUTE_WAIT));
	assert_non_null(json_get(operation, "operationId"));
	assert_non_null(json_get(operation, "responses"));
}

static void
the_api_document_and_the_table_agree(void **state)
{
	struct buf text = buf_new(DOCUMENT_MAX);
	const struct json *paths;
	struct json_doc *doc;
	struct errmsg why;
	size_t seen = 0;

	(void)state;
	assert_int_equal(file_read(DOCUMENT, &text, &why), OK);
	if (json_parse(text.data, text.size, NULL, &doc, &why) != OK)
		fail_msg("%s: %s", DOCUMENT, why.text);
	paths = json_get(json_root(doc), "paths");
	assert_non_null(paths);
	for (const struct json *p = json_first(paths); p != NULL;
	     p = json_next(p)) {
		char path[128];

		table_path(json_key(p), path, sizeof(path));
		for (const struct json *m = json_first(p); m != NULL;
		     m = json_next(m)) {
			const struct route *route;

			if (strcmp(json_key(m), "parameters") == 0)
				continue;
			route = row(path, json_key(m));
			if (route != NULL) {
				check_operation(route, m);
				seen++;
			} else {
				fail_msg("no route for %s %s", json_key(m),
				    json_key(p));
			}
		}
	}
	assert_int_equal(seen, route_count); /* so none is missing */
	json_free(doc);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_are_found_whole_or_by_prefix),
	    cmocka_unit_test(methods_stand_in_contract_order),
	    cmocka_unit_test(rows_are_sound),
	    cmocka_unit_test(the_api_document_and_the_table_agree),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
