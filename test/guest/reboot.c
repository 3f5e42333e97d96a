// SPDX-License-Identifier: Apache-2.0
/*
 * Resets itself by SYSTEM_RESET until the clock has reached `until=SECONDS`, then powers off.
 * Each life starts as the first one did; under Mezzo with memory in which nothing of the last one
 * is left.
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define YEAR_2020 1577836800u
#define RTC_DR    0x000
#define MARK      0x6d617264696573ul
#define MARKS     16u
#define RESET2    2 /* every so many lives by SYSTEM_RESET2 */
#define SECOND_US 1000000ul

static volatile u64 *mark(u64 n)
{
	u64 step = platform.ram_bytes / 2 / MARKS;

	return (volatile u64 *)ALIGN_DOWN(platform.ram_base + platform.ram_bytes - (n + 1) * step,
	                                  8);
}

static void other_cpu(u64 arg)
{
	(void)arg;
	for (;;)
		read32(platform.uart + 0x018);
}

void test_main(void)
{
	u64 until = platform_arg("until", 0), now = read32(platform.rtc + RTC_DR), dirty = 0;

	if (!check_true(now > YEAR_2020, "reboot-clock-is-set"))
		return;
	print("# life at %lu, until %lu\n", now, until);
	for (u64 n = 0; n < MARKS; n++) {
		dirty += *mark(n) == MARK;
		*mark(n) = MARK;
	}
	if (test_under_mezzo())
		check_eq(dirty, 0, "reboot-memory-scrubbed");
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		check_eq((u64)psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[cpu], 0, 0),
		         PSCI_AFFINITY_OFF, "reboot-cpu%u-off", cpu);
	check_eq(smp_start_all(), platform.cpu_count, "reboot-cpus-start");
	check_eq(gic_is_pending(40) || gic_is_active(40), false, "reboot-gic-fresh");
	if (now >= until)
		return;
	/* The other CPUs are busy with exits when the machine goes down. */
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, other_cpu, 0);
	timer_delay(SECOND_US / 4);
	gic_set_pending(40);
	psci_call(now % RESET2 != 0 && test_under_mezzo() ? PSCI_SYSTEM_RESET2_32
	                                                  : PSCI_SYSTEM_RESET,
	          0, 0, 0);
	check_true(false, "reboot-does-not-return");
}
