#include "server/cluster/flights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/entry.h"
#include "server/cluster/consensus.h"

/* One entry between submit and commit. */
struct flight {
	uint64_t index; /* 0 = free */
	uint8_t hash[DB_HASH_SIZE];
	bool resolved; /* applied: results are in the items */
	uint16_t count;
	struct node_proposal *items[ENTRY_COMMANDS_MAX];
};

struct flights {
	struct env *env;
	struct flight slots[FLIGHTS_MAX];
	struct buf entry;
};

enum err
flights_new(struct env *env, struct flights **out, struct errmsg *why)
{
	struct flights *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	f->env = env;
	f->entry = buf_new(ENTRY_SIZE_MAX);
	*out = f;
	return OK;
}

void
flights_free(struct flights *f)
{
	if (f == NULL)
		return;
	buf_wipe(&f->entry);
	free(f);
}

static struct flight *
free_slot(struct flights *f)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (f->slots[i].index == 0)
			return &f->slots[i];
	}
	return NULL;
}

bool
flights_room(const struct flights *f)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (f->slots[i].index == 0)
			return true;
	}
	return false;
}

/* Hand the proposals over; the slot is free again. */
static void
empty(struct flight *flight, struct proposal_list *out)
{
	for (size_t i = 0; i < flight->count; i++)
		proposal_list_push(out, flight->items[i]);
	flight->index = 0;
	flight->count = 0;
	flight->resolved = false;
}

enum err
flights_submit(struct flights *f, struct node_proposal *(*next)(void *arg),
    void *arg, struct proposal_list *back, struct errmsg *why)
{
	struct flight *flight = free_slot(f);
	struct node_proposal *p;
	uint64_t index;
	enum err rc;

	assert(flight != NULL);
	buf_reset(&f->entry);
	consensus_begin(f->env->consensus, &f->entry);
	while (flight->count < ENTRY_COMMANDS_MAX &&
	    f->entry.size < ENTRY_SIZE_SOFT && (p = next(arg)) != NULL) {
		entry_add(&f->entry, &p->id, p->command.data, p->command.size);
		flight->items[flight->count++] = p;
	}
	if (flight->count == 0)
		return ERR_NOTFOUND;
	rc = consensus_submit(f->env->consensus, &f->entry, flight->count,
	    &index, flight->hash, why);
	if (rc == OK)
		flight->index = index;
	else
		empty(flight, back);
	return rc;
}

static struct flight *
find_unresolved(struct flights *f, uint64_t index)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (f->slots[i].index == index && !f->slots[i].resolved)
			return &f->slots[i];
	}
	return NULL;
}

void
flights_applied(struct flights *f, uint64_t index,
    const uint8_t hash[static DB_HASH_SIZE], const struct fsm_outcome *outcome,
    struct proposal_list *overwritten)
{
	struct flight *flight = find_unresolved(f, index);
	struct node_proposal *p;

	if (flight == NULL)
		return;
	if (memcmp(hash, flight->hash, DB_HASH_SIZE) != 0) {
		empty(flight, overwritten);
		return;
	}
	flight->resolved = true;
	for (uint16_t i = 0; i < flight->count; i++) {
		p = flight->items[i];
		if (i < outcome->count) {
			p->result = outcome->results[i];
			continue;
		}
		p->result = (struct fsm_result){.code = ERR_INTERNAL};
		(void)snprintf(p->result.why, sizeof(p->result.why), "%.200s",
		    outcome->why.text);
	}
}

void
flights_committed(struct flights *f, struct proposal_list *done)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		if (f->slots[i].index != 0 && f->slots[i].resolved)
			empty(&f->slots[i], done);
	}
}

void
flights_dropped(struct flights *f, uint64_t index, struct proposal_list *lost)
{
	struct flight *flight = find_unresolved(f, index);

	if (flight != NULL)
		empty(flight, lost);
}

void
flights_stop(struct flights *f, struct proposal_list *lost)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		empty(&f->slots[i], lost);
}
