#include "server/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/duration.h"

#define INTERVAL_MS      10000
#define CACHE_LINE       64
#define NAME_MAX_BYTES   96 /* of a Prometheus name */
#define NUMBER_MAX_BYTES 32

enum kind { GAUGE, COUNTER, TIMER };
enum owner { OURS, CONSUL };

/* Upper bounds of the histogram buckets, ms; above the last is +Inf. */
static const double bounds[] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250,
    500, 1000, 2500, 5000, 10000};

static const struct entry {
	const char *name;
	enum kind kind;
	enum owner owner;
	const char *help;
} entries[METRIC_COUNT] = {
#define ENTRY(id, name, kind, consul, help)                                    \
	[METRIC_##id] = {name, kind, consul, help},
    METRICS(ENTRY)
#undef ENTRY
};

/* One metric's live numbers, alone on its cache lines. */
struct cell {
	alignas(
	    CACHE_LINE) _Atomic double value; /* gauge now, sum since start */
	atomic_bool shown;                    /* gauges: was set once */
	atomic_uint_least64_t count;          /* the running interval */
	_Atomic double sum, squares, low, high;
	atomic_uint_least64_t buckets[ARRAY_SIZE(bounds) + 1]; /* since start */
};

/* A closed interval of one metric. */
struct sample {
	uint64_t count;
	double sum, squares, low, high;
};

static struct cell cells[METRIC_COUNT] = {
#define CELL(id, name, kind, consul, help)                                     \
	[METRIC_##id] = {.low = INFINITY, .high = -INFINITY},
    METRICS(CELL)
#undef CELL
};

/* What metrics_tick closed last, under its lock. */
static struct {
	pthread_mutex_t lock;
	bool running; /* start_ms is set */
	uint64_t start_ms;
	int64_t start_wall; /* seconds: of the running interval */
	int64_t wall;       /* seconds: of the closed one; 0 = none yet */
	struct sample samples[METRIC_COUNT];
} closed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
add(_Atomic double *to, double delta)
{
	double old = atomic_load_explicit(to, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(to, &old, old + delta,
	    memory_order_relaxed, memory_order_relaxed)) {
	}
}

/* Lower *to to value, or raise it if sign is negative. */
static void
bound(_Atomic double *to, double value, double sign)
{
	double old = atomic_load_explicit(to, memory_order_relaxed);

	while (value * sign < old * sign &&
	    !atomic_compare_exchange_weak_explicit(
		to, &old, value, memory_order_relaxed, memory_order_relaxed)) {
	}
}

static void
count(struct cell *cell, double value)
{
	atomic_fetch_add_explicit(&cell->count, 1, memory_order_relaxed);
	add(&cell->sum, value);
	add(&cell->squares, value * value);
	bound(&cell->low, value, 1);
	bound(&cell->high, value, -1);
	add(&cell->value, value);
}

void
metrics_set(enum metric metric, double value)
{
	struct cell *cell = &cells[metric];

	assert(entries[metric].kind == GAUGE);
	atomic_store_explicit(&cell->value, value, memory_order_relaxed);
	atomic_store_explicit(&cell->shown, true, memory_order_relaxed);
}

void
metrics_add(enum metric metric, double delta)
{
	struct cell *cell = &cells[metric];

	assert(entries[metric].kind != TIMER);
	if (entries[metric].kind == COUNTER) {
		assert(delta >= 0);
		count(cell, delta);
		return;
	}
	add(&cell->value, delta);
	atomic_store_explicit(&cell->shown, true, memory_order_relaxed);
}

void
metrics_observe(enum metric metric, double ms)
{
	struct cell *cell = &cells[metric];
	size_t i = 0;

	assert(entries[metric].kind == TIMER);
	while (i < ARRAY_SIZE(bounds) && ms > bounds[i])
		i++;
	atomic_fetch_add_explicit(&cell->buckets[i], 1, memory_order_relaxed);
	count(cell, ms);
}

static void
close_interval(void)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct cell *cell = &cells[i];
		struct sample *sample = &closed.samples[i];

		sample->count = atomic_exchange(&cell->count, 0);
		sample->sum = atomic_exchange(&cell->sum, 0);
		sample->squares = atomic_exchange(&cell->squares, 0);
		sample->low = atomic_exchange(&cell->low, INFINITY);
		sample->high = atomic_exchange(&cell->high, -INFINITY);
	}
}

