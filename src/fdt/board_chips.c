// SPDX-License-Identifier: Apache-2.0
// Reading the chips of a board from its tree: console, interrupt controller, timer, power lines.
//
// Owns nothing but tables of names. Called by fdt/board after its walk has found the nodes.
// Invariant: what is filled in has been checked for size and place; what is missing is a problem in
// words or a zero.
// Source: Linux kernel, Documentation/devicetree/bindings: arm,gic.yaml, arm,gic-v3.yaml,
// arm,arch_timer.yaml, pl011.yaml, 8250.yaml, gpio-poweroff.yaml, brcm,bcm2836-l1-intc,
// brcm,bcm2835-armctrl-ic, brcm,bcm2835-mbox, brcm,bcm2835-pm, brcm,bcm2835-aux-clock.
#include "base/bits.h"
#include "base/string.h"
#include "fdt/board_reader.h"
#include "fdt/tree_irq.h"

// --- interrupts ---------------------------------------------------------------------------------

#define GIC_CELLS         3 // type, number, flags
#define GIC_FLAGS_EDGE    GENMASK_U32(1, 0)
#define BCM2836_MAX_LINES 10
#define BCM2835_CELLS     2 // bank, number

// The kinds of interrupt that a GIC specifier's first cell tells apart.
static const struct {
	uint32_t first, count; // INTIDs
} gic_kinds[] = {
        {32, 988},    // SPI
        {16, 16},     // PPI
        {4096, 1024}, // extended SPI
        {1056, 64},   // extended PPI
};

bool board_decode_gic(const struct tree_irq *from, struct board_irq *irq)
{
	const uint32_t kind = from->specifier[0], number = from->specifier[1];

	if (from->cells < GIC_CELLS || kind >= ARRAY_SIZE(gic_kinds) ||
	    number >= gic_kinds[kind].count)
		return false;
	irq->chip = BOARD_IRQ_GIC;
	irq->number = gic_kinds[kind].first + number;
	irq->edge = (from->specifier[2] & GIC_FLAGS_EDGE) != 0;
	return true;
}

// The banks that a specifier's first cell tells apart.
static const struct {
	uint32_t first, count; // as struct board_irq numbers them
} bcm2835_banks[] = {{64, 8}, {0, 32}, {32, 32}};

static bool decode_bcm2835(const struct tree_irq *from, struct board_irq *irq)
{
	const uint32_t bank = from->specifier[0], number = from->specifier[1];

	if (from->cells < BCM2835_CELLS || bank >= ARRAY_SIZE(bcm2835_banks) ||
	    number >= bcm2835_banks[bank].count)
		return false;
	irq->chip = BOARD_IRQ_BCM2835;
	irq->number = bcm2835_banks[bank].first + number;
	return true;
}

// Interrupt `index` of a node, if it leads to a controller that Mezzo knows; else chip NONE.
static struct board_irq read_irq(const struct board_reader *reader, const struct tree_walk *node,
                                 unsigned index)
{
	struct board_irq irq = {BOARD_IRQ_NONE, 0, false};
	struct tree_irq from;

	if (!tree_irq_get(node, index, &from))
		return irq;
	if (from.controller == reader->nodes.gic) {
		(void)board_decode_gic(&from, &irq);
	} else if (from.controller == reader->nodes.bcm_armctrl) {
		(void)decode_bcm2835(&from, &irq);
	} else if (from.controller == reader->nodes.bcm_local &&
	           from.specifier[0] < BCM2836_MAX_LINES) {
		irq.chip = BOARD_IRQ_BCM2836;
		irq.number = from.specifier[0];
	}
	return irq;
}

// --- GIC ----------------------------------------------------------------------------------------

#define GICV2_DIST_SIZE  KIB(4)
#define GICV3_DIST_SIZE  KIB(64)
#define GICR_FRAMES_SIZE KIB(128) // one redistributor: two frames of 64 KiB

static bool read_frame(struct tree_walk *walk, unsigned index, uint64_t smallest,
                       struct board_range *range)
{
	if (tree_reg(walk, index, &range->base, &range->size) && range->size >= smallest &&
	    is_aligned(range->base, PAGE_SIZE))
		return true;
	*range = (struct board_range){0, 0};
	return false;
}

