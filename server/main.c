/*
 * conclaved - args, configuration, open, run, close; the only file that knows
 * all the others. Exit status: 0 stopped in order, 1 could not start (usage,
 * configuration, busy port, refused data directory) or ended by a fault that
 * its last line names, 2 a check or examination found something.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "server/api/api.h"
#include "server/ca/manager.h"
#include "server/cluster/node.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/frontend.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "server/net/tls.h"
#include "server/process.h"
#include "server/scratch.h"
#include "server/verbs.h"
#include "server/version.h"
#include "server/worker.h"

#define WORKER_THREADS 2
#define WORKER_QUEUE   1024
#define SECOND_MS      1000

#define SIGNALS 4
static const int signals[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

struct server {
	int argc;
	char **argv;
	struct config *config;    /* what all threads read: never changes */
	struct config *effective; /* with reloads applied; reload_lock */
	char *scratch;            /* -dev: the temporary data directory */
	struct loop *main_loop, *consensus_loop;
	struct worker *worker;
	struct node *node;
	struct manager *manager;
	struct frontend *frontend;
	struct tls_context *https;
	uv_signal_t signals[SIGNALS];
	uv_timer_t second;
	pthread_mutex_t reload_lock;
	struct loop_task stop_task, node_task, node_gone_task;
	atomic_bool stop_asked;
	bool stopping, node_gone, frontend_gone;
};

/* ---- stop ------------------------------------------------------------------
 */

static void
close_main_handles(struct server *s)
{
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	uv_close((uv_handle_t *)&s->second, NULL);
	loop_stop(s->main_loop);
}

static void
part_gone(struct server *s)
{
	if (s->node_gone && s->frontend_gone)
		close_main_handles(s);
}

static void
frontend_gone(void *arg)
{
	struct server *s = arg;

	s->frontend_gone = true;
	part_gone(s);
}

static void
note_node_gone(struct loop_task *task)
{
	struct server *s = CONTAINER_OF(task, struct server, node_gone_task);

	s->node_gone = true;
	part_gone(s);
}

static void
node_closed(void *arg)
{
	struct server *s = arg;

	s->node_gone_task.run = note_node_gone;
	loop_post(s->main_loop, &s->node_gone_task);
}

static void
manager_closed(void *arg)
{
	struct server *s = arg;

	node_stop(s->node, node_closed, s);
}

static void
stop_node(struct loop_task *task)
{
	struct server *s = CONTAINER_OF(task, struct server, node_task);

	manager_stop(s->manager, manager_closed, s);
}

/* Main loop. Both halves stop side by side: the clients' requests wait for the
 * node, and the node answers them as it stops. */
static void
begin_stop(struct loop_task *task)
{
	struct server *s = CONTAINER_OF(task, struct server, stop_task);

	if (s->stopping)
		return;
	s->stopping = true;
	log_event(LOG_INFO, "server", "stopping");
	process_notify("STOPPING=1");
	frontend_stop(s->frontend, s->main_loop, frontend_gone, s);
	s->node_task.run = stop_node;
	loop_post(s->consensus_loop, &s->node_task);
}

/* Any thread, any number of times. */
static void
ask_stop(void *arg)
{
	struct server *s = arg;

	if (atomic_exchange(&s->stop_asked, true))
		return;
	s->stop_task.run = begin_stop;
	loop_post(s->main_loop, &s->stop_task);
}

/* ---- reload ----------------------------------------------------------------
 */

static enum err
https_context(
    const struct config *config, struct tls_context **out, struct errmsg *why)
{
	const struct config_tls *t = &config->tls_https;
	const struct tls_files files = {.ca_file = t->ca_file,
	    .ca_path = t->ca_path,
	    .cert_file = t->cert_file,
	    .key_file = t->key_file,
	    .min_version = t->min_version,
	    .cipher_suites = t->cipher_suites};

	*out = NULL;
	if (config->port_https <= 0)
		return OK;
	return tls_context_new(
	    &files, true, t->verify_incoming, "http/1.1", out, why);
}

