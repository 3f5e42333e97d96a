// SPDX-License-Identifier: Apache-2.0
// The framed link with a thread for each CPU: guests print and take what is typed, Mezzo logs, a host gives credit a
// little at a time. In the end each byte came on its channel, once and in order, and nobody was forgotten.
#include <pthread.h>

#include "base/spinlock.h"
#include "test_link_host.h"

#define LINES   3000
#define TYPED   20000
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

// No notes and no table: both are one thread's.
static bool counted(const char *name, bool write, uint64_t *value)
{
	if (!write && strcmp(name, "cntpct_el0") == 0)
		*value = fetch_add(&clock_ticks, 1);
	return true;
}

// This CPU's run loop for one turn.
static void turn(void)
{
	if ((exchange(&fake_cpu_this->work, 0) & CPU_WORK_CONSOLE) != 0)
		console_drain(CONSOLE_BUDGET);
}

static uint32_t typed_taken[NR_VMS];

static void take_typed(unsigned i)
{
	uint8_t byte;

	if (!vcons_in_get(&vms[i]->con, &byte))
		return;
	assert_int_equal(byte, (uint8_t)(typed_taken[i]++ * 7));
	if (vcons_in_tell(&vms[i]->con)) {
		vcons_mark(&vms[i]->con);
		cpu_post_local(CPU_WORK_CONSOLE);
	}
}

static void run_guest(unsigned i)
{
	char line[64];

	for (unsigned n = 0; n < LINES; n++) {
		int length = sprintf(line, "%u of vm %u\n", n, i);
		for (int k = 0; k < length; k++) {
			while (guest_put(i, line[k]) == VCONS_FULL)
				turn();
			if (n % 3 == 0)
				take_typed(i);
			turn();
		}
	}
	while (typed_taken[i] < TYPED) {
		take_typed(i);
		turn();
	}
}

static void log_lines(void)
{
	for (unsigned n = 0; n < LINES / 16; n++) {
		log_line("%u of mezzo", n);
		for (unsigned i = 0; i < 300; i++)
			turn();
	}
}

// ---- the host: one thread, the only one that touches the wire ----

static struct {
	char *bytes;
	size_t count;
	uint32_t allowed; // of Mezzo's bytes
	uint32_t limit, sent;
	uint16_t channel;
} streams[3]; // linux, rtos, log

static void put_keys(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		keys[keys_head++ % sizeof keys] = ((const char *)bytes)[i];
}

static void put_frame(uint8_t type, uint16_t channel, const void *payload, size_t n)
{
	uint8_t bytes[FRAME_WIRE_MAX(300)];

	put_keys(bytes, make_frame(bytes, type, channel, payload, n));
}

static void host_turn(void)
{
	uint8_t payload[300];

	for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) {
		if (streams[i].allowed - streams[i].count < 500) {
			streams[i].allowed += 700;
			frame_put32(payload, streams[i].allowed);
			put_frame(FRAME_CREDIT, streams[i].channel, payload, FRAME_CREDIT_SIZE);
		}
		uint32_t n = streams[i].limit - streams[i].sent;
		if (i == 2 || n == 0 || streams[i].sent == TYPED)
			continue;
		n = n > TYPED - streams[i].sent ? TYPED - streams[i].sent : n;
		frame_put32(payload, streams[i].sent);
		for (uint32_t k = 0; k < n; k++)
			payload[FRAME_DATA_SIZE + k] = (uint8_t)(streams[i].sent++ * 7);
		put_frame(FRAME_DATA, streams[i].channel, payload, FRAME_DATA_SIZE + n);
	}
	if (keys_head != keys_tail)
		console_interrupt();
}

static void host_receive(void)
{
	receive_frames();
	for (unsigned k = 0; k < got_count; k++) {
		assert_int_not_equal(got[k].type, FRAME_ERROR);
		assert_int_not_equal(got[k].type, FRAME_LOST);
		for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) {
			if (got[k].channel != streams[i].channel)
				continue;
			size_t n = got[k].length - FRAME_DATA_SIZE;
			if (got[k].type == FRAME_CREDIT)
				streams[i].limit = frame_get32(got[k].payload);
			if (got[k].type != FRAME_DATA)
				continue;
			assert_int_equal(frame_get32(got[k].payload), streams[i].count);
			memcpy(streams[i].bytes + streams[i].count,
			       got[k].payload + FRAME_DATA_SIZE, n);
			streams[i].count += n;
		}
	}
}

static pthread_mutex_t wire_mutex = PTHREAD_MUTEX_INITIALIZER;
static void locked_tx(const struct uart *u, uint8_t byte)
{
	pthread_mutex_lock(&wire_mutex);
	uart_tx(u, byte);
	pthread_mutex_unlock(&wire_mutex);
}

static void run_host(void)
{
	uint64_t end = 0, turns = 0;

	while (load_acquire(&writers) != 0 || end++ < 2000) {
		pthread_mutex_lock(&wire_mutex);
		host_receive();
		pthread_mutex_unlock(&wire_mutex);
		host_turn();
		turn();
		// The timer, which whoever had the lock has set on its own CPU.
		if (end > 0 || ++turns % 64 == 0)
			console_tick();
	}
}

static void *run_cpu(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;

	fake_run_on(cpu);
	if (cpu < 2)
		run_guest(cpu);
	else if (cpu == 2)
		log_lines();
	else
		run_host();
	if (cpu < 3)
		fetch_add(&writers, (uint32_t)-1);
	return NULL;
}

static void check_order(const char *bytes, const char *format, unsigned count)
{
	char line[64];

	for (unsigned n = 0; n < count; n++) {
		size_t length = (size_t)sprintf(line, format, n);
		if (strncmp(bytes, line, length) != 0)
			fail_msg("\"%.40s\" instead of \"%s\"", bytes, line);
		bytes += length;
	}
	assert_string_equal(bytes, "");
}

static void test_each_byte_in_order(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	static struct uart_ops ops;

	ops = uart_ops;
	ops.tx = locked_tx;
	struct uart uart = {.ops = &ops};
	console_end(0, 0);
	console_early(&uart);
	console_start(true);
	forget_wire();
	greet();
	for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) {
		streams[i].bytes = test_calloc(1, 1 << 20);
		streams[i].channel = channel_of(i == 0 ? "linux" : i == 1 ? "rtos" : "log");
		streams[i].allowed = 700;
		put_frame(FRAME_OPEN, streams[i].channel, "\xbc\x02\0\0\0", FRAME_OPEN_SIZE); // 700
	}
	settle();
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
	host_receive();
	check_order(streams[0].bytes, "%u of vm 0\n", LINES);
	check_order(streams[1].bytes, "%u of vm 1\n", LINES);
	check_order(streams[2].bytes, "%u of mezzo\n", LINES / 16);
	assert_int_equal(typed_taken[0], TYPED);
	assert_int_equal(typed_taken[1], TYPED);
	assert_int_equal(overruns[0] + overruns[1], 0);
	for (unsigned i = 0; i < ARRAY_SIZE(streams); i++)
		test_free(streams[i].bytes);
	fake_sysreg_hook = counter;
	fake_log_count = 0;
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mutex); i++)
		pthread_mutex_init(&mutex[i], NULL);
	const struct CMUnitTest tests[] = {FRAMED(test_each_byte_in_order)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
