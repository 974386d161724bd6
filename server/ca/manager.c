#include "server/ca/manager.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "server/ca/bootstrap.h"
#include "server/ca/change.h"
#include "server/ca/expiry.h"
#include "server/ca/prune.h"
#include "server/ca/putbody.h"
#include "server/config.h"
#include "server/log.h"

#define RETRY_MIN_MS   1000
#define RETRY_MAX_MS   256000
#define RETRY_CLOCK_MS 50 /* while the voters have not told their clocks */
#define TICK_FIRST_MS  5000
#define TICK_MS        (5 * 60 * 1000)
#define TICKS_PER_HOUR 12
#define REPLY_SIZE     16

#define DISABLED_TEXT "Connect must be enabled in order to use this endpoint"

/*
 * Contract 3.2. Moves: UNINITIALIZED -> INITIALIZING -> INITIALIZED or back;
 * both resting states -> RECONFIGURING -> INITIALIZED or back; all ->
 * UNINITIALIZED when leadership is lost. Nothing renews here: the built-in CA
 * signs with its root.
 */
enum phase { UNINITIALIZED, INITIALIZING, INITIALIZED, RECONFIGURING };

static const char *const phase_names[] = {
    "UNINITIALIZED", "INITIALIZING", "INITIALIZED", "RECONFIGURING"};

/* One configuration call under way. */
struct call {
	struct manager *manager;
	struct node_incoming *incoming; /* answered once */
	struct change *change;
};

/*
 * A task that is no longer one of the three below was abandoned: what it
 * reports does not matter any more, but out counts it until then.
 */
struct manager {
	struct ca_env env;
	bool leading;
	enum phase phase;
	enum phase before; /* a failed change goes back to it */
	struct bootstrap *bootstrap;
	struct prune *prune;
	struct call *call; /* begun, or waiting for prune to end */
	unsigned out;      /* tasks that will still call back */
	struct overdue overdue;
	uint64_t retry_ms;
	unsigned ticks;
	uv_timer_t retry, tick; /* live from the first leadership on */
	unsigned handles;       /* of the two, not closed yet */
	/* stopping */
	void (*done)(void *arg);
	void *done_arg;
	struct loop_task stopped;
	/* for other threads */
	uv_mutex_t lock;
	enum phase shown;
	struct errmsg fault;
};

static void begin_bootstrap(struct manager *manager);

static void
set_phase(struct manager *manager, enum phase phase, const struct errmsg *fault)
{
	manager->phase = phase;
	uv_mutex_lock(&manager->lock);
	manager->shown = phase;
	if (fault != NULL)
		manager->fault = *fault;
	uv_mutex_unlock(&manager->lock);
}

static void
set_initialized(struct manager *manager)
{
	static const struct errmsg none = {""};

	set_phase(manager, INITIALIZED, &none);
	manager->retry_ms = RETRY_MIN_MS;
	expiry_show(&manager->env, false);
}

static void
run_stopped(struct loop_task *task)
{
	struct manager *manager = CONTAINER_OF(task, struct manager, stopped);

	manager->done(manager->done_arg);
}

/* All that could still call into the manager is over. */
static void
check_stopped(struct manager *manager)
{
	if (manager->done == NULL || manager->out > 0 || manager->handles > 0)
		return;
	manager->stopped = (struct loop_task){.run = run_stopped};
	loop_post(manager->env.loop, &manager->stopped);
}

/* -- bootstrap ------------------------------------------------------------ */

static void
on_retry(uv_timer_t *timer)
{
	begin_bootstrap(timer->data);
}

static void
plan_retry(struct manager *manager, enum err status, const struct errmsg *why)
{
	uint64_t delay = manager->retry_ms;

	if (status == ERR_BUSY) {
		delay = RETRY_CLOCK_MS;
	} else {
		log_event(LOG_ERROR, "connect.ca",
		    "failed to initialize the CA: retry_in_ms=%" PRIu64
		    " error=%s",
		    delay, why->text);
		manager->retry_ms =
		    delay < RETRY_MAX_MS / 2 ? 2 * delay : RETRY_MAX_MS;
	}
	uv_timer_start(&manager->retry, on_retry, delay, 0);
}

static void
on_bootstrap(void *arg, struct bootstrap *bootstrap, enum err status,
    const struct errmsg *why)
{
	struct manager *manager = arg;

	manager->out--;
	if (bootstrap != manager->bootstrap) {
		check_stopped(manager);
		return;
	}
	manager->bootstrap = NULL;
	if (status == OK) {
		set_initialized(manager);
		return;
	}
	set_phase(manager, UNINITIALIZED, why);
	plan_retry(manager, status, why);
}

