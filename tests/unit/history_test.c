/*
 * Goal: the same log leaves byte-identical tables and gives the same answers on
 * every member, whatever its transactions, restarts and snapshots.
 * Method: a random history (SEED, printed, replays it) is made and applied on
 * one state in large transactions, then replayed on another in small ones, with
 * restarts and images in between; hashes, image bytes and answers must agree.
 */
#include "fsm/fsm.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "fsm/command.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "tests/support/state.h"
#include "tests/support/test.h"

#define HISTORIES 5
#define ENTRIES   400 /* in each */
#define SERVERS   3
#define ROOTS     6
#define PROVIDERS 4
#define SCOPES    12

static const char *const names[SCOPES] = {
    "a", "bb", "c-c", "dd_d", "e", "f", "g", "h", "i", "j", "k", "Not valid"};

struct random {
	uint64_t state;
};

/* splitmix64: small, and the same everywhere. */
static uint64_t
draw(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t
below(struct random *random, uint64_t limit)
{
	return draw(random) % limit;
}

static bool
one_in(struct random *random, uint64_t n)
{
	return below(random, n) == 0;
}

static char text[TLSCONF_DOCUMENT_MAX + 64]; /* filled once, never changed */

static struct span
some_text(struct random *random, size_t max)
{
	return (struct span){text + below(random, 32), below(random, max + 1)};
}

static struct span
some_name(struct random *random)
{
	return span_of(names[below(random, SCOPES)]);
}

/* What the maker of a history keeps. */
struct maker {
	struct random random;
	struct state *state; /* the history so far, applied */
	struct request_id ids[SERVERS];
	struct ca_root roots[ROOTS];
	struct ca_provider_row rows[PROVIDERS];
	struct span deletes[PROVIDERS];
};

static uint64_t
some_cas(struct maker *maker)
{
	return below(&maker->random, txn_meta(maker->state->txn)->revision + 2);
}

static struct ca_provider_row
some_row(struct random *random)
{
	return (struct ca_provider_row){.id = some_name(random),
	    .private_key = some_text(random, 300),
	    .root_cert = some_text(random, 300),
	    .intermediate_cert = some_text(random, 300)};
}

static struct ca_config_set
some_config(struct maker *maker)
{
	struct random *random = &maker->random;

	return (struct ca_config_set){{.cluster_id = some_text(random, 2),
					  .provider = span_of("consul"),
					  .config = some_text(random, 200),
					  .state = some_text(random, 20),
					  .force = one_in(random, 2)},
	    one_in(random, 2) ? some_cas(maker) : 0};
}

static void
make_roots(struct maker *maker, struct command *out)
{
	struct random *random = &maker->random;
	struct ca_roots_set *set = &out->ca_roots;
	struct ca_root stored[AUTHORITY_ROOTS_MAX];
	struct errmsg why;
	uint64_t index;
	size_t count;

	assert_int_equal(authority_roots(maker->state->txn, stored,
			     ARRAY_SIZE(stored), &count, &index, &why),
	    OK);
	*out = (struct command){.type = COMMAND_CA_ROOTS};
	set->expected_roots = one_in(random, 5) ? some_cas(maker) : index;
	set->roots = maker->roots;
	set->root_count = 1 + below(random, ROOTS);
	for (size_t i = 0; i < set->root_count; i++) {
		maker->roots[i] =
		    (struct ca_root){.id = span_of(names[i + below(random, 2)]),
			.name = some_text(random, 20),
			.serial = draw(random),
			.not_after = (int64_t)draw(random),
			.cert = some_text(random, 900),
			.intermediates = {some_text(random, 900)},
			.intermediate_count = below(random, 2),
			.active = i == 0,
			.key_bits = 256};
	}
	set->has_config = one_in(random, 2);
	if (set->has_config)
		set->config = some_config(maker);
	set->rows = maker->rows;
	set->row_count = below(random, PROVIDERS);
	for (size_t i = 0; i < set->row_count; i++)
		maker->rows[i] = some_row(random);
	set->deletes = maker->deletes;
	set->delete_count = below(random, PROVIDERS);
	for (size_t i = 0; i < set->delete_count; i++)
		maker->deletes[i] = some_name(random);
}

static void
make_cluster(struct maker *maker, struct command *out)
{
	struct random *random = &maker->random;

	switch (below(random, 4)) {
	case 0:
		*out = (struct command){.type = COMMAND_CLUSTER_INIT,
		    .cluster_init = {some_text(random, 9), span_of("dc1")}};
		break;
	case 1:
		*out = (struct command){.type = COMMAND_CLUSTER_QUOTA,
		    .cluster_quota = {below(random, 3) * CLUSTER_QUOTA_MIN}};
		break;
	case 2:
		*out = (struct command){.type = COMMAND_MEMBER_SET,
		    .member_set = {.id = below(random, 20),
			.node_id = some_text(random, 2),
			.name = span_of("n"),
			.address = span_of("a"),
			.version = span_of("v")}};
		break;
	default:
		*out = (struct command){.type = COMMAND_MEMBER_DELETE,
		    .member_delete = below(random, 20)};
		break;
	}
}

static void
make_authority(struct maker *maker, struct command *out)
{
	struct random *random = &maker->random;

	switch (below(random, 5)) {
	case 0:
		*out = (struct command){.type = COMMAND_CA_CONFIG};
		out->ca_config = some_config(maker);
		break;
	case 1:
		make_roots(maker, out);
		break;
	case 2:
		*out = (struct command){.type = COMMAND_CA_PROVIDER_SET};
		out->ca_provider_set = some_row(random);
		break;
	case 3:
		*out = (struct command){.type = COMMAND_CA_PROVIDER_DELETE};
		out->ca_provider_delete = some_name(random);
		break;
	default:
		*out = (struct command){.type = COMMAND_CA_SERIAL};
		out->ca_serial.count = (uint32_t)below(random, 5);
		break;
	}
}

static void
make_tlsconf(struct maker *maker, struct command *out)
{
	struct random *random = &maker->random;

	if (one_in(random, 4)) {
		*out = (struct command){.type = COMMAND_TLSCONF_DELETE};
		out->tlsconf_delete = (struct tlsconf_delete){
		    some_name(random), one_in(random, 3), some_cas(maker)};
		return;
	}
	*out = (struct command){.type = COMMAND_TLSCONF_SET};
	out->tlsconf_set = (struct tlsconf_set){some_name(random),
	    some_text(
		random, one_in(random, 20) ? TLSCONF_DOCUMENT_MAX + 10 : 256),
	    one_in(random, 3), some_cas(maker)};
}

/* A new id, an old one again, none, or one after a restart of its server. */
static struct request_id
some_id(struct maker *maker)
{
	struct random *random = &maker->random;
	struct request_id *id = &maker->ids[below(random, SERVERS)];
	struct request_id old;

	if (one_in(random, 4))
		return (struct request_id){0};
	if (one_in(random, 6)) {
		old = *id;
		old.sequence -= below(random, 5);
		return old;
	}
	if (one_in(random, 50))
		*id = (struct request_id){id->server, id->start + 1, 0, 1};
	id->sequence++;
	if (one_in(random, 5))
		id->lowest = id->sequence - below(random, id->sequence);
	return *id;
}

static void
make_entry(struct maker *maker, uint64_t index, struct buf *out)
{
	struct random *random = &maker->random;
	uint8_t hash[DB_HASH_SIZE];
	uint16_t count = (uint16_t)below(random, 12);
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct request_id id;
	struct command command;
	struct errmsg why;

	entry_begin(out, one_in(random, 30) ? index + 1 : index, 1 + index / 50,
	    txn_meta(maker->state->txn)->chain);
	for (size_t i = 0; i < count; i++) {
		if (one_in(random, 6))
			make_cluster(maker, &command);
		else if (one_in(random, 2))
			make_authority(maker, &command);
		else
			make_tlsconf(maker, &command);
		buf_reset(&bytes);
		assert_int_equal(command_encode(&command, &bytes, &why), OK);
		if (one_in(random, 30))
			bytes.data[below(random, bytes.size)] ^= 4;
		id = some_id(maker);
		entry_add(out, &id, bytes.data, bytes.size);
	}
	assert_int_equal(entry_end(out, count, hash, &why), OK);
	if (one_in(random, 30)) /* damaged anywhere */
		out->data[below(random, out->size)] ^= 64;
	buf_wipe(&bytes);
}

/* All answers so far, folded into one hash. */
static void
answers_add(struct hash *answers, const struct fsm_outcome *outcome)
{
	struct buf out = buf_new(ENTRY_COMMANDS_MAX * FSM_RESULT_SIZE_MAX);

	hash_add(answers, &outcome->refused, 1);
	hash_add(answers, outcome->why.text, strlen(outcome->why.text));
	for (size_t i = 0; i < outcome->count; i++)
		fsm_result_encode(&outcome->results[i], &out);
	assert_int_equal(out.failed, OK);
	hash_add(answers, out.data, out.size);
	buf_free(&out);
}

static void
topics_hash(struct hash *answers, const struct topics *topics)
{
	hash_add(answers, topics->ids, topics->count * sizeof(topics->ids[0]));
	hash_add(answers, &topics->all, 1);
}

static void
apply(struct state *s, uint64_t index, const struct buf *entry,
    struct hash *answers)
{
	static struct fsm_outcome outcome; /* large */
	struct topics topics = {0};

	memset(&outcome, 0xa5, sizeof(outcome)); /* nothing may leak of it */
	assert_int_equal(fsm_apply(s->txn, index, entry->data, entry->size,
			     &outcome, &topics),
	    OK);
	answers_add(answers, &outcome);
	topics_hash(answers, &topics);
}

static struct buf
image_of(struct state *s)
{
	struct errmsg why;
	struct txn *reader;
	struct buf out = {0};

	state_commit(s);
	assert_int_equal(txn_read(s->db, &reader, &why), OK);
	assert_int_equal(image_write(reader, txn_meta(reader)->index, malloc,
			     (void **)&out.data, &out.size, &why),
	    OK);
	txn_abort(reader);
	return out;
}

static void
assert_same(struct state *a, struct state *b)
{
	uint8_t hashes[2][DB_HASH_SIZE];
	struct buf images[2];
	bool equal;

	assert_int_equal(txn_verify(a->txn, &equal), OK);
	assert_true(equal);
	assert_int_equal(txn_verify(b->txn, &equal), OK);
	assert_true(equal);
	db_state_hash(txn_meta(a->txn), hashes[0]);
	db_state_hash(txn_meta(b->txn), hashes[1]);
	assert_memory_equal(hashes[0], hashes[1], DB_HASH_SIZE);
	images[0] = image_of(a);
	images[1] = image_of(b);
	assert_int_equal(images[0].size, images[1].size);
	assert_memory_equal(images[0].data, images[1].data, images[0].size);
	free(images[0].data);
	free(images[1].data);
}

/* Put what s holds into a fresh database by way of an image, and go on there.
 */
static void
move(struct state *s)
{
	struct state fresh;

	state_open(&fresh);
	state_copy(&fresh, s);
	state_close(s);
	*s = fresh;
}

static void
history(uint64_t seed)
{
	static struct buf entries[ENTRIES];
	struct maker maker = {.random = {seed},
	    .ids = {{1, 1, 0, 1}, {2, 1, 0, 1}, {3, 7, 0, 1}}};
	struct random other = {seed ^ 0x5555};
	uint64_t indexes[ENTRIES], index = 0;
	uint8_t digests[2][HASH_SIZE];
	struct hash answers;
	struct state a, b;

	state_open(&a);
	state_open(&b);
	maker.state = &a;
	hash_start(&answers);
	for (size_t i = 0; i < ENTRIES; i++) {
		index += 1 + below(&maker.random, 3); /* barriers between */
		indexes[i] = index;
		entries[i] = buf_new(ENTRY_SIZE_MAX);
		make_entry(&maker, index, &entries[i]);
		apply(&a, index, &entries[i], &answers);
		if (one_in(&maker.random, 20))
			state_commit(&a);
	}
	hash_end(&answers, digests[0]);

	hash_start(&answers);
	for (size_t i = 0; i < ENTRIES; i++) {
		apply(&b, indexes[i], &entries[i], &answers);
		buf_free(&entries[i]);
		if (one_in(&other, 60))
			move(&b);
		else if (one_in(&other, 60))
			state_reopen(&b);
		else if (one_in(&other, 2))
			state_commit(&b);
	}
	hash_end(&answers, digests[1]);

	assert_memory_equal(digests[0], digests[1], HASH_SIZE);
	assert_same(&a, &b);
	/* A history that changes next to nothing would prove nothing. */
	assert_true(txn_meta(a.txn)->revision > ENTRIES);
	state_close(&a);
	state_close(&b);
}

static void
same_log_leaves_identical_tables(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();

	(void)state;
	if (given != NULL)
		seed = strtoull(given, NULL, 0);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('!' + i % 90);
	for (size_t i = 0; i < HISTORIES; i++, seed++) {
		(void)printf("SEED=%" PRIu64 "\n", seed);
		(void)fflush(stdout);
		history(seed);
		if (given != NULL)
			return;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_log_leaves_identical_tables),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
