/*
 * watch_fanout - open N long-polls, make one write, and say when the first, the
 * median, the 99th-percentile and the last of them heard of it, and what a
 * waiting poll costs the servers in memory. Several rounds on the same
 * connections. Exit status 0 only if each round was complete.
 *
 * A server that sends headers as soon as it has accepted a poll shows up as
 * headers_already; for others -S must be long enough for all polls to be
 * registered. More than 28000 polls per target is more than there are
 * ephemeral ports.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/die.h"
#include "tests/bench/onewrite.h"
#include "tests/bench/options.h"
#include "tests/bench/watcher.h"

#define ROUNDS_MAX 1000

static const char usage[] =
    "watch_fanout -a ADDR:PORT[,ADDR:PORT...] -n N -p PATH [options]\n"
    "  -p PATH  long-poll    -f PATH  asked while no index is known\n"
    "  -I NAME  response header with the index (none)\n"
    "  -x CMD   the write, as a shell command with {token} in it, or\n"
    "  -M VERB -U PATH -B BODY -T ADDR:PORT  the write as a request on\n"
    "           an open connection (PUT, none, {token}, the first -a);\n"
    "           body and answers to the watchers must carry {token}\n"
    "  -A       any 2xx answer counts, with or without the token\n"
    "  -H LINE  extra header for the polls   -h LINE  for the write\n"
    "  -R N     rounds (5)      -r RATE  connections per second (5000)\n"
    "  -S SEC   settling time before a write (2)\n"
    "  -W SEC   give up after (30)\n"
    "  -P PIDS  servers whose memory and CPU are reported\n"
    "  -s       TLS 1.3   -C ca.pem   -E cert.pem   -K key.pem\n"
    "  -L TEXT  first word of each result line\n"
    "templates: {conn} {index} {index+1} {token}";

/* One round, or the median of all: milliseconds from the write's start. */
struct round {
	double ack, first, p50, p99, last;
};

static struct {
	struct targets write_targets;
	struct pids pids;
	unsigned watchers, rounds;
	double rate, settle, give_up; /* per second; seconds; seconds */
	bool secure;
	const char *label, *ca, *certificate, *key;
} opt = {.rounds = 5,
    .rate = 5000,
    .settle = 2,
    .give_up = 30,
    .label = "watch_fanout"};

static struct watchers watchers = {
    .poll = {.method = "GET"}, .first_poll = {.method = "GET"}};
static struct one_write news = {
    .request = {.method = "PUT", .body = "{token}"}};

static struct {
	uint64_t *told; /* ns, of one round */
	char token[ONE_WRITE_TOKEN_SIZE];
	long rss_start_kb, rss_armed_kb, rss_peak_kb;
} run = {.token = "~none"};

static long
tcp_memory_kb(void)
{
	FILE *file = fopen("/proc/net/sockstat", "re");
	char line[256];
	long pages = 0;

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line,
			"TCP: inuse %*d orphan %*d tw %*d alloc %*d mem %ld",
			&pages) == 1)
			break;
	}
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Open all watchers at the given rate and let them settle. */
static void
open_all(void)
{
	uint64_t begin = now_ns(), limit;
	long tcp_kb = tcp_memory_kb();
	double opened;

	run.rss_start_kb = pids_rss_kb(&opt.pids);
	while (watchers.opened < opt.watchers) {
		opened = (double)(now_ns() - begin) / 1e9 * opt.rate;
		watchers_open(&watchers, (unsigned)opened + 1);
		watchers_pump(&watchers, 1);
	}
	limit = now_ns() + (uint64_t)(opt.give_up * 1e9);
	while (
	    watchers.waiting + watchers.lost < opt.watchers && now_ns() < limit)
		watchers_pump(&watchers, 50);
	opened = (double)(now_ns() - begin) / 1e9;
	watchers_pump_for(&watchers, opt.settle);
	run.rss_armed_kb = run.rss_peak_kb = pids_rss_kb(&opt.pids);
	printf("%s armed watchers=%u of %u in %.2fs headers_already=%u lost=%u "
	       "early_answers=%u server_rss_kb=%ld->%ld tcp_mem_kb=%ld->%ld\n",
	    opt.label, watchers.waiting, opt.watchers, opened, watchers.heads,
	    watchers.lost, watchers.early, run.rss_start_kb, run.rss_armed_kb,
	    tcp_kb, tcp_memory_kb());
	fflush(stdout);
}

