// SPDX-License-Identifier: Apache-2.0
// One address space under test, on a CPU of the test's choosing, watched by the oracle of order.h.
// Included once by each test_stage2*.c.
#ifndef UNIT_STAGE2_BENCH_H
#define UNIT_STAGE2_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arm/features.h"
#include "order.h"
#include "ram_arena.h"
#include "vm/stage2.h"

#define RAM_BASE   UINT64_C(0x40000000) // IPA
#define ARENA_SIZE MIB(64)
#define OWNER      7

struct bench_cpu {
	unsigned pa_range; // ID_AA64MMFR0_EL1.PARange
	bool fwb, idc, vmid16;
};

static struct stage2 s2;
static struct pages_count at_start;
static struct bench_cpu bench_now;

// The CPUs are like this from now on.
UNUSED static void bench_cpu(const struct bench_cpu *cpu)
{
	fake_set_sysreg("id_aa64mmfr0_el1", cpu->pa_range);
	fake_set_sysreg("id_aa64mmfr1_el1", cpu->vmid16 ? 2 << 4 : 0);
	fake_set_sysreg("id_aa64mmfr2_el1", cpu->fwb ? UINT64_C(1) << 40 : 0);
	fake_set_sysreg("ctr_el0", 4 << 16 | (cpu->idc ? 1 << 28 : 0));
	features_probe(true);
	stage2_init();
	vmid_init(cpu->vmid16);
	bench_now = *cpu;
}

// No address space yet, the oracle watches.
UNUSED static void bench_begin(void)
{
	memset(&s2, 0, sizeof s2);
	order_start(ARENA_SIZE, !(bench_now.fwb && bench_now.idc));
}

UNUSED static void bench_vm(uint64_t ram_size)
{
	bench_begin();
	assert_int_equal(stage2_create(&s2, OWNER, RAM_BASE, ram_size), 0);
}

// No block is ready: what ended VMs left becomes as good as any other.
UNUSED static void bench_empty_pool(void)
{
	struct page_list ready = {0};
	while (pages_alloc_zeroed(OWNER, PAGE_GUEST, &ready).v != 0)
		;
	ram_arena_release(&ready);
}

UNUSED static void bench_retire(void)
{
	stage2_retire(&s2);
	order_forget();
}

// Ends the address space: the oracle had nothing to say, and every page is back.
UNUSED static void bench_end(void)
{
	bench_retire();
	while (stage2_destroy_some(&s2))
		;
	const char *verdict = order_verdict();
	if (verdict != NULL)
		fail_msg("%s", verdict);
	assert_int_equal(s2.vmid.number, 0);
	struct pages_count now = pages_counts();
	assert_int_equal(now.free, at_start.free);
	assert_int_equal(now.committed, at_start.committed);
	bench_empty_pool();
}

// The page behind an IPA; 0: none is mapped.
UNUSED static uint64_t bench_pa(uint64_t ipa)
{
	unsigned level;
	uint64_t entry = *pgtable_find(&s2.table, ipa, &level);
	uint64_t span = pgtable_span(level);
	return (entry & PTE_VALID) != 0 ? (entry & PTE_ADDRESS & ~(span - 1)) + (ipa & (span - 1))
	                                : 0;
}

UNUSED static bool bench_zero(uint64_t ipa, uint64_t size)
{
	for (; size > 0; size--, ipa++) {
		const uint8_t *at = (const uint8_t *)bench_pa(ipa);
		if (at == NULL || *at != 0)
			return false;
	}
	return true;
}

UNUSED static bool bench_equal(uint64_t ipa, const void *bytes, uint64_t size)
{
	const uint8_t *wanted = bytes;
	for (; size > 0; size--, ipa++) {
		const uint8_t *at = (const uint8_t *)bench_pa(ipa);
		if (at == NULL || *at != *wanted++)
			return false;
	}
	return true;
}

static uint64_t bench_sum(bool tables_only)
{
	uint64_t pages = 0;
	for (uint32_t f = s2.pages.first; f != 0;) {
		const struct page *page = pages_entry(PA((uint64_t)f << PAGE_SHIFT));
		if (!tables_only || page->state == PAGE_TABLE)
			pages += UINT64_C(1) << page->order;
		f = page->next;
	}
	return pages;
}

// Pages that the address space has, and those of them that are tables.
UNUSED static uint64_t bench_chunk_pages(void)
{
	return bench_sum(false);
}
UNUSED static uint64_t bench_tables(void)
{
	return bench_sum(true);
}

UNUSED static int bench_open(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(ARENA_SIZE);
	return 0;
}

UNUSED static int bench_close(void **state)
{
	(void)state;
	order_free();
	return 0;
}

// Each test begins on a Cortex-A57 sort of CPU.
UNUSED static int bench_each(void **state)
{
	(void)state;
	order_start(ARENA_SIZE, true);
	order_drop(NULL, 0);
	bench_cpu(&(struct bench_cpu){.pa_range = 2});
	at_start = pages_counts();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, bench_each)

#endif
