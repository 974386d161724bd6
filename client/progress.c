#include "client/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct progress {
	const char *whom;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool over;
};

static void *
show(void *arg)
{
	struct progress *progress = arg;
	struct timespec next;
	unsigned seconds = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	(void)pthread_mutex_lock(&progress->lock);
	while (!progress->over) {
		next.tv_sec++;
		while (!progress->over &&
		    pthread_cond_timedwait(
			&progress->ended, &progress->lock, &next) != ETIMEDOUT)
			;
		if (progress->over)
			break;
		(void)fprintf(stderr, "\rwaiting for %.60s, %u s",
		    progress->whom, ++seconds);
		(void)fflush(stderr);
	}
	(void)pthread_mutex_unlock(&progress->lock);
	if (seconds > 0)
		(void)fputs("\r\033[K", stderr);
	return NULL;
}

struct progress *
progress_begin(const char *whom)
{
	struct progress *progress;
	pthread_condattr_t attr;
	int rc;

	if (!isatty(STDERR_FILENO))
		return NULL;
	progress = calloc(1, sizeof(*progress));
	if (progress == NULL)
		return NULL;
	progress->whom = whom;
	(void)pthread_mutex_init(&progress->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&progress->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
	rc = pthread_create(&progress->thread, NULL, show, progress);
	if (rc == 0)
		return progress;
	free(progress);
	return NULL;
}

void
progress_end(struct progress *progress)
{
	if (progress == NULL)
		return;
	(void)pthread_mutex_lock(&progress->lock);
	progress->over = true;
	(void)pthread_cond_signal(&progress->ended);
	(void)pthread_mutex_unlock(&progress->lock);
	(void)pthread_join(progress->thread, NULL);
	(void)pthread_cond_destroy(&progress->ended);
	(void)pthread_mutex_destroy(&progress->lock);
	free(progress);
}