static void
begin_bootstrap(struct manager *manager)
{
	struct errmsg why;
	enum err rc;

	assert(manager->leading);
	assert(manager->phase == UNINITIALIZED);
	assert(manager->bootstrap == NULL);
	uv_timer_stop(&manager->retry);
	rc = bootstrap_start(
	    &manager->env, on_bootstrap, manager, &manager->bootstrap, &why);
	if (rc != OK) {
		set_phase(manager, UNINITIALIZED, &why);
		plan_retry(manager, rc, &why);
		return;
	}
	manager->out++;
	set_phase(manager, INITIALIZING, NULL);
}

/* -- configuration calls -------------------------------------------------- */

/* The node's own answers go without a reply: every API maps them alike. */
static bool
is_of_node(enum err status)
{
	return status == ERR_UNKNOWN || status == ERR_NOLEADER ||
	    status == ERR_NOTLEADER || status == ERR_BUSY ||
	    status == ERR_FULL || status == ERR_CLOSED || status == ERR_TIMEOUT;
}

static void
answer(struct node_incoming *incoming, enum err status,
    const struct errmsg *why, unsigned http_status, uint64_t revision)
{
	struct buf reply = buf_new(REPLY_SIZE);

	putbody_reply(&reply, http_status, revision);
	if (buf_status(&reply, NULL) != OK || is_of_node(status))
		node_answer(incoming, status, why, NULL);
	else
		node_answer(incoming, status, why, &reply);
	buf_free(&reply);
}

static void
refuse(struct node_incoming *incoming, enum err status, const char *text)
{
	struct errmsg why;

	err_set(&why, status, "%s", text);
	answer(incoming, status, &why, 500, 0);
}

/* Where the CA stands after its call has ended. */
static void
settle(struct manager *manager, const struct change_result *result)
{
	if (result->status == OK &&
	    (result->written || manager->before == INITIALIZED)) {
		set_initialized(manager);
		return;
	}
	if (manager->before == INITIALIZED && result->status != ERR_UNKNOWN) {
		set_phase(manager, INITIALIZED, NULL);
		return;
	}
	/* What is stored is not known, or still has to be brought up. */
	set_phase(manager, UNINITIALIZED, NULL);
	if (result->status == OK || result->status == ERR_UNKNOWN)
		begin_bootstrap(manager);
	else
		uv_timer_start(&manager->retry, on_retry, manager->retry_ms, 0);
}

static void
on_change(void *arg, struct change *change, const struct change_result *result)
{
	struct call *call = arg;
	struct manager *manager = call->manager;
	bool current = call == manager->call;

	assert(call->change == change);
	answer(call->incoming, result->status, &result->why,
	    result->status == OK        ? 200
		: result->state_refused ? 400
					: 500,
	    result->revision);
	free(call);
	manager->out--;
	if (!current) {
		check_stopped(manager);
		return;
	}
	manager->call = NULL;
	settle(manager, result);
}

static void
begin_call(struct manager *manager)
{
	manager->out++;
	change_start(manager->call->change);
}

static void
claim(struct manager *manager, struct node_incoming *incoming,
    const uint8_t *request, size_t size)
{
	struct call *call = calloc(1, sizeof(*call));
	struct errmsg why;
	enum err rc;

	if (call == NULL) {
		refuse(incoming, ERR_NOMEM, "out of memory");
		return;
	}
	rc = change_new(
	    &manager->env, request, size, on_change, call, &call->change, &why);
	if (rc != OK) {
		free(call);
		refuse(incoming, rc, why.text);
		return;
	}
	call->manager = manager;
	call->incoming = incoming;
	manager->call = call;
	manager->before = manager->phase;
	uv_timer_stop(&manager->retry);
	set_phase(manager, RECONFIGURING, NULL);
	if (manager->prune == NULL)
		begin_call(manager);
}

static void
on_configure(void *arg, struct node_incoming *incoming, const uint8_t *request,
    size_t size)
{
	struct manager *manager = arg;
	char text[64];

	if (!manager->env.config->connect_enabled) {
		refuse(incoming, ERR_BADSTATE, DISABLED_TEXT);
	} else if (!manager->leading) {
		refuse(incoming, ERR_NOLEADER, "No cluster leader");
	} else if (manager->phase == INITIALIZING ||
	    manager->phase == RECONFIGURING) {
		snprintf(text, sizeof(text), "CA is already in state \"%s\"",
		    phase_names[manager->phase]);
		refuse(incoming, ERR_BADSTATE, text);
	} else {
		claim(manager, incoming, request, size);
	}
}

/* -- the clock's work ----------------------------------------------------- */