static int
compare_ns(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* How many of the told there are, and when; times to round. */
static unsigned
gather(struct round *round)
{
	unsigned n = watchers_told(&watchers, run.told);
	double start = (double)news.start_ns;

	round->ack = (double)(news.acknowledged_ns - news.start_ns) / 1e6;
	if (n == 0)
		return 0;
	qsort(run.told, n, sizeof(run.told[0]), compare_ns);
	round->first = ((double)run.told[0] - start) / 1e6;
	round->p50 = ((double)run.told[n / 2] - start) / 1e6;
	round->p99 = ((double)run.told[(size_t)n * 99 / 100] - start) / 1e6;
	round->last = ((double)run.told[n - 1] - start) / 1e6;
	return n;
}

/* One write and its echo; whether every watcher heard it. */
static bool
play(unsigned number, struct round *round)
{
	unsigned armed, n;
	uint64_t limit, end;
	double cpu;
	long rss_kb;

	watchers_ask(&watchers);
	watchers_pump_for(&watchers, opt.settle);
	armed = watchers.waiting;
	watchers.told = watchers.stale = watchers.bad_status = 0;
	snprintf(run.token, sizeof(run.token), "~%08x%04x", (unsigned)now_ns(),
	    number & 0xffff);
	cpu = pids_cpu(&opt.pids);
	watchers.round_on = true;
	one_write_start(&news, run.token);
	limit = now_ns() + (uint64_t)(opt.give_up * 1e9);
	while (watchers.told < armed && now_ns() < limit)
		watchers_pump(&watchers, 20);
	end = now_ns();
	one_write_finish(&news);
	watchers.round_on = false;
	cpu = pids_cpu(&opt.pids) - cpu;
	rss_kb = pids_rss_kb(&opt.pids);
	if (rss_kb > run.rss_peak_kb)
		run.rss_peak_kb = rss_kb;
	n = gather(round);
	printf("%s round=%u write_status=%d told=%u/%u write_ack_ms=%.2f "
	       "first=%.2f p50=%.2f p99=%.2f last=%.2f failed=%u stale=%u "
	       "bad_status=%u lost=%u server_cpu_ms=%.0f of %.0f rss_kb=%ld\n",
	    opt.label, number, news.status, n, armed, round->ack, round->first,
	    round->p50, round->p99, round->last, armed - n, watchers.stale,
	    watchers.bad_status, watchers.lost, cpu * 1e3,
	    (double)(end - news.start_ns) / 1e6, rss_kb);
	fflush(stdout);
	return n == opt.watchers && news.status / 100 == 2;
}

static int
compare_ms(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median(const struct round *rounds, size_t field)
{
	double values[ROUNDS_MAX];

	for (unsigned i = 0; i < opt.rounds; i++) {
		memcpy(&values[i], (const char *)&rounds[i] + field,
		    sizeof(double));
	}
	qsort(values, opt.rounds, sizeof(double), compare_ms);
	return values[(opt.rounds - 1) / 2];
}

static void
report(const struct round *rounds, unsigned incomplete)
{
	double per = 1024.0 / opt.watchers;

	printf("%s median_of=%u watchers=%u write_ack_ms=%.2f first=%.2f "
	       "p50=%.2f p99=%.2f last=%.2f per_watcher_bytes=%.0f "
	       "peak_per_watcher_bytes=%.0f incomplete_rounds=%u lost=%u\n",
	    opt.label, opt.rounds, opt.watchers,
	    median(rounds, offsetof(struct round, ack)),
	    median(rounds, offsetof(struct round, first)),
	    median(rounds, offsetof(struct round, p50)),
	    median(rounds, offsetof(struct round, p99)),
	    median(rounds, offsetof(struct round, last)),
	    (double)(run.rss_armed_kb - run.rss_start_kb) * per,
	    (double)(run.rss_peak_kb - run.rss_start_kb) * per, incomplete,
	    watchers.lost);
}

static void
take_options(int argc, char **argv)
{
	const struct option_row rows[] = {
	    {'a', OPTION_TARGETS, &watchers.targets},
	    {'n', OPTION_COUNT, &opt.watchers},
	    {'p', OPTION_TEXT, &watchers.poll.path},
	    {'f', OPTION_TEXT, &watchers.first_poll.path},
	    {'I', OPTION_TEXT, &watchers.index_header},
	    {'A', OPTION_FLAG, &watchers.any_answer},
	    {'H', OPTION_HEADER, &watchers.poll},
	    {'x', OPTION_TEXT, &news.command},
	    {'M', OPTION_TEXT, &news.request.method},
	    {'U', OPTION_TEXT, &news.request.path},
	    {'B', OPTION_BODY, &news.request.body},
	    {'h', OPTION_HEADER, &news.request},
	    {'T', OPTION_TARGETS, &opt.write_targets},
	    {'R', OPTION_COUNT, &opt.rounds},
	    {'r', OPTION_NUMBER, &opt.rate},
	    {'S', OPTION_NUMBER, &opt.settle},
	    {'W', OPTION_NUMBER, &opt.give_up},
	    {'P', OPTION_PIDS, &opt.pids},
	    {'s', OPTION_FLAG, &opt.secure},
	    {'C', OPTION_TEXT, &opt.ca},
	    {'E', OPTION_TEXT, &opt.certificate},
	    {'K', OPTION_TEXT, &opt.key},
	    {'L', OPTION_TEXT, &opt.label},
	};

	options_take(argc, argv, rows, sizeof(rows) / sizeof(rows[0]), usage);
	if (watchers.targets.count == 0 || opt.watchers == 0 ||
	    watchers.poll.path == NULL || opt.rounds == 0 ||
	    opt.rounds > ROUNDS_MAX || opt.rate <= 0 ||
	    (news.command == NULL && news.request.path == NULL))
		die("%s", usage);
	memcpy(watchers.first_poll.headers, watchers.poll.headers,
	    sizeof(watchers.poll.headers));
	if (opt.write_targets.count == 0)
		opt.write_targets = watchers.targets;
}

int
main(int argc, char **argv)
{
	static struct round rounds[ROUNDS_MAX];
	unsigned incomplete = 0;

	take_options(argc, argv);
	if (opt.secure) {
		watchers.context = dial_tls(opt.ca, opt.certificate, opt.key);
	}
	watchers.token = run.token;
	watchers_init(&watchers, opt.watchers);
	run.told = calloc(opt.watchers, sizeof(*run.told));
	if (run.told == NULL)
		die("out of memory");
	news.target = opt.write_targets.target[0];
	one_write_open(&news, watchers.context);
	open_all();
	for (unsigned i = 0; i < opt.rounds; i++)
		incomplete += !play(i + 1, &rounds[i]);
	report(rounds, incomplete);
	return incomplete == 0 ? 0 : 1;
}
