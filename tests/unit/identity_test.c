/*
 * Goal: a server is the same after each start and never twice (hazard 6); a
 * doubtful directory refuses with words, untouched.
 * Method: real directories; a second open in this process stands for another
 * process, a moved directory for a copy, a written record for another machine.
 */
#include "server/cluster/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/buf.h"
#include "storage/file.h"
#include "tests/support/test.h"

static char *
path_of(const char *dir, const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static bool
there(const char *dir, const char *name)
{
	char *path = path_of(dir, name);
	struct stat st;
	bool yes = stat(path, &st) == 0;

	free(path);
	return yes;
}

static void
touch(const char *dir, const char *name)
{
	char *path = path_of(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	free(path);
}

static void
make_dir(const char *dir, const char *name)
{
	char *path = path_of(dir, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

/* One start and stop of a server. */
static void
start(const char *dir, struct identity *out)
{
	struct errmsg why;
	int lock;

	assert_int_equal(identity_open(dir, out, &lock, &why), OK);
	identity_free(out);
	close(lock);
}

static enum err
start_refused(const char *dir, struct errmsg *why)
{
	struct identity identity;
	int lock;
	enum err rc = identity_open(dir, &identity, &lock, why);

	assert_int_not_equal(rc, OK);
	return rc;
}

static void
the_first_start_makes_a_private_directory_and_draws_an_id(void **state)
{
	char *root = test_tmpdir();
	char *dir = path_of(root, "data"), *file;
	struct identity one;
	struct stat st;

	(void)state;
	start(dir, &one);
	assert_true(one.id != 0 && one.id <= INT64_MAX);
	assert_int_equal(one.start, 1);
	assert_int_equal(strlen(one.node_id), NODE_UUID_SIZE - 1);
	assert_int_equal(one.node_id[14], '4');
	assert_string_equal(one.cluster_id, "");
	assert_false(one.bootstrapped);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	file = path_of(dir, "identity");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(file);
	free(dir);
	test_rmdir(root);
}

static void
hazard_06_each_start_keeps_the_ids_and_raises_the_counter(void **state)
{
	char *dir = test_tmpdir();
	struct identity one, two;
	struct errmsg why;
	int lock;

	(void)state;
	start(dir, &one);
	assert_int_equal(identity_open(dir, &two, &lock, &why), OK);
	assert_int_equal(two.id, one.id);
	assert_string_equal(two.node_id, one.node_id);
	assert_int_equal(two.start, 2);
	assert_true(two.instance != one.instance);
	assert_int_equal(identity_uuid(two.cluster_id), OK);
	two.bootstrapped = true;
	assert_int_equal(identity_store(&two, &why), OK);
	close(lock);
	start(dir, &one);
	assert_int_equal(one.start, 3);
	assert_string_equal(one.cluster_id, two.cluster_id);
	assert_true(one.bootstrapped);
	identity_free(&two);
	test_rmdir(dir);
}

static void
a_second_process_is_refused_and_the_first_one_named(void **state)
{
	char *dir = test_tmpdir();
	struct identity one;
	struct errmsg why;
	char pid[32];
	int lock;

	(void)state;
	assert_int_equal(identity_open(dir, &one, &lock, &why), OK);
	assert_int_equal(start_refused(dir, &why), ERR_EXISTS);
	snprintf(pid, sizeof(pid), "process %ld ", (long)getpid());
	assert_non_null(strstr(why.text, pid));
	assert_int_equal(identity_adopt(dir, &why), ERR_EXISTS);
	identity_free(&one);
	close(lock);
	start(dir, &one);
	assert_int_equal(one.start, 2); /* the refused one raised nothing */
	test_rmdir(dir);
}

static void
copy_file(const char *from, const char *to, const char *name)
{
	char *a = path_of(from, name), *b = path_of(to, name);
	struct buf bytes = buf_new(1 << 20);

	assert_int_equal(file_read(a, &bytes, NULL), OK);
	assert_int_equal(file_write(b, bytes.data, bytes.size, NULL), OK);
	buf_free(&bytes);
	free(a);
	free(b);
}

static void
hazard_06_a_copied_directory_refuses_until_adopted(void **state)
{
	char *dir = test_tmpdir(), *copy = test_tmpdir();
	struct identity one, two;
	struct errmsg why;

	(void)state;
	start(dir, &one);
	copy_file(dir, copy, "identity");
	assert_int_equal(start_refused(copy, &why), ERR_BADSTATE);
	assert_non_null(strstr(why.text, "conclaved adopt"));
	assert_non_null(strstr(why.text, "inode"));
	assert_int_equal(identity_adopt(copy, &why), OK);
	start(copy, &two);
	assert_int_equal(two.id, one.id);
	assert_string_equal(two.node_id, one.node_id);
	assert_int_equal(two.start, 2);
	test_rmdir(dir);
	test_rmdir(copy);
}

/* The layout on disk, written out: other programs may not change it either. */
static void
write_record(
    const char *dir, const char *machine, uint64_t device, uint64_t inode)
{
	struct buf record = buf_new(1024);
	char *path = path_of(dir, "identity");

	buf_u64(&record, 77);
	buf_u64(&record, 0);
	buf_u64(&record, 5);
	buf_text(&record, "11111111-2222-4333-8444-555555555555");
	buf_text(&record, "");
	buf_u8(&record, 0);
	buf_u8(&record, 0);
	buf_text(&record, machine);
	buf_u64(&record, device);
	buf_u64(&record, inode);
	assert_int_equal(
	    file_write_checked(path, "CONCLIDN", 1, &record, NULL), OK);
	buf_free(&record);
	free(path);
}

static void
hazard_06_machine_and_inode_bind_and_a_device_number_does_not(void **state)
{
	char *dir = test_tmpdir();
	struct identity one;
	struct errmsg why;
	struct stat st;
	bool known = access("/etc/machine-id", R_OK) == 0;

	(void)state;
	assert_int_equal(stat(dir, &st), 0);
	write_record(dir, "", st.st_dev + 1, st.st_ino);
	start(dir, &one); /* another device: as after a reboot */
	assert_int_equal(one.id, 77);
	assert_int_equal(one.start, 6);

	write_record(dir, "", st.st_dev, st.st_ino + 1);
	assert_int_equal(start_refused(dir, &why), ERR_BADSTATE);

	write_record(dir, "somebody-elses", st.st_dev, st.st_ino);
	if (known) {
		assert_int_equal(start_refused(dir, &why), ERR_BADSTATE);
		assert_non_null(strstr(why.text, "somebody-elses"));
		assert_int_equal(identity_adopt(dir, &why), OK);
	}
	start(dir, &one);
	test_rmdir(dir);
}

static void
a_damaged_newer_or_lost_identity_refuses(void **state)
{
	static const char *const traces[] = {
	    IDENTITY_RAFT_DIR, IDENTITY_STATE_DIR, "ballot", "promise"};
	struct buf nothing = buf_new(16);
	char *dir, *path;
	struct errmsg why;

	(void)state;
	dir = test_tmpdir();
	path = path_of(dir, "identity");
	assert_int_equal(
	    file_write_checked(path, "CONCLIDN", 2, &nothing, NULL), OK);
	assert_int_equal(start_refused(dir, &why), ERR_UNSUPPORTED);
	assert_int_equal(
	    file_write_checked(path, "CONCLIDN", 1, &nothing, NULL), OK);
	assert_int_equal(start_refused(dir, &why), ERR_CORRUPT);
	touch(dir, "identity");
	assert_int_equal(start_refused(dir, &why), ERR_CORRUPT);
	free(path);
	test_rmdir(dir);

	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		dir = test_tmpdir();
		touch(dir, traces[i]);
		assert_int_equal(start_refused(dir, &why), ERR_CORRUPT);
		assert_non_null(strstr(why.text, traces[i]));
		test_rmdir(dir);
	}
}

static void
renew_takes_a_new_id_and_sets_everything_of_the_old_aside(void **state)
{
	char *dir = test_tmpdir();
	struct identity one, two;
	struct errmsg why;
	uint64_t first, old;
	int lock;

	(void)state;
	assert_int_equal(identity_open(dir, &one, &lock, &why), OK);
	first = one.id;
	one.bootstrapped = true;
	make_dir(dir, IDENTITY_RAFT_DIR);
	make_dir(dir, IDENTITY_STATE_DIR);
	touch(dir, "raft/metadata1");
	touch(dir, "ballot");
	touch(dir, "promise");
	make_dir(dir, "damaged-1");
	assert_int_equal(identity_renew(&one, &old, &why), OK);
	assert_int_equal(old, first);
	assert_int_equal(one.previous, first);
	assert_int_not_equal(one.id, first);
	assert_false(one.bootstrapped); /* nobody has added this one */
	assert_true(there(dir, "damaged-2/raft/metadata1"));
	assert_true(there(dir, "damaged-2/state"));
	assert_true(there(dir, "damaged-2/ballot"));
	assert_false(there(dir, IDENTITY_RAFT_DIR));
	assert_false(there(dir, IDENTITY_STATE_DIR));
	assert_false(there(dir, "ballot"));
	assert_true(there(dir, "promise")); /* still of that cluster */
	close(lock);
	start(dir, &two);
	assert_int_equal(two.id, one.id);
	assert_int_equal(two.previous, first);
	assert_string_equal(two.node_id, one.node_id);
	identity_free(&one);
	test_rmdir(dir);
}

static void
a_renewal_cut_short_is_finished_by_the_next_start(void **state)
{
	char *dir = test_tmpdir();
	struct identity one;
	struct errmsg why;
	uint64_t old_id, new_id;
	int lock;

	(void)state;
	assert_int_equal(identity_open(dir, &one, &lock, &why), OK);
	old_id = one.id;
	make_dir(dir, IDENTITY_RAFT_DIR);
	touch(dir, "ballot");
	/* the state a crash leaves right after the new id became durable */
	one.previous = one.id;
	one.id = new_id = old_id / 2 + 1;
	one.renewing = true;
	assert_int_equal(identity_store(&one, &why), OK);
	identity_free(&one);
	close(lock);

	start(dir, &one);
	assert_int_equal(one.id, new_id);
	assert_false(there(dir, IDENTITY_RAFT_DIR));
	assert_true(there(dir, "damaged-1/raft"));
	start(dir, &one);
	assert_false(there(dir, "damaged-2"));
	test_rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		the_first_start_makes_a_private_directory_and_draws_an_id),
	    cmocka_unit_test(
		hazard_06_each_start_keeps_the_ids_and_raises_the_counter),
	    cmocka_unit_test(
		a_second_process_is_refused_and_the_first_one_named),
	    cmocka_unit_test(
		hazard_06_a_copied_directory_refuses_until_adopted),
	    cmocka_unit_test(
		hazard_06_machine_and_inode_bind_and_a_device_number_does_not),
	    cmocka_unit_test(a_damaged_newer_or_lost_identity_refuses),
	    cmocka_unit_test(
		renew_takes_a_new_id_and_sets_everything_of_the_old_aside),
	    cmocka_unit_test(a_renewal_cut_short_is_finished_by_the_next_start),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
