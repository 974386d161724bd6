#include "server/ca/castep.h"

#include <string.h>

static void
on_deferred(struct loop_task *deferred)
{
	struct castep *step = CONTAINER_OF(deferred, struct castep, deferred);

	step->next(step);
}

void
castep_later(struct castep *step, enum err status, castep_cb next)
{
	step->status = status;
	step->next = next;
	step->deferred = (struct loop_task){.run = on_deferred};
	loop_post(step->task->env->loop, &step->deferred);
}

/* True if the task may not begin anything any more; next will be told. */
static bool
refused(struct castep *step, castep_cb next)
{
	step->why = (struct errmsg){""};
	step->value = 0;
	step->revision = 0;
	if (!step->task->abandoned)
		return false;
	err_set(&step->why, ERR_NOLEADER,
	    "leadership was lost, nothing has been changed");
	castep_later(step, ERR_NOLEADER, next);
	return true;
}

static void
on_proposed(struct node_proposal *proposal)
{
	struct castep *step = CONTAINER_OF(proposal, struct castep, proposal);
	const struct fsm_result *result = &proposal->result;

	step->status = proposal->status;
	if (proposal->status != OK) {
		step->why = proposal->why;
	} else if (result->code != OK) {
		step->status =
		    err_set(&step->why, result->code, "%s", result->why);
	} else {
		step->value = result->value;
		step->revision = result->revision;
	}
	step->next(step);
}

void
castep_propose(
    struct castep *step, const struct command *command, castep_cb next)
{
	const struct ca_env *env = step->task->env;
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	enum err rc;

	if (refused(step, next))
		return;
	step->next = next;
	rc = command_encode(command, &bytes, &step->why);
	if (rc == OK) {
		step->proposal = (struct node_proposal){0};
		rc = node_propose(
		    env->node, env->loop, &bytes, &step->proposal, on_proposed);
		if (rc == OK)
			return;
		err_set(&step->why, rc, "cannot propose a change: %s",
		    err_text(rc));
	}
	buf_wipe(&bytes);
	castep_later(step, rc, next);
}

static void
on_work(struct worker_job *job)
{
	struct castep *step = CONTAINER_OF(job, struct castep, job);

	step->status = step->work(step);
}

static void
on_worked(struct worker_job *job)
{
	struct castep *step = CONTAINER_OF(job, struct castep, job);

	step->next(step);
}

void
castep_compute(
    struct castep *step, enum err (*work)(struct castep *step), castep_cb next)
{
	const struct ca_env *env = step->task->env;
	enum err rc;

	if (refused(step, next))
		return;
	step->next = next;
	step->work = work;
	step->job = (struct worker_job){
	    .work = on_work, .done = on_worked, .home = env->loop};
	rc = worker_submit(env->worker, &step->job);
	if (rc == OK)
		return;
	err_set(&step->why, rc, "the worker queue is full");
	castep_later(step, rc, next);
}

enum err
castep_time(const struct catask *task, int64_t *now, struct errmsg *why)
{
	bool sure = false;

	*now = node_cluster_time(task->env->node, &sure);
	if (sure)
		return OK;
	return err_set(why, ERR_BUSY,
	    "no majority of the servers has told its clock yet, try again");
}
