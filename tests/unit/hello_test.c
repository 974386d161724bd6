/*
 * Goal: a hello survives the wire, no damaged one is believed, and who may not
 * talk is told why.
 * Method: round trip; every proper prefix; single damages; a table of pairs.
 */
#include <stdio.h>

#include "server/cluster/hello.h"
#include "server/version.h"
#include "tests/support/test.h"

#define CLUSTER_A "11111111-2222-3333-4444-555555555555"
#define CLUSTER_B "99999999-2222-3333-4444-555555555555"

static struct hello
sample(uint64_t id)
{
	struct hello hello;

	memset(&hello, 0, sizeof(hello));
	hello.wire = CONCLAVE_WIRE;
	hello.state = HELLO_MEMBER;
	hello.expect = 3;
	hello.id = id;
	hello.start = 7;
	hello.instance = id * 1000 + 1;
	hello.acked_id = 77;
	hello.acked_term = 4;
	hello.acked_index = UINT64_C(1) << 40;
	(void)snprintf(
	    hello.cluster_id, sizeof(hello.cluster_id), "%s", CLUSTER_A);
	(void)snprintf(hello.node_id, sizeof(hello.node_id), "%s", CLUSTER_B);
	(void)snprintf(hello.name, sizeof(hello.name), "server-%d", (int)id);
	(void)snprintf(hello.datacenter, sizeof(hello.datacenter), "dc1");
	(void)snprintf(hello.address, sizeof(hello.address), "10.0.0.1:8300");
	(void)snprintf(hello.version, sizeof(hello.version), "0.1.0");
	hello.known_count = 2;
	hello.known[0].id = 2;
	(void)snprintf(hello.known[0].address, sizeof(hello.known[0].address),
	    "[::1]:8310");
	(void)snprintf(hello.known[1].address, sizeof(hello.known[1].address),
	    "host.example:8320");
	return hello;
}

static struct buf
encoded(const struct hello *hello)
{
	struct buf out = buf_new(HELLO_SIZE_MAX);

	hello_encode(hello, &out);
	assert_int_equal(buf_status(&out, NULL), OK);
	return out;
}

static void
what_is_sent_arrives(void **state)
{
	struct hello hello = sample(1), got;
	struct errmsg why;
	struct buf out;

	(void)state;
	for (int bulk = 0; bulk < 2; bulk++) {
		hello.bulk = bulk == 1;
		out = encoded(&hello);
		memset(&got, 0xee, sizeof(got));
		assert_int_equal(
		    hello_decode(out.data, out.size, &got, &why), OK);
		assert_int_equal(got.bulk, bulk);
		assert_int_equal(got.state, HELLO_MEMBER);
		assert_int_equal(got.expect, 3);
		assert_int_equal(got.id, 1);
		assert_int_equal(got.start, 7);
		assert_int_equal(got.instance, 1001);
		assert_int_equal(got.acked_id, 77);
		assert_int_equal(got.acked_term, 4);
		assert_true(got.acked_index == UINT64_C(1) << 40);
		assert_string_equal(got.cluster_id, hello.cluster_id);
		assert_string_equal(got.node_id, hello.node_id);
		assert_string_equal(got.name, hello.name);
		assert_string_equal(got.datacenter, hello.datacenter);
		assert_string_equal(got.address, hello.address);
		assert_string_equal(got.version, hello.version);
		assert_int_equal(got.known_count, 2);
		assert_int_equal(got.known[0].id, 2);
		assert_string_equal(got.known[0].address, "[::1]:8310");
		assert_int_equal(got.known[1].id, 0);
		assert_string_equal(got.known[1].address, "host.example:8320");
		buf_free(&out);
	}
}

static void
decode_refuses_every_prefix_and_what_follows(void **state)
{
	struct hello hello = sample(1), got;
	struct buf out = encoded(&hello);
	struct errmsg why;

	(void)state;
	for (size_t size = 0; size < out.size; size++) {
		uint8_t *exact = malloc(size > 0 ? size : 1);

		assert_non_null(exact);
		memcpy(exact, out.data, size);
		assert_int_equal(
		    hello_decode(exact, size, &got, &why), ERR_CORRUPT);
		free(exact);
	}
	buf_u8(&out, 0);
	assert_int_equal(
	    hello_decode(out.data, out.size, &got, &why), ERR_CORRUPT);
	buf_free(&out);
}

