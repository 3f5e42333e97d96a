// SPDX-License-Identifier: Apache-2.0
// The virtual GIC with a thread for each CPU: guests acknowledge and end interrupts, raise lines, send
// SGIs, and work on each other's registers, all at once. Nothing may be lost, delivered twice at a
// time, or wait for ever.
//   test_vgic_threads [seconds [CPUs]]
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "test_vgic_board.h"

#define NR_TESTED 12 // SPIs: 32 .. 43, edges
#define FIRST     32
#define DEPTH     3

#define must(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static unsigned cpus = 3;
static double seconds = 1.5;
static uint32_t stop, running_threads;

// Every raise and every acknowledgement takes a number; the last raise of an interrupt must be followed
// by an acknowledgement.
static uint64_t now;
static uint64_t spi_raised[NR_TESTED], spi_taken[NR_TESTED];
static uint64_t sgi_raised[MAX_CPUS][16], sgi_taken[MAX_CPUS][16];
static uint32_t spi_active[NR_TESTED];
static uint64_t taken, operations;

static _Thread_local uint64_t seed;
static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

static uint64_t tick(void)
{
	return fetch_add(&now, 1) + 1;
}

static void later(uint64_t *word, uint64_t value)
{
	uint64_t old = load_relaxed(word);
	while (old < value && !compare_exchange(word, &old, value))
		continue;
}

static void serve(unsigned cpu)
{
	if (exchange(&vcpus[cpu].request, 0) != 0)
		vgic_flush(&vcpus[cpu]);
	while (maintenance_wanted(here()))
		vgic_maintenance(&vcpus[cpu]);
}

static void take(unsigned cpu, uint32_t *stack, unsigned *depth)
{
	uint32_t iar = ack(cpu), intid = iar & 0x3ff;
	if (iar == SPURIOUS)
		return;
	stack[(*depth)++] = iar;
	fetch_add(&taken, 1);
	if (intid < 16) {
		later(&sgi_taken[cpu][intid], tick());
		return;
	}
	must(intid >= FIRST && intid < FIRST + NR_TESTED);
	must(exchange(&spi_active[intid - FIRST], 1) == 0);
	later(&spi_taken[intid - FIRST], tick());
}

static void finish(unsigned cpu, uint32_t iar)
{
	if ((iar & 0x3ff) >= FIRST)
		store_release(&spi_active[(iar & 0x3ff) - FIRST], 0);
	eoi(cpu, iar);
}

static void raise_spi(unsigned cpu, uint32_t i)
{
	later(&spi_raised[i], tick());
	if (any(2)) {
		line(FIRST + i, true);
		line(FIRST + i, false);
	} else {
		set_bit(cpu, ISPENDR, FIRST + i);
	}
}

static void raise_sgis(unsigned cpu)
{
	uint32_t intid = any(4), list = any(1u << cpus);
	uint64_t number = tick();
	for (unsigned i = 0; i < cpus; i++)
		if (list >> i & 1)
			later(&sgi_raised[i][intid], number);
	send_sgi(cpu, intid, list);
}

// Something on the distributor, or on another vCPU's redistributor.
static void disturb(unsigned cpu)
{
	uint32_t i = any(NR_TESTED), other = any(cpus);
	switch (any(10)) {
	case 0: set_bit(cpu, ICENABLER, FIRST + i); break;
	case 1: set_bit(cpu, ISENABLER, FIRST + i); break;
	case 2: set_priority(cpu, FIRST + i, 8 * any(31)); break;
	case 3: set_target(cpu, FIRST + i, other); break;
	case 4: get_bit(cpu, ISPENDR, FIRST + i); break;
	case 5: get_bit(cpu, ISACTIVER, FIRST + i); break;
	case 6:
		write_gic(cpu, bit_register(any(2) ? ICENABLER : ISENABLER, other, 0), 4,
		          1u << any(4));
		break;
	case 7: read_gic(cpu, bit_register(ISPENDR, other, 0), 4); break;
	case 8:
		if (vm.gic->version == 3)
			write_gic(cpu, GICR(other, SGI_FRAME + IPRIORITYR), 4, any(256) << 8);
		break;
	case 9:
		if (any(8) == 0)
			write_gic(cpu, GICD(CTLR), 4, any(2) ? 3 : 0);
		break;
	default: break;
	}
}

