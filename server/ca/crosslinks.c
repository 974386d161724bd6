#include "server/ca/crosslinks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/duration.h"
#include "server/log.h"

#define DAY      (INT64_C(24) * 3600)
#define BACKDATE 60 /* seconds */

#define NO_CROSS_SIGNING                                                       \
	"The current CA Provider does not support cross-signing. You can try " \
	"again with ForceWithoutCrossSigningSet but this may cause "           \
	"disruption - see documentation for more."

static struct crosslinks *
crosslinks_of(struct castep *step)
{
	return CONTAINER_OF(step, struct crosslinks, step);
}

static void
end(struct crosslinks *links, enum err status)
{
	links->status = status;
	links->cb(links);
}

int64_t
crosslinks_end(int64_t now, int64_t leaf_ttl)
{
	int64_t seconds = leaf_ttl / DURATION_SECOND;

	/* 2 x TTL + 1 day above 7 days, without the risk of a wrap. */
	if (seconds > 3 * DAY)
		return now + 2 * seconds + DAY;
	return now + 7 * DAY;
}

/* All listed roots, then more: a bundle. NULL when memory is out. */
static char *
bundle_of(const struct castore *store, const char *more)
{
	size_t size = strlen(more) + 1, at = 0;
	char *text;

	for (size_t i = 0; i < store->root_count; i++)
		size += store->roots[i].cert.size;
	text = malloc(size);
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < store->root_count; i++) {
		memcpy(text + at, store->roots[i].cert.data,
		    store->roots[i].cert.size);
		at += store->roots[i].cert.size;
	}
	memcpy(text + at, more, strlen(more) + 1);
	return text;
}

static char *
chain_of(const struct crosslinks *links)
{
	size_t size = 1, at = 0;
	char *text;

	for (size_t i = 0; i < links->count; i++)
		size += strlen(links->list[i].cert);
	text = malloc(size);
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < links->count; i++) {
		size = strlen(links->list[i].cert);
		memcpy(text + at, links->list[i].cert, size);
		at += size;
	}
	text[at] = '\0';
	return text;
}

/* Under each root that a link leads to, alone. */
static enum err
prove_each(
    const struct crosslinks *links, const char *chain, struct errmsg *why)
{
	struct errmsg reason;

	for (size_t i = 0; i < links->count; i++) {
		const struct ca_root *root =
		    &links->store->roots[links->list[i].signer];
		enum err rc = pki_verify(links->candidate->leaf, chain,
		    root->cert.data, links->now, &reason);

		if (rc != OK) {
			return err_set(why, rc,
			    "the new root would not be trusted by who trusts "
			    "only root %s: %s",
			    root->id.data, reason.text);
		}
	}
	return OK;
}

static enum err
prove(struct castep *step)
{
	struct crosslinks *links = crosslinks_of(step);
	const struct candidate *candidate = links->candidate;
	char *chain = chain_of(links);
	char *old = bundle_of(links->store, "");
	char *both = bundle_of(links->store, candidate->cert);
	struct errmsg reason;
	enum err rc;

	if (chain == NULL || old == NULL || both == NULL) {
		rc = err_set(&step->why, ERR_NOMEM, "out of memory");
		goto out;
	}
	rc = prove_each(links, chain, &step->why);
	if (rc != OK)
		goto out;
	if (links->count > 0) {
		rc = pki_verify(
		    candidate->leaf, chain, old, links->now, &reason);
	}
	if (rc == OK)
		rc = pki_verify(
		    candidate->leaf, chain, both, links->now, &reason);
	if (rc != OK) {
		err_set(&step->why, rc,
		    "the new root does not verify beside the listed ones: %s",
		    reason.text);
	}
out:
	free(chain);
	free(old);
	free(both);
	return rc;
}

static void
on_proven(struct castep *step)
{
	struct crosslinks *links = crosslinks_of(step);

	links->why = step->why;
	end(links, step->status);
}

