/*
 * Goal: an environment is believed, rebuilt or refused as its files deserve,
 * and its map neither costs disk nor changes size.
 * Method: kill (abandon) and clean close; copies; a table of damaged files;
 * rows put there by LMDB itself; torture.
 */
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/db.h"
#include "storage/file.h"
#include "storage/marker.h"
#include "storage/txn.h"
#include "tests/support/test.h"

#define MAP_SIZE (4u << 20)

static char *
in(const char *dir, const char *name)
{
	static char paths[2][256];
	static size_t turn;
	char *path = paths[turn++ % ARRAY_SIZE(paths)];

	assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", dir, name) > 0);
	return path;
}

static int
dir_new(void **state)
{
	*state = test_tmpdir();
	return 0;
}

static int
dir_remove(void **state)
{
	test_rmdir(*state);
	return 0;
}

static struct db *
open_in(const char *dir, bool want_rebuilt, struct errmsg *why)
{
	struct db *db = NULL;
	bool rebuilt = !want_rebuilt;

	if (db_open(dir, MAP_SIZE, &rebuilt, &db, why) != OK)
		fail_msg("%s", why->text);
	assert_int_equal(rebuilt, want_rebuilt);
	return db;
}

/* Commit revision and one row of it. */
static void
commit_revision(struct db *db, uint64_t revision)
{
	struct txn *txn;

	assert_int_equal(txn_write(db, &txn, NULL), OK);
	txn_meta_change(txn)->revision = revision;
	assert_int_equal(
	    txn_put(txn, 1, "r", 1, &revision, sizeof(revision)), OK);
	assert_int_equal(txn_commit(txn, NULL), OK);
}

static uint64_t
revision_of(struct db *db)
{
	struct db_meta meta;

	db_meta(db, &meta);
	return meta.revision;
}

/* A closed environment with one row and some thousand bytes. */
static void
make_closed(const char *dir)
{
	static const uint8_t bytes[50000];
	struct errmsg why;
	struct db *db = open_in(dir, false, &why);
	struct txn *txn;

	assert_int_equal(txn_write(db, &txn, NULL), OK);
	assert_int_equal(txn_put(txn, 2, "big", 3, bytes, sizeof(bytes)), OK);
	assert_int_equal(txn_commit(txn, NULL), OK);
	commit_revision(db, 7);
	db_close(db);
}

static void
a_fresh_one_is_empty_and_private(void **state)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "marker"};
	struct db_meta meta, want = {.schema = DB_SCHEMA};
	struct errmsg why;
	struct db *db = open_in(*state, false, &why);
	struct stat st;
	struct txn *txn;

	db_meta(db, &meta);
	assert_memory_equal(&meta, &want, sizeof(want));
	assert_int_equal(txn_read(db, &txn, NULL), OK);
	assert_memory_equal(txn_meta(txn), &want, sizeof(want));
	txn_abort(txn);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(stat(in(*state, names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	db_close(db);
	db_close(NULL);
	db_abandon(NULL);
}

static void
a_commit_survives_close_and_kill(void **state)
{
	struct errmsg why;
	struct db *db;

	db = open_in(*state, false, &why);
	commit_revision(db, 5);
	db_close(db);
	db = open_in(*state, false, &why);
	assert_int_equal(revision_of(db), 5);
	commit_revision(db, 6);
	db_abandon(db);
	db = open_in(*state, false, &why);
	assert_int_equal(revision_of(db), 6);
	db_close(db);
}

/* Copy the three files to a fresh directory. */
static char *
copy_of(const char *dir)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "marker"};
	struct buf bytes = buf_new(MAP_SIZE);
	char *copy = test_tmpdir();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(
		    file_read(in(dir, names[i]), &bytes, NULL), OK);
		assert_int_equal(file_write(in(copy, names[i]), bytes.data,
				     bytes.size, NULL),
		    OK);
	}
	buf_free(&bytes);
	return copy;
}

