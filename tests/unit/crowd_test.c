/*
 * Goal: parked reads are counted per address, exactly, across threads.
 * Method: limits at the edge; two threads that come and go.
 */
#include "server/api/crowd.h"

#include <pthread.h>

#include "tests/support/test.h"

static void
the_limit_is_per_address(void **state)
{
	uint8_t a[CROWD_ADDRESS] = {1}, b[CROWD_ADDRESS] = {2};
	struct crowd_seat *seats[4] = {NULL}, *none = NULL;
	struct crowd *crowd;
	struct errmsg why;

	(void)state;
	assert_int_equal(crowd_new(2, &crowd, &why), OK);
	assert_int_equal(crowd_enter(crowd, a, &seats[0]), OK);
	assert_int_equal(crowd_enter(crowd, a, &seats[1]), OK);
	assert_int_equal(crowd_enter(crowd, a, &none), ERR_LIMIT);
	assert_null(none);
	assert_int_equal(crowd_enter(crowd, b, &seats[2]), OK);
	crowd_leave(crowd, seats[0]);
	assert_int_equal(crowd_enter(crowd, a, &seats[3]), OK);
	for (size_t i = 1; i < 4; i++)
		crowd_leave(crowd, seats[i]);
	crowd_free(crowd);
	crowd_free(NULL);
}

static void *
come_and_go(void *arg)
{
	struct crowd *crowd = arg;

	for (unsigned i = 0; i < 20000; i++) {
		uint8_t address[CROWD_ADDRESS] = {(uint8_t)(i % 50)};
		struct crowd_seat *seat = NULL;

		assert_int_equal(crowd_enter(crowd, address, &seat), OK);
		crowd_leave(crowd, seat);
	}
	return NULL;
}

static void
loops_may_count_at_the_same_time(void **state)
{
	uint8_t address[CROWD_ADDRESS] = {7};
	struct crowd_seat *seat;
	pthread_t threads[2];
	struct crowd *crowd;
	struct errmsg why;

	(void)state;
	assert_int_equal(crowd_new(2, &crowd, &why), OK);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
		    pthread_create(&threads[i], NULL, come_and_go, crowd), 0);
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(crowd_enter(crowd, address, &seat), OK);
	assert_int_equal(crowd_enter(crowd, address, &seat), OK);
	assert_int_equal(crowd_enter(crowd, address, &seat), ERR_LIMIT);
	crowd_free(crowd); /* with its seats */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_limit_is_per_address),
	    cmocka_unit_test(loops_may_count_at_the_same_time),
	};

	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
