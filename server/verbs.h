/*
 * verbs - what conclaved does besides serving: adopt, reset, examine. They
 * work on a data directory whose server is not running. Main thread.
 */
#ifndef SERVER_VERBS_H
#define SERVER_VERBS_H

/*
 * argv[0] is the verb, then -data-dir DIR. Prints; returns the exit status: 0
 * done, 1 refused (usage, running server, I/O), 2 examine found damage.
 */
int verbs_run(int argc, char **argv);

#endif
