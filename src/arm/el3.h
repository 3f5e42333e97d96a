// SPDX-License-Identifier: Apache-2.0
// Mezzo as its own firmware, on a board that starts it at EL3: what EL2 tells EL3 about the board,
// and what el3.S and the C files of EL3 share. docs/el3.md says why it is so.
#ifndef ARM_EL3_H
#define ARM_EL3_H

#define EL3_MAX_CPUS 64   // of the board; one for each of them in el3_cpus
#define EL3_CPU_SIZE 1024 // struct el3_cpu with its stack

// Places inside struct el3_cpu; el3.c checks them.
#define EL3_CPU_MPIDR 0
#define EL3_CPU_STATE 8

// PSCI's own numbers for the states of a CPU (AFFINITY_INFO).
#define EL3_ON         0
#define EL3_OFF        1
#define EL3_ON_PENDING 2

// The registers of an SMC: x0..x18, then x29 and x30, 16 bytes aligned.
#define EL3_FRAME_SIZE 176

#ifndef __ASSEMBLER__
#include "arm/smccc.h"
#include "base/types.h"

// ---- EL2's side ----

// What only EL2 can find out, since only EL2 reads the device tree: told once, by the boot CPU, before
// any guest runs. Then PSCI by SMC works as any firmware's does. Function numbers are of the range for
// vendor-specific EL3 monitors, 64-bit fast calls (SMC Calling Convention, "Function identifier ranges").
enum el3_call {
	EL3_CALL_CPU = (int)0xc7000000U, // x1: affinity; the first one is the boot CPU's own
	EL3_CALL_REDISTRIBUTORS,         // x1: base, x2: bytes, x3: stride or 0 (GICv3)
	EL3_CALL_POWER,   // x1: base of the PL061; x2, x3: EL3_POWER_*: lines for off and reset
	EL3_CALL_COUNTER, // x1: Hz, for CPUs whose CNTFRQ_EL0 nobody has set
	EL3_CALL_TIMEBASE, // x1: base of a BCM2836's local controller: its counter runs from the crystal
	EL3_CALL_GIC, // x1: 2, 3 or 0 (none), x2: distributor, x3: CPU interface (GICv2). The last
	              // call: EL3 sets up the GIC and then takes no more of these calls
};

#define EL3_POWER_LINE   7  // mask: which of the 8 lines
#define EL3_POWER_LOW    8  // active low
#define EL3_POWER_EXISTS 16 // there is such a line

// 1 if Mezzo was entered at EL3. Set by boot.S, constant after.
extern uint32_t el3_below;

// 0, or ERR_UNSUPPORTED: EL3 does not take it (too many, out of order, not Mezzo's EL3).
static inline int el3_call(enum el3_call call, uint64_t x1, uint64_t x2, uint64_t x3)
{
	const uint64_t in[8] = {(uint32_t)call, x1, x2, x3};
	uint64_t out[4];
	smccc_call(false, in, out);
	return out[0] == 0 ? 0 : ERR_UNSUPPORTED;
}

// ---- EL3's side: el3.S, el3.c, el3_chips.c ----

// Code of EL3 runs with the MMU off and shares no word with EL2 that EL2 writes, so it cannot read the
// stack protector's.
#define EL3_CODE   __attribute__((section(".text.el3"), no_stack_protector))
// Data of EL3: in pages that EL2 does not map.
#define EL3_LOADED __attribute__((section(".el3.data")))             // has its value at the reset
#define EL3_BLANK  __attribute__((section(".bss.el3"), aligned(64))) // anything at all

struct el3_frame {
	uint64_t x[19], x29, x30, unused;
};

struct el3_cpu {
	// Fixed before the CPU counts (el3_cpu_count).
	uint64_t mpidr; // affinity fields alone
	// EL3_OFF to EL3_ON_PENDING under the lock; the rest by the CPU itself.
	uint32_t state;
	// The lock: this CPU's part.
	uint32_t choosing;
	uint64_t number;
	// Under the lock while the state is EL3_OFF, then the CPU's: where to go at EL2, and x0 there.
	uint64_t entry, context;
	uint8_t stack[EL3_CPU_SIZE - 40] __attribute__((aligned(8)));
};

// Parks this CPU: it sleeps at EL3 until its state is EL3_ON_PENDING, then starts anew. No stack.
NORETURN void el3_park(void);

// el3_chips.c: what the board has. Called under the lock.
int el3_add_redistributors(uint64_t base, uint64_t size, uint64_t stride);
int el3_set_power(uint64_t base, uint64_t off, uint64_t reset);
int el3_set_timebase(uint64_t local);
// Gives the whole GIC to the non-secure world.
int el3_set_gic(uint64_t version, uint64_t gicd, uint64_t gicc);
// Gives this CPU's part of the GIC to the non-secure world, or takes it out of the play.
void el3_gic_start_cpu(uint64_t mpidr);
void el3_gic_stop_cpu(void);
bool el3_power_can(bool off);
// Pulls the line. Returns only if that had no effect, after some seconds.
void el3_power_pull(bool off);

#endif
#endif
