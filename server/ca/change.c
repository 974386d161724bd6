#include "server/ca/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/ca/candidate.h"
#include "server/ca/caseed.h"
#include "server/ca/castore.h"
#include "server/ca/crosslinks.h"
#include "server/ca/putbody.h"
#include "server/ca/rootset.h"
#include "server/json.h"
#include "server/log.h"

#define ATOMIC_TEXT "could not atomically update roots and config"
#define CAS_TEXT    "ModifyIndex did not match existing"

struct change {
	struct catask task;
	struct castep step;
	struct putbody put;
	struct castore *store;
	struct caseed seed;
	struct caconfig settings; /* of the request */
	struct buf config, state; /* as they will be stored */
	struct candidate candidate;
	struct crosslinks links;
	struct change_result result;
	change_cb cb;
	void *arg;
};

static struct change *
change_of(struct castep *step)
{
	return CONTAINER_OF(step, struct change, step);
}

void
change_free(struct change *change)
{
	crosslinks_free(&change->links);
	candidate_free(&change->candidate);
	caconfig_free(&change->settings);
	caseed_free(&change->seed);
	castore_free(change->store);
	buf_wipe(&change->config);
	buf_wipe(&change->state);
	putbody_free(&change->put);
	free(change);
}

/* result.why must be set if status is not OK. */
static void
end(struct change *change, enum err status)
{
	change->result.status = status;
	change->cb(change->arg, change, &change->result);
	change_free(change);
}

static void
end_with(struct change *change, enum err status, const struct errmsg *why)
{
	change->result.why = *why;
	end(change, status);
}

static void
on_written(struct castep *step)
{
	struct change *change = change_of(step);
	const struct errmsg *why = &step->why;

	if (step->status != OK) {
		/* The caller named no index, so the conflict is not his. */
		if (change->put.cas == 0 && strcmp(why->text, CAS_TEXT) == 0)
			err_set(&step->why, step->status, ATOMIC_TEXT);
		end_with(change, step->status, why);
		return;
	}
	change->result.written = true;
	change->result.revision = step->revision;
	if (change->result.rotated) {
		log_event(LOG_INFO, "connect.ca",
		    "rotated the root: id=%s links=%zu",
		    change->candidate.facts.id, change->links.count);
	}
	log_event(LOG_INFO, "connect.ca",
	    "consul CA provider configured: id=%s", change->candidate.facts.id);
	end(change, OK);
}

/* The row as it will stand, guarded by the index that was read. */
static struct ca_config_set
row_of(const struct change *change)
{
	const struct ca_config *old = &change->store->config;

	return (struct ca_config_set){
	    .config =
		{
		    .provider = span_of(change->put.provider),
		    .config = {(const char *)change->config.data,
			change->config.size},
		    .state = {(const char *)change->state.data,
			change->state.size},
		    .force = change->put.force,
		},
	    .cas = old->modify_index,
	};
}

static struct rootset_change
outcome_of(const struct change *change, const struct ca_config_set *config)
{
	const struct candidate *candidate = &change->candidate;

	return (struct rootset_change){
	    .row = {.id = span_of(candidate->provider_id),
		.private_key = span_of(candidate->key),
		.root_cert = span_of(candidate->cert)},
	    .config = config,
	    .now = candidate->now,
	};
}

/* Same root: the configuration alone, and the key's row if its ID changes. */
static void
write_config(struct change *change)
{
	struct ca_config_set config = row_of(change);
	struct rootset_change outcome = outcome_of(change, &config);
	struct command command = {
	    .type = COMMAND_CA_CONFIG, .ca_config = config};
	struct castep *step = &change->step;
	struct rootset *set;

	if (strcmp(change->candidate.provider_id, change->store->provider_id) ==
	    0) {
		castep_propose(step, &command, on_written);
		return;
	}
	set = malloc(sizeof(*set));
	if (set == NULL) {
		err_set(&step->why, ERR_NOMEM, "out of memory");
		castep_later(step, ERR_NOMEM, on_written);
		return;
	}
	rootset_rename(change->store, &outcome, set);
	command =
	    (struct command){.type = COMMAND_CA_ROOTS, .ca_roots = set->set};
	castep_propose(step, &command, on_written);
	free(set);
}

