// SPDX-License-Identifier: Apache-2.0
// What is below Mezzo, at boot: its own firmware, on a board that starts it at EL3 (EL2 reads the device
// tree, EL3 has the rights; docs/el3.md says why it is so), and VideoCore, whose board a Raspberry Pi is.
// Runs once, on the boot CPU, right after the tree was read.
#include "arm/cpu.h"
#include "arm/el3.h"
#include "arm/sysreg.h"
#include "base/bits.h"
#include "base/log.h"
#include "hw/bcm_mailbox.h"
#include "main/boot.h"
#include "mem/el2map.h"

#define VIDEOCORE_REACH GIB(1) // it may keep a part of that much, and of no more

static void add_cpus(const struct board *board)
{
	uint32_t refused = 0;
	int error = el3_call(EL3_CALL_CPU, boot_cpu.mpidr, 0, 0);
	for (uint32_t i = 0; i < board->nr_cpus && error == 0; i++)
		if (board->cpus[i].mpidr != boot_cpu.mpidr)
			refused += el3_call(EL3_CALL_CPU, board->cpus[i].mpidr, 0, 0) != 0;
	if (refused != 0)
		log_line("EL3: Mezzo has room for %u CPUs there: %u are not used", EL3_MAX_CPUS,
		         refused);
}

static uint64_t line(bool exists, uint32_t number, bool low)
{
	return exists ? EL3_POWER_EXISTS | number | (low ? EL3_POWER_LOW : 0U) : 0;
}

static void set_power(const struct board_poweroff *from, bool watchdog)
{
	if (from->regs.size == 0 && watchdog)
		return; // EL2 needs nobody for that
	if (from->regs.size == 0)
		log_line("EL3: the device tree gives no gpio-poweroff on a secure PL061: the board "
		         "cannot be switched off");
	else
		(void)el3_call(EL3_CALL_POWER, from->regs.base,
		               line(from->has_off, from->off_line, from->off_low),
		               line(from->has_reset, from->reset_line, from->reset_low));
}

// The counter's rate if the tree says it; else it is what the CPU has, and if it has none what a Raspberry
// Pi's counter runs from.
static void set_counter(const struct board *board)
{
	const struct board_bcm *bcm = &board->bcm;
	uint32_t hz = board->timer_hz;
	if (bcm->local.size != 0)
		(void)el3_call(EL3_CALL_TIMEBASE, bcm->local.base, 0, 0);
	if (hz == 0 && read_sysreg(cntfrq_el0) == 0)
		hz = bcm->crystal_hz;
	if (hz != 0)
		(void)el3_call(EL3_CALL_COUNTER, hz, 0, 0);
}

void firmware_init(struct board *board)
{
	const struct board_gic *gic = &board->gic;
	if (el3_below == 0)
		return;
	add_cpus(board);
	for (uint32_t i = 0; i < gic->nr_gicr; i++)
		(void)el3_call(EL3_CALL_REDISTRIBUTORS, gic->gicr[i].base, gic->gicr[i].size,
		               gic->gicr_stride);
	set_power(&board->poweroff, board->bcm.pm.size != 0);
	set_counter(board);
	if (el3_call(EL3_CALL_GIC, gic->version, gic->gicd.base, gic->gicc.base) != 0)
		log_line("EL3: the interrupt controller at %#lx does not do what it is told",
		         gic->gicd.base);
	board->psci = (struct board_psci){.conduit = BOARD_PSCI_SMC, .standard = true};
	for (uint32_t i = 0; i < board->nr_cpus;
	     i++) // all of them wait in EL3, and in no spin table
		board->cpus[i].enable = BOARD_ENABLE_PSCI;
}

// The firmware's own tree gives the ARM's part of memory alone; another tree may give all there is.
static void ask_memory(struct board *board, const struct bcm_mailbox *mailbox)
{
	uint64_t start, size, before = board->ram_declared;
	if (bcm_mailbox_arm_memory(mailbox, &start, &size) != 0 ||
	    !range_contains(0, VIDEOCORE_REACH, start, size)) {
		log_line("VideoCore does not say which memory is the ARM's: what the device tree "
		         "gives is believed");
		return;
	}
	board_take_out(board, 0, start);
	board_take_out(board, start + size, VIDEOCORE_REACH - start - size);
	if (board->ram_declared != before)
		log_line("memory: %lu MiB of what the device tree gives are VideoCore's",
		         (before - board->ram_declared) >> 20);
}

void ask_videocore(struct board *board)
{
	static struct bcm_message message;
	const struct board_range *regs = &board->bcm.mailbox;
	const struct bcm_mailbox mailbox = {regs->base, &message};
	struct board_console *console = &board->console;
	if (regs->size == 0 || el2map_device(PA(regs->base), regs->size) != 0)
		return;
	ask_memory(board, &mailbox);
	// A mini UART's speed follows the core clock, a PL011's has a clock of its own.
	enum bcm_clock clock =
	        console->kind == BOARD_UART_BCM_MINI ? BCM_CLOCK_CORE : BCM_CLOCK_UART;
	if (console->clock_hz == 0 && bcm_mailbox_clock(&mailbox, clock, &console->clock_hz) != 0)
		console->clock_hz = 0;
}
