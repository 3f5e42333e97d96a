// SPDX-License-Identifier: Apache-2.0
// Fast exits: those that go back to the guest from where they came, without a turn of the guest loop.
// docs/exits.md has the rules and what each buys.
//
//   vector -> exits.S: what C may clobber into the frame, SP to this CPU's stack
//          -> exit_data (trap/abort.c), exit_sysreg (trap/sysreg.c), exit_irq (main/irq.c)
//          -> back to the guest, or on to guest_exit as if nothing had been tried
#ifndef ARM_EXITS_H
#define ARM_EXITS_H

#include "base/types.h"

struct vcpu;

// What a fast handler returns: back to the guest, its registers as the frame has them, but for x18 to x29 where the
// instruction names none of them: those C has kept,
static inline uint64_t exit_back(struct vcpu *vcpu)
{
	return (uintptr_t)vcpu;
}
// or out to the guest loop, for `reason`: GUEST_EXIT_DONE, or the vector's own if nothing has been changed.
#define EXIT_LEAVE(reason) ((uint64_t)(reason) << 1 | 1)

// This CPU takes every exit through the guest loop from now on. Each CPU, while no guest runs on it.
void exits_plain(void);

#endif
