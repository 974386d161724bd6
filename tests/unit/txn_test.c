/*
 * Goal: a transaction changes all or nothing, walks in byte order, and keeps
 * sums that depend on the rows alone.
 * Method: small environments; tables of walks; random histories in two orders;
 * a small map that runs full; readers beside a writer; torture.
 */
#include <pthread.h>
#include <stdio.h>

#include "storage/txn.h"
#include "tests/support/test.h"

#define MAP_SIZE (4u << 20)

struct fixture {
	char *dir;
	struct db *db;
};

static struct db *
open_in(const char *dir)
{
	struct db *db = NULL;
	struct errmsg why;
	bool rebuilt;

	if (db_open(dir, MAP_SIZE, &rebuilt, &db, &why) != OK)
		fail_msg("%s", why.text);
	assert_false(rebuilt);
	return db;
}

static int
fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_tmpdir();
	f->db = open_in(f->dir);
	*state = f;
	return 0;
}

static int
fixture_free(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	test_rmdir(f->dir);
	free(f);
	return 0;
}

static struct txn *
begin_write(struct db *db)
{
	struct txn *txn = NULL;

	assert_int_equal(txn_write(db, &txn, NULL), OK);
	return txn;
}

static struct txn *
begin_read(struct db *db)
{
	struct txn *txn = NULL;

	assert_int_equal(txn_read(db, &txn, NULL), OK);
	return txn;
}

static void
put(struct txn *txn, uint8_t table, const char *key, const char *value)
{
	assert_int_equal(
	    txn_put(txn, table, key, strlen(key), value, strlen(value)), OK);
}

static void
assert_row(struct txn *txn, uint8_t table, const char *key, const char *value)
{
	const uint8_t *data = NULL;
	size_t size = 99;
	enum err rc;

	rc = txn_get(txn, table, key, strlen(key), &data, &size);
	if (value == NULL) {
		assert_int_equal(rc, ERR_NOTFOUND);
		assert_null(data);
		assert_int_equal(size, 99);
		return;
	}
	assert_int_equal(rc, OK);
	assert_int_equal(size, strlen(value));
	assert_memory_equal(data, value, size);
}

static void
rows_are_there_after_commit_and_not_before(void **state)
{
	struct fixture *f = *state;
	struct txn *writer, *before, *after;

	writer = begin_write(f->db);
	put(writer, 1, "a", "one");
	put(writer, 1, "a", "two");
	put(writer, 2, "a", "other table");
	put(writer, 2, "", "");
	assert_row(writer, 1, "a", "two");
	before = begin_read(f->db);
	assert_int_equal(txn_commit(writer, NULL), OK);
	after = begin_read(f->db);
	assert_row(before, 1, "a", NULL);
	assert_row(after, 1, "a", "two");
	assert_row(after, 2, "a", "other table");
	assert_row(after, 2, "", "");
	assert_row(after, 3, "a", NULL);
	txn_abort(before);
	txn_abort(after);
	txn_abort(NULL);
}

static void
abort_drops_rows_and_meta(void **state)
{
	struct fixture *f = *state;
	struct db_meta meta, kept;
	struct txn *txn;

	txn = begin_write(f->db);
	put(txn, 1, "a", "one");
	txn_meta_change(txn)->revision = 4;
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(f->db, &kept);
	assert_int_equal(kept.revision, 4);

	txn = begin_write(f->db);
	put(txn, 1, "a", "two");
	txn_meta_change(txn)->revision = 5;
	txn_abort(txn);
	db_meta(f->db, &meta);
	assert_memory_equal(&meta, &kept, sizeof(meta));
	txn = begin_read(f->db);
	assert_row(txn, 1, "a", "one");
	assert_memory_equal(txn_meta(txn), &kept, sizeof(kept));
	txn_abort(txn);
}

static void
meta_is_part_of_the_commit(void **state)
{
	struct fixture *f = *state;
	struct db_meta *change, meta;
	struct txn *txn;

	txn = begin_write(f->db);
	change = txn_meta_change(txn);
	change->index = UINT64_C(0x0102030405060708);
	change->term = 7;
	change->revision = UINT64_MAX;
	memset(change->chain, 0xcc, sizeof(change->chain));
	put(txn, 15, "k", "v");
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(f->db, &meta);
	db_close(f->db);
	f->db = open_in(f->dir);
	txn = begin_read(f->db);
	assert_memory_equal(txn_meta(txn), &meta, sizeof(meta));
	assert_true(meta.index == UINT64_C(0x0102030405060708));
	assert_int_equal(meta.schema, DB_SCHEMA);
	txn_abort(txn);
	db_meta(f->db, &meta);
	assert_int_equal(meta.chain[31], 0xcc);
}

