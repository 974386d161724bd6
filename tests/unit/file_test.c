/*
 * Goal: a file is whole or absent, private, and a damaged one is never
 * believed. Method: round trips in a fresh folder; every single-bit flip and
 * every prefix of a checked file; missing folders, files in the way; torture.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/file.h"
#include "tests/support/test.h"

#define MAGIC "TESTFILE"

/* folder/name in one of two static buffers. */
static const char *
in_folder(const char *folder, const char *name)
{
	static char paths[2][256];
	static size_t turn;
	char *path = paths[turn++ % ARRAY_SIZE(paths)];

	assert_true(
	    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name) > 0);
	return path;
}

static int
folder_new(void **state)
{
	*state = test_tmpdir();
	return 0;
}

static int
folder_remove(void **state)
{
	test_rmdir(*state);
	return 0;
}

static void
a_written_file_is_read_back_and_private(void **state)
{
	const char *path = in_folder(*state, "a");
	struct buf buf = buf_new(100);
	struct stat st;

	for (size_t size = 0; size < 2; size++) {
		assert_int_equal(file_write(path, "xy", size * 2, NULL), OK);
		assert_int_equal(file_read(path, &buf, NULL), OK);
		assert_int_equal(buf.size, size * 2);
	}
	assert_memory_equal(buf.data, "xy", 2);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(in_folder(*state, "a.tmp"), F_OK), -1);
	buf_free(&buf);
}

static void
a_stray_temporary_file_does_not_matter(void **state)
{
	struct buf buf = buf_new(100);
	FILE *stray;

	stray = fopen(in_folder(*state, "a.tmp"), "w");
	assert_non_null(stray);
	assert_int_equal(fputs("longer than the next", stray) < 0, 0);
	assert_int_equal(fclose(stray), 0);
	assert_int_equal(file_write(in_folder(*state, "a"), "x", 1, NULL), OK);
	assert_int_equal(file_read(in_folder(*state, "a"), &buf, NULL), OK);
	assert_int_equal(buf.size, 1);
	buf_free(&buf);
}

static void
read_tells_missing_too_large_and_refused_apart(void **state)
{
	char *path = strdup(in_folder(*state, "a"));
	struct buf buf = buf_new(9999);
	struct buf exact = buf_new(10000);
	static const uint8_t bytes[10000];
	struct errmsg why;

	assert_int_equal(file_read(path, &buf, &why), ERR_NOTFOUND);
	assert_int_equal(file_write(path, bytes, sizeof(bytes), NULL), OK);
	assert_int_equal(file_read(path, &buf, &why), ERR_LIMIT);
	assert_int_equal(file_read(path, &exact, &why), OK);
	assert_int_equal(exact.size, sizeof(bytes));
	assert_int_equal(file_read(*state, &buf, &why), ERR_IO);
	assert_non_null(strstr(why.text, *state));
	assert_int_equal(mkfifo(in_folder(*state, "fifo"), 0600), 0);
	assert_int_equal(
	    file_read(in_folder(*state, "fifo"), &buf, &why), ERR_IO);
	buf_free(&buf);
	buf_free(&exact);
	free(path);
}

static void
read_takes_a_file_of_proc(void **state)
{
	struct buf buf = buf_new(100);

	(void)state;
	assert_int_equal(
	    file_read("/proc/sys/kernel/random/boot_id", &buf, NULL), OK);
	assert_int_equal(buf.size, 37);
	buf_free(&buf);
}

static void
a_write_that_cannot_be_names_the_path(void **state)
{
	struct errmsg why;
	const char *path;

	path = in_folder(*state, "none/a");
	assert_int_equal(file_write(path, "x", 1, &why), ERR_IO);
	assert_non_null(strstr(why.text, path));
	path = in_folder(*state, "folder");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write(path, "x", 1, &why), ERR_IO);
	assert_non_null(strstr(why.text, path));
	assert_int_equal(access(in_folder(*state, "folder.tmp"), F_OK), -1);
}

static void
put_checked(const char *path, uint32_t version, const char *text)
{
	struct buf content = buf_new(1000);

	buf_puts(&content, text);
	assert_int_equal(
	    file_write_checked(path, MAGIC, version, &content, NULL), OK);
	buf_free(&content);
}

static enum err
get_checked(const char *path, uint32_t *version, struct buf *content)
{
	struct errmsg why;

	return file_read_checked(path, MAGIC, 2, version, content, &why);
}

