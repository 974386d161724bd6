#include "server/cluster/quorum.h"

#include <stdlib.h>
#include <string.h>

#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/node.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/metrics.h"
#include "storage/buf.h"

#define ROUNDS_MAX    8
#define PULSE_MS      500  /* between pings for facts alone */
#define FACT_FRESH_MS 2000 /* older clocks do not count */

struct round {
	uint64_t number; /* 0 = free */
	uint64_t term, begun_ms;
	unsigned yes_count;
	uint64_t yes[NODE_MEMBERS_MAX];
};

struct quorum {
	struct env *env;
	quorum_cb cb;
	void *arg;
	uint64_t last, pulse_ms;
	struct round rounds[ROUNDS_MAX];
	struct quorum_facts facts[NODE_MEMBERS_MAX];
};

enum err
quorum_new(struct env *env, quorum_cb cb, void *arg, struct quorum **out,
    struct errmsg *why)
{
	struct quorum *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*q = (struct quorum){.env = env, .cb = cb, .arg = arg};
	*out = q;
	return OK;
}

void
quorum_free(struct quorum *q)
{
	free(q);
}

static void
end_round(struct quorum *q, struct round *round, bool proved)
{
	uint64_t number = round->number;

	round->number = 0;
	q->cb(q->arg, number, proved);
}

/* A majority of the voters of this moment's configuration? */
static bool
is_majority(const struct quorum *q, const struct round *round)
{
	const struct consensus *c = q->env->consensus;
	unsigned yes = consensus_is_voter(c, q->env->identity->id) ? 1 : 0;

	for (unsigned i = 0; i < round->yes_count; i++)
		yes += consensus_is_voter(c, round->yes[i]);
	return yes * 2 > consensus_voters(c);
}

static void
ping_voters(struct quorum *q, uint64_t nonce, uint64_t term)
{
	const struct raft_configuration *conf =
	    &consensus_raft(q->env->consensus)->configuration;
	struct buf out = buf_new(16);

	buf_u64(&out, nonce);
	buf_u64(&out, term);
	for (unsigned i = 0; out.failed == OK && i < conf->n; i++) {
		if (conf->servers[i].id == q->env->identity->id)
			continue;
		/* A peer that is not connected simply does not answer. */
		(void)!transport_send(q->env->transport, conf->servers[i].id,
		    false, FRAME_PING, out.data, out.size);
	}
	buf_free(&out);
}

uint64_t
quorum_next(const struct quorum *q)
{
	return q->last + 1;
}

bool
quorum_begin(struct quorum *q)
{
	struct round *round = NULL;

	if (!consensus_leading(q->env->consensus))
		return false;
	for (size_t i = 0; i < ROUNDS_MAX && round == NULL; i++) {
		if (q->rounds[i].number == 0)
			round = &q->rounds[i];
	}
	if (round == NULL)
		return false;
	*round = (struct round){.number = ++q->last,
	    .term = consensus_term(q->env->consensus),
	    .begun_ms = time_mono_ms()};
	q->pulse_ms = round->begun_ms;
	metrics_add(METRIC_RAFT_BARRIERS, 1);
	ping_voters(q, round->number, round->term);
	if (is_majority(q, round))
		end_round(q, round, true);
	return true;
}

void
quorum_pulse(struct quorum *q)
{
	q->pulse_ms = time_mono_ms();
	ping_voters(q, 0, consensus_term(q->env->consensus));
}

static void
answer_ping(struct quorum *q, uint64_t from, struct reader in)
{
	const struct consensus *c = q->env->consensus;
	struct raft *raft = consensus_raft(q->env->consensus);
	struct buf out = buf_new(128);
	uint64_t nonce, term;

	if (!read_u64(&in, &nonce) || !read_u64(&in, &term))
		return;
	buf_u64(&out, nonce);
	buf_u64(&out, consensus_term(c));
	buf_u8(&out,
	    term == consensus_term(c) && consensus_leader(c) == from &&
		!q->env->stopping);
	buf_u64(&out, (uint64_t)time_wall_ms());
	buf_u8(&out, q->env->low_disk);
	buf_u64(&out, raft_last_index(raft));
	buf_u64(&out, consensus_term(c));
	buf_u64(&out, machine_visible(consensus_machine(q->env->consensus)));
	if (out.failed == OK)
		(void)!transport_send(q->env->transport, from, false,
		    FRAME_PONG, out.data, out.size);
	buf_free(&out);
}