static bool read_gicv2(struct board_reader *reader, struct tree_walk *walk)
{
	struct board_gic *gic = &reader->board->gic;

	if (!read_frame(walk, 0, GICV2_DIST_SIZE, &gic->gicd) ||
	    !read_frame(walk, 1, GICV2_DIST_SIZE, &gic->gicc)) {
		board_problem_add(reader, BOARD_NO_GIC, true,
		                  "the device tree's GICv2 node %.64s has no usable reg for its "
		                  "distributor and CPU interface; correct it",
		                  walk->name);
		return false;
	}
	if (!read_frame(walk, 2, GICV2_DIST_SIZE, &gic->gich) ||
	    !read_frame(walk, 3, GICV2_DIST_SIZE, &gic->gicv)) {
		board_problem_add(reader, BOARD_NO_GIC, true,
		                  "the device tree's GICv2 node %.64s lists no virtualization "
		                  "frames (GICH and GICV, the third and fourth entry of reg); on "
		                  "QEMU add virtualization=on to the machine",
		                  walk->name);
		return false;
	}
	return true;
}

static bool read_gicv3(struct board_reader *reader, struct tree_walk *walk)
{
	struct board_gic *gic = &reader->board->gic;
	uint32_t regions = 1;

	(void)tree_cell(tree_get(walk, "#redistributor-regions"), 0, &regions);
	(void)tree_number(tree_get(walk, "redistributor-stride"), &gic->gicr_stride);
	if (!read_frame(walk, 0, GICV3_DIST_SIZE, &gic->gicd) || regions == 0 ||
	    regions > tree_reg_count(walk)) {
		board_problem_add(reader, BOARD_NO_GIC, true,
		                  "the device tree's GICv3 node %.64s has no usable reg for its "
		                  "distributor and redistributors; correct it",
		                  walk->name);
		return false;
	}
	for (uint32_t i = 0; i < regions; i++) {
		if (gic->nr_gicr == BOARD_MAX_GICR) {
			board_problem_add(reader, BOARD_ODD, false,
			                  "the GICv3 has %u regions of redistributors; Mezzo uses "
			                  "the first %u, and not the CPUs of the others",
			                  regions, BOARD_MAX_GICR);
			break;
		}
		if (!read_frame(walk, 1 + i, GICR_FRAMES_SIZE, &gic->gicr[gic->nr_gicr])) {
			board_problem_add(reader, BOARD_NO_GIC, true,
			                  "redistributor region %u of the device tree's GICv3 "
			                  "node %.64s is not usable; correct its reg",
			                  i, walk->name);
			return false;
		}
		gic->nr_gicr++;
	}
	(void)read_frame(walk, 1 + regions, PAGE_SIZE, &gic->gicc);
	(void)read_frame(walk, 2 + regions, PAGE_SIZE, &gic->gich);
	(void)read_frame(walk, 3 + regions, PAGE_SIZE, &gic->gicv);
	return true;
}

static void report_no_gic(struct board_reader *reader)
{
	struct tree_walk walk;
	char other[BOARD_TEXT_SIZE] = "none at all";

	if (reader->nodes.other_chip != BOARD_NO_NODE &&
	    tree_goto(&walk, reader->fdt, reader->nodes.other_chip))
		tree_copy_text(other, sizeof(other),
		               tree_string(tree_prop(&walk, TREE_COMPATIBLE)));
	board_problem_add(reader, BOARD_NO_GIC, true,
	                  "the device tree names no interrupt controller that this version of "
	                  "Mezzo drives (it needs a GICv2, a GICv3 or a BCM2836's local "
	                  "controller, and found %s); it cannot run here",
	                  other);
}

void board_read_gic(struct board_reader *reader)
{
	struct board_gic *gic = &reader->board->gic;
	struct tree_walk walk;

	if (reader->nodes.gic == BOARD_NO_NODE ||
	    !tree_goto(&walk, reader->fdt, reader->nodes.gic)) {
		if (reader->board->bcm.local.size == 0)
			report_no_gic(reader);
		return;
	}
	if (reader->gic_version == 2 ? !read_gicv2(reader, &walk) : !read_gicv3(reader, &walk))
		return;
	gic->version = reader->gic_version;
	gic->node = reader->nodes.gic;
	gic->maintenance = read_irq(reader, &walk, 0);
	if (gic->maintenance.chip == BOARD_IRQ_NONE)
		board_problem_add(reader, BOARD_NO_GIC, true,
		                  "the device tree's GICv%u node %.64s gives no maintenance "
		                  "interrupt; on QEMU add virtualization=on to the machine",
		                  gic->version, walk.name);
}

