// SPDX-License-Identifier: Apache-2.0
/*
 * Stolen time: the calls that find it, a structure for each vCPU, and a page that can be read and neither
 * written nor executed, with nothing else in it.
 * Source: Arm Paravirtualized Time for Arm-based Systems (DEN 0057).
 */
#include "test.h"

#include "mmu.h"

#define NOT_SUPPORTED ((u64)PSCI_NOT_SUPPORTED)
#define STRIDE        64ul
#define STOLEN        8ul
#define BUSY_US       20000ul
#define HOUR_NS       3600000000000ul

static u64 call(u64 function, u64 a1)
{
	u64 regs[SMCCC_REGS] = {function, a1};

	smccc_hvc(regs);
	return regs[0];
}

static u64 addresses[MAX_CPUS];

static void ask(u64 cpu)
{
	addresses[cpu] = call(PV_TIME_ST, 0);
}

static void test_calls(void)
{
	group_begin("pvtime-calls");
	group_eq(call(SMCCC_ARCH_FEATURES, PV_TIME_FEATURES), 0, "it is announced");
	group_eq(call(PV_TIME_FEATURES, PV_TIME_FEATURES), 0, "features of itself");
	group_eq(call(PV_TIME_FEATURES, PV_TIME_ST), 0, "stolen time is there");
	group_eq(call(PV_TIME_FEATURES, PV_TIME_ST + 1), NOT_SUPPORTED, "and nothing else");
	group_eq(call(PV_TIME_FEATURES, 0), NOT_SUPPORTED, "nor a feature 0");
	group_eq(call(PV_TIME_ST & ~BIT(30), 0), NOT_SUPPORTED, "there is no 32-bit form");
	group_end();
}

static void test_addresses(unsigned cpus)
{
	group_begin("pvtime-addresses");
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		smp_call(cpu, ask, cpu);
		group_eq(addresses[cpu] % STRIDE, 0, "of CPU %u: aligned", cpu);
		group_eq(addresses[cpu] - platform.ram_base >= platform.ram_bytes, true,
		         "of CPU %u: not in RAM", cpu);
		for (unsigned other = 0; other < cpu; other++)
			group_eq(addresses[cpu] != addresses[other], true, "of CPU %u and %u", cpu,
			         other);
	}
	group_end();
}

static bool is_stolen_field(u64 offset, unsigned cpus)
{
	return offset % STRIDE >= STOLEN && offset % STRIDE < 2 * STOLEN && offset / STRIDE < cpus;
}

static void test_contents(u64 page, unsigned cpus)
{
	group_begin("pvtime-contents");
	for (u64 offset = 0; offset < PAGE_BYTES; offset++) {
		if (!is_stolen_field(offset, cpus))
			group_eq(read8(page + offset), 0, "byte %lu", offset);
	}
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		u64 at = page + addresses[cpu] % PAGE_BYTES + STOLEN, last = read64(at);

		group_eq(last < HOUR_NS, true, "CPU %u has been robbed of %lu ns", cpu, last);
		for (unsigned i = 0; i < 5; i++) {
			timer_delay(BUSY_US / 5);
			group_eq(read64(at) >= last, true, "of CPU %u: does not go back", cpu);
			last = read64(at);
		}
	}
	group_end();
}

static void test_protection(u64 page)
{
	u64 at = page + STOLEN, before = read64(page);
	struct exc_record r;

	group_begin("pvtime-protection");
	r = EXC_OF(write64(at, ~0ul));
	group_eq(exc_class(&r), EC_DABT, "a write is refused");
	group_eq(FIELD_GET(ESR_DFSC, r.esr), FSC_SEA, "by an external abort");
	group_eq(r.far, at, "at this address");
	r = EXC_OF(write8(page, 1));
	group_eq(exc_class(&r), EC_DABT, "so is a byte");
	r = EXC_OF(write32(page + PAGE_BYTES - 4, 1));
	group_eq(exc_class(&r), EC_DABT, "and the last word");
	group_eq(read64(page), before, "nothing was written");
	group_eq(read32(page + PAGE_BYTES - 4), 0, "nor at the end");
	group_eq(read64(at) != ~0ul, true, "nor where the time is");
	r = EXC_OF(exc_call(page));
	group_eq(exc_class(&r), EC_IABT, "nothing is executed");
	r = EXC_OF(read32(ALIGN_DOWN(addresses[0], PAGE_BYTES) + PAGE_BYTES));
	group_eq(exc_class(&r), EC_DABT, "behind the page is nothing");
	group_end();
}

void test_main(void)
{
	unsigned cpus;
	u64 page;

	if (!test_under_mezzo()) {
		test_skip("no hypervisor steals time here", "pvtime");
		check_eq(psci_call(PV_TIME_FEATURES, PV_TIME_ST, 0, 0) == PSCI_NOT_SUPPORTED, true,
		         "pvtime-nothing-there");
		return;
	}
	cpus = smp_start_all();
	test_calls();
	test_addresses(cpus);
	if (addresses[0] == NOT_SUPPORTED)
		return;
	page = mmu_window(ALIGN_DOWN(addresses[0], PAGE_BYTES));
	test_contents(page, cpus);
	test_protection(page);
}
