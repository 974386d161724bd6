#include "server/ca/prune.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/ca/rootset.h"
#include "server/duration.h"
#include "server/log.h"

struct prune {
	struct catask task;
	struct castep step;
	size_t count;
	prune_cb cb;
	void *arg;
};

bool
prune_due(const struct ca_root *root, int64_t leaf_ttl, int64_t now)
{
	int64_t seconds = leaf_ttl / DURATION_SECOND;

	return !root->active && root->rotated_out > 0 &&
	    now - root->rotated_out > 2 * seconds;
}

static const struct prune_mark *
find(const struct prune_watch *watch, struct span id)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (span_equal(span_of(watch->marks[i].id), id))
			return &watch->marks[i];
	}
	return NULL;
}

size_t
prune_check(struct prune_watch *watch, const struct castore *store, int64_t now,
    uint64_t mono_ms, bool drop[static AUTHORITY_ROOTS_MAX])
{
	static const bool none[AUTHORITY_ROOTS_MAX];
	const struct prune_watch before = *watch;
	size_t count = 0;

	memcpy(drop, none, sizeof(none));
	watch->count = 0;
	for (size_t i = 0; i < store->root_count; i++) {
		const struct ca_root *root = &store->roots[i];
		const struct prune_mark *old = find(&before, root->id);
		struct prune_mark *mark;

		if (root->id.size >= PRUNE_ID_TEXT ||
		    !prune_due(root, store->settings.leaf_ttl, now))
			continue;
		mark = &watch->marks[watch->count++];
		memcpy(mark->id, root->id.data, root->id.size);
		mark->id[root->id.size] = '\0';
		mark->since_ms = old == NULL ? mono_ms : old->since_ms;
		drop[i] = mono_ms - mark->since_ms >= PRUNE_PATIENCE_MS;
		count += drop[i] ? 1 : 0;
	}
	return count;
}

static void
on_written(struct castep *step)
{
	struct prune *prune = CONTAINER_OF(step, struct prune, step);

	if (step->status == OK) {
		log_event(LOG_INFO, "connect.ca", "pruned old roots: count=%zu",
		    prune->count);
	} else {
		log_event(LOG_WARN, "connect.ca",
		    "cannot prune old roots: error=%s", step->why.text);
	}
	prune->cb(prune->arg, prune);
	free(prune);
}

/* Names what goes, for whoever wonders later. */
static void
log_drops(const struct castore *store, const bool *drop)
{
	for (size_t i = 0; i < store->root_count; i++) {
		if (drop[i]) {
			log_event(LOG_INFO, "connect.ca",
			    "pruning root: id=%s rotated_out=%" PRId64,
			    store->roots[i].id.data,
			    store->roots[i].rotated_out);
		}
	}
}

static enum err
propose(const struct ca_env *env, const struct castore *store, const bool *drop,
    struct prune *prune, struct errmsg *why)
{
	struct command command = {.type = COMMAND_CA_ROOTS};
	struct rootset *set = malloc(sizeof(*set));

	if (set == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	prune->task.env = env;
	prune->step.task = &prune->task;
	log_drops(store, drop);
	rootset_prune(store, drop, set);
	command.ca_roots = set->set;
	castep_propose(&prune->step, &command, on_written);
	free(set);
	return OK;
}

enum err
prune_start(const struct ca_env *env, struct prune_watch *watch, prune_cb cb,
    void *arg, struct prune **out, struct errmsg *why)
{
	const struct catask task = {.env = env};
	bool drop[AUTHORITY_ROOTS_MAX];
	struct castore *store = NULL;
	struct prune *prune = NULL;
	int64_t now;
	size_t count;
	enum err rc;

	rc = castep_time(&task, &now, why);
	if (rc == OK)
		rc = castore_load(node_db(env->node), &store, why);
	if (rc != OK)
		return rc;
	/* Without settings nobody knows how long leaves live. */
	count = store->settings_rc == OK && store->has_config
	    ? prune_check(watch, store, now, time_mono_ms(), drop)
	    : 0;
	if (count == 0) {
		rc = err_set(why, ERR_NOTFOUND, "nothing to prune");
		goto out;
	}
	prune = calloc(1, sizeof(*prune));
	if (prune == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	prune->count = count;
	prune->cb = cb;
	prune->arg = arg;
	rc = propose(env, store, drop, prune, why);
	if (rc != OK)
		goto out;
	*out = prune;
	prune = NULL; /* its own from here on */
out:
	free(prune);
	castore_free(store);
	return rc;
}

void
prune_abandon(struct prune *prune)
{
	prune->task.abandoned = true;
}