static void
delete_tells_what_was(void **state)
{
	struct fixture *f = *state;
	struct txn *txn = begin_write(f->db);
	bool was = true;

	assert_int_equal(txn_delete(txn, 1, "a", 1, &was), OK);
	assert_false(was);
	put(txn, 1, "a", "one");
	assert_int_equal(txn_delete(txn, 1, "a", 1, &was), OK);
	assert_true(was);
	assert_row(txn, 1, "a", NULL);
	put(txn, 1, "a", "one");
	assert_int_equal(txn_delete(txn, 1, "a", 1, NULL), OK);
	assert_row(txn, 1, "a", NULL);
	txn_abort(txn);
}

static void
limits_are_answers_and_do_no_harm(void **state)
{
	static const uint8_t bytes[DB_VALUE_MAX + 1];
	struct fixture *f = *state;
	struct txn *txn = begin_write(f->db);
	const uint8_t *data;
	size_t size;
	bool was;

	assert_int_equal(
	    txn_put(txn, 1, bytes, DB_KEY_MAX + 1, "", 0), ERR_LIMIT);
	assert_int_equal(
	    txn_put(txn, 1, "k", 1, bytes, DB_VALUE_MAX + 1), ERR_LIMIT);
	assert_int_equal(
	    txn_get(txn, 1, bytes, DB_KEY_MAX + 1, &data, &size), ERR_NOTFOUND);
	assert_int_equal(txn_delete(txn, 1, bytes, DB_KEY_MAX + 1, &was), OK);
	assert_int_equal(
	    txn_put(txn, 1, bytes, DB_KEY_MAX, bytes, DB_VALUE_MAX), OK);
	assert_int_equal(txn_commit(txn, NULL), OK);
	txn = begin_read(f->db);
	assert_int_equal(txn_get(txn, 1, bytes, DB_KEY_MAX, &data, &size), OK);
	assert_int_equal(size, DB_VALUE_MAX);
	txn_abort(txn);
}

/* Collects "key=value " of a walk; stops after max rows. */
struct walked {
	char text[200];
	size_t rows, max;
};

static bool
walked_row(void *arg, const uint8_t *key, size_t key_size, const uint8_t *data,
    size_t size)
{
	struct walked *w = arg;
	size_t used = strlen(w->text);

	(void)snprintf(w->text + used, sizeof(w->text) - used, "%.*s=%.*s ",
	    (int)key_size, (const char *)key, (int)size, (const char *)data);
	return ++w->rows < w->max;
}

static void
walks_go_in_byte_order_from_where_they_are_told(void **state)
{
	static const struct {
		uint8_t table;
		const char *prefix, *from;
		size_t max;
		const char *want;
	} cases[] = {
	    {2, "", "", 99, "=0 a=1 aa=2 ab=3 b=4 \xff=5 "},
	    {2, "a", "", 99, "a=1 aa=2 ab=3 "},
	    {2, "a", "aa", 99, "aa=2 ab=3 "},
	    {2, "a", "aaa", 99, "ab=3 "},
	    {2, "a", "b", 99, ""},
	    {2, "b", "a", 99, "b=4 "},
	    {2, "", "b", 99, "b=4 \xff=5 "},
	    {2, "\xff", "", 99, "\xff=5 "},
	    {2, "c", "", 99, ""},
	    {2, "", "", 2, "=0 a=1 "},
	    {3, "", "", 99, ""},
	    {1, "", "", 99, "z=x "},
	    {15, "", "", 99, "q=y "},
	};
	struct fixture *f = *state;
	struct txn *txn = begin_write(f->db);

	put(txn, 15, "q", "y");
	put(txn, 2, "\xff", "5");
	put(txn, 2, "b", "4");
	put(txn, 2, "ab", "3");
	put(txn, 2, "aa", "2");
	put(txn, 2, "a", "1");
	put(txn, 2, "", "0");
	put(txn, 1, "z", "x");
	for (int committed = 0; committed < 2; committed++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct walked w = {.max = cases[i].max};
			const char *from = cases[i].from;

			assert_int_equal(
			    txn_walk(txn, cases[i].table, cases[i].prefix,
				strlen(cases[i].prefix),
				from[0] == '\0' ? NULL : from, strlen(from),
				walked_row, &w),
			    OK);
			assert_string_equal(w.text, cases[i].want);
		}
		if (!committed) {
			assert_int_equal(txn_commit(txn, NULL), OK);
			txn = begin_read(f->db);
		}
	}
	txn_abort(txn);
}

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool
verified(struct db *db)
{
	struct txn *txn = begin_read(db);
	bool equal = false;

	assert_int_equal(txn_verify(txn, &equal), OK);
	txn_abort(txn);
	return equal;
}

