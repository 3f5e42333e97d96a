// SPDX-License-Identifier: Apache-2.0
// From a node's interrupt to the controller that receives it.
#ifndef FDT_TREE_IRQ_H
#define FDT_TREE_IRQ_H

#include "fdt/tree.h"

#define TREE_IRQ_MAX_CELLS 4 // of a specifier

struct tree_irq {
	int controller; // offset of the controller's node
	uint32_t cells; // of the specifier, at most TREE_IRQ_MAX_CELLS
	uint32_t specifier[TREE_IRQ_MAX_CELLS];
};

// Interrupt `index` of the node that *node is at: interrupts-extended, else interrupts with the
// interrupt-parent that holds there, followed through interrupt-map. False: no such interrupt, or it
// does not lead to a controller within 4 steps. A bounded number of passes over the tree.
bool tree_irq_get(const struct tree_walk *node, unsigned index, struct tree_irq *irq);

// The same for an interrupt that no node has: of a device that was found on the bus that *nexus is at, with `unit`
// for its address there and one cell of specifier. False also when the bus has no interrupt-map.
bool tree_irq_map(const struct tree_walk *nexus, const uint32_t unit[3], uint32_t specifier,
                  struct tree_irq *irq);

#endif
