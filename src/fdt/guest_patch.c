// SPDX-License-Identifier: Apache-2.0
// Patching a guest's device tree as the firmware of a board does it before it starts a kernel: the tree is written
// anew, node by node, with what is to be different.
//
// Owns nothing. Called when a VM is built. Only libfdt's functions that read, and those that write in sequence:
// the others use FP registers, which are a guest's.
// Invariant: the tree was checked as a whole before anything looks at it, so that only room can be missing.
// Source: Devicetree Specification, "/chosen Node", "/memory node"; Linux kernel, Documentation/devicetree and
// Documentation/arm64/booting.rst for the spin table.
#include "fdt/guest_patch.h"

#include <libfdt.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "fdt/tree.h"

#define MAX_NAME   32
#define MAX_REG    4 // cells of one entry
#define TREE_ALIGN 8
#define NO_CPU     UINT64_MAX

struct patcher {
	const void *from;
	void *fdt;
	const struct guest_patch *patch;
	int depth;     // of the node that is being copied, 1: the root
	int left_out;  // depth of the node that is not copied, with all below it; 0: none
	int cpus;      // offset of /cpus while it is being copied, else 0
	bool chosen;   // the node is /chosen
	bool released; // the node is a CPU whose way to start was written
	bool has_chosen;
	int error; // of libfdt, 0: none
};

static void note(struct patcher *p, int error)
{
	if (p->error == 0 && error < 0)
		p->error = error;
}

