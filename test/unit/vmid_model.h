// SPDX-License-Identifier: Apache-2.0
// A model of the TLBs for tests of the VMID allocator: each CPU caches translations under the number it
// runs with, and no address space may ever run under a number for which some TLB remembers another one.
// Included once by each test_vmid*.c.
#ifndef UNIT_VMID_MODEL_H
#define UNIT_VMID_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/types.h"
#include "fake.h"
#include "vm/vmid.h"

#define SPACES 400

// A name for an address space, new with each life; 0: the TLBs hold nothing under this number.
static uint32_t tlb[65536]; // all CPUs' together: the operations are broadcast
static struct vmid space[SPACES];
static uint32_t name[SPACES], names;
static int on_cpu[FAKE_CPUS];
static unsigned rollovers;

static bool watch(const struct fake_event *event)
{
	static unsigned step;
	const char *const order[] = {"dsb ishst", "tlbi alle1is", "dsb ish", "isb"};
	assert_string_equal(event->name, order[step]);
	step = (step + 1) % ARRAY_SIZE(order);
	if (step != 0)
		return true;
	rollovers++;
	memset(tlb, 0, sizeof tlb);
	// Who runs goes on under its number, and fills the TLBs again.
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		if (on_cpu[cpu] >= 0)
			tlb[space[on_cpu[cpu]].number] = name[on_cpu[cpu]];
	return true;
}

UNUSED static void start(bool sixteen)
{
	static bool first = true;
	fake_reset();
	for (unsigned i = 0; i < SPACES && !first; i++)
		vmid_drop(&space[i]);
	first = false;
	fake_event_hook = watch;
	memset(tlb, 0, sizeof tlb);
	memset(space, 0, sizeof space);
	for (unsigned i = 0; i < SPACES; i++)
		name[i] = ++names;
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		on_cpu[cpu] = -1;
	vmid_init(sixteen);
}

// CPU `cpu` begins to run space `i`.
UNUSED static void run(unsigned cpu, unsigned i)
{
	struct vmid before = space[i];
	bool runs = false;
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		runs |= on_cpu[c] == (int)i;
	fake_run_on(cpu);
	uint32_t number = vmid_get(&space[i]);
	assert_int_equal(number, space[i].number);
	assert_int_not_equal(number, 0);
	if (runs) // it cannot change under the feet of the CPUs that run it
		assert_int_equal(number, before.number);
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		if (on_cpu[c] >= 0 && c != cpu && on_cpu[c] != (int)i)
			assert_int_not_equal(space[on_cpu[c]].number, number);
	on_cpu[cpu] = (int)i;
	assert_true(tlb[number] == 0 || tlb[number] == name[i]);
	tlb[number] = name[i];
}

UNUSED static void drop(unsigned i)
{
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		if (on_cpu[cpu] == (int)i)
			on_cpu[cpu] = -1;
	vmid_drop(&space[i]);
	assert_int_equal(space[i].number, 0);
	name[i] = ++names; // the next life is another address space
}

#endif
