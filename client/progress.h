/*
 * progress - a line that says a long wait is still one, on a terminal only.
 *
 * A thread of its own writes "waiting for ADDR, 3 s" over itself once a second
 * from the first full second on, and wipes it at the end.
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

struct progress;

/* whom: borrowed until the end. NULL if standard error is no terminal, or the
 * thread cannot be had: nothing is shown then. */
struct progress *progress_begin(const char *whom);
/* NULL is allowed. */
void progress_end(struct progress *progress);

#endif
