// SPDX-License-Identifier: Apache-2.0
// Where on the board devices of a known form may be found that the tree does not name one by one: the slots of
// virtio-mmio, of which most are empty, and a PCI Express bus.
#ifndef FDT_BOARD_BUS_H
#define FDT_BOARD_BUS_H

#include "fdt/board.h"

#define BOARD_MAX_SLOTS 64

struct board_slot {
	struct board_range regs;
	int node;      // offset in the tree
	bool coherent; // its DMA and the CPUs' caches agree (dma-coherent, here or on a bus above)
};

// Where addresses of the PCI bus lie for a CPU.
struct board_window {
	uint64_t cpu, bus, size; // size 0: there is none
};

struct board_pci {
	struct board_range
	        ecam; // the configuration of all its buses; size 0: no PCI, or none that Mezzo can drive
	struct board_window mem32,
	        mem64; // the largest of each kind; mem32 ends below 4 GiB on the bus
	bool coherent;
	int node; // offset in the tree
};

struct board_bus {
	uint32_t nr_slots, nr_slots_dropped;
	struct board_slot slot[BOARD_MAX_SLOTS]; // in the tree's order
	struct board_pci pci;                    // the first of the tree
};

// Fills in *bus from a tree that board_read has read without a fatal problem. A node that is not usable is left out.
// One walk; no lock, no state.
void board_bus_read(const void *fdt, struct board_bus *bus);

// Where a slot's interrupt goes. A bounded number of passes over the tree.
struct board_irq board_slot_irq(const void *fdt, const struct board *board,
                                const struct board_slot *slot);
// Where the interrupt goes that device `device` of the first bus raises on `pin`, 1 to 4 (INTA to INTD). Two passes over
// the tree at most, and one over the map.
struct board_irq board_pci_irq(const void *fdt, const struct board *board,
                               const struct board_pci *pci, uint32_t device, uint32_t pin);

#endif
