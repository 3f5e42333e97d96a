// SPDX-License-Identifier: Apache-2.0
// A guest's own page tables, walked by software.
#ifndef VM_STAGE1_H
#define VM_STAGE1_H

#include "base/types.h"

struct vcpu;

#define STAGE1_STEPS 5

// One look at a table.
struct stage1_step {
	int level;      // -1 to 3
	unsigned shift; // log2 of the bytes that an entry of this level stands for
	uint64_t at;    // IPA of the entry
	uint64_t entry; // if it could be read
	bool read;      // false: there is no RAM
};

// What the vCPU's tables say about `va`, as if its MMU were on: returns how many steps there are, 1
// to 5. The last one decides. At most five reads of guest memory; on the vCPU's CPU, or on any when its VM
// does not run; no lock held.
unsigned stage1_walk(struct vcpu *vcpu, uint64_t va, struct stage1_step steps[STAGE1_STEPS]);

// The hardware walked the vCPU's tables for `va` and met a table at `ipa` that stage 2 does not
// translate: the level of that table, 0-3, which the syndrome does not tell (it names stage 2's own).
// The level the walk starts at if the tables have changed meanwhile. As above.
int stage1_walk_level(struct vcpu *vcpu, uint64_t va, uint64_t ipa);

// Where the vCPU's own tables put `va`, permissions aside; `va` itself while its MMU is off.
// ERR_FAULT: nowhere. As above.
int stage1_translate(struct vcpu *vcpu, uint64_t va, uint64_t *ipa);

// Who makes an access, and which. `pan`: PSTATE.PAN, which EL0 and unprivileged accesses have no use for.
struct stage1_rights {
	bool el0, write, pan;
};

// Where an access goes by the vCPU's tables and permissions, and no TLB. 0; or the fault status that EL1 would find,
// level and all. As above.
uint64_t stage1_access(struct vcpu *vcpu, uint64_t va, struct stage1_rights rights, uint64_t *ipa);

#endif
