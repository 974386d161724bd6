#include "server/cluster/machine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "fsm/entry.h"
#include "server/cluster/raftio.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/metrics.h"
#include "storage/image.h"
#include "storage/txn.h"

#define HASHES_MAX      1024                /* state hashes remembered */
#define TRAIL_BYTES_MAX (32u * 1024 * 1024) /* log kept behind a snapshot */
#define TUNE_ENTRIES    64                  /* enough for a mean size */

struct state_hash {
	uint64_t index;
	uint8_t hash[DB_HASH_SIZE];
};

/* A committed entry that the log has not stored yet; a copy. */
struct waiting {
	struct waiting *next;
	uint64_t index;
	uint8_t hash[DB_HASH_SIZE];
	size_t size;
	uint8_t data[];
};

struct machine {
	const struct machine_events *events;
	void *arg;
	struct raft_fsm fsm;
	struct raft *raft;     /* borrowed */
	struct raftio *raftio; /* borrowed */
	unsigned snapshot_threshold, snapshot_trailing;

	struct db *db;
	struct txn *txn;                 /* of entries applied in this turn */
	struct waiting *oldest, *newest; /* to be applied, in order */
	struct txn *snapshot_txn;        /* what a snapshot under way reads */
	struct topics dirty;
	struct fsm_outcome outcome;
	uint64_t applied;
	uint64_t visible;
	uint64_t revision; /* committed */
	uint8_t chain[DB_HASH_SIZE];
	size_t log_bytes; /* applied since the last snapshot */
	unsigned log_entries;
	struct state_hash hashes[HASHES_MAX];
};

static _Noreturn void
fatal(const char *what, const char *reason)
{
	log_event(
	    LOG_ERROR, "raft", "%s failed, stopping: reason=%s", what, reason);
	err_die("conclaved: %s failed: %s", what, reason);
}

/*
 * An entry at or below what the state holds comes again after a restart. The
 * very last one can be compared with the chain hash; a difference means that
 * log and state tell two stories (hazard 3).
 */
static void
check_replayed(
    const struct machine *m, uint64_t index, const struct raft_buffer *b)
{
	struct reader in = {b->base, b->len};
	struct entry_head head;
	struct db_meta meta;
	struct errmsg why;
	uint8_t hash[DB_HASH_SIZE];

	db_meta(m->db, &meta);
	if (index != meta.index || entry_open(&in, &head, &why) != OK)
		return;
	SHA256(b->base, b->len, hash);
	if (memcmp(hash, meta.chain, sizeof(hash)) != 0)
		fatal("comparing log and state",
		    "the entry last applied is not the one in the log");
}

static void
ensure_txn(struct machine *m)
{
	struct errmsg why;

	if (m->txn == NULL && txn_write(m->db, &m->txn, &why) != OK)
		fatal("opening a state transaction", why.text);
}

static void
apply_now(struct machine *m, uint64_t index, const void *data, size_t size)
{
	struct state_hash *slot = &m->hashes[index % HASHES_MAX];
	const struct db_meta *meta;
	enum err rc;

	ensure_txn(m);
	rc = fsm_apply(m->txn, index, data, size, &m->outcome, &m->dirty);
	if (rc != OK)
		fatal("applying an entry", err_text(rc));
	if (m->outcome.refused)
		log_event(LOG_ERROR, "raft",
		    "entry refused: index=%" PRIu64 " reason=%s", index,
		    m->outcome.why.text);
	m->applied = index;
	m->log_bytes += size;
	m->log_entries++;
	meta = txn_meta(m->txn);
	memcpy(m->chain, meta->chain, sizeof(m->chain));
	slot->index = index;
	db_state_hash(meta, slot->hash);
	metrics_add(METRIC_RAFT_APPLY, m->outcome.count);
	m->events->applied(m->arg, index, m->chain, &m->outcome);
}

static void
put_off(struct machine *m, uint64_t index, const void *data, size_t size)
{
	struct waiting *w = malloc(sizeof(*w) + size);

	if (w == NULL)
		fatal("applying an entry", "out of memory");
	w->next = NULL;
	w->index = index;
	w->size = size;
	memcpy(w->data, data, size);
	SHA256(w->data, size, w->hash);
	if (m->newest != NULL)
		m->newest->next = w;
	else
		m->oldest = w;
	m->newest = w;
}

static struct waiting *
take_oldest(struct machine *m)
{
	struct waiting *w = m->oldest;

	m->oldest = w->next;
	if (m->oldest == NULL)
		m->newest = NULL;
	return w;
}

