// SPDX-License-Identifier: Apache-2.0
// Mezzo's own firmware, for a board that starts it at EL3: EL2 reads the device tree, EL3 has the rights.
// Runs once, on the boot CPU, right after the tree was read. docs/el3.md says why it is so.
#include "arm/cpu.h"
#include "arm/el3.h"
#include "base/log.h"
#include "main/boot.h"

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

static void set_power(const struct board_poweroff *from)
{
	if (from->regs.size == 0)
		log_line("EL3: the device tree gives no gpio-poweroff on a secure PL061: the board "
		         "cannot be switched off");
	else
		(void)el3_call(EL3_CALL_POWER, from->regs.base,
		               line(from->has_off, from->off_line, from->off_low),
		               line(from->has_reset, from->reset_line, from->reset_low));
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
	set_power(&board->poweroff);
	if (board->timer_hz != 0)
		(void)el3_call(EL3_CALL_COUNTER, board->timer_hz, 0, 0);
	if (el3_call(EL3_CALL_GIC, gic->version, gic->gicd.base, gic->gicc.base) != 0)
		log_line("EL3: the interrupt controller at %#lx does not do what it is told",
		         gic->gicd.base);
	board->psci = (struct board_psci){.conduit = BOARD_PSCI_SMC, .standard = true};
}