// --- clocks -------------------------------------------------------------------------------------

// The input clock, if the first of `clocks` is a fixed clock and nothing more complicated.
static uint32_t read_clock(const struct tree_walk *node)
{
	struct tree_walk clock;
	uint32_t phandle, hz = 0;

	if (tree_cell(tree_get(node, "clock-frequency"), 0, &hz))
		return hz;
	if (!tree_cell(tree_get(node, "clocks"), 0, &phandle) ||
	    !tree_goto_phandle(&clock, node->fdt, phandle) ||
	    !tree_list_has(tree_prop(&clock, TREE_COMPATIBLE), "fixed-clock") ||
	    !tree_cell(tree_get(&clock, "clock-frequency"), 0, &hz))
		return 0;
	return hz;
}

// --- Raspberry Pi -------------------------------------------------------------------------------

// Bytes from the first register to the end of the last one that is used.
#define BCM_LOCAL_SIZE   0x100
#define BCM_ARMCTRL_SIZE 0x28
#define BCM_MAILBOX_SIZE 0x40
#define BCM_PM_SIZE      0x28
#define BCM_AUX_SIZE     0x8
#define BCM_RNG_SIZE     0xc

// The first registers of a node, if it is there and they are as long as they must be.
static void read_bcm(const struct board_reader *reader, int offset, uint64_t smallest,
                     struct board_range *range)
{
	struct tree_walk walk;

	if (offset == BOARD_NO_NODE || !tree_goto(&walk, reader->fdt, offset) ||
	    !tree_reg(&walk, 0, &range->base, &range->size) || range->size < smallest ||
	    !is_aligned(range->base, sizeof(uint32_t)))
		*range = (struct board_range){0, 0};
}

// The crystal is the first input of the clock manager.
static uint32_t read_crystal(const struct board_reader *reader)
{
	const int offset = reader->nodes.bcm_clocks;
	struct tree_walk walk;

	if (offset == BOARD_NO_NODE || !tree_goto(&walk, reader->fdt, offset))
		return 0;
	return read_clock(&walk);
}

void board_read_bcm(struct board_reader *reader)
{
	struct board_bcm *bcm = &reader->board->bcm;

	read_bcm(reader, reader->nodes.bcm_local, BCM_LOCAL_SIZE, &bcm->local);
	read_bcm(reader, reader->nodes.bcm_armctrl, BCM_ARMCTRL_SIZE, &bcm->armctrl);
	read_bcm(reader, reader->nodes.bcm_mailbox, BCM_MAILBOX_SIZE, &bcm->mailbox);
	read_bcm(reader, reader->nodes.bcm_pm, BCM_PM_SIZE, &bcm->pm);
	read_bcm(reader, reader->nodes.bcm_aux, BCM_AUX_SIZE, &bcm->aux);
	read_bcm(reader, reader->nodes.bcm_rng, BCM_RNG_SIZE, &bcm->rng);
	bcm->crystal_hz = read_crystal(reader);
}

// --- timer --------------------------------------------------------------------------------------

static const char *const timer_names[BOARD_NR_TIMERS] = {
        [BOARD_TIMER_SECURE] = "sec-phys",
        [BOARD_TIMER_PHYS] = "phys",
        [BOARD_TIMER_VIRT] = "virt",
        [BOARD_TIMER_HYP] = "hyp-phys",
};

