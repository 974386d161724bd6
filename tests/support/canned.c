#include "tests/support/canned.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 32

struct canned_conn {
	int fd; /* -1: free */
	bool hung;
	size_t size;
	char text[CANNED_TEXT_MAX + 1];
};

struct canned {
	const struct canned_step *steps;
	size_t step_count;
	int listener, wake[2];
	char address[32];
	pthread_t thread;
	struct canned_conn conns[CONNS_MAX];

	pthread_mutex_t lock;
	size_t request_count;
	char *requests[CANNED_REQUESTS_MAX];
};

static void
need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

/* Head and body there, or NULL: wait for more. */
static const char *
whole(const struct canned_conn *conn)
{
	const char *end = strstr(conn->text, "\r\n\r\n");
	const char *length = strcasestr(conn->text, "\r\nContent-Length:");
	size_t body = 0;

	if (end == NULL)
		return NULL;
	if (length != NULL && length < end)
		body = (size_t)strtoul(length + 17, NULL, 10);
	end += 4 + body;
	return end <= conn->text + conn->size ? end : NULL;
}

static void
drop(struct canned_conn *conn)
{
	(void)close(conn->fd);
	conn->fd = -1;
	conn->size = 0;
	conn->hung = false;
}

static void
answer(struct canned_conn *conn, const struct canned_step *step)
{
	const char *body = step->body != NULL ? step->body : "";
	char *text = NULL;
	int size;

	size = asprintf(&text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
	    step->status, step->header != NULL ? step->header : "",
	    strlen(body), body);
	need(size > 0, "asprintf");
	if (send(conn->fd, text, (size_t)size, MSG_NOSIGNAL) != size)
		drop(conn);
	free(text);
}

static void
serve(struct canned *canned, struct canned_conn *conn)
{
	const char *end;

	while (conn->fd >= 0 && (end = whole(conn)) != NULL) {
		size_t used = (size_t)(end - conn->text), at;
		const struct canned_step *step;

		(void)pthread_mutex_lock(&canned->lock);
		at = canned->request_count++;
		need(at < CANNED_REQUESTS_MAX, "too many requests");
		canned->requests[at] = strndup(conn->text, used);
		(void)pthread_mutex_unlock(&canned->lock);
		conn->size -= used;
		memmove(conn->text, end, conn->size + 1);
		step = &canned->steps[at < canned->step_count
			? at
			: canned->step_count - 1];
		if (step->act == CANNED_DROP)
			drop(conn);
		else if (step->act == CANNED_HANG)
			conn->hung = true;
		else
			answer(conn, step);
	}
}

static void
take(struct canned *canned, struct canned_conn *conn)
{
	ssize_t got = recv(
	    conn->fd, conn->text + conn->size, CANNED_TEXT_MAX - conn->size, 0);

	if (got <= 0) {
		drop(conn);
		return;
	}
	conn->size += (size_t)got;
	conn->text[conn->size] = '\0';
	serve(canned, conn);
}

static void
greet(struct canned *canned)
{
	int fd = accept4(canned->listener, NULL, NULL, SOCK_CLOEXEC);
	size_t i = 0;

	if (fd < 0)
		return;
	while (i < CONNS_MAX && canned->conns[i].fd >= 0)
		i++;
	need(i < CONNS_MAX, "too many connections");
	canned->conns[i].fd = fd;
}

static void *
run(void *arg)
{
	struct canned *canned = arg;

	for (;;) {
		struct pollfd fds[CONNS_MAX + 2];

		fds[0] = (struct pollfd){canned->wake[0], POLLIN, 0};
		fds[1] = (struct pollfd){canned->listener, POLLIN, 0};
		for (size_t i = 0; i < CONNS_MAX; i++) {
			fds[i + 2] =
			    (struct pollfd){canned->conns[i].fd, POLLIN, 0};
		}
		need(poll(fds, CONNS_MAX + 2, -1) > 0, "poll");
		if (fds[0].revents != 0)
			return NULL;
		for (size_t i = 0; i < CONNS_MAX; i++) {
			if (fds[i + 2].revents != 0)
				take(canned, &canned->conns[i]);
		}
		if (fds[1].revents != 0)
			greet(canned);
	}
}

/* A listener on a free port, whose address is put in out. */
static int
listen_somewhere(char *out, size_t size)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t at_size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(fd >= 0, "socket");
	need(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "bind");
	need(listen(fd, CONNS_MAX) == 0, "listen");
	need(getsockname(fd, (struct sockaddr *)&at, &at_size) == 0, "name");
	(void)snprintf(out, size, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return fd;
}

struct canned *
canned_start(const struct canned_step *steps, size_t count)
{
	struct canned *canned = calloc(1, sizeof(*canned));

	need(canned != NULL && count > 0, "canned");
	canned->steps = steps;
	canned->step_count = count;
	for (size_t i = 0; i < CONNS_MAX; i++)
		canned->conns[i].fd = -1;
	canned->listener =
	    listen_somewhere(canned->address, sizeof(canned->address));
	need(pipe(canned->wake) == 0, "pipe");
	(void)pthread_mutex_init(&canned->lock, NULL);
	need(pthread_create(&canned->thread, NULL, run, canned) == 0, "thread");
	return canned;
}

const char *
canned_address(const struct canned *canned)
{
	return canned->address;
}

size_t
canned_count(struct canned *canned)
{
	size_t count;

	(void)pthread_mutex_lock(&canned->lock);
	count = canned->request_count;
	(void)pthread_mutex_unlock(&canned->lock);
	return count;
}

const char *
canned_request(struct canned *canned, size_t at)
{
	const char *text;

	(void)pthread_mutex_lock(&canned->lock);
	need(at < canned->request_count, "no such request");
	text = canned->requests[at];
	(void)pthread_mutex_unlock(&canned->lock);
	return text;
}

void
canned_stop(struct canned *canned)
{
	(void)close(canned->wake[1]);
	(void)pthread_join(canned->thread, NULL);
	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (canned->conns[i].fd >= 0)
			(void)close(canned->conns[i].fd);
	}
	for (size_t i = 0; i < canned->request_count; i++)
		free(canned->requests[i]);
	(void)close(canned->wake[0]);
	(void)close(canned->listener);
	(void)pthread_mutex_destroy(&canned->lock);
	free(canned);
}

const char *
canned_nobody(void)
{
	static char address[32];

	if (address[0] == '\0')
		(void)close(listen_somewhere(address, sizeof(address)));
	return address;
}
