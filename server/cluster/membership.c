#include "server/cluster/membership.h"

#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/cluster/consensus.h"

struct membership {
	struct consensus *consensus;
	bool changing, transferring;
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
	if (m->changing)
		return err_set(
		    why, ERR_BUSY, "another membership change is under way");
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
		free(ch);
		return err_set(why,
		    rv == RAFT_NOTLEADER        ? ERR_NOTLEADER
			: rv == RAFT_CANTCHANGE ? ERR_BUSY
			: rv == RAFT_BADID      ? ERR_NOTFOUND
						: ERR_BADSTATE,
		    "membership of server %016" PRIx64 ": %s", id,
		    raft_errmsg(raft));
	}
	m->changing = true;
	return OK;
}

struct transfer {
	struct raft_transfer req;
	struct membership *m;
	void (*done)(void *arg);
	void *arg;
};

static void
transfer_done(struct raft_transfer *req)
{
	struct transfer *t = CONTAINER_OF(req, struct transfer, req);

	t->m->transferring = false;
	t->done(t->arg);
	free(t);
}

enum err
membership_transfer(struct membership *m, uint64_t id, void (*done)(void *arg),
    void *arg, struct errmsg *why)
{
	struct raft *raft = consensus_raft(m->consensus);
	struct transfer *t;
	int rv;

	if (!consensus_leading(m->consensus))
		return err_set(why, ERR_NOTLEADER, "not the leader");
	if (m->transferring)
		return err_set(why, ERR_BUSY, "a transfer is under way");
	if (id == 0 ? consensus_voters(m->consensus) < 2
		    : !consensus_is_voter(m->consensus, id))
		return err_set(why, ERR_NOTFOUND,
		    id == 0 ? "no other voter" : "cannot find peer");
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*t = (struct transfer){.m = m, .done = done, .arg = arg};
	rv = raft_transfer(raft, &t->req, id, transfer_done);
	if (rv != 0) {
		free(t);
		return err_set(why,
		    rv == RAFT_NOTLEADER ? ERR_NOTLEADER : ERR_BADSTATE, "%s",
		    raft_errmsg(raft));
	}
	m->transferring = true;
	return OK;
}
