#include "server/ca/bootstrap.h"

#include <stdlib.h>
#include <string.h>

#include "server/ca/candidate.h"
#include "server/ca/caseed.h"
#include "server/ca/castore.h"
#include "server/ca/rootset.h"
#include "server/log.h"

struct bootstrap {
	struct catask task;
	struct castep step;
	struct castore *store;
	struct caseed seed;
	struct candidate candidate;
	int64_t now; /* cluster time when it began */
	bootstrap_cb cb;
	void *arg;
};

static struct bootstrap *
bootstrap_of(struct castep *step)
{
	return CONTAINER_OF(step, struct bootstrap, step);
}

static void
end(struct bootstrap *bootstrap, enum err status, const struct errmsg *why)
{
	static const struct errmsg none = {""};
	struct errmsg words = status == OK ? none : *why;

	candidate_free(&bootstrap->candidate);
	caseed_free(&bootstrap->seed);
	castore_free(bootstrap->store);
	bootstrap->cb(bootstrap->arg, bootstrap, status, &words);
	free(bootstrap);
}

static void
on_stored(struct castep *step)
{
	struct bootstrap *bootstrap = bootstrap_of(step);

	if (step->status == OK) {
		log_event(LOG_INFO, "connect.ca", "made the first root: id=%s",
		    bootstrap->candidate.facts.id);
	}
	end(bootstrap, step->status, &step->why);
}

/* One commit: the first root and its key, for the configuration that was read:
 * a root must not appear under another cluster id than its own. */
static void
store_first(struct bootstrap *bootstrap)
{
	const struct candidate *candidate = &bootstrap->candidate;
	struct castep *step = &bootstrap->step;
	struct command command = {.type = COMMAND_CA_ROOTS};
	struct ca_config_set config = {.config = bootstrap->store->config,
	    .cas = bootstrap->store->config.modify_index};
	struct rootset_change change = {.now = candidate->now,
	    .config = &config,
	    .row = {.id = span_of(candidate->provider_id),
		.private_key = span_of(candidate->key),
		.root_cert = span_of(candidate->cert)}};
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root;
	enum err rc = ERR_NOMEM;

	if (set == NULL) {
		err_set(&step->why, rc, "out of memory");
		castep_later(step, rc, on_stored);
		return;
	}
	rootset_entry(&candidate->facts, candidate->cert, candidate->name,
	    candidate->cluster_id, &root);
	change.root = &root;
	rc = rootset_activate(bootstrap->store, &change, set, &step->why);
	if (rc != OK) {
		castep_later(step, rc, on_stored);
	} else {
		command.ca_roots = set->set;
		castep_propose(step, &command, on_stored);
	}
	free(set);
}

/* Is the stored active root the one whose key we hold? */
static enum err
adopt(const struct bootstrap *bootstrap, struct errmsg *why)
{
	const struct castore *store = bootstrap->store;
	const struct ca_root *root = &store->roots[store->active];

	if (!span_equal(root->id, span_of(bootstrap->candidate.facts.id))) {
		return err_set(why, ERR_CONFLICT,
		    "stored CA root \"%s\" is not the active root (%s)",
		    root->id.data, bootstrap->candidate.facts.id);
	}
	if (root->not_after <= bootstrap->now) {
		log_event(LOG_ERROR, "connect.ca",
		    "the active root has expired, set a new PrivateKey or "
		    "RootCert: id=%s",
		    root->id.data);
	}
	return OK;
}

static void
on_candidate(struct candidate *candidate)
{
	struct bootstrap *bootstrap =
	    CONTAINER_OF(candidate, struct bootstrap, candidate);
	struct errmsg why;
	enum err rc;

	if (candidate->status != OK) {
		why = candidate->why;
		end(bootstrap, candidate->status, &why);
		return;
	}
	log_event(LOG_INFO, "connect.ca",
	    "consul CA provider configured: id=%s", candidate->facts.id);
	if (bootstrap->store->active == CASTORE_NONE) {
		store_first(bootstrap);
		return;
	}
	rc = adopt(bootstrap, &why);
	end(bootstrap, rc, &why);
}

