/*
 * The end of a node, in order: leadership handed on -> what waits is answered
 * -> libraft closes -> the transport -> closed. The state stays open until
 * node_free, because client loops may still read it.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "server/cluster/calls.h"
#include "server/cluster/consensus.h"
#include "server/cluster/disk.h"
#include "server/cluster/formation.h"
#include "server/cluster/identity.h"
#include "server/cluster/members.h"
#include "server/cluster/membership.h"
#include "server/cluster/node_impl.h"
#include "server/cluster/operator.h"
#include "server/cluster/proposals.h"
#include "server/cluster/quorum.h"
#include "server/cluster/reads.h"
#include "server/cluster/statehash.h"
#include "server/cluster/status.h"
#include "server/cluster/transport.h"
#include "server/duration.h"
#include "server/log.h"

#define HANDOVER_MS 1000 /* longest wait for a transfer at stop */

static void
timer_closed(uv_handle_t *handle)
{
	struct node *n = handle->data;

	n->timer_open = false;
	n->closed(n->closed_arg);
}

static void
transport_closed(void *arg)
{
	struct node *n = arg;

	disk_close(n->disk);
	n->disk = NULL;
	uv_close((uv_handle_t *)&n->timer, timer_closed);
}

static void
consensus_closed(void *arg)
{
	struct node *n = arg;

	transport_stop(n->transport, transport_closed, n);
}

static void
stop_parts(struct node *n)
{
	n->env.stopping = true;
	(void)uv_timer_stop(&n->timer);
	node_tell_role(n);
	membership_stop(n->env.membership);
	proposals_stop(n->proposals);
	reads_stop(n->reads);
	calls_stop(n->calls);
	consensus_stop(n->consensus, consensus_closed, n);
}

/* Wait until somebody else leads, at most HANDOVER_MS. */
static void
on_handover(uv_timer_t *timer)
{
	struct node *n = timer->data;

	if (consensus_leading(n->consensus) && time_mono_ms() < n->handover_ms)
		return;
	stop_parts(n);
}

static void
handed_over(void *arg)
{
	(void)arg; /* on_handover looks */
}

void
node_stop(struct node *n, void (*closed)(void *arg), void *arg)
{
	struct errmsg why;

	assert(n->timer_open && n->closed == NULL);
	n->closed = closed;
	n->closed_arg = arg;
	if (n->started && consensus_leading(n->consensus) &&
	    membership_transfer(n->env.membership, 0, handed_over, n, &why) ==
		OK) {
		log_event(LOG_INFO, "raft", "handing leadership on");
		n->handover_ms = time_mono_ms() + HANDOVER_MS;
		(void)uv_timer_start(&n->timer, on_handover, 10, 10);
		return;
	}
	stop_parts(n);
}

static void
note_closed(void *arg)
{
	bool *closed = arg;

	*closed = true;
}

static void
note_timer_closed(uv_handle_t *handle)
{
	struct node *n = handle->data;

	n->timer_open = false;
}

/* Opened and never stopped; nobody else runs the loop. */
static void
close_here(struct node *n)
{
	bool raft_closed = n->consensus == NULL;
	bool transport_closed = n->transport == NULL;
	uv_loop_t *uv = loop_uv(n->env.loop);

	n->env.stopping = true;
	if (n->timer_open)
		uv_close((uv_handle_t *)&n->timer, note_timer_closed);
	if (!raft_closed)
		consensus_stop(n->consensus, note_closed, &raft_closed);
	if (!transport_closed)
		transport_stop(n->transport, note_closed, &transport_closed);
	while (n->timer_open || !raft_closed || !transport_closed)
		(void)uv_run(uv, UV_RUN_ONCE);
}

void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	if (n->closed == NULL)
		close_here(n);
	transport_free(n->transport);
	consensus_free(n->consensus);
	membership_free(n->env.membership);
	rpctls_close(&n->tls);
	disk_close(n->disk);
	operator_free(n->operator);
	statehash_free(n->statehash);
	formation_free(n->formation);
	members_free(n->members);
	quorum_free(n->quorum);
	calls_free(n->calls);
	reads_free(n->reads);
	proposals_free(n->proposals);
	status_free(n->status);
	identity_free(&n->identity);
	if (n->lock >= 0)
		(void)close(n->lock);
	free(n);
}