static enum err
apply_reload(struct server *s, struct config *next, struct errmsg *why)
{
	struct buf restart = buf_new(4096);
	struct tls_context *https;
	enum err rc;

	rc = https_context(next, &https, why);
	if (rc == OK)
		rc = node_reload(s->node, next, why);
	if (rc == OK) {
		config_reload(s->effective, next, &restart);
		log_configure(s->effective->log_level, s->effective->log_json);
		if (https != NULL)
			frontend_set_tls(s->frontend, https);
		if (restart.size > 0)
			log_event(LOG_WARN, "server",
			    "changed options wait for a restart: %.*s",
			    (int)restart.size, (const char *)restart.data);
		log_event(LOG_INFO, "server", "configuration reloaded");
	}
	tls_context_unref(https);
	buf_free(&restart);
	return rc;
}

/* Any thread. */
static enum err
reload(void *arg, struct errmsg *why)
{
	struct server *s = arg;
	struct config *next = NULL;
	enum config_action action;
	enum err rc;

	(void)pthread_mutex_lock(&s->reload_lock);
	process_notify("RELOADING=1");
	rc = config_load(s->argc, s->argv, &action, &next, why);
	if (rc == OK)
		rc = apply_reload(s, next, why);
	if (rc != OK)
		log_event(LOG_ERROR, "server",
		    "reload refused, the old configuration stays: %s",
		    why->text);
	config_free(next);
	process_notify("READY=1");
	(void)pthread_mutex_unlock(&s->reload_lock);
	return rc;
}

/* ---- the main loop
 * ------------------------------------------------------------ */

static void
dump_metrics(void)
{
	struct buf out = buf_new(1u << 20);

	metrics_prometheus(&out);
	if (out.failed == OK)
		(void)fwrite(out.data, 1, out.size, stderr);
	buf_free(&out);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct server *s = handle->data;
	struct errmsg why;

	switch (number) {
	case SIGHUP:
		(void)!reload(s, &why);
		break;
	case SIGUSR1:
		dump_metrics();
		break;
	default:
		if (s->stopping) /* a second one: the operator insists */
			_exit(1);
		ask_stop(s);
		break;
	}
}

static void
on_second(uv_timer_t *timer)
{
	(void)timer;
	metrics_tick(time_mono_ms(), time_wall_ms() / 1000);
}

static enum err
open_main_handles(struct server *s, struct errmsg *why)
{
	uv_loop_t *loop = loop_uv(s->main_loop);

	for (size_t i = 0; i < SIGNALS; i++) {
		s->signals[i].data = s;
		if (uv_signal_init(loop, &s->signals[i]) != 0 ||
		    uv_signal_start(&s->signals[i], on_signal, signals[i]) != 0)
			return err_set(why, ERR_IO, "signal handlers");
	}
	s->second.data = s;
	(void)uv_timer_init(loop, &s->second);
	(void)uv_timer_start(&s->second, on_second, SECOND_MS, SECOND_MS);
	return OK;
}

/* ---- start -----------------------------------------------------------------
 */

static void
banner(const struct server *s)
{
	const struct config *c = s->config;
	struct node_status status;

	node_status(s->node, &status);
	printf("==> Starting Conclave server...\n"
	       "           Version: '%s'\n"
	       "           Node ID: '%s'\n"
	       "         Node name: '%s'\n"
	       "        Datacenter: '%s'\n"
	       "            Server: true (Bootstrap: %s, Expect: %u)\n"
	       "       Client Addr: [%s] (HTTP: %d, HTTPS: %d)\n"
	       "      Cluster Addr: %s (Server RPC: %d)\n"
	       "           Encrypt: Gossip: false, TLS-Outgoing: %s, "
	       "TLS-Incoming: %s\n"
	       "          Data dir: %s%s\n"
	       "\n==> Log data will now stream in as it occurs:\n\n",
	    CONCLAVE_VERSION, status.node_id, c->node_name, c->datacenter,
	    c->bootstrap_expect == 1 ? "true" : "false", c->bootstrap_expect,
	    c->client_count > 0 ? c->client[0] : "", c->port_http,
	    c->port_https, c->bind, c->port_server,
	    c->tls_internal_rpc.verify_outgoing ? "true" : "false",
	    c->tls_internal_rpc.verify_incoming ? "true" : "false", c->data_dir,
	    s->scratch != NULL ? " (removed at exit)" : "");
	(void)fflush(stdout);
}

