#include "server/ca/prune.h"

#include <inttypes.h>
#include <stdlib.h>

#include "server/ca/castore.h"
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
prune_start(const struct ca_env *env, struct overdue *overdue, prune_cb cb,
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
	    ? overdue_check(overdue, store, now, time_mono_ms(), drop)
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
