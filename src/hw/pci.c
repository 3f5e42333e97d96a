// SPDX-License-Identifier: Apache-2.0
// Looks through the first bus of the board's PCI Express. Owns the configuration of the functions that are virtio's; of the
// others nothing is changed, but that they do not interrupt. Called by hw/host_devices.c at boot.
//
// QEMU's boards start without firmware that would have given addresses to BARs: then they are given here, from the
// bottom of the windows that the tree names. If any function answers to its BARs already, somebody has given all of
// them, and they stay.
// Invariant: a BAR that is used lies within a window of the tree, as a whole, and apart from those given before.
// Source: PCI Express Base Specification, "PCI Express Enhanced Configuration Access Mechanism (ECAM)", "Type 0
// Configuration Space Header"; PCI Local Bus Specification, "Base Addresses", "Capabilities List".
#include "hw/pci.h"

#include "arm/io.h"
#include "base/bits.h"
#include "base/log.h"
#include "hw/virtio_pci.h"
#include "mem/el2map.h"

#define DEVICES         32
#define FUNCTIONS       8
#define BUS_BYTES       (DEVICES * FUNCTIONS * PCI_CONFIG_BYTES)
#define HEADER_MULTI    BIT_U32(7)
#define HEADER_KIND     GENMASK_U32(6, 0)
#define HEADER_ENDPOINT 0
#define HEADER_BRIDGE   1
#define BAR_IO          BIT_U32(0)
#define BAR_64          BIT_U32(2)
#define BAR_FLAGS       GENMASK_U32(3, 0)
#define CAP_FIRST       0x40 // lower is the header
#define CAP_POINTER     GENMASK_U32(7, 2)

// The bus while it is looked through.
struct bus {
	const void *fdt;
	const struct board *board;
	const struct board_pci *pci;
	uint64_t used32, used64; // of the windows, from the bottom
	bool given;              // BARs have their addresses already
};

static void command_set(const struct pci_function *f, uint32_t clear, uint32_t set)
{
	uint32_t command = io_read16(f->config + PCI_COMMAND);
	io_write16(f->config + PCI_COMMAND, (uint16_t)((command & ~clear) | set));
}

void pci_enable(const struct pci_function *function, bool on)
{
	const uint32_t active = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	command_set(function, active | PCI_COMMAND_NO_INTX, on ? active : PCI_COMMAND_NO_INTX);
}

uint32_t pci_next_capability(const struct pci_function *function, uint32_t offset, unsigned *left)
{
	if ((io_read16(function->config + PCI_STATUS) & PCI_STATUS_CAPS) == 0 || *left == 0)
		return 0;
	--*left;
	uint32_t next = io_read8(function->config + (offset == 0 ? PCI_CAPABILITIES : offset + 1));
	next &= CAP_POINTER;
	return next >= CAP_FIRST ? next : 0;
}

// ---- BARs ----

static uintptr_t bar_at(const struct pci_function *f, unsigned index)
{
	return f->config + PCI_BAR0 + index * sizeof(uint32_t);
}

// Which bits of a BAR can be set. It is as before afterwards.
static uint64_t bar_mask(const struct pci_function *f, unsigned index, bool wide)
{
	uint32_t low = io_read32(bar_at(f, index)), high = 0, mask_high = UINT32_MAX;
	if (wide) {
		high = io_read32(bar_at(f, index + 1));
		io_write32(bar_at(f, index + 1), UINT32_MAX);
		mask_high = io_read32(bar_at(f, index + 1));
		io_write32(bar_at(f, index + 1), high);
	}
	io_write32(bar_at(f, index), UINT32_MAX);
	uint64_t mask = io_read32(bar_at(f, index)) & ~BAR_FLAGS;
	io_write32(bar_at(f, index), low);
	return mask | (uint64_t)mask_high << 32;
}

// Room for `size` bytes, a power of two, in a window of which `used` are taken. False: there is none.
static bool take_room(const struct board_window *window, uint64_t *used, uint64_t size,
                      uint64_t *at)
{
	uint64_t start = align_up(window->bus + *used, size);
	if (start < window->bus || start == 0 || size < PAGE_SIZE ||
	    !range_contains(window->bus, window->size, start, size))
		return false;
	*at = start;
	*used = start + size - window->bus;
	return true;
}

static void give_address(struct bus *bus, const struct pci_function *f, unsigned index, bool wide,
                         uint64_t size)
{
	uint64_t at, room = size < PAGE_SIZE ? PAGE_SIZE : size; // nothing shares a page
	bool found = wide && take_room(&bus->pci->mem64, &bus->used64, room, &at);
	if (!found && !take_room(&bus->pci->mem32, &bus->used32, room, &at))
		return;
	io_write32(bar_at(f, index), (uint32_t)at);
	if (wide)
		io_write32(bar_at(f, index + 1), (uint32_t)(at >> 32));
}

