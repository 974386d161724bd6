#include "server/cluster/proof.h"

#include <inttypes.h>
#include <stdlib.h>

#include "server/duration.h"
#include "server/log.h"
#include "server/worker.h"
#include "storage/txn.h"

struct proof {
	struct worker_job job;
	struct db *db;
	struct txn *txn;
	enum err status;
	bool equal;
	uint64_t begun_ms;
	void (*done)(void *arg);
	void *arg;
};

static _Noreturn void
fatal(const char *reason)
{
	log_event(LOG_ERROR, "raft",
	    "verifying the state after an unclean stop: %s", reason);
	err_die(
	    "conclaved: verifying the state after an unclean stop: %s", reason);
}

static void
prove(struct worker_job *job)
{
	struct proof *p = CONTAINER_OF(job, struct proof, job);

	p->status = txn_verify(p->txn, &p->equal);
}

static void
proved(struct worker_job *job)
{
	struct proof *p = CONTAINER_OF(job, struct proof, job);
	struct errmsg why;

	txn_abort(p->txn);
	if (p->status != OK || !p->equal) {
		if (db_condemned(p->db, &why) != OK)
			log_event(LOG_ERROR, "raft", "%s", why.text);
		fatal(p->status != OK ? err_text(p->status)
				      : "its rows do not add up, the next "
					"start rebuilds it from snapshot and "
					"log");
	}
	db_proven(p->db);
	log_event(LOG_INFO, "raft",
	    "state verified after an unclean stop: ms=%" PRIu64,
	    time_mono_ms() - p->begun_ms);
	p->done(p->arg);
	free(p);
}

bool
proof_begin(struct db *db, struct loop *loop, struct worker *worker,
    void (*done)(void *arg), void *arg)
{
	struct errmsg why;
	struct proof *p;

	if (!db_unproven(db))
		return false;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		fatal("out of memory");
	*p =
	    (struct proof){.job = {.work = prove, .done = proved, .home = loop},
		.db = db,
		.begun_ms = time_mono_ms(),
		.done = done,
		.arg = arg};
	if (txn_read(db, &p->txn, &why) != OK)
		fatal(why.text);
	if (worker_submit(worker, &p->job) != OK)
		fatal("the workers are busy");
	return true;
}
