// SPDX-License-Identifier: Apache-2.0
// The console with a thread for each CPU: guests print, Mezzo logs, a terminal types, views change, and
// at the end every line that was written is on the wire, once and in order.
#include <pthread.h>

#include "base/spinlock.h"
#include "test_console_board.h"

#define LINES   4000
#define THREADS 4

// Ticket locks are slow where CPUs are threads that the host stops at will: a mutex for each rank.
static pthread_mutex_t mutex[32];

void spin_lock(struct spinlock *lock)
{
	pthread_mutex_lock(&mutex[lock->rank]);
}
bool spin_trylock(struct spinlock *lock)
{
	return pthread_mutex_trylock(&mutex[lock->rank]) == 0;
}
void spin_unlock(struct spinlock *lock)
{
	pthread_mutex_unlock(&mutex[lock->rank]);
}

static uint64_t clock_ticks; // atomic
static uint32_t writers;     // atomic: threads that still have something to say
static bool change_views;
static uint64_t pace; // ticks from one look at the counter to the next

// No notes and no table: both are one thread's.
static bool counted(const char *name, bool write, uint64_t *value)
{
	if (!write && strcmp(name, "cntpct_el0") == 0)
		*value = fetch_add(&clock_ticks, pace);
	return true;
}

// This CPU's run loop for one turn; its timer is due now and then.
static void turn(unsigned *turns)
{
	if ((exchange(&fake_cpu_this->work, 0) & CPU_WORK_CONSOLE) != 0)
		console_drain(CONSOLE_BUDGET);
	if (++*turns % 16 == 0)
		console_tick();
}

static void print_lines(unsigned i)
{
	unsigned turns = 0;
	char line[64];

	for (unsigned n = 0; n < LINES; n++) {
		int length = sprintf(line, "%u of vm %u\n", n, i);
		for (int k = 0; k < length; k++) {
			while (guest_put(i, line[k]) == VCONS_FULL)
				turn(&turns);
			turn(&turns);
		}
	}
}

static void log_lines(void)
{
	unsigned turns = 0;
	char line[64];

	for (unsigned n = 0; n < LINES / 16; n++) {
		int length = sprintf(line, "%u of mezzo\n", n);
		console_write(line, (size_t)length);
		for (unsigned i = 0; i < 64; i++)
			turn(&turns);
	}
}

// The terminal: types, looks at other views, and takes bytes at its own pace.
static void play_terminal(void)
{
	unsigned turns = 0, n = 0;

	while (load_acquire(&writers) != 0) {
		if (change_views && n++ % 50 == 0) {
			console_view_vm(vms[n % 2]);
			turn(&turns);
			console_view_shell();
			turn(&turns);
			console_view_all();
		}
		console_interrupt();
		turn(&turns);
	}
}

static void *run_cpu(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;

	fake_run_on(cpu);
	if (cpu < 2)
		print_lines(cpu);
	else if (cpu == 2)
		log_lines();
	else
		play_terminal();
	if (cpu < 3)
		fetch_add(&writers, (uint32_t)-1);
	return NULL;
}

static void run_all(void)
{
	pthread_t threads[THREADS];

	fake_sysreg_hook = counted;
	clock_ticks = now;
	fake_log_count = FAKE_LOG_MAX;
	writers = THREADS - 1;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_cpu, (void *)(uintptr_t)i),
		                 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	fake_run_on(0);
	now = clock_ticks;
	console_end(0, 0);
}

static void check_order(const char *format, unsigned count)
{
	const char *at = wire;
	char line[64];

	for (unsigned n = 0; n < count; n++) {
		sprintf(line, format, n);
		const char *found = strstr(at, line);
		if (found == NULL)
			fail_msg("missing: %s", line);
		at = found + 1;
	}
}

static void test_every_line_in_order(void **state)
{
	(void)state;
	change_views = false;
	pace = 0; // no guest ever pauses, so no line is shown in parts
	run_all();
	check_order("[linux] %u of vm 0\r", LINES);
	check_order("[rtos] %u of vm 1\r", LINES);
	check_order("[mezzo] %u of mezzo\r", LINES / 16);
	wire_count = 0;
}

static void test_while_views_change(void **state)
{
	(void)state;
	change_views = true;
	pace = 7;
	run_all();
	wire_count = 0;
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mutex); i++)
		pthread_mutex_init(&mutex[i], NULL);
	const struct CMUnitTest tests[] = {
	        TEST(test_every_line_in_order),
	        TEST(test_while_views_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
