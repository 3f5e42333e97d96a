// SPDX-License-Identifier: Apache-2.0
// A board for the drivers of virtio devices: a tree with a GIC and whatever nodes a test adds, slots of virtio-mmio with
// fake devices in them, an interrupt controller that remembers what it was told, and time that passes when a test says so.
#ifndef UNIT_VIRTIO_BOARD_H
#define UNIT_VIRTIO_BOARD_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arm/cpu.h"
#include "fake.h"
#include "fdt/board_bus.h"
#include "fdt/tree.h"
#include "hw/host_devices.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "hw/virtio.h"
#include "mem/el2map.h"
#include "ram_arena.h"
#include "tree_files.h"
#include "virtio_fake.h"

#define SLOT_BASE    0x0a000000u
#define SLOT_SIZE    0x200u
#define BOARD_SLOTS  8
#define SLOT_INTID   48 // of slot 0
#define BOARD_HZ     1000000u
#define INTIDS_KNOWN 128

static struct fake_virtio *board_slots[BOARD_SLOTS]; // NULL: empty
static bool board_enabled[INTIDS_KNOWN], board_pending[INTIDS_KNOWN];
static uint64_t board_now = 1000;
static uint64_t board_spent; // that each look at the clock takes
static uint64_t (*board_other_read)(uintptr_t address, unsigned size);
static void (*board_other_write)(uintptr_t address, unsigned size, uint64_t value);
static struct board test_board = {.gic = {.version = 3}};
static struct tree_file board_tree;

struct cpu boot_cpu;

// What is mapped: whatever the drivers touch must be.
#define MAPPED_MAX 64
static struct board_range board_mapped[MAPPED_MAX];
static unsigned board_nr_mapped;
static bool board_maps_nothing;

int el2map_device(pa_t base, uint64_t size)
{
	if (board_maps_nothing || board_nr_mapped == MAPPED_MAX)
		return ERR_NO_MEMORY;
	board_mapped[board_nr_mapped++] = (struct board_range){base.v, size};
	return 0;
}

static void board_check_mapped(uintptr_t address, unsigned size)
{
	for (unsigned i = 0; i < board_nr_mapped; i++)
		if (range_contains(board_mapped[i].base, board_mapped[i].size, address, size))
			return;
	fprintf(stderr, "%#lx, %u bytes: touched but not mapped\n", (unsigned long)address, size);
	abort();
}

static struct fake_virtio *slot_at(uintptr_t address, uint32_t *offset)
{
	static struct fake_virtio empty = {.magic = VIRTIO_MMIO_MAGIC_VALUE, .version = 1};
	uintptr_t slot = (address - SLOT_BASE) / SLOT_SIZE;
	*offset = (uint32_t)(address % SLOT_SIZE);
	return board_slots[slot] != NULL ? board_slots[slot] : &empty;
}

static bool in_slots(uintptr_t address)
{
	return address >= SLOT_BASE && address < SLOT_BASE + BOARD_SLOTS * SLOT_SIZE;
}

static uint64_t board_read_io(uintptr_t address, unsigned size)
{
	uint32_t offset;
	board_check_mapped(address, size);
	if (!in_slots(address))
		return board_other_read != NULL ? board_other_read(address, size) : 0;
	struct fake_virtio *dev = slot_at(address, &offset);
	return fake_mmio_read(dev, offset, size);
}

static void board_write_io(uintptr_t address, unsigned size, uint64_t value)
{
	uint32_t offset;
	board_check_mapped(address, size);
	if (!in_slots(address)) {
		if (board_other_write != NULL)
			board_other_write(address, size, value);
		return;
	}
	struct fake_virtio *dev = slot_at(address, &offset);
	fake_mmio_write(dev, offset, (uint32_t)value);
}

static bool board_sysreg(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = board_now;
	board_now += board_spent;
	return true;
}

static void board_enable(uint32_t intid, const struct cpu *cpu UNUSED,
                         enum intc_trigger trigger UNUSED)
{
	board_enabled[intid % INTIDS_KNOWN] = true;
}

static void board_disable(uint32_t intid)
{
	board_enabled[intid % INTIDS_KNOWN] = false;
}

static void board_set_pending(uint32_t intid, bool pending)
{
	board_pending[intid % INTIDS_KNOWN] = pending;
}

static const struct intc_ops board_intc = {.name = "test",
                                           .number = intc_gic_number,
                                           .enable = board_enable,
                                           .disable = board_disable,
                                           .set_pending = board_set_pending};

UNUSED static bool board_quiet(const struct fake_event *event UNUSED)
{
	return false;
}

// The tree: a GICv3, the slots, and `more` nodes.
UNUSED static void board_make_tree(const char *more)
{
	static char source[8192];
	size_t at = (size_t)snprintf(
	        source, sizeof source,
	        "/ { #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;\n"
	        "gic: gic@8000000 { compatible = \"arm,gic-v3\"; #interrupt-cells = <3>; "
	        "interrupt-controller;\n"
	        "#address-cells = <2>; #size-cells = <2>; reg = <0 0x8000000 0 0x10000>; };\n%s\n",
	        more);
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		at += (size_t)snprintf(
		        source + at, sizeof source - at,
		        "slot@%x { compatible = \"virtio,mmio\"; reg = <0 %#x 0 %#x>; "
		        "interrupts = <0 %u 1>; dma-coherent; };\n",
		        SLOT_BASE + i * SLOT_SIZE, SLOT_BASE + i * SLOT_SIZE, SLOT_SIZE,
		        SLOT_INTID - 32 + i);
	snprintf(source + at, sizeof source - at, "};\n");
	free(board_tree.bytes);
	board_tree = tree_file_compile(source);
	struct tree_walk walk;
	tree_start(&walk, board_tree.bytes);
	while (tree_next(&walk) && !tree_list_has(tree_prop(&walk, TREE_COMPATIBLE), "arm,gic-v3"))
		;
	test_board.gic.node = tree_offset(&walk);
}

// Once in a program.
UNUSED static void board_power_on(void)
{
	ram_arena_init(MIB(16));
	intc = &board_intc;
}

// As after a start of this CPU; devices that were found stay found.
UNUSED static void board_ready(void)
{
	fake_reset();
	fake_cpu_this = &boot_cpu; // which takes the interrupts
	fake_event_hook = board_quiet;
	fake_io_read_hook = board_read_io;
	fake_io_write_hook = board_write_io;
	fake_sysreg_hook = board_sysreg;
	timer_init(BOARD_HZ);
	timer_init_cpu();
	board_spent = 1;
}

// Lets so many milliseconds pass, in steps of a tick's length, with what TIMER_HW and TIMER_BUSY are due for.
UNUSED static void board_pass(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 10) {
		board_now += 10 * (BOARD_HZ / 1000);
		uint32_t due = timer_expire();
		if ((due & 1u << TIMER_HW) != 0)
			virtio_tick();
		if ((due & 1u << TIMER_BUSY) != 0)
			virtio_busy_tick();
	}
}

// The interrupt of a slot's device, if it raises one that is let through.
UNUSED static void board_interrupt(unsigned slot)
{
	uint32_t intid = SLOT_INTID + slot;
	if (board_slots[slot] != NULL && board_enabled[intid] &&
	    (board_slots[slot]->isr != 0 || board_pending[intid])) {
		board_pending[intid] = false;
		intc_dispatch(intid);
	}
}

#endif
