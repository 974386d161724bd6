#include "server/api/query.h"

#include <string.h>
#include <strings.h>

#include "server/api/route.h"
#include "server/duration.h"

#define WAIT_DEFAULT_MS 300000
#define WAIT_MAX_MS     600000
#define NS_PER_MS       1000000

/* Which parameters stand in the query string; raw values. */
struct params {
	struct http_slice dc, max_stale, index, wait;
	bool has_dc, has_max_stale, has_index, has_wait;
	bool stale, consistent, leader, cached, pretty;
};

static bool
is(struct http_slice key, const char *name, size_t size)
{
	return key.size == size && memcmp(key.data, name, size) == 0;
}

#define IS(key, name) is(key, name, sizeof(name) - 1)

/* The first of several equal keys wins, as in Go. */
static void
keep(struct http_slice value, struct http_slice *to, bool *has)
{
	if (*has)
		return;
	*to = value;
	*has = true;
}

static void
take_pair(struct http_slice key, struct http_slice value, struct params *p)
{
	if (IS(key, "stale"))
		p->stale = true;
	else if (IS(key, "consistent"))
		p->consistent = true;
	else if (IS(key, "leader"))
		p->leader = true;
	else if (IS(key, "cached"))
		p->cached = true;
	else if (IS(key, "pretty"))
		p->pretty = true;
	else if (IS(key, "index"))
		keep(value, &p->index, &p->has_index);
	else if (IS(key, "wait"))
		keep(value, &p->wait, &p->has_wait);
	else if (IS(key, "dc"))
		keep(value, &p->dc, &p->has_dc);
	else if (IS(key, "max_stale"))
		keep(value, &p->max_stale, &p->has_max_stale);
}

static void
take_all(struct http_slice query, struct params *p)
{
	const char *at = query.data, *end = query.data + query.size;
	char decoded[32];

	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		struct http_slice key, value = {NULL, 0};
		const char *eq;

		if (stop == NULL)
			stop = end;
		eq = memchr(at, '=', (size_t)(stop - at));
		key.data = at;
		key.size = (size_t)((eq == NULL ? stop : eq) - at);
		if (eq != NULL) {
			value.data = eq + 1;
			value.size = (size_t)(stop - eq - 1);
		}
		at = stop == end ? end : stop + 1;
		if (memchr(key.data, '%', key.size) != NULL) {
			/* Longer than any name of ours: not ours. */
			if (!http_unescape(key, true, decoded, sizeof(decoded)))
				continue;
			key.data = decoded;
			key.size = strlen(decoded);
		}
		take_pair(key, value, p);
	}
}

static bool
plain(struct http_slice query)
{
	return query.size == 0 || memchr(query.data, '%', query.size) == NULL;
}

static enum err
refuse(int *status, int code, struct errmsg *why, const char *text)
{
	*status = code;
	return err_set(why, ERR_INVALID, "%s", text);
}

static enum err
parse_mode(
    const struct params *p, struct query *out, int *status, struct errmsg *why)
{
	char text[QUERY_VALUE_MAX] = "";
	int64_t max_stale = 0;
	bool stale = p->stale;

	if (p->has_max_stale && p->max_stale.size > 0) {
		if (!http_unescape(p->max_stale, true, text, sizeof(text)) ||
		    duration_parse(text, &max_stale, NULL) != OK) {
			*status = 400;
			return err_set(why, ERR_INVALID,
			    "Invalid max_stale value \"%s\"", text);
		}
		if (max_stale > 0)
			stale = true;
	}
	if (stale && p->consistent) {
		return refuse(status, 400, why,
		    "Cannot specify ?stale with ?consistent, conflicting "
		    "semantics.");
	}
	if (p->cached && p->consistent) {
		return refuse(status, 400, why,
		    "Cannot specify ?cached with ?consistent, conflicting "
		    "semantics.");
	}
	if (p->leader)
		out->mode = READ_DEFAULT;
	else if (stale)
		out->mode = READ_STALE;
	else if (p->consistent)
		out->mode = READ_CONSISTENT;
	return OK;
}

