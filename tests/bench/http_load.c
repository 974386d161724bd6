/*
 * http_load - drive an HTTP/1.1 server with K keep-alive connections, one
 * request in flight on each, and say how many requests per second it answered
 * and how long each took. Only exchanges that begin and end inside the measured
 * time count. Exit status 0 only if every answer was right.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/dial.h"
#include "tests/bench/die.h"
#include "tests/bench/histogram.h"
#include "tests/bench/options.h"
#include "tests/bench/request.h"
#include "tests/bench/response.h"

#define EVENTS_MAX    512
#define RETRY_NS      20000000U   /* a refused connection is tried again */
#define STRAGGLERS_NS 5000000000U /* how long late answers are waited for */
#define READ_SIZE     (1 << 18)

static const char usage[] =
    "http_load -a ADDR:PORT[,ADDR:PORT...] [options]\n"
    "  -c N     connections (16)           -d SEC   measured time (10)\n"
    "  -w SEC   warm-up before it (1)      -m VERB  method (GET)\n"
    "  -p PATH  path template              -b TEXT  body, or @file\n"
    "  -H LINE  extra header, repeatable   -e CODE  status (any 2xx)\n"
    "  -k N     range of {key} (10000)     -v N     size of {val} (256)\n"
    "  -r RATE  open loop: requests per second in all, latency counted\n"
    "           from when each was due, so that a stall is not hidden\n"
    "  -n       a new connection for each request\n"
    "  -N N     end after so many requests\n"
    "  -s       TLS 1.3  -C ca.pem  -E cert.pem  -K key.pem\n"
    "  -P PIDS  servers whose CPU use is reported\n"
    "  -L TEXT  first word of the result line\n"
    "templates: {conn} {seq} {key} {step} {val}";

enum conn_state { CONNECTING, SENDING, RECEIVING, WAITING, ENDED };

struct conn {
	int fd;
	enum conn_state state;
	unsigned id;
	uint32_t events; /* what epoll is asked for, 0 = not registered */
	const struct target *target;
	SSL *tls;
	char *out;
	size_t out_size, out_done;
	uint64_t start_ns; /* when the request was due */
	struct response response;
	struct conn *next; /* in idle or refused */
};

static struct {
	struct targets targets;
	struct request_template request;
	struct template_values values;
	struct pids pids;
	unsigned conns, expect, requests; /* the last two: 0 = any */
	double seconds, warm_seconds, rate;
	bool conn_per_request, secure;
	const char *label, *ca, *certificate, *key;
} opt = {.request = {.method = "GET", .path = "/"},
    .values = {.keys = 10000, .value_size = 256, .token = ""},
    .conns = 16,
    .seconds = 10,
    .warm_seconds = 1,
    .label = "http_load"};

static struct {
	int epoll;
	SSL_CTX *context;
	uint64_t begin_ns, count_ns, end_ns; /* start, measured from, until */
	unsigned live;                       /* connections still in use */
	struct conn *idle;                   /* waiting for a due time */
	struct conn *refused;                /* to be tried again */
	uint64_t retry_ns;
	double server_cpu, client_cpu; /* seconds, when the count began */
	bool counting;
} run;

static struct {
	struct histogram latency;
	uint64_t issued, good, wrong, reconnects, io_errors, bytes_in;
	uint64_t by_class[6]; /* of status; 0 = none of the five */
} seen;

static void
arm(struct conn *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (c->events == events)
		return;
	epoll_ctl(run.epoll, c->events != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
	    c->fd, &event);
	c->events = events;
}

static void
conn_open(struct conn *c)
{
	c->fd = dial(c->target);
	if (c->fd < 0)
		die("connect to %s: %s", c->target->host, strerror(errno));
	c->events = 0;
	c->tls = dial_secure(run.context, c->fd);
	c->state = CONNECTING;
	arm(c, EPOLLOUT);
}

static void
conn_drop(struct conn *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
	close(c->fd);
	c->fd = -1;
	c->events = 0;
	c->state = ENDED;
}

static uint64_t
next_due(void)
{
	return run.begin_ns + (uint64_t)((double)seen.issued * 1e9 / opt.rate);
}

/* ---- one exchange ----------------------------------------------------------
 */

static void
conn_broken(struct conn *c)
{
	bool refused = c->state == CONNECTING;

	seen.io_errors++;
	conn_drop(c);
	c->out_size = 0;
	if (now_ns() >= run.end_ns) {
		run.live--;
	} else if (refused) {
		c->next = run.refused;
		run.refused = c;
	} else {
		seen.reconnects++;
		conn_open(c);
	}
}

