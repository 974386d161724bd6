#include "server/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "server/duration.h"
#include "server/utf8.h"

#define MESSAGE_MAX     1024 /* bytes; longer ones are cut */
#define LINE_MAX_BYTES  4096 /* a pipe takes so many in one piece */
#define LINES_A_SECOND  200  /* of one level below ERROR */
#define ESCAPE_MAX      8    /* bytes one input character may turn into */
#define LINE_TAIL_BYTES 8    /* room for the end of the line */

static const struct {
	const char *name, *padded;
} levels[] = {
    [LOG_TRACE] = {"trace", "[TRACE]"},
    [LOG_DEBUG] = {"debug", "[DEBUG]"},
    [LOG_INFO] = {"info", "[INFO] "},
    [LOG_WARN] = {"warn", "[WARN] "},
    [LOG_ERROR] = {"error", "[ERROR]"},
};

static atomic_int least = LOG_INFO;
static atomic_bool as_json;

/* How many lines each level wrote in this second; one log for the process. */
static struct {
	pthread_mutex_t lock;
	struct {
		uint64_t second;
		unsigned lines, dropped;
	} levels[LOG_ERROR];
} budget = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct line {
	size_t size;
	char text[LINE_MAX_BYTES];
};

bool
log_level_parse(const char *text, enum log_level *out)
{
	if (strcasecmp(text, "err") == 0) {
		*out = LOG_ERROR;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcasecmp(text, levels[i].name) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	return levels[level].name;
}

void
log_configure(enum log_level level, bool json)
{
	atomic_store(&least, (int)level);
	atomic_store(&as_json, json);
}

bool
log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&least, memory_order_relaxed);
}

/* May a line be written? *dropped: lines before it to own up to. */
static bool
take_budget(enum log_level level, unsigned *dropped)
{
	uint64_t second = time_mono_ms() / 1000;
	bool granted;

	*dropped = 0;
	if (level >= LOG_ERROR)
		return true;
	pthread_mutex_lock(&budget.lock);
	if (budget.levels[level].second != second) {
		*dropped = budget.levels[level].dropped;
		budget.levels[level].second = second;
		budget.levels[level].lines = 0;
		budget.levels[level].dropped = 0;
	}
	granted = budget.levels[level].lines < LINES_A_SECOND;
	if (granted)
		budget.levels[level].lines++;
	else
		budget.levels[level].dropped++;
	pthread_mutex_unlock(&budget.lock);
	return granted;
}

static void
put(struct line *line, const char *text, size_t size)
{
	if (size > LINE_MAX_BYTES - LINE_TAIL_BYTES - line->size)
		return;
	memcpy(line->text + line->size, text, size);
	line->size += size;
}

static void
put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* The escape of the character of size bytes (0: a bad byte) at p, or "". */
static void
escape(
    const unsigned char *p, size_t size, bool json, char out[static ESCAPE_MAX])
{
	static const char named[] = "\b\t\n\f\r", letters[] = "btnfr";
	const char *name = size == 1 ? strchr(named, *p) : NULL;

	out[0] = '\0';
	if (size == 0 && json)
		snprintf(out, ESCAPE_MAX, "\\ufffd");
	else if (size == 0)
		snprintf(out, ESCAPE_MAX, "\\x%02x", *p);
	else if (name != NULL)
		snprintf(out, ESCAPE_MAX, "\\%c", letters[name - named]);
	else if (size == 1 && (*p < ' ' || *p == 0x7f))
		snprintf(out, ESCAPE_MAX, json ? "\\u%04x" : "\\x%02x", *p);
	else if (size == 1 && json && (*p == '"' || *p == '\\'))
		snprintf(out, ESCAPE_MAX, "\\%c", *p);
	else if (size == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		snprintf(out, ESCAPE_MAX, "\\u%04x", p[1]); /* U+0080.. */
}

/* Terminals and log readers must see one line and no control sequences. */
static void
put_escaped(struct line *line, const char *text, bool json)
{
	size_t left = strlen(text), size;
	char escaped[ESCAPE_MAX];

	while (left > 0) {
		size = utf8_size(text, left);
		escape((const unsigned char *)text, size, json, escaped);
		if (escaped[0] != '\0')
			put_text(line, escaped);
		else
			put(line, text, size);
		size = size == 0 ? 1 : size;
		text += size;
		left -= size;
	}
}

static void
put_time(struct line *line)
{
	struct timespec now;
	char text[DURATION_TEXT], ms[8];

	clock_gettime(CLOCK_REALTIME, &now);
	time_format(now.tv_sec, text);
	text[strlen(text) - 1] = '\0'; /* the Z comes after the fraction */
	snprintf(ms, sizeof(ms), ".%03dZ", (int)(now.tv_nsec / 1000000));
	put_text(line, text);
	put_text(line, ms);
}

/* One write for the whole line, so that threads and processes do not mix. */
static void
write_line(const struct line *line)
{
	size_t done = 0;
	ssize_t n;

	while (done < line->size) {
		n = write(STDERR_FILENO, line->text + done, line->size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody reads: the server goes on */
		done += (size_t)n;
	}
}

static void
emit(enum log_level level, const char *subsystem, const char *message)
{
	bool json = atomic_load_explicit(&as_json, memory_order_relaxed);
	struct line line;

	line.size = 0;
	if (json) {
		put_text(&line, "{\"@timestamp\":\"");
		put_time(&line);
		put_text(&line, "\",\"@level\":\"");
		put_text(&line, levels[level].name);
		put_text(&line, "\",\"@module\":\"");
		put_escaped(&line, subsystem, true);
		put_text(&line, "\",\"@message\":\"");
		put_escaped(&line, message, true);
	} else {
		put_time(&line);
		put_text(&line, " ");
		put_text(&line, levels[level].padded);
		put_text(&line, " ");
		put_escaped(&line, subsystem, false);
		put_text(&line, ": ");
		put_escaped(&line, message, false);
	}
	/* The room that put() keeps free. */
	line.size += (size_t)snprintf(line.text + line.size, LINE_TAIL_BYTES,
	    "%s", json ? "\"}\n" : "\n");
	write_line(&line);
}

void
log_event(enum log_level level, const char *subsystem, const char *format, ...)
{
	char message[MESSAGE_MAX + sizeof("...")] = "";
	int size, saved = errno;
	unsigned dropped;
	va_list args;

	if (!log_enabled(level) || !take_budget(level, &dropped))
		return;
	if (dropped > 0) {
		snprintf(message, sizeof(message),
		    "too many lines, dropped: level=%s count=%u",
		    levels[level].name, dropped);
		emit(level, "log", message);
	}
	va_start(args, format);
	size = vsnprintf(message, MESSAGE_MAX + 1, format, args);
	va_end(args);
	if (size > MESSAGE_MAX)
		memcpy(message + MESSAGE_MAX, "...", sizeof("..."));
	emit(level, subsystem, message);
	errno = saved; /* a caller may log before it looks */
}