static void
hazard_05_a_doubted_environment_is_dropped_and_told(void **state)
{
	struct db_meta meta, want = {.schema = DB_SCHEMA};
	struct errmsg why;
	struct db *db;
	char *copy;

	db = open_in(*state, false, &why);
	commit_revision(db, 5);
	/* In use: a copy of it may be torn. */
	copy = copy_of(*state);
	db_close(db);
	db = open_in(copy, true, &why);
	assert_non_null(strstr(why.text, "not closed cleanly"));
	db_meta(db, &meta);
	assert_memory_equal(&meta, &want, sizeof(want));
	commit_revision(db, 1);
	db_close(db);
	db = open_in(copy, false, &why);
	assert_int_equal(revision_of(db), 1);
	db_close(db);
	test_rmdir(copy);
	/* Closed: a copy is as good as the original. */
	copy = copy_of(*state);
	db = open_in(copy, false, &why);
	assert_int_equal(revision_of(db), 5);
	db_close(db);
	test_rmdir(copy);
}

static void
hazard_05_a_start_marks_the_data_in_use_at_once(void **state)
{
	struct errmsg why;
	struct db *db;
	bool believe;
	char *copy;

	make_closed(*state);
	db = open_in(*state, false, &why);
	copy = copy_of(*state);
	assert_int_equal(marker_check(copy, &believe, &why), OK);
	assert_false(believe);
	db_close(db);
	test_rmdir(copy);
}

static void
a_damaged_file_is_dropped_and_told(void **state)
{
	enum { GARBAGE, EMPTY, CUT_PAGE, CUT_HALF, CUT_TO_HEAD, NO_MAGIC };
	static const int cases[] = {
	    GARBAGE, EMPTY, CUT_PAGE, CUT_HALF, CUT_TO_HEAD, NO_MAGIC};
	uint8_t garbage[9000];

	memset(garbage, 0xa5, sizeof(garbage));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *path = in(*state, "data.mdb");
		struct errmsg why = {""};
		struct stat st;
		struct db *db;
		int fd;

		make_closed(*state);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		switch (cases[i]) {
		case GARBAGE:
			assert_int_equal(ftruncate(fd, 0), 0);
			assert_int_equal(
			    write(fd, garbage, sizeof(garbage)), 9000);
			break;
		case EMPTY:
			assert_int_equal(ftruncate(fd, 0), 0);
			break;
		case CUT_PAGE:
			assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
			break;
		case CUT_HALF:
			assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
			break;
		case CUT_TO_HEAD:
			assert_int_equal(ftruncate(fd, 100), 0);
			break;
		default:
			assert_int_equal(pwrite(fd, garbage, 32, 16), 32);
			break;
		}
		(void)close(fd);
		if (cases[i] == EMPTY) {
			/* LMDB takes it for new, and so do we. */
			db = open_in(*state, false, &why);
		} else {
			db = open_in(*state, true, &why);
			assert_true(strlen(why.text) > 0);
		}
		assert_int_equal(revision_of(db), 0);
		commit_revision(db, 1);
		db_close(db);
		test_rmdir(strdup(*state));
		assert_int_equal(mkdir(*state, 0700), 0);
	}
}

