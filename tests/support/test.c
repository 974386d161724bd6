#include "tests/support/test.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TORTURE_ROUNDS 100000 /* a body that allocates more is a bug */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

char *
test_tmpdir(void)
{
	const char *root = getenv("TMPDIR");
	char *path = NULL;

	if (root == NULL || root[0] == '\0')
		root = "/tmp";
	if (asprintf(&path, "%s/conclave-test-XXXXXX", root) < 0)
		abort();
	if (mkdtemp(path) == NULL) {
		(void)fprintf(
		    stderr, "mkdtemp %s: %s\n", path, strerror(errno));
		abort();
	}
	return path;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void
test_rmdir(char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		(void)fprintf(stderr, "remove %s: %s\n", path, strerror(errno));
	free(path);
}

#ifdef SANITIZED

/* A sanitizer owns malloc; what it checks here is one run without failures. */
void
test_torture(enum err (*body)(void *arg), void *arg)
{
	assert_int_equal(body(arg), OK);
}

#else

/*
 * The program's own malloc and friends go before libc's, for the libraries
 * too. They count, and fail, only on the thread that is being tortured.
 */
static _Thread_local bool armed;
static _Thread_local size_t countdown; /* fails when it reaches 0; 0 never */
static _Thread_local bool hit;         /* it has failed */
static _Thread_local long balance;     /* blocks got minus blocks freed */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *data);

static bool
heap_fails(void)
{
	if (!armed || countdown == 0 || --countdown > 0)
		return false;
	hit = true;
	errno = ENOMEM;
	return true;
}

static void *
heap_count(void *data)
{
	if (armed && data != NULL)
		balance++;
	return data;
}

void *
malloc(size_t size)
{
	return heap_fails() ? NULL : heap_count(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
	return heap_fails() ? NULL : heap_count(__libc_calloc(count, size));
}

void *
realloc(void *old, size_t size)
{
	if (old == NULL)
		return malloc(size);
	if (size == 0) { /* glibc's realloc frees then */
		free(old);
		return NULL;
	}
	return heap_fails() ? NULL : __libc_realloc(old, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return heap_fails() ? NULL
			    : heap_count(__libc_memalign(alignment, size));
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
	void *data = aligned_alloc(alignment, size);

	if (data == NULL)
		return ENOMEM;
	*out = data;
	return 0;
}

void
free(void *data)
{
	if (armed && data != NULL)
		balance--;
	__libc_free(data);
}

/* One run in which the n-th allocation fails (0: none). */
static enum err
torture_round(enum err (*body)(void *arg), void *arg, size_t n)
{
	enum err rc;

	countdown = n;
	hit = false;
	balance = 0;
	armed = true;
	rc = body(arg);
	armed = false;
	return rc;
}

void
test_torture(enum err (*body)(void *arg), void *arg)
{
	/* The first run fills what the libraries keep for ever. */
	assert_int_equal(torture_round(body, arg, 0), OK);
	for (size_t n = 1; n <= TORTURE_ROUNDS; n++) {
		enum err rc = torture_round(body, arg, n);

		if (hit && rc != ERR_NOMEM && rc != OK) {
			fail_msg("allocation %zu failed, answer was \"%s\"", n,
			    err_text(rc));
		}
		/* Kept by a library, once, is no leak: a leak repeats. */
		if (balance > 0)
			(void)torture_round(body, arg, n);
		if (balance > 0) {
			fail_msg("allocation %zu failed, %ld blocks leaked", n,
			    balance);
		}
		if (!hit) {
			assert_int_equal(rc, OK);
			return;
		}
	}
	fail_msg("no end after %d allocations", TORTURE_ROUNDS);
}

#endif
