/*
 * log - one line per event on stderr: time, level, subsystem, message, fields.
 *
 * Text: 2026-11-23T10:00:00.123Z [INFO]  raft: became leader: term=4 ...
 * With -log-json one JSON object a line. Values are quoted and escaped, cut at
 * 1 KiB; never a secret: callers pass none. At most 200 lines a second per
 * call site level below ERROR; what was dropped is said once. Any thread.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>

#include "storage/err.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* "trace" "debug" "info" "warn" "error" (any case; "err" too). */
MUST_CHECK bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Process-wide; at start and on reload. */
void log_configure(enum log_level level, bool json);
bool log_enabled(enum log_level level);

/*
 * subsystem: "server", "raft", "http", "connect.ca", "rpc", "snapshot", ...
 * format: message first, then fields as key=%s in the text, for example
 * log_event(LOG_INFO, "raft", "became leader: term=%" PRIu64, term).
 */
void log_event(enum log_level level, const char *subsystem, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

#endif
