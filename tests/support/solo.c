#include "tests/support/solo.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <raft.h>
#include <raft/uv.h>

#include "server/cluster/raftio.h"
#include "tests/support/test.h"

#define SOLO_ID 1

struct run {
	const struct solo *plan;
	struct solo_result *result;
	uv_loop_t loop;
	struct raft_uv_transport transport;
	struct raft_io io;
	struct raft raft;
	struct raft_fsm fsm;
	struct raftio *raftio;
	uv_timer_t timer;
	unsigned proposed, applied;
	bool ended;
};

struct proposal {
	struct raft_apply apply;
	struct run *run;
};

static uint64_t
clock_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void
die(void *arg, const char *what, const char *reason)
{
	(void)arg;
	(void)fprintf(stderr, "solo: %s: %s\n", what, reason);
	_exit(3);
}

static enum err
dump(void *arg, void *snapshot, uint64_t index, void **data, size_t *size,
    struct errmsg *why)
{
	struct run *run = arg;

	(void)snapshot;
	(void)why;
	*size = 64;
	*data = raft_calloc(1, *size);
	if (*data == NULL)
		return ERR_NOMEM;
	memcpy(*data, &index, sizeof(index));
	run->result->snapshots++;
	return OK;
}

static int
on_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	(void)fsm;
	(void)buf;
	*result = NULL;
	return 0;
}

static int
on_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
	struct run *run = fsm->data;

	*bufs = NULL;
	*n = 0;
	raftio_set_snapshot(run->raftio, run);
	return 0;
}

static int
on_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
	struct run *run = fsm->data;

	(void)bufs;
	(void)n;
	raftio_snapshot_done(run->raftio);
	return 0;
}

static int
on_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct run *run = fsm->data;

	memcpy(
	    &run->result->restored, buf->base, sizeof(run->result->restored));
	raft_free(buf->base);
	return 0;
}

static void
on_closed(struct raft *raft)
{
	(void)raft;
}

static void pump(struct run *run);

static void
on_applied(struct raft_apply *req, int status, void *result)
{
	struct proposal *proposal = CONTAINER_OF(req, struct proposal, apply);
	struct run *run = proposal->run;

	(void)result;
	free(proposal);
	if (status != 0)
		die(NULL, "apply", raft_strerror(status));
	run->applied++;
	if (!run->ended)
		pump(run);
}

static void
finish(struct run *run)
{
	if (run->plan->kill)
		(void)raise(SIGKILL);
	uv_close((uv_handle_t *)&run->timer, NULL);
	raft_close(&run->raft, on_closed);
}

static void
pump(struct run *run)
{
	const struct solo *plan = run->plan;

	if (run->applied == plan->entries) {
		if (plan->settle && raftio_snapshotting(run->raftio))
			return; /* the timer looks again */
		run->ended = true;
		finish(run);
		return;
	}
	while (run->proposed < plan->entries &&
	    run->proposed - run->applied < plan->in_flight) {
		struct proposal *proposal = calloc(1, sizeof(*proposal));
		struct raft_buffer buf = {.len = plan->entry_size};
		int rv;

		buf.base = raft_malloc(buf.len);
		if (proposal == NULL || buf.base == NULL)
			die(NULL, "memory", "none");
		memset(buf.base, 0x40 + (int)(run->proposed % 64), buf.len);
		proposal->run = run;
		rv = raft_apply(
		    &run->raft, &proposal->apply, &buf, 1, on_applied);
		if (rv != 0)
			die(NULL, "raft_apply", raft_strerror(rv));
		run->proposed++;
	}
}

/* The sole voter leads once started; leave the start's own call stack first. */
static void
on_timer(uv_timer_t *timer)
{
	struct run *run = timer->data;

	if (raft_state(&run->raft) == RAFT_LEADER)
		pump(run);
}

static int
prepare(struct run *run)
{
	const struct raftio_hooks hooks = {
	    .arg = run, .dump = dump, .fatal = die};
	struct raft_configuration conf;
	struct errmsg why;
	int rv;

	raftio_no_transport(&run->transport);
	rv =
	    raft_uv_init(&run->io, &run->loop, run->plan->dir, &run->transport);
	if (rv != 0)
		return rv;
	raft_uv_set_segment_size(&run->io, run->plan->segment_size);
	raft_uv_set_auto_recovery(&run->io, false);
	run->fsm = (struct raft_fsm){.version = 2,
	    .data = run,
	    .apply = on_apply,
	    .snapshot = on_snapshot,
	    .snapshot_finalize = on_finalize,
	    .restore = on_restore};
	if (raftio_wrap(&run->io, &run->raft, NULL, NULL, NULL, &hooks,
		clock_ms, &run->raftio, &why) != OK)
		die(NULL, "raftio_wrap", why.text);
	rv = raft_init(&run->raft, &run->io, &run->fsm, SOLO_ID, "solo");
	if (rv != 0)
		return rv;
	raft_set_capacity_threshold(&run->raft, 0);
	raft_set_snapshot_threshold(&run->raft,
	    run->plan->threshold == 0 ? 1u << 30 : run->plan->threshold);
	raft_set_snapshot_trailing(&run->raft, run->plan->trailing);
	raft_configuration_init(&conf);
	rv = raft_configuration_add(&conf, SOLO_ID, "solo", RAFT_VOTER);
	if (rv == 0)
		rv = raft_bootstrap(&run->raft, &conf);
	raft_configuration_close(&conf);
	if (rv == RAFT_CANTBOOTSTRAP)
		rv = 0; /* not the first run */
	return rv == 0 ? raft_start(&run->raft) : rv;
}

static void
child(struct run *run)
{
	if (uv_loop_init(&run->loop) != 0)
		die(NULL, "uv_loop_init", "failed");
	run->result->status = prepare(run);
	if (run->result->status != 0)
		_exit(0);
	run->result->last_index = raft_last_index(&run->raft);
	run->result->term = run->raft.current_term;
	if (uv_timer_init(&run->loop, &run->timer) != 0)
		die(NULL, "uv_timer_init", "failed");
	run->timer.data = run;
	if (uv_timer_start(&run->timer, on_timer, 1, 5) != 0)
		die(NULL, "uv_timer_start", "failed");
	(void)uv_run(&run->loop, UV_RUN_DEFAULT);
	raftio_free(run->raftio);
	raft_uv_close(&run->io);
	_exit(0);
}

/* libc and the sanitizers have words for a crash that is expected. */
static void
hush(void)
{
	int fd = open("/dev/null", O_WRONLY);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(4);
}

struct solo_result
solo_run(const struct solo *solo)
{
	struct solo_result *shared, result;
	struct run run = {.plan = solo};
	int status;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	*shared = (struct solo_result){0};
	run.result = shared;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (solo->may_crash)
			hush();
		child(&run);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	result = *shared;
	munmap(shared, sizeof(*shared));
	if (result.status == 0 && solo->kill) {
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		return result;
	}
	result.crashed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	assert_true(solo->may_crash || !result.crashed);
	return result;
}
