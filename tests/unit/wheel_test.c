/*
 * Goal: every deadline is told once, in its second, however it was moved.
 * Method: a model beside the wheel over random histories; edges by hand.
 */
#include "server/net/wheel.h"

#include <stdbool.h>
#include <stdio.h>

#include "tests/support/test.h"

#define NODES 40

struct item {
	struct wheel_node node;
	bool in;
	unsigned told;
};

static uint32_t clock_now;

static void
on_expired(struct wheel_node *node, void *arg)
{
	struct item *item = CONTAINER_OF(node, struct item, node);

	(void)arg;
	assert_true(item->in);
	assert_true(node->due <= clock_now);
	item->in = false;
	item->told++;
}

static void
count_one(struct wheel_node *node, void *arg)
{
	unsigned *count = arg;

	(void)node;
	(*count)++;
}

static void
a_deadline_comes_in_its_second(void **state)
{
	static const uint32_t dues[] = {1, 2, 10, 127, 128, 129, 255, 256, 400};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dues); i++) {
		struct item item = {.in = true};
		struct wheel wheel;

		wheel_init(&wheel, 1000);
		wheel_set(&wheel, &item.node, 1000 + dues[i]);
		for (clock_now = 1000; clock_now < 1000 + dues[i];
		     clock_now++) {
			wheel_turn(&wheel, clock_now, on_expired, NULL);
			assert_int_equal(item.told, 0);
		}
		wheel_turn(&wheel, clock_now, on_expired, NULL);
		assert_int_equal(item.told, 1);
	}
}

static void
a_past_deadline_comes_with_the_next_second(void **state)
{
	struct item item = {.in = true};
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, 1000);
	wheel_set(&wheel, &item.node, 3);
	clock_now = 1000;
	wheel_turn(&wheel, 1000, on_expired, NULL);
	assert_int_equal(item.told, 0);
	clock_now = 1001;
	wheel_turn(&wheel, 1001, on_expired, NULL);
	assert_int_equal(item.told, 1);
}

static void
no_deadline_waits_aside_and_is_still_seen(void **state)
{
	struct item item = {.in = true};
	struct wheel wheel;
	unsigned count = 0;

	(void)state;
	wheel_init(&wheel, 0);
	wheel_set(&wheel, &item.node, 5);
	wheel_set(&wheel, &item.node, WHEEL_NEVER);
	clock_now = 100000;
	wheel_turn(&wheel, clock_now, on_expired, NULL);
	assert_int_equal(item.told, 0);
	wheel_each(&wheel, count_one, &count);
	assert_int_equal(count, 1);
	wheel_set(&wheel, &item.node, clock_now + 1);
	clock_now++;
	wheel_turn(&wheel, clock_now, on_expired, NULL);
	assert_int_equal(item.told, 1);
	count = 0;
	wheel_each(&wheel, count_one, &count);
	assert_int_equal(count, 0);
}

/* Deadlines nearer and further, leaps of the clock, nodes taken out. */
static void
a_random_history_agrees_with_a_list(void **state)
{
	struct item items[NODES];
	uint32_t expected[NODES];
	struct wheel wheel;
	unsigned seed = 4711;

	(void)state;
	memset(items, 0, sizeof(items));
	clock_now = 77;
	wheel_init(&wheel, clock_now);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned which, what;

		seed = seed * 1664525 + 1013904223;
		which = (seed >> 8) % NODES;
		what = (seed >> 16) % 16;
		if (what < 10) {
			uint32_t due = what == 0
			    ? WHEEL_NEVER
			    : clock_now + 1 + (seed >> 20) % 300;

			wheel_set(&wheel, &items[which].node, due);
			items[which].in = true;
			expected[which] = due;
		} else if (what < 12 && items[which].in) {
			wheel_remove(&items[which].node);
			items[which].in = false;
		} else {
			clock_now += what == 12 ? (seed >> 20) % 500 : 1;
			wheel_turn(&wheel, clock_now, on_expired, NULL);
		}
		for (unsigned i = 0; what >= 12 && i < NODES; i++) {
			if (items[i].in)
				assert_true(expected[i] > clock_now);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_deadline_comes_in_its_second),
	    cmocka_unit_test(a_past_deadline_comes_with_the_next_second),
	    cmocka_unit_test(no_deadline_waits_aside_and_is_still_seen),
	    cmocka_unit_test(a_random_history_agrees_with_a_list),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
