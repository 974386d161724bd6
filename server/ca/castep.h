/*
 * castep - one step of a CA task: a commit, or work on another thread, after
 * which the task goes on.
 *
 * A task is a chain of steps, one under way at a time. When leadership is lost
 * the task is abandoned, not stopped: what is out comes back, tells its real
 * outcome, and the next step is refused with ERR_NOLEADER, so a task ends
 * through its one error path and no late result is taken for a fresh one.
 * Embed the step in what the continuation needs. Consensus loop.
 */
#ifndef SERVER_CA_CASTEP_H
#define SERVER_CA_CASTEP_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/command.h"
#include "server/cluster/node.h"
#include "server/worker.h"
#include "storage/err.h"

struct config;

/* What every part of the CA works with; borrowed. */
struct ca_env {
	const struct config *config;
	struct node *node;
	struct loop *loop;
	struct worker *worker;
};

struct catask {
	const struct ca_env *env;
	bool abandoned;
};

struct castep;
typedef void (*castep_cb)(struct castep *step);

struct castep {
	const struct catask *task; /* set before the first use */
	/* outcome of the last step, when its continuation runs */
	enum err status;
	struct errmsg why;
	uint64_t value, revision; /* of a commit: struct fsm_result */
	/* private */
	castep_cb next;
	enum err (*work)(struct castep *step);
	struct node_proposal proposal;
	struct worker_job job;
	struct loop_task deferred;
};

/* Each calls next later, once, never from inside. */

/* Commit command; its secrets are wiped after use. status: ERR_UNKNOWN if it
 * may have been applied, the rules' refusal with their words. */
void castep_propose(
    struct castep *step, const struct command *command, castep_cb next);
/* Run work on a worker; it may set step->why. */
void castep_compute(
    struct castep *step, enum err (*work)(struct castep *step), castep_cb next);
/* Go on with this status (step->why as it is). */
void castep_later(struct castep *step, enum err status, castep_cb next);

/* Cluster time, seconds since 1970. ERR_BUSY while no majority of the voters
 * has told its clock (hazard 13). */
MUST_CHECK enum err castep_time(
    const struct catask *task, int64_t *now, struct errmsg *why);

#endif
