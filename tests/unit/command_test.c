/*
 * Goal: every command comes back as it was written, and any other bytes are
 * refused with bounded memory. Method: one full example per type; its round
 * trip, its proper prefixes, each of its bits turned, failing memory.
 */
#include "fsm/command.h"
#include "fsm/result.h"
#include "tests/support/test.h"

#define TEXT(t) ((struct span){t, sizeof(t) - 1})

static struct ca_root roots[] = {
    {.id = {"aa:bb", 5},
	.name = {"Consul CA Primary Cert", 22},
	.serial = UINT64_C(16238269036752183483),
	.signing_key_id = {"cc:dd", 5},
	.external_trust_domain = {"11111111-2222", 13},
	.not_before = -1,
	.not_after = INT64_C(4102444800),
	.cert = {"-----BEGIN", 10},
	.intermediates = {{"one", 3}, {"two", 3}},
	.intermediate_count = 2,
	.active = true,
	.key_type = {"ec", 2},
	.key_bits = 256},
    {.id = {"ee:ff", 5}, .rotated_out = 1700000000},
};
static struct ca_provider_row rows[] = {
    {.id = {"p1", 2},
	.private_key = {"KEY", 3},
	.root_cert = {"ROOT", 4},
	.intermediate_cert = {"INT", 3}},
    {.id = {"p2", 2}},
};
static struct span deletes[] = {{"p3", 2}, {"", 0}};

static const struct command examples[] = {
    {.type = COMMAND_CLUSTER_INIT, .cluster_init = {{"uuid", 4}, {"dc1", 3}}},
    {.type = COMMAND_CLUSTER_QUOTA, .cluster_quota = {1 << 30}},
    {.type = COMMAND_MEMBER_SET,
	.member_set = {.id = 5,
	    .node_id = {"n", 1},
	    .name = {"name", 4},
	    .address = {"127.0.0.1:8300", 14},
	    .version = {"0.1.0", 5}}},
    {.type = COMMAND_MEMBER_DELETE, .member_delete = 5},
    {.type = COMMAND_CA_CONFIG,
	.ca_config = {{.cluster_id = {"c", 1},
			  .provider = {"consul", 6},
			  .config = {"{\"PrivateKey\":\"x\"}", 18},
			  .state = {"{}", 2},
			  .force = true},
	    42}},
    {.type = COMMAND_CA_ROOTS,
	.ca_roots = {.expected_roots = 7,
	    .roots = roots,
	    .root_count = 2,
	    .has_config = true,
	    .config = {{.provider = {"consul", 6}, .config = {"{}", 2}}, 9},
	    .rows = rows,
	    .row_count = 2,
	    .deletes = deletes,
	    .delete_count = 2}},
    {.type = COMMAND_CA_ROOTS, .ca_roots = {.expected_roots = 1}},
    {.type = COMMAND_CA_PROVIDER_SET,
	.ca_provider_set = {.id = {"p", 1}, .private_key = {"KEY", 3}}},
    {.type = COMMAND_CA_PROVIDER_DELETE, .ca_provider_delete = {"p", 1}},
    {.type = COMMAND_CA_SERIAL, .ca_serial = {17}},
    {.type = COMMAND_TLSCONF_SET,
	.tlsconf_set = {{"defaults", 8}, {"{\"a\":1}", 7}, true, 3}},
    {.type = COMMAND_TLSCONF_DELETE,
	.tlsconf_delete = {{"https", 5}, false, 0}},
};

static struct buf
encoded(const struct command *command)
{
	struct buf out = buf_new(COMMAND_SIZE_MAX);
	struct errmsg why;

	assert_int_equal(command_encode(command, &out, &why), OK);
	return out;
}

static void
every_command_reads_back_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct buf a = encoded(&examples[i]), b;
		struct command command;
		struct errmsg why;

		assert_int_equal(a.data[0], examples[i].type);
		assert_int_equal(
		    command_decode(a.data, a.size, &command, &why), OK);
		assert_int_equal(command.type, examples[i].type);
		b = encoded(&command);
		assert_int_equal(a.size, b.size);
		assert_memory_equal(a.data, b.data, a.size);
		command_free(&command);
		assert_null(command.arena);
		buf_free(&a);
		buf_free(&b);
	}
}

