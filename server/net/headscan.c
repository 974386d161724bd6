#include <string.h>

#include "server/net/head.h"

#define TLS_RECORD_BYTE 0x16

static enum head_progress
refuse_scan(int *status, int code)
{
	*status = code;
	return HEAD_BAD;
}

/* A control character other than the ends of lines. */
static enum head_progress
refuse_control(
    const struct head_scan *scan, uint8_t c, int *status, struct errmsg *why)
{
	if (scan->lines == 0 && scan->at == 0 && c == TLS_RECORD_BYTE) {
		(void)err_set(why, ERR_INVALID,
		    "this port speaks plain HTTP, the client began TLS");
	} else if (scan->lines == 0) {
		(void)err_set(why, ERR_INVALID,
		    "control character 0x%02x in the request line", c);
	} else {
		(void)err_set(why, ERR_INVALID,
		    "control character 0x%02x in header line %u", c,
		    scan->lines);
	}
	return refuse_scan(status, 400);
}

/* A line ended at data[scan->at]. */
static enum head_progress
end_line(struct head_scan *scan, const uint8_t *data, int *status,
    struct errmsg *why)
{
	size_t size = scan->at - scan->line;

	if (size == 0 || data[scan->at - 1] != '\r') {
		(void)err_set(why, ERR_INVALID,
		    "bare LF: lines of a request head end with CR LF");
		return refuse_scan(status, 400);
	}
	scan->at++;
	if (size == 1) {
		if (scan->lines > 0)
			return HEAD_WHOLE;
		(void)err_set(why, ERR_INVALID, "empty request line");
		return refuse_scan(status, 400);
	}
	if (scan->lines > HTTP_HEADERS_MAX) {
		(void)err_set(why, ERR_LIMIT,
		    "request has more than %d headers", HTTP_HEADERS_MAX);
		return refuse_scan(status, 431);
	}
	scan->lines++;
	scan->line = scan->at;
	return HEAD_MORE;
}

enum head_progress
head_scan(struct head_scan *scan, const uint8_t *data, size_t size, int *status,
    struct errmsg *why)
{
	size_t end = size < HTTP_HEAD_MAX ? size : HTTP_HEAD_MAX;
	enum head_progress rc;

	while (scan->at < end) {
		uint8_t c = data[scan->at];

		if (scan->at == scan->line && (c == ' ' || c == '\t')) {
			(void)err_set(why, ERR_INVALID,
			    scan->lines == 0
				? "blank before the request line"
				: "folded header: a line begins with a blank");
			return refuse_scan(status, 400);
		}
		if (c == '\n') {
			rc = end_line(scan, data, status, why);
			if (rc != HEAD_MORE)
				return rc;
			continue;
		}
		if (scan->at > scan->line && data[scan->at - 1] == '\r') {
			(void)err_set(why, ERR_INVALID,
			    "bare CR: lines of a request head end with CR LF");
			return refuse_scan(status, 400);
		}
		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return refuse_control(scan, c, status, why);
		scan->at++;
	}
	if (size < HTTP_HEAD_MAX)
		return HEAD_MORE;
	(void)err_set(
	    why, ERR_LIMIT, "request head is over %d bytes", HTTP_HEAD_MAX);
	return refuse_scan(status, 431);
}
