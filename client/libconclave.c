#include "client/libclient.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <curl/curl.h>

#include "client/libanswer.h"
#include "client/libbytes.h"
#include "client/libendpoint.h"
#include "client/libtransfer.h"
#include "client/liburl.h"

#define CONNECT_MS 2000
#define TIMEOUT_MS 30000
#define ANSWER_MAX ((size_t)64 << 20)
#define IDLE_MAX   8 /* transfers kept for later calls */

struct seat {
	struct libtransfer *transfer;
	bool taken;
	struct seat *next;
};

struct conclave {
	struct libtransfer_setup setup;
	struct libendpoint *endpoints;
	size_t endpoint_count;
	char *datacenter;
	unsigned timeout_ms;
	atomic_size_t at; /* where new calls begin */

	pthread_mutex_t lock; /* for the rest */
	bool canceled;
	struct seat *seats;
};

static_assert(ANSWER_MAX < SIZE_MAX / 4, "libbytes doubles its room");

uint32_t
libclient_random(void)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(value))
		return 0;
	return value;
}

/* -- made and freed ------------------------------------------------------ */

static void
init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool
copy(char **out, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return true;
	*out = strdup(text);
	return *out != NULL;
}

/* A line break in it would be a header of somebody else's choice. */
static enum conclave_err
take_token(
    struct conclave *client, const char *token, struct conclave_error *error)
{
	struct libbytes line = libbytes_new((size_t)16 * 1024);

	if (token == NULL || token[0] == '\0')
		return CONCLAVE_OK;
	for (const char *at = token; *at != '\0'; at++) {
		if (*at <= 0x20 || *at >= 0x7f) {
			return liberror_set(error, CONCLAVE_INVALID,
			    "the token must be printable and without blanks");
		}
	}
	libbytes_puts(&line, "X-Consul-Token: ");
	libbytes_puts(&line, token);
	client->setup.token_header = libbytes_take(&line);
	return client->setup.token_header == NULL ? liberror_nomem(error)
						  : CONCLAVE_OK;
}

static enum conclave_err
take_servers(struct conclave *client, const struct conclave_options *options,
    struct conclave_error *error)
{
	static const char *const fallback[] = {"127.0.0.1"};
	const char *const *servers = options->servers;
	size_t count = options->server_count;
	enum conclave_err rc = CONCLAVE_OK;

	if (servers == NULL || count == 0) {
		servers = fallback;
		count = 1;
	}
	if (count > CONCLAVE_SERVERS_MAX) {
		return liberror_set(error, CONCLAVE_INVALID,
		    "%zu servers are named, at most %d can be", count,
		    CONCLAVE_SERVERS_MAX);
	}
	client->endpoints = calloc(count, sizeof(*client->endpoints));
	if (client->endpoints == NULL)
		return liberror_nomem(error);
	while (client->endpoint_count < count && rc == CONCLAVE_OK) {
		size_t i = client->endpoint_count;

		rc = libendpoint_parse(servers[i], options->tls,
		    options->tls_server_name, &client->endpoints[i], error);
		if (rc == CONCLAVE_OK)
			client->endpoint_count++;
	}
	if (rc == CONCLAVE_OK && options->spread)
		atomic_store(&client->at, libclient_random() % count);
	return rc;
}

enum conclave_err
conclave_new(const struct conclave_options *options, struct conclave **out,
    struct conclave_error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct conclave *client = calloc(1, sizeof(*client));
	struct libtransfer_setup *setup;
	enum conclave_err rc;

	(void)pthread_once(&once, init_curl);
	if (client == NULL)
		return liberror_nomem(error);
	atomic_init(&client->at, 0);
	(void)pthread_mutex_init(&client->lock, NULL);
	setup = &client->setup;
	setup->no_verify = options->tls_no_verify;
	setup->connect_timeout_ms = options->connect_timeout_ms != 0
	    ? options->connect_timeout_ms
	    : CONNECT_MS;
	setup->answer_max =
	    options->answer_max != 0 ? options->answer_max : ANSWER_MAX;
	client->timeout_ms =
	    options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS;
	rc = take_token(client, options->token, error);
	if (rc == CONCLAVE_OK)
		rc = take_servers(client, options, error);
	if (rc == CONCLAVE_OK &&
	    !(copy(&client->datacenter, options->datacenter) &&
		copy(&setup->ca_file, options->ca_file) &&
		copy(&setup->ca_path, options->ca_path) &&
		copy(&setup->client_cert, options->client_cert) &&
		copy(&setup->client_key, options->client_key)))
		rc = liberror_nomem(error);
	if (rc == CONCLAVE_OK)
		*out = client;
	else
		conclave_free(client);
	return rc;
}

