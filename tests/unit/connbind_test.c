/*
 * Goal: an address in use is named, a port is shared with nobody else, a unix
 * socket is private, and TLS listeners serve under the newest certificate.
 * Method: real sockets on loopback; a child process as the stranger; our own
 * stream as the TLS client.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/pki.h"
#include "tests/support/served.h"

static void
a_busy_address_is_named(void **state)
{
	struct served *world = *state;
	struct address address = world->address;
	struct errmsg why;
	char text[64];
	int fd;

	address.port = world->port;
	snprintf(text, sizeof(text), "127.0.0.1:%u", world->port);
	assert_int_equal(conn_bind(&address, false, &fd, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, text));
	/* The one that has it was not bound to be shared, though it is ours. */
	assert_int_equal(conn_bind(&address, true, &fd, &why), ERR_EXISTS);
	snprintf(address.host, sizeof(address.host), "host.example");
	assert_int_equal(conn_bind(&address, true, &fd, &why), ERR_INVALID);
}

/* Several of ours on one port; but no other process, not even one of the same
 * user that would share. */
static void
a_port_is_shared_with_nobody_else(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "::1"};
	struct address address;
	struct errmsg why;
	int fds[3], status;
	pid_t pid;

	(void)state;
	for (size_t h = 0; h < ARRAY_SIZE(hosts); h++) {
		uint16_t port = (uint16_t)(20000 + getpid() % 10000);
		enum err rc;

		assert_int_equal(
		    address_parse(hosts[h], port, &address, &why), OK);
		while ((rc = conn_bind(&address, true, &fds[0], &why)) ==
		    ERR_EXISTS)
			address.port++;
		assert_int_equal(rc, OK);
		for (unsigned i = 1; i < 3; i++)
			assert_int_equal(
			    conn_bind(&address, true, &fds[i], &why), OK);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			for (unsigned i = 0; i < 3; i++)
				close(fds[i]);
			_exit((int)conn_bind(&address, true, &fds[0], &why));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), ERR_EXISTS);
		for (unsigned i = 0; i < 3; i++)
			close(fds[i]);
	}
}

