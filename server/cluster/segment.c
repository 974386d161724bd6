#include "server/cluster/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/batch.h"
#include "server/cluster/raftdir.h"

#define FILE_MAX       (UINT64_C(1) << 30) /* bytes of a segment */
#define META_MAX       (2u << 20)          /* bytes of a snapshot's .meta */
#define META_HEAD      32                  /* u64 format, CRC, index, length */
#define METADATA_SIZE  32                  /* u64 format, version, term, vote */
#define SNAPSHOTS_KEPT 2 /* complete ones raft_uv never removes */

struct scan {
	struct raftdir dir;
	struct batch_crc crc;
	struct segment_report report;
	bool data; /* some entry, or a snapshot, is there */
	struct errmsg *why;
};

/* -- term and vote -------------------------------------------------------- */

struct metadata {
	bool present;     /* readable; else missing or cut short */
	uint64_t version; /* 1 and more: odd in metadata1, even in metadata2 */
	uint64_t term, vote;
};

static enum err
metadata_read(struct scan *scan, unsigned n, struct metadata *out)
{
	const char *name = n == 1 ? "metadata1" : "metadata2";
	uint8_t *data = NULL;
	size_t size = 0;
	enum err rc;

	*out = (struct metadata){0};
	rc = raftdir_read(
	    &scan->dir, name, METADATA_SIZE, &data, &size, scan->why);
	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc == ERR_LIMIT)
		return ERR_CORRUPT; /* the words stand */
	if (rc != OK)
		return rc;
	if (size == METADATA_SIZE) {
		out->present = true;
		out->version = batch_u64(data + 8);
		out->term = batch_u64(data + 16);
		out->vote = batch_u64(data + 24);
		if (batch_u64(data) != BATCH_FORMAT || out->version == 0 ||
		    out->version % 2 != n % 2) {
			rc = err_set(scan->why, ERR_CORRUPT,
			    "%s/%s: format %" PRIu64 ", version %" PRIu64
			    " make no sense",
			    scan->dir.path, name, batch_u64(data),
			    out->version);
		}
	}
	free(data);
	return rc;
}

/*
 * raft_uv writes the two in turn, each synced before the next. So a crash
 * leaves one missing or short only while that one is written for the first
 * time: metadata1 before anything else exists, metadata2 next to version 1.
 */
static enum err
metadata_judge(struct scan *scan)
{
	struct metadata one, two, *newest;
	enum err rc;

	rc = metadata_read(scan, 1, &one);
	if (rc == OK)
		rc = metadata_read(scan, 2, &two);
	if (rc != OK)
		return rc;
	if (!one.present && !two.present) {
		if (!scan->data)
			return OK;
		return err_set(scan->why, ERR_CORRUPT,
		    "%s: term and vote (metadata1, metadata2) are missing or "
		    "cut short beside a log",
		    scan->dir.path);
	}
	if (!one.present || (!two.present && one.version != 1)) {
		return err_set(scan->why, ERR_CORRUPT,
		    "%s/metadata%d is missing or cut short", scan->dir.path,
		    one.present ? 2 : 1);
	}
	newest = two.version > one.version ? &two : &one;
	if (two.present &&
	    ((one.version > two.version ? one.version - two.version
					: two.version - one.version) != 1 ||
		(newest == &two ? two.term < one.term : one.term < two.term))) {
		return err_set(scan->why, ERR_CORRUPT,
		    "%s: metadata1 (version %" PRIu64 ", term %" PRIu64
		    ") and metadata2 (version %" PRIu64 ", term %" PRIu64
		    ") do not follow each other",
		    scan->dir.path, one.version, one.term, two.version,
		    two.term);
	}
	scan->report.metadata = true;
	scan->report.term = newest->term;
	scan->report.vote = newest->vote;
	return OK;
}

/* -- snapshots ------------------------------------------------------------ */

static enum err
snapshot_check(struct scan *scan, const struct raftdir_file *file)
{
	char name[RAFTDIR_NAME_MAX + 8];
	uint8_t *data = NULL;
	size_t size = 0;
	uint32_t crc;
	enum err rc;

	snprintf(name, sizeof(name), "%s.meta", file->name);
	rc = raftdir_read(&scan->dir, name, META_MAX, &data, &size, scan->why);
	if (rc == ERR_LIMIT)
		return ERR_CORRUPT;
	if (rc != OK)
		return rc;
	if (size < META_HEAD || batch_u64(data) != BATCH_FORMAT ||
	    batch_u64(data + 24) != size - META_HEAD) {
		rc = err_set(scan->why, ERR_CORRUPT,
		    "%s/%s: format or length make no sense", scan->dir.path,
		    name);
	} else {
		crc = batch_crc_of(&scan->crc, data + 16, size - 16, 0);
		if (crc != batch_u64(data + 8)) {
			rc = err_set(scan->why, ERR_CORRUPT,
			    "%s/%s: checksum does not match", scan->dir.path,
			    name);
		}
	}
	free(data);
	return rc;
}