static void
same_rows_in_any_order_have_equal_sums(void **state)
{
	struct fixture *f = *state, other = {.dir = test_tmpdir()};
	struct db_meta a, b, empty;
	uint64_t seed = 42;
	struct txn *txn;
	char key[16];

	other.db = open_in(other.dir);
	db_meta(f->db, &empty);
	/* Forward, with overwrites and deletions on the way. */
	for (int round = 0; round < 20; round++) {
		txn = begin_write(f->db);
		for (int i = 0; i < 50; i++) {
			uint64_t r = next_random(&seed);

			(void)snprintf(
			    key, sizeof(key), "k%u", (unsigned)(r % 64));
			if (r >> 32 & 1) {
				put(txn, (uint8_t)(1 + (r >> 8) % 3), key,
				    "old");
				continue;
			}
			assert_int_equal(
			    txn_delete(txn, (uint8_t)(1 + (r >> 8) % 3), key,
				strlen(key), NULL),
			    OK);
		}
		assert_int_equal(txn_commit(txn, NULL), OK);
		assert_true(verified(f->db));
	}
	txn = begin_write(f->db);
	for (uint8_t table = 1; table <= 3; table++) {
		for (int i = 0; i < 64; i++) {
			(void)snprintf(key, sizeof(key), "k%d", i);
			put(txn, table, key, "new");
		}
	}
	assert_int_equal(txn_commit(txn, NULL), OK);
	/* Backward, each row once. */
	txn = begin_write(other.db);
	for (uint8_t table = 3; table >= 1; table--) {
		for (int i = 63; i >= 0; i--) {
			(void)snprintf(key, sizeof(key), "k%d", i);
			put(txn, table, key, "new");
		}
	}
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(f->db, &a);
	db_meta(other.db, &b);
	assert_memory_equal(a.sums, b.sums, sizeof(a.sums));
	assert_memory_not_equal(a.sums, empty.sums, sizeof(a.sums));
	assert_true(verified(f->db) && verified(other.db));

	/* And an emptied table has the sum of an empty one. */
	txn = begin_write(other.db);
	for (uint8_t table = 1; table <= 3; table++) {
		for (int i = 0; i < 64; i++) {
			(void)snprintf(key, sizeof(key), "k%d", i);
			assert_int_equal(
			    txn_delete(txn, table, key, strlen(key), NULL), OK);
		}
	}
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(other.db, &b);
	assert_memory_equal(b.sums, empty.sums, sizeof(b.sums));
	db_close(other.db);
	test_rmdir(other.dir);
}

static void
sums_tell_table_key_and_value_apart(void **state)
{
	static const struct {
		uint8_t table;
		const char *key, *value;
	} rows[] = {{1, "a", "b"}, {2, "a", "b"}, {1, "ab", ""}, {1, "", "ab"},
	    {1, "a", "c"}};
	struct fixture *f = *state;
	uint8_t hash[ARRAY_SIZE(rows)][DB_HASH_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct txn *txn = begin_write(f->db);

		put(txn, rows[i].table, rows[i].key, rows[i].value);
		db_state_hash(txn_meta(txn), hash[i]);
		txn_abort(txn);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(hash[k], hash[i], DB_HASH_SIZE);
	}
}

static void
a_full_map_is_an_answer_and_changes_nothing(void **state)
{
	static const uint8_t bytes[10000];
	struct fixture *f = *state;
	struct db_meta before, after;
	struct txn *txn;
	enum err rc = OK;

	txn = begin_write(f->db);
	put(txn, 1, "kept", "value");
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(f->db, &before);

	txn = begin_write(f->db);
	for (uint32_t i = 0; rc == OK && i < 10000; i++)
		rc = txn_put(txn, 2, &i, sizeof(i), bytes, sizeof(bytes));
	assert_int_equal(rc, ERR_FULL);
	/* The transaction is lost, and says so. */
	assert_int_equal(txn_put(txn, 3, "k", 1, "", 0), ERR_FULL);
	assert_int_equal(txn_delete(txn, 1, "kept", 4, NULL), ERR_FULL);
	assert_int_equal(txn_commit(txn, NULL), ERR_FULL);

	db_meta(f->db, &after);
	assert_memory_equal(&before, &after, sizeof(after));
	txn = begin_write(f->db);
	assert_row(txn, 1, "kept", "value");
	assert_int_equal(txn_delete(txn, 1, "kept", 4, NULL), OK);
	assert_int_equal(txn_commit(txn, NULL), OK);
	assert_true(verified(f->db));
}

