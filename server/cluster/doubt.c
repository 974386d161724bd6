#include "server/cluster/doubt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cluster/segment.h"
#include "storage/file.h"

#define PATH_SIZE 4096

enum err
doubt_check(const char *raft_dir, const struct identity *identity,
    const struct ballot *ballot, uint64_t applied, struct errmsg *why)
{
	struct segment_report report;
	enum err rc = segment_scan(raft_dir, &report, why);

	if (rc != OK)
		return rc;
	if (identity->bootstrapped && report.empty)
		return err_set(why, ERR_CORRUPT,
		    "%s is empty, but this server was a member", raft_dir);
	if (!report.metadata && ballot->term > 0 && !report.empty)
		return err_set(why, ERR_CORRUPT,
		    "%s has no term and vote, the ballot has term %" PRIu64,
		    raft_dir, ballot->term);
	if (report.metadata) {
		rc = ballot_judge(ballot, report.term, report.vote, why);
		if (rc != OK)
			return rc;
	}
	if (applied > report.last_index && applied > report.snapshot_index)
		return err_set(why, ERR_CORRUPT,
		    "the log ends at %" PRIu64 ", below index %" PRIu64
		    " that the state holds",
		    report.last_index, applied);
	return segment_mend(raft_dir, why);
}

bool
doubt_forgot(uint64_t acked_term, uint64_t acked_index, uint64_t term,
    uint64_t last_index)
{
	if (acked_index == 0)
		return false;
	return term < acked_term ||
	    (term == acked_term && last_index < acked_index);
}

static void
mark_path(const char *data_dir, char path[static PATH_SIZE])
{
	(void)snprintf(path, PATH_SIZE, "%s/doubt", data_dir);
}

enum err
doubt_mark(const char *data_dir, const char *words, struct errmsg *why)
{
	char path[PATH_SIZE];

	mark_path(data_dir, path);
	return file_write(path, words, strlen(words), why);
}

enum err
doubt_marked(const char *data_dir, struct errmsg *words)
{
	struct buf content = buf_new(ERRMSG_SIZE);
	char path[PATH_SIZE];
	enum err rc;

	mark_path(data_dir, path);
	rc = file_read(path, &content, words);
	if (rc == OK)
		(void)err_set(words, OK, "%.*s", (int)content.size,
		    (const char *)content.data);
	buf_free(&content);
	return rc;
}

void
doubt_clear(const char *data_dir)
{
	char path[PATH_SIZE];

	mark_path(data_dir, path);
	(void)unlink(path);
}
