// SPDX-License-Identifier: Apache-2.0
// Reading the slots of virtio-mmio and the PCI Express bus of a board from its tree.
//
// Owns nothing: the result is the caller's. Called by hw/host_devices at boot.
// Invariant: what is filled in has been checked for size and place; what is not usable is left out.
// Source: Linux kernel, Documentation/devicetree/bindings: virtio/mmio.yaml, pci/host-generic-pci.yaml; IEEE Std
// 1275-1994, PCI Bus Binding, "Physical Address Formats"; Devicetree Specification, "dma-coherent".
#include "fdt/board_bus.h"

#include <libfdt.h>

#include "base/bits.h"
#include "base/string.h"
#include "fdt/board_reader.h"
#include "fdt/tree.h"
#include "fdt/tree_irq.h"

#define BUS_SIZE        MIB(1) // of ECAM, for one bus
#define PCI_CELLS       3      // of an address on the bus
#define PCI_SIZE_CELLS  2
#define MAX_WINDOWS     16
#define PCI_SPACE       GENMASK_U32(25, 24) // of an address's first cell
#define PCI_SPACE_MEM32 2
#define PCI_SPACE_MEM64 3
#define PCI_DEVICE      GENMASK_U32(15, 11)
#define REACH_32        GIB(4)

static bool is_coherent(const struct tree_walk *walk)
{
	for (int depth = walk->depth; depth >= 0; depth--) {
		if (fdt_getprop(walk->fdt, walk->level[depth].offset, "dma-coherent", NULL) != NULL)
			return true;
		if (fdt_getprop(walk->fdt, walk->level[depth].offset, "dma-noncoherent", NULL) !=
		    NULL)
			return false;
	}
	return false;
}

static struct board_irq decode(const struct board *board, const struct tree_irq *from)
{
	struct board_irq irq = {BOARD_IRQ_NONE, 0, false};
	if (board->gic.version != 0 && from->controller == board->gic.node)
		(void)board_decode_gic(from, &irq);
	return irq;
}

static void read_slot(struct board_bus *bus, struct tree_walk *walk)
{
	struct board_slot slot = {.node = tree_offset(walk), .coherent = is_coherent(walk)};

	if (!tree_reg(walk, 0, &slot.regs.base, &slot.regs.size))
		return;
	if (bus->nr_slots == BOARD_MAX_SLOTS) {
		bus->nr_slots_dropped++;
		return;
	}
	bus->slot[bus->nr_slots++] = slot;
}

// Entry `index` of the bus's ranges; false: there are no more.
static bool read_window(struct board_pci *pci, struct tree_walk *walk, unsigned index)
{
	const struct tree_value ranges = tree_prop(walk, TREE_RANGES);
	const unsigned parent = walk->level[walk->depth - 1].address_cells;
	const unsigned at = index * (PCI_CELLS + parent + PCI_SIZE_CELLS);
	struct board_window window;
	uint32_t space, high, low;
	bool identity;

	if (!tree_cell(ranges, at, &space) || !tree_cell(ranges, at + 1, &high) ||
	    !tree_cell(ranges, at + 2, &low))
		return false;
	if (!tree_window(walk, index, &window.cpu, &window.size, &identity))
		return true; // not one that a CPU can reach
	window.bus = (uint64_t)high << 32 | low;
	if (window.bus + window.size < window.bus)
		return true;
	const uint64_t kind = field_get(PCI_SPACE, space);
	const bool low_end = window.bus + window.size <= REACH_32;
	if (kind == PCI_SPACE_MEM32 && low_end && window.size > pci->mem32.size)
		pci->mem32 = window;
	if (kind == PCI_SPACE_MEM64 && window.size > pci->mem64.size)
		pci->mem64 = window;
	return true;
}

static void read_pci(struct board_bus *bus, struct tree_walk *walk)
{
	struct board_pci pci = {.node = tree_offset(walk), .coherent = is_coherent(walk)};
	const struct tree_level *level = &walk->level[walk->depth];

	if (bus->pci.ecam.size != 0 || !tree_reg(walk, 0, &pci.ecam.base, &pci.ecam.size) ||
	    pci.ecam.size < BUS_SIZE || !is_aligned(pci.ecam.base, PAGE_SIZE) ||
	    level->address_cells != PCI_CELLS || level->size_cells != PCI_SIZE_CELLS)
		return;
	for (unsigned i = 0; i < MAX_WINDOWS && read_window(&pci, walk, i); i++)
		;
	bus->pci = pci;
}

void board_bus_read(const void *fdt, struct board_bus *bus)
{
	struct tree_walk walk;

	memset(bus, 0, sizeof(*bus));
	for (tree_start(&walk, fdt); tree_next(&walk);) {
		const struct tree_value compatible = tree_prop(&walk, TREE_COMPATIBLE);

		if (walk.depth == 0 || compatible.data == NULL || !tree_available(&walk))
			continue;
		if (tree_list_has(compatible, "virtio,mmio"))
			read_slot(bus, &walk);
		else if (tree_list_has(compatible, "pci-host-ecam-generic"))
			read_pci(bus, &walk);
	}
}

struct board_irq board_slot_irq(const void *fdt, const struct board *board,
                                const struct board_slot *slot)
{
	struct board_irq irq = {BOARD_IRQ_NONE, 0, false};
	struct tree_walk walk;
	struct tree_irq from;

	if (tree_goto(&walk, fdt, slot->node) && tree_irq_get(&walk, 0, &from))
		irq = decode(board, &from);
	return irq;
}

struct board_irq board_pci_irq(const void *fdt, const struct board *board,
                               const struct board_pci *pci, uint32_t device, uint32_t pin)
{
	const uint32_t unit[PCI_CELLS] = {(uint32_t)field_put(PCI_DEVICE, device), 0, 0};
	struct board_irq irq = {BOARD_IRQ_NONE, 0, false};
	struct tree_walk walk;
	struct tree_irq from;

	if (tree_goto(&walk, fdt, pci->node) && tree_irq_map(&walk, unit, pin, &from))
		irq = decode(board, &from);
	return irq;
}