static void sign_next(struct crosslinks *links);

static void
on_signed(void *arg, const struct provider_result *result)
{
	struct crosslinks *links = arg;
	enum err rc = result->status;

	if (rc != OK) {
		err_set(&links->why, rc, "error cross-signing: %s",
		    result->why.text);
	} else {
		links->list[links->at].cert = strdup(result->cert);
		if (links->list[links->at].cert == NULL)
			rc = err_set(&links->why, ERR_NOMEM, "out of memory");
	}
	links->signer->ops->free(links->signer);
	links->signer = NULL;
	if (rc != OK) {
		end(links, rc);
		return;
	}
	links->at++;
	sign_next(links);
}

/* Have links[at] signed by the key kept for its root. */
static enum err
begin_signing(struct crosslinks *links, struct crosslink *link)
{
	const struct ca_env *env = links->task->env;
	const struct castore *store = links->store;
	const struct ca_root *root = &store->roots[link->signer];
	const struct ca_provider_row *issuer = &store->issuers[link->signer];
	/* An old issuer only signs here: its settings do not matter. */
	const struct caconfig settings = {.key_type = "ec", .key_bits = 256};
	int64_t last =
	    crosslinks_end(links->now, links->candidate->settings->leaf_ttl);
	enum err rc;

	if (last > root->not_after)
		last = root->not_after;
	rc = provider_consul_new(env->worker, env->loop, &settings,
	    store->config.cluster_id.data, issuer->private_key.data,
	    root->cert.data, &links->signer, &links->why);
	if (rc != OK)
		return rc;
	links->signer->ops->cross_sign(links->signer, link->subject,
	    links->serial++, links->now - BACKDATE, last, on_signed, links);
	return OK;
}

static void
on_refused(struct castep *step)
{
	end(crosslinks_of(step), step->status);
}

static void
sign_next(struct crosslinks *links)
{
	enum err rc;

	while (links->at < links->count) {
		struct crosslink *link = &links->list[links->at];

		if (link->kept == NULL) {
			rc = begin_signing(links, link);
			if (rc != OK)
				castep_later(&links->step, rc, on_refused);
			return;
		}
		link->cert = strdup(link->kept);
		if (link->cert == NULL) {
			rc = err_set(&links->why, ERR_NOMEM, "out of memory");
			castep_later(&links->step, rc, on_refused);
			return;
		}
		links->at++;
	}
	castep_compute(&links->step, prove, on_proven);
}

static void
on_serials(struct castep *step)
{
	struct crosslinks *links = crosslinks_of(step);

	if (step->status != OK) {
		links->why = step->why;
		end(links, step->status);
		return;
	}
	links->serial = step->value;
	sign_next(links);
}

/* The listed root that signed a stored link; CASTORE_NONE if none did. */
static enum err
find_signer(const struct crosslinks *links, const char *link, size_t *signer,
    struct errmsg *why)
{
	const struct castore *store = links->store;
	bool yes = false;
	enum err rc;

	*signer = CASTORE_NONE;
	for (size_t i = 0; i < store->root_count; i++) {
		rc = pki_signed_by(link, store->roots[i].cert.data, &yes, why);
		if (rc != OK)
			return rc;
		if (yes) {
			*signer = i;
			return OK;
		}
	}
	return OK;
}

/* Is the root a link of its own already, or the new root itself? */
static bool
is_linked(const struct crosslinks *links, size_t root)
{
	const struct castore *store = links->store;

	if (span_equal(
		store->roots[root].id, span_of(links->candidate->facts.id)))
		return true;
	for (size_t i = 0; i < links->count; i++) {
		if (links->list[i].signer == root)
			return true;
	}
	return false;
}

/*
 * Put the root that signed a stored link at the end of the chain. It is left
 * out if it is linked already, if it has expired, or if its key is gone and
 * the stored link is of no use. direct: the stored link certifies the root
 * that is the chain's end now.
 */