static void
forget_waiting(struct machine *m)
{
	while (m->oldest != NULL)
		free(take_oldest(m));
}

/*
 * libraft applies what is committed, stored here or not. To hold a transaction
 * open until the log has all of it would, with a log that always lags, hold it
 * for ever: so an entry waits outside until it is stored itself.
 */
static int
apply_entry(struct raft_fsm *fsm, const struct raft_buffer *b, void **result)
{
	struct machine *m = fsm->data;
	uint64_t index = raft_last_applied(m->raft) + 1;

	*result = NULL;
	if (index <= m->applied)
		check_replayed(m, index, b);
	else if (m->oldest != NULL || index > m->raft->last_stored)
		put_off(m, index, b->base, b->len);
	else
		apply_now(m, index, b->base, b->len);
	return 0;
}

static void
apply_stored(struct machine *m)
{
	struct waiting *w;

	while (m->oldest != NULL && m->oldest->index <= m->raft->last_stored) {
		w = take_oldest(m);
		apply_now(m, w->index, w->data, w->size);
		free(w);
	}
}

/* Keep the log behind a snapshot bounded in bytes, not only in entries: with
 * full batches an entry is 64 KiB. */
static void
tune_snapshots(struct machine *m)
{
	size_t mean;
	unsigned fit;

	if (m->log_entries < TUNE_ENTRIES)
		return;
	mean = m->log_bytes / m->log_entries + 64;
	fit = (unsigned)(TRAIL_BYTES_MAX / mean) + 1;
	raft_set_snapshot_trailing(
	    m->raft, fit < m->snapshot_trailing ? fit : m->snapshot_trailing);
	raft_set_snapshot_threshold(
	    m->raft, fit < m->snapshot_threshold ? fit : m->snapshot_threshold);
}

static void
publish(struct machine *m)
{
	struct topics topics = m->dirty;

	m->dirty.count = 0;
	m->dirty.all = false;
	m->events->committed(m->arg, &topics, m->revision);
}

void
machine_commit(struct machine *m)
{
	struct errmsg why;
	uint64_t visible;
	bool changed;

	apply_stored(m);
	changed = m->txn != NULL;
	if (changed) {
		m->revision = txn_meta(m->txn)->revision;
		if (txn_commit(m->txn, &why) != OK)
			fatal("committing the state", why.text);
		m->txn = NULL;
		tune_snapshots(m);
	}
	/* Barriers and configurations pass without a call to us. */
	visible = m->oldest != NULL ? m->oldest->index - 1
				    : raft_last_applied(m->raft);
	if (visible > m->visible)
		m->visible = visible;
	if (changed)
		publish(m);
}

static int
take_snapshot(struct raft_fsm *fsm, struct raft_buffer **bufs, unsigned *n)
{
	struct machine *m = fsm->data;
	struct errmsg why;

	machine_commit(m);
	/* What is not proven must not displace the last good snapshot. */
	if (m->oldest != NULL || m->snapshot_txn != NULL || db_unproven(m->db))
		return RAFT_BUSY; /* asked again at the next event */
	if (txn_read(m->db, &m->snapshot_txn, &why) != OK) {
		log_event(LOG_WARN, "snapshot", "put off: reason=%s", why.text);
		return RAFT_BUSY;
	}
	m->log_bytes = 0;
	m->log_entries = 0;
	raftio_set_snapshot(m->raftio, m->snapshot_txn);
	*bufs = NULL;
	*n = 0;
	return 0;
}

enum err
machine_dump(void *arg, void *snapshot, uint64_t index, void **data,
    size_t *size, struct errmsg *why)
{
	uint64_t begun = time_mono_ms();
	enum err rc;

	(void)arg;
	rc = image_write(snapshot, index, raft_malloc, data, size, why);
	metrics_observe(
	    METRIC_RAFT_SNAPSHOTS, (double)(time_mono_ms() - begun));
	return rc;
}

static int
finalize_snapshot(struct raft_fsm *fsm, struct raft_buffer **bufs, unsigned *n)
{
	struct machine *m = fsm->data;

	txn_abort(m->snapshot_txn);
	m->snapshot_txn = NULL;
	raftio_snapshot_done(m->raftio);
	*bufs = NULL;
	*n = 0;
	return 0;
}

