#include "server/cluster/formation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/identity.h"
#include "server/cluster/promise.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/log.h"

#define ASK_MS 500 /* between askings for the same promise */

struct formation {
	struct env *env;
	struct members *members;
	formation_start_cb start;
	void *arg;
	bool started;
	bool has_promise; /* ours is given, to promise */
	struct promise promise;
	uint64_t seen[NODE_MEMBERS_MAX]; /* empty servers that greeted us */
	unsigned seen_count;
	uint64_t yes[PROMISE_SERVERS_MAX]; /* who promised, as coordinator */
	unsigned yes_count;
	uint64_t asked_ms;
	char words[160];
};

static void
say(struct formation *f, enum log_level level, const char *words)
{
	if (strcmp(f->words, words) == 0)
		return;
	(void)snprintf(f->words, sizeof(f->words), "%s", words);
	log_event(level, "server", "%s", words);
}

enum err
formation_new(struct env *env, struct members *members,
    formation_start_cb start, void *arg, struct formation **out,
    struct errmsg *why)
{
	struct formation *f = calloc(1, sizeof(*f));
	enum err rc;

	if (f == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*f = (struct formation){
	    .env = env, .members = members, .start = start, .arg = arg};
	rc = promise_load(env->identity->dir, &f->promise, why);
	if (rc != OK && rc != ERR_NOTFOUND) {
		free(f);
		return rc;
	}
	f->has_promise = rc == OK;
	if (f->has_promise)
		members_first(members, &f->promise);
	*out = f;
	return OK;
}

void
formation_free(struct formation *f)
{
	free(f);
}

enum hello_state
formation_state(const struct formation *f)
{
	if (f->env->identity->bootstrapped)
		return HELLO_MEMBER;
	return f->env->identity->cluster_id[0] != '\0' ? HELLO_PROMISED
						       : HELLO_EMPTY;
}

const char *
formation_words(const struct formation *f)
{
	return f->started ? "" : f->words;
}

static void
start(struct formation *f, bool bootstrap)
{
	f->started = true;
	f->start(f->arg, bootstrap);
}

/* The one cluster this server may belong to; "" while that is open. A promise
 * binds from the moment it is stored. */
static const char *
bound_to(const struct formation *f)
{
	const char *cluster_id = f->env->identity->cluster_id;

	if (cluster_id[0] == '\0' && f->has_promise)
		cluster_id = f->promise.cluster_id;
	return cluster_id;
}

static bool
is_foreign(const struct formation *f, const char *cluster_id)
{
	const char *bound = bound_to(f);

	return bound[0] != '\0' && strcmp(bound, cluster_id) != 0;
}

static bool
adopt_cluster(struct formation *f, const char *cluster_id)
{
	struct identity *self = f->env->identity;
	struct errmsg why;

	(void)snprintf(
	    self->cluster_id, sizeof(self->cluster_id), "%s", cluster_id);
	if (identity_store(self, &why) == OK)
		return true;
	self->cluster_id[0] = '\0';
	say(f, LOG_ERROR, why.text);
	return false;
}

/* ---- joining ---------------------------------------------------------------
 */

static void
join(struct formation *f, const char *cluster_id)
{
	if (f->started || strlen(cluster_id) != NODE_UUID_SIZE - 1 ||
	    is_foreign(f, cluster_id))
		return;
	if (f->env->identity->cluster_id[0] == '\0' &&
	    !adopt_cluster(f, cluster_id))
		return;
	log_event(LOG_INFO, "server", "joining cluster %s", cluster_id);
	start(f, false);
}

void
formation_hello(struct formation *f, const struct hello *hello)
{
	if (f->started)
		return;
	if (hello->state == HELLO_MEMBER && hello->cluster_id[0] != '\0') {
		join(f, hello->cluster_id);
		return;
	}
	if (hello->state != HELLO_EMPTY ||
	    hello->expect != f->env->config->bootstrap_expect)
		return;
	for (unsigned i = 0; i < f->seen_count; i++) {
		if (f->seen[i] == hello->id)
			return;
	}
	if (f->seen_count < NODE_MEMBERS_MAX)
		f->seen[f->seen_count++] = hello->id;
}

/* ---- promises --------------------------------------------------------------
 */

static bool
give_promise(
    struct formation *f, const struct promise *promise, struct errmsg *why)
{
	enum err rc = promise_store(f->env->identity->dir, promise, why);

