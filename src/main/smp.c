// SPDX-License-Identifier: Apache-2.0
// Starting the board's other CPUs, by PSCI or by a spin table. Runs once, on the boot CPU.
// A CPU that does not come up in time is named and not waited for again.
#include "arm/barrier.h"
#include "arm/cache.h"
#include "arm/cpu.h"
#include "base/log.h"
#include "hw/psci_client.h"
#include "hw/timer.h"
#include "main/boot.h"
#include "main/run.h"
#include "mem/el2map.h"
#include "mem/pages.h"

#define PATIENCE_MS 1000

extern char cpu_entry[];
extern uint64_t cpu_entry_table;

static struct cpu *new_cpu(uint64_t mpidr)
{
	STATIC_ASSERT(sizeof(struct cpu) <= PAGE_SIZE, "one page each");
	pa_t page = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	if (page.v == 0)
		return NULL;
	struct cpu *cpu = (struct cpu *)(uintptr_t)page.v;
	cache_zero_pages(cpu, PAGE_SIZE);
	cpu->mpidr = mpidr;
	cpu->stack_top = el2map_stack(cpu_count(), 0);
	cpu->panic_stack_top = el2map_stack(cpu_count(), 1);
	if (cpu->stack_top == 0 || cpu->panic_stack_top == 0)
		return NULL;
	return cpu;
}

// Asks the firmware, or the loop the CPU waits in, to run cpu_entry. 0 or an error that was logged.
static int release(const struct board_cpu *from, struct cpu *cpu)
{
	if (from->enable == BOARD_ENABLE_PSCI) {
		int status =
		        psci_client_cpu_on(from->mpidr, PA((uintptr_t)cpu_entry), (uintptr_t)cpu);
		if (status == PSCI_SUCCESS)
			return 0;
		log_line("CPU %#lx: the firmware does not start it: %s", from->mpidr,
		         psci_client_text(status));
	} else {
		log_line("CPU %#lx: the device tree names no way to start it that Mezzo knows",
		         from->mpidr);
	}
	return ERR_UNSUPPORTED;
}

static bool wait_online(struct cpu *cpu)
{
	uint64_t end = timer_now() + timer_from_ms(PATIENCE_MS);
	while (load_acquire(&cpu->online) == 0) {
		if (timer_now() > end)
			return false;
		spin_relax();
	}
	return load_acquire(&cpu->online) == 1;
}

void smp_give_up(void)
{
	store_release(&cpu_this()->online, 2);
	for (;;)
		wfi();
}

void smp_start(const struct board *board)
{
	cpu_entry_table = el2map_root();
	cache_clean_poc(&cpu_entry_table, sizeof cpu_entry_table);
	store_release(&boot_cpu.online, 1);
	for (uint32_t i = 0; i < board->nr_cpus; i++) {
		if (board->cpus[i].mpidr == boot_cpu.mpidr)
			continue;
		struct cpu *cpu = new_cpu(board->cpus[i].mpidr);
		if (cpu == NULL) {
			log_line("CPU %#lx: no memory for its stacks: not used",
			         board->cpus[i].mpidr);
			continue;
		}
		cpu->id = cpu_count();
		cache_clean_invalidate_poc(cpu,
		                           PAGE_SIZE); // it reads this before its caches are on
		if (release(&board->cpus[i], cpu) != 0)
			continue;
		if (wait_online(cpu))
			cpu_register(cpu);
		else
			log_line("CPU %#lx did not come up: not used", cpu->mpidr);
	}
}
