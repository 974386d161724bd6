/*
 * Goal: an image carries the whole state, byte for byte the same for the same
 * rows, and a damaged one is refused and changes nothing.
 * Method: round trips between environments; every flipped byte and every
 * prefix; images with one rule broken and a right checksum; torture.
 */
#include <stdio.h>

#include "storage/hash.h"
#include "storage/image.h"
#include "tests/support/test.h"

#define MAP_SIZE (8u << 20)

/* Places in an image. */
enum {
	AT_FORMAT = 8 + 3, /* last bytes */
	AT_SCHEMA = 12 + 3,
	AT_INDEX = 16 + 7,
	AT_META_SCHEMA = 24 + 7,
	AT_META_INDEX = 32 + 7,
	AT_SUMS = 24 + 32 + 32,
	AT_ROWS = 24 + 576 + 7,
	AT_FIRST = 24 + 576 + 8
};

struct fixture {
	char *dir[2];
	struct db *db[2];
};

static int
fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	bool rebuilt;

	assert_non_null(f);
	for (int i = 0; i < 2; i++) {
		f->dir[i] = test_tmpdir();
		assert_int_equal(
		    db_open(f->dir[i], MAP_SIZE, &rebuilt, &f->db[i], NULL),
		    OK);
	}
	*state = f;
	return 0;
}

static int
fixture_free(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		db_close(f->db[i]);
		test_rmdir(f->dir[i]);
	}
	free(f);
	return 0;
}

static void
put(struct txn *txn, uint8_t table, const char *key, const char *value)
{
	assert_int_equal(
	    txn_put(txn, table, key, strlen(key), value, strlen(value)), OK);
}

/* Four rows in two tables, with numbers in meta. */
static void
fill(struct db *db, uint64_t index)
{
	struct db_meta *meta;
	struct txn *txn;

	assert_int_equal(txn_write(db, &txn, NULL), OK);
	meta = txn_meta_change(txn);
	meta->index = index;
	meta->term = 3;
	meta->revision = 4;
	memset(meta->chain, 0xcc, sizeof(meta->chain));
	put(txn, 1, "a", "one");
	put(txn, 1, "b", "");
	put(txn, 15, "", "last table");
	put(txn, 2, "ab", "two");
	assert_int_equal(txn_commit(txn, NULL), OK);
}

static uint8_t *
image_of(struct db *db, uint64_t index, size_t *size)
{
	struct txn *txn;
	void *data;

	assert_int_equal(txn_read(db, &txn, NULL), OK);
	assert_int_equal(
	    image_write(txn, index, malloc, &data, size, NULL), OK);
	txn_abort(txn);
	return data;
}

static void
seal(uint8_t *data, size_t size)
{
	hash_bytes(data, size - HASH_SIZE, data + size - HASH_SIZE);
}

static void
a_state_moves_whole_to_another_server(void **state)
{
	struct fixture *f = *state;
	struct db_meta from, to;
	struct image_head head;
	uint8_t *image, *again;
	size_t size, again_size;
	struct txn *txn;
	bool equal;

	fill(f->db[0], 10);
	image = image_of(f->db[0], 12, &size);
	assert_int_equal(image_verify(image, size, &head, NULL), OK);
	assert_int_equal(head.format, IMAGE_FORMAT);
	assert_int_equal(head.index, 12);
	assert_int_equal(head.meta.index, 10);
	assert_int_equal(head.rows, 4);

	/* What was there before is gone. */
	assert_int_equal(txn_write(f->db[1], &txn, NULL), OK);
	put(txn, 1, "old", "row");
	put(txn, 3, "old", "row");
	assert_int_equal(txn_commit(txn, NULL), OK);
	assert_int_equal(image_load(f->db[1], image, size, NULL), OK);
	db_meta(f->db[0], &from);
	db_meta(f->db[1], &to);
	assert_int_equal(to.index, 12);
	from.index = 12;
	assert_memory_equal(&from, &to, sizeof(to));
	assert_int_equal(txn_read(f->db[1], &txn, NULL), OK);
	assert_int_equal(txn_verify(txn, &equal), OK);
	assert_true(equal);
	txn_abort(txn);

	/* And the copy writes the same rows as the original. */
	again = image_of(f->db[1], 12, &again_size);
	assert_int_equal(again_size, size);
	assert_memory_equal(again + AT_META_INDEX + 1,
	    image + AT_META_INDEX + 1, size - AT_META_INDEX - 1 - HASH_SIZE);
	free(image);
	free(again);
}

