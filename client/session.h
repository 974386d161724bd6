/*
 * session - the client a verb talks through, made of flags and environment.
 *
 * A call that takes longer than a second shows a line with the seconds on
 * standard error, if that is a terminal; it is gone when the call ends.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/cli.h"

/* CLI_GOOD, or CLI_ERROR and why is said. */
int session_open(struct cli *cli);
void session_close(struct cli *cli);

/*
 * One call and its check, in one. On OK the caller frees the answer; on error
 * there is none. timeout_ms 0: the default.
 */
enum conclave_err session_call(struct cli *cli,
    const struct conclave_request *request, struct conclave_answer *answer,
    struct conclave_error *error);

/* The read mode the flags ask for. */
enum conclave_mode session_mode(const struct cli *cli);

/*
 * A whole file, or standard input for "-", of at most 8 MiB: NUL behind it,
 * the caller frees it with session_drop. NULL: errno says why, EFBIG for a
 * larger one, EILSEQ for one with a NUL in it.
 */
char *session_file(const char *path);
/* Wipe and free. NULL is allowed. */
void session_drop(char *text);

#endif
