// SPDX-License-Identifier: Apache-2.0
// Following an interrupt from a device to its controller.
//
// Owns nothing. Called by fdt/board and fdt/board_bus for the few interrupts that Mezzo itself receives.
// Invariant: at most MAX_HOPS nexus nodes and MAX_INDEX list entries are followed, one pass over the
// tree for each, so a circle of interrupt-maps ends in "no interrupt".
// Source: Devicetree Specification, "Interrupts and Interrupt Mapping".
#include "fdt/tree_irq.h"

#include <libfdt.h>

#include "base/string.h"

#define MAX_HOPS        4
#define MAX_INDEX       8 // interrupts of one node that can be asked for
#define MAX_UNIT_CELLS  3 // of a unit address in interrupt-map
#define MAX_MAP_PARENTS 4 // changes of parent within one map

// An interrupt on its way up: what identifies it at the present domain.
struct trip {
	uint32_t unit[MAX_UNIT_CELLS]; // the device's address as its domain's map has it
	uint32_t cells;
	uint32_t specifier[TREE_IRQ_MAX_CELLS];
};

static bool cell_or_zero(struct tree_value value, unsigned index, uint32_t *cell)
{
	*cell = 0;
	return tree_cell(value, index, cell);
}

// #interrupt-cells of the node a walk is at; 0: not an interrupt domain, or one beyond what we read.
static uint32_t interrupt_cells(const struct tree_walk *walk)
{
	uint32_t cells;

	if (!cell_or_zero(tree_prop(walk, TREE_INTERRUPT_CELLS), 0, &cells) ||
	    cells > TREE_IRQ_MAX_CELLS)
		return 0;
	return cells;
}

// Moves *walk from a node to the root of its interrupt domain: the nearest node upwards with
// #interrupt-cells, where "upwards" means interrupt-parent if there is one, else the tree's parent.
static bool goto_domain(struct tree_walk *walk)
{
	const void *fdt = walk->fdt;

	for (int hops = 0; hops < MAX_HOPS; hops++) {
		int at = walk->depth;

		for (; at >= 0 && !walk->level[at].has_interrupt_parent; at--) {
			if (at > 0 && walk->level[at - 1].has_interrupt_cells)
				return tree_goto(walk, fdt, walk->level[at - 1].offset);
		}
		if (at < 0)
			return false;
		if (!tree_goto_phandle(walk, fdt, walk->level[at].interrupt_parent))
			return false;
		if (walk->level[walk->depth].has_interrupt_cells)
			return true;
	}
	return false;
}

// Reads one specifier of *walk's domain out of a list.
static bool read_specifier(const struct tree_walk *walk, struct tree_value list, unsigned at,
                           struct trip *trip)
{
	trip->cells = interrupt_cells(walk);
	for (uint32_t i = 0; i < trip->cells; i++) {
		if (!tree_cell(list, at + i, &trip->specifier[i]))
			return false;
	}
	return trip->cells != 0;
}

// interrupts-extended: a list of controller and specifier, each as long as its controller says.
static bool start_extended(struct tree_walk *walk, struct tree_value list, unsigned index,
                           struct trip *trip)
{
	const void *fdt = walk->fdt;
	unsigned at = 0;

	for (unsigned i = 0; i <= index; i++) {
		uint32_t phandle;

		if (!tree_cell(list, at, &phandle) || !tree_goto_phandle(walk, fdt, phandle) ||
		    !read_specifier(walk, list, at + 1, trip))
			return false;
		at += 1 + trip->cells;
	}
	return true;
}

// Moves *walk to the domain of interrupt `index` of its node and reads what identifies it there.
static bool start_trip(struct tree_walk *walk, unsigned index, struct trip *trip)
{
	const struct tree_value extended = tree_get(walk, "interrupts-extended");
	const struct tree_value list = tree_get(walk, "interrupts");
	const struct tree_value reg = tree_prop(walk, TREE_REG);

	for (unsigned i = 0; i < MAX_UNIT_CELLS; i++)
		(void)cell_or_zero(reg, i, &trip->unit[i]);
	if (extended.data != NULL)
		return start_extended(walk, extended, index, trip);
	if (list.data == NULL || !goto_domain(walk))
		return false;
	return read_specifier(walk, list, index * interrupt_cells(walk), trip);
}