void
conclave_free(struct conclave *client)
{
	if (client == NULL)
		return;
	while (client->seats != NULL) {
		struct seat *seat = client->seats;

		assert(!seat->taken); /* a call or watch is still there */
		client->seats = seat->next;
		libtransfer_free(seat->transfer);
		free(seat);
	}
	for (size_t i = 0; i < client->endpoint_count; i++)
		libendpoint_free(&client->endpoints[i]);
	free(client->endpoints);
	free(client->datacenter);
	free(client->setup.ca_file);
	free(client->setup.ca_path);
	free(client->setup.client_cert);
	free(client->setup.client_key);
	libbytes_drop(client->setup.token_header);
	(void)pthread_mutex_destroy(&client->lock);
	free(client);
}

/* -- transfers ----------------------------------------------------------- */

static struct seat *
find_free(struct conclave *client)
{
	struct seat *seat = client->seats;

	while (seat != NULL && seat->taken)
		seat = seat->next;
	return seat;
}

static struct seat *
seat_new(void)
{
	struct seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
		return NULL;
	seat->transfer = libtransfer_new();
	if (seat->transfer != NULL)
		return seat;
	free(seat);
	return NULL;
}

struct libtransfer *
libclient_take(struct conclave *client)
{
	struct libtransfer *transfer = NULL;
	struct seat *seat;

	(void)pthread_mutex_lock(&client->lock);
	seat = find_free(client);
	if (seat == NULL) {
		seat = seat_new();
		if (seat != NULL) {
			seat->next = client->seats;
			client->seats = seat;
			if (client->canceled)
				libtransfer_stop(seat->transfer);
		}
	}
	if (seat != NULL) {
		seat->taken = true;
		transfer = seat->transfer;
	}
	(void)pthread_mutex_unlock(&client->lock);
	return transfer;
}

void
libclient_give(struct conclave *client, struct libtransfer *transfer, bool keep)
{
	struct seat **link, *seat = NULL;
	unsigned idle = 0;

	(void)pthread_mutex_lock(&client->lock);
	for (seat = client->seats; seat != NULL; seat = seat->next)
		idle += !seat->taken;
	link = &client->seats;
	while (*link != NULL && (*link)->transfer != transfer)
		link = &(*link)->next;
	seat = *link;
	assert(seat != NULL);
	assert(seat->taken);
	seat->taken = false;
	if (keep && idle < IDLE_MAX)
		seat = NULL;
	else
		*link = seat->next;
	(void)pthread_mutex_unlock(&client->lock);
	if (seat != NULL) {
		libtransfer_free(seat->transfer);
		free(seat);
	}
}

void
conclave_cancel(struct conclave *client)
{
	(void)pthread_mutex_lock(&client->lock);
	client->canceled = true;
	for (struct seat *seat = client->seats; seat != NULL; seat = seat->next)
		libtransfer_stop(seat->transfer);
	(void)pthread_mutex_unlock(&client->lock);
}

/* -- calls --------------------------------------------------------------- */

size_t
libclient_at(const struct conclave *client)
{
	return atomic_load(&client->at);
}

size_t
libclient_servers(const struct conclave *client)
{
	return client->endpoint_count;
}

/* What went wrong at each server, one behind the other. */
static void
tell(struct conclave_error *error, const struct conclave_error *why, bool first)
{
	size_t size;

	if (error == NULL)
		return;
	size = first ? 0 : strlen(error->text);
	error->code = why->code;
	error->status = why->status;
	(void)snprintf(error->text + size, sizeof(error->text) - size, "%s%s",
	    first ? "" : "; ", why->text);
}

