// SPDX-License-Identifier: Apache-2.0
/*
 * Programs at EL0, in a block of memory that is theirs, and a CPU that is started only to be looked at.
 */
#include "hostile.h"

#define EL0_BLOCK \
	(8 * MIB) /* behind the image; a block by itself, because EL1 cannot execute what EL0 can */
#define EL0_DATA (64 * KIB)
#define SVC      0xd4000001u
#define OFF_US   2000000ul

static struct exc_record ended_by;
static struct fresh fresh __attribute__((aligned(4096)));

u64 el0_area(void)
{
	return platform.ram_base + EL0_BLOCK + EL0_DATA;
}

static bool leave(struct exc_frame *frame, unsigned vector)
{
	if (vector < VEC_LOW64 || (vector & VEC_KIND) == VEC_IRQ)
		return false;
	ended_by = (struct exc_record){.count = 1,
	                               .vector = vector,
	                               .esr = frame->esr,
	                               .far = frame->far,
	                               .elr = frame->elr,
	                               .spsr = frame->spsr};
	exc_leave_el0(0);
}

struct exc_record case_el0(const u32 *code, u32 words, const u64 regs[15])
{
	static const u64 none[15];
	u32 *at = (u32 *)(platform.ram_base + EL0_BLOCK);
	u64 daif = read_sysreg(daif);

	mmu_map_user((u64)at);
	for (u32 i = 0; i < words; i++)
		at[i] = code[i];
	at[words] = SVC;
	cache_sync_code((u64)at, (words + 1) * sizeof(u32));
	case_hook(leave);
	exc_run_el0((u64)at, SPSR_EL0T, regs != NULL ? regs : none, el0_area() + PAGE_BYTES);
	case_hook(NULL);
	write_sysreg(daif, daif);
	return ended_by;
}

static void off(u64 arg)
{
	(void)arg;
	psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

static bool is_off(void)
{
	return psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[1], 0, 0) == PSCI_AFFINITY_OFF;
}

const struct fresh *fresh_cpu(void)
{
	smp_mark_off(1);
	smp_post(1, off, 0);
	if (!WAIT_FOR(is_off(), OFF_US))
		absent("CPU 1 does not go off");
	fresh.filled = 0;
	cache_clean_invalidate((u64)&fresh, sizeof(fresh));
	psci_call(PSCI_CPU_ON64, platform.mpidr[1], (u64)fresh_entry, (u64)&fresh);
	(void)WAIT_FOR(is_off(), OFF_US);
	cache_clean_invalidate((u64)&fresh, sizeof(fresh));
	(void)smp_start(1);
	return &fresh;
}
