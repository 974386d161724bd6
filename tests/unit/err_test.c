/*
 * Goal: every code has a name of its own, sentences are cut and never overrun.
 * Method: all codes and one unknown; sentences around the size of errmsg.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test.h"

static void
every_code_has_its_own_name(void **state)
{
	(void)state;
	for (int a = OK; a <= ERR_REMOVED; a++) {
		assert_non_null(err_text((enum err)a));
		assert_string_not_equal(err_text((enum err)a), "unknown error");
		for (int b = OK; b < a; b++) {
			assert_string_not_equal(
			    err_text((enum err)a), err_text((enum err)b));
		}
	}
}

static void
a_code_from_a_newer_peer_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(
	    err_text((enum err)(ERR_REMOVED + 1)), "unknown error");
	assert_string_equal(err_text((enum err)255), "unknown error");
}

static void
set_formats_and_returns_the_code(void **state)
{
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    err_set(&why, ERR_LIMIT, "%d of %s", 7, "x"), ERR_LIMIT);
	assert_string_equal(why.text, "7 of x");
	assert_int_equal(err_set(NULL, ERR_IO, "%d", 1), ERR_IO);
}

static void
set_cuts_a_long_sentence(void **state)
{
	struct {
		struct errmsg why;
		char guard;
	} box = {.guard = 'g'};
	char text[ERRMSG_SIZE * 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(err_set(&box.why, ERR_IO, "%s", text), ERR_IO);
	assert_int_equal(strlen(box.why.text), ERRMSG_SIZE - 1);
	assert_int_equal(box.guard, 'g');
}

static void
die_ends_the_process_with_status_1_and_the_sentence(void **state)
{
	char text[64] = "";
	int pipe_fd[2], status;
	size_t size = 0;
	ssize_t got;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(pipe_fd[1], STDERR_FILENO);
		err_die("vote %d", 3);
	}
	(void)close(pipe_fd[1]);
	do { /* the sentence may come in pieces */
		got = read(pipe_fd[0], text + size, sizeof(text) - 1 - size);
		assert_true(got >= 0);
		size += (size_t)got;
	} while (got > 0);
	(void)close(pipe_fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(text, "vote 3\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_code_has_its_own_name),
	    cmocka_unit_test(a_code_from_a_newer_peer_has_a_name),
	    cmocka_unit_test(set_formats_and_returns_the_code),
	    cmocka_unit_test(set_cuts_a_long_sentence),
	    cmocka_unit_test(
		die_ends_the_process_with_status_1_and_the_sentence),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