void
metrics_tick(uint64_t now_ms, int64_t wall_seconds)
{
	bool due;

	pthread_mutex_lock(&closed.lock);
	due = closed.running && now_ms - closed.start_ms >= INTERVAL_MS;
	if (due) {
		close_interval();
		closed.wall = closed.start_wall;
	}
	if (due || !closed.running) {
		closed.running = true;
		closed.start_ms = now_ms;
		closed.start_wall = wall_seconds;
	}
	pthread_mutex_unlock(&closed.lock);
}

/* The shortest text that reads back as the same double. */
static void
number(double value, char out[static NUMBER_MAX_BYTES])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, NUMBER_MAX_BYTES, "%.*g", digits, value);
		if (strtod(out, NULL) == value)
			return;
	}
}

static void
put_field(struct buf *out, const char *name, double value)
{
	char text[NUMBER_MAX_BYTES];

	number(isfinite(value) ? value : 0, text);
	buf_printf(out, "\"%s\":%s,", name, text);
}

static void
put_gauges(struct buf *out)
{
	const char *comma = "";

	buf_puts(out, "\"Gauges\":[");
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		double value = atomic_load(&cells[i].value);

		if (entries[i].kind != GAUGE || !isfinite(value) ||
		    !atomic_load(&cells[i].shown))
			continue;
		buf_printf(
		    out, "%s{\"Name\":\"consul.%s\",", comma, entries[i].name);
		put_field(out, "Value", value);
		buf_puts(out, "\"Labels\":{}}");
		comma = ",";
	}
	buf_puts(out, "],");
}

/* Square root by Newton from above; spares every program a link to libm. */
static double
root(double value)
{
	double guess = value > 1 ? value : 1, next;

	while ((next = (guess + value / guess) / 2) < guess)
		guess = next;
	return guess;
}

static double
deviation(const struct sample *sample)
{
	double n = (double)sample->count;
	double spread = sample->squares - sample->sum * sample->sum / n;

	/* Rounding, or an update between two exchanges, may go below zero. */
	if (sample->count < 2 || !(spread > 0))
		return 0;
	return root(spread / (n - 1));
}

/* The last closed interval; the caller holds its lock. */
static void
put_samples(struct buf *out, const char *list, enum kind kind)
{
	const char *comma = "";

	buf_printf(out, "\"%s\":[", list);
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct sample *sample = &closed.samples[i];

		if (entries[i].kind != kind || sample->count == 0)
			continue;
		buf_printf(
		    out, "%s{\"Name\":\"consul.%s\",", comma, entries[i].name);
		put_field(out, "Count", (double)sample->count);
		put_field(out, "Rate", sample->sum * 1000 / INTERVAL_MS);
		put_field(out, "Sum", sample->sum);
		put_field(out, "Min", sample->low);
		put_field(out, "Max", sample->high);
		put_field(out, "Mean", sample->sum / (double)sample->count);
		put_field(out, "Stddev", deviation(sample));
		buf_puts(out, "\"Labels\":{}}");
		comma = ",";
	}
	buf_puts(out, "]");
}

