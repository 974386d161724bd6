/*
 * Goal: a context loads only what is whole, in the words of contract 5.2; a
 * session trusts only whom it was told to.
 * Method: a CA made at run time; both ends in memory, bytes carried by hand,
 * also one by one.
 */
#include "server/net/tls.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/pki.h"
#include "tests/support/test.h"

struct world {
	char *dir;
	struct pki *ours, *theirs;
	char paths[16][4200];
	unsigned used;
};

static const char *
at(struct world *world, const char *name)
{
	char *path = world->paths[world->used++ % 16];

	snprintf(path, 4200, "%s/%s", world->dir, name);
	return path;
}

static void
put(struct world *world, const char *name, const char *text)
{
	FILE *file = fopen(at(world, name), "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int
set_up(void **state)
{
	static const struct pki_leaf leaves[] = {
	    {"server", "server.dc1.consul", "serverAuth,clientAuth", false,
		NULL},
	    {"client", "client.dc1.consul", "clientAuth", false, NULL},
	    {"wild", "*.dc1.consul", "serverAuth,clientAuth", false, NULL},
	    {"bare", "server.dc1.consul", NULL, false, NULL},
	    {"old", "server.dc1.consul", "serverAuth,clientAuth", true, NULL},
	    {"sealed", "server.dc1.consul", "serverAuth,clientAuth", false,
		"pass phrase"},
	};
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->dir = test_tmpdir();
	world->ours = pki_new(world->dir, "ca");
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		pki_issue(world->ours, &leaves[i]);
	world->theirs = pki_new(world->dir, "other-ca");
	pki_issue(world->theirs,
	    &(struct pki_leaf){.name = "stranger",
		.dns = "server.dc1.consul",
		.usage = "serverAuth,clientAuth"});
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	pki_free(world->ours);
	pki_free(world->theirs);
	test_rmdir(world->dir);
	free(world);
	return 0;
}

/* ca and own may be NULL. */
static struct tls_context *
make(struct world *world, bool server, bool verify, const char *ca,
    const char *own, const char *version)
{
	struct tls_context *context = NULL;
	struct tls_files files = {.min_version = version};
	char name[64];
	struct errmsg why;

	if (ca != NULL)
		files.ca_file = at(world, ca);
	if (own != NULL) {
		snprintf(name, sizeof(name), "%s.pem", own);
		files.cert_file = at(world, name);
		snprintf(name, sizeof(name), "%s.key", own);
		files.key_file = at(world, name);
	}
	assert_int_equal(
	    tls_context_new(&files, server, verify, "http/1.1", &context, &why),
	    OK);
	return context;
}

static const struct {
	bool server, verify;
	const char *ca, *ca_path, *cert, *key, *version, *suites;
	const char *want, *also;
} refusals[] = {
    {true, false, NULL, NULL, "none.pem", "server.key", NULL, NULL,
	"Failed to load cert/key pair: ", "none.pem"},
    {true, false, NULL, NULL, "server.pem", "none.key", NULL, NULL,
	"Failed to load cert/key pair: ", "No such file"},
    {true, false, NULL, NULL, "server.pem", "client.key", NULL, NULL,
	"Failed to load cert/key pair: ", "key values mismatch"},
    {true, false, NULL, NULL, "server.key", "server.key", NULL, NULL,
	"Failed to load cert/key pair: ", "server.key"},
    {true, false, NULL, NULL, "sealed.pem", "sealed.key", NULL, NULL,
	"Failed to load cert/key pair: ", "pass phrase"},
    {true, false, NULL, NULL, "folder", "server.key", NULL, NULL,
	"Failed to load cert/key pair: ", "not a regular file"},
    {true, false, NULL, NULL, NULL, NULL, NULL, NULL,
	"Failed to load cert/key pair: ", "cert_file"},
    {true, false, "none.pem", NULL, "server.pem", "server.key", NULL, NULL,
	"Error loading from ", "none.pem"},
    {true, false, "junk", NULL, "server.pem", "server.key", NULL, NULL,
	"failed to parse PEM <", "junk"},
    {true, false, "half", NULL, "server.pem", "server.key", NULL, NULL,
	"failed to parse PEM <", "half"},
    {false, true, NULL, "empty", NULL, NULL, NULL, NULL,
	"Error loading from CAPath: no CAs found", ""},
    {false, true, NULL, "no-folder", NULL, NULL, NULL, NULL,
	"Error loading from ", "no-folder"},
    {false, true, NULL, "bad", NULL, NULL, NULL, NULL, "failed to parse PEM <",
	"bad/x.pem"},
    {true, true, NULL, NULL, "server.pem", "server.key", NULL, NULL,
	"VerifyIncoming set but no CA certificates were provided", ""},
    {true, true, "ca.pem", NULL, NULL, NULL, NULL, NULL,
	"VerifyIncoming requires either a Cert and Key pair in the "
	"configuration file, or auto_encrypt/auto_config be enabled",
	""},
    {false, true, NULL, NULL, NULL, NULL, NULL, NULL,
	"VerifyOutgoing set but no CA certificates were provided", ""},
    {false, false, NULL, NULL, NULL, NULL, "TLSv1_1", NULL,
	"unsupported tls_min_version \"TLSv1_1\"", ""},
    {false, false, NULL, NULL, NULL, NULL, NULL, "TLS_NO",
	"unsupported cipher \"TLS_NO\"", ""},
    {false, false, NULL, NULL, NULL, NULL, NULL,
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,", "unsupported cipher \"\"",
	""},
    {false, false, NULL, NULL, NULL, NULL, NULL, "ECDHE-RSA-AES128-GCM-SHA256",
	"unsupported cipher \"ECDHE-RSA-AES128-GCM-SHA256\"", ""},
};

static void
load_refuses_in_the_words_of_the_contract(void **state)
{
	struct world *world = *state;
	put(world, "junk", "no PEM at all\n");
	put(world, "half", "-----BEGIN CERTIFICATE-----\nMIIB\n");
	assert_int_equal(mkdir(at(world, "empty"), 0700), 0);
	assert_int_equal(mkdir(at(world, "folder"), 0700), 0);
	assert_int_equal(mkdir(at(world, "bad"), 0700), 0);
	put(world, "bad/x.pem", "junk");
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct tls_files files = {.ca_file = refusals[i].ca
			? at(world, refusals[i].ca)
			: NULL,
		    .ca_path = refusals[i].ca_path
			? at(world, refusals[i].ca_path)
			: NULL,
		    .cert_file =
			refusals[i].cert ? at(world, refusals[i].cert) : "",
		    .key_file =
			refusals[i].key ? at(world, refusals[i].key) : "",
		    .min_version = refusals[i].version,
		    .cipher_suites = refusals[i].suites};
		struct tls_context *context = NULL;
		struct errmsg why = {""};

		assert_int_equal(tls_context_new(&files, refusals[i].server,
				     refusals[i].verify, NULL, &context, &why),
		    ERR_INVALID);
		assert_null(context);
		if (strncmp(why.text, refusals[i].want,
			strlen(refusals[i].want)) != 0 ||
		    strstr(why.text, refusals[i].also) == NULL)
			fail_msg("case %zu: \"%s\"", i, why.text);
	}
}

static void
ca_file_wins_over_ca_path_and_path_is_walked(void **state)
{
	struct world *world = *state;
	struct tls_files files = {
	    .ca_file = at(world, "ca.pem"), .ca_path = at(world, "nowhere")};
	struct tls_context *context = NULL;
	struct errmsg why;

	assert_int_equal(
	    tls_context_new(&files, false, true, NULL, &context, &why), OK);
	assert_int_equal(tls_context_expiry(context), 0);
	tls_context_unref(context);

	assert_int_equal(mkdir(at(world, "tree"), 0700), 0);
	assert_int_equal(mkdir(at(world, "tree/deep"), 0700), 0);
	assert_int_equal(
	    symlink(at(world, "ca.pem"), at(world, "tree/deep/link.pem")), 0);
	files.ca_file = "";
	files.ca_path = at(world, "tree");
	assert_int_equal(
	    tls_context_new(&files, false, true, NULL, &context, &why), OK);
	tls_context_unref(context);
}

static void
suites_of_the_contract_are_known(void **state)
{
	struct tls_files files = {.cipher_suites =
				      "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
				      ", TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA ,"
				      "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_"
				      "SHA256"};
	struct tls_context *context = NULL;
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    tls_context_new(&files, false, false, NULL, &context, &why), OK);
	tls_context_unref(context);
}

