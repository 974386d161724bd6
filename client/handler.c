#include "client/handler.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "client/cli.h"
#include "client/indent.h"

#define EXIT_NO_EXEC 127 /* as shells have it */

/* -- a program ----------------------------------------------------------- */

/* The words as one; the caller frees it. */
static char *
join(char *const *args)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; args[i] != NULL; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "" : " ", args[i]);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* In the child: never back. */
static void
become(const struct handler *handler, const char *line, int input)
{
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(input, STDIN_FILENO) < 0)
		_exit(EXIT_NO_EXEC);
	if (input != STDIN_FILENO)
		(void)close(input);
	if (handler->shell)
		(void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	else
		(void)execvp(handler->args[0], handler->args);
	_exit(EXIT_NO_EXEC);
}

/* A handler that does not read is not at fault. */
static void
feed(int fd, const char *json, size_t size)
{
	while (size > 0) {
		ssize_t sent = write(fd, json, size);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return;
		json += sent;
		size -= (size_t)sent;
	}
}

static int
await(pid_t pid, const char *line)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			(void)cli_fail("Error executing handler: waitpid: %s",
			    strerror(errno));
			return -1;
		}
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		(void)cli_fail("Error executing handler: \"%s\": exit status "
			       "%d",
		    line, WEXITSTATUS(status));
	else
		(void)cli_fail("Error executing handler: \"%s\": killed by "
			       "signal %d",
		    line, WTERMSIG(status));
	return -1;
}

static int
run_program(const struct handler *handler, const char *json, size_t size,
    uint64_t index)
{
	char number[24], *line = join(handler->args);
	int ends[2] = {-1, -1}, rc = -1;
	pid_t pid = -1;

	(void)snprintf(number, sizeof(number), "%" PRIu64, index);
	if (line == NULL || setenv("CONSUL_INDEX", number, 1) != 0 ||
	    setenv("CONCLAVE_INDEX", number, 1) != 0) {
		(void)cli_fail("Error executing handler: out of memory");
	} else if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		(void)cli_fail("Error executing handler: %s", strerror(errno));
	} else if (pid == 0) {
		become(handler, line, ends[0]);
	} else {
		(void)close(ends[0]);
		ends[0] = -1;
		feed(ends[1], json, size);
		(void)close(ends[1]);
		ends[1] = -1;
		rc = await(pid, line);
	}
	if (ends[0] >= 0)
		(void)close(ends[0]);
	if (ends[1] >= 0)
		(void)close(ends[1]);
	free(line);
	return rc;
}

/* -- a URL --------------------------------------------------------------- */

static size_t
ignore(char *data, size_t one, size_t size, void *arg)
{
	(void)data;
	(void)arg;
	return one * size;
}

static bool
push(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

/* NULL: out of memory. */
static struct curl_slist *
make_headers(const struct handler *handler, uint64_t index)
{
	struct curl_slist *list = NULL;
	char *copy = strdup(handler->headers != NULL ? handler->headers : "");
	char line[64], *rest = copy;
	bool good = copy != NULL;

	(void)snprintf(line, sizeof(line), "X-Consul-Index: %" PRIu64, index);
	good = good && push(&list, line) &&
	    push(&list, "Content-Type: application/json") &&
	    push(&list, "Expect:");
	for (char *at = good ? strsep(&rest, "\n") : NULL; at != NULL && good;
	     at = strsep(&rest, "\n")) {
		if (*at != '\0')
			good = push(&list, at);
	}
	free(copy);
	if (good)
		return list;
	curl_slist_free_all(list);
	return NULL;
}

#define SET(option, value)                                                     \
	(curl_easy_setopt(curl, (option), (value)) == CURLE_OK)

static bool
set_up(CURL *curl, const struct handler *handler, struct curl_slist *headers,
    const char *json, size_t size, char *reason)
{
	return SET(CURLOPT_URL, handler->url) && SET(CURLOPT_NOSIGNAL, 1L) &&
	    SET(CURLOPT_ERRORBUFFER, reason) &&
	    SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
	    SET(CURLOPT_CUSTOMREQUEST, handler->method) &&
	    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) &&
	    SET(CURLOPT_POSTFIELDS, json) && SET(CURLOPT_HTTPHEADER, headers) &&
	    SET(CURLOPT_TIMEOUT, (long)handler->timeout_s) &&
	    SET(CURLOPT_WRITEFUNCTION, ignore) &&
	    SET(CURLOPT_SSL_VERIFYPEER, handler->no_verify ? 0L : 1L) &&
	    SET(CURLOPT_SSL_VERIFYHOST, handler->no_verify ? 0L : 2L);
}

static int
send_to_url(const struct handler *handler, const char *json, size_t size,
    uint64_t index)
{
	struct curl_slist *headers = make_headers(handler, index);
	char reason[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;

	if (curl != NULL && headers != NULL &&
	    set_up(curl, handler, headers, json, size, reason))
		code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		(void)cli_fail("Error executing handler: %s: %s", handler->url,
		    reason[0] != '\0' ? reason : curl_easy_strerror(code));
	else if (status < 200 || status > 299)
		(void)cli_fail("Error executing handler: %s: Unexpected "
			       "response code: %ld",
		    handler->url, status);
	return code == CURLE_OK && status >= 200 && status <= 299 ? 0 : -1;
}

int
handler_run(const struct handler *handler, const char *json, size_t size,
    uint64_t index)
{
	if (handler->url != NULL)
		return send_to_url(handler, json, size, index);
	if (handler->args != NULL)
		return run_program(handler, json, size, index);
	indent_print(json, size, INDENT_BLANKS, stdout);
	if (fflush(stdout) == 0)
		return 0;
	(void)cli_fail("cannot write to standard output");
	return -1;
}