/* A stored root is proven at a time at which it is valid: that the clocks
 * disagree, or that it has expired, does not make it another root. */
static int64_t
proof_time(const struct castore *store, int64_t now)
{
	const struct ca_root *root;

	if (store->active == CASTORE_NONE)
		return now;
	root = &store->roots[store->active];
	if (now < root->not_before)
		return root->not_before;
	return now < root->not_after ? now : root->not_after - 1;
}

static enum err
judge(const struct castore *store, struct errmsg *why)
{
	if (strcmp(store->config.provider.data, "consul") != 0) {
		return err_set(why, ERR_INVALID,
		    "could not initialize provider: unknown CA provider \"%s\"",
		    store->config.provider.data);
	}
	if (store->settings_rc != OK) {
		return err_set(why, store->settings_rc,
		    "error configuring provider: %s", store->settings_why.text);
	}
	if (store->active != CASTORE_NONE &&
	    store->current.root_cert.size == 0) {
		return err_set(why, ERR_NOTFOUND,
		    "the private key of the stored CA root \"%s\" is missing",
		    store->roots[store->active].id.data);
	}
	return OK;
}

static void on_seeded(struct castep *step);

static void
go(struct bootstrap *bootstrap)
{
	struct candidate *candidate = &bootstrap->candidate;
	const struct castore *store;
	const struct ca_env *env = bootstrap->task.env;
	struct errmsg why;
	enum err rc;

	rc = castore_load(node_db(env->node), &bootstrap->store, &why);
	if (rc == OK && caseed_needed(bootstrap->store)) {
		rc = caseed_make(
		    bootstrap->store, env->config, &bootstrap->seed, &why);
		if (rc == OK) {
			castep_propose(&bootstrap->step,
			    &bootstrap->seed.command, on_seeded);
			return;
		}
	}
	if (rc == OK)
		rc = judge(bootstrap->store, &why);
	if (rc == OK)
		rc = castep_time(&bootstrap->task, &bootstrap->now, &why);
	if (rc != OK) {
		end(bootstrap, rc, &why);
		return;
	}
	store = bootstrap->store;
	candidate->task = &bootstrap->task;
	candidate->settings = &store->settings;
	candidate->cluster_id = store->config.cluster_id.data;
	candidate->now = proof_time(store, bootstrap->now);
	candidate_prepare(candidate,
	    store->current.root_cert.size > 0 ? store->current.private_key.data
					      : NULL,
	    store->current.root_cert.size > 0 ? store->current.root_cert.data
					      : NULL,
	    on_candidate);
}

/* The row is complete: read it back, whoever wrote it. */
static void
on_seeded(struct castep *step)
{
	struct bootstrap *bootstrap = bootstrap_of(step);

	if (step->status != OK) {
		end(bootstrap, step->status, &step->why);
		return;
	}
	caseed_free(&bootstrap->seed);
	castore_free(bootstrap->store);
	bootstrap->store = NULL;
	go(bootstrap);
}

static void
on_begin(struct castep *step)
{
	struct bootstrap *bootstrap = bootstrap_of(step);

	if (bootstrap->task.abandoned)
		end(bootstrap, ERR_NOLEADER, &(struct errmsg){"abandoned"});
	else
		go(bootstrap);
}

enum err
bootstrap_start(const struct ca_env *env, bootstrap_cb cb, void *arg,
    struct bootstrap **out, struct errmsg *why)
{
	struct bootstrap *bootstrap = calloc(1, sizeof(*bootstrap));

	if (bootstrap == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	bootstrap->task.env = env;
	bootstrap->step.task = &bootstrap->task;
	bootstrap->cb = cb;
	bootstrap->arg = arg;
	*out = bootstrap;
	castep_later(&bootstrap->step, OK, on_begin);
	return OK;
}

void
bootstrap_abandon(struct bootstrap *bootstrap)
{
	bootstrap->task.abandoned = true;
}