static void
decode_refuses_damage(void **state)
{
	/* Offsets of the fixed fields. */
	static const struct {
		size_t offset;
		uint8_t value;
		enum err want;
	} cases[] = {
	    {3, CONCLAVE_WIRE + 1, ERR_UNSUPPORTED}, /* a newer server */
	    {3, 0, ERR_CORRUPT},                     /* no version */
	    {4, 2, ERR_CORRUPT},                     /* bulk is a flag */
	    {5, HELLO_MEMBER + 1, ERR_CORRUPT},      /* unknown state */
	    {17, 0, ERR_CORRUPT},                    /* id 0 */
	    {58, 0xff, ERR_CORRUPT},                 /* length of a text */
	    {62, '\n', ERR_CORRUPT},                 /* control byte */
	    {62, 0x7f, ERR_CORRUPT},                 /* control byte */
	    {62, 0, ERR_CORRUPT},                    /* NUL */
	};
	struct hello hello = sample(1), got;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = encoded(&hello);

		out.data[cases[i].offset] = cases[i].value;
		assert_int_equal(hello_decode(out.data, out.size, &got, &why),
		    cases[i].want);
		buf_free(&out);
	}
	hello.wire = CONCLAVE_WIRE + 1;
	struct buf out = encoded(&hello);
	assert_int_equal(
	    hello_decode(out.data, out.size, &got, &why), ERR_UNSUPPORTED);
	assert_non_null(strstr(why.text, "version 2"));
	assert_non_null(strstr(why.text, "speaks 1"));
	buf_free(&out);
}

static void
too_many_known_servers_are_refused(void **state)
{
	struct hello hello = sample(1), got;
	struct errmsg why;
	struct buf out;

	(void)state;
	hello.known_count = HELLO_KNOWN_MAX;
	out = encoded(&hello);
	assert_int_equal(hello_decode(out.data, out.size, &got, &why), OK);
	buf_free(&out);
	hello.known_count = 0;
	out = encoded(&hello);
	out.data[out.size - 1] = HELLO_KNOWN_MAX + 1;
	for (unsigned i = 0; i <= HELLO_KNOWN_MAX; i++) {
		buf_u64(&out, i);
		buf_text(&out, "a");
	}
	assert_int_equal(
	    hello_decode(out.data, out.size, &got, &why), ERR_CORRUPT);
	buf_free(&out);
}

static void
hazard_06_doubled_and_foreign_servers_are_refused(void **state)
{
	static const struct {
		const char *ours, *theirs;    /* cluster ids */
		const char *datacenter;       /* theirs; ours is dc1 */
		uint64_t id, instance, start; /* theirs */
		uint64_t seen_start, seen_instance;
		enum err want;
		const char *words;
	} cases[] = {
	    {CLUSTER_A, CLUSTER_A, "dc1", 2, 20, 5, 0, 0, OK, ""},
	    /* joining, either way round */
	    {CLUSTER_A, "", "dc1", 2, 20, 5, 0, 0, OK, ""},
	    {"", CLUSTER_A, "dc1", 2, 20, 5, 0, 0, OK, ""},
	    {"", "", "dc1", 2, 20, 5, 0, 0, OK, ""},
	    /* foreign */
	    {CLUSTER_A, CLUSTER_B, "dc1", 2, 20, 5, 0, 0, ERR_DENIED,
		"of cluster " CLUSTER_B},
	    {CLUSTER_A, CLUSTER_A, "dc2", 2, 20, 5, 0, 0, ERR_DENIED,
		"of datacenter \"dc2\", this one of \"dc1\""},
	    /* the same process again, and a restart */
	    {CLUSTER_A, CLUSTER_A, "dc1", 2, 20, 5, 5, 20, OK, ""},
	    {CLUSTER_A, CLUSTER_A, "dc1", 2, 21, 6, 5, 20, OK, ""},
	    /* a copy of its data directory */
	    {CLUSTER_A, CLUSTER_A, "dc1", 2, 21, 5, 5, 20, ERR_DENIED,
		"second instance of server 2"},
	    {CLUSTER_A, CLUSTER_A, "dc1", 2, 21, 4, 5, 20, ERR_DENIED,
		"second instance of server 2"},
	    /* a copy of ours, and ourselves */
	    {CLUSTER_A, CLUSTER_A, "dc1", 1, 21, 9, 0, 0, ERR_DENIED,
		"second instance of server 1"},
	    {CLUSTER_A, CLUSTER_A, "dc1", 1, 1001, 7, 0, 0, ERR_EXISTS, ""},
	};
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hello ours = sample(1), theirs = sample(cases[i].id);

		theirs.instance = cases[i].instance;
		theirs.start = cases[i].start;
		(void)snprintf(ours.cluster_id, sizeof(ours.cluster_id), "%s",
		    cases[i].ours);
		(void)snprintf(theirs.cluster_id, sizeof(theirs.cluster_id),
		    "%s", cases[i].theirs);
		(void)snprintf(theirs.datacenter, sizeof(theirs.datacenter),
		    "%s", cases[i].datacenter);
		why.text[0] = '\0';
		assert_int_equal(
		    hello_judge(&ours, &theirs, cases[i].seen_start,
			cases[i].seen_instance, &why),
		    cases[i].want);
		assert_non_null(strstr(why.text, cases[i].words));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_sent_arrives),
	    cmocka_unit_test(decode_refuses_every_prefix_and_what_follows),
	    cmocka_unit_test(decode_refuses_damage),
	    cmocka_unit_test(too_many_known_servers_are_refused),
	    cmocka_unit_test(hazard_06_doubled_and_foreign_servers_are_refused),
	};

	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