static void
conn_send(struct conn *c)
{
	ssize_t n;

	while (c->out_done < c->out_size) {
		n = dial_write(c->fd, c->tls, c->out + c->out_done,
		    c->out_size - c->out_done);
		if (n == DIAL_WANT_WRITE || n == DIAL_WANT_READ) {
			arm(c, n == DIAL_WANT_WRITE ? EPOLLOUT : EPOLLIN);
			return;
		}
		if (n <= 0) {
			conn_broken(c);
			return;
		}
		c->out_done += (size_t)n;
	}
	c->state = RECEIVING;
	arm(c, EPOLLIN);
}

static void
next_request(struct conn *c, uint64_t now)
{
	if (now >= run.end_ns ||
	    (opt.requests > 0 && seen.issued >= opt.requests)) {
		if (c->fd >= 0)
			conn_drop(c);
		run.live--;
		return;
	}
	c->start_ns = now;
	if (opt.rate > 0) {
		c->start_ns = next_due();
		if (c->start_ns > now) {
			c->state = WAITING;
			c->next = run.idle;
			run.idle = c;
			return;
		}
	}
	opt.values.conn = c->id;
	opt.values.seq = seen.issued++;
	c->out_size = request_build(c->out, REQUEST_SIZE_MAX, &opt.request,
	    c->target->host, &opt.values, opt.conn_per_request);
	c->out_done = 0;
	response_reset(&c->response);
	if (c->fd < 0) {
		conn_open(c);
		return;
	}
	c->state = SENDING;
	conn_send(c);
}

static void
conn_finished(struct conn *c)
{
	uint64_t now = now_ns();
	unsigned status = (unsigned)c->response.status, class = status / 100;

	if (c->start_ns >= run.count_ns && now <= run.end_ns) {
		seen.by_class[class < 6 ? class : 0]++;
		if (opt.expect != 0 ? status == opt.expect : class == 2) {
			seen.good++;
			histogram_add(&seen.latency, now - c->start_ns);
		} else {
			seen.wrong++;
		}
	}
	if (opt.conn_per_request) {
		conn_drop(c);
	} else if (c->response.close) {
		conn_drop(c);
		seen.reconnects++;
		c->out_size = 0;
		conn_open(c);
		return;
	}
	next_request(c, now);
}

static void
conn_receive(struct conn *c)
{
	static char buffer[READ_SIZE];
	ssize_t n;

	for (;;) {
		n = dial_read(c->fd, c->tls, buffer, sizeof(buffer));
		if (n == DIAL_WANT_READ || n == DIAL_WANT_WRITE) {
			arm(c, n == DIAL_WANT_WRITE ? EPOLLOUT : EPOLLIN);
			return;
		}
		if (n == 0 && c->response.step == RESPONSE_BODY_TO_END)
			c->response.step = RESPONSE_DONE;
		else if (n <= 0)
			c->response.step = RESPONSE_BAD;
		else
			response_feed(&c->response, buffer, (size_t)n);
		seen.bytes_in += n > 0 ? (uint64_t)n : 0;
		if (c->response.step == RESPONSE_BAD)
			conn_broken(c);
		else if (c->response.step == RESPONSE_DONE)
			conn_finished(c);
		else
			continue;
		return;
	}
}

static void
on_event(struct conn *c)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (c->state == CONNECTING) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error != 0) {
			conn_broken(c);
			return;
		}
		c->state = SENDING;
		if (c->out_size == 0) {
			next_request(c, now_ns());
			return;
		}
	}
	if (c->state == SENDING)
		conn_send(c);
	else if (c->state == RECEIVING)
		conn_receive(c);
	else if (c->state == WAITING)
		arm(c, EPOLLRDHUP); /* closed meanwhile: the next send tells */
}

/* ---- the run ---------------------------------------------------------------
 */

static void
start_count(void)
{
	run.counting = true;
	run.server_cpu = pids_cpu(&opt.pids);
	run.client_cpu = own_cpu();
}

static void
retry_refused(uint64_t now)
{
	struct conn *c = run.refused, *next;

	run.retry_ns = now + RETRY_NS;
	run.refused = NULL;
	for (; c != NULL; c = next) {
		next = c->next;
		if (now >= run.end_ns)
			run.live--;
		else
			conn_open(c);
	}
}

/* Start what is due; how long epoll may sleep, ms. */
static int
start_due(uint64_t now)
{
	struct conn *c;

	while (run.idle != NULL && (now >= run.end_ns || next_due() <= now)) {
		c = run.idle;
		run.idle = c->next;
		next_request(c, now);
	}
	if (run.idle != NULL)
		return next_due() > now + 2000000 ? 1 : 0;
	return run.refused != NULL ? (int)(RETRY_NS / 1000000) : 50;
}

