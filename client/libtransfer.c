#include "client/libtransfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "client/libbytes.h"

#define POLL_MS        1000
#define PROBE_IDLE_S   15L    /* a parked read asks whether the server lives */
#define PROBE_EVERY_S  5L     /* and again */
#define LOST_MS        30000U /* unacknowledged bytes: the server is lost */
#define IDLE_CONNS_MAX 4L

struct libtransfer {
	CURL *easy;
	CURLM *multi;
	atomic_bool stopped;
	char reason[CURL_ERROR_SIZE];
	/* of the request under way: */
	struct conclave_answer *answer;
	struct libbytes body;
};

uint64_t
libtransfer_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct libtransfer *
libtransfer_new(void)
{
	struct libtransfer *transfer = calloc(1, sizeof(*transfer));

	if (transfer == NULL)
		return NULL;
	atomic_init(&transfer->stopped, false);
	transfer->easy = curl_easy_init();
	transfer->multi = curl_multi_init();
	if (transfer->easy != NULL && transfer->multi != NULL &&
	    curl_multi_setopt(transfer->multi, CURLMOPT_MAXCONNECTS,
		IDLE_CONNS_MAX) == CURLM_OK)
		return transfer;
	libtransfer_free(transfer);
	return NULL;
}

void
libtransfer_free(struct libtransfer *transfer)
{
	if (transfer == NULL)
		return;
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	if (transfer->multi != NULL)
		(void)curl_multi_cleanup(transfer->multi);
	free(transfer);
}

void
libtransfer_stop(struct libtransfer *transfer)
{
	atomic_store(&transfer->stopped, true);
	(void)curl_multi_wakeup(transfer->multi);
}

bool
libtransfer_pause(struct libtransfer *transfer, unsigned wait_ms)
{
	uint64_t end = libtransfer_now_ms() + wait_ms;
	uint64_t now = end - wait_ms;

	while (now < end && !atomic_load(&transfer->stopped)) {
		uint64_t left = end - now > POLL_MS ? POLL_MS : end - now;

		(void)curl_multi_poll(
		    transfer->multi, NULL, 0, (int)left, NULL);
		now = libtransfer_now_ms();
	}
	return !atomic_load(&transfer->stopped);
}

/* -- what comes in ------------------------------------------------------- */

/* A decimal number that fills the text; false and untouched otherwise. */
static bool
to_u64(const char *text, size_t size, uint64_t *out)
{
	uint64_t value = 0;

	if (size == 0)
		return false;
	for (size_t i = 0; i < size; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' ||
		    value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

static bool
is_header(const char *line, size_t size, const char *name)
{
	size_t name_size = strlen(name);

	return size > name_size && line[name_size] == ':' &&
	    strncasecmp(line, name, name_size) == 0;
}

static void
take_header(struct conclave_answer *answer, const char *line, size_t size)
{
	const char *value = memchr(line, ':', size);
	uint64_t number = 0;
	size_t length;
	bool good;

	if (value == NULL)
		return;
	value++;
	length = (size_t)(line + size - value);
	while (length > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		length--;
	}
	while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL)
		length--;
	good = to_u64(value, length, &number);
	if (is_header(line, size, "X-Consul-Index") && good) {
		answer->has_index = true;
		answer->index = number < 1 ? 1 : number;
	} else if (is_header(line, size, "X-Consul-KnownLeader")) {
		answer->known_leader =
		    !(length == 5 && strncasecmp(value, "false", 5) == 0);
	} else if (is_header(line, size, "X-Consul-LastContact") && good) {
		answer->last_contact_ms = number;
	} else if (is_header(line, size, "Retry-After") && good) {
		answer->retry_after_s = number > 3600 ? 3600 : (unsigned)number;
	} else if (is_header(line, size, "ETag") &&
	    length < sizeof(answer->etag)) {
		memcpy(answer->etag, value, length);
		answer->etag[length] = '\0';
	}
}

static size_t
on_header(char *line, size_t one, size_t size, void *arg)
{
	struct libtransfer *transfer = arg;

	take_header(transfer->answer, line, one * size);
	return one * size;
}

static size_t
on_body(char *data, size_t one, size_t size, void *arg)
{
	struct libtransfer *transfer = arg;

	libbytes_add(&transfer->body, data, one * size);
	return transfer->body.state == LIBBYTES_GOOD ? one * size : 0;
}

/* A server that lost its power sends no FIN; do not wait for ever. */
static int
on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned lost_ms = LOST_MS;

	(void)arg;
	(void)purpose;
	/* Of no use on a Unix socket, which needs none: let it fail. */
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof(lost_ms));
	return CURL_SOCKOPT_OK;
}

/* -- what goes out ------------------------------------------------------- */

