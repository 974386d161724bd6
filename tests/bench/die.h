/*
 * die - what the load generators share in small: an end with a sentence, a
 * clock, numbers from the command line, and what /proc knows of a server.
 */
#ifndef TESTS_BENCH_DIE_H
#define TESTS_BENCH_DIE_H

#include <stddef.h>
#include <stdint.h>

#define PIDS_MAX 64

struct pids {
	int pid[PIDS_MAX];
	size_t count;
};

/* One line on standard error, exit status 2. */
__attribute__((noreturn, format(printf, 1, 2))) void die(
    const char *format, ...);

uint64_t now_ns(void); /* monotonic */
/* A whole number, or an end that names the option. */
unsigned parse_count(char option, const char *text);
double parse_number(char option, const char *text);
/* Process ids, comma separated. */
struct pids parse_pids(const char *text);

/* Seconds of CPU the processes have used; one that is gone counts nothing. */
double pids_cpu(const struct pids *pids);
/* Their resident memory, KiB. */
long pids_rss_kb(const struct pids *pids);
double own_cpu(void); /* seconds */

/* Allow as many open files, or say how many are possible. */
void raise_open_files(size_t count);

#endif