static void
on_prune(void *arg, struct prune *prune)
{
	struct manager *manager = arg;

	manager->out--;
	if (prune != manager->prune) {
		check_stopped(manager);
		return;
	}
	manager->prune = NULL;
	if (manager->call != NULL)
		begin_call(manager);
}

static void
on_tick(uv_timer_t *timer)
{
	struct manager *manager = timer->data;
	struct errmsg why;
	enum err rc;

	expiry_show(&manager->env, manager->ticks++ % TICKS_PER_HOUR == 0);
	if (manager->phase != INITIALIZED || manager->prune != NULL)
		return;
	rc = prune_start(&manager->env, &manager->overdue, on_prune, manager,
	    &manager->prune, &why);
	if (rc == OK)
		manager->out++;
	else if (rc != ERR_NOTFOUND && rc != ERR_BUSY)
		log_event(LOG_WARN, "connect.ca",
		    "cannot look for roots to prune: error=%s", why.text);
}

/* -- leadership ----------------------------------------------------------- */

/* A call that waits for prune has not begun: it ends here. */
static void
abandon_call(struct manager *manager)
{
	struct call *call = manager->call;

	if (call == NULL)
		return;
	manager->call = NULL;
	if (manager->prune == NULL) {
		change_abandon(call->change);
		return;
	}
	refuse(call->incoming, ERR_NOLEADER,
	    "leadership was lost, nothing has been changed");
	change_free(call->change);
	free(call);
}

static void
step_down(struct manager *manager)
{
	static const struct errmsg none = {""};

	if (!manager->leading)
		return;
	manager->leading = false;
	uv_timer_stop(&manager->retry);
	uv_timer_stop(&manager->tick);
	abandon_call(manager);
	if (manager->bootstrap != NULL)
		bootstrap_abandon(manager->bootstrap);
	if (manager->prune != NULL)
		prune_abandon(manager->prune);
	manager->bootstrap = NULL;
	manager->prune = NULL;
	set_phase(manager, UNINITIALIZED, &none);
	expiry_hide();
}

static void
step_up(struct manager *manager)
{
	manager->leading = true;
	manager->retry_ms = RETRY_MIN_MS;
	manager->ticks = 0;
	manager->overdue = (struct overdue){0};
	if (manager->handles == 0) {
		uv_timer_init(loop_uv(manager->env.loop), &manager->retry);
		uv_timer_init(loop_uv(manager->env.loop), &manager->tick);
		manager->retry.data = manager;
		manager->tick.data = manager;
		manager->handles = 2;
	}
	uv_timer_start(&manager->tick, on_tick, TICK_FIRST_MS, TICK_MS);
	begin_bootstrap(manager);
}

static void
on_role(void *arg, bool ready, uint64_t term)
{
	struct manager *manager = arg;

	(void)term;
	step_down(manager);
	if (ready && manager->done == NULL)
		step_up(manager);
}

/* -- life ----------------------------------------------------------------- */

enum err
manager_new(const struct config *config, struct node *node, struct loop *loop,
    struct worker *worker, struct manager **out, struct errmsg *why)
{
	struct manager *manager = calloc(1, sizeof(*manager));

	if (manager == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	if (uv_mutex_init(&manager->lock) != 0) {
		free(manager);
		return err_set(why, ERR_NOMEM, "cannot make a lock");
	}
	manager->env = (struct ca_env){config, node, loop, worker};
	expiry_hide();
	node_serve(node, NODE_CALL_CA_CONFIGURE, on_configure, manager);
	if (config->connect_enabled)
		node_on_role(node, on_role, manager);
	*out = manager;
	return OK;
}

static void
on_closed(uv_handle_t *handle)
{
	struct manager *manager = handle->data;

	manager->handles--;
	check_stopped(manager);
}

void
manager_stop(struct manager *manager, void (*done)(void *arg), void *arg)
{
	assert(manager->done == NULL);
	step_down(manager);
	manager->done = done;
	manager->done_arg = arg;
	if (manager->handles > 0) {
		uv_close((uv_handle_t *)&manager->retry, on_closed);
		uv_close((uv_handle_t *)&manager->tick, on_closed);
	}
	check_stopped(manager);
}

void
manager_free(struct manager *manager)
{
	if (manager == NULL)
		return;
	assert(manager->out == 0);
	uv_mutex_destroy(&manager->lock);
	free(manager);
}

void
manager_state(struct manager *manager, char *state, size_t state_size,
    struct errmsg *fault)
{
	uv_mutex_lock(&manager->lock);
	snprintf(state, state_size, "%s", phase_names[manager->shown]);
	*fault = manager->fault;
	uv_mutex_unlock(&manager->lock);
}
