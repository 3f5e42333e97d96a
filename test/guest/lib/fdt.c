// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a flattened device tree in place, byte by byte where alignment is not promised (the MMU
 * may be off). Used by platform.c and by tests that look at the tree itself. The tree is trusted:
 * these kernels only ever read the one that started them.
 * Source: Devicetree Specification, "Flattened Devicetree (DTB) Format".
 */
#include "fdt.h"

#define MAGIC          0xd00dfeedu
#define HDR_TOTAL      4
#define HDR_STRUCT     8
#define HDR_STRINGS    12
#define TOK_BEGIN      1u
#define TOK_END        2u
#define TOK_PROP       3u
#define TOK_NOP        4u
#define PROP_HEADER    8 /* length, name offset */
#define MAX_TREE_BYTES (2 * MIB)

static u32 be32(u64 addr)
{
	const u8 *p = (const u8 *)addr;

	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

u32 fdt_cell(const u8 *prop, u32 index)
{
	return be32((u64)prop + 4ul * index);
}

bool str_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool str_starts(const char *s, const char *prefix)
{
	while (*prefix != '\0' && *s == *prefix) {
		s++;
		prefix++;
	}
	return *prefix == '\0';
}

bool fdt_valid(u64 tree)
{
	return tree != 0 && tree % 4 == 0 && be32(tree) == MAGIC &&
	       be32(tree + HDR_TOTAL) <= MAX_TREE_BYTES;
}

static u64 structs(u64 tree)
{
	return tree + be32(tree + HDR_STRUCT);
}

void fdt_walk_start(struct fdt_walk *walk, u64 tree)
{
	*walk = (struct fdt_walk){.tree = tree};
	walk->address_cells[0] = 2;
	walk->size_cells[0] = 1;
}

static u32 skip_name(u64 tree, u32 offset)
{
	const char *name = (const char *)(structs(tree) + offset);

	return (u32)(offset + ALIGN_UP(__builtin_strlen(name) + 1, 4));
}

static u32 skip_prop(u64 tree, u32 offset)
{
	return (u32)(offset + PROP_HEADER + ALIGN_UP(be32(structs(tree) + offset), 4));
}

bool fdt_walk_next(struct fdt_walk *walk, struct fdt_node *node)
{
	for (;;) {
		u32 token = be32(structs(walk->tree) + walk->offset);
		const u8 *cells;

		walk->offset += 4;
		switch (token) {
		case TOK_BEGIN:
			if (walk->depth >= FDT_DEPTH)
				return false;
			*node = (struct fdt_node){
			        .tree = walk->tree,
			        .depth = walk->depth,
			        .address_cells = walk->address_cells[walk->depth],
			        .size_cells = walk->size_cells[walk->depth],
			        .name = (const char *)(structs(walk->tree) + walk->offset)};
			walk->offset = skip_name(walk->tree, walk->offset);
			node->props = walk->offset;
			walk->depth++;
			cells = fdt_prop(node, "#address-cells", NULL);
			walk->address_cells[walk->depth] = cells != NULL ? fdt_cell(cells, 0) : 2;
			cells = fdt_prop(node, "#size-cells", NULL);
			walk->size_cells[walk->depth] = cells != NULL ? fdt_cell(cells, 0) : 1;
			return true;
		case TOK_END: walk->depth--; break;
		case TOK_PROP: walk->offset = skip_prop(walk->tree, walk->offset); break;
		case TOK_NOP: break;
		default: return false;
		}
	}
}

const u8 *fdt_prop(const struct fdt_node *node, const char *name, u32 *len)
{
	u64 strings = node->tree + be32(node->tree + HDR_STRINGS);

	for (u32 offset = node->props;;) {
		u64 at = structs(node->tree) + offset;
		u32 token = be32(at);

		offset += 4;
		if (token == TOK_NOP)
			continue;
		if (token != TOK_PROP)
			return NULL;
		if (str_equal((const char *)(strings + be32(at + 8)), name)) {
			if (len != NULL)
				*len = be32(at + 4);
			return (const u8 *)(at + 12);
		}
		offset = skip_prop(node->tree, offset);
	}
}

bool fdt_is_compatible(const struct fdt_node *node, const char *compatible)
{
	u32 len = 0;
	const char *list = (const char *)fdt_prop(node, "compatible", &len);

	for (u32 at = 0; list != NULL && at < len; at += (u32)__builtin_strlen(list + at) + 1) {
		if (str_equal(list + at, compatible))
			return true;
	}
	return false;
}

static u64 cells(const u8 *prop, u32 index, u32 count)
{
	u64 v = 0;

	for (u32 i = 0; i < count; i++)
		v = v << 32 | fdt_cell(prop, index + i);
	return v;
}

bool fdt_reg(const struct fdt_node *node, u32 index, u64 *base, u64 *bytes)
{
	u32 entry = node->address_cells + node->size_cells;
	u32 len = 0;
	const u8 *reg = fdt_prop(node, "reg", &len);

	if (reg == NULL || (index + 1) * entry * 4 > len)
		return false;
	*base = cells(reg, index * entry, node->address_cells);
	if (bytes != NULL)
		*bytes = cells(reg, index * entry + node->address_cells, node->size_cells);
	return true;
}