void
metrics_json(struct buf *out)
{
	char text[DURATION_TEXT];
	struct tm tm;
	time_t wall;

	pthread_mutex_lock(&closed.lock);
	wall = (time_t)closed.wall;
	if (wall == 0)
		wall = (time_t)(time_wall_ms() / 1000);
	if (gmtime_r(&wall, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(text, sizeof(text), "1970-01-01 00:00:00");
	buf_printf(out, "{\"Timestamp\":\"%s +0000 UTC\",", text);
	put_gauges(out);
	buf_puts(out, "\"Points\":[],");
	put_samples(out, "Counters", COUNTER);
	buf_puts(out, ",");
	put_samples(out, "Samples", TIMER);
	buf_puts(out, "}");
	pthread_mutex_unlock(&closed.lock);
}

/* "raft.commitTime" -> "conclave_raft_commit_time"; Consul keeps the case. */
static void
prometheus_name(const char *name, enum owner owner, char out[NAME_MAX_BYTES])
{
	size_t at = (size_t)snprintf(
	    out, NAME_MAX_BYTES, "%s", owner == OURS ? "conclave_" : "consul_");

	for (; *name != '\0' && at + 3 < NAME_MAX_BYTES; name++) {
		bool upper = *name >= 'A' && *name <= 'Z';

		if (upper && owner == OURS) {
			out[at++] = '_';
			out[at++] = (char)(*name - 'A' + 'a');
		} else {
			out[at++] = strchr(".-", *name) ? '_' : *name;
		}
	}
	out[at] = '\0';
}

static void
put_line(struct buf *out, const char *name, const char *suffix, double value)
{
	char text[NUMBER_MAX_BYTES];

	if (isnan(value))
		snprintf(text, sizeof(text), "NaN");
	else if (isinf(value))
		snprintf(text, sizeof(text), "%sInf", value > 0 ? "+" : "-");
	else
		number(value, text);
	buf_printf(out, "%s%s %s\n", name, suffix, text);
}

static void
put_head(struct buf *out, const char *name, const char *suffix,
    const char *type, const char *help)
{
	buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help,
	    name, suffix, type);
}

static void
put_histogram(struct buf *out, const char *name, const struct cell *cell,
    const char *help)
{
	char bucket[64], edge[NUMBER_MAX_BYTES];
	uint64_t below = 0;

	put_head(out, name, "_seconds", "histogram", help);
	for (size_t i = 0; i <= ARRAY_SIZE(bounds); i++) {
		below += atomic_load(&cell->buckets[i]);
		if (i < ARRAY_SIZE(bounds))
			number(bounds[i] / 1000, edge);
		else
			snprintf(edge, sizeof(edge), "+Inf");
		snprintf(
		    bucket, sizeof(bucket), "_seconds_bucket{le=\"%s\"}", edge);
		put_line(out, name, bucket, (double)below);
	}
	put_line(out, name, "_seconds_sum", atomic_load(&cell->value) / 1000);
	put_line(out, name, "_seconds_count", (double)below);
}

static void
put_ours(struct buf *out, const struct entry *entry, const struct cell *cell)
{
	char name[NAME_MAX_BYTES];

	prometheus_name(entry->name, OURS, name);
	switch (entry->kind) {
	case GAUGE:
		put_head(out, name, "", "gauge", entry->help);
		put_line(out, name, "", atomic_load(&cell->value));
		break;
	case COUNTER:
		put_head(out, name, "_total", "counter", entry->help);
		put_line(out, name, "_total", atomic_load(&cell->value));
		break;
	case TIMER:
		put_histogram(out, name, cell, entry->help);
		break;
	}
}

static void
put_consul(struct buf *out, const struct entry *entry, const struct cell *cell)
{
	char name[NAME_MAX_BYTES];
	uint64_t seen = 0;

	prometheus_name(entry->name, CONSUL, name);
	if (entry->kind != TIMER) {
		put_head(out, name, "",
		    entry->kind == GAUGE ? "gauge" : "counter", entry->help);
		put_line(out, name, "", atomic_load(&cell->value));
		return;
	}
	for (size_t i = 0; i <= ARRAY_SIZE(bounds); i++)
		seen += atomic_load(&cell->buckets[i]);
	put_head(out, name, "", "summary", entry->help);
	put_line(out, name, "_sum", atomic_load(&cell->value));
	put_line(out, name, "_count", (double)seen);
}

void
metrics_prometheus(struct buf *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		if (entries[i].kind == GAUGE && !atomic_load(&cells[i].shown))
			continue;
		put_ours(out, &entries[i], &cells[i]);
		if (entries[i].owner == CONSUL)
			put_consul(out, &entries[i], &cells[i]);
	}
}
