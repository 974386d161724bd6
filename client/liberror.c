#include "client/liberror.h"

#include <stdarg.h>
#include <stdio.h>

/* What comes from a server must not drive the terminal it is shown on. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f)
			*text = ' ';
	}
}

enum conclave_err
liberror_set(struct conclave_error *error, enum conclave_err code,
    const char *format, ...)
{
	va_list args;

	if (error == NULL)
		return code;
	error->code = code;
	error->status = 0;
	va_start(args, format);
	if (vsnprintf(error->text, sizeof(error->text), format, args) < 0)
		error->text[0] = '\0';
	va_end(args);
	make_printable(error->text);
	return code;
}

enum conclave_err
liberror_nomem(struct conclave_error *error)
{
	return liberror_set(error, CONCLAVE_NOMEM, "out of memory");
}

const char *
conclave_err_text(enum conclave_err code)
{
	static const char *const texts[] = {
	    [CONCLAVE_OK] = "no error",
	    [CONCLAVE_INVALID] = "invalid argument",
	    [CONCLAVE_NOMEM] = "out of memory",
	    [CONCLAVE_UNREACHABLE] = "no server can be reached",
	    [CONCLAVE_TLS] = "no server can be trusted",
	    [CONCLAVE_TIMEOUT] = "timed out",
	    [CONCLAVE_UNKNOWN] = "the outcome is unknown",
	    [CONCLAVE_CANCELED] = "canceled",
	    [CONCLAVE_MALFORMED] = "the answer cannot be understood",
	    [CONCLAVE_DENIED] = "permission denied",
	    [CONCLAVE_NOTFOUND] = "not found",
	    [CONCLAVE_CONFLICT] = "somebody else changed it first",
	    [CONCLAVE_BUSY] = "the server is busy",
	    [CONCLAVE_NOLEADER] = "the cluster has no leader",
	    [CONCLAVE_REFUSED] = "the server refused",
	};

	if ((size_t)code >= LIB_COUNT(texts))
		return "unknown error";
	return texts[code];
}

const char *
conclave_version(void)
{
	return VERSION;
}