static void
an_equal_value_is_no_change(void **state)
{
	struct fixture *f = *state;
	struct db_meta before, after;
	struct txn *txn;

	txn = begin_write(f->db);
	put(txn, 1, "a", "same");
	put(txn, 1, "b", "");
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(f->db, &before);
	txn = begin_write(f->db);
	put(txn, 1, "a", "same");
	put(txn, 1, "b", "");
	assert_int_equal(txn_commit(txn, NULL), OK);
	db_meta(f->db, &after);
	assert_memory_equal(&before, &after, sizeof(after));
}

#define READ_ROUNDS 2000

/* A reader that checks that two rows always agree. */
static void *
reader_main(void *arg)
{
	struct fixture *f = arg;
	size_t wrong = 0;

	for (int i = 0; i < READ_ROUNDS; i++) {
		const uint8_t *a, *b;
		struct txn *txn;
		size_t size;

		if (txn_read(f->db, &txn, NULL) != OK) {
			wrong++;
			continue;
		}
		if (txn_get(txn, 1, "a", 1, &a, &size) != OK ||
		    txn_get(txn, 2, "b", 1, &b, &size) != OK ||
		    memcmp(a, b, size) != 0 ||
		    memcmp(a, &txn_meta(txn)->revision, size) != 0)
			wrong++;
		txn_abort(txn);
	}
	return wrong == 0 ? NULL : f;
}

static void
readers_on_other_threads_see_whole_commits(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[3];
	void *wrong;

	for (uint64_t i = 0; i < 200; i++) {
		struct txn *txn = begin_write(f->db);

		txn_meta_change(txn)->revision = i;
		assert_int_equal(txn_put(txn, 1, "a", 1, &i, sizeof(i)), OK);
		assert_int_equal(txn_put(txn, 2, "b", 1, &i, sizeof(i)), OK);
		assert_int_equal(txn_commit(txn, NULL), OK);
		if (i > 0)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(threads); k++) {
			assert_int_equal(
			    pthread_create(&threads[k], NULL, reader_main, f),
			    0);
		}
	}
	for (size_t k = 0; k < ARRAY_SIZE(threads); k++) {
		assert_int_equal(pthread_join(threads[k], &wrong), 0);
		assert_null(wrong);
	}
}

static void
one_reader_too_many_is_told_to_try_again(void **state)
{
	struct fixture *f = *state;
	struct txn *readers[DB_READERS], *extra = NULL;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < DB_READERS; i++)
			readers[i] = begin_read(f->db);
		assert_int_equal(txn_read(f->db, &extra, NULL), ERR_BUSY);
		assert_null(extra);
		for (size_t i = 0; i < DB_READERS; i++)
			txn_abort(readers[i]);
	}
}

static enum err
write_and_read(void *arg)
{
	struct walked w = {.max = 99};
	struct db *db = arg;
	struct errmsg why;
	struct txn *txn;
	bool equal;
	enum err rc;

	rc = txn_write(db, &txn, &why);
	if (rc != OK)
		return rc;
	rc = txn_put(txn, 1, "a", 1, &w, sizeof(w));
	if (rc == OK)
		rc = txn_put(txn, 1, "b", 1, "value", 5);
	if (rc == OK)
		rc = txn_delete(txn, 1, "a", 1, NULL);
	if (rc != OK) {
		txn_abort(txn);
		return rc;
	}
	rc = txn_commit(txn, &why);
	if (rc == OK)
		rc = txn_read(db, &txn, &why);
	if (rc != OK)
		return rc;
	rc = txn_walk(txn, 1, "", 0, NULL, 0, walked_row, &w);
	if (rc == OK)
		rc = txn_verify(txn, &equal);
	txn_abort(txn);
	return rc;
}

static void
every_lack_of_memory_is_an_answer(void **state)
{
	struct fixture *f = *state;

	test_torture(write_and_read, f->db);
	assert_true(verified(f->db));
}

#define in_fresh_db(test)                                                      \
	cmocka_unit_test_setup_teardown(test, fixture_new, fixture_free)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    in_fresh_db(rows_are_there_after_commit_and_not_before),
	    in_fresh_db(abort_drops_rows_and_meta),
	    in_fresh_db(meta_is_part_of_the_commit),
	    in_fresh_db(delete_tells_what_was),
	    in_fresh_db(limits_are_answers_and_do_no_harm),
	    in_fresh_db(walks_go_in_byte_order_from_where_they_are_told),
	    in_fresh_db(same_rows_in_any_order_have_equal_sums),
	    in_fresh_db(sums_tell_table_key_and_value_apart),
	    in_fresh_db(a_full_map_is_an_answer_and_changes_nothing),
	    in_fresh_db(an_equal_value_is_no_change),
	    in_fresh_db(readers_on_other_threads_see_whole_commits),
	    in_fresh_db(one_reader_too_many_is_told_to_try_again),
	    in_fresh_db(every_lack_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests_name("txn", tests, NULL, NULL);
}
