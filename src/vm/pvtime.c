// SPDX-License-Identifier: Apache-2.0
// Stolen time. Owns one page of each VM, which the guest may read and nothing else; written by the CPU that
// loads a vCPU, found by the guest through two calls (trap/smccc.c).
// Invariant: while a guest runs its figure never goes back; nothing else is ever in the page.
// Source: Arm Paravirtualized Time for Arm-based Systems (DEN 0057), "Stolen time".
#include "vm/pvtime.h"

#include "arm/cache.h"
#include "base/atomic.h"
#include "hw/timer.h"
#include "vm/sched.h"
#include "vm/vm.h"

// What the guest reads; little-endian, as EL2 is.
struct record {
	uint32_t revision, attributes; // both 0: there is no other version
	uint64_t stolen;               // ns
	uint8_t reserved[PVTIME_STRIDE - 16];
};
STATIC_ASSERT(sizeof(struct record) == PVTIME_STRIDE, "DEN 0057 has them 64-byte aligned");
STATIC_ASSERT(sizeof(struct record) * VM_MAX_VCPUS <= PAGE_SIZE, "they share a page");

// Written by whoever may write the record: while nothing of the VM runs, then by the vCPU's CPU.
struct pvtime {
	struct record *records; // fixed after start
	struct start {
		uint64_t waited; // ticks: what it had waited when this life was first seen
		uint64_t told;   // ticks: what the record was last written for
		bool known;      // ... which it was
	} start[VM_MAX_VCPUS];
};

int pvtime_create(struct vm *vm)
{
	// A page by itself: the guest sees all of it.
	pa_t page = pages_alloc(0, (uint16_t)vm->id, PAGE_DATA, &vm->pages);
	struct pvtime *pvtime = page.v != 0 ? vm_alloc(vm, sizeof *pvtime) : NULL;

	if (pvtime == NULL) // the page goes with the VM
		return ERR_NO_MEMORY;
	pvtime->records = (struct record *)(uintptr_t)page.v;
	vm->pvtime = pvtime;
	return 0;
}

int pvtime_reset(struct vm *vm)
{
	struct pvtime *pvtime = vm->pvtime;

	for (uint32_t i = 0; i < VM_MAX_VCPUS; i++)
		pvtime->start[i].known = false;
	cache_zero_pages(pvtime->records, PAGE_SIZE);
	// For a guest that looks with its caches off. It may then see old figures later, never foreign bytes.
	cache_clean_invalidate_poc(pvtime->records, PAGE_SIZE);
	return stage2_map_readonly(&vm->stage2, PVTIME_BASE, PA((uintptr_t)pvtime->records));
}

void pvtime_update(struct vcpu *vcpu)
{
	struct pvtime *pvtime = vcpu->vm->pvtime;

	if (pvtime == NULL)
		return;
	struct start *start = &pvtime->start[vcpu->id];
	COMPUTED(start);
	uint64_t waited = load_relaxed(&vcpu->sched.waited); // it runs: all of it is counted
	if (waited == start->told && start->known)
		return;
	if (!start->known) { // what it waited in an earlier life is no concern of this one
		start->waited = waited;
		start->known = true;
	}
	start->told = waited;
	// One store: a vCPU that reads another one's figure sees an old or a new one.
	store_relaxed(&pvtime->records[vcpu->id].stolen, timer_to_ns(waited - start->waited));
}

bool pvtime_address(const struct vcpu *vcpu, uint64_t *ipa)
{
	if (vcpu->vm->pvtime == NULL)
		return false;
	*ipa = PVTIME_BASE + vcpu->id * PVTIME_STRIDE;
	return true;
}
