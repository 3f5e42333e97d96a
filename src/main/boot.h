// SPDX-License-Identifier: Apache-2.0
// The steps of the boot that have a file of their own, in the order of boot.c.
#ifndef MAIN_BOOT_H
#define MAIN_BOOT_H

#include "arm/cpu.h"
#include "base/types.h"
#include "fdt/board.h"

// Text on the console, then nothing more: for a board or a bundle on which Mezzo cannot go on.
NORETURN void boot_stop(void);

// firmware.c: where Mezzo was entered at EL3, tells its own EL3 what the board has and makes that the
// board's PSCI. Before anything else uses PSCI or the GIC. What EL3 does not take is in the log.
void firmware_init(struct board *board);

// firmware.c: what only VideoCore knows on a Raspberry Pi: takes its memory out of the board's RAM, and
// fills in the clock of the console. Before the console; what goes wrong is in the log.
void ask_videocore(struct board *board);

// ram.c: maps the board's RAM, builds the page array, hands free pages to the allocator.
// ERR_NO_MEMORY, with a line in the log.
int ram_init(const struct board *board);

// smp.c: starts the other CPUs of the board and waits for them, a bounded time each. Before seed_init.
void smp_start(const struct board *board, const void *fdt);
// This CPU has come a step further, and goes on if it is still wanted.
void smp_step(struct cpu *cpu, enum cpu_online from, enum cpu_online to);
// This CPU cannot be used: says so to the boot CPU and sleeps.
NORETURN void smp_give_up(void);

// config.c: reads the description and builds the VMs it asks for. Problems are in the log; what could
// not be built is left out and counts as crashed.
void config_build(const struct board *board, const void *fdt);
// Starts every VM that is to start by itself.
void config_start(void);

#endif