static void
an_empty_state_has_an_image_too(void **state)
{
	struct fixture *f = *state;
	struct image_head head;
	struct db_meta meta;
	uint8_t *image;
	size_t size;

	image = image_of(f->db[0], 0, &size);
	assert_int_equal(size, AT_FIRST + HASH_SIZE);
	fill(f->db[1], 10);
	assert_int_equal(image_verify(image, size, &head, NULL), OK);
	assert_int_equal(image_load(f->db[1], image, size, NULL), OK);
	db_meta(f->db[1], &meta);
	assert_int_equal(meta.revision, 0);
	assert_int_equal(meta.schema, DB_SCHEMA);
	free(image);
}

static void
histories_with_the_same_end_give_the_same_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t *image[2];
	size_t size[2];
	struct txn *txn;
	char key[16];

	for (int i = 0; i < 3000; i++) {
		if (i % 100 == 0)
			assert_int_equal(txn_write(f->db[0], &txn, NULL), OK);
		(void)snprintf(key, sizeof(key), "%d", i * 7919 % 1000);
		put(txn, (uint8_t)(1 + i * 7919 % 1000 % 3), key,
		    i < 2000 ? "early" : "late");
		if (i % 100 == 99)
			assert_int_equal(txn_commit(txn, NULL), OK);
	}
	assert_int_equal(txn_write(f->db[1], &txn, NULL), OK);
	for (int i = 999; i >= 0; i--) {
		(void)snprintf(key, sizeof(key), "%d", i);
		put(txn, (uint8_t)(1 + i % 3), key, "late");
	}
	assert_int_equal(txn_commit(txn, NULL), OK);
	for (int i = 0; i < 2; i++)
		image[i] = image_of(f->db[i], 5, &size[i]);
	assert_int_equal(size[0], size[1]);
	assert_memory_equal(image[0], image[1], size[0]);
	free(image[0]);
	free(image[1]);
}

static void
every_flipped_byte_and_every_prefix_is_corrupt(void **state)
{
	struct fixture *f = *state;
	struct image_head head;
	struct errmsg why;
	uint8_t *image;
	size_t size;

	fill(f->db[0], 10);
	image = image_of(f->db[0], 10, &size);
	for (size_t at = 0; at < size; at++) {
		for (int bit = 0; bit < 8; bit++) {
			image[at] ^= (uint8_t)(1 << bit);
			assert_int_equal(image_verify(image, size, &head, &why),
			    ERR_CORRUPT);
			image[at] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *part = malloc(cut + 1); /* its end is guarded */

		assert_non_null(part);
		memcpy(part, image, cut);
		assert_int_equal(
		    image_verify(part, cut, &head, &why), ERR_CORRUPT);
		/* Even with a checksum that is right. */
		if (cut >= HASH_SIZE) {
			seal(part, cut);
			assert_int_equal(
			    image_verify(part, cut, &head, &why), ERR_CORRUPT);
		}
		free(part);
	}
	assert_int_equal(image_verify(image, size, &head, &why), OK);
	free(image);
}

static void
a_rule_broken_under_a_right_checksum_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		enum err want;
	} cases[] = {
	    {AT_FORMAT, IMAGE_FORMAT + 1, ERR_UNSUPPORTED},
	    {AT_FORMAT, 0, ERR_CORRUPT},
	    {AT_SCHEMA, DB_SCHEMA + 1, ERR_UNSUPPORTED},
	    {AT_SCHEMA, 0, ERR_CORRUPT}, {AT_META_SCHEMA, 0, ERR_CORRUPT},
	    {AT_META_SCHEMA, DB_SCHEMA + 1, ERR_UNSUPPORTED},
	    {AT_INDEX, 9, ERR_CORRUPT}, /* below meta's */
	    {AT_META_INDEX, 11, ERR_CORRUPT},
	    {AT_SUMS, 1, ERR_CORRUPT},          /* of table 0 */
	    {AT_SUMS + 32 + 5, 1, ERR_CORRUPT}, /* of table 1 */
	    {AT_ROWS, 3, ERR_CORRUPT},          /* one left over */
	    {AT_ROWS, 5, ERR_CORRUPT},          /* one too few */
	    {AT_FIRST, 0, ERR_CORRUPT},         /* the meta table */
	    {AT_FIRST, DB_TABLES_MAX, ERR_CORRUPT},
	    {AT_FIRST, 2, ERR_CORRUPT},        /* out of order */
	    {AT_FIRST + 1, 255, ERR_CORRUPT},  /* key size */
	    {AT_FIRST + 2, 'b', ERR_CORRUPT},  /* twice the same key */
	    {AT_FIRST + 3, 0x80, ERR_CORRUPT}, /* size 2 GiB */
	    {AT_FIRST + 7, 'x', ERR_CORRUPT},  /* a byte of data */
	};
	struct fixture *f = *state;
	struct db_meta before, after;
	struct image_head head;
	struct errmsg why;
	uint8_t *image;
	size_t size;

	fill(f->db[0], 10);
	fill(f->db[1], 20);
	db_meta(f->db[1], &before);
	image = image_of(f->db[0], 10, &size);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t kept = image[cases[i].at];

		image[cases[i].at] = cases[i].byte;
		seal(image, size);
		assert_int_equal(
		    image_verify(image, size, &head, &why), cases[i].want);
		assert_int_equal(
		    image_load(f->db[1], image, size, &why), cases[i].want);
		db_meta(f->db[1], &after);
		assert_memory_equal(&before, &after, sizeof(after));
		image[cases[i].at] = kept;
	}
	seal(image, size);
	assert_int_equal(image_load(f->db[1], image, size, &why), OK);
	free(image);
}