static void
fields_keep_their_values(void **state)
{
	struct buf a = encoded(&examples[5]);
	const struct ca_roots_set *set;
	struct command command;
	struct errmsg why;

	(void)state;
	assert_int_equal(command_decode(a.data, a.size, &command, &why), OK);
	set = &command.ca_roots;
	assert_int_equal(set->expected_roots, 7);
	assert_int_equal(set->root_count, 2);
	assert_true(set->roots[0].serial == UINT64_C(16238269036752183483));
	assert_true(set->roots[0].not_before == -1);
	assert_int_equal(set->roots[0].intermediate_count, 2);
	assert_true(span_equal(set->roots[0].intermediates[1], TEXT("two")));
	assert_true(set->roots[0].active);
	assert_false(set->roots[1].active);
	assert_int_equal(set->roots[1].rotated_out, 1700000000);
	assert_true(set->has_config);
	assert_int_equal(set->config.cas, 9);
	assert_true(span_equal(set->rows[0].private_key, TEXT("KEY")));
	assert_true(span_equal(set->deletes[0], TEXT("p3")));
	command_free(&command);
	buf_free(&a);
}

static void
every_proper_prefix_and_every_tail_is_refused(void **state)
{
	struct command command;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct buf a = encoded(&examples[i]);

		for (size_t size = 0; size < a.size; size++) {
			assert_int_equal(
			    command_decode(a.data, size, &command, &why),
			    ERR_CORRUPT);
		}
		buf_u8(&a, 0);
		assert_int_equal(command_decode(a.data, a.size, &command, &why),
		    ERR_CORRUPT);
		buf_free(&a);
	}
}

/* What decodes at all must encode to the very same bytes. */
static void
no_turned_bit_makes_two_forms_of_one_command(void **state)
{
	struct command command;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct buf a = encoded(&examples[i]);

		for (size_t bit = 0; bit < a.size * 8; bit++) {
			struct buf b;

			a.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (command_decode(a.data, a.size, &command, &why) ==
			    OK) {
				b = encoded(&command);
				assert_int_equal(a.size, b.size);
				assert_memory_equal(a.data, b.data, a.size);
				command_free(&command);
				buf_free(&b);
			}
			a.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		buf_free(&a);
	}
}

static void
hostile_bytes_are_refused_before_memory_is_asked_for(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[40];
		size_t size;
	} cases[] = {
	    {"nothing", {0}, 0},
	    {"type 0", {0}, 1},
	    {"unknown type", {99, 1, 2, 3}, 4},
	    {"four billion roots", {17, [9] = 0xff, 0xff, 0xff, 0xff}, 40},
	    {"more rows than bytes", {17, [17] = 0xff}, 40},
	    {"four billion deletes", {17, [18] = 0xff, 0xff, 0xff, 0xff}, 40},
	    {"a text beyond the end", {19, 0xff, 0xff, 0xff, 0xff}, 40},
	    {"a boolean of 2", {33, 0, 0, 0, 0, 2}, 14},
	};
	struct command command;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (command_decode(cases[i].bytes, cases[i].size, &command,
			&why) != ERR_CORRUPT)
			fail_msg("%s was believed", cases[i].what);
		assert_true(strlen(why.text) > 0);
	}
}

static void
envelope_of_an_unknown_key_is_refused(void **state)
{
	struct buf a = encoded(&examples[7]);
	struct command command;
	struct errmsg why;

	(void)state;
	/* type, id with its length, envelope version, key id */
	a.data[1 + 5 + 1 + 3] = 1;
	assert_int_equal(
	    command_decode(a.data, a.size, &command, &why), ERR_CORRUPT);
	buf_free(&a);
}

