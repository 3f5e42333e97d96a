// SPDX-License-Identifier: Apache-2.0
// What the board is, read once from its device tree. Nothing about any board is compiled in, and
// nothing here touches the hardware: the same code runs on the host, on any tree.
#ifndef FDT_BOARD_H
#define FDT_BOARD_H

#include "base/types.h"

#define BOARD_MAX_RAM      32  // ranges; if the tree gives more, the largest are kept
#define BOARD_MAX_CPUS     512 // usable CPUs
#define BOARD_MAX_GICR     16  // redistributor regions
#define BOARD_MAX_PROBLEMS 8   // sentences
#define BOARD_TEXT_SIZE    64  // copied names, with the NUL
#define BOARD_PROBLEM_SIZE 240

struct board_range {
	uint64_t base; // physical address
	uint64_t size; // bytes; 0: there is none. base + size never wraps
};

enum board_enable {
	BOARD_ENABLE_NONE, // the tree names no way to start it
	BOARD_ENABLE_PSCI,
	BOARD_ENABLE_SPIN_TABLE,
};

struct board_cpu {
	uint64_t mpidr;   // affinity bits alone: Aff3 in 39:32, Aff2..Aff0 in 23:0
	uint64_t release; // spin-table: where to write the entry address, which it polls; else 0
	enum board_enable enable;
};

enum board_conduit { BOARD_PSCI_NONE, BOARD_PSCI_SMC, BOARD_PSCI_HVC };

struct board_psci {
	enum board_conduit conduit; // NONE: no /psci node
	bool standard;              // version 0.2 or later: the identifiers are the standard's own
	// Version 0.1 only, 0 where the tree gives none.
	uint32_t cpu_suspend, cpu_off, cpu_on, migrate;
};

enum board_irqchip {
	BOARD_IRQ_NONE,    // no such interrupt, or none that Mezzo can receive
	BOARD_IRQ_GIC,     // number is an INTID
	BOARD_IRQ_BCM2836, // number is a line of the BCM2836's per-CPU controller
	BOARD_IRQ_BCM2835, // number: 0-31 of bank 1, 32-63 of bank 2, 64-71 the ARM's own
};

struct board_irq {
	enum board_irqchip chip;
	uint32_t number;
	bool edge; // else level
};

struct board_gic {
	uint32_t version; // 2 or 3; 0: none that Mezzo can drive
	int node;         // its offset in the tree
	struct board_range gicd;
	struct board_range gicc, gich, gicv; // version 3: for 32-bit style guests, mostly absent
	uint32_t nr_gicr;
	struct board_range gicr[BOARD_MAX_GICR]; // version 3
	uint64_t gicr_stride; // bytes between redistributors; 0: as GICR_TYPER says
	struct board_irq maintenance;
};

enum board_timer {
	BOARD_TIMER_SECURE,
	BOARD_TIMER_PHYS, // EL1 physical, non-secure
	BOARD_TIMER_VIRT,
	BOARD_TIMER_HYP, // EL2 physical, non-secure
	BOARD_NR_TIMERS,
};

enum board_uart {
	BOARD_UART_NONE,
	BOARD_UART_PL011,    // Arm PL011 or the SBSA's part of it
	BOARD_UART_BCM_MINI, // 8250-like, BCM283x
	BOARD_UART_8250,
	BOARD_UART_UNKNOWN, // there is one, and no driver: `compatible` names it
};

enum board_console_source { BOARD_FROM_STDOUT, BOARD_FROM_SERIAL0, BOARD_FROM_SEARCH };

struct board_console {
	enum board_uart kind;
	enum board_console_source source;
	char compatible[BOARD_TEXT_SIZE]; // the name that was recognised, else the tree's first
	struct board_range regs;
	struct board_irq irq;
	uint32_t clock_hz;  // input clock when the tree says it plainly; 0: unknown
	uint32_t baud;      // from stdout-path or current-speed; 0: leave what the firmware set
	uint32_t reg_shift; // 8250: register n is at n << reg_shift
	uint32_t io_width;  // 8250: bytes of one access: 1, 2 or 4
	bool fixed_baud;    // SBSA: has no registers for speed and format
};

