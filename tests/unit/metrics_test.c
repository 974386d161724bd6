/*
 * Goal: both expositions are well formed and show what was counted; intervals
 * close after ten seconds; updates from many threads lose nothing.
 * Method: the process-wide table, ticked by hand; the JSON is parsed, the
 * Prometheus text is checked line by line.
 */
#include "server/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "server/json.h"
#include "tests/support/test.h"

#define THREADS 4
#define ADDS    20000

static char *
prometheus(struct buf *out)
{
	buf_reset(out);
	metrics_prometheus(out);
	buf_u8(out, '\0');
	assert_int_equal(out->failed, OK);
	return (char *)out->data;
}

static void
expect_line(const char *text, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (strstr(text, wanted) == NULL)
		fail_msg("no line %s", line);
}

static struct json_doc *
parse_json(struct buf *out)
{
	struct json_doc *doc = NULL;
	struct errmsg why = {""};

	buf_reset(out);
	metrics_json(out);
	assert_int_equal(out->failed, OK);
	if (json_parse(out->data, out->size, NULL, &doc, &why) != OK)
		fail_msg("%s", why.text);
	return doc;
}

static const struct json *
find(const struct json_doc *doc, const char *list, const char *name)
{
	const struct json *at = json_first(json_get(json_root(doc), list));

	for (; at != NULL; at = json_next(at)) {
		if (strcmp(json_string(json_get(at, "Name")), name) == 0)
			return at;
	}
	return NULL;
}

static double
field(const struct json *sample, const char *name)
{
	return json_number(json_get(sample, name));
}

static void
close_to(double got, double want)
{
	if (got < want - 1e-6 || got > want + 1e-6)
		fail_msg("%g is not %g", got, want);
}

static void
gauges_show_once_set_and_never_nan_in_json(void **state)
{
	struct buf out = buf_new(1 << 20);
	struct json_doc *doc;
	char *text;

	(void)state;
	doc = parse_json(&out);
	assert_null(find(doc, "Gauges", "consul.agent.tls.cert.expiry"));
	json_free(doc);
	assert_null(strstr(prometheus(&out), "agent_tls_cert_expiry"));

	metrics_set(METRIC_TLS_EXPIRY, 86400);
	metrics_set(METRIC_CA_ROOT_EXPIRY, NAN);
	metrics_add(METRIC_HTTP_CONNECTIONS, 3);
	metrics_add(METRIC_HTTP_CONNECTIONS, -1);
	metrics_set(METRIC_RAFT_LAST_INDEX, 9007199254740991.0);
	doc = parse_json(&out);
	close_to(
	    field(find(doc, "Gauges", "consul.agent.tls.cert.expiry"), "Value"),
	    86400);
	close_to(
	    field(find(doc, "Gauges", "consul.http.connections"), "Value"), 2);
	assert_string_equal(
	    json_token(doc,
		json_get(
		    find(doc, "Gauges", "consul.raft.last_index"), "Value")),
	    "9007199254740991");
	assert_null(find(doc, "Gauges", "consul.mesh.active-root-ca.expiry"));
	assert_int_equal(
	    json_type(json_get(
		find(doc, "Gauges", "consul.http.connections"), "Labels")),
	    JSON_OBJECT);
	json_free(doc);
	text = prometheus(&out);
	expect_line(text, "# TYPE conclave_mesh_active_root_ca_expiry gauge");
	expect_line(text, "conclave_mesh_active_root_ca_expiry NaN");
	expect_line(text, "consul_mesh_active_root_ca_expiry NaN");
	expect_line(text, "conclave_http_connections 2");
	assert_null(strstr(text, "consul_http_connections"));
	buf_free(&out);
}

static void
intervals_close_after_ten_seconds(void **state)
{
	struct buf out = buf_new(1 << 20);
	const struct json *sample;
	struct json_doc *doc;

	(void)state;
	metrics_tick(1000, 1502160900);
	metrics_add(METRIC_RPC_QUERY, 1);
	metrics_add(METRIC_RPC_QUERY, 1);
	metrics_observe(METRIC_RAFT_COMMIT_TIME, 2);
	metrics_observe(METRIC_RAFT_COMMIT_TIME, 4);
	metrics_observe(METRIC_RAFT_COMMIT_TIME, 9);
	metrics_tick(10999, 1502160909);
	doc = parse_json(&out);
	assert_null(find(doc, "Counters", "consul.rpc.query"));
	json_free(doc);
	metrics_tick(11000, 1502160910);
	doc = parse_json(&out);
	assert_string_equal(json_string(json_get(json_root(doc), "Timestamp")),
	    "2017-08-08 02:55:00 +0000 UTC");
	assert_int_equal(
	    json_type(json_get(json_root(doc), "Points")), JSON_ARRAY);
	sample = find(doc, "Counters", "consul.rpc.query");
	assert_non_null(sample);
	close_to(field(sample, "Count"), 2);
	close_to(field(sample, "Sum"), 2);
	close_to(field(sample, "Rate"), 0.2);
	sample = find(doc, "Samples", "consul.raft.commitTime");
	assert_non_null(sample);
	close_to(field(sample, "Count"), 3);
	close_to(field(sample, "Sum"), 15);
	close_to(field(sample, "Min"), 2);
	close_to(field(sample, "Max"), 9);
	close_to(field(sample, "Mean"), 5);
	close_to(field(sample, "Stddev"), 3.605551275463989);
	json_free(doc);
	metrics_tick(21000, 1502160920);
	doc = parse_json(&out);
	assert_null(find(doc, "Samples", "consul.raft.commitTime"));
	assert_string_equal(json_string(json_get(json_root(doc), "Timestamp")),
	    "2017-08-08 02:55:10 +0000 UTC");
	json_free(doc);
	buf_free(&out);
}

