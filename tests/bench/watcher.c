#include "tests/bench/watcher.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/die.h"
#include "tests/bench/response.h"

#define EVENTS_MAX 1024
#define READ_SIZE  (1 << 16)
#define PUMP_EVERY 256 /* watchers set going before events are looked at */

enum watcher_state { CONNECTING, SENDING, WAITING, TOLD, LOST };

struct watcher {
	int fd;
	enum watcher_state state;
	bool head_counted, wants_write;
	unsigned short target;
	unsigned sent; /* bytes of the request already written */
	uint64_t index, told_ns;
	SSL *tls;
	struct response response;
};

void
watchers_init(struct watchers *ws, unsigned count)
{
	raise_open_files(count + 64);
	ws->count = count;
	ws->epoll = epoll_create1(EPOLL_CLOEXEC);
	ws->all = calloc(count, sizeof(*ws->all));
	if (ws->all == NULL || ws->epoll < 0)
		die("out of memory");
}

static void
arm(struct watchers *ws, struct watcher *w, uint32_t events, int operation)
{
	struct epoll_event event = {.events = events, .data.ptr = w};

	epoll_ctl(ws->epoll, operation, w->fd, &event);
}

static void
watcher_close(struct watcher *w)
{
	SSL_free(w->tls);
	w->tls = NULL;
	close(w->fd);
	w->fd = -1;
}

static void
watcher_lost(struct watchers *ws, struct watcher *w)
{
	if (w->state == WAITING)
		ws->waiting--;
	watcher_close(w);
	w->state = LOST;
	ws->lost++;
}

static void
watcher_send(struct watchers *ws, struct watcher *w)
{
	struct template_values values = {.conn = (uint64_t)(w - ws->all),
	    .index = w->index,
	    .random = 1,
	    .token = ws->token};
	const struct request_template *poll = &ws->poll;
	char out[REQUEST_SIZE_MAX];
	size_t size;
	ssize_t n;

	if (ws->first_poll.path != NULL && w->index == 0)
		poll = &ws->first_poll;
	size = request_build(out, sizeof(out), poll,
	    ws->targets.target[w->target].host, &values, false);
	while (w->sent < size) {
		n = dial_write(w->fd, w->tls, out + w->sent, size - w->sent);
		if (n == DIAL_WANT_WRITE || n == DIAL_WANT_READ) {
			arm(ws, w, n == DIAL_WANT_WRITE ? EPOLLOUT : EPOLLIN,
			    EPOLL_CTL_MOD);
			w->wants_write = true;
			return;
		}
		if (n <= 0) {
			watcher_lost(ws, w);
			return;
		}
		w->sent += (unsigned)n;
	}
	w->state = WAITING;
	ws->waiting++;
	if (w->wants_write)
		arm(ws, w, EPOLLIN, EPOLL_CTL_MOD);
	w->wants_write = false;
}

static void
watcher_ask(struct watchers *ws, struct watcher *w)
{
	response_reset(&w->response);
	w->response.needle = ws->token;
	w->head_counted = false;
	w->sent = 0;
	w->state = SENDING;
	watcher_send(ws, w);
}

static void
watcher_open(struct watchers *ws, struct watcher *w)
{
	w->fd = dial(&ws->targets.target[w->target]);
	if (w->fd < 0) {
		w->state = LOST;
		ws->lost++;
		return;
	}
	w->tls = dial_secure(ws->context, w->fd);
	w->state = CONNECTING;
	w->wants_write = true;
	arm(ws, w, EPOLLOUT, EPOLL_CTL_ADD);
}

/* A whole answer. */
static void
watcher_answered(struct watchers *ws, struct watcher *w)
{
	const struct response *r = &w->response;
	bool known = w->index != 0 || ws->first_poll.path == NULL;

	ws->waiting--;
	if (w->head_counted)
		ws->heads--;
	w->state = TOLD;
	if (r->index != 0)
		w->index = r->index;
	if (r->status / 100 != 2) {
		ws->bad_status++;
	} else if (ws->round_on && (r->found || ws->any_answer)) {
		w->told_ns = now_ns();
		ws->told++;
	} else if (ws->round_on) {
		ws->stale++;
	} else if (known) {
		ws->early++;
	}
	if (r->close)
		watcher_close(w);
	if (w->told_ns != 0)
		return;
	if (r->close)
		watcher_open(ws, w);
	else
		watcher_ask(ws, w);
}

/* Take bytes in; false when nothing more is to be read now. */
static bool
watcher_take(
    struct watchers *ws, struct watcher *w, const char *data, ssize_t n)
{
	struct response *r = &w->response;

	if (n == DIAL_WANT_READ || n == DIAL_WANT_WRITE)
		return false;
	if (n == 0 && w->state == WAITING && r->step == RESPONSE_BODY_TO_END) {
		watcher_answered(ws, w);
		return false;
	}
	if (n <= 0) {
		watcher_lost(ws, w);
		return false;
	}
	if (w->state != WAITING)
		return false;
	response_feed(r, data, (size_t)n);
	if (r->head_done && !w->head_counted) {
		w->head_counted = true;
		ws->heads++;
	}
	if (r->step == RESPONSE_BAD)
		watcher_lost(ws, w);
	else if (r->step == RESPONSE_DONE)
		watcher_answered(ws, w);
	else
		return w->tls != NULL || n == READ_SIZE;
	return false;
}

static void
on_event(struct watchers *ws, struct watcher *w)
{
	static char buffer[READ_SIZE];
	socklen_t size = sizeof(int);
	int error = 0;
	ssize_t n;

	if (w->state == CONNECTING) {
		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error != 0)
			watcher_lost(ws, w);
		else
			watcher_ask(ws, w);
	} else if (w->state == SENDING) {
		watcher_send(ws, w);
	} else if (w->fd >= 0) {
		do
			n = dial_read(w->fd, w->tls, buffer, sizeof(buffer));
		while (watcher_take(ws, w, buffer, n));
	}
}

void
watchers_open(struct watchers *ws, unsigned count)
{
	struct watcher *w;

	for (; ws->opened < count && ws->opened < ws->count; ws->opened++) {
		w = &ws->all[ws->opened];
		w->target = (unsigned short)(ws->opened % ws->targets.count);
		w->response.index_header = ws->index_header;
		watcher_open(ws, w);
	}
}

void
watchers_ask(struct watchers *ws)
{
	struct watcher *w;

	for (unsigned i = 0; i < ws->opened; i++) {
		w = &ws->all[i];
		w->told_ns = 0;
		if (w->state == TOLD && w->fd >= 0)
			watcher_ask(ws, w);
		else if (w->state == TOLD)
			watcher_open(ws, w);
		if (i % PUMP_EVERY == PUMP_EVERY - 1)
			watchers_pump(ws, 0);
	}
}

void
watchers_pump(struct watchers *ws, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(ws->epoll, events, EVENTS_MAX, timeout_ms);

	for (int i = 0; i < n; i++)
		on_event(ws, events[i].data.ptr);
}

void
watchers_pump_for(struct watchers *ws, double seconds)
{
	uint64_t now, end = now_ns() + (uint64_t)(seconds * 1e9);

	while ((now = now_ns()) < end)
		watchers_pump(ws, (int)((end - now) / 1000000) + 1);
}

unsigned
watchers_told(const struct watchers *ws, uint64_t *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ws->opened; i++) {
		if (ws->all[i].told_ns != 0)
			out[n++] = ws->all[i].told_ns;
	}
	return n;
}
