// SPDX-License-Identifier: Apache-2.0
// The page allocator with a thread for each CPU: each takes chunks, writes its name all over them, and
// scrubs them in pieces while the others do the same and an idle one zeroes blocks. Nobody ever finds
// another one's name in its own chunks, nor anything at all in a zeroed block.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/spinlock.h"
#include "fake.h"
#include "ram_arena.h"

#define THREADS    4
#define ROUNDS     60
#define CHUNKS     24
#define ARENA_SIZE MIB(32)

// Ticket locks are slow where CPUs are threads that the host stops at will.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void spin_lock(struct spinlock *lock)
{
	(void)lock;
	pthread_mutex_lock(&mutex);
}
bool spin_trylock(struct spinlock *lock)
{
	(void)lock;
	return pthread_mutex_trylock(&mutex) == 0;
}
void spin_unlock(struct spinlock *lock)
{
	(void)lock;
	pthread_mutex_unlock(&mutex);
}

static uint32_t wrong;    // atomically: words that held what they must not
static uint32_t scrubber; // atomically: CPUs that still have something to do

static bool unnoted(const struct fake_event *event)
{
	(void)event;
	return false;
}

// The table of registers is one thread's: what is asked for here is fixed.
static bool fixed(const char *name, bool write, uint64_t *value)
{
	if (!write)
		*value = strcmp(name, "ctr_el0") == 0 ? 4 << 16 : 4; // lines and blocks of 64 bytes
	return true;
}

static void expect(uint64_t pa, uint64_t size, uint64_t word)
{
	const uint64_t *words = (const uint64_t *)pa;
	for (uint64_t i = 0; i < size / 8; i++)
		if (words[i] != word)
			fetch_add(&wrong, 1);
}

static void paint(uint64_t pa, uint64_t size, uint64_t word)
{
	uint64_t *words = (uint64_t *)pa;
	for (uint64_t i = 0; i < size / 8; i++)
		words[i] = word;
}

static void live(unsigned id, unsigned *seed)
{
	struct page_list list = {0};
	uint64_t pa[CHUNKS], size[CHUNKS];

	for (unsigned i = 0; i < CHUNKS; i++) {
		unsigned order =
		        rand_r(seed) % 4 == 0 ? PAGES_MAX_ORDER : (unsigned)rand_r(seed) % 6;
		bool zeroed = order == PAGES_MAX_ORDER && rand_r(seed) % 2 == 0;
		pa_t chunk = zeroed ? pages_alloc_zeroed((uint16_t)id, PAGE_GUEST, &list)
		                    : pages_alloc(order, (uint16_t)id, PAGE_GUEST, &list);
		pa[i] = chunk.v;
		size[i] = chunk.v != 0 ? PAGE_SIZE << order : 0;
		if (zeroed && chunk.v != 0)
			expect(chunk.v, size[i], 0);
		paint(pa[i], size[i], id);
	}
	for (unsigned i = 0; i < CHUNKS; i++)
		expect(pa[i], size[i], id);
	while (pages_scrub_some(&list))
		;
}

static void *play(void *argument)
{
	unsigned id = (unsigned)(uintptr_t)argument, seed = id;

	fake_run_on(id);
	for (unsigned round = 0; round < ROUNDS; round++)
		live(id, &seed);
	fetch_add(&scrubber, UINT32_MAX);
	return NULL;
}

static void *idle(void *argument)
{
	fake_run_on((unsigned)(uintptr_t)argument);
	while (load_acquire(&scrubber) != 0)
		(void)pages_prepare();
	return NULL;
}

static void test_nobody_finds_what_another_left(void **state)
{
	pthread_t thread[THREADS + 1];
	(void)state;
	fake_reset();
	fake_event_hook = unnoted;
	fake_sysreg_hook = fixed;
	ram_arena_init(ARENA_SIZE);
	uint64_t committed = pages_counts().committed;
	store_release(&scrubber, THREADS);
	for (uintptr_t id = 1; id <= THREADS; id++)
		assert_int_equal(pthread_create(&thread[id - 1], NULL, play, (void *)id), 0);
	assert_int_equal(pthread_create(&thread[THREADS], NULL, idle, (void *)(THREADS + 1UL)), 0);
	for (unsigned i = 0; i <= THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(wrong, 0);

	for (unsigned i = 0; i < ARENA_SIZE / KIB(64) && pages_prepare(); i++)
		; // a block may be half zeroed
	struct pages_count end = pages_counts();
	assert_int_equal(end.free, end.total);
	assert_int_equal(end.committed, committed);
	assert_int_equal(end.zeroed, ARENA_SIZE >> PAGE_SHIFT);
	for (pa_t block; (block = pages_alloc_zeroed(1, PAGE_GUEST, NULL)).v != 0;)
		expect(block.v, BLOCK_SIZE, 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(pages_counts().free, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nobody_finds_what_another_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