static enum conclave_err
run_once(struct conclave *client, struct libtransfer *transfer, size_t at,
    const struct conclave_request *request, unsigned timeout_ms,
    struct conclave_answer *answer, bool *sent, struct conclave_error *error)
{
	const struct libendpoint *endpoint = &client->endpoints[at];
	struct libtransfer_job job = {.endpoint = endpoint,
	    .method = request->method != NULL ? request->method : "GET",
	    .body = request->body,
	    .body_size = request->body_size,
	    .timeout_ms = timeout_ms};
	char *url = liburl_make(endpoint->base, client->datacenter, request);
	enum conclave_err rc;

	*sent = false;
	if (url == NULL)
		return liberror_nomem(error);
	job.url = url;
	rc = libtransfer_run(
	    transfer, &client->setup, &job, answer, sent, error);
	free(url);
	return rc;
}

/* The time one try may take: a read leaves the others their share. */
static unsigned
time_of_try(const struct conclave_request *request, unsigned timeout_ms,
    uint64_t end_ms, size_t tries_left)
{
	unsigned wait_ms = liburl_wait_ms(request);
	uint64_t now = libtransfer_now_ms();

	if (wait_ms > 0)
		return wait_ms + wait_ms / 16 + timeout_ms;
	if (now >= end_ms)
		return 1;
	if (request->method != NULL && strcmp(request->method, "GET") != 0)
		return (unsigned)(end_ms - now);
	return (unsigned)((end_ms - now) / tries_left) + 1;
}

enum conclave_err
libclient_call(struct conclave *client, struct libtransfer *transfer,
    size_t *at, const struct conclave_request *request,
    struct conclave_answer *answer, struct conclave_error *error)
{
	bool read =
	    request->method == NULL || strcmp(request->method, "GET") == 0;
	unsigned timeout_ms =
	    request->timeout_ms != 0 ? request->timeout_ms : client->timeout_ms;
	uint64_t end_ms = libtransfer_now_ms() + timeout_ms;
	size_t tries = request->first_only ? 1 : client->endpoint_count;
	enum conclave_err rc = CONCLAVE_OK;

	for (size_t i = 0; i < tries; i++) {
		struct conclave_error why = {.code = CONCLAVE_OK};
		bool sent;

		rc = run_once(client, transfer, request->first_only ? 0 : *at,
		    request,
		    time_of_try(request, timeout_ms, end_ms, tries - i), answer,
		    &sent, &why);
		if (rc == CONCLAVE_OK &&
		    !(read && i + 1 < tries && libanswer_is_local(answer)))
			return CONCLAVE_OK;
		*at = (*at + 1) % client->endpoint_count;
		if (rc == CONCLAVE_OK) {
			(void)conclave_answer_check(answer, &why);
			conclave_answer_free(answer);
		} else if (!read && sent) {
			return liberror_set(error, CONCLAVE_UNKNOWN,
			    "no answer after the request was sent (%s): the "
			    "outcome is unknown, read before you retry",
			    why.text);
		}
		tell(error, &why, i == 0);
		if (rc == CONCLAVE_CANCELED || rc == CONCLAVE_NOMEM ||
		    rc == CONCLAVE_INVALID)
			return rc;
		rc = why.code;
	}
	return rc;
}

enum conclave_err
conclave_call(struct conclave *client, const struct conclave_request *request,
    struct conclave_answer *answer, struct conclave_error *error)
{
	struct libtransfer *transfer;
	enum conclave_err rc;
	size_t begun, at;

	rc = liburl_check(request, error);
	if (rc != CONCLAVE_OK)
		return rc;
	transfer = libclient_take(client);
	if (transfer == NULL)
		return liberror_nomem(error);
	begun = at = libclient_at(client);
	rc = libclient_call(client, transfer, &at, request, answer, error);
	/* Others may have moved on meanwhile: then they know better. */
	if (rc == CONCLAVE_OK && !request->first_only)
		(void)atomic_compare_exchange_strong(&client->at, &begun, at);
	libclient_give(client, transfer, rc == CONCLAVE_OK);
	return rc;
}