static void put_string(struct patcher *p, const char *name, const char *text)
{
	note(p, fdt_property(p->fdt, name, text, (int)strlen(text) + 1));
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

// How many cells the children of `node` have of this kind; the standard's default where it does not say. (libfdt's own
// function stands beside one that uses FP registers.)
static int cells_of(const struct patcher *p, int node, const char *name, int otherwise)
{
	int length = 0;
	const fdt32_t *cells = fdt_getprop(p->from, node, name, &length);

	if (cells == NULL)
		return otherwise;
	return length == (int)sizeof(*cells) && fdt32_to_cpu(*cells) <= MAX_REG
	               ? (int)fdt32_to_cpu(*cells)
	               : -1;
}

static int address_cells(const struct patcher *p, int node)
{
	return cells_of(p, node, "#address-cells", 2);
}

// ---- memory ----

// A number as 1 or 2 cells; one that does not fit is as large as fits.
static unsigned put_cells(fdt32_t *cells, int count, uint64_t value)
{
	if (count == 1) {
		cells[0] = cpu_to_fdt32(value > UINT32_MAX ? UINT32_MAX : (uint32_t)value);
		return 1;
	}
	cells[0] = cpu_to_fdt32((uint32_t)(value >> 32));
	cells[1] = cpu_to_fdt32((uint32_t)value);
	return 2;
}

static void write_memory(struct patcher *p)
{
	const struct guest_patch *patch = p->patch;
	int address = address_cells(p, 0), size = cells_of(p, 0, "#size-cells", 1);
	fdt32_t reg[MAX_REG];
	char name[MAX_NAME];

	if (address < 1 || address > 2 || size < 1 || size > 2) { // no address could be said in it
		note(p, -FDT_ERR_BADNCELLS);
		return;
	}
	unsigned cells = put_cells(reg, address, patch->ram_base);
	cells += put_cells(reg + cells, size, patch->ram_size);
	(void)print_buffer(name, sizeof(name), "memory@%llx", (unsigned long long)patch->ram_base);
	note(p, fdt_begin_node(p->fdt, name));
	note(p, fdt_property(p->fdt, "reg", reg, (int)(cells * sizeof(reg[0]))));
	put_string(p, "device_type", "memory");
	note(p, fdt_end_node(p->fdt));
}

static void write_reservations(struct patcher *p)
{
	const struct guest_patch *patch = p->patch;
	int count = fdt_num_mem_rsv(p->from);
	bool done = patch->reserved_size == 0;

	for (int i = 0; i < count && p->error == 0; i++) {
		uint64_t base = 0, size = 0;
		note(p, fdt_get_mem_rsv(p->from, i, &base, &size));
		done = done || range_contains(base, size, patch->ram_base, patch->reserved_size);
		note(p, fdt_add_reservemap_entry(p->fdt, base, size));
	}
	if (!done)
		note(p, fdt_add_reservemap_entry(p->fdt, patch->ram_base, patch->reserved_size));
	note(p, fdt_finish_reservemap(p->fdt));
}

// Any node that says of itself that it is memory, and /memory, with any unit address.
static bool is_memory(const struct patcher *p, int node, const char *name)
{
	const char *type = fdt_getprop(p->from, node, "device_type", NULL);

	return (type != NULL && is(type, "memory")) ||
	       (p->depth == 2 && strncmp(name, "memory", strlen("memory")) == 0 &&
	        (name[strlen("memory")] == '\0' || name[strlen("memory")] == '@'));
}

// ---- /chosen ----

static void write_chosen(struct patcher *p)
{
	const struct guest_patch *patch = p->patch;

	p->has_chosen = true;
	if (patch->bootargs != NULL)
		put_string(p, "bootargs", patch->bootargs);
	if (patch->initrd_size != 0) {
		note(p, fdt_property_u64(p->fdt, "linux,initrd-start", patch->initrd_start));
		note(p, fdt_property_u64(p->fdt, "linux,initrd-end",
		                         patch->initrd_start + patch->initrd_size));
	}
	if (patch->rng_seed != NULL)
		note(p, fdt_property(p->fdt, "rng-seed", patch->rng_seed, GUEST_PATCH_RNG_SIZE));
	if (patch->kaslr_seed != NULL)
		note(p, fdt_property_u64(p->fdt, "kaslr-seed", *patch->kaslr_seed));
}

// What the tree says of another machine's start is not believed by a guest that has none of it.
static bool is_replaced(const struct patcher *p, const char *name)
{
	if (p->chosen)
		return (p->patch->bootargs != NULL && is(name, "bootargs")) ||
		       is(name, "linux,initrd-start") || is(name, "linux,initrd-end") ||
		       is(name, "rng-seed") || is(name, "kaslr-seed");
	return p->released && (is(name, "enable-method") || is(name, "cpu-release-addr"));
}

// ---- CPUs ----

// The number of a CPU's node by its reg, or NO_CPU.
static uint64_t cpu_number(const struct patcher *p, int node)
{
	int length = 0, cells = address_cells(p, p->cpus);
	const fdt32_t *reg = fdt_getprop(p->from, node, "reg", &length);
	const char *type = fdt_getprop(p->from, node, "device_type", NULL);

	if (reg == NULL || type == NULL || !is(type, "cpu") || cells < 1 || cells > 2 ||
	    length != cells * (int)sizeof(*reg))
		return NO_CPU;
	uint64_t high = cells == 2 ? fdt32_to_cpu(reg[0]) : 0;
	return high << 32 | fdt32_to_cpu(reg[cells - 1]);
}

static void write_release(struct patcher *p, uint64_t number)
{
	p->released = true;
	put_string(p, "enable-method", "spin-table");
	note(p, fdt_property_u64(p->fdt, "cpu-release-addr",
	                         p->patch->spin_table + number * sizeof(uint64_t)));
}

// ---- the copy ----

static void begin_node(struct patcher *p, int node)
{
	const char *name = fdt_get_name(p->from, node, NULL);
	uint64_t number = NO_CPU;

	p->depth++;
	if (p->left_out != 0)
		return;
	if (p->cpus != 0 && p->depth == 3 && p->patch->nr_cpus != 0)
		number = cpu_number(p, node);
	if (name == NULL || (p->depth > 1 && is_memory(p, node, name)) ||
	    (number != NO_CPU && number >= p->patch->nr_cpus)) {
		p->left_out = p->depth;
		return;
	}
	note(p, fdt_begin_node(p->fdt, name));
	p->chosen = p->depth == 2 && is(name, "chosen");
	p->released = false;
	if (p->depth == 2)
		p->cpus = is(name, "cpus") ? node : 0;
	if (p->chosen)
		write_chosen(p);
	if (number != NO_CPU && p->patch->spin_table != 0)
		write_release(p, number);
}

static void end_node(struct patcher *p)
{
	p->depth--;
	p->chosen = p->released = false;
	if (p->left_out != 0) {
		if (p->left_out == p->depth + 1)
			p->left_out = 0;
		return;
	}
	if (p->depth == 0 && !p->has_chosen) {
		note(p, fdt_begin_node(p->fdt, "chosen"));
		write_chosen(p);
		note(p, fdt_end_node(p->fdt));
	}
	if (p->depth == 0)
		write_memory(p);
	note(p, fdt_end_node(p->fdt));
}

static void copy_property(struct patcher *p, int offset)
{
	const char *name;
	int length;
	const void *value = fdt_getprop_by_offset(p->from, offset, &name, &length);

	if (p->left_out != 0)
		return;
	if (value == NULL)
		note(p, length);
	else if (!is_replaced(p, name))
		note(p, fdt_property(p->fdt, name, value, length));
}

static void copy_tree(struct patcher *p)
{
	int offset, next = 0;

	do {
		offset = next;
		switch (fdt_next_tag(p->from, offset, &next)) {
		case FDT_BEGIN_NODE: begin_node(p, offset); break;
		case FDT_END_NODE: end_node(p); break;
		case FDT_PROP: copy_property(p, offset); break;
		case FDT_END: return;
		}
		note(p, next);
	} while (p->error == 0);
}

// Where the tree can be read while the new one is written: where it is, or at the end of the buffer, whose `*size` becomes
// smaller. NULL: there is no room.
static const void *put_aside(void *buffer, size_t *size, const void *dtb, size_t dtb_size)
{
	if (dtb != buffer && is_aligned((uintptr_t)dtb, TREE_ALIGN))
		return dtb;
	size_t room = align_up(dtb_size, TREE_ALIGN);
	if (room > *size / TREE_ALIGN * TREE_ALIGN)
		return NULL;
	*size = *size / TREE_ALIGN * TREE_ALIGN - room;
	return memmove((uint8_t *)buffer + *size, dtb, dtb_size);
}

int guest_patch(void *buffer, size_t size, const void *dtb, size_t dtb_size,
                const struct guest_patch *patch)
{
	struct patcher p = {.fdt = buffer, .patch = patch};

	if (dtb_size > size || size > INT32_MAX)
		return ERR_NO_MEMORY;
	p.from = put_aside(buffer, &size, dtb, dtb_size);
	if (p.from == NULL)
		return ERR_NO_MEMORY;
	if (tree_check(p.from, dtb_size) != TREE_OK)
		return ERR_INVALID;
	note(&p, fdt_create(buffer, (int)size));
	write_reservations(&p);
	copy_tree(&p);
	if (p.error == 0)
		note(&p, fdt_finish(buffer));
	if (p.error != 0)
		return p.error == -FDT_ERR_NOSPACE ? ERR_NO_MEMORY : ERR_INVALID;
	return (int)fdt_totalsize(buffer);
}