/* Put one row past our own rules; data NULL deletes it. */
static void
raw_put(const char *dir, const char *key, size_t key_size, const void *data,
    size_t size)
{
	char key_copy[300];
	uint8_t *data_copy = malloc(size + 1);
	MDB_val k, v;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_non_null(data_copy);
	memcpy(key_copy, key, key_size);
	if (data != NULL)
		memcpy(data_copy, data, size);
	k = (MDB_val){key_size, key_copy};
	v = (MDB_val){size, data_copy};
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_mapsize(env, MAP_SIZE), 0);
	assert_int_equal(mdb_env_open(env, dir, MDB_NOTLS, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	if (data != NULL)
		assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	else
		assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(data_copy);
}

static void
a_meta_row_that_is_none_is_dropped_and_told(void **state)
{
	static const uint8_t zeroes[1000];
	static const size_t sizes[] = {0, 7, 8, 575, 576, 577, 1000};
	struct errmsg why;
	struct db *db;

	for (size_t i = 0; i <= ARRAY_SIZE(sizes); i++) {
		make_closed(*state);
		if (i < ARRAY_SIZE(sizes))
			raw_put(*state, "\0meta", 5, zeroes, sizes[i]);
		else
			raw_put(*state, "\0meta", 5, NULL, 0);
		db = open_in(*state, true, &why);
		assert_non_null(strstr(why.text, "meta row"));
		assert_int_equal(revision_of(db), 0);
		db_close(db);
		test_rmdir(strdup(*state));
		assert_int_equal(mkdir(*state, 0700), 0);
	}
}

static void
a_newer_schema_is_refused_and_untouched(void **state)
{
	struct buf before = buf_new(MAP_SIZE), after = buf_new(MAP_SIZE);
	static const uint8_t newer[20] = {[7] = DB_SCHEMA + 1, [19] = 1};
	struct db *db = NULL;
	struct errmsg why;
	bool rebuilt;

	make_closed(*state);
	raw_put(*state, "\0meta", 5, newer, sizeof(newer));
	assert_int_equal(file_read(in(*state, "data.mdb"), &before, NULL), OK);
	assert_int_equal(
	    db_open(*state, MAP_SIZE, &rebuilt, &db, &why), ERR_UNSUPPORTED);
	assert_null(db);
	assert_false(rebuilt);
	assert_non_null(strstr(why.text, "schema 2"));
	assert_non_null(strstr(why.text, "reads 1"));
	assert_int_equal(file_read(in(*state, "data.mdb"), &after, NULL), OK);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.data, after.data, after.size);
	buf_free(&before);
	buf_free(&after);
}

static void
rotten_rows_are_found_by_verify(void **state)
{
	struct errmsg why;
	struct txn *txn;
	struct db *db;
	bool equal;

	for (int rotten = 0; rotten < 2; rotten++) {
		make_closed(*state);
		if (rotten)
			raw_put(*state, "\1r", 2, "\6\0\0\0\0\0\0\0", 8);
		db = open_in(*state, false, &why);
		assert_int_equal(txn_read(db, &txn, NULL), OK);
		assert_int_equal(txn_verify(txn, &equal), OK);
		assert_int_equal(equal, !rotten);
		txn_abort(txn);
		db_close(db);
	}
}

/* Kilobytes of address space that the process has mapped. */
static long
mapped_kb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[200];
	long kb = -1;

	assert_non_null(status);
	while (fgets(line, sizeof(line), status) != NULL) {
		if (strncmp(line, "VmSize:", 7) == 0)
			kb = strtol(line + 7, NULL, 10);
	}
	(void)fclose(status);
	return kb;
}

static void
the_reader_table_has_its_blocks(void **state)
{
	struct errmsg why;
	struct db *db = open_in(*state, false, &why);
	struct stat st;

	assert_int_equal(stat(in(*state, "lock.mdb"), &st), 0);
	assert_true(st.st_size > DB_READERS * 64 - 4096);
	assert_true(st.st_blocks * 512 >= st.st_size);
	db_close(db);
}

static void
hazard_25_map_is_sparse_and_never_resized(void **state)
{
	long map_kb = (long)(DB_MAP_DEFAULT / 1024), before = mapped_kb(), full;
	static const uint8_t bytes[100000];
	struct errmsg why;
	struct txn *reader;
	struct stat st;
	struct db *db;
	bool rebuilt;

	assert_int_equal(
	    db_open(*state, DB_MAP_DEFAULT, &rebuilt, &db, &why), OK);
	full = mapped_kb();
	assert_true(full - before >= map_kb);
	assert_true(db_map_size(db) == DB_MAP_DEFAULT);
	assert_int_equal(txn_read(db, &reader, NULL), OK);
	for (uint32_t i = 0; i < 50; i++) {
		struct txn *txn;

		assert_int_equal(txn_write(db, &txn, NULL), OK);
		assert_int_equal(
		    txn_put(txn, 1, &i, sizeof(i), bytes, sizeof(bytes)), OK);
		assert_int_equal(txn_commit(txn, NULL), OK);
	}
	/* Grown under an open reader, within the same map. */
	txn_abort(reader);
	assert_true(mapped_kb() - full < map_kb / 2);
	assert_int_equal(stat(in(*state, "data.mdb"), &st), 0);
	assert_true(st.st_size > 5000000 && st.st_size < 20000000);
	assert_true(st.st_blocks * 512 < 20000000);
	db_close(db);
}