void board_read_timer(struct board_reader *reader)
{
	struct board *board = reader->board;
	const int node = reader->nodes.timer;
	struct tree_walk walk;

	if (node == BOARD_NO_NODE || !tree_goto(&walk, reader->fdt, node)) {
		board_problem_add(reader, BOARD_NO_TIMER, true,
		                  "the device tree has no enabled arm,armv8-timer node, so Mezzo "
		                  "does not know the timer interrupts; add one");
		return;
	}
	const struct tree_value names = tree_get(&walk, "interrupt-names");
	(void)tree_cell(tree_get(&walk, "clock-frequency"), 0, &board->timer_hz);
	for (int i = 0; i < BOARD_NR_TIMERS; i++) {
		const int index = names.data == NULL ? i : tree_list_find(names, timer_names[i]);

		if (index >= 0)
			board->timer[i] = read_irq(reader, &walk, (unsigned)index);
	}
	// Without a controller nothing reaches it, and that has been said.
	if (board->gic.version == 0 && board->bcm.local.size == 0)
		return;
	if (board->timer[BOARD_TIMER_VIRT].chip == BOARD_IRQ_NONE ||
	    board->timer[BOARD_TIMER_HYP].chip == BOARD_IRQ_NONE)
		board_problem_add(reader, BOARD_NO_TIMER, true,
		                  "the device tree's timer node gives no %s interrupt that reaches "
		                  "a known controller; correct its interrupts",
		                  board->timer[BOARD_TIMER_VIRT].chip == BOARD_IRQ_NONE
		                          ? "virtual timer"
		                          : "hypervisor timer");
}

// --- console ------------------------------------------------------------------------------------

static const struct board_uart_model uart_models[] = {
        {"arm,sbsa-uart", BOARD_UART_PL011, true, 0, 0},
        {"arm,pl011", BOARD_UART_PL011, false, 0, 0},
        {"brcm,bcm2835-aux-uart", BOARD_UART_BCM_MINI, false, 2, 4},
        {"snps,dw-apb-uart", BOARD_UART_8250, false, 0, 1},
        {"ns16550a", BOARD_UART_8250, false, 0, 1},
        {"ns16550", BOARD_UART_8250, false, 0, 1},
        {"ns16450", BOARD_UART_8250, false, 0, 1},
};

static const char *const uart_names[] = {
        [BOARD_UART_NONE] = "none",
        [BOARD_UART_PL011] = "PL011",
        [BOARD_UART_BCM_MINI] = "BCM2835 mini UART",
        [BOARD_UART_8250] = "8250",
        [BOARD_UART_UNKNOWN] = "unknown UART",
};

const char *board_uart_name(enum board_uart kind)
{
	return (unsigned)kind < ARRAY_SIZE(uart_names) ? uart_names[kind] : "?";
}

const struct board_uart_model *board_uart_find(const struct tree_walk *walk)
{
	const struct tree_value compatible = tree_prop(walk, TREE_COMPATIBLE);

	for (unsigned i = 0; i < ARRAY_SIZE(uart_models); i++) {
		if (tree_list_has(compatible, uart_models[i].compatible))
			return &uart_models[i];
	}
	return NULL;
}

#define MAX_REG_SHIFT 8

static void read_8250_layout(const struct tree_walk *walk, const struct board_uart_model *model,
                             struct board_console *console)
{
	uint32_t value, offset;

	console->reg_shift = model->reg_shift;
	console->io_width = model->io_width;
	if (tree_cell(tree_get(walk, "reg-shift"), 0, &value) && value <= MAX_REG_SHIFT)
		console->reg_shift = value;
	if (tree_cell(tree_get(walk, "reg-io-width"), 0, &value) &&
	    (value == 1 || value == 2 || value == 4))
		console->io_width = value;
	if (tree_cell(tree_get(walk, "reg-offset"), 0, &offset) && offset < console->regs.size) {
		console->regs.base += offset;
		console->regs.size -= offset;
	}
}

// Takes the node as the console if it is enabled and has registers that can be reached.
static bool take_console(struct board_reader *reader, int offset, enum board_console_source source)
{
	struct board_console console = {.kind = BOARD_UART_UNKNOWN, .source = source};
	struct tree_walk walk;

	if (offset == BOARD_NO_NODE || !tree_goto(&walk, reader->fdt, offset) ||
	    !tree_available(&walk) || !tree_reg(&walk, 0, &console.regs.base, &console.regs.size) ||
	    console.regs.size == 0)
		return false;
	const struct board_uart_model *model = board_uart_find(&walk);
	if (model != NULL) {
		console.kind = model->kind;
		console.fixed_baud = model->fixed_baud;
		read_8250_layout(&walk, model, &console);
	}
	tree_copy_text(console.compatible, sizeof(console.compatible),
	               model != NULL ? model->compatible
	                             : tree_string(tree_prop(&walk, TREE_COMPATIBLE)));
	console.clock_hz = read_clock(&walk);
	console.baud = source == BOARD_FROM_STDOUT ? reader->stdout_baud : 0;
	if (console.baud == 0)
		(void)tree_cell(tree_get(&walk, "current-speed"), 0, &console.baud);
	reader->board->console = console;
	return true;
}

