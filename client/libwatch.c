/*
 * Happy path: ask without an index, tell, block on the index of the answer,
 * tell again when it has changed. An answer whose index did not change was the
 * end of a wait: nothing is told. An index that went back is the state of
 * another history: told, and the next request asks without an index, as the
 * old one may lie in that history's future. An error moves to the next server,
 * tells, and waits.
 */
#include "client/libclient.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/libanswer.h"
#include "client/libpace.h"
#include "client/libtransfer.h"
#include "client/liburl.h"

#define INTERVAL_MS 500

struct conclave_watch {
	struct conclave *client;
	struct libtransfer *transfer;
	struct conclave_request request; /* path, query: owned */
	char *path, *query;
	conclave_watch_cb cb;
	void *arg;
	struct libpace pace;
	size_t at;      /* server */
	uint64_t shown; /* index of what the callback saw last; 0: nothing */
	bool used;
};

enum conclave_err
conclave_watch_new(struct conclave *client,
    const struct conclave_watch_options *options, conclave_watch_cb cb,
    void *arg, struct conclave_watch **out, struct conclave_error *error)
{
	struct conclave_request request = {.path = options->path,
	    .query = options->query,
	    .mode = options->mode,
	    .wait_ms = options->wait_ms};
	struct conclave_watch *watch;
	enum conclave_err rc = liburl_check(&request, error);

	if (rc != CONCLAVE_OK)
		return rc;
	watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return liberror_nomem(error);
	watch->client = client;
	watch->cb = cb;
	watch->arg = arg;
	watch->at = libclient_at(client);
	watch->pace = libpace_new(
	    options->interval_ms != 0 ? options->interval_ms : INTERVAL_MS);
	watch->path = strdup(options->path);
	watch->query = strdup(options->query != NULL ? options->query : "");
	watch->transfer = libclient_take(client);
	if (watch->path == NULL || watch->query == NULL ||
	    watch->transfer == NULL) {
		conclave_watch_free(watch);
		return liberror_nomem(error);
	}
	watch->request = request;
	watch->request.path = watch->path;
	watch->request.query = watch->query;
	*out = watch;
	return CONCLAVE_OK;
}

void
conclave_watch_free(struct conclave_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->transfer != NULL)
		libclient_give(watch->client, watch->transfer, false);
	free(watch->path);
	free(watch->query);
	free(watch);
}

void
conclave_watch_stop(struct conclave_watch *watch)
{
	libtransfer_stop(watch->transfer);
}

static enum conclave_err
canceled(struct conclave_error *error)
{
	return liberror_set(error, CONCLAVE_CANCELED, "the watch was stopped");
}

/* True if the callback wants more. */
static bool
tell_answer(struct conclave_watch *watch, const struct conclave_answer *answer)
{
	struct conclave_event event = {.answer = answer};
	uint64_t index = answer->index;

	watch->request.index = index < watch->request.index ? 0 : index;
	if (index == watch->shown)
		return true;
	watch->shown = index;
	return watch->cb(watch->arg, &event);
}

/* An answer a watch can go on from, or the reason why not. */
static enum conclave_err
judge(const struct conclave_answer *answer, struct conclave_error *error)
{
	if (answer->status == 404 && answer->has_index)
		return CONCLAVE_OK; /* not there yet: it may come */
	if (answer->status != 200)
		return conclave_answer_check(answer, error);
	if (!answer->has_index) {
		return liberror_set(error, CONCLAVE_MALFORMED,
		    "%s: the answer has no X-Consul-Index: it cannot be "
		    "watched",
		    answer->server);
	}
	return CONCLAVE_OK;
}

/* One request, told. *more: false if the callback wants no more. */
static enum conclave_err
run_round(struct conclave_watch *watch, bool *more, unsigned *wait_ms,
    struct conclave_error *error)
{
	struct conclave_error why;
	struct conclave_event event = {.error = &why};
	struct conclave_answer answer = {.body = NULL};
	size_t servers = libclient_servers(watch->client);
	enum conclave_err rc = libclient_call(watch->client, watch->transfer,
	    &watch->at, &watch->request, &answer, &why);

	*wait_ms = 0;
	if (rc == CONCLAVE_CANCELED)
		return canceled(error);
	if (rc == CONCLAVE_NOMEM)
		return liberror_nomem(error);
	if (rc == CONCLAVE_OK) {
		rc = judge(&answer, &why);
		if (rc == CONCLAVE_OK) {
			libpace_good(&watch->pace);
			*more = tell_answer(watch, &answer);
			conclave_answer_free(&answer);
			return CONCLAVE_OK;
		}
		watch->at = (watch->at + 1) % servers;
	}
	*wait_ms = libpace_fail(&watch->pace, libclient_random());
	if (answer.retry_after_s > *wait_ms / 1000)
		*wait_ms = answer.retry_after_s * 1000;
	conclave_answer_free(&answer);
	event.retry_ms = *wait_ms;
	*more = watch->cb(watch->arg, &event);
	return CONCLAVE_OK;
}

enum conclave_err
conclave_watch_run(struct conclave_watch *watch, struct conclave_error *error)
{
	enum conclave_err rc = CONCLAVE_OK;
	unsigned after_error_ms = 0;
	bool more = true;

	assert(!watch->used);
	watch->used = true;
	while (more && rc == CONCLAVE_OK) {
		unsigned wait_ms =
		    libpace_take(&watch->pace, libtransfer_now_ms());

		if (wait_ms < after_error_ms)
			wait_ms = after_error_ms;
		if (!libtransfer_pause(watch->transfer, wait_ms))
			return canceled(error);
		rc = run_round(watch, &more, &after_error_ms, error);
	}
	return rc;
}
