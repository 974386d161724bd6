#include "server/api/crowd.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024 /* power of two */

struct crowd_seat {
	struct crowd_seat *next;
	uint8_t address[CROWD_ADDRESS];
	unsigned count;
};

struct crowd {
	pthread_mutex_t lock;
	unsigned max;
	struct crowd_seat *buckets[BUCKETS];
};

enum err
crowd_new(unsigned max, struct crowd **out, struct errmsg *why)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	if (crowd == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	if (pthread_mutex_init(&crowd->lock, NULL) != 0) {
		free(crowd);
		return err_set(why, ERR_INTERNAL, "cannot make a lock");
	}
	crowd->max = max;
	*out = crowd;
	return OK;
}

void
crowd_free(struct crowd *crowd)
{
	if (crowd == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct crowd_seat *next;

		for (struct crowd_seat *seat = crowd->buckets[i]; seat != NULL;
		     seat = next) {
			next = seat->next;
			free(seat);
		}
	}
	pthread_mutex_destroy(&crowd->lock);
	free(crowd);
}

/* Where the pointer to the seat stands, or the end of its chain. */
static struct crowd_seat **
locate(struct crowd *crowd, const uint8_t *address)
{
	struct crowd_seat **at;
	uint64_t high, low;

	memcpy(&high, address, sizeof(high));
	memcpy(&low, address + sizeof(high), sizeof(low));
	low = (low ^ high * 31) * UINT64_C(0x9e3779b97f4a7c15);
	at = &crowd->buckets[(low >> 32) % BUCKETS];
	while (
	    *at != NULL && memcmp((*at)->address, address, CROWD_ADDRESS) != 0)
		at = &(*at)->next;
	return at;
}

enum err
crowd_enter(struct crowd *crowd, const uint8_t address[static CROWD_ADDRESS],
    struct crowd_seat **seat)
{
	struct crowd_seat **at;
	enum err rc = OK;

	pthread_mutex_lock(&crowd->lock);
	at = locate(crowd, address);
	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at != NULL)
			memcpy((*at)->address, address, CROWD_ADDRESS);
	}
	if (*at == NULL) {
		rc = ERR_NOMEM;
	} else if ((*at)->count >= crowd->max) {
		rc = ERR_LIMIT;
	} else {
		(*at)->count++;
		*seat = *at;
	}
	pthread_mutex_unlock(&crowd->lock);
	return rc;
}

void
crowd_leave(struct crowd *crowd, struct crowd_seat *seat)
{
	struct crowd_seat **at;

	pthread_mutex_lock(&crowd->lock);
	assert(seat->count > 0);
	if (--seat->count == 0) {
		at = locate(crowd, seat->address);
		assert(*at == seat);
		*at = seat->next;
		free(seat);
	}
	pthread_mutex_unlock(&crowd->lock);
}