/*
 * Written: .meta first, then data. Removed: .meta first, then data, and only
 * while two newer complete ones stay. So .meta alone is a write cut short, and
 * data alone a removal cut short.
 */
static enum err
snapshots_judge(struct scan *scan)
{
	const struct raftdir_list *list = &scan->dir.snapshots;
	unsigned newer = 0;
	enum err rc;

	for (size_t i = list->count; i > 0; i--) {
		const struct raftdir_file *file = &list->files[i - 1];

		if (file->has_meta && file->has_data) {
			rc = snapshot_check(scan, file);
			if (rc != OK)
				return rc;
			if (newer == 0)
				scan->report.snapshot_index = file->key[1];
			newer++;
		} else if (file->has_data && newer < SNAPSHOTS_KEPT) {
			return err_set(scan->why, ERR_CORRUPT,
			    "%s/%s has no .meta file beside it", scan->dir.path,
			    file->name);
		}
	}
	if (newer > 0)
		scan->data = true;
	return OK;
}

/* -- segments ------------------------------------------------------------- */

static enum err
segment_bad(
    struct scan *scan, const char *name, size_t offset, const char *what)
{
	return err_set(scan->why, ERR_CORRUPT, "%s/%s: byte %zu: %s",
	    scan->dir.path, name, offset, what);
}

static enum err
segment_read(struct scan *scan, const char *name, uint8_t **data, size_t *size)
{
	enum err rc;

	rc = raftdir_read(
	    &scan->dir, name, RAFTDIR_FILE_MAX, data, size, scan->why);
	return rc == ERR_LIMIT ? ERR_CORRUPT : rc;
}

/* Every batch checks, and there are as many entries as the name says. */
static enum err
closed_check(struct scan *scan, const struct raftdir_file *file)
{
	uint64_t want = file->key[1] - file->key[0] + 1, entries = 0;
	size_t offset = BATCH_FILE_HEAD, size = 0;
	uint8_t *data = NULL;
	struct batch batch;
	enum err rc;

	rc = segment_read(scan, file->name, &data, &size);
	if (rc != OK)
		return rc;
	if (size < BATCH_FILE_HEAD || batch_u64(data) != BATCH_FORMAT) {
		rc = segment_bad(scan, file->name, 0, "no format number");
		goto out;
	}
	while (offset < size) {
		if (batch_read(&scan->crc, data, size, offset, &batch) !=
		    BATCH_GOOD) {
			rc = segment_bad(scan, file->name, offset, batch.why);
			goto out;
		}
		entries += batch.entries;
		offset += batch.size;
	}
	if (entries != want) {
		rc = err_set(scan->why, ERR_CORRUPT,
		    "%s/%s holds %" PRIu64 " entries, its name says %" PRIu64,
		    scan->dir.path, file->name, entries, want);
	}
out:
	free(data);
	return rc;
}

/* Ranges are ranges, and only a truncation cut short makes two overlap. */
static enum err
closed_names(struct scan *scan)
{
	const struct raftdir_list *list = &scan->dir.closed;

	for (size_t i = 0; i < list->count; i++) {
		const struct raftdir_file *file = &list->files[i];

		if (file->key[0] == 0 || file->key[1] < file->key[0]) {
			return segment_bad(
			    scan, file->name, 0, "no range of indexes");
		}
		if (i > 0 && file->key[0] <= file[-1].key[1] &&
		    !raftdir_superseded(list, i - 1)) {
			return err_set(scan->why, ERR_CORRUPT,
			    "%s: segments %s and %s overlap", scan->dir.path,
			    file[-1].name, file->name);
		}
	}
	return OK;
}

/*
 * The newest run of closed segments without a gap is what raft_uv loads; older
 * ones may be left over from before a snapshot that covers the gap.
 */
