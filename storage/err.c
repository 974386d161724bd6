#include "storage/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#undef err_set /* the header's word to the analyzer */

enum err
err_set(struct errmsg *why, enum err code, const char *format, ...)
{
	va_list args;

	if (why == NULL)
		return code;
	va_start(args, format);
	if (vsnprintf(why->text, sizeof(why->text), format, args) < 0)
		why->text[0] = '\0';
	va_end(args);
	return code;
}

const char *
err_text(enum err code)
{
	switch (code) {
	case OK:
		return "ok";
	case ERR_NOMEM:
		return "out of memory";
	case ERR_INVALID:
		return "invalid value";
	case ERR_EXISTS:
		return "already exists";
	case ERR_NOTFOUND:
		return "not found";
	case ERR_LIMIT:
		return "limit reached";
	case ERR_CONFLICT:
		return "conflict";
	case ERR_CORRUPT:
		return "damaged data";
	case ERR_IO:
		return "input/output error";
	case ERR_FULL:
		return "out of space";
	case ERR_BUSY:
		return "busy, try again";
	case ERR_NOTLEADER:
		return "not the leader";
	case ERR_NOLEADER:
		return "no leader";
	case ERR_UNKNOWN:
		return "outcome unknown";
	case ERR_TIMEOUT:
		return "timed out";
	case ERR_CLOSED:
		return "closed";
	case ERR_DENIED:
		return "permission denied";
	case ERR_PROTOCOL:
		return "protocol error";
	case ERR_UNSUPPORTED:
		return "not supported";
	case ERR_INTERNAL:
		return "internal error";
	case ERR_BADSTATE:
		return "not allowed in this state";
	case ERR_REMOVED:
		return "this server was removed from the cluster";
	}
	/* A code from a newer peer; the number travels between servers. */
	return "unknown error";
}

void
err_die(const char *format, ...)
{
	va_list args;

	(void)fputs("conclaved: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	(void)fflush(stderr);
	/* Not abort(): a core file would hold keys. Not exit(): handlers that
	 * run at exit could still store or acknowledge something. */
	_exit(1);
}
