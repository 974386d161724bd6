#include "server/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum err
thread_start(pthread_t *out, const char *name, void *(*body)(void *arg),
    void *arg, struct errmsg *why)
{
	static const int faults[] = {
	    SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	char cut[THREAD_NAME_MAX + 1];
	sigset_t blocked, before;
	int failed;

	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&blocked, faults[i]);
	/* Inherited at birth: blocking inside would leave a moment open. */
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	failed = pthread_create(out, NULL, body, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		return err_set(why, ERR_LIMIT, "cannot start thread %s: %s",
		    name, strerror(failed));
	}
	snprintf(cut, sizeof(cut), "%s", name);
	pthread_setname_np(*out, cut);
	return OK;
}