static void *run_cpu(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg, depth = 0;
	uint32_t stack[DEPTH];
	seed = cpu + 1;
	load(cpu);
	while (load_acquire(&stop) == 0) {
		serve(cpu);
		fast = any(2);
		switch (any(8)) {
		case 0:
		case 1:
			if (depth < DEPTH)
				take(cpu, stack, &depth);
			break;
		case 2:
		case 3:
			if (depth != 0)
				finish(cpu, stack[--depth]);
			break;
		case 4: raise_spi(cpu, any(NR_TESTED)); break;
		case 5: raise_sgis(cpu); break;
		case 6: disturb(cpu); break;
		default:
			if (any(200) == 0) {
				vgic_vcpu_unload(&vcpus[cpu]);
				vgic_vcpu_load(&vcpus[cpu]);
			}
			break;
		}
		fetch_add(&operations, 1);
	}
	while (depth != 0)
		finish(cpu, stack[--depth]);
	// Others may still be waiting for this one.
	fetch_add(&running_threads, (uint32_t)-1);
	while (load_acquire(&running_threads) != 0) {
		serve(cpu);
		sched_yield();
	}
	return NULL;
}

// Everything open: what was raised last must arrive now if it has not before.
static void drain(void)
{
	write_gic(0, GICD(CTLR), 4, 3);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		write_gic(cpu, bit_register(ISENABLER, cpu, 0), 4, 0xffff);
	for (uint32_t i = 0; i < NR_TESTED; i++)
		set_bit(0, ISENABLER, FIRST + i);
	settle();
	for (unsigned turn = 0; turn < 100; turn++)
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			uint32_t stack[1];
			unsigned depth = 0;
			run_on(cpu);
			take(cpu, stack, &depth);
			if (depth != 0)
				finish(cpu, stack[0]);
			settle();
		}
	for (uint32_t i = 0; i < NR_TESTED; i++)
		assert_true(spi_taken[i] >= spi_raised[i]);
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		assert_int_equal(running(cpu), IDLE);
		assert_int_equal(read_gic(cpu, bit_register(ISPENDR, cpu, 0), 4), 0);
		assert_int_equal(read_gic(cpu, bit_register(ISACTIVER, cpu, 0), 4), 0);
		for (unsigned i = 0; i < 4; i++)
			assert_true(sgi_taken[cpu][i] >= sgi_raised[cpu][i]);
	}
	assert_int_equal(read_gic(0, GICD(ISPENDR + 4), 4), 0);
	assert_int_equal(read_gic(0, GICD(ISACTIVER + 4), 4), 0);
}

static void run_version(unsigned version)
{
	pthread_t threads[MAX_CPUS];
	threaded = false;
	build(version, cpus);
	memset(spi_raised, 0, sizeof spi_raised);
	memset(spi_taken, 0, sizeof spi_taken);
	memset(sgi_raised, 0, sizeof sgi_raised);
	memset(sgi_taken, 0, sizeof sgi_taken);
	now = taken = operations = nr_fast = nr_declined = 0;
	load_all();
	write_gic(0, GICD(CTLR), 4, 3);
	for (uint32_t i = 0; i < NR_TESTED; i++) {
		set_edge(0, FIRST + i, true);
		set_target(0, FIRST + i, i % cpus);
		set_bit(0, ISENABLER, FIRST + i);
	}
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		write_gic(cpu, bit_register(ISENABLER, cpu, 0), 4, 0xffff);
		unload(cpu);
	}
	run_on(0);
	fake_log_count = FAKE_LOG_MAX; // no notes: the log is one thread's
	threaded = true;
	stop = 0;
	running_threads = cpus;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		must(pthread_create(&threads[cpu], NULL, run_cpu, (void *)(uintptr_t)cpu) == 0);
	usleep((useconds_t)(seconds * 1e6 / 2));
	store_release(&stop, 1);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		pthread_join(threads[cpu], NULL);
	threaded = false;
	drain();
	print_message("GICv%u: %llu operations, %llu interrupts, %llu fast exits, %llu declined\n",
	              version, (unsigned long long)operations, (unsigned long long)taken,
	              (unsigned long long)nr_fast, (unsigned long long)nr_declined);
	assert_true(taken > 0 && nr_fast > 0);
}

static void test_threads(void **state)
{
	(void)state;
	run_version(2);
	run_version(3);
}

static void test_threads_soft(void **state)
{
	(void)state;
	soft = true;
	run_version(2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads),
	                                   cmocka_unit_test(test_threads_soft)};
	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	if (argc > 2)
		cpus = (unsigned)strtoul(argv[2], NULL, 0);
	if (cpus < 1 || cpus > MAX_CPUS)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