// Whether a map entry's first cells, under the mask, are this interrupt's.
static bool entry_matches(struct tree_value map, unsigned at, struct tree_value mask,
                          uint32_t unit_cells, const struct trip *trip)
{
	for (uint32_t i = 0; i < unit_cells + trip->cells; i++) {
		const uint32_t mine =
		        i < unit_cells ? trip->unit[i] : trip->specifier[i - unit_cells];
		uint32_t bits = UINT32_MAX, theirs;

		if (mask.data != NULL && !tree_cell(mask, i, &bits))
			return false;
		if (!tree_cell(map, at + i, &theirs) || ((mine ^ theirs) & bits) != 0)
			return false;
	}
	return true;
}

// #address-cells of a controller as interrupt-map counts them: none where it says nothing.
static uint32_t unit_cells_of(const struct tree_walk *walk)
{
	uint32_t cells;

	(void)cell_or_zero(tree_prop(walk, TREE_ADDRESS_CELLS), 0, &cells);
	return cells;
}

// Goes through the interrupt-map of the nexus that *walk is at; on success *walk is at the entry's
// controller and *trip is what it sees.
static bool follow_map(struct tree_walk *walk, struct tree_value map, struct trip *trip)
{
	const struct tree_value mask = tree_get(walk, "interrupt-map-mask");
	const uint32_t unit_cells = unit_cells_of(walk);
	uint32_t last_phandle = 0, parent_units = 0;
	struct tree_walk parent;
	unsigned at = 0, lookups = 0;

	if (unit_cells > MAX_UNIT_CELLS)
		return false;
	for (;;) {
		const unsigned parent_at = at + unit_cells + trip->cells;
		uint32_t phandle;

		if (!tree_cell(map, parent_at, &phandle))
			return false;
		if (lookups == 0 || phandle != last_phandle) {
			if (lookups++ >= MAX_MAP_PARENTS ||
			    !tree_goto_phandle(&parent, walk->fdt, phandle))
				return false;
			last_phandle = phandle;
			parent_units = unit_cells_of(&parent);
		}
		if (parent_units > MAX_UNIT_CELLS || interrupt_cells(&parent) == 0)
			return false;
		if (entry_matches(map, at, mask, unit_cells, trip)) {
			for (unsigned i = 0; i < MAX_UNIT_CELLS; i++)
				trip->unit[i] = 0;
			for (unsigned i = 0; i < parent_units; i++)
				(void)cell_or_zero(map, parent_at + 1 + i, &trip->unit[i]);
			*walk = parent;
			return read_specifier(walk, map, parent_at + 1 + parent_units, trip);
		}
		at = parent_at + 1 + parent_units + interrupt_cells(&parent);
	}
}

// From the domain that *walk is at to the controller.
static bool follow(struct tree_walk *walk, struct trip *trip, struct tree_irq *irq)
{
	for (int hops = 0; hops < MAX_HOPS; hops++) {
		const struct tree_value map = tree_get(walk, "interrupt-map");

		if (map.data == NULL) {
			irq->controller = tree_offset(walk);
			irq->cells = trip->cells;
			memcpy(irq->specifier, trip->specifier, sizeof(irq->specifier));
			return true;
		}
		if (!follow_map(walk, map, trip))
			return false;
	}
	return false;
}

bool tree_irq_get(const struct tree_walk *node, unsigned index, struct tree_irq *irq)
{
	struct tree_walk walk = *node;
	struct trip trip;

	return index < MAX_INDEX && start_trip(&walk, index, &trip) && follow(&walk, &trip, irq);
}

bool tree_irq_map(const struct tree_walk *nexus, const uint32_t unit[3], uint32_t specifier,
                  struct tree_irq *irq)
{
	struct tree_walk walk = *nexus;
	struct trip trip = {.cells = 1, .specifier = {specifier}};

	memcpy(trip.unit, unit, sizeof(trip.unit));
	return interrupt_cells(&walk) == 1 && tree_get(&walk, "interrupt-map").data != NULL &&
	       follow(&walk, &trip, irq);
}