static void
an_index_below_the_state_is_refused(void **state)
{
	struct fixture *f = *state;
	struct txn *txn;
	void *data = f;
	size_t size;

	fill(f->db[0], 10);
	assert_int_equal(txn_read(f->db[0], &txn, NULL), OK);
	assert_int_equal(
	    image_write(txn, 9, malloc, &data, &size, NULL), ERR_INVALID);
	assert_null(data);
	txn_abort(txn);
}

static void
an_image_that_does_not_fit_changes_nothing(void **state)
{
	static const uint8_t bytes[500000];
	struct fixture *f = *state;
	struct db_meta before, after;
	char *dir = test_tmpdir();
	struct db *small;
	struct txn *txn;
	uint8_t *image;
	bool rebuilt;
	size_t size;

	assert_int_equal(db_open(dir, 1 << 20, &rebuilt, &small, NULL), OK);
	fill(small, 10);
	db_meta(small, &before);
	assert_int_equal(txn_write(f->db[0], &txn, NULL), OK);
	for (uint8_t i = 0; i < 5; i++)
		assert_int_equal(
		    txn_put(txn, 1, &i, 1, bytes, sizeof(bytes)), OK);
	assert_int_equal(txn_commit(txn, NULL), OK);
	image = image_of(f->db[0], 30, &size);
	assert_int_equal(image_load(small, image, size, NULL), ERR_FULL);
	db_meta(small, &after);
	assert_memory_equal(&before, &after, sizeof(after));
	fill(small, 11);
	free(image);
	db_close(small);
	test_rmdir(dir);
}

static enum err
write_and_load(void *arg)
{
	struct fixture *f = arg;
	struct errmsg why;
	struct txn *txn;
	void *data;
	size_t size;
	enum err rc;

	rc = txn_read(f->db[0], &txn, &why);
	if (rc != OK)
		return rc;
	rc = image_write(txn, 10, malloc, &data, &size, &why);
	txn_abort(txn);
	if (rc == OK)
		rc = image_load(f->db[1], data, size, &why);
	free(data);
	return rc;
}

static void
every_lack_of_memory_is_an_answer(void **state)
{
	struct fixture *f = *state;

	fill(f->db[0], 10);
	test_torture(write_and_load, f);
}

#define in_fresh_dbs(test)                                                     \
	cmocka_unit_test_setup_teardown(test, fixture_new, fixture_free)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    in_fresh_dbs(a_state_moves_whole_to_another_server),
	    in_fresh_dbs(an_empty_state_has_an_image_too),
	    in_fresh_dbs(histories_with_the_same_end_give_the_same_bytes),
	    in_fresh_dbs(every_flipped_byte_and_every_prefix_is_corrupt),
	    in_fresh_dbs(a_rule_broken_under_a_right_checksum_is_refused),
	    in_fresh_dbs(an_index_below_the_state_is_refused),
	    in_fresh_dbs(an_image_that_does_not_fit_changes_nothing),
	    in_fresh_dbs(every_lack_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