static enum err
load_image(struct machine *m, const struct raft_buffer *b, struct errmsg *why)
{
	struct db_meta meta;
	enum err rc;

	txn_abort(m->txn); /* superseded by the image */
	m->txn = NULL;
	forget_waiting(m);
	rc = image_load(m->db, b->base, b->len, why);
	if (rc != OK)
		return rc;
	db_meta(m->db, &meta);
	m->applied = m->visible = meta.index;
	m->revision = meta.revision;
	memcpy(m->chain, meta.chain, sizeof(m->chain));
	memset(m->hashes, 0, sizeof(m->hashes));
	log_event(LOG_INFO, "snapshot",
	    "state restored: index=%" PRIu64 " revision=%" PRIu64, meta.index,
	    meta.revision);
	m->dirty.all = true;
	publish(m);
	return OK;
}

static int
restore_snapshot(struct raft_fsm *fsm, struct raft_buffer *b)
{
	struct machine *m = fsm->data;
	struct image_head head;
	struct errmsg why;
	enum err rc;

	rc = image_verify(b->base, b->len, &head, &why);
	/* At each start an old one is offered: the state is further on. */
	if (rc == OK && head.index > m->applied)
		rc = load_image(m, b, &why);
	if (rc == OK) {
		raft_free(b->base);
		return 0;
	}
	/* The log behind a leader's snapshot is gone already, and libraft would
	 * go on without either. */
	if (raft_commit_index(m->raft) != 0)
		fatal("restoring the leader's snapshot", why.text);
	log_event(LOG_ERROR, "snapshot", "refused: %s", why.text);
	return rc == ERR_CORRUPT ? RAFT_CORRUPT : RAFT_IOERR;
}

enum err
machine_open(const char *dir, const struct machine_events *events, void *arg,
    struct machine **out, struct errmsg *why)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct errmsg doubt = {0};
	struct db_meta meta;
	bool rebuilt = false;
	enum err rc;

	if (m == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	rc = db_open(dir, DB_MAP_DEFAULT, &rebuilt, &m->db, &doubt);
	if (rc != OK) {
		*why = doubt;
		free(m);
		return rc;
	}
	if (rebuilt)
		log_event(LOG_WARN, "raft",
		    "state dropped, to be rebuilt from snapshot and log: "
		    "reason=%s",
		    doubt.text);
	m->events = events;
	m->arg = arg;
	m->fsm = (struct raft_fsm){.version = 2,
	    .data = m,
	    .apply = apply_entry,
	    .snapshot = take_snapshot,
	    .restore = restore_snapshot,
	    .snapshot_finalize = finalize_snapshot};
	db_meta(m->db, &meta);
	m->applied = m->visible = meta.index;
	m->revision = meta.revision;
	memcpy(m->chain, meta.chain, sizeof(m->chain));
	*out = m;
	return OK;
}

void
machine_close(struct machine *m)
{
	struct errmsg why;

	if (m == NULL)
		return;
	/* What the log may not have stored is applied again at the next
	 * start. */
	forget_waiting(m);
	if (m->txn != NULL && txn_commit(m->txn, &why) != OK)
		fatal("committing the state", why.text);
	txn_abort(m->snapshot_txn);
	db_close(m->db);
	free(m);
}

void
machine_abandon(struct machine *m)
{
	if (m == NULL)
		return;
	forget_waiting(m);
	txn_abort(m->txn);
	txn_abort(m->snapshot_txn);
	db_abandon(m->db);
	free(m);
}

struct raft_fsm *
machine_fsm(struct machine *m)
{
	return &m->fsm;
}

void
machine_attach(struct machine *m, struct raft *raft, struct raftio *raftio,
    unsigned threshold, unsigned trailing)
{
	m->raft = raft;
	m->raftio = raftio;
	m->snapshot_threshold = threshold;
	m->snapshot_trailing = trailing;
	raft_set_snapshot_threshold(raft, threshold);
	raft_set_snapshot_trailing(raft, trailing);
}

struct db *
machine_db(struct machine *m)
{
	return m->db;
}

uint64_t
machine_applied(const struct machine *m)
{
	return m->applied;
}

uint64_t
machine_visible(const struct machine *m)
{
	return m->visible;
}

uint64_t
machine_revision(const struct machine *m)
{
	return m->revision;
}

void
machine_chain(const struct machine *m, uint8_t chain[static DB_HASH_SIZE])
{
	memcpy(chain, m->newest != NULL ? m->newest->hash : m->chain,
	    DB_HASH_SIZE);
}

bool
machine_state_hash(
    const struct machine *m, uint64_t index, uint8_t hash[static DB_HASH_SIZE])
{
	const struct state_hash *slot = &m->hashes[index % HASHES_MAX];

	if (index == 0 || slot->index != index)
		return false;
	memcpy(hash, slot->hash, DB_HASH_SIZE);
	return true;
}
