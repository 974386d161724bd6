/*
 * Goal: after an unclean stop the rows prove themselves, or the state is
 * dropped; until then nothing calls it clean (hazard 5).
 * Method: a database left open, a flipped byte in its file, a child process
 * that has to end.
 */
#include "server/cluster/proof.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "server/log.h"
#include "server/loop.h"
#include "server/worker.h"
#include "storage/txn.h"
#include "tests/support/test.h"

#define MAP_SIZE (1u << 20)

static const char value[] = "a value that can be found in the file";

static struct db *
open_db(const char *dir, bool *rebuilt)
{
	struct db *db = NULL;
	struct errmsg why;

	assert_int_equal(db_open(dir, MAP_SIZE, rebuilt, &db, &why), OK);
	return db;
}

/* A database with a row, left as by kill -9. */
static char *
left_open(void)
{
	char *dir = test_tmpdir();
	bool rebuilt;
	struct db *db = open_db(dir, &rebuilt);
	struct txn *txn;
	struct errmsg why;

	assert_false(db_unproven(db)); /* fresh */
	assert_int_equal(txn_write(db, &txn, &why), OK);
	assert_int_equal(txn_put(txn, 1, "k", 1, value, sizeof(value)), OK);
	assert_int_equal(txn_commit(txn, &why), OK);
	db_abandon(db);
	return dir;
}

static void
flip(const char *dir)
{
	char path[512], *file, *at;
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	at = memmem(file, (size_t)st.st_size, value, sizeof(value));
	assert_non_null(at);
	at[3] ^= 1;
	(void)munmap(file, (size_t)st.st_size);
	(void)close(fd);
}

static void
note(void *arg)
{
	bool *done = arg;

	*done = true;
}

/* Prove it and wait. */
static void
prove(struct db *db)
{
	struct worker *worker;
	struct loop *loop;
	struct errmsg why;
	bool done = false;

	assert_int_equal(loop_new("raft", &loop, &why), OK);
	assert_int_equal(worker_new(1, 8, &worker, &why), OK);
	assert_true(proof_begin(db, loop, worker, note, &done));
	while (!done)
		(void)uv_run(loop_uv(loop), UV_RUN_ONCE);
	worker_free(worker);
	loop_free(loop);
}

static void
hazard_05_a_sound_state_is_proven_once(void **state)
{
	char *dir = left_open();
	bool rebuilt;
	struct db *db;

	(void)state;
	log_configure(LOG_ERROR, false);
	db = open_db(dir, &rebuilt);
	assert_false(rebuilt);
	assert_true(db_unproven(db));
	db_close(db); /* too early: it is not marked clean */
	db = open_db(dir, &rebuilt);
	assert_false(rebuilt);
	assert_true(db_unproven(db));
	prove(db);
	assert_false(db_unproven(db));
	assert_false(proof_begin(db, NULL, NULL, NULL, NULL));
	db_close(db);
	db = open_db(dir, &rebuilt);
	assert_false(rebuilt);
	assert_false(db_unproven(db));
	db_close(db);
	test_rmdir(dir);
}

static void
hazard_05_a_rotten_state_ends_the_process_and_is_dropped(void **state)
{
	char *dir = left_open();
	bool rebuilt;
	struct db *db;
	int status;
	pid_t pid;

	(void)state;
	flip(dir);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		(void)dup2(null, 1);
		(void)dup2(null, 2);
		prove(open_db(dir, &rebuilt));
		_exit(0); /* it was believed */
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	db = open_db(dir, &rebuilt);
	assert_true(rebuilt);
	assert_false(db_unproven(db));
	db_close(db);
	test_rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hazard_05_a_sound_state_is_proven_once),
	    cmocka_unit_test(
		hazard_05_a_rotten_state_ends_the_process_and_is_dropped),
	};

	return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
