// SPDX-License-Identifier: Apache-2.0
// A writer of device trees: libfdt's sequential-write calls with one sticky error.
//
// Owns nothing: the buffer is the caller's. Called by fdt/guest_virt and by devices for their nodes.
// Invariant: never writes outside the buffer; a tree that did not fit is reported by finish, not used.
// Source: Devicetree Specification, "Flattened Devicetree (DTB) Format".
#include "fdt/guest_tree.h"

#include <libfdt.h>

#include "base/print.h"
#include "base/string.h"

#define MAX_NAME  64 // node name with its unit address
#define MAX_PAIRS 8
#define MAX_CELLS 32

static void note(struct guest_tree *tree, int error)
{
	if (tree->error == 0)
		tree->error = error;
}

void guest_tree_begin(struct guest_tree *tree, void *buffer, size_t size)
{
	const int limit = size > INT32_MAX ? INT32_MAX : (int)size;

	*tree = (struct guest_tree){.buffer = buffer, .error = 0};
	// Looking each name up among those that are there would take most of the time; 2 KiB of names are the price.
	note(tree, fdt_create_with_flags(buffer, limit, FDT_CREATE_FLAG_NO_NAME_DEDUP));
	if (tree->error == 0)
		note(tree, fdt_finish_reservemap(buffer));
}

int guest_tree_finish(struct guest_tree *tree)
{
	if (tree->error == 0)
		note(tree, fdt_finish(tree->buffer));
	return tree->error == 0 ? (int)fdt_totalsize(tree->buffer) : ERR_NO_MEMORY;
}

void guest_tree_open(struct guest_tree *tree, const char *name)
{
	if (tree->error == 0)
		note(tree, fdt_begin_node(tree->buffer, name));
}

void guest_tree_open_at(struct guest_tree *tree, const char *name, uint64_t address)
{
	char full[MAX_NAME];

	(void)print_buffer(full, sizeof(full), "%s@%llx", name, (unsigned long long)address);
	guest_tree_open(tree, full);
}

void guest_tree_close(struct guest_tree *tree)
{
	if (tree->error == 0)
		note(tree, fdt_end_node(tree->buffer));
}

void guest_tree_bytes(struct guest_tree *tree, const char *name, const void *bytes, size_t size)
{
	if (size > INT32_MAX)
		note(tree, -FDT_ERR_NOSPACE);
	if (tree->error == 0)
		note(tree, fdt_property(tree->buffer, name, bytes, (int)size));
}

void guest_tree_flag(struct guest_tree *tree, const char *name)
{
	guest_tree_bytes(tree, name, "", 0);
}

void guest_tree_string(struct guest_tree *tree, const char *name, const char *string)
{
	guest_tree_bytes(tree, name, string, strlen(string) + 1);
}

void guest_tree_strings(struct guest_tree *tree, const char *name, const char *first,
                        const char *second)
{
	const size_t lead = strlen(first) + 1, tail = strlen(second) + 1;
	void *room = NULL;

	if (lead + tail > INT32_MAX)
		note(tree, -FDT_ERR_NOSPACE);
	if (tree->error == 0)
		note(tree, fdt_property_placeholder(tree->buffer, name, (int)(lead + tail), &room));
	if (tree->error != 0)
		return;
	memcpy(room, first, lead);
	memcpy((char *)room + lead, second, tail);
}

void guest_tree_cells(struct guest_tree *tree, const char *name, const uint32_t *cells,
                      unsigned count)
{
	fdt32_t big[MAX_CELLS] = {0};

	if (count > MAX_CELLS) {
		note(tree, -FDT_ERR_NOSPACE);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		big[i] = cpu_to_fdt32(cells[i]);
	guest_tree_bytes(tree, name, big, count * sizeof(big[0]));
}

void guest_tree_cell(struct guest_tree *tree, const char *name, uint32_t cell)
{
	guest_tree_cells(tree, name, &cell, 1);
}

void guest_tree_u64(struct guest_tree *tree, const char *name, uint64_t value)
{
	const uint32_t cells[] = {(uint32_t)(value >> 32), (uint32_t)value};

	guest_tree_cells(tree, name, cells, 2);
}

void guest_tree_reg(struct guest_tree *tree, const uint64_t (*pairs)[2], unsigned count)
{
	uint32_t cells[4 * MAX_PAIRS] = {0};

	if (count > MAX_PAIRS) {
		note(tree, -FDT_ERR_NOSPACE);
		return;
	}
	for (unsigned i = 0; i < 2 * count; i++) {
		const uint64_t value = pairs[i / 2][i % 2];

		cells[2 * i] = (uint32_t)(value >> 32);
		cells[2 * i + 1] = (uint32_t)value;
	}
	guest_tree_cells(tree, "reg", cells, 4 * count);
}

void guest_tree_irq(struct guest_tree *tree, enum guest_irq_kind kind, uint32_t number,
                    uint32_t flags)
{
	const uint32_t cells[] = {(uint32_t)kind, number, flags};

	guest_tree_cells(tree, "interrupts", cells, 3);
}