/* Another root: roots, keys and configuration in one command. */
static void
write_rotation(struct change *change)
{
	const struct candidate *candidate = &change->candidate;
	const struct crosslinks *links = &change->links;
	struct ca_config_set config = row_of(change);
	struct rootset_change outcome = outcome_of(change, &config);
	struct command command = {.type = COMMAND_CA_ROOTS};
	struct castep *step = &change->step;
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root;
	enum err rc = ERR_NOMEM;

	if (set == NULL) {
		err_set(&step->why, rc, "out of memory");
		castep_later(step, rc, on_written);
		return;
	}
	rootset_entry(&candidate->facts, candidate->cert, candidate->name,
	    candidate->cluster_id, &root);
	for (size_t i = 0; i < links->count; i++) {
		root.intermediates[root.intermediate_count++] =
		    span_of(links->list[i].cert);
	}
	outcome.root = &root;
	rc = rootset_activate(change->store, &outcome, set, &step->why);
	if (rc != OK) {
		castep_later(step, rc, on_written);
	} else {
		change->result.rotated = true;
		command.ca_roots = set->set;
		castep_propose(step, &command, on_written);
	}
	free(set);
}

static void
on_links(struct crosslinks *links)
{
	struct change *change = CONTAINER_OF(links, struct change, links);

	if (links->status != OK)
		end_with(change, links->status, &links->why);
	else
		write_rotation(change);
}

static void
on_candidate(struct candidate *candidate)
{
	struct change *change =
	    CONTAINER_OF(candidate, struct change, candidate);
	const struct castore *store = change->store;

	if (candidate->status != OK) {
		end_with(change, candidate->status, &candidate->why);
		return;
	}
	if (store->active != CASTORE_NONE &&
	    span_equal(
		store->roots[store->active].id, span_of(candidate->facts.id))) {
		write_config(change);
		return;
	}
	change->links.task = &change->task;
	change->links.store = store;
	change->links.candidate = candidate;
	change->links.now = candidate->now;
	change->links.force = change->put.force;
	crosslinks_make(&change->links, on_links);
}

/* The settings ask for the issuer that is active: use its key and root. */
static void
prepare(struct change *change)
{
	struct candidate *candidate = &change->candidate;
	const struct castore *store = change->store;
	const struct ca_provider_row *current = &store->current;
	struct errmsg why;
	char id[PROVIDER_ID_TEXT];
	bool same;
	enum err rc;

	rc = provider_consul_id(&change->settings, id, &why);
	if (rc == OK)
		rc = castep_time(&change->task, &candidate->now, &why);
	if (rc != OK) {
		end_with(change, rc, &why);
		return;
	}
	same = strcmp(id, store->provider_id) == 0 &&
	    current->root_cert.size > 0 &&
	    (store->active == CASTORE_NONE ||
		store->issuers[store->active].private_key.size > 0);
	candidate->task = &change->task;
	candidate->settings = &change->settings;
	candidate->cluster_id = store->config.cluster_id.data;
	candidate_prepare(candidate, same ? current->private_key.data : NULL,
	    same ? current->root_cert.data : NULL, on_candidate);
}

/* Contract 2.3: omitted, empty, or what is stored. */
static enum err
check_state(struct change *change, struct errmsg *why)
{
	struct span stored = change->store->config.state;
	const struct json *state = putbody_state(&change->put);
	struct json_doc *doc = NULL;
	bool same = false;
	enum err rc = OK;

	if (state == NULL)
		return OK;
	if (stored.size > 0)
		rc = json_parse(stored.data, stored.size, NULL, &doc, why);
	if (rc == ERR_NOMEM)
		return rc;
	if (rc == OK && doc != NULL)
		same = json_equal(state, json_root(doc));
	json_free(doc);
	if (same)
		return OK;
	change->result.state_refused = true;
	return err_set(why, ERR_INVALID,
	    "Provider State is read-only. It must be omitted or identical to "
	    "the current value");
}

static bool
is_equal(const struct change *change)
{
	const struct castore *store = change->store;

	return store->doc != NULL &&
	    strcmp(store->config.provider.data, change->put.provider) == 0 &&
	    json_equal(json_root(store->doc), putbody_config(&change->put));
}