static void
a_unix_socket_is_private_and_replaced_when_stale(void **state)
{
	struct served *world = *state;
	char *dir = test_tmpdir(), text[300];
	struct sockaddr_storage sa;
	struct address address;
	struct stat status;
	struct errmsg why;
	FILE *file;
	int fd, client;

	snprintf(text, sizeof(text), "unix://%s/http.sock", dir);
	assert_int_equal(address_parse(text, 0, &address, &why), OK);
	assert_int_equal(conn_bind(&address, false, &fd, &why), OK);
	assert_int_equal(stat(address.host, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(conn_bind(&address, false, &client, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, text));
	close(fd); /* the file stays, nobody answers */
	assert_int_equal(conn_bind(&address, false, &fd, &why), OK);
	assert_int_equal(conn_server_listen(world->server, fd, NULL, &why), OK);

	client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(address_sockaddr(&address, &sa, &why), OK);
	assert_int_equal(
	    connect(client, (struct sockaddr *)&sa, sizeof(struct sockaddr_un)),
	    0);
	say(client, GET("/w"));
	UNTIL(world, world->parked_count == 1);
	assert_true(conn_is_loopback(world->parked[0]));
	conn_peer_text(world->parked[0], text, sizeof(text));
	assert_string_equal(text, "unix");
	conn_reply(world->parked[0], 204, NULL, "", 0, NULL);
	expect(world, client,
	    "HTTP/1.1 204 No Content\r\nX-Frame-Options: DENY\r\n\r\n");
	close(client);

	snprintf(text, sizeof(text), "unix://%s/file", dir);
	assert_int_equal(address_parse(text, 0, &address, &why), OK);
	file = fopen(address.host, "we");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(conn_bind(&address, false, &fd, &why), ERR_EXISTS);
	assert_non_null(strstr(why.text, "no socket"));
	test_rmdir(dir);
}

/* ---- TLS, with our own stream as the client ----------------------------- */

struct client {
	struct stream stream;
	struct buf got;
	unsigned opened, ended, failed, closed;
};

static void
client_opened(struct stream *stream)
{
	CONTAINER_OF(stream, struct client, stream)->opened++;
}

static void
client_data(struct stream *stream, const uint8_t *data, size_t size)
{
	buf_raw(&CONTAINER_OF(stream, struct client, stream)->got, data, size);
}

static void
client_ended(struct stream *stream)
{
	CONTAINER_OF(stream, struct client, stream)->ended++;
}

static void
client_failed(struct stream *stream, enum err code, const struct errmsg *why)
{
	(void)code;
	(void)why;
	CONTAINER_OF(stream, struct client, stream)->failed++;
}

static void
client_closed(struct stream *stream)
{
	CONTAINER_OF(stream, struct client, stream)->closed++;
}

static const struct stream_events client_events = {client_opened, client_data,
    client_ended, client_failed, NULL, client_closed};

static struct tls_context *
context(const char *dir, const char *ca, const char *own)
{
	struct tls_context *out = NULL;
	struct tls_files files = {0};
	char paths[3][300];
	struct errmsg why;

	if (ca != NULL) {
		snprintf(paths[0], sizeof(paths[0]), "%s/%s.pem", dir, ca);
		files.ca_file = paths[0];
	}
	if (own != NULL) {
		snprintf(paths[1], sizeof(paths[1]), "%s/%s.pem", dir, own);
		snprintf(paths[2], sizeof(paths[2]), "%s/%s.key", dir, own);
		files.cert_file = paths[1];
		files.key_file = paths[2];
	}
	assert_int_equal(tls_context_new(&files, own != NULL, ca != NULL,
			     "http/1.1", &out, &why),
	    OK);
	return out;
}

static void
get_by_tls(struct served *world, struct client *client, uint16_t port,
    struct tls_context *tls, const char *request, unsigned good)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct errmsg why;

	memset(client, 0, sizeof(*client));
	client->got = buf_new(SERVED_BIG * 2);
	assert_int_equal(stream_connect(&client->stream, world->server->shared,
			     &client_events, (struct sockaddr *)&to, tls,
			     "a.example", true, 1000, &why),
	    OK);
	assert_int_equal(
	    stream_write(&client->stream, request, strlen(request), NULL, &why),
	    OK);
	UNTIL(world, client->ended + client->failed > 0);
	assert_int_equal(client->opened, good);
	stream_close(&client->stream);
	UNTIL(world, client->closed == 1);
}

static void
tls_serves_and_a_reload_changes_the_certificate(void **state)
{
	static const char request[] =
	    "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	struct served *world = *state;
	struct tls_context *old_server, *new_server, *old_client, *new_client;
	char *dir = test_tmpdir();
	struct pki *old = pki_new(dir, "old-ca"), *new = pki_new(dir, "new-ca");
	struct client client;
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	struct errmsg why;
	int fd;

	pki_issue(old, &(struct pki_leaf){.name = "old", .dns = "a.example"});
	pki_issue(new, &(struct pki_leaf){.name = "new", .dns = "a.example"});
	old_server = context(dir, NULL, "old");
	new_server = context(dir, NULL, "new");
	old_client = context(dir, "old-ca", NULL);
	new_client = context(dir, "new-ca", NULL);
	assert_int_equal(conn_bind(&world->address, false, &fd, &why), OK);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
	assert_int_equal(
	    conn_server_listen(world->server, fd, old_server, &why), OK);

	get_by_tls(world, &client, ntohs(own.sin_port), old_client, request, 1);
	assert_true(client.got.size > SERVED_BIG);
	buf_free(&client.got);
	conn_server_set_tls(world->server, new_server);
	get_by_tls(world, &client, ntohs(own.sin_port), old_client, request, 0);
	assert_int_equal(client.failed, 1);
	buf_free(&client.got);
	get_by_tls(world, &client, ntohs(own.sin_port), new_client, request, 1);
	assert_true(client.got.size > SERVED_BIG);
	buf_free(&client.got);

	/* Over the limit it is told so after the handshake. */
	world->limits.max_connections = 0;
	get_by_tls(world, &client, ntohs(own.sin_port), new_client, request, 1);
	assert_memory_equal(client.got.data, "HTTP/1.1 503 ", 13);
	buf_free(&client.got);

	tls_context_unref(old_server);
	tls_context_unref(new_server);
	tls_context_unref(old_client);
	tls_context_unref(new_client);
	pki_free(old);
	pki_free(new);
	test_rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SERVED(a_busy_address_is_named),
	    SERVED(a_port_is_shared_with_nobody_else),
	    SERVED(a_unix_socket_is_private_and_replaced_when_stale),
	    SERVED(tls_serves_and_a_reload_changes_the_certificate),
	};

	return cmocka_run_group_tests_name("connbind", tests, NULL, NULL);
}
