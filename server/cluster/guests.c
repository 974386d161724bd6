#include "server/cluster/guests.h"

#include <assert.h>
#include <stdlib.h>

#include "fsm/command.h"
#include "server/cluster/consensus.h"
#include "server/cluster/outbox.h"
#include "server/config.h"
#include "server/duration.h"

struct guests {
	struct env *env;
	unsigned count; /* not yet answered */
	struct outbox *results;
};

enum err
guests_new(struct env *env, struct guests **out, struct errmsg *why)
{
	struct guests *g = calloc(1, sizeof(*g));
	enum err rc;

	if (g == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	g->env = env;
	rc = outbox_new(FRAME_PROPOSE_RESULT, &g->results, why);
	if (rc != OK) {
		free(g);
		return rc;
	}
	*out = g;
	return OK;
}

void
guests_free(struct guests *g)
{
	if (g == NULL)
		return;
	assert(g->count == 0);
	outbox_free(g->results);
	free(g);
}

void
guests_answer(struct guests *g, struct node_proposal *p)
{
	struct buf *out = outbox_item(g->results, g->env->transport, p->peer);

	if (out != NULL) {
		buf_u64(out, p->id.sequence);
		buf_u16(out, (uint16_t)p->status);
		buf_text(out, p->status == OK ? "" : p->why.text);
		if (p->status == OK)
			fsm_result_encode(&p->result, out);
	}
	g->count--;
	buf_wipe(&p->command);
	free(p);
}

static void
refuse(struct guests *g, struct node_proposal *p, enum err status,
    const char *words)
{
	p->status = err_set(&p->why, status, "%s", words);
	guests_answer(g, p);
}

static void
take_one(struct guests *g, struct request_id id, const uint8_t *command,
    size_t size, struct proposal_list *taken)
{
	struct node_proposal *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return; /* the sender's deadline answers it */
	p->peer = id.server;
	p->id = id;
	p->command = buf_new(COMMAND_SIZE_MAX);
	buf_raw(&p->command, command, size);
	p->begun_ms = time_mono_ms();
	g->count++;
	if (p->command.failed != OK)
		refuse(g, p, p->command.failed, err_text(p->command.failed));
	else if (g->count > g->env->config->max_proposals)
		refuse(g, p, ERR_BUSY, "the leader's proposal queue is full");
	else if (!consensus_leading(g->env->consensus))
		refuse(g, p, ERR_NOTLEADER, "not the leader");
	else if (!consensus_has(g->env->consensus, id.server))
		refuse(g, p, ERR_REMOVED, err_text(ERR_REMOVED));
	else
		proposal_list_push(taken, p);
}

void
guests_take(struct guests *g, uint64_t from, struct reader in,
    struct proposal_list *taken)
{
	struct request_id id = {.server = from};
	const uint8_t *command;
	uint16_t count;
	size_t size;

	if (!read_u64(&in, &id.start) || !read_u64(&in, &id.lowest) ||
	    !read_u16(&in, &count))
		return;
	for (uint16_t i = 0; i < count; i++) {
		if (!read_u64(&in, &id.sequence) || id.sequence == 0 ||
		    !read_bytes(&in, COMMAND_SIZE_MAX, &command, &size))
			return;
		take_one(g, id, command, size, taken);
	}
}

void
guests_flush(struct guests *g)
{
	outbox_flush(g->results, g->env->transport);
}

bool
guests_result_decode(struct reader *in, struct guests_result *out)
{
	uint16_t status;
	char *text;

	if (!read_u64(in, &out->sequence) || !read_u16(in, &status) ||
	    read_text(in, ERRMSG_SIZE, &text) != OK)
		return false;
	out->status = (enum err)status;
	(void)err_set(&out->why, OK, "%s", text);
	free(text);
	return status != OK || fsm_result_decode(in, &out->result);
}
