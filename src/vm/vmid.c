// SPDX-License-Identifier: Apache-2.0
// The VMID allocator. Owns the numbers of the current generation and which CPU runs which address
// space. Called when a vCPU is loaded and when a VM ends. Invariant: no two address spaces that are
// loaded or belong to the current generation share a number.
#include "vm/vmid.h"

#include "arm/cpu.h"
#include "arm/tlb.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/panic.h"
#include "base/spinlock.h"
#include "base/string.h"

#define MAX_VMIDS 65536
// An image that tests build with few bits runs out of numbers soon.
#ifdef MEZZO_VMID_BITS
#define WIDTH MEZZO_VMID_BITS
#else
#define WIDTH 16
#endif
STATIC_ASSERT(WIDTH >= 2 && WIDTH <= 16, "0 is nobody's, and each CPU and the next VM need one");

static struct spinlock lock = SPINLOCK_INIT(LOCK_VMID);
static uint32_t limit = 256; // fixed after boot
// Under the lock.
static uint32_t generation = 1;
static uint32_t next = 1; // where the search begins; 0 is never a guest's
static uint64_t used[MAX_VMIDS / 64];
// Written by the CPU, outside the lock as well: see vmid_get.
static struct vmid *running[CPU_MAX];

void vmid_init(bool sixteen_bits)
{
	limit = sixteen_bits ? MAX_VMIDS : 256;
	if (limit > (uint32_t)1 << WIDTH)
		limit = (uint32_t)1 << WIDTH;
}

uint32_t vmid_max_cpus(void)
{
	return limit - 2; // 0 is nobody's
}

static bool is_used(uint32_t number)
{
	return (used[number / 64] & BIT_U64(number % 64)) != 0;
}
static void set_used(uint32_t number)
{
	used[number / 64] |= BIT_U64(number % 64);
}

// Begins a generation in which only what runs now has a number.
static void roll_over(void)
{
	uint32_t before = generation;
	store_ordered(&generation, before + 1);
	memset(used, 0, sizeof used);
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct vmid *vmid = load_ordered(&running[cpu]);
		if (vmid != NULL && vmid->generation == before) { // else it waits for the lock
			set_used(vmid->number);
			store_release(&vmid->generation, generation);
		}
	}
	next = 1;
	tlb_invalidate_all_guests();
}

// A free number, or 0. Numbers are handed out in ascending order, so one pass a generation in all.
static uint32_t find_free(void)
{
	while (next < limit && is_used(next))
		next++;
	return next < limit ? next++ : 0;
}

// This CPU says what it runs, then looks at the generation; who begins a new one writes it, then looks at what runs.
// One of the two sees the other: either the number is carried over, or this CPU waits for the lock.
static bool is_current(struct vmid **here, struct vmid *vmid)
{
	store_ordered(here, vmid);
	uint32_t now = load_ordered(&generation);
	return load_acquire(&vmid->generation) == now;
}

// Gives it a number of this generation; `before` is what ran here.
static NOINLINE uint32_t renew(struct vmid *vmid, struct vmid **here, struct vmid *before)
{
	spin_lock(&lock);
	store_relaxed(here, before); // its number is in VTTBR_EL2 still
	if (vmid->generation != generation) {
		uint32_t number = find_free();
		if (number == 0) {
			roll_over();
			// What runs is fewer than the numbers there are: one for each CPU.
			number = find_free();
			CHECK(number != 0);
		}
		if (vmid->generation != generation) { // it did not run while the generation changed
			set_used(number);
			store_relaxed(&vmid->number, number);
			store_release(&vmid->generation, generation);
		}
	}
	store_relaxed(here, vmid);
	uint32_t number = vmid->number;
	spin_unlock(&lock);
	return number;
}

uint32_t vmid_get(struct vmid *vmid)
{
	struct vmid **here = &running[cpu_this()->id], *before = load_relaxed(here);
	if (LIKELY(is_current(here, vmid)))
		return load_relaxed(&vmid->number);
	return renew(vmid, here, before);
}

void vmid_drop(struct vmid *vmid)
{
	spin_lock(&lock);
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		if (running[cpu] == vmid)
			running[cpu] = NULL;
	*vmid = (struct vmid){0, 0};
	spin_unlock(&lock);
}
