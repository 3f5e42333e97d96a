// SPDX-License-Identifier: Apache-2.0
// Cache maintenance by set and way, which a hypervisor cannot pass through: it acts on one CPU's
// caches, and hits whoever owns the lines. A guest uses it to get its own memory clean before its
// caches go on or off, so that is what it gets: everything the VM has mapped is cleaned and invalidated
// by address, in pieces, and until the guest's caches change state again it counts as done.
// Owns vcpu->setway_*. Source: Arm ARM, "Performing cache maintenance instructions".
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "trap/trap.h"
#include "vm/vm.h"

// One piece of cleaning; true when all is clean.
static bool clean_piece(struct vcpu *vcpu)
{
	if (!stage2_clean_some(&vcpu->vm->stage2, &vcpu->setway_cursor))
		return false;
	vcpu->setway_cursor = 0;
	return true;
}

void setway_trap(struct vcpu *vcpu, uint64_t esr)
{
	if (!vcpu->setway_done) {
		if (!clean_piece(vcpu))
			return; // the instruction traps again and goes on from the cursor
		vcpu->setway_done = true;
		vcpu_set_hcr(vcpu, HCR_TVM, HCR_TVM);
	}
	trap_advance(vcpu, esr);
}

bool setway_caches_change(struct vcpu *vcpu, uint64_t before, uint64_t after)
{
	bool was_on = (before & (SCTLR_M | SCTLR_C)) == (SCTLR_M | SCTLR_C);
	bool is_on = (after & (SCTLR_M | SCTLR_C)) == (SCTLR_M | SCTLR_C);
	if (was_on == is_on)
		return true;
	if (!clean_piece(vcpu))
		return false;
	vcpu->setway_done = false;
	if (is_on)
		vcpu_set_hcr(vcpu, HCR_TVM, 0);
	return true;
}
