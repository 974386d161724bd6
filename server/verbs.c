#include "server/verbs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/cluster/ballot.h"
#include "server/cluster/doubt.h"
#include "server/cluster/identity.h"
#include "server/cluster/segment.h"
#include "server/cluster/snapcheck.h"
#include "storage/err.h"

#define PATH_SIZE 4096

static int
usage(FILE *out, int status)
{
	(void)fputs("Usage: conclaved [options]              run a server "
		    "(-help lists them)\n"
		    "       conclaved adopt -data-dir DIR    this machine is "
		    "the directory's rightful home\n"
		    "       conclaved examine -data-dir DIR  look a stopped "
		    "server's log over, explain the options\n"
		    "       conclaved reset -data-dir DIR    set all of a "
		    "stopped server's data aside and start empty\n",
	    out);
	return status;
}

static int
adopt(const char *dir)
{
	struct errmsg why;

	if (identity_adopt(dir, &why) != OK) {
		(void)fprintf(stderr, "conclaved: %s\n", why.text);
		return 1;
	}
	printf("%s now belongs to this machine. Make sure that no copy of it "
	       "runs anywhere else.\n",
	    dir);
	return 0;
}

static const char options[] =
    "Options:\n"
    "  - In a cluster: start it with retry_join set. It comes back as a fresh\n"
    "    member under a new id and is refilled; the old files are kept under\n"
    "    damaged-<n>/.\n"
    "  - Alone: restore the data directory from a backup of the disk, or "
    "start\n"
    "    empty with `conclaved reset` (a new certificate authority).\n"
    "  - Nothing here deletes anything.\n";

/* What the ballot and a running server's own doubt say of the log. */
static enum err
examine_beside(
    const char *dir, const struct segment_report *report, struct errmsg *why)
{
	struct ballot ballot;
	char path[PATH_SIZE];
	enum err rc;

	rc = doubt_marked(dir, why);
	if (rc != ERR_NOTFOUND)
		return rc == OK ? ERR_CORRUPT : rc;
	(void)snprintf(path, sizeof(path), "%s/ballot", dir);
	if (access(path, F_OK) != 0)
		return report->empty ? OK
				     : err_set(why, ERR_CORRUPT, "%s: %s", path,
					   strerror(errno));
	rc = ballot_open(dir, &ballot, why);
	if (rc != OK)
		return rc;
	if (report->metadata)
		rc = ballot_judge(&ballot, report->term, report->vote, why);
	else if (ballot.term > 0)
		rc = err_set(why, ERR_CORRUPT,
		    "the ballot has term %llu, and there is no log",
		    (unsigned long long)ballot.term);
	ballot_close(&ballot);
	return rc;
}

static int
examine(const char *dir)
{
	struct segment_report report;
	char path[PATH_SIZE];
	struct errmsg why;

	(void)snprintf(path, sizeof(path), "%s/raft", dir);
	if (segment_scan(path, &report, &why) != OK ||
	    snapcheck(path, &why) != OK ||
	    examine_beside(dir, &report, &why) != OK) {
		printf("%s: damaged: %s\n\n%s", path, why.text, options);
		return 2;
	}
	printf("%s: nothing contradicts itself\n"
	       "  term %llu, last index %llu, snapshot index %llu%s\n",
	    path, (unsigned long long)report.term,
	    (unsigned long long)report.last_index,
	    (unsigned long long)report.snapshot_index,
	    report.torn ? ", a torn last write (harmless)" : "");
	return 0;
}

/* Everything but the lock moves to reset-<time>/: nothing is deleted. */
static int
set_aside(const char *dir)
{
	static const char *const names[] = {
	    "identity", "promise", "ballot", "doubt", "raft", "state"};
	char from[PATH_SIZE], to[PATH_SIZE], aside[PATH_SIZE / 2];

	(void)snprintf(
	    aside, sizeof(aside), "%s/reset-%lld", dir, (long long)time(NULL));
	if (mkdir(aside, 0700) != 0) {
		(void)fprintf(
		    stderr, "conclaved: %s: %s\n", aside, strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(from, sizeof(from), "%s/%s", dir, names[i]);
		(void)snprintf(to, sizeof(to), "%s/%s", aside, names[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			(void)fprintf(stderr, "conclaved: %s: %s\n", from,
			    strerror(errno));
			return 1;
		}
	}
	printf("%s is empty now; the old data is in %s\n", dir, aside);
	return 0;
}

static int
reset(const char *dir)
{
	struct identity identity;
	struct errmsg why;
	int lock, status;
	enum err rc;

	/* Opening proves that no server runs on it, whoever owned it. */
	rc = identity_open(dir, &identity, &lock, &why);
	if (rc == ERR_EXISTS) {
		(void)fprintf(stderr, "conclaved: %s\n", why.text);
		return 1;
	}
	status = set_aside(dir);
	if (rc == OK) {
		identity_free(&identity);
		(void)close(lock);
	}
	return status;
}

int
verbs_run(int argc, char **argv)
{
	const char *verb = argv[0], *flag, *dir;
	bool known = strcmp(verb, "adopt") == 0 ||
	    strcmp(verb, "examine") == 0 || strcmp(verb, "reset") == 0;

	if (strcmp(verb, "help") == 0)
		return usage(stdout, 0);
	if (!known || argc != 3)
		return usage(stderr, 1);
	flag = argv[1][0] == '-' && argv[1][1] == '-' ? argv[1] + 1 : argv[1];
	dir = argv[2];
	if (strcmp(flag, "-data-dir") != 0)
		return usage(stderr, 1);
	if (strcmp(verb, "adopt") == 0)
		return adopt(dir);
	return strcmp(verb, "examine") == 0 ? examine(dir) : reset(dir);
}
