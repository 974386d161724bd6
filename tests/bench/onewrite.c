#include "tests/bench/onewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/die.h"
#include "tests/bench/response.h"

#define COMMAND_SIZE_MAX 4096

void
one_write_open(struct one_write *w, SSL_CTX *context)
{
	w->context = context;
	w->fd = -1;
	if (w->command != NULL)
		return;
	w->fd = dial(&w->target);
	if (w->fd < 0)
		die("connect to %s: %s", w->target.host, strerror(errno));
	fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) & ~O_NONBLOCK);
	w->tls = dial_secure(context, w->fd);
	if (w->tls != NULL && SSL_connect(w->tls) != 1)
		die("TLS to %s failed", w->target.host);
}

static struct template_values
values_of(struct one_write *w)
{
	return (struct template_values){
	    .token = w->token, .value_size = 256, .random = now_ns() | 1};
}

static void
run_command(struct one_write *w)
{
	struct template_values values = values_of(w);
	char command[COMMAND_SIZE_MAX];
	char shell[] = "sh", flag[] = "-c";
	char *argv[] = {shell, flag, command, NULL};
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	template_expand(command, sizeof(command), w->command, &values);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(
	    &actions, STDERR_FILENO, STDOUT_FILENO);
	w->start_ns = now_ns();
	if (posix_spawnp(&pid, "sh", &actions, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	w->acknowledged_ns = now_ns();
	w->status = status == 0 ? 200 : 500;
	posix_spawn_file_actions_destroy(&actions);
}

static void
send_request(struct one_write *w)
{
	struct template_values values = values_of(w);
	struct response response = {.status = 0};
	char buffer[REQUEST_SIZE_MAX];
	size_t size;
	ssize_t n;

	size = request_build(buffer, sizeof(buffer), &w->request,
	    w->target.host, &values, false);
	w->start_ns = now_ns();
	for (size_t done = 0; done < size; done += (size_t)n) {
		n = dial_write(w->fd, w->tls, buffer + done, size - done);
		if (n <= 0)
			break;
	}
	while (response.step < RESPONSE_DONE) {
		n = dial_read(w->fd, w->tls, buffer, sizeof(buffer));
		if (n <= 0)
			break;
		response_feed(&response, buffer, (size_t)n);
	}
	w->acknowledged_ns = now_ns();
	w->status = response.step == RESPONSE_DONE ? response.status : 0;
}

static void *
run_write(void *arg)
{
	struct one_write *w = arg;

	if (w->command != NULL)
		run_command(w);
	else
		send_request(w);
	return NULL;
}

void
one_write_start(struct one_write *w, const char *token)
{
	snprintf(w->token, sizeof(w->token), "%s", token);
	w->start_ns = now_ns();
	w->status = 0;
	if (pthread_create(&w->thread, NULL, run_write, w) != 0)
		die("cannot start a thread");
}

void
one_write_finish(struct one_write *w)
{
	pthread_join(w->thread, NULL);
	if (w->command == NULL && w->status == 0) {
		SSL_free(w->tls);
		close(w->fd);
		one_write_open(w, w->context);
	}
}
