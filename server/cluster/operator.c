#include "server/cluster/operator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/membership.h"

#define TEXT_MAX 128 /* bytes of an id, NUL included */

struct operator
{
	struct env *env;
	struct members *members;
	struct status *status;
	struct node_incoming *transfer; /* answered when libraft is done */
	bool leaving;                   /* the transfer is for our own leave */
	struct node_incoming *removal;
};

static void
serve_servers(void *arg, struct node_incoming *incoming, const uint8_t *request,
    size_t size)
{
	struct operator* op = arg;
	struct node_status *status = calloc(1, sizeof(*status));
	struct buf reply = buf_new(64 * 1024);
	struct errmsg why;
	enum err rc;

	(void)request, (void)size;
	if (status == NULL) {
		rc = err_set(&why, ERR_NOMEM, "out of memory");
	} else {
		status_refresh(op->status, true);
		status_copy(op->status, status);
		node_servers_encode(status, &reply);
		rc = buf_status(&reply, &why);
	}
	node_answer(incoming, rc, &why, &reply);
	buf_free(&reply);
	free(status);
}

/* ---- transfer ----------------------------------------------------------- */

static void
transferred(void *arg)
{
	struct operator* op = arg;
	struct node_incoming *incoming = op->transfer;
	bool leading = consensus_leading(op->env->consensus);

	op->transfer = NULL;
	if (incoming == NULL)
		return;
	if (leading)
		node_answer(incoming, ERR_TIMEOUT,
		    &(struct errmsg){"the other server did not take over"},
		    NULL);
	else if (op->leaving)
		node_answer(incoming, ERR_NOTLEADER,
		    &(struct errmsg){"leadership was handed on"}, NULL);
	else
		node_answer(incoming, OK, NULL, NULL);
}

static void
begin_transfer(struct operator* op, struct node_incoming *incoming,
    uint64_t target, bool leaving)
{
	struct errmsg why;
	enum err rc;

	if (op->transfer != NULL) {
		node_answer(incoming, ERR_BUSY,
		    &(struct errmsg){"a transfer is under way"}, NULL);
		return;
	}
	op->transfer = incoming;
	op->leaving = leaving;
	rc = membership_transfer(
	    op->env->membership, target, transferred, op, &why);
	if (rc != OK) {
		op->transfer = NULL;
		node_answer(incoming, rc, &why, NULL);
	}
}

/* A server by raft id (hex as shown, or decimal) or by node id. */
static uint64_t
find_server(struct operator* op, const char *text)
{
	struct node_status *s = calloc(1, sizeof(*s));
	char hex[24];
	uint64_t found = 0;

	if (s == NULL)
		return 0;
	status_refresh(op->status, true);
	status_copy(op->status, s);
	for (unsigned i = 0; i < s->member_count && found == 0; i++) {
		(void)snprintf(
		    hex, sizeof(hex), "%016" PRIx64, s->members[i].id);
		if (strcmp(text, hex) == 0 ||
		    strcmp(text, s->members[i].node_id) == 0 ||
		    strtoull(text, NULL, 10) == s->members[i].id)
			found = s->members[i].id;
	}
	free(s);
	return found;
}

static void
serve_transfer(void *arg, struct node_incoming *incoming,
    const uint8_t *request, size_t size)
{
	struct operator* op = arg;
	char text[TEXT_MAX];
	struct errmsg why;
	uint64_t target = 0;

	if (size >= sizeof(text)) {
		node_answer(incoming, ERR_INVALID,
		    &(struct errmsg){"the id is too long"}, NULL);
		return;
	}
	if (size > 0) /* an empty request may have no bytes to point at */
		memcpy(text, request, size);
	text[size] = '\0';
	if (size > 0)
		target = find_server(op, text);
	if (size > 0 && target == 0) {
		node_answer(incoming,
		    err_set(&why, ERR_NOTFOUND, "cannot find peer %s", text),
		    &why, NULL);
	} else if (target == op->env->identity->id) {
		node_answer(incoming, ERR_BADSTATE,
		    &(struct errmsg){"cannot transfer leadership to itself"},
		    NULL);
	} else {
		begin_transfer(op, incoming, target, false);
	}
}

/* ---- removal --------------------------------------------------------------
 */

static void
removed(void *arg, enum err status)
{
	struct operator* op = arg;
	struct node_incoming *incoming = op->removal;
	struct errmsg why;

	op->removal = NULL;
	(void)err_set(&why, status, "%s", err_text(status));
	node_answer(incoming, status, &why, NULL);
}

