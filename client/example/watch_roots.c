/*
 * watch_roots - print each root a client must trust, again after each change.
 *
 *   cc watch_roots.c $(pkg-config --cflags --libs libconclave) -o watch_roots
 *   ./watch_roots 127.0.0.1:8500 127.0.0.1:8510 127.0.0.1:8520
 */
#include <inttypes.h>
#include <stdio.h>

#include <conclave.h>

static bool
on_event(void *arg, const struct conclave_event *event)
{
	struct conclave_roots roots;
	struct conclave_error error;

	(void)arg;
	if (event->error != NULL) {
		fprintf(stderr, "%s, next try in %u ms\n", event->error->text,
		    event->retry_ms);
		return true; /* go on */
	}
	if (conclave_roots_parse(event->answer->body, event->answer->body_size,
		&roots, &error) != CONCLAVE_OK) {
		fprintf(stderr, "%s\n", error.text);
		return false;
	}
	printf("index %" PRIu64 ", from %s\n", event->answer->index,
	    event->answer->server);
	for (size_t i = 0; i < roots.count; i++)
		printf("%s %s%s\n", roots.roots[i].id, roots.roots[i].name,
		    roots.roots[i].active ? " (active)" : "");
	conclave_roots_free(&roots);
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	struct conclave_options options = {
	    .servers = (const char *const *)argv + 1,
	    .server_count = (size_t)(argc - 1),
	    .spread = true,
	};
	struct conclave_watch_options what = {.path = CONCLAVE_PATH_ROOTS};
	struct conclave *client = NULL;
	struct conclave_watch *watch = NULL;
	struct conclave_error error;
	int status = 0;

	if (conclave_new(&options, &client, &error) != CONCLAVE_OK ||
	    conclave_watch_new(client, &what, on_event, NULL, &watch, &error) !=
		CONCLAVE_OK ||
	    conclave_watch_run(watch, &error) != CONCLAVE_OK) {
		fprintf(stderr, "%s\n", error.text);
		status = 1;
	}
	conclave_watch_free(watch);
	conclave_free(client);
	return status;
}
