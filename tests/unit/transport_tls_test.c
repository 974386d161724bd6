/*
 * Goal: under TLS a peer is who its certificate says, and the port takes
 * plaintext only where it may (contract 5.3, 5.4).
 * Method: two transports with contexts of a CA made for the test.
 */
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#include "server/loop.h"
#include "server/net/tls.h"
#include "tests/support/pki.h"
#include "tests/support/servers.h"

#define SERVER_NAME "server.dc1.consul"

struct certificates {
	char *dir;
	struct tls_context *accept, *accept_unverified;
	struct tls_context *dial, *dial_client; /* of a server, of a client */
};

static struct tls_context *
context(const char *dir, const char *leaf, bool server_role, bool verify)
{
	char ca[256], cert[256], key[256];
	const struct tls_files files = {
	    .ca_file = ca, .cert_file = cert, .key_file = key};
	struct tls_context *made = NULL;
	struct errmsg why;

	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	(void)snprintf(cert, sizeof(cert), "%s/%s.pem", dir, leaf);
	(void)snprintf(key, sizeof(key), "%s/%s.key", dir, leaf);
	assert_int_equal(
	    tls_context_new(&files, server_role, verify, NULL, &made, &why),
	    OK);
	return made;
}

static int
setup(void **state)
{
	const struct pki_leaf server = {.name = "server",
	    .dns = SERVER_NAME,
	    .usage = "serverAuth,clientAuth"};
	const struct pki_leaf client = {.name = "client",
	    .dns = "client.dc1.consul",
	    .usage = "clientAuth"};
	struct certificates *c = calloc(1, sizeof(*c));
	struct pki *pki;

	if (c == NULL)
		return -1;
	c->dir = test_tmpdir();
	pki = pki_new(c->dir, "ca");
	pki_issue(pki, &server);
	pki_issue(pki, &client);
	pki_free(pki);
	c->accept = context(c->dir, "server", true, true);
	c->accept_unverified = context(c->dir, "server", true, false);
	c->dial = context(c->dir, "server", false, true);
	c->dial_client = context(c->dir, "client", false, true);
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct certificates *c = *state;

	tls_context_unref(c->accept);
	tls_context_unref(c->accept_unverified);
	tls_context_unref(c->dial);
	tls_context_unref(c->dial_client);
	test_rmdir(c->dir);
	free(c);
	return 0;
}

static void
servers_meet_under_mutual_tls(void **state)
{
	const struct certificates *c = *state;
	const struct transport_tls tls = {
	    .accept = c->accept, .dial = c->dial, .name = SERVER_NAME};
	static uint8_t block[3u << 20];
	struct loop *loop = servers_loop();
	static struct server a, b;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 11);
	server_start(&a, loop, 1, 0, &tls);
	server_start(&b, loop, 2, 0, &tls);
	servers_connect(&a, &b);
	assert_int_equal(transport_send(a.transport, 2, true, FRAME_CALL, block,
			     sizeof(block)),
	    OK);
	assert_int_equal(
	    transport_send(b.transport, 1, false, FRAME_PING, "x", 1), OK);
	servers_until(loop, &b.frame_count, 1, 5000);
	servers_until(loop, &a.frame_count, 1, 5000);
	assert_int_equal(b.frames[0].data.size, sizeof(block));
	assert_memory_equal(b.frames[0].data.data, block, sizeof(block));
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
a_client_certificate_does_not_make_a_server(void **state)
{
	const struct certificates *c = *state;
	const struct transport_tls honest = {
	    .accept = c->accept, .dial = c->dial, .name = SERVER_NAME};
	const struct transport_tls client = {
	    .accept = c->accept, .dial = c->dial_client, .name = SERVER_NAME};
	struct loop *loop = servers_loop();
	static struct server a, b;

	server_start(&a, loop, 1, 0, &client);
	server_start(&b, loop, 2, 0, &honest);
	server_peer(&a, &b);
	servers_run(loop, 300);
	assert_int_equal(a.ups, 0);
	assert_int_equal(b.greetings, 0);
	assert_true(transport_refused(b.transport) > 0);
	/* New contexts count from the next connection on. */
	transport_set_tls(a.transport, &honest);
	servers_until(loop, &a.ups, 1, 5000);
	server_stop(&a);
	server_stop(&b);
	loop_free(loop);
}

static void
plaintext_and_tls_meet_only_where_allowed(void **state)
{
	const struct certificates *c = *state;
	const struct {
		struct tls_context *accept;
		bool plain_allowed;
		struct tls_context *dial;
		bool up;
	} cases[] = {
	    {NULL, true, NULL, true},
	    {NULL, true, c->dial, false}, /* no certificate here */
	    {c->accept, false, NULL, false},
	    {c->accept, false, c->dial, true},
	    {c->accept_unverified, true, NULL, true}, /* while migrating */
	    {c->accept_unverified, true, c->dial, true},
	};
	struct loop *loop = servers_loop();
	static struct server a, b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct transport_tls dialing = {
		    .dial = cases[i].dial, .name = SERVER_NAME};
		const struct transport_tls accepting = {
		    .accept = cases[i].accept,
		    .plain_allowed = cases[i].plain_allowed,
		    .name = SERVER_NAME};

		server_start(&a, loop, 1, 0, &dialing);
		server_start(&b, loop, 2, 0, &accepting);
		server_peer(&a, &b);
		if (cases[i].up)
			servers_until(loop, &a.ups, 1, 5000);
		else
			servers_run(loop, 200);
		assert_int_equal(a.ups, cases[i].up);
		assert_int_equal(
		    transport_refused(b.transport) > 0, !cases[i].up);
		server_stop(&a);
		server_stop(&b);
	}
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_meet_under_mutual_tls),
	    cmocka_unit_test(a_client_certificate_does_not_make_a_server),
	    cmocka_unit_test(plaintext_and_tls_meet_only_where_allowed),
	};

	return cmocka_run_group_tests_name(
	    "transport_tls", tests, setup, teardown);
}