static void
remove_server(struct operator* op, struct node_incoming *incoming, uint64_t id)
{
	struct errmsg why;
	enum err rc;

	if (op->removal != NULL) {
		rc = err_set(
		    &why, ERR_BUSY, "another membership change is under way");
	} else {
		op->removal = incoming;
		rc = members_remove(op->members, id, removed, op, &why);
		if (rc == OK)
			return;
		op->removal = NULL;
	}
	node_answer(incoming, rc, &why, NULL);
}

static bool
read_id(const uint8_t *request, size_t size, uint64_t *id)
{
	struct reader in = {request, size};

	return read_u64(&in, id) && in.size == 0;
}

static void
serve_remove(void *arg, struct node_incoming *incoming, const uint8_t *request,
    size_t size)
{
	struct operator* op = arg;
	uint64_t id;

	if (!read_id(request, size, &id))
		node_answer(incoming, ERR_INVALID,
		    &(struct errmsg){"malformed request"}, NULL);
	else if (id == op->env->identity->id &&
	    consensus_voters(op->env->consensus) > 1)
		begin_transfer(op, incoming, 0, true);
	else
		remove_server(op, incoming, id);
}

enum err
operator_new(struct env *env, struct calls *calls, struct members *members,
    struct status *status, struct operator** out, struct errmsg *why)
{
	struct operator* op = calloc(1, sizeof(*op));

	if (op == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*op =
	    (struct operator){.env = env, .members = members, .status = status};
	calls_serve(calls, NODE_CALL_SERVERS, serve_servers, op);
	calls_serve(calls, NODE_CALL_TRANSFER, serve_transfer, op);
	/* To leave is to be removed; a leader hands leadership on first. */
	calls_serve(calls, NODE_CALL_REMOVE, serve_remove, op);
	calls_serve(calls, NODE_CALL_LEAVE, serve_remove, op);
	*out = op;
	return OK;
}

void operator_free(struct operator* op)
{
	free(op);
}

/* ---- NODE_CALL_SERVERS on the wire ------------------------------------------
 */

static void
encode_member(const struct node_member *m, struct buf *out)
{
	buf_u64(out, m->id);
	buf_text(out, m->node_id);
	buf_text(out, m->name);
	buf_text(out, m->address);
	buf_text(out, m->version);
	buf_u8(out, m->voter);
	buf_u8(out, m->leader);
	buf_u8(out, m->connected);
	buf_u8(out, m->healthy);
	buf_u64(out, m->last_contact_ms);
	buf_u64(out, m->last_index);
	buf_u64(out, m->last_term);
	buf_u64(out, (uint64_t)m->stable_since);
}

void
node_servers_encode(const struct node_status *status, struct buf *out)
{
	buf_u64(out, status->configuration_index);
	buf_u64(out, status->leader_id);
	buf_u64(out, status->term);
	buf_u32(out, status->member_count);
	for (unsigned i = 0; i < status->member_count; i++)
		encode_member(&status->members[i], out);
}

static bool
copy_text(struct reader *in, char *out, size_t size)
{
	const uint8_t *data;
	size_t length;

	if (!read_bytes(in, size - 1, &data, &length))
		return false;
	memcpy(out, data, length);
	out[length] = '\0';
	return true;
}

static bool
decode_member(struct reader *in, struct node_member *m)
{
	uint8_t voter, leader, connected, healthy;
	uint64_t since;

	if (!read_u64(in, &m->id) ||
	    !copy_text(in, m->node_id, sizeof(m->node_id)) ||
	    !copy_text(in, m->name, sizeof(m->name)) ||
	    !copy_text(in, m->address, sizeof(m->address)) ||
	    !copy_text(in, m->version, sizeof(m->version)) ||
	    !read_u8(in, &voter) || !read_u8(in, &leader) ||
	    !read_u8(in, &connected) || !read_u8(in, &healthy) ||
	    !read_u64(in, &m->last_contact_ms) ||
	    !read_u64(in, &m->last_index) || !read_u64(in, &m->last_term) ||
	    !read_u64(in, &since))
		return false;
	m->voter = voter != 0;
	m->leader = leader != 0;
	m->connected = connected != 0;
	m->healthy = healthy != 0;
	m->stable_since = (int64_t)since;
	return true;
}

bool
node_servers_decode(struct reader *in, struct node_status *out)
{
	uint32_t count;

	memset(out, 0, sizeof(*out));
	if (!read_u64(in, &out->configuration_index) ||
	    !read_u64(in, &out->leader_id) || !read_u64(in, &out->term) ||
	    !read_u32(in, &count) || count > NODE_MEMBERS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!decode_member(in, &out->members[i]))
			return false;
	}
	out->member_count = count;
	out->leader_known = out->leader_id != 0;
	return true;
}