static void
used_counts_live_pages_and_not_free_ones(void **state)
{
	static const uint8_t bytes[100000];
	uint64_t empty, filled, emptied;
	struct errmsg why;
	struct txn *txn;
	struct db *db;

	db = open_in(*state, false, &why);
	empty = db_used(db);
	assert_int_equal(txn_write(db, &txn, NULL), OK);
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(
		    txn_put(txn, 1, &i, sizeof(i), bytes, sizeof(bytes)), OK);
	}
	assert_int_equal(txn_commit(txn, NULL), OK);
	filled = db_used(db);
	db_close(db);
	db = open_in(*state, false, &why);
	assert_true(db_used(db) == filled);
	assert_int_equal(txn_write(db, &txn, NULL), OK);
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(txn_delete(txn, 1, &i, sizeof(i), NULL), OK);
	}
	assert_int_equal(txn_commit(txn, NULL), OK);
	emptied = db_used(db);
	assert_true(empty < 32768);
	assert_true(filled > 20 * sizeof(bytes) && filled < MAP_SIZE);
	assert_true(emptied < 65536);
	db_close(db);
}

static void
the_file_always_covers_its_pages(void **state)
{
	static const uint8_t bytes[50000];
	struct errmsg why;
	struct db *db = open_in(*state, false, &why);

	/* LMDB never writes pages got and given back in one transaction; here
	 * they are the last ones of the file. */
	for (uint64_t round = 0; round < 20; round++) {
		struct txn *txn;

		commit_revision(db, round);
		assert_int_equal(txn_write(db, &txn, NULL), OK);
		assert_int_equal(txn_put(txn, 1, "r", 1, &bytes, 100), OK);
		assert_int_equal(
		    txn_put(txn, 1, "big", 3, bytes, 1000 + round * 2000), OK);
		assert_int_equal(txn_delete(txn, 1, "big", 3, NULL), OK);
		assert_int_equal(txn_commit(txn, NULL), OK);
		db_abandon(db);
		db = open_in(*state, false, &why);
	}
	db_close(db);
}

static void
the_state_hash_knows_revision_and_rows_alone(void **state)
{
	struct db_meta meta = {.schema = 1};
	uint8_t plain[DB_HASH_SIZE], hash[DB_HASH_SIZE];

	(void)state;
	db_state_hash(&meta, plain);
	meta.index = meta.term = 9;
	meta.chain[0] = 1;
	db_state_hash(&meta, hash);
	assert_memory_equal(plain, hash, sizeof(hash));
	meta.revision = 1;
	db_state_hash(&meta, hash);
	assert_memory_not_equal(plain, hash, sizeof(hash));
	meta.revision = 0;
	meta.sums[15][31] = 1;
	db_state_hash(&meta, hash);
	assert_memory_not_equal(plain, hash, sizeof(hash));
}

static void
a_place_that_cannot_be_used_is_named(void **state)
{
	struct db *db = NULL;
	struct errmsg why;
	bool rebuilt;

	assert_int_equal(
	    db_open(in(*state, "none"), MAP_SIZE, &rebuilt, &db, &why), ERR_IO);
	assert_null(db);
	assert_int_equal(mkdir(in(*state, "data.mdb"), 0700), 0);
	assert_int_equal(
	    db_open(*state, MAP_SIZE, &rebuilt, &db, &why), ERR_IO);
	assert_non_null(strstr(why.text, "data.mdb"));
	assert_null(db);
}

