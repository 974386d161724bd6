/*
 * topic - the name under which a change to one object wakes those who wait.
 *
 * A topic is 64 bits: the table number in the top byte, an FNV-1a hash of the
 * object's key below. Two objects that collide only wake each other's readers
 * for nothing: a reader always looks again. Pure; any thread.
 */
#ifndef FSM_TOPIC_H
#define FSM_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/table.h"

#define TOPICS_MAX 128 /* in one set; above it the set means "all" */

/* Topic of one object, or with size 0 of the whole table (a listing). */
uint64_t topic_of(enum table table, const void *key, size_t size);

/* A small set of topics; plain, the caller embeds it. */
struct topics {
	size_t count;
	bool all; /* everything may have changed (restore, overflow) */
	uint64_t ids[TOPICS_MAX];
};

void topics_add(struct topics *set, uint64_t topic);
void topics_merge(struct topics *set, const struct topics *more);
bool topics_has(const struct topics *set, uint64_t topic);

#endif
