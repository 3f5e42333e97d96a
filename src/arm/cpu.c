// SPDX-License-Identifier: Apache-2.0
// The list of physical CPUs. Owns it; written by the boot CPU before the others run, constant after.
#include "arm/cpu.h"

#include "arm/barrier.h"
#include "arm/exits.h"
#include "arm/offsets.h"
#include "base/panic.h"

STATIC_ASSERT(offsetof(struct cpu, panic_stack_top) == CPU_PANIC_STACK_TOP, "vectors.S");
STATIC_ASSERT(offsetof(struct cpu, mpidr) == CPU_MPIDR, "boot.S");
STATIC_ASSERT(offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "boot.S");
STATIC_ASSERT(offsetof(struct cpu, vcpu) == CPU_VCPU, "exits.S");
STATIC_ASSERT(offsetof(struct cpu, key) == CPU_KEY, "guest.S");

static uint8_t boot_panic_stack[4096] __attribute__((aligned(16)));
struct cpu boot_cpu = {.panic_stack_top = (uintptr_t)(boot_panic_stack + sizeof boot_panic_stack)};

static struct cpu *cpus[CPU_MAX];
static uint32_t count;

void cpu_register(struct cpu *cpu)
{
	CHECK(count < CPU_MAX);
	cpu->id = count;
	cpus[count++] = cpu;
}

struct cpu *cpu_get(uint32_t id)
{
	return cpus[id];
}

uint32_t cpu_count(void)
{
	return count;
}

void exits_plain(void)
{
	extern const char el2_vectors_plain[];
	write_sysreg((uintptr_t)el2_vectors_plain, vbar_el2);
	isb();
}

void cpu_halt(void)
{
	for (;;)
		wfe();
}

#ifdef MEZZO_DEBUG
uint32_t *spinlock_held(void);
uint32_t *spinlock_held(void)
{
	return &cpu_this()->lock_ranks;
}
#endif
