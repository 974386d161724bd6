/*
 * Goal: a watch tells the object at first and after each change, nothing else,
 * and is not shaken by errors, resets or a stop.
 * Method: scripted servers; the indexes asked for and told are compared.
 */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "client/conclave.h"
#include "tests/support/canned.h"

#define TOLD_MAX 16

#define STEP(index, text)                                                      \
	{                                                                      \
		.status = "200 OK", .header = "X-Consul-Index: " index "\r\n", \
		.body = text                                                   \
	}

struct told {
	size_t count, stop_after;
	struct {
		int status; /* 0: an error */
		uint64_t index;
		enum conclave_err code;
		unsigned retry_ms;
	} events[TOLD_MAX];
	struct conclave_watch *watch; /* to be stopped from inside, or NULL */
};

static bool
on_event(void *arg, const struct conclave_event *event)
{
	struct told *told = arg;

	assert_true(told->count < TOLD_MAX);
	assert_true((event->answer == NULL) != (event->error == NULL));
	if (event->answer != NULL) {
		told->events[told->count].status = event->answer->status;
		told->events[told->count].index = event->answer->index;
	} else {
		told->events[told->count].code = event->error->code;
		told->events[told->count].retry_ms = event->retry_ms;
	}
	told->count++;
	if (told->watch != NULL)
		conclave_watch_stop(told->watch);
	return told->count != told->stop_after;
}

static struct conclave *
make_client(const char *first, const char *second)
{
	const char *servers[] = {first, second};
	struct conclave_options options = {
	    .servers = servers, .server_count = second == NULL ? 1 : 2};
	struct conclave *client = NULL;

	assert_int_equal(conclave_new(&options, &client, NULL), CONCLAVE_OK);
	return client;
}

static struct conclave_watch *
make_watch(struct conclave *client, struct told *told)
{
	struct conclave_watch_options options = {
	    .path = "/v1/x", .query = "a=b", .wait_ms = 5000, .interval_ms = 1};
	struct conclave_watch *watch = NULL;

	assert_int_equal(
	    conclave_watch_new(client, &options, on_event, told, &watch, NULL),
	    CONCLAVE_OK);
	return watch;
}

/* Run against one server until stop_after events. */
static enum conclave_err
run(struct canned *server, struct told *told)
{
	struct conclave *client = make_client(canned_address(server), NULL);
	struct conclave_watch *watch = make_watch(client, told);
	enum conclave_err rc = conclave_watch_run(watch, NULL);

	conclave_watch_free(watch);
	conclave_free(client);
	return rc;
}

static void
asked(struct canned *server, size_t at, const char *query)
{
	char *line;

	assert_true(asprintf(&line, "GET /v1/x?a=b%s HTTP/1.1\r\n", query) > 0);
	assert_int_equal(
	    strncmp(canned_request(server, at), line, strlen(line)), 0);
	free(line);
}

static void
changes_are_told_and_ends_of_waits_are_not(void **state)
{
	static const struct canned_step steps[] = {STEP("5", "a"),
	    STEP("5", "a"), STEP("9", "b"), STEP("9", "b"), STEP("12", "c")};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct told told = {.stop_after = 3};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[0].index, 5);
	assert_int_equal(told.events[1].index, 9);
	assert_int_equal(told.events[2].index, 12);
	asked(server, 0, "");
	asked(server, 1, "&index=5&wait=5000ms");
	asked(server, 2, "&index=5&wait=5000ms");
	asked(server, 3, "&index=9&wait=5000ms");
	canned_stop(server);
}

static void
an_index_that_goes_back_starts_anew(void **state)
{
	static const struct canned_step steps[] = {
	    STEP("50", "a"), STEP("3", "b"), STEP("3", "b"), STEP("4", "c")};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct told told = {.stop_after = 3};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[1].index, 3);
	assert_int_equal(told.events[2].index, 4);
	asked(server, 1, "&index=50&wait=5000ms");
	asked(server, 2, ""); /* without an index */
	asked(server, 3, "&index=3&wait=5000ms");
	canned_stop(server);
}

static void
an_index_of_0_counts_as_1(void **state)
{
	static const struct canned_step steps[] = {
	    STEP("0", "a"), STEP("0", "a"), STEP("2", "b")};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct told told = {.stop_after = 2};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[0].index, 1);
	assert_int_equal(told.events[1].index, 2);
	asked(server, 1, "&index=1&wait=5000ms");
	canned_stop(server);
}

static void
what_is_not_there_yet_can_be_watched(void **state)
{
	static const struct canned_step steps[] = {
	    {.status = "404 Not Found",
		.header = "X-Consul-Index: 4\r\n",
		.body = "none"},
	    STEP("6", "a")};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct told told = {.stop_after = 2};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[0].status, 404);
	assert_int_equal(told.events[1].status, 200);
	asked(server, 1, "&index=4&wait=5000ms");
	canned_stop(server);
}

static void
an_error_is_told_waits_and_keeps_the_index(void **state)
{
	static const struct canned_step steps[] = {STEP("5", "a"),
	    {.status = "500 Internal Server Error", .body = "boom"},
	    STEP("6", "b")};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct told told = {.stop_after = 3};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[1].code, CONCLAVE_REFUSED);
	assert_in_range(told.events[1].retry_ms, 250, 500);
	assert_int_equal(told.events[2].index, 6);
	asked(server, 2, "&index=5&wait=5000ms");
	canned_stop(server);
}