/* In a child with a file system of its own: fill it, then open and write.
 * Answers with the exit status; 77 where mounting is not allowed. */
static int
full_disk_child(const char *dir)
{
	static const uint8_t bytes[100000];
	struct db *db = NULL;
	struct errmsg why;
	struct txn *txn;
	enum err rc = OK;
	bool rebuilt;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=1m") != 0)
		return 77;
	if (db_open(dir, DB_MAP_DEFAULT, &rebuilt, &db, &why) != OK)
		return 1;
	for (uint32_t i = 0; rc == OK && i < 100; i++) {
		if (txn_write(db, &txn, &why) != OK ||
		    txn_put(txn, 1, &i, sizeof(i), bytes, sizeof(bytes)) != OK)
			return 2;
		rc = txn_commit(txn, &why);
	}
	if (rc != ERR_FULL)
		return 3;
	/* What was committed is still read, by as many as ever. */
	for (size_t i = 0; i < DB_READERS; i++) {
		if (txn_read(db, &txn, &why) != OK)
			return 4;
	}
	return 0;
}

/* The same on a disk that is full before the first start. */
static int
full_before_child(const char *dir)
{
	static const uint8_t bytes[1 << 20];
	struct db *db = NULL;
	struct errmsg why;
	bool rebuilt;
	int fd;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=1m") != 0)
		return 77;
	fd = open(in(dir, "fill"), O_WRONLY | O_CREAT, 0600);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	(void)close(fd);
	return db_open(dir, DB_MAP_DEFAULT, &rebuilt, &db, &why) == ERR_FULL
	    ? 0
	    : 1;
}

static void
a_full_disk_is_an_answer(void **state)
{
	int (*const children[])(const char *) = {
	    full_disk_child, full_before_child};

	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		int status;
		pid_t pid;

		(void)fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(children[i](*state));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static enum err
open_and_close(void *arg)
{
	struct db *db = NULL;
	struct errmsg why;
	bool rebuilt;
	enum err rc;

	rc = db_open(arg, MAP_SIZE, &rebuilt, &db, &why);
	if (rc == OK)
		assert_false(rebuilt);
	db_close(db);
	return rc;
}

static void
every_lack_of_memory_is_an_answer(void **state)
{
	struct errmsg why;
	struct db *db;

	make_closed(*state);
	test_torture(open_and_close, *state);
	db = open_in(*state, false, &why);
	assert_int_equal(revision_of(db), 7);
	db_close(db);
}

#define in_fresh_dir(test)                                                     \
	cmocka_unit_test_setup_teardown(test, dir_new, dir_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    in_fresh_dir(a_fresh_one_is_empty_and_private),
	    in_fresh_dir(a_commit_survives_close_and_kill),
	    in_fresh_dir(hazard_05_a_doubted_environment_is_dropped_and_told),
	    in_fresh_dir(hazard_05_a_start_marks_the_data_in_use_at_once),
	    in_fresh_dir(a_damaged_file_is_dropped_and_told),
	    in_fresh_dir(a_meta_row_that_is_none_is_dropped_and_told),
	    in_fresh_dir(a_newer_schema_is_refused_and_untouched),
	    in_fresh_dir(rotten_rows_are_found_by_verify),
	    in_fresh_dir(the_reader_table_has_its_blocks),
	    in_fresh_dir(hazard_25_map_is_sparse_and_never_resized),
	    in_fresh_dir(used_counts_live_pages_and_not_free_ones),
	    in_fresh_dir(the_file_always_covers_its_pages),
	    in_fresh_dir(the_state_hash_knows_revision_and_rows_alone),
	    in_fresh_dir(a_place_that_cannot_be_used_is_named),
	    in_fresh_dir(a_full_disk_is_an_answer),
	    in_fresh_dir(every_lack_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