static void
command_above_its_size_is_refused_both_ways(void **state)
{
	static char big[COMMAND_SIZE_MAX];
	const struct command command = {.type = COMMAND_TLSCONF_SET,
	    .tlsconf_set = {{"x", 1}, {big, sizeof(big)}, false, 0}};
	struct buf out = buf_new(2 * COMMAND_SIZE_MAX);
	struct command back;
	struct errmsg why;

	(void)state;
	buf_u8(&out, 1);
	assert_int_equal(command_encode(&command, &out, &why), ERR_LIMIT);
	assert_int_equal(out.size, 1);
	buf_free(&out);
	assert_int_equal(command_decode((const uint8_t *)big,
			     COMMAND_SIZE_MAX + 1, &back, &why),
	    ERR_CORRUPT);
}

static void
removals_and_the_quota_pass_above_the_quota(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		enum command_type type = examples[i].type;
		const uint8_t byte = (uint8_t)type;
		bool want = type == COMMAND_MEMBER_DELETE ||
		    type == COMMAND_CA_PROVIDER_DELETE ||
		    type == COMMAND_TLSCONF_DELETE ||
		    type == COMMAND_CLUSTER_QUOTA;

		assert_int_equal(command_is_removal(&byte, 1), want);
	}
	assert_false(command_is_removal(NULL, 0));
	assert_false(command_is_removal((const uint8_t *)"\xff", 1));
}

static void
every_command_has_its_own_name(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(examples); i++) {
		const char *name = command_name(examples[i].type);

		assert_string_not_equal(name, "unknown");
		if (examples[i].type != examples[i - 1].type) {
			assert_string_not_equal(
			    name, command_name(examples[i - 1].type));
		}
	}
	assert_string_equal(command_name(COMMAND_CA_ROOTS), "ca-roots");
	assert_string_equal(command_name((enum command_type)99), "unknown");
}

static enum err
round_trip(void *arg)
{
	struct buf out = buf_new(COMMAND_SIZE_MAX);
	struct command command;
	struct errmsg why;
	enum err rc;

	(void)arg;
	rc = command_encode(&examples[5], &out, &why);
	if (rc == OK)
		rc = command_decode(out.data, out.size, &command, &why);
	if (rc == OK)
		command_free(&command);
	buf_wipe(&out);
	return rc;
}

static void
round_trip_survives_each_failed_allocation(void **state)
{
	(void)state;
	test_torture(round_trip, NULL);
}

static void
result_reads_back_as_written(void **state)
{
	struct fsm_result a = {.code = ERR_CONFLICT,
	    .changed = true,
	    .revision = 1,
	    .create_index = 2,
	    .modify_index = 3,
	    .value = UINT64_MAX};
	struct buf out = buf_new(FSM_RESULT_SIZE_MAX);
	struct fsm_result b;
	struct reader in;

	(void)state;
	memset(a.why, 'w', sizeof(a.why) - 1);
	fsm_result_encode(&a, &out);
	assert_int_equal(out.failed, OK);
	in = (struct reader){out.data, out.size};
	assert_true(fsm_result_decode(&in, &b));
	assert_int_equal(in.size, 0);
	assert_memory_equal(&a, &b, sizeof(a));
	for (size_t size = 0; size < out.size; size++) {
		in = (struct reader){out.data, size};
		assert_false(fsm_result_decode(&in, &b));
	}
	out.data[2] = 2; /* changed is neither 0 nor 1 */
	in = (struct reader){out.data, out.size};
	assert_false(fsm_result_decode(&in, &b));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_command_reads_back_as_written),
	    cmocka_unit_test(fields_keep_their_values),
	    cmocka_unit_test(every_proper_prefix_and_every_tail_is_refused),
	    cmocka_unit_test(no_turned_bit_makes_two_forms_of_one_command),
	    cmocka_unit_test(
		hostile_bytes_are_refused_before_memory_is_asked_for),
	    cmocka_unit_test(envelope_of_an_unknown_key_is_refused),
	    cmocka_unit_test(command_above_its_size_is_refused_both_ways),
	    cmocka_unit_test(removals_and_the_quota_pass_above_the_quota),
	    cmocka_unit_test(every_command_has_its_own_name),
	    cmocka_unit_test(round_trip_survives_each_failed_allocation),
	    cmocka_unit_test(result_reads_back_as_written),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