static void
a_servers_retry_after_is_the_least_wait(void **state)
{
	static const struct canned_step steps[] = {
	    {.status = "429 Too Many Requests",
		.header = "Retry-After: 7\r\n",
		.body = "limits.max_watches is 1"}};
	struct canned *server = canned_start(steps, 1);
	struct told told = {.stop_after = 1};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[0].code, CONCLAVE_BUSY);
	assert_int_equal(told.events[0].retry_ms, 7000);
	canned_stop(server);
}

static void
an_answer_without_an_index_is_an_error(void **state)
{
	static const struct canned_step step = {
	    .status = "200 OK", .body = "{}"};
	struct canned *server = canned_start(&step, 1);
	struct told told = {.stop_after = 1};

	(void)state;
	assert_int_equal(run(server, &told), CONCLAVE_OK);
	assert_int_equal(told.events[0].code, CONCLAVE_MALFORMED);
	canned_stop(server);
}

static void
a_lost_server_is_left_without_an_error(void **state)
{
	static const struct canned_step first_steps[] = {
	    STEP("5", "a"), {.act = CANNED_DROP}};
	static const struct canned_step second_step = STEP("6", "b");
	struct canned *first = canned_start(first_steps, 2);
	struct canned *second = canned_start(&second_step, 1);
	struct conclave *client =
	    make_client(canned_address(first), canned_address(second));
	struct told told = {.stop_after = 2};
	struct conclave_watch *watch = make_watch(client, &told);

	(void)state;
	assert_int_equal(conclave_watch_run(watch, NULL), CONCLAVE_OK);
	assert_int_equal(told.events[0].index, 5);
	assert_int_equal(told.events[1].index, 6);
	asked(second, 0, "&index=5&wait=5000ms");
	conclave_watch_free(watch);
	conclave_free(client);
	canned_stop(first);
	canned_stop(second);
}

/* -- stops --------------------------------------------------------------- */

struct stop {
	struct conclave_watch *watch;
	struct conclave *client;
};

static void *
stop_soon(void *arg)
{
	struct stop *stop = arg;

	(void)usleep(50000);
	if (stop->watch != NULL)
		conclave_watch_stop(stop->watch);
	else
		conclave_cancel(stop->client);
	return NULL;
}

/* Parked or in its backoff: either way it ends at once. */
static void
another_thread_ends_it(void **state)
{
	static const struct canned_step parked[] = {
	    STEP("5", "a"), {.act = CANNED_HANG}};
	static const struct canned_step failing = {.status = "503 Busy"};
	const struct {
		const struct canned_step *steps;
		size_t count;
		bool cancel;
	} cases[] = {{parked, 2, false}, {parked, 2, true},
	    {&failing, 1, false}, {&failing, 1, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct canned *server =
		    canned_start(cases[i].steps, cases[i].count);
		struct conclave *client =
		    make_client(canned_address(server), NULL);
		struct told told = {.stop_after = TOLD_MAX};
		struct conclave_watch *watch = make_watch(client, &told);
		struct stop stop = {cases[i].cancel ? NULL : watch, client};
		pthread_t thread;

		assert_int_equal(
		    pthread_create(&thread, NULL, stop_soon, &stop), 0);
		assert_int_equal(
		    conclave_watch_run(watch, NULL), CONCLAVE_CANCELED);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(told.count, 1);
		conclave_watch_free(watch);
		conclave_free(client);
		canned_stop(server);
	}
}

static void
it_may_be_stopped_before_and_from_inside(void **state)
{
	static const struct canned_step step = STEP("5", "a");

	(void)state;
	for (int inside = 0; inside < 2; inside++) {
		struct canned *server = canned_start(&step, 1);
		struct conclave *client =
		    make_client(canned_address(server), NULL);
		struct told told = {.stop_after = TOLD_MAX};
		struct conclave_watch *watch = make_watch(client, &told);

		if (inside)
			told.watch = watch;
		else
			conclave_watch_stop(watch);
		assert_int_equal(
		    conclave_watch_run(watch, NULL), CONCLAVE_CANCELED);
		assert_int_equal(told.count, inside);
		conclave_watch_free(watch);
		conclave_free(client);
		canned_stop(server);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_are_told_and_ends_of_waits_are_not),
	    cmocka_unit_test(an_index_that_goes_back_starts_anew),
	    cmocka_unit_test(an_index_of_0_counts_as_1),
	    cmocka_unit_test(what_is_not_there_yet_can_be_watched),
	    cmocka_unit_test(an_error_is_told_waits_and_keeps_the_index),
	    cmocka_unit_test(a_servers_retry_after_is_the_least_wait),
	    cmocka_unit_test(an_answer_without_an_index_is_an_error),
	    cmocka_unit_test(a_lost_server_is_left_without_an_error),
	    cmocka_unit_test(another_thread_ends_it),
	    cmocka_unit_test(it_may_be_stopped_before_and_from_inside),
	};

	return cmocka_run_group_tests_name("client_watch", tests, NULL, NULL);
}