/* Two ends and what is between them. */
struct ends {
	struct tls *client, *server;
	struct buf to_client, to_server;
	char got[64];
	struct errmsg why;
};

static void
join(struct ends *ends, struct tls_context *server, struct tls_context *client,
    const char *name, bool check)
{
	memset(ends, 0, sizeof(*ends));
	ends->to_client = buf_new(1 << 20);
	ends->to_server = buf_new(1 << 20);
	assert_int_equal(tls_new(server, NULL, false, &ends->to_client,
			     &ends->server, &ends->why),
	    OK);
	assert_int_equal(tls_new(client, name, check, &ends->to_server,
			     &ends->client, &ends->why),
	    OK);
}

static void
part(struct ends *ends)
{
	tls_free(ends->client);
	tls_free(ends->server);
	buf_free(&ends->to_client);
	buf_free(&ends->to_server);
}

/* Carry what waits in bytes to the reader, step bytes at a time. */
static enum err
carry(struct ends *ends, struct tls *reader, struct buf *bytes, size_t step)
{
	enum err rc = OK;
	uint8_t copy[65536];
	size_t size = bytes->size, got;

	assert_true(size <= sizeof(copy));
	memcpy(copy, bytes->data, size);
	buf_reset(bytes);
	for (size_t i = 0; rc == OK && i < size; i += step) {
		tls_feed(reader, copy + i, step < size - i ? step : size - i);
		do {
			char plain[64];

			rc = tls_read(
			    reader, plain, sizeof(plain), &got, &ends->why);
			if (got > 0)
				memcpy(ends->got, plain, sizeof(plain));
		} while (rc == OK && got > 0);
	}
	return rc;
}