static enum err
open_server(struct server *s, struct errmsg *why)
{
	struct api_server api = {
	    .config = s->config, .reload = reload, .leave = ask_stop, .arg = s};
	enum err rc;

	rc = loop_new("main", &s->main_loop, why);
	if (rc == OK)
		rc = loop_new("consensus", &s->consensus_loop, why);
	if (rc == OK)
		rc = worker_new(WORKER_THREADS, WORKER_QUEUE, &s->worker, why);
	if (rc == OK)
		rc = https_context(s->config, &s->https, why);
	if (rc == OK)
		rc = node_open(
		    s->config, s->consensus_loop, s->worker, &s->node, why);
	if (rc == OK)
		rc = manager_new(s->config, s->node, s->consensus_loop,
		    s->worker, &s->manager, why);
	api.node = s->node;
	api.manager = s->manager;
	if (rc == OK)
		rc = frontend_new(s->config, &api, s->https, &s->frontend, why);
	if (rc == OK)
		rc = node_start(s->node, why);
	if (rc == OK)
		rc = open_main_handles(s, why);
	return rc;
}

static enum err
run_server(struct server *s, struct errmsg *why)
{
	enum err rc = open_server(s, why);

	if (rc != OK)
		return rc;
	banner(s);
	rc = loop_start(s->consensus_loop, why);
	if (rc == OK)
		rc = frontend_start(s->frontend, why);
	if (rc != OK)
		return rc;
	process_notify("READY=1");
	loop_run(s->main_loop);
	frontend_free(s->frontend);
	loop_stop(s->consensus_loop);
	loop_join(s->consensus_loop);
	manager_free(s->manager);
	node_free(s->node);
	worker_free(s->worker);
	tls_context_unref(s->https);
	loop_free(s->consensus_loop);
	loop_free(s->main_loop);
	log_event(LOG_INFO, "server", "stopped");
	return OK;
}

static int
fail(const struct errmsg *why)
{
	(void)fprintf(stderr, "conclaved: %s\n", why->text);
	return 1;
}

int
main(int argc, char **argv)
{
	struct server server = {.argc = argc, .argv = argv};
	enum config_action action;
	struct errmsg why = {""};
	enum err rc;

	process_harden();
	if (argc > 1 && argv[1][0] != '-')
		return verbs_run(argc - 1, argv + 1);
	if (config_load(argc, argv, &action, &server.config, &why) != OK ||
	    config_load(argc, argv, &action, &server.effective, &why) != OK)
		return fail(&why);
	switch (action) {
	case CONFIG_HELP:
		config_print_help(stdout);
		return 0;
	case CONFIG_VERSION:
		printf("Conclave v%s\n", CONCLAVE_VERSION);
		return 0;
	case CONFIG_VALIDATE:
		printf("Configuration is valid!\n");
		config_free(server.effective);
		config_free(server.config);
		return 0;
	case CONFIG_RUN:
		break;
	}
	log_configure(server.config->log_level, server.config->log_json);
	(void)pthread_mutex_init(&server.reload_lock, NULL);
	rc = server.config->dev && server.config->data_dir == NULL
	    ? scratch_make(&server.scratch, &why)
	    : OK;
	if (rc == OK && server.scratch != NULL)
		server.config->data_dir = strdup(server.scratch);
	if (rc == OK)
		rc = run_server(&server, &why);
	if (server.scratch != NULL)
		scratch_remove(server.scratch);
	if (rc != OK) {
		/* Half a server is not taken down again: loops and handles that
		 * never ran go with the process. */
		(void)fail(&why);
		(void)fflush(NULL);
		_exit(1);
	}
	config_free(server.effective);
	config_free(server.config);
	return 0;
}
