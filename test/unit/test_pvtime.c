// SPDX-License-Identifier: Apache-2.0
// Stolen time: what the guest finds in its page, over several lives, and that the page is the VM's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/features.h"
#include "fake.h"
#include "hw/timer.h"
#include "ram_arena.h"
#include "vm/pvtime.h"
#include "vm/vm.h"

#define HZ UINT64_C(62500000)

static struct vm vm;
static struct vcpu vcpus[VM_MAX_VCPUS];
static bool no_room;

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	return no_room ? NULL : test_calloc(1, size);
}

static void new_life(void)
{
	assert_int_equal(stage2_create(&vm.stage2, 3, VM_VIRT_RAM_BASE, MIB(16)), 0);
	assert_int_equal(pvtime_reset(&vm), 0);
}

static void end_of_life(void)
{
	stage2_retire(&vm.stage2);
	while (stage2_destroy_some(&vm.stage2))
		;
}

static int open_arena(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(16));
	return 0;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	fake_set_sysreg("cntfrq_el0", HZ);
	features_probe(true);
	stage2_init();
	timer_init(0);
	memset(&vm, 0, sizeof vm);
	memset(vcpus, 0, sizeof vcpus);
	no_room = false;
	vm.id = 3;
	vm.nr_vcpus = VM_MAX_VCPUS;
	for (uint32_t i = 0; i < VM_MAX_VCPUS; i++)
		vcpus[i] = (struct vcpu){.vm = &vm, .id = i};
	assert_int_equal(pvtime_create(&vm), 0);
	new_life();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	end_of_life();
	while (pages_scrub_some(&vm.pages))
		;
	test_free(vm.pvtime);
	return 0;
}

// The page as the guest's map has it, and its attributes.
static const uint8_t *page(uint64_t *attributes)
{
	unsigned level;
	uint64_t entry = *pgtable_find(&vm.stage2.table, 0x090a0000, &level);
	assert_int_equal(level, 3);
	*attributes = entry & ~PTE_ADDRESS;
	return (const uint8_t *)(uintptr_t)(entry & PTE_ADDRESS);
}

static uint64_t stolen(unsigned vcpu)
{
	uint64_t attributes, ipa, value;
	assert_true(pvtime_address(&vcpus[vcpu], &ipa));
	const uint8_t *at = page(&attributes) + (ipa - 0x090a0000);
	static const uint8_t zero[64];
	assert_memory_equal(at, zero, 8); // revision, attributes
	assert_memory_equal(at + 16, zero, 48);
	memcpy(&value, at + 8, 8);
	return value;
}

static void test_the_page(void **state)
{
	(void)state;
	uint64_t attributes, ipa;
	const uint8_t *bytes = page(&attributes);
	// Valid page, AF, inner shareable, write-back; read, but neither written nor executed.
	assert_int_equal(attributes, 3 | 1 << 10 | 3 << 8 | 1 << 6 | 15 << 2 | UINT64_C(1) << 54);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(bytes[i], 0); // the arena was full of other bytes
	struct page *entry = pages_entry(PA((uintptr_t)bytes));
	assert_int_equal(entry->owner, 3);
	assert_int_equal(entry->order, 0); // nothing else is in it
	assert_int_equal(vm.pages.first, (uintptr_t)bytes >> PAGE_SHIFT);
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++) {
		assert_true(pvtime_address(&vcpus[i], &ipa));
		assert_int_equal(ipa, 0x090a0000 + 64 * i);
	}
}

static void test_each_vcpu_has_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		pvtime_update(&vcpus[i]);
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		vcpus[i].sched.waited += HZ * (i + 1);
	pvtime_update(&vcpus[2]);
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		assert_int_equal(stolen(i), i == 2 ? UINT64_C(3000000000) : 0);
	pvtime_update(&vcpus[7]);
	assert_int_equal(stolen(7), UINT64_C(8000000000));
}

static void test_nanoseconds(void **state)
{
	(void)state;
	static const uint64_t rates[] = {1000000, 19200000, HZ, 1000000000, 4000000000};
	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		uint64_t last = 0;
		timer_init((uint32_t)rates[i]);
		assert_int_equal(pvtime_reset(&vm), ERR_BUSY); // zeroed; it is mapped already
		vcpus[0].sched.waited = 0;
		pvtime_update(&vcpus[0]);
		for (uint64_t ticks = 1; ticks < UINT64_C(1) << 58; ticks += ticks / 3 + 1) {
			vcpus[0].sched.waited = ticks;
			pvtime_update(&vcpus[0]);
			unsigned __int128 exact = (unsigned __int128)ticks * 1000000000 / rates[i];
			if (exact > UINT64_MAX)
				break;
			assert_int_equal(stolen(0), (uint64_t)exact);
			assert_true(stolen(0) >= last);
			last = stolen(0);
		}
	}
}

// What a vCPU waited before it first ran in this life is not this life's.
static void test_lives(void **state)
{
	(void)state;
	for (unsigned life = 0; life < 5; life++) {
		vcpus[1].sched.waited += HZ * 7;
		pvtime_update(&vcpus[1]);
		assert_int_equal(stolen(1), 0);
		vcpus[1].sched.waited += HZ / 2;
		pvtime_update(&vcpus[1]);
		assert_int_equal(stolen(1), 500000000);
		pvtime_update(&vcpus[1]);
		assert_int_equal(stolen(1), 500000000);
		end_of_life();
		new_life();
		assert_int_equal(stolen(1), 0);
	}
}

static void test_without_memory(void **state)
{
	struct vm poor = {.id = 4};
	struct vcpu vcpu = {.vm = &poor};
	struct page_list taken = {0};
	uint64_t ipa;
	(void)state;
	no_room = true;
	assert_int_equal(pvtime_create(&poor), ERR_NO_MEMORY);
	assert_null(poor.pvtime);
	while (pages_scrub_some(&poor.pages))
		;
	no_room = false;
	ram_arena_exhaust(&taken, 0);
	assert_int_equal(pvtime_create(&poor), ERR_NO_MEMORY);
	ram_arena_release(&taken);
	assert_null(poor.pvtime);
	// A VM without the page: nothing happens, nothing is promised.
	pvtime_update(&vcpu);
	assert_false(pvtime_address(&vcpu, &ipa));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_the_page), TEST(test_each_vcpu_has_its_own), TEST(test_nanoseconds),
	        TEST(test_lives),    TEST(test_without_memory),
	};
	return cmocka_run_group_tests(tests, open_arena, NULL);
}
