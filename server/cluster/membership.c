#include "server/cluster/membership.h"

#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/cluster/consensus.h"
#include "server/duration.h"

/* One that is wanted, waited for or begun; done NULL: none. */
struct transfer {
	void (*done)(void *arg);
	void *arg;
	uint64_t id; /* 0 = any */
	uint64_t deadline_ms;
	bool begun;
};

struct membership {
	struct consensus *consensus;
	bool changing;
	struct transfer transfer;
	struct raft_transfer req;
};

enum err
membership_new(
    struct consensus *consensus, struct membership **out, struct errmsg *why)
{
	struct membership *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	m->consensus = consensus;
	*out = m;
	return OK;
}

void
membership_free(struct membership *m)
{
	free(m);
}

struct change {
	struct raft_change req;
	struct membership *m;
	membership_cb cb;
	void *arg;
};

static void
change_done(struct raft_change *req, int status)
{
	struct change *ch = CONTAINER_OF(req, struct change, req);
	enum err rc = OK;

	ch->m->changing = false;
	if (status == RAFT_LEADERSHIPLOST || status == RAFT_SHUTDOWN)
		rc = ERR_UNKNOWN;
	else if (status != 0)
		rc = ERR_TIMEOUT; /* it did not catch up */
	ch->cb(ch->arg, rc);
	free(ch);
}

enum err
membership_change(struct membership *m, enum membership_change change,
    uint64_t id, membership_cb cb, void *arg, struct errmsg *why)
{
	char address[24];
	struct change *ch;
	struct raft *raft = consensus_raft(m->consensus);
	int rv = 0;

	if (!consensus_ready(m->consensus))
		return err_set(why, ERR_NOTLEADER, "not the leader");
	if (m->changing || membership_transferring(m))
		return err_set(why, ERR_BUSY, "%s is under way",
		    m->changing ? "another membership change" : "a transfer");
	ch = calloc(1, sizeof(*ch));
	if (ch == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*ch = (struct change){.m = m, .cb = cb, .arg = arg};
	(void)snprintf(address, sizeof(address), "%016" PRIx64, id);
	switch (change) {
	case MEMBERSHIP_ADD:
		rv = raft_add(raft, &ch->req, id, address, change_done);
		break;
	case MEMBERSHIP_STANDBY:
	case MEMBERSHIP_VOTER:
		rv = raft_assign(raft, &ch->req, id,
		    change == MEMBERSHIP_VOTER ? RAFT_VOTER : RAFT_STANDBY,
		    change_done);
		break;
	case MEMBERSHIP_REMOVE:
		rv = raft_remove(raft, &ch->req, id, change_done);
		break;
	}
	if (rv != 0) {
		/* A refused assignment is kept, and would be called back at the
		 * end of our leadership. */
		if (raft->legacy.change == &ch->req)
			raft->legacy.change = NULL;
		free(ch);
		return err_set(why,
		    rv == RAFT_NOTLEADER        ? ERR_NOTLEADER
			: rv == RAFT_CANTCHANGE ? ERR_BUSY
			: rv == RAFT_BADID      ? ERR_NOTFOUND
			: rv == RAFT_NOSPACE    ? ERR_FULL
						: ERR_BADSTATE,
		    "membership of server %016" PRIx64 ": %s", id,
		    raft_errmsg(raft));
	}
	m->changing = true;
	return OK;
}

/* ---- transfer --------------------------------------------------------------
 */

static void
transfer_end(struct membership *m)
{
	struct transfer t = m->transfer;

	m->transfer = (struct transfer){0};
	t.done(t.arg);
}

static void
transfer_done(struct raft_transfer *req)
{
	transfer_end(CONTAINER_OF(req, struct membership, req));
}

/* The voter that is furthest; 0 = there is no other. */
static uint64_t
furthest(const struct membership *m)
{
	const struct raft *raft = consensus_raft(m->consensus);
	const struct raft_configuration *conf = &raft->configuration;
	raft_index match, best = 0;
	uint64_t found = 0;

	for (unsigned i = 0; i < conf->n; i++) {
		const struct raft_server *s = &conf->servers[i];

		if (s->role != RAFT_VOTER || s->id == raft->id ||
		    raft_match_index(raft, s->id, &match) != 0 || match < best)
			continue;
		best = match;
		found = s->id;
	}
	return found;
}

static bool
has_all(const struct membership *m, uint64_t id)
{
	struct raft *raft = consensus_raft(m->consensus);
	raft_index match;

	return raft_match_index(raft, id, &match) == 0 &&
	    match == raft_last_index(raft);
}

/*
 * libraft asks the other to take over with its first acknowledgement, whether
 * entries are on their way to it or not; the other ignores that while it has
 * not stored every entry, and libraft does not ask again. So nothing may be
 * on its way: no entry is begun, and what is under way is waited for.
 */
void
membership_turn(struct membership *m)
{
	struct transfer *t = &m->transfer;
	uint64_t target;

	if (t->done == NULL || t->begun)
		return;
	if (!consensus_leading(m->consensus) ||
	    time_mono_ms() >= t->deadline_ms) {
		transfer_end(m);
		return;
	}
	target = t->id != 0 ? t->id : furthest(m);
	if (target == 0 || !has_all(m, target))
		return;
	t->begun = raft_transfer(consensus_raft(m->consensus), &m->req, target,
		       transfer_done) == 0;
	if (!t->begun)
		transfer_end(m);
}

bool
membership_transferring(const struct membership *m)
{
	return m->transfer.done != NULL;
}

void
membership_stop(struct membership *m)
{
	if (m->transfer.done != NULL && !m->transfer.begun)
		transfer_end(m);
}

enum err
membership_transfer(struct membership *m, uint64_t id, void (*done)(void *arg),
    void *arg, struct errmsg *why)
{
	if (!consensus_leading(m->consensus))
		return err_set(why, ERR_NOTLEADER, "not the leader");
	if (m->changing || membership_transferring(m))
		return err_set(why, ERR_BUSY, "%s is under way",
		    m->changing ? "a membership change" : "a transfer");
	if (id == 0 ? consensus_voters(m->consensus) < 2
		    : !consensus_is_voter(m->consensus, id))
		return err_set(why, ERR_NOTFOUND,
		    id == 0 ? "no other voter" : "cannot find peer");
	m->transfer = (struct transfer){.done = done,
	    .arg = arg,
	    .id = id,
	    .deadline_ms = time_mono_ms() + MEMBERSHIP_WAIT_MS};
	return OK;
}