#define SET(option, value)                                                     \
	(curl_easy_setopt(transfer->easy, (option), (value)) == CURLE_OK)

static bool
set_limits(struct libtransfer *transfer, const struct libtransfer_setup *setup,
    const struct libtransfer_job *job)
{
	long connect_ms = (long)setup->connect_timeout_ms;

	if (connect_ms > (long)job->timeout_ms)
		connect_ms = (long)job->timeout_ms;
	return SET(CURLOPT_ERRORBUFFER, transfer->reason) &&
	    SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_PROXY, "") &&
	    SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
	    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms) &&
	    SET(CURLOPT_TIMEOUT_MS, (long)job->timeout_ms) &&
	    SET(CURLOPT_TCP_KEEPALIVE, 1L) &&
	    SET(CURLOPT_TCP_KEEPIDLE, PROBE_IDLE_S) &&
	    SET(CURLOPT_TCP_KEEPINTVL, PROBE_EVERY_S) &&
	    SET(CURLOPT_SOCKOPTFUNCTION, on_socket) &&
	    SET(CURLOPT_HEADERFUNCTION, on_header) &&
	    SET(CURLOPT_HEADERDATA, transfer) &&
	    SET(CURLOPT_WRITEFUNCTION, on_body) &&
	    SET(CURLOPT_WRITEDATA, transfer);
}

/* Naming one of file and directory turns the system's other one off. */
static bool
set_trust(struct libtransfer *transfer, const struct libtransfer_setup *setup)
{
	bool named = setup->ca_file != NULL || setup->ca_path != NULL;

	if (named &&
	    !(SET(CURLOPT_CAINFO, setup->ca_file) &&
		SET(CURLOPT_CAPATH, setup->ca_path)))
		return false;
	if (setup->client_cert != NULL &&
	    !(SET(CURLOPT_SSLCERT, setup->client_cert) &&
		SET(CURLOPT_SSLKEY,
		    setup->client_key != NULL ? setup->client_key
					      : setup->client_cert)))
		return false;
	return SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	    SET(CURLOPT_SSL_VERIFYPEER, setup->no_verify ? 0L : 1L) &&
	    SET(CURLOPT_SSL_VERIFYHOST, setup->no_verify ? 0L : 2L);
}

static bool
set_request(struct libtransfer *transfer, const struct libtransfer_job *job,
    struct curl_slist *headers, struct curl_slist *detour)
{
	bool read = strcmp(job->method, "GET") == 0;

	if (!(SET(CURLOPT_URL, job->url) &&
		SET(CURLOPT_UNIX_SOCKET_PATH, job->endpoint->socket) &&
		SET(CURLOPT_CONNECT_TO, detour) &&
		SET(CURLOPT_HTTPHEADER, headers)))
		return false;
	if (read)
		return SET(CURLOPT_HTTPGET, 1L);
	return SET(CURLOPT_FRESH_CONNECT, 1L) &&
	    SET(CURLOPT_CUSTOMREQUEST, job->method) &&
	    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body_size) &&
	    SET(CURLOPT_POSTFIELDS, job->body != NULL ? job->body : "");
}

