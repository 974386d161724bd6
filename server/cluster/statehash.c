#include "server/cluster/statehash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/node.h"
#include "server/cluster/transport.h"
#include "server/log.h"
#include "server/metrics.h"
#include "storage/buf.h"

enum { ASK = 0, REPORT = 1 };

struct report {
	uint64_t id;
	uint8_t hash[DB_HASH_SIZE];
};

struct statehash {
	struct env *env;
	void (*rotten)(void *arg, uint64_t index);
	void *arg;
	uint64_t asked_ms;
	uint64_t wanted; /* an index asked for, not applied here yet */
	uint64_t index;  /* what the reports are about */
	unsigned count;
	struct report reports[NODE_MEMBERS_MAX];
};

enum err
statehash_new(struct env *env, void (*rotten)(void *arg, uint64_t index),
    void *arg, struct statehash **out, struct errmsg *why)
{
	struct statehash *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*s = (struct statehash){.env = env, .rotten = rotten, .arg = arg};
	*out = s;
	return OK;
}

void
statehash_free(struct statehash *s)
{
	free(s);
}

static void
send_all(struct statehash *s, uint8_t kind, uint64_t index, const uint8_t *hash)
{
	const struct raft_configuration *conf =
	    &consensus_raft(s->env->consensus)->configuration;
	struct buf out = buf_new(64);

	buf_u8(&out, kind);
	buf_u64(&out, index);
	if (hash != NULL)
		buf_raw(&out, hash, DB_HASH_SIZE);
	for (unsigned i = 0; out.failed == OK && i < conf->n; i++) {
		if (conf->servers[i].id != s->env->identity->id)
			(void)!transport_send(s->env->transport,
			    conf->servers[i].id, false, FRAME_STATE_HASH,
			    out.data, out.size);
	}
	buf_free(&out);
}

/* Count voters that share one hash; compare with ours once it is known. */
static void
judge(struct statehash *s)
{
	const struct consensus *c = s->env->consensus;
	uint8_t own[DB_HASH_SIZE];
	unsigned same, differ = 0;

	if (!machine_state_hash(
		consensus_machine(s->env->consensus), s->index, own))
		return;
	for (unsigned i = 0; i < s->count; i++) {
		if (memcmp(s->reports[i].hash, own, DB_HASH_SIZE) == 0)
			continue;
		differ++;
		same = 0;
		for (unsigned k = 0; k < s->count; k++)
			same += consensus_is_voter(c, s->reports[k].id) &&
			    memcmp(s->reports[k].hash, s->reports[i].hash,
				DB_HASH_SIZE) == 0;
		if (same * 2 > consensus_voters(c))
			s->rotten(s->arg, s->index);
	}
	if (differ > 0) {
		metrics_add(METRIC_STATE_HASH_MISMATCH, 1);
		log_event(LOG_ERROR, "raft",
		    "state differs between members: index=%" PRIu64
		    " servers=%u",
		    s->index, differ);
	}
}

static void
take_report(struct statehash *s, uint64_t from, uint64_t index,
    const uint8_t hash[static DB_HASH_SIZE])
{
	if (index < s->index)
		return;
	if (index > s->index) {
		s->index = index;
		s->count = 0;
	}
	for (unsigned i = 0; i < s->count; i++) {
		if (s->reports[i].id == from)
			return;
	}
	if (s->count == NODE_MEMBERS_MAX)
		return;
	s->reports[s->count].id = from;
	memcpy(s->reports[s->count++].hash, hash, DB_HASH_SIZE);
	judge(s);
}

/* Tell ours, once it is visible here. */
static void
report_own(struct statehash *s)
{
	struct machine *machine = consensus_machine(s->env->consensus);
	uint8_t hash[DB_HASH_SIZE];

	if (s->wanted == 0 || machine_visible(machine) < s->wanted)
		return;
	if (machine_state_hash(machine, s->wanted, hash)) {
		send_all(s, REPORT, s->wanted, hash);
		take_report(s, s->env->identity->id, s->wanted, hash);
	}
	s->wanted = 0;
}

void
statehash_frame(struct statehash *s, uint64_t from, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};
	uint8_t kind, hash[DB_HASH_SIZE];
	uint64_t index;

	if (!read_u8(&in, &kind) || !read_u64(&in, &index))
		return;
	if (kind == ASK && from == consensus_leader(s->env->consensus))
		s->wanted = index;
	else if (kind == REPORT && read_raw(&in, hash, sizeof(hash)))
		take_report(s, from, index, hash);
	report_own(s);
}

void
statehash_tick(struct statehash *s, uint64_t now_ms)
{
	struct machine *machine = consensus_machine(s->env->consensus);

	if (consensus_ready(s->env->consensus) &&
	    now_ms - s->asked_ms >= STATEHASH_PERIOD_MS) {
		s->asked_ms = now_ms;
		s->wanted = machine_applied(machine);
		send_all(s, ASK, s->wanted, NULL);
	}
	report_own(s);
}