	if (rc != OK)
		return false;
	f->promise = *promise;
	f->has_promise = true;
	members_first(f->members, promise);
	return true;
}

/* FRAME_PROMISED: u16 status, text. */
static void
answer(struct formation *f, uint64_t to, enum err status, const char *words)
{
	struct buf out = buf_new(1024);

	buf_u16(&out, (uint16_t)status);
	buf_text(&out, words);
	if (out.failed == OK)
		(void)!transport_send(f->env->transport, to, false,
		    FRAME_PROMISED, out.data, out.size);
	buf_free(&out);
}

static void
take_ask(struct formation *f, uint64_t from, const struct frame *frame)
{
	struct promise asked;
	struct errmsg why;
	enum err rc;

	rc = promise_decode(frame->data, frame->size, &asked, &why);
	if (rc == OK && asked.ids[0] != from)
		rc = err_set(&why, ERR_DENIED,
		    "only the lowest id of the list may ask for a promise");
	if (rc == OK && is_foreign(f, asked.cluster_id))
		rc = err_set(&why, ERR_DENIED,
		    "this server belongs to cluster %s (undone only by "
		    "\"conclaved reset\")",
		    bound_to(f));
	if (rc == OK && f->env->identity->bootstrapped)
		rc = err_set(
		    &why, ERR_DENIED, "this server is a member already");
	if (rc == OK)
		rc = promise_judge(f->env->identity->id,
		    f->env->config->bootstrap_expect,
		    f->has_promise ? &f->promise : NULL, &asked, &why);
	if (rc == OK && !f->has_promise && !give_promise(f, &asked, &why))
		rc = ERR_IO;
	if (rc == OK && f->env->identity->cluster_id[0] == '\0' &&
	    !adopt_cluster(f, asked.cluster_id))
		rc = err_set(&why, ERR_IO, "the promise could not be stored");
	answer(f, from, rc, rc == OK ? "" : why.text);
	if (rc == OK && !f->started) {
		log_event(LOG_INFO, "server", "promised to cluster %s",
		    asked.cluster_id);
		start(f, false);
	}
}

static void
take_answer(struct formation *f, uint64_t from, struct reader in)
{
	struct errmsg why;
	uint16_t status;
	char *text;

	if (!f->has_promise || f->started || !read_u16(&in, &status) ||
	    read_text(&in, ERRMSG_SIZE, &text) != OK)
		return;
	if (status != OK) {
		(void)err_set(&why, OK,
		    "server %016" PRIx64 " does not promise: %s", from, text);
		say(f, LOG_ERROR, why.text);
	}
	free(text);
	for (unsigned i = 0; i < f->yes_count; i++) {
		if (f->yes[i] == from)
			return;
	}
	for (unsigned i = 0; status == OK && i < f->promise.count; i++) {
		if (f->promise.ids[i] == from)
			f->yes[f->yes_count++] = from;
	}
}

void
formation_frame(struct formation *f, uint64_t from, const struct frame *frame)
{
	char id[NODE_UUID_SIZE] = {0};

	if (frame->type == FRAME_JOIN) {
		if (frame->size == sizeof(id) - 1) {
			memcpy(id, frame->data, frame->size);
			join(f, id);
		}
	} else if (frame->type == FRAME_PROMISE) {
		take_ask(f, from, frame);
	} else {
		take_answer(f, from, (struct reader){frame->data, frame->size});
	}
}

/* ---- coordinating ----------------------------------------------------------
 */

static void
ask_all(struct formation *f, uint64_t now_ms)
{
	struct buf out = buf_new(1024);

	if (now_ms - f->asked_ms < ASK_MS)
		return;
	f->asked_ms = now_ms;
	promise_encode(&f->promise, &out);
	for (unsigned i = 0; out.failed == OK && i < f->promise.count; i++) {
		if (f->promise.ids[i] != f->env->identity->id)
			(void)!transport_send(f->env->transport,
			    f->promise.ids[i], false, FRAME_PROMISE, out.data,
			    out.size);
	}
	buf_free(&out);
}

static void
coordinate(struct formation *f, uint64_t now_ms)
{
	struct identity *self = f->env->identity;

	if (f->yes_count + 1 < f->promise.count) {
		ask_all(f, now_ms);
		return;
	}
	if (self->cluster_id[0] == '\0' &&
	    !adopt_cluster(f, f->promise.cluster_id))
		return;
	log_event(LOG_INFO, "server", "bootstrapping cluster %s: servers=%u",
	    f->promise.cluster_id, f->promise.count);
	start(f, true);
}

/* Empty servers that are connected now, ourselves included, ascending. */
static unsigned
gather(const struct formation *f, uint64_t *ids)
{
	unsigned n = 0, at;

	ids[n++] = f->env->identity->id;
	for (unsigned i = 0; i < f->seen_count; i++) {
		if (!transport_connected(f->env->transport, f->seen[i]))
			continue;
		for (at = n; at > 0 && ids[at - 1] > f->seen[i]; at--)
			ids[at] = ids[at - 1];
		ids[at] = f->seen[i];
		n++;
	}
	return n;
}

static void
elect(struct formation *f, uint64_t now_ms)
{
	uint64_t ids[NODE_MEMBERS_MAX + 1];
	unsigned expect = f->env->config->bootstrap_expect;
	struct promise promise;
	struct errmsg why;
	bool coordinator;
	enum err rc;

	if (expect == 0) {
		say(f, LOG_INFO,
		    "waiting to join: no member of a cluster was met yet");
		return;
	}
	rc = promise_elect(f->env->identity->id, expect, ids, gather(f, ids),
	    &coordinator, &promise, &why);
	if (rc != OK) {
		say(f, rc == ERR_BUSY ? LOG_INFO : LOG_ERROR, why.text);
		return;
	}
	if (!coordinator) {
		say(f, LOG_INFO, "waiting to be asked for a promise");
		return;
	}
	if (identity_uuid(promise.cluster_id) != OK ||
	    !give_promise(f, &promise, &why))
		say(f, LOG_ERROR, "the promise could not be stored");
	else
		coordinate(f, now_ms);
}

void
formation_tick(struct formation *f, uint64_t now_ms)
{
	const struct identity *self = f->env->identity;

	if (f->started)
		return;
	if (self->bootstrapped) {
		start(f, false);
	} else if (f->has_promise && f->promise.ids[0] == self->id) {
		coordinate(f, now_ms);
	} else if (self->cluster_id[0] != '\0') {
		start(f, false); /* promised, or joining: wait to be added */
	} else if (f->has_promise) {
		/* A crash came before the identity said so. */
		if (adopt_cluster(f, f->promise.cluster_id))
			start(f, false);
	} else {
		elect(f, now_ms);
	}
}