static uint64_t cpu_address(const struct board_window *window, uint64_t at, uint64_t size)
{
	return range_contains(window->bus, window->size, at, size) ? at - window->bus + window->cpu
	                                                           : 0;
}

static unsigned read_bar(struct bus *bus, struct pci_function *f, unsigned index)
{
	uint32_t flags = io_read32(bar_at(f, index)) & BAR_FLAGS;
	bool wide = (flags & BAR_IO) == 0 && (flags & BAR_64) != 0 && index + 1 < PCI_BARS;
	unsigned next = index + (wide ? 2 : 1);
	if ((flags & BAR_IO) != 0)
		return next;
	uint64_t mask = bar_mask(f, index, wide), size = mask & -mask;
	// A BAR of 32 bits has nothing above them.
	if ((uint32_t)mask == 0 && (!wide || mask >> 32 == 0))
		return next;
	if (!is_power_of_two(size) || (!wide && size > UINT32_MAX))
		return next;
	if (!bus->given)
		give_address(bus, f, index, wide, size);
	uint64_t at = io_read32(bar_at(f, index)) & ~BAR_FLAGS;
	if (wide)
		at |= (uint64_t)io_read32(bar_at(f, index + 1)) << 32;
	uint64_t cpu = cpu_address(&bus->pci->mem32, at, size);
	if (cpu == 0)
		cpu = cpu_address(&bus->pci->mem64, at, size);
	if (at != 0 && cpu != 0)
		f->bar[index] = (struct pci_bar){cpu, size};
	return next;
}

static void read_bars(struct bus *bus, struct pci_function *f)
{
	// They must not answer to what is written to find out their sizes.
	command_set(f, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	for (unsigned i = 0; i < PCI_BARS;)
		i = read_bar(bus, f, i);
}

// ---- functions ----

static bool look_at(const struct board_pci *pci, uint32_t device, uint32_t function,
                    struct pci_function *f)
{
	uint64_t offset = (device * FUNCTIONS + function) * PCI_CONFIG_BYTES;
	*f = (struct pci_function){
	        .config = pci->ecam.base + offset, .device = device, .function = function};
	uint32_t id = io_read32(f->config + PCI_ID);
	f->vendor = (uint16_t)id;
	f->id = (uint16_t)(id >> 16);
	return f->vendor != PCI_VENDOR_NONE;
}

static uint32_t header_type(const struct pci_function *f)
{
	return io_read8(f->config + PCI_HEADER_TYPE);
}

static void found(struct bus *bus, struct pci_function *f)
{
	uint32_t kind = header_type(f) & HEADER_KIND;
	command_set(f, 0, PCI_COMMAND_NO_INTX); // nobody would lower its line; a driver undoes it
	if (kind == HEADER_BRIDGE)
		log_line("devices: PCI %02x.%x is a bridge: what is behind it is not looked at",
		         f->device, f->function);
	if (kind != HEADER_ENDPOINT || !virtio_pci_is(f))
		return;
	if (!bus->pci->coherent) {
		log_line(
		        "devices: virtio-pci %02x.%x is not dma-coherent by the device tree, which "
		        "Mezzo needs: left alone",
		        f->device, f->function);
		return;
	}
	uint32_t pin = io_read8(f->config + PCI_INTERRUPT_PIN);
	struct board_irq irq = {BOARD_IRQ_NONE, 0, false};
	if (pin != 0)
		irq = board_pci_irq(bus->fdt, bus->board, bus->pci, f->device, pin);
	read_bars(bus, f);
	virtio_pci_probe(f, &irq);
}

// Calls `call` for every function of the bus.
static void for_each(struct bus *bus, void (*call)(struct bus *, struct pci_function *))
{
	struct pci_function f;
	for (uint32_t device = 0; device < DEVICES; device++) {
		unsigned functions = 1;
		for (uint32_t n = 0; n < functions; n++) {
			if (!look_at(bus->pci, device, n, &f))
				continue;
			if (n == 0 && (header_type(&f) & HEADER_MULTI) != 0)
				functions = FUNCTIONS;
			call(bus, &f);
		}
	}
}

static void note_given(struct bus *bus, struct pci_function *f)
{
	if ((io_read16(f->config + PCI_COMMAND) & PCI_COMMAND_MEMORY) != 0)
		bus->given = true;
}

void pci_probe(const void *fdt, const struct board *board, const struct board_pci *pci)
{
	struct bus bus = {.fdt = fdt, .board = board, .pci = pci};
	if (pci->ecam.size < BUS_BYTES)
		return;
	if (el2map_device(PA(pci->ecam.base), BUS_BYTES) != 0) {
		log_line("devices: the configuration of PCI at %#lx cannot be mapped: left alone",
		         pci->ecam.base);
		return;
	}
	for_each(&bus, note_given);
	for_each(&bus, found);
}
