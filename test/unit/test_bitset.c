// SPDX-License-Identifier: Apache-2.0
// The two-level set against a plain array, and with threads that add while one removes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/bitset.h"

static struct bitset set;

static void check_against(const bool *model)
{
	uint32_t from = 0, at;

	while ((at = bitset_next(&set, from)) != BITSET_NONE) {
		for (; from < at; from++)
			assert_false(model[from]);
		assert_true(model[from++]);
	}
	for (; from < BITSET_SIZE; from++)
		assert_false(model[from]);
}

static void test_random(void **state)
{
	(void)state;
	static bool model[BITSET_SIZE];

	srandom(1);
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t n = (uint32_t)random() % (i % 3 ? 130 : BITSET_SIZE);
		model[n] = random() % 2;
		(model[n] ? bitset_add : bitset_remove)(&set, n);
		assert_int_equal(bitset_has(&set, n), model[n]);
		if (i % 8 == 0)
			check_against(model);
	}
	for (uint32_t n = 0; n < BITSET_SIZE; n++)
		bitset_remove(&set, n);
	assert_int_equal(set.top, 0);
	assert_int_equal(bitset_next(&set, 0), BITSET_NONE);
}

static void test_ends(void **state)
{
	(void)state;
	static const uint32_t counts[] = {0, 1, 63, 64, 65, BITSET_SIZE - 1, BITSET_SIZE};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		memset(&set, 0, sizeof set);
		bitset_add_below(&set, counts[i]);
		for (uint32_t n = 0; n < BITSET_SIZE; n++)
			assert_int_equal(bitset_has(&set, n), n < counts[i]);
		assert_int_equal(bitset_next(&set, BITSET_SIZE - 1),
		                 counts[i] == BITSET_SIZE ? BITSET_SIZE - 1 : BITSET_NONE);
		assert_int_equal(bitset_next(&set, BITSET_SIZE), BITSET_NONE);
	}
}

// Each thread hands over numbers one at a time: stores, adds, and waits until it was seen.
#define THREADS 3
#define ROUNDS  20000
static uint32_t given[BITSET_SIZE], taken[BITSET_SIZE];

static void *give(void *arg)
{
	uint32_t n = 64 * (uint32_t)(uintptr_t)arg; // the first two in one word

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		store_ordered(&given[n], i);
		bitset_add(&set, n);
		if (i % 4 == 0)
			while (load_acquire(&taken[n]) != i)
				spin_relax();
	}
	return NULL;
}

static void test_nothing_is_missed(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	bool done = false;

	memset(&set, 0, sizeof set);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, give, (void *)i), 0);
	while (!done) {
		uint32_t n = bitset_next(&set, 0);
		if (n == BITSET_NONE)
			continue;
		for (; n != BITSET_NONE; n = bitset_next(&set, n + 1)) {
			bitset_remove(&set, n);
			store_release(&taken[n], load_ordered(&given[n]));
		}
		done = true;
		for (uint32_t i = 0; i < THREADS; i++)
			done = done && taken[64 * i] == ROUNDS;
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_random),
	        cmocka_unit_test(test_ends),
	        cmocka_unit_test(test_nothing_is_missed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