/* Until nothing moves. The first failure of either side. */
static enum err
shake(struct ends *ends, size_t step)
{
	size_t got;
	enum err rc;

	rc = tls_read(
	    ends->client, ends->got, sizeof(ends->got), &got, &ends->why);
	while (rc == OK &&
	    (ends->to_client.size > 0 || ends->to_server.size > 0)) {
		if (ends->to_server.size > 0)
			rc = carry(ends, ends->server, &ends->to_server, step);
		if (rc == OK && ends->to_client.size > 0)
			rc = carry(ends, ends->client, &ends->to_client, step);
	}
	return rc;
}

static void
bytes_pass_both_ways_and_the_end_is_told(void **state)
{
	static const char *const versions[] = {NULL, "TLSv1_3"};
	static const size_t steps[] = {1, 7, 65536};
	struct tls_context *server, *client;
	struct ends ends;

	for (size_t v = 0; v < 2; v++) {
		server =
		    make(*state, true, true, "ca.pem", "server", versions[v]);
		client = make(*state, false, true, "ca.pem", "client", NULL);
		assert_true(tls_context_expiry(server) > time(NULL));
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			join(&ends, server, client, "server.dc1.consul", true);
			assert_int_equal(shake(&ends, steps[i]), OK);
			assert_true(tls_established(ends.client));
			assert_true(tls_established(ends.server));
			assert_int_equal(
			    tls_write(ends.client, "ping", 5, &ends.why), OK);
			assert_int_equal(carry(&ends, ends.server,
					     &ends.to_server, steps[i]),
			    OK);
			assert_string_equal(ends.got, "ping");
			tls_shutdown(ends.server);
			tls_shutdown(ends.server);
			assert_int_equal(
			    tls_write(ends.server, "x", 1, &ends.why),
			    ERR_CLOSED);
			assert_int_equal(carry(&ends, ends.client,
					     &ends.to_client, steps[i]),
			    ERR_CLOSED);
			part(&ends);
		}
		tls_context_unref(server);
		tls_context_unref(client);
	}
}

static void
only_whom_the_ca_vouches_for_gets_in(void **state)
{
	static const struct {
		const char *server, *client, *name;
		bool check;
		enum err want;
		const char *words;
	} cases[] = {
	    {"server", "client", "server.dc1.consul", true, OK, ""},
	    {"wild", "client", "server.dc1.consul", true, OK, ""},
	    {"server", "client", NULL, false, OK, ""},
	    {"server", "client", "other.dc1.consul", false, OK, ""},
	    {"server", "client", "other.dc1.consul", true, ERR_PROTOCOL,
		"ostname mismatch"},
	    {"stranger", "client", "server.dc1.consul", true, ERR_PROTOCOL,
		"issuer"},
	    {"old", "client", "server.dc1.consul", true, ERR_PROTOCOL,
		"expired"},
	    {"client", "client", "client.dc1.consul", true, ERR_PROTOCOL,
		"purpose"},
	    {"server", NULL, "server.dc1.consul", true, ERR_PROTOCOL,
		"did not return a certificate"},
	    {"server", "stranger", "server.dc1.consul", true, ERR_PROTOCOL,
		"issuer"},
	    {"server", "old", "server.dc1.consul", true, ERR_PROTOCOL,
		"expired"},
	};
	struct tls_context *server, *client;
	struct ends ends;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		server =
		    make(*state, true, true, "ca.pem", cases[i].server, NULL);
		client =
		    make(*state, false, true, "ca.pem", cases[i].client, NULL);
		join(&ends, server, client, cases[i].name, cases[i].check);
		assert_int_equal(shake(&ends, 65536), cases[i].want);
		if (cases[i].want != OK &&
		    strstr(ends.why.text, cases[i].words) == NULL)
			fail_msg("case %zu: \"%s\"", i, ends.why.text);
		part(&ends);
		tls_context_unref(server);
		tls_context_unref(client);
	}
}