// What a Raspberry Pi has of its own; size 0: it is not there.
struct board_bcm {
	struct board_range local;   // BCM2836: interrupts and timers of each CPU
	struct board_range armctrl; // BCM2835: the interrupts of the peripherals
	struct board_range mailbox; // to VideoCore, which owns memory and clocks
	struct board_range pm;      // power management with its watchdog
	struct board_range aux;     // what the mini UART is a part of
	struct board_range rng;     // BCM2835: random numbers
	uint32_t crystal_hz;        // what the counter of the generic timer runs from; 0: unknown
};

// A secure PL061 whose lines switch the board off or reset it: for use at EL3 only.
struct board_poweroff {
	struct board_range regs; // size 0: none
	bool has_off, has_reset;
	uint32_t off_line, reset_line; // 0..7
	bool off_low, reset_low;       // active low
};

struct board {
	// Usable RAM in whole 4 KiB pages, ascending, not adjacent. Taken out: secure memory, all of
	// /reserved-memory, the tree's memory reservations, and whatever any device node, enabled or
	// not, covers. `initrd` and `tree` are NOT taken out: they may lie inside a range, or, when
	// firmware reserved them by a node, outside all of them.
	uint32_t nr_ram;
	struct board_range ram[BOARD_MAX_RAM];
	uint64_t ram_declared; // bytes, before anything was taken out
	uint64_t ram_dropped;  // bytes given up because there were more than BOARD_MAX_RAM ranges

	struct board_range tree;   // the device tree itself, where it was read
	struct board_range initrd; // size 0: none

	uint32_t nr_cpus;          // usable ones, in the tree's order
	uint32_t nr_cpus_unusable; // disabled or failed, duplicates, beyond BOARD_MAX_CPUS
	struct board_cpu cpus[BOARD_MAX_CPUS];

	struct board_psci psci;
	struct board_gic gic;
	struct board_bcm bcm;
	struct board_irq timer[BOARD_NR_TIMERS];
	uint32_t timer_hz; // 0: CNTFRQ_EL0 holds it, as it should
	struct board_console console;
	struct board_range rtc; // an Arm PL031, which knows the time of day; size 0: none
	struct board_poweroff poweroff;

	// Offsets into the tree's bytes, so that the seeds can be wiped there; size 0: none.
	uint32_t rng_seed_offset, rng_seed_size;
	uint32_t kaslr_seed_offset, kaslr_seed_size;
	const char *bootargs;             // points into the tree; NULL: none
	char model[BOARD_TEXT_SIZE];      // printable; empty if the tree has none
	char compatible[BOARD_TEXT_SIZE]; // the root's first
	bool has_mezzo;                   // the tree has a /mezzo node: see fdt/desc.h
};

enum board_problem_kind {
	BOARD_BAD_TREE,
	BOARD_NO_MEMORY,
	BOARD_NO_CPUS,
	BOARD_NO_GIC,
	BOARD_NO_TIMER,
	BOARD_NO_CONSOLE, // not fatal
	BOARD_NO_PSCI,    // not fatal: cpu nodes say psci, but there is no usable /psci node
	BOARD_BAD_INITRD, // not fatal: taken as none
	BOARD_ODD,        // not fatal: something was left out
};

// What the tree lacks, in sentences for people: what, and what to do.
struct board_problem {
	uint32_t count; // how many there were; the first BOARD_MAX_PROBLEMS are kept
	uint32_t fatal; // how many of them keep Mezzo from running
	struct {
		enum board_problem_kind kind;
		bool fatal;
		char text[BOARD_PROBLEM_SIZE];
	} list[BOARD_MAX_PROBLEMS];
};

// Reads `fdt` (8-byte aligned, in normal memory) into *board. The tree is untrusted: anything may be
// wrong with it. Both results are filled in as far as possible whatever is returned, the console
// first, so that a problem can be shown. 0, or ERR_INVALID (not a tree: only the problem is filled
// in), or ERR_UNSUPPORTED (something that Mezzo needs is missing). The address `fdt` is taken for
// physical in board->tree. Work is bounded by the tree's size (at most 2 MiB). Needs ~6 KiB of
// stack; no lock, no state.
int board_read(const void *fdt, struct board *board, struct board_problem *problem);

// Takes base..+size out of board->ram and ram_declared: memory that turned out not to be ours.
void board_take_out(struct board *board, uint64_t base, uint64_t size);

// Short names for messages: "PL011", "PSCI", ...
const char *board_uart_name(enum board_uart kind);

#endif
