#include "fsm/topic.h"

#include <assert.h>

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)
#define KEY_BITS   56 /* the table number has the rest */

uint64_t
topic_of(enum table table, const void *key, size_t size)
{
	const uint8_t *bytes = key;
	uint64_t hash = FNV_OFFSET;

	assert((unsigned)table <= UINT8_MAX);

	for (size_t i = 0; i < size; i++) {
		hash ^= bytes[i];
		hash *= FNV_PRIME;
	}
	hash ^= hash >> KEY_BITS; /* fold, as the authors of FNV advise */
	hash &= (UINT64_C(1) << KEY_BITS) - 1;
	return (uint64_t)table << KEY_BITS | hash;
}

void
topics_add(struct topics *set, uint64_t topic)
{
	assert(set->count <= TOPICS_MAX);

	if (topics_has(set, topic))
		return;
	if (set->count == TOPICS_MAX) {
		set->all = true;
		set->count = 0;
		return;
	}
	set->ids[set->count++] = topic;
}

void
topics_merge(struct topics *set, const struct topics *more)
{
	assert(more->count <= TOPICS_MAX);

	if (more->all) {
		set->all = true;
		set->count = 0;
		return;
	}
	for (size_t i = 0; i < more->count; i++)
		topics_add(set, more->ids[i]);
}

bool
topics_has(const struct topics *set, uint64_t topic)
{
	if (set->all)
		return true;
	for (size_t i = 0; i < set->count; i++) {
		if (set->ids[i] == topic)
			return true;
	}
	return false;
}