static void
a_peer_proves_name_and_use(void **state)
{
	static const struct {
		const char *client;
		bool verify, want;
	} cases[] = {
	    {"server", true, true},
	    {"server", false, false}, /* not asked, so not verified */
	    {"client", true, false},  /* another name */
	    {"wild", true, false},    /* a wildcard names no server */
	    {"bare", true, false},    /* says nothing of its use */
	};
	struct tls_context *server, *client;
	struct ends ends;
	uint8_t a[32], b[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		server = make(
		    *state, true, cases[i].verify, "ca.pem", "server", NULL);
		client =
		    make(*state, false, true, "ca.pem", cases[i].client, NULL);
		join(&ends, server, client, "server.dc1.consul", true);
		assert_false(
		    tls_peer_has_name(ends.server, "server.dc1.consul"));
		assert_int_equal(shake(&ends, 65536), OK);
		assert_int_equal(
		    tls_peer_has_name(ends.server, "server.dc1.consul"),
		    cases[i].want);
		assert_int_equal(tls_peer_key(ends.server, a), cases[i].verify);
		assert_true(tls_peer_key(ends.client, b));
		/* Only in the first case are both ends one key. */
		if (cases[i].verify)
			assert_int_equal(memcmp(a, b, 32) == 0, i == 0);
		part(&ends);
		tls_context_unref(server);
		tls_context_unref(client);
	}
}

static void
damage_kills_the_session(void **state)
{
	struct tls_context *server =
	    make(*state, true, false, NULL, "server", NULL);
	struct tls_context *client =
	    make(*state, false, true, "ca.pem", NULL, NULL);
	struct ends ends;

	join(&ends, server, client, NULL, false);
	assert_int_equal(shake(&ends, 65536), OK);
	assert_int_equal(tls_write(ends.client, "ping", 5, &ends.why), OK);
	ends.to_server.data[ends.to_server.size - 1] ^= 1;
	assert_int_equal(
	    carry(&ends, ends.server, &ends.to_server, 65536), ERR_PROTOCOL);
	buf_raw(&ends.to_server, "more", 4);
	assert_int_equal(
	    carry(&ends, ends.server, &ends.to_server, 65536), ERR_PROTOCOL);
	assert_int_equal(tls_write(ends.server, "x", 1, &ends.why), ERR_CLOSED);
	part(&ends);

	join(&ends, server, client, NULL, false);
	buf_puts(&ends.to_server, "GET / HTTP/1.1\r\n\r\n");
	assert_int_equal(
	    carry(&ends, ends.server, &ends.to_server, 65536), ERR_PROTOCOL);
	assert_non_null(strstr(ends.why.text, "TLS handshake failed"));
	part(&ends);
	tls_context_unref(server);
	tls_context_unref(client);
}

static void
a_session_outlives_its_context_s_owner(void **state)
{
	struct tls_context *server =
	    make(*state, true, false, NULL, "server", NULL);
	struct tls_context *client =
	    make(*state, false, true, "ca.pem", NULL, NULL);
	struct ends ends;

	join(&ends, server, client, NULL, false);
	tls_context_unref(server);
	tls_context_unref(client);
	assert_int_equal(shake(&ends, 65536), OK);
	part(&ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(load_refuses_in_the_words_of_the_contract),
	    cmocka_unit_test(ca_file_wins_over_ca_path_and_path_is_walked),
	    cmocka_unit_test(suites_of_the_contract_are_known),
	    cmocka_unit_test(bytes_pass_both_ways_and_the_end_is_told),
	    cmocka_unit_test(only_whom_the_ca_vouches_for_gets_in),
	    cmocka_unit_test(a_peer_proves_name_and_use),
	    cmocka_unit_test(damage_kills_the_session),
	    cmocka_unit_test(a_session_outlives_its_context_s_owner),
	};

	return cmocka_run_group_tests_name("tls", tests, set_up, tear_down);
}
