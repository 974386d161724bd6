#include "server/cluster/forwards.h"

#include "server/cluster/identity.h"
#include "server/cluster/transport.h"
#include "server/metrics.h"

#define FORWARD_SOFT (64 * 1024) /* bytes after which a frame is full */
#define FORWARD_MAX  (1u << 20)

void
proposal_list_init(struct proposal_list *list)
{
	*list = (struct proposal_list){.tail = &list->head};
}

void
proposal_list_push(struct proposal_list *list, struct node_proposal *p)
{
	p->next = NULL;
	*list->tail = p;
	list->tail = &p->next;
	list->count++;
}

void
proposal_list_push_front(struct proposal_list *list, struct node_proposal *p)
{
	p->next = list->head;
	if (list->head == NULL)
		list->tail = &p->next;
	list->head = p;
	list->count++;
}

void
proposal_list_prepend(struct proposal_list *list, struct proposal_list *front)
{
	if (front->head == NULL)
		return;
	*front->tail = list->head;
	if (list->head == NULL)
		list->tail = front->tail;
	list->head = front->head;
	list->count += front->count;
	proposal_list_init(front);
}

struct node_proposal *
proposal_list_pop(struct proposal_list *list)
{
	struct node_proposal *p = list->head;

	if (p == NULL)
		return NULL;
	list->head = p->next;
	if (list->head == NULL)
		list->tail = &list->head;
	list->count--;
	return p;
}

void
forwards_init(struct forwards *f, struct env *env)
{
	*f = (struct forwards){.env = env};
	proposal_list_init(&f->sent);
}

uint64_t
forwards_lowest(const struct forwards *f)
{
	return f->oldest->id.sequence;
}

void
forwards_forget(struct forwards *f, struct node_proposal *p)
{
	if (p->home == NULL || p->id.sequence == 0)
		return;
	if (p->older != NULL)
		p->older->newer = p->newer;
	else
		f->oldest = p->newer;
	if (p->newer != NULL)
		p->newer->older = p->older;
	else
		f->newest = p->older;
	p->older = p->newer = NULL;
	p->id.sequence = 0;
}

static void
assign_id(struct forwards *f, struct node_proposal *p)
{
	if (p->id.sequence != 0)
		return;
	p->id.server = f->env->identity->id;
	p->id.start = f->env->identity->start;
	p->id.sequence = ++f->sequence;
	p->older = f->newest;
	p->newer = NULL;
	if (f->newest != NULL)
		f->newest->newer = p;
	else
		f->oldest = p;
	f->newest = p;
}

/* One frame of what fits; taken proposals are in batch. */
static enum err
send_batch(struct forwards *f, uint64_t leader, struct proposal_list *queued,
    struct proposal_list *batch, struct buf *out)
{
	struct node_proposal *p;
	size_t count_at;

	assign_id(f, queued->head);
	buf_u64(out, f->env->identity->start);
	buf_u64(out, forwards_lowest(f));
	count_at = out->size;
	buf_u16(out, 0);
	while (queued->head != NULL && out->size < FORWARD_SOFT &&
	    batch->count < ENTRY_COMMANDS_MAX) {
		p = proposal_list_pop(queued);
		assign_id(f, p);
		p->peer = leader;
		buf_u64(out, p->id.sequence);
		buf_bytes(out, p->command.data, p->command.size);
		proposal_list_push(batch, p);
	}
	if (out->failed != OK)
		return out->failed;
	out->data[count_at] = (uint8_t)(batch->count >> 8);
	out->data[count_at + 1] = (uint8_t)batch->count;
	return transport_send(f->env->transport, leader, true, FRAME_PROPOSE,
	    out->data, out->size);
}

void
forwards_send(struct forwards *f, uint64_t leader, struct proposal_list *queued)
{
	struct buf out = buf_new(FORWARD_MAX);
	struct proposal_list batch;
	struct node_proposal *p;
	enum err rc = OK;

	while (rc == OK && queued->head != NULL) {
		buf_reset(&out);
		proposal_list_init(&batch);
		rc = send_batch(f, leader, queued, &batch, &out);
		metrics_add(METRIC_RPC_FORWARDED, batch.count);
		while ((p = proposal_list_pop(&batch)) != NULL) {
			p->sent = rc == OK;
			proposal_list_push(rc == OK ? &f->sent : queued, p);
		}
	}
	buf_wipe(&out);
}

struct node_proposal *
forwards_take(struct forwards *f, uint64_t peer, uint64_t sequence)
{
	struct node_proposal *p, **link = &f->sent.head;

	while ((p = *link) != NULL && p->id.sequence != sequence)
		link = &p->next;
	if (p == NULL || p->peer != peer)
		return NULL;
	*link = p->next;
	if (f->sent.tail == &p->next)
		f->sent.tail = link;
	f->sent.count--;
	return p;
}

void
forwards_requeue(
    struct forwards *f, uint64_t except, struct proposal_list *queued)
{
	struct proposal_list old = f->sent;
	struct node_proposal *p;

	proposal_list_init(&f->sent);
	while (old.head != NULL) {
		p = old.head;
		old.head = p->next;
		if (except != 0 && p->peer == except) {
			proposal_list_push(&f->sent, p);
			continue;
		}
		p->sent = false;
		p->doubtful = true;
		proposal_list_push(queued, p);
	}
}
