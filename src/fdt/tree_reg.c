// SPDX-License-Identifier: Apache-2.0
// Addresses: reg, and its way up through the ranges of every bus.
//
// Owns nothing. Called by fdt/board.
// Invariant: an address is reported only if every bus above says how to reach all of it; the work of a
// walk is bounded by its budget, since a hostile tree could pair many addresses with many ranges.
// Source: Devicetree Specification, "reg", "ranges"; Open Firmware PCI binding for three-cell addresses.
#include <libfdt.h>

#include "base/bits.h"
#include "base/string.h"
#include "fdt/tree.h"

#define MAX_CELLS 3 // of an address: what PCI has

// An address of up to three cells. `high` is more than 64 bits hold: for PCI the kind of space, which
// must match exactly, while `low` is counted within a window.
struct bus_address {
	uint32_t high;
	uint64_t low;
};

static struct bus_address read_address(const uint8_t *data, unsigned cells)
{
	struct bus_address address = {0, 0};
	const fdt32_t *cell = (const fdt32_t *)(const void *)data;

	for (unsigned i = 0; i < cells; i++) {
		address.high = (uint32_t)(address.low >> 32);
		address.low = address.low << 32 | fdt32_ld(&cell[i]);
	}
	return address;
}

static unsigned reg_entry_cells(const struct tree_walk *walk)
{
	if (walk->depth < 1)
		return 0;
	const struct tree_level *bus = &walk->level[walk->depth - 1];
	if (bus->address_cells < 1 || bus->address_cells > MAX_CELLS || bus->size_cells > MAX_CELLS)
		return 0;
	return bus->address_cells + (unsigned)bus->size_cells;
}

unsigned tree_reg_count(const struct tree_walk *walk)
{
	const struct tree_value reg = tree_prop(walk, TREE_REG);
	const uint32_t bytes = reg_entry_cells(walk) * (uint32_t)sizeof(fdt32_t);

	return reg.data == NULL || bytes == 0 || reg.size % bytes != 0 ? 0 : reg.size / bytes;
}

static bool read_reg(const struct tree_walk *walk, unsigned index, struct bus_address *address,
                     uint64_t *size)
{
	if (index >= tree_reg_count(walk))
		return false;
	const struct tree_level *bus = &walk->level[walk->depth - 1];
	const uint8_t *entry = tree_prop(walk, TREE_REG).data +
	                       (size_t)index * reg_entry_cells(walk) * sizeof(fdt32_t);
	const struct bus_address length =
	        read_address(entry + bus->address_cells * sizeof(fdt32_t), bus->size_cells);

	*address = read_address(entry, bus->address_cells);
	*size = length.low;
	return length.high == 0;
}

bool tree_raw_reg(const struct tree_walk *walk, unsigned index, uint64_t *base, uint64_t *size)
{
	struct bus_address address;

	if (!read_reg(walk, index, &address, size) || address.high != 0)
		return false;
	*base = address.low;
	return true;
}

// One entry of a bus's ranges, and whether it holds all of address..+size; then *address is moved to
// the parent's view.
static bool try_range(const uint8_t *entry, const struct tree_level *bus,
                      const struct tree_level *parent, struct bus_address *address, uint64_t size)
{
	const uint8_t *up = entry + bus->address_cells * sizeof(fdt32_t);
	const uint8_t *span = up + parent->address_cells * sizeof(fdt32_t);
	const struct bus_address from = read_address(entry, bus->address_cells);
	const struct bus_address to = read_address(up, parent->address_cells);
	const struct bus_address length = read_address(span, bus->size_cells);
	const uint64_t offset = address->low - from.low;

	if (from.high != address->high || length.high != 0 ||
	    !range_contains(from.low, length.low, address->low, size) || to.low + offset < offset)
		return false;
	*address = (struct bus_address){to.high, to.low + offset};
	return true;
}

static uint32_t range_entry_bytes(const struct tree_level *bus, const struct tree_level *parent)
{
	if (bus->address_cells < 1 || bus->address_cells > MAX_CELLS || bus->size_cells < 1 ||
	    bus->size_cells > MAX_CELLS || parent->address_cells < 1 ||
	    parent->address_cells > MAX_CELLS)
		return 0;
	const uint32_t cells =
	        (uint32_t)bus->address_cells + parent->address_cells + bus->size_cells;
	return cells * (uint32_t)sizeof(fdt32_t);
}

// From the addresses that level `depth` gives its children to those that it has itself.
static bool translate_level(struct tree_walk *walk, int depth, struct bus_address *address,
                            uint64_t size)
{
	const struct tree_level *bus = &walk->level[depth];
	const uint8_t *entry = (const uint8_t *)walk->fdt + bus->ranges;
	const uint32_t bytes = range_entry_bytes(bus, &walk->level[depth - 1]);

	if (!bus->has_ranges || bytes == 0)
		return false;
	if (bus->ranges_size == 0)
		return true; // the same addresses above as below
	if (bus->ranges_size % bytes != 0)
		return false;
	for (uint32_t left = bus->ranges_size / bytes; left > 0; left--, entry += bytes) {
		if (walk->budget == 0)
			return false;
		walk->budget--;
		if (try_range(entry, bus, &walk->level[depth - 1], address, size))
			return true;
	}
	return false;
}

// From what children of level `depth` use to what CPUs use.
static bool translate(struct tree_walk *walk, int depth, struct bus_address address, uint64_t size,
                      uint64_t *base)
{
	for (; depth > 0; depth--) {
		if (!translate_level(walk, depth, &address, size))
			return false;
	}
	if (address.high != 0 || address.low + size < address.low)
		return false;
	*base = address.low;
	return true;
}

bool tree_reg(struct tree_walk *walk, unsigned index, uint64_t *base, uint64_t *size)
{
	struct bus_address address;

	return read_reg(walk, index, &address, size) &&
	       translate(walk, walk->depth - 1, address, *size, base);
}

bool tree_window(struct tree_walk *walk, unsigned index, uint64_t *base, uint64_t *size,
                 bool *identity)
{
	if (walk->depth < 1)
		return false;
	const struct tree_level *bus = &walk->level[walk->depth];
	const struct tree_level *parent = &walk->level[walk->depth - 1];
	const uint32_t bytes = range_entry_bytes(bus, parent);

	if (!bus->has_ranges || bytes == 0 || bus->ranges_size % bytes != 0 ||
	    index >= bus->ranges_size / bytes)
		return false;
	const uint8_t *entry = (const uint8_t *)walk->fdt + bus->ranges + (size_t)index * bytes;
	const uint8_t *up = entry + bus->address_cells * sizeof(fdt32_t);
	const struct bus_address from = read_address(entry, bus->address_cells);
	const struct bus_address to = read_address(up, parent->address_cells);
	const struct bus_address length =
	        read_address(up + parent->address_cells * sizeof(fdt32_t), bus->size_cells);

	if (length.high != 0 || !translate(walk, walk->depth - 1, to, length.low, base))
		return false;
	*size = length.low;
	*identity = from.low == *base;
	return true;
}