static struct quorum_facts *
facts_of(struct quorum *q, uint64_t id)
{
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
		if (q->facts[i].id == id || q->facts[i].id == 0) {
			q->facts[i].id = id;
			return &q->facts[i];
		}
	}
	return NULL;
}

static void
take_pong(struct quorum *q, uint64_t from, struct reader in)
{
	struct quorum_facts *facts = facts_of(q, from), fresh = {.id = from};
	struct round *round = NULL;
	uint64_t nonce, term, wall;
	uint8_t yes, low;

	if (!read_u64(&in, &nonce) || !read_u64(&in, &term) ||
	    !read_u8(&in, &yes) || !read_u64(&in, &wall) ||
	    !read_u8(&in, &low) || !read_u64(&in, &fresh.last_index) ||
	    !read_u64(&in, &fresh.last_term) || !read_u64(&in, &fresh.visible))
		return;
	fresh.heard_ms = time_mono_ms();
	fresh.clock_ms = (int64_t)wall - time_wall_ms();
	fresh.low_disk = low != 0;
	if (facts != NULL)
		*facts = fresh;
	for (size_t i = 0; i < ROUNDS_MAX; i++) {
		if (q->rounds[i].number == nonce && nonce != 0)
			round = &q->rounds[i];
	}
	if (round == NULL || !yes || term != round->term ||
	    round->term != consensus_term(q->env->consensus) ||
	    round->yes_count >= NODE_MEMBERS_MAX)
		return;
	for (unsigned i = 0; i < round->yes_count; i++) {
		if (round->yes[i] == from)
			return;
	}
	round->yes[round->yes_count++] = from;
	if (is_majority(q, round))
		end_round(q, round, true);
}

void
quorum_frame(struct quorum *q, uint64_t from, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};

	if (frame->type == FRAME_PING)
		answer_ping(q, from, in);
	else
		take_pong(q, from, in);
}

void
quorum_tick(struct quorum *q, uint64_t now_ms)
{
	uint64_t limit = q->env->config->election_ms;

	for (size_t i = 0; i < ROUNDS_MAX; i++) {
		if (q->rounds[i].number != 0 &&
		    now_ms - q->rounds[i].begun_ms > limit)
			end_round(q, &q->rounds[i], false);
	}
	if (consensus_leading(q->env->consensus) &&
	    now_ms - q->pulse_ms >= PULSE_MS)
		quorum_pulse(q);
}

void
quorum_reset(struct quorum *q)
{
	for (size_t i = 0; i < ROUNDS_MAX; i++) {
		if (q->rounds[i].number != 0)
			end_round(q, &q->rounds[i], false);
	}
	memset(q->facts, 0, sizeof(q->facts));
}

const struct quorum_facts *
quorum_facts(const struct quorum *q, uint64_t id)
{
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
		if (q->facts[i].id == id && id != 0)
			return &q->facts[i];
	}
	return NULL;
}

bool
quorum_low_disk(const struct quorum *q)
{
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
		if (q->facts[i].id != 0 && q->facts[i].low_disk &&
		    consensus_is_voter(q->env->consensus, q->facts[i].id))
			return true;
	}
	return false;
}

static int
compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int64_t
quorum_time_ms(const struct quorum *q, bool *sure)
{
	const struct consensus *c = q->env->consensus;
	int64_t offsets[NODE_MEMBERS_MAX + 1];
	uint64_t now = time_mono_ms();
	size_t n = 0;

	if (consensus_is_voter(c, q->env->identity->id))
		offsets[n++] = 0;
	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
		if (q->facts[i].heard_ms != 0 &&
		    now - q->facts[i].heard_ms <= FACT_FRESH_MS &&
		    consensus_is_voter(c, q->facts[i].id))
			offsets[n++] = q->facts[i].clock_ms;
	}
	*sure = n * 2 > consensus_voters(c);
	if (n == 0)
		return time_wall_ms();
	qsort(offsets, n, sizeof(offsets[0]), compare_i64);
	/* The lower median of an even number: never ahead of a majority. */
	return time_wall_ms() + offsets[(n - 1) / 2];
}