static enum err
plan_older(struct crosslinks *links, const char *stored, size_t signer,
    bool direct, struct errmsg *why)
{
	const struct castore *store = links->store;
	const struct crosslink *last = &links->list[links->count - 1];
	struct crosslink link = {
	    .signer = signer, .subject = store->roots[last->signer].cert.data};
	struct pki_facts facts;
	enum err rc;

	if (is_linked(links, signer) ||
	    store->roots[signer].not_after <= links->now)
		return OK;
	if (store->issuers[signer].private_key.size == 0) {
		rc = pki_facts(stored, &facts, why);
		if (rc != OK || !direct || facts.not_after <= links->now)
			return rc;
		link.kept = stored;
	}
	if (links->count == CROSSLINKS_MAX) {
		return err_set(why, ERR_LIMIT,
		    "the new root would need more than %d links to older "
		    "roots: wait until one is pruned, or use "
		    "ForceWithoutCrossSigning",
		    CROSSLINKS_MAX);
	}
	links->list[links->count++] = link;
	return OK;
}

/*
 * One line, not a tree: OpenSSL tries a single issuer for each certificate, so
 * every link certifies the signer of the one before it.
 */
static enum err
plan(struct castep *step)
{
	struct crosslinks *links = crosslinks_of(step);
	const struct castore *store = links->store;
	const struct ca_root *old = &store->roots[store->active];
	size_t subject = store->active, signer;
	enum err rc = OK;

	links->list[links->count++] = (struct crosslink){
	    .signer = store->active, .subject = links->candidate->cert};
	for (size_t i = 0; rc == OK && i < old->intermediate_count; i++) {
		const char *stored = old->intermediates[i].data;
		size_t tail = links->list[links->count - 1].signer;

		rc = find_signer(links, stored, &signer, &step->why);
		if (rc == OK && signer != CASTORE_NONE)
			rc = plan_older(
			    links, stored, signer, subject == tail, &step->why);
		subject = signer;
	}
	return rc;
}

static void
on_planned(struct castep *step)
{
	struct crosslinks *links = crosslinks_of(step);
	struct command serials = {.type = COMMAND_CA_SERIAL};

	if (step->status != OK) {
		links->why = step->why;
		end(links, step->status);
		return;
	}
	serials.ca_serial.count = (uint32_t)links->count;
	castep_propose(step, &serials, on_serials);
}

/* May the active root sign the new one? */
static bool
can_cross_sign(const struct castore *store)
{
	return store->issuers[store->active].private_key.size > 0 &&
	    !store->settings.disable_cross_signing;
}

void
crosslinks_make(struct crosslinks *links, crosslinks_cb cb)
{
	const struct castore *store = links->store;
	struct castep *step = &links->step;
	enum err rc;

	links->cb = cb;
	step->task = links->task;
	if (store->active == CASTORE_NONE) {
		castep_compute(step, prove, on_proven);
		return;
	}
	if (links->force) {
		log_event(LOG_WARN, "connect.ca",
		    "rotating without cross-signing: who has not fetched the "
		    "new root will not trust it");
		castep_compute(step, prove, on_proven);
		return;
	}
	/* Nothing verifies under an expired root, with a link or without. */
	if (store->roots[store->active].not_after <= links->now) {
		log_event(LOG_WARN, "connect.ca",
		    "the active root has expired, the new one is not linked "
		    "to it");
		castep_compute(step, prove, on_proven);
		return;
	}
	if (!can_cross_sign(store)) {
		rc = err_set(
		    &links->why, ERR_UNSUPPORTED, "%s", NO_CROSS_SIGNING);
		castep_later(step, rc, on_refused);
		return;
	}
	castep_compute(step, plan, on_planned);
}

void
crosslinks_free(struct crosslinks *links)
{
	if (links->signer != NULL)
		links->signer->ops->free(links->signer);
	for (size_t i = 0; i < links->count; i++)
		free(links->list[i].cert);
	*links = (struct crosslinks){0};
}
