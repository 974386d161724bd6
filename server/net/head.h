/*
 * head - the raw head of a request, looked over byte by byte before any parser
 * believes it; private to server/net. [fuzz, through http]
 *
 * Two steps. head_scan finds the end of the head while it arrives and refuses
 * at the first bad byte: bare LF or CR, folded lines, control characters.
 * head_judge reads the whole head: request line, header names, and everything
 * that says where the body ends. Whatever two readers could take in two ways is
 * refused (RFC 9112, sections 2.2, 3, 5.1, 5.2, 6.3). Pure.
 */
#ifndef SERVER_NET_HEAD_H
#define SERVER_NET_HEAD_H

#include "server/net/http.h"

#define HEAD_LINE_MAX 8192 /* bytes in the request line */

/* Where looking goes on; all zero at the start. */
struct head_scan {
	uint32_t at;    /* next byte to look at */
	uint32_t line;  /* begin of the line it is in */
	uint32_t lines; /* whole ones before it */
};

enum head_progress { HEAD_MORE, HEAD_WHOLE, HEAD_BAD };

/* data begins with the head; size grows from call to call. With HEAD_WHOLE,
 * scan->at is the head's size, its empty line included. */
enum head_progress head_scan(struct head_scan *scan, const uint8_t *data,
    size_t size, int *status, struct errmsg *why);

/* What a whole head says. */
struct head {
	enum http_method method;
	uint32_t method_size; /* the method is the head's first bytes */
	uint32_t path, path_size;
	uint32_t query, query_size;
	uint32_t header_count;
	uint64_t length; /* of the body; 0 with chunked */
	bool chunked;
	bool keep_alive;
	bool is_http10;
	bool accepts_gzip;
	bool expects_continue;
};

/* false: answer *status with why.text. size counts the empty line. */
bool head_judge(const uint8_t *data, size_t size, struct head *head,
    int *status, struct errmsg *why);

/* RFC 9110, 5.6.2. */
bool head_is_token(uint8_t c);

#endif
