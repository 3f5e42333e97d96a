// SPDX-License-Identifier: Apache-2.0
// Writes a device tree from its first byte to its last, for a guest.
#ifndef FDT_GUEST_TREE_H
#define FDT_GUEST_TREE_H

#include "base/types.h"

// A tree being written. The first error stays; after it every call does nothing, so only
// guest_tree_finish() need be checked.
struct guest_tree {
	void *buffer;
	int error; // of libfdt, 0: none
};

enum guest_irq_kind { GUEST_IRQ_SPI = 0, GUEST_IRQ_PPI = 1 }; // as a GIC's specifier has them
enum guest_irq_flags { GUEST_IRQ_EDGE = 1, GUEST_IRQ_LEVEL = 4 };

// Starts a tree in `buffer` (8-byte aligned, `size` bytes) with no memory reservations; the root is
// opened by guest_tree_open(tree, "").
void guest_tree_begin(struct guest_tree *tree, void *buffer, size_t size);
// The size of the finished tree in bytes, or ERR_NO_MEMORY: the buffer is too small.
int guest_tree_finish(struct guest_tree *tree);

// A node: first its properties, then its children, then close.
void guest_tree_open(struct guest_tree *tree, const char *name);
void guest_tree_open_at(struct guest_tree *tree, const char *name,
                        uint64_t address); // name@address
void guest_tree_close(struct guest_tree *tree);

void guest_tree_flag(struct guest_tree *tree, const char *name);
void guest_tree_bytes(struct guest_tree *tree, const char *name, const void *bytes, size_t size);
void guest_tree_string(struct guest_tree *tree, const char *name, const char *string);
// Two strings, as in compatible = "special", "general".
void guest_tree_strings(struct guest_tree *tree, const char *name, const char *first,
                        const char *second);
void guest_tree_cell(struct guest_tree *tree, const char *name, uint32_t cell);
void guest_tree_cells(struct guest_tree *tree, const char *name, const uint32_t *cells,
                      unsigned count);
void guest_tree_u64(struct guest_tree *tree, const char *name, uint64_t value);
// reg with two cells each for address and size: `count` pairs of base and size, at most 8.
void guest_tree_reg(struct guest_tree *tree, const uint64_t (*pairs)[2], unsigned count);
// interrupts with one GIC specifier. `number` counts from 0 within its kind.
void guest_tree_irq(struct guest_tree *tree, enum guest_irq_kind kind, uint32_t number,
                    uint32_t flags);

#endif