static bool
push(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static void
wipe_list(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at != NULL; at = at->next)
		OPENSSL_cleanse(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

/* -- one run ------------------------------------------------------------- */

/* curl's word for what happened, as one of ours. */
static enum conclave_err
kind_of(CURLcode code)
{
	static const struct {
		CURLcode curl;
		enum conclave_err ours;
	} kinds[] = {
	    {CURLE_OPERATION_TIMEDOUT, CONCLAVE_TIMEOUT},
	    {CURLE_OUT_OF_MEMORY, CONCLAVE_NOMEM},
	    {CURLE_SSL_CONNECT_ERROR, CONCLAVE_TLS},
	    {CURLE_PEER_FAILED_VERIFICATION, CONCLAVE_TLS},
	    {CURLE_SSL_CERTPROBLEM, CONCLAVE_TLS},
	    {CURLE_SSL_CIPHER, CONCLAVE_TLS},
	    {CURLE_SSL_CACERT_BADFILE, CONCLAVE_TLS},
	    {CURLE_SSL_ISSUER_ERROR, CONCLAVE_TLS},
	    {CURLE_SSL_CLIENTCERT, CONCLAVE_TLS},
	    {CURLE_SSL_INVALIDCERTSTATUS, CONCLAVE_TLS},
	    {CURLE_WEIRD_SERVER_REPLY, CONCLAVE_MALFORMED},
	    {CURLE_UNSUPPORTED_PROTOCOL, CONCLAVE_MALFORMED},
	    {CURLE_WRITE_ERROR, CONCLAVE_MALFORMED},
	    {CURLE_URL_MALFORMAT, CONCLAVE_INVALID},
	};

	for (size_t i = 0; i < LIB_COUNT(kinds); i++) {
		if (kinds[i].curl == code)
			return kinds[i].ours;
	}
	return CONCLAVE_UNREACHABLE;
}

static enum conclave_err
explain(struct libtransfer *transfer, const struct libtransfer_job *job,
    CURLcode code, struct conclave_error *error)
{
	const char *reason = transfer->reason;
	enum conclave_err rc = kind_of(code);

	if (transfer->body.state == LIBBYTES_NOMEM || rc == CONCLAVE_NOMEM)
		return liberror_nomem(error);
	if (transfer->body.state == LIBBYTES_FULL) {
		return liberror_set(error, CONCLAVE_MALFORMED,
		    "%s: the answer is larger than %zu bytes",
		    job->endpoint->shown, transfer->body.max);
	}
	if (reason[0] == '\0')
		reason = curl_easy_strerror(code);
	return liberror_set(error, rc, "%s: %s", job->endpoint->shown, reason);
}

/* Drive it to its end. */
static enum conclave_err
drive(struct libtransfer *transfer, const struct libtransfer_job *job,
    struct conclave_error *error)
{
	struct CURLMsg *message;
	int running = 1, queued;
	CURLMcode rc = CURLM_OK;

	while (rc == CURLM_OK && !atomic_load(&transfer->stopped)) {
		rc = curl_multi_perform(transfer->multi, &running);
		if (rc != CURLM_OK || running == 0)
			break;
		rc = curl_multi_poll(transfer->multi, NULL, 0, POLL_MS, NULL);
	}
	if (rc == CURLM_OUT_OF_MEMORY)
		return liberror_nomem(error);
	if (rc != CURLM_OK) {
		return liberror_set(error, CONCLAVE_UNREACHABLE, "%s: %s",
		    job->endpoint->shown, curl_multi_strerror(rc));
	}
	message = curl_multi_info_read(transfer->multi, &queued);
	if (message == NULL || message->msg != CURLMSG_DONE) {
		return liberror_set(error, CONCLAVE_CANCELED, "%s: canceled",
		    job->endpoint->shown);
	}
	if (message->data.result != CURLE_OK)
		return explain(transfer, job, message->data.result, error);
	return CONCLAVE_OK;
}

static enum conclave_err
finish(struct libtransfer *transfer, const struct libtransfer_job *job,
    struct conclave_error *error)
{
	struct conclave_answer *answer = transfer->answer;
	long status = 0;

	(void)curl_easy_getinfo(
	    transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (int)status;
	answer->server = job->endpoint->shown;
	answer->body_size = transfer->body.size;
	answer->body = libbytes_take(&transfer->body);
	if (answer->body == NULL)
		return liberror_nomem(error);
	return CONCLAVE_OK;
}

enum conclave_err
libtransfer_run(struct libtransfer *transfer,
    const struct libtransfer_setup *setup, const struct libtransfer_job *job,
    struct conclave_answer *answer, bool *sent, struct conclave_error *error)
{
	struct curl_slist *headers = NULL, *detour = NULL;
	enum conclave_err rc = CONCLAVE_NOMEM;
	long written = 0;

	*answer = (struct conclave_answer){.known_leader = true};
	*sent = false;
	transfer->answer = answer;
	transfer->body = libbytes_new(setup->answer_max);
	transfer->reason[0] = '\0';
	curl_easy_reset(transfer->easy);
	/* Not "Expect: 100-continue": it would cost a round trip. */
	if (!push(&headers, "Expect:") ||
	    !push(&headers, "Content-Type: application/json") ||
	    (setup->token_header != NULL &&
		!push(&headers, setup->token_header)) ||
	    (job->endpoint->detour != NULL &&
		!push(&detour, job->endpoint->detour)) ||
	    !set_limits(transfer, setup, job) || !set_trust(transfer, setup) ||
	    !set_request(transfer, job, headers, detour) ||
	    curl_multi_add_handle(transfer->multi, transfer->easy) !=
		CURLM_OK) {
		(void)liberror_nomem(error);
		goto out;
	}
	rc = drive(transfer, job, error);
	(void)curl_easy_getinfo(
	    transfer->easy, CURLINFO_REQUEST_SIZE, &written);
	*sent = written > 0;
	if (rc == CONCLAVE_OK)
		rc = finish(transfer, job, error);
	(void)curl_multi_remove_handle(transfer->multi, transfer->easy);
out:
	/* The lists and buffers go: leave curl nothing that points there. */
	curl_easy_reset(transfer->easy);
	libbytes_free(&transfer->body);
	wipe_list(headers);
	curl_slist_free_all(detour);
	return rc;
}
