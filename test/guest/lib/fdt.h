/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a flattened device tree in place; works with the MMU off (no unaligned access). */
#ifndef GUEST_FDT_H
#define GUEST_FDT_H

#include "bits.h"

#define FDT_DEPTH 8

/* One node: where its properties start, and the cell sizes its parent gave for its reg. */
struct fdt_node {
	u64 tree;
	u32 props; /* offset of the first token after the name */
	u32 depth;
	u32 address_cells, size_cells;
	const char *name;
};

/* Walks all nodes in order of the file. */
struct fdt_walk {
	u64 tree;
	u32 offset, depth;
	u32 address_cells[FDT_DEPTH + 1], size_cells[FDT_DEPTH + 1];
};

bool fdt_valid(u64 tree);
void fdt_walk_start(struct fdt_walk *walk, u64 tree);
/* False after the last node. */
bool fdt_walk_next(struct fdt_walk *walk, struct fdt_node *node);
/* The property's bytes, or NULL; *len may be NULL. */
const u8 *fdt_prop(const struct fdt_node *node, const char *name, u32 *len);
bool fdt_is_compatible(const struct fdt_node *node, const char *compatible);
/* Entry `index` of reg; false if there is none. */
bool fdt_reg(const struct fdt_node *node, u32 index, u64 *base, u64 *bytes);
u32 fdt_cell(const u8 *prop, u32 index);
bool str_equal(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);

#endif
