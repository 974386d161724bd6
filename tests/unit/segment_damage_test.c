/*
 * Goal: each damage to libraft's files is told from a torn tail, and named
 * (hazard 4).
 * Method: a table of damages, each done to a copy of a directory that a real
 * single-voter libraft left when it was killed.
 */
#include "server/cluster/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "server/cluster/batch.h"
#include "server/cluster/raftdir.h"
#include "storage/buf.h"
#include "storage/file.h"
#include "tests/support/solo.h"
#include "tests/support/test.h"

#define SEGMENT (64 * 1024)

static const struct solo small = {
    .entries = 1000,
    .entry_size = 256,
    .in_flight = 8,
    .segment_size = SEGMENT,
    .trailing = 100,
};

static char *
path_of(const char *dir, const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static void
copy_dir(const char *from, const char *to)
{
	struct dirent *entry;
	DIR *stream = opendir(from);

	assert_non_null(stream);
	while ((entry = readdir(stream)) != NULL) {
		char *a = path_of(from, entry->d_name);
		char *b = path_of(to, entry->d_name);
		struct buf bytes = buf_new(64 << 20);

		if (entry->d_name[0] != '.') {
			assert_int_equal(file_read(a, &bytes, NULL), OK);
			assert_int_equal(
			    file_write(b, bytes.data, bytes.size, NULL), OK);
		}
		buf_free(&bytes);
		free(a);
		free(b);
	}
	closedir(stream);
}

struct site {
	char *dir;
	struct raftdir list;
};

/* The first open segment with data, in memory. */
static const struct raftdir_file *
open_file(const struct site *site, uint8_t **data, size_t *size)
{
	for (size_t i = 0; i < site->list.open.count; i++) {
		const struct raftdir_file *file = &site->list.open.files[i];

		assert_int_equal(raftdir_read(&site->list, file->name, SIZE_MAX,
				     data, size, NULL),
		    OK);
		if (!batch_blank(*data, *size, 0))
			return file;
		free(*data);
	}
	fail_msg("no open segment with data");
	return NULL;
}

static void
overwrite(const struct site *site, const char *name, off_t at,
    const void *bytes, size_t size)
{
	char *path = path_of(site->dir, name);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
	free(path);
}

static void
flip(const struct site *site, const char *name, size_t at)
{
	char *path = path_of(site->dir, name);
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x04;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
	free(path);
}

/* Offsets of the batches of an open segment, the last one's in *last. */
static size_t
batches(const uint8_t *data, size_t size, size_t *last)
{
	struct batch_crc crc;
	struct batch batch;
	size_t offset = BATCH_FILE_HEAD, count = 0;

	batch_crc_init(&crc);
	while (batch_read(&crc, data, size, offset, &batch) == BATCH_GOOD) {
		*last = offset;
		offset += batch.size;
		count++;
	}
	return count;
}

static void
flip_open(const struct site *site, bool in_last, size_t inside)
{
	uint8_t *data = NULL;
	size_t size = 0, last = 0;
	const struct raftdir_file *file = open_file(site, &data, &size);

	assert_true(batches(data, size, &last) > 3);
	flip(site, file->name, (in_last ? last : BATCH_FILE_HEAD) + inside);
	free(data);
}

static void
flip_middle_header(const struct site *site)
{
	flip_open(site, false, 8);
}

static void
flip_middle_data(const struct site *site)
{
	flip_open(site, false, 60);
}

static void
flip_last_header(const struct site *site)
{
	flip_open(site, true, 8);
}

static void
flip_last_data(const struct site *site)
{
	flip_open(site, true, 60);
}

static void
zero_head(const struct site *site)
{
	static const uint8_t zeros[512];
	uint8_t *data = NULL;
	size_t size = 0;
	const struct raftdir_file *file = open_file(site, &data, &size);

	overwrite(site, file->name, 0, zeros, sizeof(zeros));
	free(data);
}

/* Something stands in the segment that was to be written next. */
static void
write_behind_torn(const struct site *site)
{
	const struct raftdir_list *open = &site->list.open;
	uint8_t *data = NULL;
	size_t size = 0, last = 0;
	const struct raftdir_file *file = open_file(site, &data, &size);

	assert_true(batches(data, size, &last) > 3);
	assert_true(file < &open->files[open->count - 1]);
	flip(site, file->name, last + 60);
	overwrite(site, file[1].name, 0, data, last);
	free(data);
}

static void
flip_closed(const struct site *site)
{
	flip(site, site->list.closed.files[1].name, 5000);
}

static void
flip_closed_format(const struct site *site)
{
	flip(site, site->list.closed.files[0].name, 0);
}

static void
remove_name(const struct site *site, const char *name)
{
	char *path = path_of(site->dir, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
remove_middle_closed(const struct site *site)
{
	remove_name(site, site->list.closed.files[1].name);
}

static void
remove_first_closed(const struct site *site)
{
	remove_name(site, site->list.closed.files[0].name);
}

static void
shorten_closed(const struct site *site)
{
	char *path = path_of(site->dir, site->list.closed.files[1].name);

	assert_int_equal(truncate(path, 5000), 0);
	free(path);
}

static void
overlap_closed(const struct site *site)
{
	const struct raftdir_file *file = &site->list.closed.files[1];
	char *from = path_of(site->dir, file->name), *to, name[64];

	snprintf(name, sizeof(name), "%016llu-%016llu",
	    (unsigned long long)file->key[0] + 1,
	    (unsigned long long)file->key[1]);
	to = path_of(site->dir, name);
	assert_int_equal(link(from, to), 0);
	free(from);
	free(to);
}

static void
add_corrupt(const struct site *site)
{
	char *path = path_of(site->dir, "corrupt-1700000000-open-3");

	assert_int_equal(file_write(path, "x", 1, NULL), OK);
	free(path);
}

static void
rot_metadata(const struct site *site, const char *name, bool remove)
{
	char *path = path_of(site->dir, name);

	assert_int_equal(remove ? unlink(path) : truncate(path, 20), 0);
	free(path);
}

static void
shorten_metadata1(const struct site *site)
{
	rot_metadata(site, "metadata1", false);
}

static void
remove_metadata1(const struct site *site)
{
	rot_metadata(site, "metadata1", true);
}

static void
remove_metadata2(const struct site *site)
{
	rot_metadata(site, "metadata2", true);
}

static void
remove_both_metadata(const struct site *site)
{
	rot_metadata(site, "metadata1", true);
	rot_metadata(site, "metadata2", true);
}

static void
flip_metadata_version(const struct site *site)
{
	flip(site, "metadata1", 8);
}

static void
newest_snapshot(const struct site *site, const char *suffix, char out[256])
{
	const struct raftdir_list *list = &site->list.snapshots;

	assert_true(list->count > 0);
	snprintf(out, 256, "%s%s", list->files[list->count - 1].name, suffix);
}

static void
remove_snapshot_meta(const struct site *site)
{
	char name[256];

	newest_snapshot(site, ".meta", name);
	remove_name(site, name);
}

static void
flip_snapshot_meta(const struct site *site)
{
	char name[256];

	newest_snapshot(site, ".meta", name);
	flip(site, name, 40);
}

static void
nothing(const struct site *site)
{
	(void)site;
}

/* As a crash right between the two files of a new snapshot leaves it. */
static void
add_lone_meta(const struct site *site)
{
	char *path = path_of(site->dir, "snapshot-9-99999-1.meta");

	assert_int_equal(file_write(path, "x", 1, NULL), OK);
	free(path);
}

/* As a crash right between the two removals of an old one leaves it. */
static void
add_old_data(const struct site *site)
{
	char *path = path_of(site->dir, "snapshot-1-2-1");

	assert_int_equal(file_write(path, "x", 1, NULL), OK);
	free(path);
}

static const struct {
	const char *name;
	bool snapshots; /* done to the directory that has them */
	void (*act)(const struct site *site);
	enum err want;
	bool torn;
	const char *words; /* of the refusal */
} damages[] = {
    {"none", false, nothing, OK, false, ""},
    {"none, snapshots", true, nothing, OK, false, ""},
    {"header in the middle of an open segment", false, flip_middle_header,
	ERR_CORRUPT, false, "a good batch follows at byte"},
    {"data in the middle of an open segment", false, flip_middle_data,
	ERR_CORRUPT, false, "data checksum does not match, and a good"},
    {"header of the last batch", false, flip_last_header, OK, true, ""},
    {"data of the last batch", false, flip_last_data, OK, true, ""},
    {"start of an open segment zeroed", false, zero_head, ERR_CORRUPT, false,
	"data without a format number"},
    {"data behind a torn segment", false, write_behind_torn, ERR_CORRUPT, false,
	"behind it was written"},
    {"closed segment", false, flip_closed, ERR_CORRUPT, false, "byte"},
    {"closed segment's format", false, flip_closed_format, ERR_CORRUPT, false,
	"no format number"},
    {"closed segment in the middle gone", false, remove_middle_closed,
	ERR_CORRUPT, false, "a closed segment is missing"},
    {"first closed segment gone", false, remove_first_closed, ERR_CORRUPT,
	false, "no entries from 1 to"},
    {"closed segment cut short", false, shorten_closed, ERR_CORRUPT, false,
	"cut short"},
    {"overlapping closed segments", false, overlap_closed, ERR_CORRUPT, false,
	"overlap"},
    {"corrupt-* file", false, add_corrupt, ERR_CORRUPT, false,
	"corrupt-1700000000-open-3"},
    {"metadata1 short", false, shorten_metadata1, ERR_CORRUPT, false,
	"metadata1 is missing or cut"},
    {"metadata1 gone", false, remove_metadata1, ERR_CORRUPT, false,
	"metadata1"},
    {"metadata2 gone", false, remove_metadata2, ERR_CORRUPT, false,
	"metadata2"},
    {"both gone", false, remove_both_metadata, ERR_CORRUPT, false,
	"term and vote"},
    {"version flipped", false, flip_metadata_version, ERR_CORRUPT, false,
	"metadata1"},
    {"snapshot's meta gone", true, remove_snapshot_meta, ERR_CORRUPT, false,
	"no .meta file"},
    {"snapshot's meta", true, flip_snapshot_meta, ERR_CORRUPT, false,
	"checksum does not match"},
    {"meta alone", true, add_lone_meta, OK, false, ""},
    {"old data alone", true, add_old_data, OK, false, ""},
};

/* A sole voter never votes: add what two elections would have left. */
static void
add_votes(const char *dir)
{
	static const uint8_t vote[32] = {1, [8] = 2, [16] = 1, [24] = 1};
	static const uint8_t term[32] = {1, [8] = 3, [16] = 2};
	char *one = path_of(dir, "metadata1"), *two = path_of(dir, "metadata2");

	assert_int_equal(file_write(two, vote, sizeof(vote), NULL), OK);
	assert_int_equal(file_write(one, term, sizeof(term), NULL), OK);
	free(one);
	free(two);
}

static void
hazard_04_each_damage_is_told_from_a_torn_tail(void **state)
{
	char *plain = test_tmpdir(), *snapshots = test_tmpdir();
	struct solo plan = small;
	bool wrong = false;

	(void)state;
	plan.kill = true;
	plan.settle = true;
	for (unsigned run = 0; run < 2; run++) {
		plan.dir = plain;
		plan.threshold = 0;
		(void)solo_run(&plan);
		plan.dir = snapshots;
		plan.threshold = 200;
		(void)solo_run(&plan);
	}
	add_votes(plain);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		struct site site = {.dir = test_tmpdir()};
		struct segment_report report = {0};
		struct errmsg why = {""};
		enum err rc;

		copy_dir(damages[i].snapshots ? snapshots : plain, site.dir);
		assert_int_equal(raftdir_list(site.dir, &site.list, &why), OK);
		damages[i].act(&site);
		rc = segment_scan(site.dir, &report, &why);
		if (rc != damages[i].want ||
		    (rc == OK && report.torn != damages[i].torn) ||
		    (rc != OK && strstr(why.text, damages[i].words) == NULL)) {
			print_error("%s: %d %s\n", damages[i].name, rc,
			    rc == OK ? "" : why.text);
			wrong = true;
		}
		raftdir_free(&site.list);
		test_rmdir(site.dir);
	}
	assert_false(wrong);
	test_rmdir(plain);
	test_rmdir(snapshots);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hazard_04_each_damage_is_told_from_a_torn_tail),
	};

	return cmocka_run_group_tests_name("segment_damage", tests, NULL, NULL);
}
