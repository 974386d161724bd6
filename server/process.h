/*
 * process - what a daemon asks of its operating system. Main thread.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "storage/err.h"

/*
 * No core files, not dumpable (keys are in memory); file limit raised to the
 * hard one; SIGPIPE ignored; umask 077.
 */
void process_harden(void);

/* Open files this process may have now. */
unsigned process_file_limit(void);

/*
 * Tell systemd, as sd_notify(3) does: "READY=1", "RELOADING=1", "STOPPING=1",
 * "STATUS=...". Without NOTIFY_SOCKET nothing happens.
 */
void process_notify(const char *state);

#endif
