// SPDX-License-Identifier: Apache-2.0
/*
 * Lives as its command line says: waits `delay=MS` milliseconds; touches `mib=N` MiB of memory, which
 * must be zero before and keep what was written; waits `hold=MS` milliseconds; then, while the clock
 * has not reached `until=SECONDS`, resets the machine or with `crash=1` jumps to where nothing is; at
 * last powers off.
 */
#include "test.h"

#include "mmu.h"

#define ASIDE     (8 * MIB) /* above RAM's start: image, tree and stacks are below */
#define RTC_DR    0x000
#define NOWHERE   0x0b000000ul
#define MS_US     1000ul
#define RESET2    2 /* every so many resets by SYSTEM_RESET2 */
#define WORD_MARK 0x6c69666500000000ul

static volatile u64 *page(u64 n)
{
	return (volatile u64 *)(platform.ram_base + ASIDE + n * PAGE_BYTES);
}

static void touch(u64 pages)
{
	u64 dirty = 0;

	for (u64 n = 0; n < pages; n++) {
		dirty += *page(n) != 0;
		*page(n) = WORD_MARK | n;
	}
	check_eq(dirty, 0, "life-memory-scrubbed");
}

static void check_kept(u64 pages)
{
	u64 lost = 0;

	for (u64 n = 0; n < pages; n++)
		lost += *page(n) != (WORD_MARK | n);
	check_eq(lost, 0, "life-memory-kept");
}

static u64 now(void)
{
	return read32(platform.rtc + RTC_DR);
}

static void crash(void)
{
	mmu_disable();
	write_sysreg(vbar_el1, NOWHERE);
	isb();
	exc_call(NOWHERE);
}

void test_main(void)
{
	u64 pages = platform_arg("mib", 0) * MIB / PAGE_BYTES;

	if (!check_true(ASIDE + pages * PAGE_BYTES <= platform.ram_bytes, "life-has-room"))
		return;
	print("# life at %lu\n", now());
	timer_delay(platform_arg("delay", 0) * MS_US);
	touch(pages);
	timer_delay(platform_arg("hold", 0) * MS_US);
	check_kept(pages);
	if (now() >= platform_arg("until", 0))
		return;
	if (platform_arg("crash", 0) != 0)
		crash();
	psci_call(timer_count() % RESET2 != 0 && test_under_mezzo() ? PSCI_SYSTEM_RESET2_32
	                                                            : PSCI_SYSTEM_RESET,
	          0, 0, 0);
	check_true(false, "life-reset-does-not-return");
}
