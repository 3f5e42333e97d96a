// SPDX-License-Identifier: Apache-2.0
// The reader of device trees (fdt/tree*.c) and of the board (fdt/board*.c) on any bytes: what each function reads lies
// in the tree, and what a board says of itself is within the limits that the rest of Mezzo relies on.
#include "fuzz.h"

#include <string.h>

#include "base/bits.h"
#include "fdt/board.h"
#include "fdt/board_bus.h"
#include "fdt/tree.h"
#include "fdt/tree_text.h"

static struct board board;
static struct board_problem problem;

void fuzz_setup(void)
{
}

static void check_board(int result)
{
	FUZZ_CHECK(board.nr_ram <= BOARD_MAX_RAM && board.nr_cpus <= BOARD_MAX_CPUS);
	FUZZ_CHECK(board.gic.nr_gicr <= BOARD_MAX_GICR);
	for (uint32_t i = 0; i < board.nr_ram; i++) {
		const struct board_range *range = &board.ram[i];
		FUZZ_CHECK(range->size != 0 && range->base + range->size > range->base);
		FUZZ_CHECK(is_aligned(range->base, PAGE_SIZE) &&
		           is_aligned(range->size, PAGE_SIZE));
		FUZZ_CHECK(i == 0 || range[-1].base + range[-1].size < range->base);
	}
	for (uint32_t i = 0; i < problem.count && i < BOARD_MAX_PROBLEMS; i++)
		FUZZ_CHECK(problem.list[i].text[0] != 0);
	if (result != 0)
		FUZZ_CHECK(problem.fatal != 0);
	else
		FUZZ_CHECK(board.nr_ram != 0 && board.nr_cpus != 0 &&
		           (board.gic.version != 0 || board.bcm.local.size != 0));
}

// The buses on which devices are looked for.
static void check_buses(const void *tree)
{
	static struct board_bus bus;
	board_bus_read(tree, &bus);
	FUZZ_CHECK(bus.nr_slots <= BOARD_MAX_SLOTS);
	for (uint32_t i = 0; i < bus.nr_slots; i++) {
		const struct board_range *regs = &bus.slot[i].regs;
		FUZZ_CHECK(regs->base + regs->size >= regs->base);
		if (i < 2)
			(void)board_slot_irq(tree, &board, &bus.slot[i]);
	}
	if (bus.pci.ecam.size == 0)
		return;
	const struct board_window *windows[] = {&bus.pci.mem32, &bus.pci.mem64};
	for (unsigned i = 0; i < 2; i++) {
		FUZZ_CHECK(windows[i]->cpu + windows[i]->size >= windows[i]->cpu);
		FUZZ_CHECK(windows[i]->bus + windows[i]->size >= windows[i]->bus);
	}
	FUZZ_CHECK(bus.pci.mem32.bus + bus.pci.mem32.size <= UINT64_C(1) << 32);
	for (uint32_t pin = 1; pin <= 4; pin++)
		(void)board_pci_irq(tree, &board, &bus.pci, pin, pin);
}

static void walk(const void *tree, size_t size)
{
	struct tree_walk walk;
	unsigned nodes = 0;
	uint64_t base, bytes;
	bool identity;

	tree_start(&walk, tree);
	while (tree_next(&walk)) {
		FUZZ_CHECK(++nodes <= size / 8);
		FUZZ_CHECK(walk.depth >= 0 && walk.depth <= TREE_MAX_DEPTH);
		char name[TREE_MAX_NAME];
		tree_copy_text(name, sizeof name, walk.name);
		unsigned regs = tree_reg_count(&walk);
		for (unsigned i = 0; i < regs && i < 4; i++) {
			if (tree_reg(&walk, i, &base, &bytes))
				FUZZ_CHECK(bytes == 0 || base + bytes - 1 >= base);
			(void)tree_raw_reg(&walk, i, &base, &bytes);
		}
		(void)tree_window(&walk, 0, &base, &bytes, &identity);
		(void)tree_secure_only(&walk);
		struct tree_value value = tree_prop(&walk, TREE_COMPATIBLE);
		const char *text = tree_string(value);
		FUZZ_CHECK(text == NULL || strlen(text) < value.size);
		(void)tree_list_has(value, "arm,gic-v3");
		if (nodes < 4)
			(void)tree_get(&walk, "interrupts");
	}
	(void)tree_goto_phandle(&walk, tree, 1);
	(void)tree_find_path(tree, "/soc/serial", 11);
}

static void show(const void *tree, size_t size)
{
	static struct tree_text text;
	char piece[TREE_TEXT_PIECE];
	if (!tree_text_begin(&text, tree, size))
		return;
	size_t pieces = 0;
	while (tree_text_next(&text, piece)) {
		FUZZ_CHECK(strnlen(piece, sizeof piece) < sizeof piece);
		FUZZ_CHECK(++pieces <= size * 4 + 16);
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	if (size < TREE_HEADER_SIZE || size > FUZZ_GUARDED_MAX)
		return;
	uint8_t *tree = fuzz_guarded(data, size, 8);
	enum tree_fault fault = tree_check(tree, size);
	FUZZ_CHECK(tree_fault_text(fault)[0] != 0 || fault == TREE_OK);
	if (size % 4 == 0)
		show(tree, size);
	if (fault == TREE_OK)
		walk(tree, size);
	// The boot loader says only where the tree begins: its header says how long it is.
	uint32_t claimed = (uint32_t)tree[4] << 24 | (uint32_t)tree[5] << 16 |
	                   (uint32_t)tree[6] << 8 | tree[7];
	if (claimed <= size)
		check_board(board_read(tree, &board, &problem));
	if (fault == TREE_OK)
		check_buses(tree);
}