/* test_state of the configuration, else what was there. */
static enum err
make_row(struct change *change, struct errmsg *why)
{
	const struct json_doc *doc = change->put.config_doc;
	const struct json *config = putbody_config(&change->put);
	const struct json *state = json_get(config, "test_state");
	struct span old = change->store->config.state;
	enum err rc;

	json_put(&change->config, doc, config, true);
	if (state != NULL && json_type(state) == JSON_OBJECT)
		json_put(&change->state, doc, state, true);
	else if (strcmp(change->store->config.provider.data,
		     change->put.provider) == 0)
		buf_raw(&change->state, old.data, old.size);
	rc = buf_status(&change->config, NULL);
	if (rc == OK)
		rc = buf_status(&change->state, NULL);
	if (rc == ERR_LIMIT) {
		return err_set(why, rc,
		    "Config is larger than the limit of %d bytes",
		    AUTHORITY_CONFIG_MAX);
	}
	return rc == OK ? OK : err_set(why, rc, "%s", err_text(rc));
}

/* Sets *equal instead if there is nothing to do. */
static enum err
judge(struct change *change, bool *equal, struct errmsg *why)
{
	const struct castore *store = change->store;
	struct errmsg reason;
	enum err rc;

	rc = check_state(change, why);
	if (rc != OK)
		return rc;
	if (strcmp(change->put.provider, "consul") != 0) {
		return err_set(why, ERR_INVALID,
		    "could not initialize provider: unknown CA provider \"%s\"",
		    change->put.provider);
	}
	*equal = is_equal(change);
	if (*equal)
		return OK;
	if (change->put.cas != 0 &&
	    change->put.cas != store->config.modify_index)
		return err_set(why, ERR_CONFLICT, CAS_TEXT);
	rc = make_row(change, why);
	if (rc != OK)
		return rc;
	rc = caconfig_decode(change->put.config_doc,
	    putbody_config(&change->put), &change->settings, &reason);
	if (rc != OK) {
		err_set(why, rc, "error configuring provider: %s", reason.text);
	}
	return rc;
}

static void on_seeded(struct castep *step);

static void
go(struct change *change)
{
	const struct ca_env *env = change->task.env;
	struct errmsg why;
	bool equal = false;
	enum err rc;

	rc = castore_load(node_db(env->node), &change->store, &why);
	/* Bootstrap did not get this far: the cluster id comes first. */
	if (rc == OK && !change->store->has_config) {
		rc = caseed_make(
		    change->store, env->config, &change->seed, &why);
		if (rc == OK) {
			castep_propose(
			    &change->step, &change->seed.command, on_seeded);
			return;
		}
	}
	if (rc == OK)
		rc = judge(change, &equal, &why);
	if (rc != OK)
		end_with(change, rc, &why);
	else if (equal)
		end(change, OK);
	else
		prepare(change);
}

static void
on_seeded(struct castep *step)
{
	struct change *change = change_of(step);

	if (step->status != OK) {
		end_with(change, step->status, &step->why);
		return;
	}
	castore_free(change->store);
	change->store = NULL;
	go(change);
}

static void
on_begin(struct castep *step)
{
	struct change *change = change_of(step);
	struct errmsg why;

	if (!change->task.abandoned) {
		go(change);
		return;
	}
	err_set(&why, ERR_NOLEADER,
	    "leadership was lost, nothing has been changed");
	end_with(change, ERR_NOLEADER, &why);
}

enum err
change_new(const struct ca_env *env, const uint8_t *request, size_t size,
    change_cb cb, void *arg, struct change **out, struct errmsg *why)
{
	struct change *change = calloc(1, sizeof(*change));
	enum err rc;

	if (change == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	change->task.env = env;
	change->step.task = &change->task;
	change->config = buf_new(AUTHORITY_CONFIG_MAX);
	change->state = buf_new(AUTHORITY_CONFIG_MAX);
	change->cb = cb;
	change->arg = arg;
	rc = putbody_decode(request, size, &change->put, why);
	if (rc != OK) {
		change_free(change);
		return rc;
	}
	*out = change;
	return OK;
}

void
change_start(struct change *change)
{
	castep_later(&change->step, OK, on_begin);
}

void
change_abandon(struct change *change)
{
	change->task.abandoned = true;
}