void board_read_console(struct board_reader *reader)
{
	const struct board_nodes *nodes = &reader->nodes;
	struct board_console *console = &reader->board->console;

	const bool found = take_console(reader, nodes->stdout, BOARD_FROM_STDOUT) ||
	                   take_console(reader, nodes->serial0, BOARD_FROM_SERIAL0) ||
	                   take_console(reader, nodes->uart, BOARD_FROM_SEARCH) ||
	                   take_console(reader, nodes->other_uart, BOARD_FROM_SEARCH);
	if (!found)
		board_problem_add(
		        reader, BOARD_NO_CONSOLE, false,
		        "the device tree names no console: no /chosen/stdout-path, no "
		        "alias serial0 and no UART that Mezzo drives; Mezzo runs without");
	else if (console->kind == BOARD_UART_UNKNOWN)
		board_problem_add(reader, BOARD_NO_CONSOLE, false,
		                  "the console that the device tree names is a %s, which Mezzo has "
		                  "no driver for; point /chosen/stdout-path to a PL011, an 8250 or "
		                  "a BCM2835 mini UART",
		                  console->compatible);
}

// The console's interrupt needs the controller, which is found later than the console.
static int console_node(const struct board_reader *reader)
{
	switch (reader->board->console.source) {
	case BOARD_FROM_STDOUT: return reader->nodes.stdout;
	case BOARD_FROM_SERIAL0: return reader->nodes.serial0;
	default: break;
	}
	return reader->nodes.uart != BOARD_NO_NODE ? reader->nodes.uart : reader->nodes.other_uart;
}

void board_read_console_irq(struct board_reader *reader)
{
	struct board_console *console = &reader->board->console;
	struct tree_walk walk;

	if (console->kind != BOARD_UART_NONE && tree_goto(&walk, reader->fdt, console_node(reader)))
		console->irq = read_irq(reader, &walk, 0);
}

void board_read_rtc(struct board_reader *reader)
{
	struct tree_walk walk;

	if (reader->nodes.rtc != BOARD_NO_NODE && tree_goto(&walk, reader->fdt, reader->nodes.rtc))
		(void)read_frame(&walk, 0, PAGE_SIZE, &reader->board->rtc);
}

// --- power lines --------------------------------------------------------------------------------

#define PL061_LINES     8
#define GPIO_ACTIVE_LOW BIT_U32(0)
#define GPIO_CELL_COUNT 3 // controller, line, flags

// The line that a gpio-poweroff or gpio-restart node drives, if it belongs to a secure PL061.
static bool read_power_line(const struct board_reader *reader, int offset, struct board_range *regs,
                            uint32_t *line, bool *low)
{
	struct tree_walk node, chip;
	uint32_t phandle, flags;

	if (offset == BOARD_NO_NODE || !tree_goto(&node, reader->fdt, offset))
		return false;
	const struct tree_value gpios = tree_get(&node, "gpios");
	if (!tree_cell(gpios, 0, &phandle) || !tree_cell(gpios, 1, line) ||
	    !tree_cell(gpios, 2, &flags) || *line >= PL061_LINES)
		return false;
	*low = (flags & GPIO_ACTIVE_LOW) != 0;
	return tree_goto_phandle(&chip, reader->fdt, phandle) && tree_secure_only(&chip) &&
	       tree_list_has(tree_prop(&chip, TREE_COMPATIBLE), "arm,pl061") &&
	       read_frame(&chip, 0, PAGE_SIZE, regs);
}

void board_read_poweroff(struct board_reader *reader)
{
	struct board_poweroff *power = &reader->board->poweroff;
	struct board_range off = {0, 0}, reset = {0, 0};

	power->has_off = read_power_line(reader, reader->nodes.gpio_off, &off, &power->off_line,
	                                 &power->off_low);
	power->has_reset = read_power_line(reader, reader->nodes.gpio_reset, &reset,
	                                   &power->reset_line, &power->reset_low);
	// Two chips would need two places; none is known to exist.
	if (power->has_off && power->has_reset && off.base != reset.base)
		power->has_reset = false;
	if (power->has_off)
		power->regs = off;
	else if (power->has_reset)
		power->regs = reset;
}
