#include "tests/bench/die.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

double
parse_number(char option, const char *text)
{
	char *end;
	double value;

	value = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(value) || value < 0)
		die("-%c wants a number, not %s", option, text);
	return value;
}

unsigned
parse_count(char option, const char *text)
{
	double value = parse_number(option, text);

	if (value > 1e9 || value != floor(value))
		die("-%c wants a whole number, not %s", option, text);
	return (unsigned)value;
}

struct pids
parse_pids(const char *text)
{
	struct pids pids = {.count = 0};
	char *end;

	while (*text != '\0' && pids.count < PIDS_MAX) {
		pids.pid[pids.count++] = (int)strtol(text, &end, 10);
		if (end == text || (*end != ',' && *end != '\0'))
			die("-P wants process ids, not %s", text);
		text = *end == ',' ? end + 1 : end;
	}
	return pids;
}

/* One file of /proc/<pid> as text; empty when the process is gone. */
static void
read_proc(int pid, const char *name, char *out, size_t room)
{
	char path[64];
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (file != NULL) {
		n = fread(out, 1, room - 1, file);
		fclose(file);
	}
	out[n] = '\0';
}

double
pids_cpu(const struct pids *pids)
{
	unsigned long user, kernel, ticks = 0;
	char text[1024], *at;

	for (size_t i = 0; i < pids->count; i++) {
		read_proc(pids->pid[i], "stat", text, sizeof(text));
		at = strrchr(text, ')'); /* the name may hold anything */
		if (at != NULL &&
		    sscanf(at + 2,
			"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			&user, &kernel) == 2)
			ticks += user + kernel;
	}
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

long
pids_rss_kb(const struct pids *pids)
{
	char text[4096], *at;
	long sum = 0;

	for (size_t i = 0; i < pids->count; i++) {
		read_proc(pids->pid[i], "status", text, sizeof(text));
		at = strstr(text, "VmRSS:");
		if (at != NULL)
			sum += strtol(at + strlen("VmRSS:"), NULL, 10);
	}
	return sum;
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

double
own_cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void
raise_open_files(size_t count)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= count)
		return;
	limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < count) {
		fprintf(stderr, "note: only %llu open files are allowed\n",
		    (unsigned long long)limit.rlim_max);
	}
}
