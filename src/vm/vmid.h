// SPDX-License-Identifier: Apache-2.0
// VMIDs: the tag by which TLBs keep guests apart. There are 255 or 65,535; when they run out a new
// generation begins: every TLB forgets every guest, those that run keep their number, and the others
// take a new one when they next run. No more CPUs are used than
// vmid_max_cpus.
#ifndef VM_VMID_H
#define VM_VMID_H

#include "base/types.h"

// The tag of one address space. All zero at first. Under LOCK_VMID.
struct vmid {
	uint32_t number;
	uint32_t generation;
};

// Once, at boot.
void vmid_init(bool sixteen_bits);

// On how many CPUs guests can run at once: each needs a number, and the VM that comes next one more.
uint32_t vmid_max_cpus(void);

// The number to load for an address space on this CPU, which from now on counts as running it.
// Takes LOCK_VMID if it has none of this generation.
uint32_t vmid_get(struct vmid *vmid);

// The address space is gone and no CPU runs it: its number is not used again before every TLB has
// forgotten it.
void vmid_drop(struct vmid *vmid);

#endif