static void
checked_content_is_read_back(void **state)
{
	const char *path = in_folder(*state, "a");
	struct buf content = buf_new(100);
	uint32_t version = 0;

	assert_int_equal(get_checked(path, &version, &content), ERR_NOTFOUND);
	put_checked(path, 2, "");
	assert_int_equal(get_checked(path, &version, &content), OK);
	assert_int_equal(content.size, 0);
	put_checked(path, 1, "words");
	assert_int_equal(get_checked(path, &version, &content), OK);
	assert_int_equal(version, 1);
	assert_int_equal(content.size, 5);
	assert_memory_equal(content.data, "words", 5);
	buf_free(&content);
}

static void
checked_refuses_newer_foreign_and_oversized(void **state)
{
	const char *path = in_folder(*state, "a");
	struct buf content = buf_new(100), small = buf_new(4);
	struct buf large = buf_new(FILE_CHECKED_MAX + 1);
	uint32_t version = 9;
	struct errmsg why;

	put_checked(path, 3, "words");
	assert_int_equal(
	    get_checked(path, &version, &content), ERR_UNSUPPORTED);
	put_checked(path, 1, "words");
	assert_int_equal(
	    file_read_checked(path, "OTHERONE", 2, &version, &content, &why),
	    ERR_CORRUPT);
	assert_int_equal(get_checked(path, &version, &small), ERR_LIMIT);
	assert_int_equal(version, 9);
	assert_non_null(buf_reserve(&large, FILE_CHECKED_MAX + 1));
	memset(large.data, 'x', FILE_CHECKED_MAX + 1);
	buf_added(&large, FILE_CHECKED_MAX + 1);
	assert_int_equal(
	    file_write_checked(path, MAGIC, 1, &large, &why), ERR_LIMIT);
	assert_int_equal(file_write(path, large.data, large.size, NULL), OK);
	assert_int_equal(get_checked(path, &version, &content), ERR_CORRUPT);
	buf_free(&content);
	buf_free(&small);
	buf_free(&large);
}

static void
every_flipped_bit_and_every_prefix_is_corrupt(void **state)
{
	const char *path = in_folder(*state, "a");
	struct buf whole = buf_new(1000), content = buf_new(1000);
	uint32_t version;
	int fd;

	put_checked(path, 1, "words");
	assert_int_equal(file_read(path, &whole, NULL), OK);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (size_t bit = 0; bit < whole.size * 8; bit++) {
		uint8_t byte = (uint8_t)(whole.data[bit / 8] ^ (1 << bit % 8));

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
		assert_int_equal(
		    get_checked(path, &version, &content), ERR_CORRUPT);
		byte = whole.data[bit / 8];
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
	}
	assert_int_equal(pwrite(fd, "x", 1, (off_t)whole.size), 1);
	assert_int_equal(get_checked(path, &version, &content), ERR_CORRUPT);
	for (size_t size = whole.size; size-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		assert_int_equal(
		    get_checked(path, &version, &content), ERR_CORRUPT);
	}
	(void)close(fd);
	buf_free(&whole);
	buf_free(&content);
}

static enum err
write_and_read(void *arg)
{
	struct buf content = buf_new(10000);
	struct errmsg why;
	uint32_t version;
	enum err rc;

	buf_printf(&content, "%9000d", 1);
	rc = file_write_checked(arg, MAGIC, 1, &content, &why);
	buf_free(&content);
	if (rc == OK)
		rc = file_read_checked(arg, MAGIC, 1, &version, &content, &why);
	buf_free(&content);
	return rc;
}

static void
every_lack_of_memory_is_an_answer(void **state)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/a", (char *)*state);
	test_torture(write_and_read, path);
}

#define in_fresh_folder(test)                                                  \
	cmocka_unit_test_setup_teardown(test, folder_new, folder_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    in_fresh_folder(a_written_file_is_read_back_and_private),
	    in_fresh_folder(a_stray_temporary_file_does_not_matter),
	    in_fresh_folder(read_tells_missing_too_large_and_refused_apart),
	    in_fresh_folder(read_takes_a_file_of_proc),
	    in_fresh_folder(a_write_that_cannot_be_names_the_path),
	    in_fresh_folder(checked_content_is_read_back),
	    in_fresh_folder(checked_refuses_newer_foreign_and_oversized),
	    in_fresh_folder(every_flipped_bit_and_every_prefix_is_corrupt),
	    in_fresh_folder(every_lack_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
