#include "tests/support/burst.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "fsm/command.h"
#include "server/loop.h"
#include "tests/support/test.h"

#define WAIT_S     20
#define SETTLE_MS  50 /* in which a second answer would show */
#define DOCUMENT   "{}"
#define SCOPE_SIZE 64

struct shot {
	struct node_proposal proposal;
	struct burst *burst;
	unsigned answers;
	char scope[SCOPE_SIZE];
};

struct burst {
	struct trio *trio;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned count, answered;
	struct shot *shots;
};

static void
shot_done(struct node_proposal *proposal)
{
	struct shot *shot = CONTAINER_OF(proposal, struct shot, proposal);
	struct burst *b = shot->burst;

	(void)pthread_mutex_lock(&b->lock);
	shot->answers++;
	b->answered++;
	(void)pthread_cond_broadcast(&b->changed);
	(void)pthread_mutex_unlock(&b->lock);
}

struct burst *
burst_begin(
    struct trio *trio, unsigned server, unsigned count, const char *name)
{
	struct burst *b = calloc(1, sizeof(*b));
	struct command command = {.type = COMMAND_TLSCONF_SET};
	struct errmsg why;

	assert_non_null(b);
	b->shots = calloc(count, sizeof(*b->shots));
	assert_non_null(b->shots);
	b->trio = trio;
	b->count = count;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->changed, NULL);
	for (unsigned i = 0; i < count; i++) {
		struct shot *shot = &b->shots[i];
		struct buf bytes = buf_new(COMMAND_SIZE_MAX);

		shot->burst = b;
		(void)snprintf(
		    shot->scope, sizeof(shot->scope), "%s-%u", name, i);
		command.tlsconf_set.scope = span_of(shot->scope);
		command.tlsconf_set.document = span_of(DOCUMENT);
		assert_int_equal(command_encode(&command, &bytes, &why), OK);
		assert_int_equal(
		    node_propose(trio_node(trio, server), trio_home(trio),
			&bytes, &shot->proposal, shot_done),
		    OK);
	}
	return b;
}

unsigned
burst_answered(struct burst *b)
{
	unsigned n;

	(void)pthread_mutex_lock(&b->lock);
	n = b->answered;
	(void)pthread_mutex_unlock(&b->lock);
	return n;
}

struct burst_tally
burst_wait(struct burst *b)
{
	const struct timespec settle = {0, SETTLE_MS * 1000 * 1000};
	struct burst_tally tally = {0};
	struct timespec until;
	int rv = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	(void)pthread_mutex_lock(&b->lock);
	while (b->answered < b->count && rv == 0)
		rv = pthread_cond_timedwait(&b->changed, &b->lock, &until);
	(void)pthread_mutex_unlock(&b->lock);
	(void)nanosleep(&settle, NULL);
	(void)pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->count; i++) {
		assert_int_equal(b->shots[i].answers, 1);
		switch ((int)b->shots[i].proposal.status) {
		case OK:
			tally.ok++;
			break;
		case ERR_UNKNOWN:
			tally.unknown++;
			break;
		case ERR_CLOSED:
			tally.closed++;
			break;
		case ERR_NOLEADER:
			tally.noleader++;
			break;
		default:
			tally.other++;
			break;
		}
	}
	(void)pthread_mutex_unlock(&b->lock);
	return tally;
}

bool
burst_kept(struct burst *b, unsigned server)
{
	for (unsigned i = 0; i < b->count; i++) {
		if (b->shots[i].proposal.status == OK &&
		    !trio_has(b->trio, server, b->shots[i].scope, DOCUMENT))
			return false;
	}
	return true;
}

void
burst_free(struct burst *b)
{
	(void)pthread_mutex_destroy(&b->lock);
	(void)pthread_cond_destroy(&b->changed);
	free(b->shots);
	free(b);
}