static void
drive(void)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t now;
	int n;

	while (run.live > 0) {
		now = now_ns();
		if (now > run.end_ns + STRAGGLERS_NS)
			break;
		if (!run.counting && now >= run.count_ns)
			start_count();
		if (run.refused != NULL && now >= run.retry_ns)
			retry_refused(now);
		n = epoll_wait(run.epoll, events, EVENTS_MAX, start_due(now));
		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr);
	}
}

static void
start(void)
{
	struct conn *conns = calloc(opt.conns, sizeof(*conns));

	if (conns == NULL)
		die("out of memory");
	opt.values.random = now_ns() | 1;
	raise_open_files(opt.conns + 64);
	if (opt.secure)
		run.context = dial_tls(opt.ca, opt.certificate, opt.key);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.begin_ns = now_ns();
	run.count_ns = run.begin_ns + (uint64_t)(opt.warm_seconds * 1e9);
	run.end_ns = run.count_ns + (uint64_t)(opt.seconds * 1e9);
	run.live = opt.conns;
	for (unsigned i = 0; i < opt.conns; i++) {
		conns[i].id = i;
		conns[i].target = &opt.targets.target[i % opt.targets.count];
		conns[i].out = malloc(REQUEST_SIZE_MAX);
		conns[i].fd = -1;
		if (conns[i].out == NULL)
			die("out of memory");
		if (opt.conn_per_request)
			next_request(&conns[i], now_ns());
		else
			conn_open(&conns[i]);
	}
}

static void
report(void)
{
	const struct histogram *h = &seen.latency;
	double server = pids_cpu(&opt.pids) - run.server_cpu;
	double client = own_cpu() - run.client_cpu;

	printf("%s conns=%u req/s=%.0f p50=%.0fus p90=%.0fus p99=%.0fus "
	       "p99.9=%.0fus max=%.0fus mean=%.0fus",
	    opt.label, opt.conns, (double)seen.good / opt.seconds,
	    histogram_us(h, .5), histogram_us(h, .9), histogram_us(h, .99),
	    histogram_us(h, .999), histogram_us(h, 1), histogram_mean_us(h));
	printf(" ok=%ju wrong=%ju io_errors=%ju reconnects=%ju unanswered=%u "
	       "MB/s=%.1f client_cpu=%.2f",
	    (uintmax_t)seen.good, (uintmax_t)seen.wrong,
	    (uintmax_t)seen.io_errors, (uintmax_t)seen.reconnects, run.live,
	    (double)seen.bytes_in / 1e6 / (opt.seconds + opt.warm_seconds),
	    client / opt.seconds);
	if (opt.pids.count > 0)
		printf(" server_cpu=%.3f", server / opt.seconds);
	for (size_t i = 0; i < 6 && seen.wrong > 0; i++) {
		printf(" %zuxx=%ju", i, (uintmax_t)seen.by_class[i]);
	}
	putchar('\n');
}

static void
take_options(int argc, char **argv)
{
	const struct option_row rows[] = {
	    {'a', OPTION_TARGETS, &opt.targets},
	    {'c', OPTION_COUNT, &opt.conns},
	    {'d', OPTION_NUMBER, &opt.seconds},
	    {'w', OPTION_NUMBER, &opt.warm_seconds},
	    {'m', OPTION_TEXT, &opt.request.method},
	    {'p', OPTION_TEXT, &opt.request.path},
	    {'b', OPTION_BODY, &opt.request.body},
	    {'H', OPTION_HEADER, &opt.request},
	    {'e', OPTION_COUNT, &opt.expect},
	    {'k', OPTION_COUNT, &opt.values.keys},
	    {'v', OPTION_COUNT, &opt.values.value_size},
	    {'r', OPTION_NUMBER, &opt.rate},
	    {'n', OPTION_FLAG, &opt.conn_per_request},
	    {'N', OPTION_COUNT, &opt.requests},
	    {'s', OPTION_FLAG, &opt.secure},
	    {'C', OPTION_TEXT, &opt.ca},
	    {'E', OPTION_TEXT, &opt.certificate},
	    {'K', OPTION_TEXT, &opt.key},
	    {'P', OPTION_PIDS, &opt.pids},
	    {'L', OPTION_TEXT, &opt.label},
	};

	options_take(argc, argv, rows, sizeof(rows) / sizeof(rows[0]), usage);
	if (opt.targets.count == 0 || opt.conns == 0 || opt.seconds <= 0)
		die("%s", usage);
}

int
main(int argc, char **argv)
{
	take_options(argc, argv);
	start();
	drive();
	report();
	return seen.good > 0 && seen.wrong == 0 && seen.io_errors == 0 &&
		run.live == 0
	    ? 0
	    : 1;
}