static struct http_slice
trim(struct http_slice s)
{
	while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
		s.data++;
		s.size--;
	}
	while (s.size > 0 &&
	    (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

static bool
slice_u64(struct http_slice s, uint64_t *out)
{
	char text[24];

	if (s.size >= sizeof(text))
		return false;
	memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	return query_u64(text, out);
}

/* One directive of Cache-Control; unknown ones are no error. */
static bool
take_directive(struct http_slice d, struct query *out)
{
	static const char max_age[] = "max-age=",
			  if_error[] = "stale-if-error=";
	uint64_t seconds;

	if (d.size == 15 && strncasecmp(d.data, "must-revalidate", 15) == 0) {
		out->has_max_age = true;
		out->max_age_s = 0;
	} else if (d.size >= 8 && strncasecmp(d.data, max_age, 8) == 0) {
		d.data += 8;
		d.size -= 8;
		if (!slice_u64(d, &seconds))
			return false;
		if (!out->has_max_age || seconds < out->max_age_s)
			out->max_age_s = seconds;
		out->has_max_age = true;
	} else if (d.size >= 15 && strncasecmp(d.data, if_error, 15) == 0) {
		/* We always answer on error (contract 2.4): only checked. */
		d.data += 15;
		d.size -= 15;
		return slice_u64(d, &seconds);
	}
	return true;
}

static enum err
parse_cache_control(const struct http_request *request, struct query *out,
    int *status, struct errmsg *why)
{
	struct http_slice all = http_header(request, "Cache-Control");

	while (all.size > 0) {
		const char *comma = memchr(all.data, ',', all.size);
		size_t size =
		    comma == NULL ? all.size : (size_t)(comma - all.data);
		struct http_slice d = trim((struct http_slice){all.data, size});

		if (!take_directive(d, out)) {
			return refuse(
			    status, 400, why, "Invalid Cache-Control header.");
		}
		if (comma == NULL)
			break;
		all.data += size + 1;
		all.size -= size + 1;
	}
	return OK;
}

static enum err
parse_wait(
    const struct params *p, struct query *out, int *status, struct errmsg *why)
{
	char text[64];
	int64_t ns = 0;

	if (p->has_wait && p->wait.size > 0 &&
	    (!http_unescape(p->wait, true, text, sizeof(text)) ||
		duration_parse(text, &ns, NULL) != OK))
		return refuse(status, 400, why, "Invalid wait time");
	if (p->has_index && p->index.size > 0 &&
	    (!http_unescape(p->index, true, text, sizeof(text)) ||
		!query_u64(text, &out->index)))
		return refuse(status, 400, why, "Invalid index");
	out->wait_ms = WAIT_DEFAULT_MS;
	if (ns > 0)
		out->wait_ms = ((uint64_t)ns + NS_PER_MS - 1) / NS_PER_MS;
	if (out->wait_ms > WAIT_MAX_MS)
		out->wait_ms = WAIT_MAX_MS;
	return OK;
}

enum err
query_parse(const struct http_request *request, unsigned flags,
    const char *datacenter, struct query *out, int *status, struct errmsg *why)
{
	struct params p = {0};
	char dc[QUERY_VALUE_MAX];
	enum err rc = OK;

	*out = (struct query){.wait_ms = WAIT_DEFAULT_MS};
	if (!plain(request->query) && !http_query_valid(request))
		return refuse(status, 500, why, "");
	take_all(request->query, &p);
	out->pretty = p.pretty;
	if ((flags & ROUTE_DC) && p.dc.size > 0 &&
	    (!http_unescape(p.dc, true, dc, sizeof(dc)) ||
		strcmp(dc, datacenter) != 0))
		return refuse(status, 500, why, "No path to datacenter");
	if (flags & ROUTE_MODES) {
		rc = parse_mode(&p, out, status, why);
		if (rc == OK)
			rc = parse_cache_control(request, out, status, why);
	}
	if (rc == OK && (flags & ROUTE_WAIT))
		rc = parse_wait(&p, out, status, why);
	return rc;
}

enum err
query_text(const struct http_request *request, const char *key, char *out,
    size_t size, struct errmsg *why)
{
	struct http_slice raw;

	out[0] = '\0';
	if (!http_query(request, key, &raw))
		return OK;
	if (!http_unescape(raw, true, out, size)) {
		return err_set(why, ERR_INVALID,
		    "parameter %s is longer than %zu bytes", key, size - 1);
	}
	return OK;
}

bool
query_u64(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	size_t digits = 0;

	for (; text[digits] != '\0'; digits++) {
		unsigned digit = (unsigned char)text[digits] - (unsigned)'0';

		if (digit > 9 || digits == 20 ||
		    value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (digits == 0)
		return false;
	*out = value;
	return true;
}

bool
query_bool(const char *text, bool *out)
{
	static const char *const yes[] = {
	    "1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {
	    "0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}
