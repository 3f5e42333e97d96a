// SPDX-License-Identifier: Apache-2.0
// The first bus of the board's PCI Express, by its memory-mapped configuration (ECAM). What is behind bridges is not
// looked at; interrupts are INTx.
#ifndef HW_PCI_H
#define HW_PCI_H

#include "fdt/board_bus.h"

#define PCI_BARS 6

struct pci_bar {
	uint64_t cpu,
	        size; // where a CPU sees it; size 0: there is none, or none that a CPU can reach
};

struct pci_function {
	uintptr_t config; // its 4 KiB of configuration, mapped
	uint32_t device, function;
	uint16_t vendor, id;
	struct pci_bar bar[PCI_BARS];
};

enum pci_reg {
	PCI_ID = 0x00, // vendor, device
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_PIN = 0x3d,
	PCI_CONFIG_SIZE = 0x100, // of the part that every function has
};

#define PCI_CONFIG_BYTES    KIB(4)
#define PCI_VENDOR_NONE     0xffff
#define PCI_COMMAND_MEMORY  BIT_U32(1)
#define PCI_COMMAND_MASTER  BIT_U32(2)
#define PCI_COMMAND_NO_INTX BIT_U32(10)
#define PCI_STATUS_CAPS     BIT_U32(4)

// Finds virtio devices on the bus and announces them (hw/virtio.h). At boot, after intc_init. What is not as it should
// be is left alone, with a sentence.
void pci_probe(const void *fdt, const struct board *board, const struct board_pci *pci);

// Lets the function answer to its BARs, use memory and interrupt by INTx, or none of it.
void pci_enable(const struct pci_function *function, bool on);

// The next entry of the function's list of capabilities after the one at `offset`, 0 at the beginning; 0: there are no
// more. `left` counts down how many are looked at, so that a circle ends.
uint32_t pci_next_capability(const struct pci_function *function, uint32_t offset, unsigned *left);
#define PCI_MAX_CAPABILITIES 48

#endif