static void
timers_are_histograms_in_seconds_and_consuls_in_ms(void **state)
{
	struct buf out = buf_new(1 << 20);
	char *text;

	(void)state;
	metrics_observe(METRIC_RAFT_SNAPSHOTS, 0.0625);
	metrics_observe(METRIC_RAFT_SNAPSHOTS, 7);
	metrics_observe(METRIC_RAFT_SNAPSHOTS, 20000);
	text = prometheus(&out);
	expect_line(
	    text, "# TYPE conclave_raft_snapshot_create_seconds histogram");
	expect_line(text,
	    "conclave_raft_snapshot_create_seconds_bucket{le=\"0.0001\"} 1");
	expect_line(text,
	    "conclave_raft_snapshot_create_seconds_bucket{le=\"0.005\"} 1");
	expect_line(text,
	    "conclave_raft_snapshot_create_seconds_bucket{le=\"0.01\"} 2");
	expect_line(
	    text, "conclave_raft_snapshot_create_seconds_bucket{le=\"10\"} 2");
	expect_line(text,
	    "conclave_raft_snapshot_create_seconds_bucket{le=\"+Inf\"} 3");
	expect_line(text, "conclave_raft_snapshot_create_seconds_count 3");
	expect_line(
	    text, "conclave_raft_snapshot_create_seconds_sum 20.0070625");
	expect_line(text, "# TYPE consul_raft_snapshot_create summary");
	expect_line(text, "consul_raft_snapshot_create_sum 20007.0625");
	expect_line(text, "consul_raft_snapshot_create_count 3");
	/* Names are snake case, except where Consul's are not. */
	expect_line(text, "# TYPE conclave_raft_commit_time_seconds histogram");
	expect_line(text, "# TYPE consul_raft_commitTime summary");
	buf_free(&out);
}

static size_t
name_size(const char *text)
{
	return strspn(text,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_");
}

/* Every sample belongs to the family whose HELP and TYPE came before it. */
static void
prometheus_text_is_well_formed(void **state)
{
	struct buf out = buf_new(1 << 20);
	char *rest = prometheus(&out), *line, family[128] = "", *end;
	unsigned families = 0;

	(void)state;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		size_t size;

		if (strncmp(line, "# HELP ", 7) == 0) {
			size = name_size(line + 7);
			snprintf(family, sizeof(family), "%.*s", (int)size,
			    line + 7);
			assert_int_equal(line[7 + size], ' ');
			families++;
			continue;
		}
		if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_int_equal(
			    strncmp(line + 7, family, strlen(family)), 0);
			continue;
		}
		assert_int_equal(strncmp(line, family, strlen(family)), 0);
		size = name_size(line);
		if (line[size] == '{')
			size += strcspn(line + size, "}") + 1;
		assert_int_equal(line[size], ' ');
		(void)strtod(line + size + 1, &end);
		assert_int_equal(*end, '\0');
	}
	assert_null(rest); /* only the last line is empty */
	assert_true(families > 20);
	buf_free(&out);
}

static void *
add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < ADDS; i++) {
		metrics_add(METRIC_HTTP_REQUESTS, 1);
		metrics_observe(METRIC_HTTP_LATENCY, i % 7);
	}
	return NULL;
}

static void
updates_of_many_threads_are_all_counted(void **state)
{
	struct buf out = buf_new(1 << 20);
	pthread_t threads[THREADS];
	char line[128], *text;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(
		    pthread_create(&threads[i], NULL, add_many, NULL), 0);
	}
	for (uint64_t now = 0; now < 5; now++)
		metrics_tick(100000 + now * 10000, 1502160900);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	text = prometheus(&out);
	snprintf(line, sizeof(line), "conclave_http_requests_total %d",
	    THREADS * ADDS);
	expect_line(text, line);
	snprintf(line, sizeof(line),
	    "conclave_http_request_seconds_bucket{le=\"+Inf\"} %d",
	    THREADS * ADDS);
	expect_line(text, line);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gauges_show_once_set_and_never_nan_in_json),
	    cmocka_unit_test(intervals_close_after_ten_seconds),
	    cmocka_unit_test(
		timers_are_histograms_in_seconds_and_consuls_in_ms),
	    cmocka_unit_test(prometheus_text_is_well_formed),
	    cmocka_unit_test(updates_of_many_threads_are_all_counted),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
