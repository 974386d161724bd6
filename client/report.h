/*
 * report - the state of a cluster as one server tells it, and what is wrong.
 *
 * Filled by verb_status, judged and shown here.
 */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "client/conclave.h"

#define REPORT_PROBLEMS_MAX 32
#define REPORT_PROBLEM_SIZE 320
#define REPORT_EXPIRY_DAYS  7 /* an active root with less is a problem */

struct report {
	cJSON *self;   /* agent/self */
	cJSON *health; /* operator/autopilot/health */
	char *leader;  /* "" if none is known */
	struct conclave_roots roots;

	size_t problem_count;
	char problems[REPORT_PROBLEMS_MAX][REPORT_PROBLEM_SIZE];
};

void report_free(struct report *report);

/* Fill in the problems; none means healthy. now: seconds since 1970. */
void report_judge(struct report *report, time_t now);

/* On standard output; false: out of memory. */
bool report_print_table(const struct report *report, time_t now);
bool report_print_json(const struct report *report);

#endif
