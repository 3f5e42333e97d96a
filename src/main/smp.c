// SPDX-License-Identifier: Apache-2.0
// Starting the board's other CPUs, by PSCI or by a spin table. Runs once, on the boot CPU.
// A CPU that does not come up in time is named and not waited for again.
#include "arm/barrier.h"
#include "arm/cache.h"
#include "arm/cpu.h"
#include "arm/features.h"
#include "base/log.h"
#include "hw/psci_client.h"
#include "hw/timer.h"
#include "main/boot.h"
#include "main/run.h"
#include "main/seed.h"
#include "mem/el2map.h"
#include "mem/pages.h"
#include "vm/vmid.h"

#define PATIENCE_MS 1000

extern char cpu_entry[];
extern uint64_t cpu_entry_table;
extern char cpu_spin_entry[];
extern struct cpu *cpu_entry_spinning;

static struct cpu *new_cpu(uint64_t mpidr)
{
	// One that was given up may still come, and runs on its stack until it sees that.
	static uint32_t windows; // the boot CPU has the first
	STATIC_ASSERT(sizeof(struct cpu) <= PAGE_SIZE, "one page each");
	pa_t page = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	if (page.v == 0)
		return NULL;
	struct cpu *cpu = (struct cpu *)(uintptr_t)page.v;
	cache_zero_pages(cpu, PAGE_SIZE);
	cpu->mpidr = mpidr;
	windows++;
	cpu->stack_top = el2map_stack(windows, 0);
	cpu->panic_stack_top = el2map_stack(windows, 1);
	if (cpu->stack_top == 0 || cpu->panic_stack_top == 0)
		return NULL;
	return cpu;
}

// Writes where to go to the place that the CPU polls, with its caches off. It gets no argument: it
// looks for its own structure in cpu_entry_spinning.
static int release_spinning(const struct board_cpu *from, struct cpu *cpu)
{
	const uint64_t entry = (uintptr_t)cpu_spin_entry;
	if (el2map_is_image(PA(from->release)))
		return ERR_INVALID;
	uint64_t *place = el2map_elsewhere(PA(from->release), sizeof entry);
	if (place == NULL)
		return ERR_RANGE;
	cpu_entry_spinning = cpu;
	cache_clean_invalidate_poc(&cpu_entry_spinning, sizeof(struct cpu *));
	__atomic_store_n(place, entry, __ATOMIC_RELAXED);
	cache_clean_invalidate_poc(place, sizeof entry); // ends in a DSB: written before the event
	sev();
	return 0;
}

// Asks the firmware, or the loop the CPU waits in, to run cpu_entry. 0 or an error that was logged.
static int release(const struct board_cpu *from, struct cpu *cpu)
{
	if (from->enable == BOARD_ENABLE_PSCI) {
		int status =
		        psci_client_cpu_on(from->mpidr, PA((uintptr_t)cpu_entry), (uintptr_t)cpu);
		if (status == PSCI_SUCCESS)
			return 0;
		log_line("CPU %#lx: not used, because the firmware does not start it: %s",
		         from->mpidr, psci_client_text(status));
	} else if (from->enable == BOARD_ENABLE_SPIN_TABLE) {
		if (release_spinning(from, cpu) == 0)
			return 0;
		log_line("CPU %#lx: not used, because its cpu-release-addr %#lx is no place for it",
		         from->mpidr, from->release);
	}
	return ERR_UNSUPPORTED;
}

// Waits for the CPU to leave a state. False: it did not in time, and is given up; when it comes after all
// it stays out, because the next one has its number.
static bool wait_for(struct cpu *cpu, uint32_t state)
{
	uint64_t end = timer_now() + timer_from_ms(PATIENCE_MS);
	while (load_acquire(&cpu->online) == state && timer_now() <= end)
		spin_relax();
	if (!compare_exchange(&cpu->online, &state, CPU_ABANDONED))
		return true;
	log_line("CPU %#lx: not used, because it was not ready within %u ms", cpu->mpidr,
	         PATIENCE_MS);
	return false;
}

static bool wait_online(struct cpu *cpu)
{
	return wait_for(cpu, CPU_AWAY) && wait_for(cpu, CPU_ARRIVED) &&
	       load_acquire(&cpu->online) == CPU_ONLINE;
}

static NORETURN void sleep_for_ever(void)
{
	for (;;)
		wfi();
}

void smp_step(struct cpu *cpu, enum cpu_online from, enum cpu_online to)
{
	uint32_t state = from;
	if (!compare_exchange(&cpu->online, &state, to))
		sleep_for_ever();
}

void smp_give_up(void)
{
	smp_step(cpu_this(), CPU_ARRIVED, CPU_UNFIT);
	sleep_for_ever();
}

void smp_start(const struct board *board, const void *fdt)
{
	cpu_entry_table = el2map_root();
	cache_clean_invalidate_poc(&cpu_entry_table, sizeof cpu_entry_table);
	store_release(&boot_cpu.online, CPU_ONLINE);
	for (uint32_t i = 0; i < board->nr_cpus; i++) {
		if (board->cpus[i].mpidr == boot_cpu.mpidr ||
		    board->cpus[i].enable ==
		            BOARD_ENABLE_NONE) // the reader of the tree has said so
			continue;
		if (cpu_count() == CPU_MAX) { // a tree may list that many and not the boot CPU
			log_line("Mezzo runs on %u CPUs at most: the rest is not used", CPU_MAX);
			break;
		}
		if (cpu_count() == vmid_max_cpus()) {
			log_line("VMIDs of these CPUs tell only %u guests apart: the other CPUs "
			         "are not used",
			         vmid_max_cpus());
			break;
		}
		struct cpu *cpu = new_cpu(board->cpus[i].mpidr);
		if (cpu == NULL) {
			log_line("CPU %#lx: no memory for its stacks: not used",
			         board->cpus[i].mpidr);
			continue;
		}
		cpu->id = cpu_count();
		if (feature_has(FEATURE_PAUTH))
			seed_return_key(board, fdt, cpu->id, cpu->key);
		cache_clean_invalidate_poc(cpu,
		                           PAGE_SIZE); // it reads this before its caches are on
		if (release(&board->cpus[i], cpu) != 0)
			continue;
		if (wait_online(cpu))
			cpu_register(cpu);
	}
}