static enum err
closed_judge(struct scan *scan, uint64_t *last)
{
	const struct raftdir_list *list = &scan->dir.closed;
	uint64_t first, snapshot = scan->report.snapshot_index;
	size_t i = list->count;
	enum err rc;

	*last = snapshot;
	if (list->count == 0)
		return OK;
	rc = closed_names(scan);
	if (rc != OK)
		return rc;
	*last = list->files[list->count - 1].key[1];
	first = *last + 1;
	while (i > 0 &&
	    (raftdir_superseded(list, i - 1) ||
		list->files[i - 1].key[1] + 1 == first)) {
		i--;
		rc = closed_check(scan, &list->files[i]);
		if (rc != OK)
			return rc;
		first = list->files[i].key[0];
	}
	if (first > snapshot + 1) {
		return err_set(scan->why, ERR_CORRUPT,
		    "%s: no entries from %" PRIu64 " to %" PRIu64
		    ": a closed segment is missing",
		    scan->dir.path,
		    i > 0 && list->files[i - 1].key[1] > snapshot
			? list->files[i - 1].key[1] + 1
			: snapshot + 1,
		    first - 1);
	}
	scan->data = true;
	return OK;
}

/* Of one open segment: its entries, and whether it ends in a torn batch. */
static enum err
open_check(struct scan *scan, const struct raftdir_file *file,
    uint64_t *entries, bool *torn)
{
	size_t offset = BATCH_FILE_HEAD, size = 0, later;
	enum batch_state state;
	uint8_t *data = NULL;
	struct batch batch;
	enum err rc;

	rc = segment_read(scan, file->name, &data, &size);
	if (rc != OK || batch_blank(data, size, 0))
		goto out; /* made ready, never written */
	if (size < BATCH_FILE_HEAD || batch_u64(data) != BATCH_FORMAT) {
		rc = segment_bad(
		    scan, file->name, 0, "data without a format number");
		goto out;
	}
	while (offset < size) {
		state = batch_read(&scan->crc, data, size, offset, &batch);
		if (state == BATCH_END)
			break;
		if (state == BATCH_GOOD) {
			*entries += batch.entries;
			offset += batch.size;
			continue;
		}
		if (batch_find(&scan->crc, data, size, offset + 8, &later)) {
			rc = err_set(scan->why, ERR_CORRUPT,
			    "%s/%s: byte %zu: %s, and a good batch follows at "
			    "byte %zu",
			    scan->dir.path, file->name, offset, batch.why,
			    later);
		}
		*torn = true;
		break;
	}
out:
	free(data);
	return rc;
}

/*
 * raft_uv writes one open segment at a time, in order of their counters: behind
 * a torn one nothing can have been written. It closes them before it stores a
 * snapshot, so what is in them begins behind the snapshot.
 */
static enum err
open_judge(struct scan *scan, uint64_t *last)
{
	const struct raftdir_list *list = &scan->dir.open;
	const char *torn_name = NULL;
	enum err rc;

	for (size_t i = 0; i < list->count; i++) {
		const struct raftdir_file *file = &list->files[i];
		uint64_t entries = 0;
		bool torn = false;

		rc = open_check(scan, file, &entries, &torn);
		if (rc != OK)
			return rc;
		if (torn_name != NULL && (entries > 0 || torn)) {
			return err_set(scan->why, ERR_CORRUPT,
			    "%s/%s ends in a bad batch, and %s behind it was "
			    "written",
			    scan->dir.path, torn_name, file->name);
		}
		if (entries > 0 && *last < scan->report.snapshot_index) {
			return err_set(scan->why, ERR_CORRUPT,
			    "%s/%s goes on from entry %" PRIu64
			    ", before the snapshot at %" PRIu64,
			    scan->dir.path, file->name, *last,
			    scan->report.snapshot_index);
		}
		if (torn)
			torn_name = file->name;
		if (entries > 0)
			scan->data = true;
		*last += entries;
	}
	scan->report.torn = torn_name != NULL;
	return OK;
}

enum err
segment_scan(
    const char *raft_dir, struct segment_report *out, struct errmsg *why)
{
	struct scan scan = {.why = why};
	uint64_t last = 0;
	enum err rc;

	batch_crc_init(&scan.crc);
	rc = raftdir_list(raft_dir, &scan.dir, why);
	if (rc != OK)
		return rc;
	if (scan.dir.corrupt[0] != '\0') {
		rc = err_set(why, ERR_CORRUPT,
		    "%s/%s: a damaged segment was set aside here before",
		    raft_dir, scan.dir.corrupt);
	}
	if (rc == OK)
		rc = snapshots_judge(&scan);
	if (rc == OK)
		rc = closed_judge(&scan, &last);
	if (rc == OK)
		rc = open_judge(&scan, &last);
	if (rc == OK)
		rc = metadata_judge(&scan);
	if (rc == OK) {
		scan.report.last_index = last > scan.report.snapshot_index
		    ? last
		    : scan.report.snapshot_index;
		scan.report.empty = !scan.data && !scan.report.metadata;
		*out = scan.report;
	}
	raftdir_free(&scan.dir);
	return rc;
}
