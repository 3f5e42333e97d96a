// SPDX-License-Identifier: Apache-2.0
// Checking and walking a flattened device tree.
//
// Owns nothing: a walk is the caller's, a tree is read where it lies. Called by fdt/board, fdt/desc
// and the host command.
// Invariant: after tree_check() has said TREE_OK, no function here reads outside the tree, nests deeper
// than TREE_MAX_DEPTH, or does more work than a constant times the tree's size.
// Source: Devicetree Specification, "Flattened Devicetree (DTB) Format", "Standard Properties".
//
// libfdt alone does not promise that: a property's name may share a megabyte of string block with
// thousands of others, an alias may name itself, and a parent is found by walking from the root.
#include "fdt/tree.h"

#include <libfdt.h>

#include "base/bits.h"
#include "base/string.h"

#define TREE_VERSION         17
#define TREE_LARGEST_CELLS   4 // of an address or size that is read at all
#define TREE_DEFAULT_ADDRESS 2 // the standard's defaults for a bus that does not say
#define TREE_DEFAULT_SIZE    1
#define TAG_SIZE             4
#define PROP_SIZE            12 // tag, length, name

static const char *const prop_names[TREE_NR_PROPS] = {
        [TREE_COMPATIBLE] = "compatible",
        [TREE_REG] = "reg",
        [TREE_RANGES] = "ranges",
        [TREE_STATUS] = "status",
        [TREE_SECURE_STATUS] = "secure-status",
        [TREE_DEVICE_TYPE] = "device_type",
        [TREE_ADDRESS_CELLS] = "#address-cells",
        [TREE_SIZE_CELLS] = "#size-cells",
        [TREE_INTERRUPT_CELLS] = "#interrupt-cells",
        [TREE_INTERRUPT_PARENT] = "interrupt-parent",
        [TREE_PHANDLE] = "phandle",
        [TREE_LINUX_PHANDLE] = "linux,phandle",
};

// Those of one first letter stand together.
#define LETTERS 128
static const struct {
	uint8_t first, count;
} props_by_letter[LETTERS] = {
        ['c'] = {TREE_COMPATIBLE, 1},    ['r'] = {TREE_REG, 2},
        ['s'] = {TREE_STATUS, 2},        ['d'] = {TREE_DEVICE_TYPE, 1},
        ['#'] = {TREE_ADDRESS_CELLS, 3}, ['i'] = {TREE_INTERRUPT_PARENT, 1},
        ['p'] = {TREE_PHANDLE, 1},       ['l'] = {TREE_LINUX_PHANDLE, 1},
};

static const char *const fault_texts[] = {
        [TREE_OK] = "it is sound",
        [TREE_NONE] = "there is none (no magic number d00dfeed)",
        [TREE_MISALIGNED] = "it is not aligned to 8 bytes",
        [TREE_TOO_BIG] = "it is larger than the space it has, or than 2 MiB",
        [TREE_OLD_VERSION] = "it is not of format version 17",
        [TREE_BROKEN] = "its structure is damaged",
        [TREE_TOO_DEEP] = "it nests deeper than 16 levels",
};

const char *tree_fault_text(enum tree_fault fault)
{
	if ((unsigned)fault >= ARRAY_SIZE(fault_texts))
		return "it is unusable";
	return fault_texts[fault];
}

// --- checking -----------------------------------------------------------------------------------

// A property's name must lie in the string block and end soon, so that no later comparison is long.
static bool name_is_sound(const void *fdt, uint32_t name_offset)
{
	const uint32_t size = fdt_size_dt_strings(fdt);
	const char *strings = (const char *)fdt + fdt_off_dt_strings(fdt);

	if (name_offset >= size)
		return false;
	const size_t room = size - name_offset < TREE_MAX_NAME ? size - name_offset : TREE_MAX_NAME;
	return memchr(strings + name_offset, '\0', room) != NULL;
}

static enum tree_fault check_prop(const void *fdt, int offset)
{
	int length;
	const struct fdt_property *prop = fdt_get_property_by_offset(fdt, offset, &length);

	if (prop == NULL || length < 0 || !name_is_sound(fdt, fdt32_ld(&prop->nameoff)))
		return TREE_BROKEN;
	return TREE_OK;
}

// As the root has to be. libfdt has just stepped over the node, so that its name lies in the block.
static bool has_no_name(const void *fdt, int offset)
{
	const char *name = fdt_get_name(fdt, offset, NULL);

	return name != NULL && name[0] == '\0';
}

// One pass over the structure block: one root, nesting within bounds, everything closed. What passes has also passed
// libfdt's fdt_check_full, which would go over all of it once more.
static enum tree_fault check_structure(const void *fdt)
{
	int offset = 0, next = 0, depth = -1;
	bool seen_root = false;

	for (;; offset = next) {
		const uint32_t tag = fdt_next_tag(fdt, offset, &next);

		if (next < 0)
			return TREE_BROKEN;
		switch (tag) {
		case FDT_BEGIN_NODE:
			if (depth < 0 && (seen_root || !has_no_name(fdt, offset)))
				return TREE_BROKEN;
			if (++depth > TREE_MAX_DEPTH)
				return TREE_TOO_DEEP;
			seen_root = true;
			break;
		case FDT_END_NODE:
			if (depth-- < 0)
				return TREE_BROKEN;
			break;
		case FDT_PROP:
			if (depth < 0 || check_prop(fdt, offset) != TREE_OK)
				return TREE_BROKEN;
			break;
		case FDT_NOP: break;
		case FDT_END: return depth < 0 && seen_root ? TREE_OK : TREE_BROKEN;
		default: return TREE_BROKEN;
		}
	}
}

enum tree_fault tree_check(const void *fdt, size_t max_size)
{
	if (fdt == NULL)
		return TREE_NONE;
	if (!is_aligned((uintptr_t)fdt, sizeof(uint64_t)))
		return TREE_MISALIGNED;
	if (max_size < TREE_HEADER_SIZE)
		return TREE_TOO_BIG;
	if (fdt_magic(fdt) != FDT_MAGIC)
		return TREE_NONE;
	if (fdt_version(fdt) < TREE_VERSION || fdt_last_comp_version(fdt) > TREE_VERSION)
		return TREE_OLD_VERSION;
	if (fdt_totalsize(fdt) > TREE_MAX_SIZE || fdt_totalsize(fdt) > max_size)
		return TREE_TOO_BIG;
	if (fdt_check_header(fdt) != 0 || !is_aligned(fdt_off_dt_struct(fdt), TAG_SIZE))
		return TREE_BROKEN;
	return fdt_num_mem_rsv(fdt) >= 0 ? check_structure(fdt) : TREE_BROKEN;
}

// --- walking ------------------------------------------------------------------------------------

void tree_start(struct tree_walk *walk, const void *fdt)
{
	memset(walk, 0, sizeof(*walk));
	walk->fdt = fdt;
	walk->structs = (const uint8_t *)fdt + fdt_off_dt_struct(fdt);
	walk->strings = (const char *)fdt + fdt_off_dt_strings(fdt);
	walk->depth = -1;
	walk->budget = TREE_MAX_TRANSLATE;
}

// The walk steps over tags by itself: libfdt calls a function for each byte of each name, and boot
// would feel that. Only for trees that tree_check() has passed.
static uint32_t word_at(const struct tree_walk *walk, int offset)
{
	return fdt32_to_cpu(*(const fdt32_t *)(const void *)(walk->structs + offset));
}

static const char *name_at(const struct tree_walk *walk, int offset)
{
	return (const char *)walk->structs + offset + TAG_SIZE;
}

// The offset of the tag after the one at `offset`.
static int step_over(const struct tree_walk *walk, int offset, uint32_t tag)
{
	size_t size = TAG_SIZE;

	if (tag == FDT_BEGIN_NODE)
		size += strlen(name_at(walk, offset)) + 1;
	else if (tag == FDT_PROP)
		size = PROP_SIZE + word_at(walk, offset + TAG_SIZE);
	return offset + (int)align_up(size, TAG_SIZE);
}

static void remember_prop(struct tree_walk *walk, int offset)
{
	const char *name = walk->strings + word_at(walk, offset + 2 * TAG_SIZE);
	const unsigned letter = (uint8_t)name[0] % LETTERS, first = props_by_letter[letter].first;

	for (unsigned i = first; i < first + props_by_letter[letter].count; i++) {
		if (walk->prop[i].offset != 0 || strcmp(name, prop_names[i]) != 0)
			continue;
		walk->prop[i].offset = fdt_off_dt_struct(walk->fdt) + (uint32_t)offset + PROP_SIZE;
		walk->prop[i].size = word_at(walk, offset + TAG_SIZE);
		return;
	}
}

// Cells of an address or size; more than can be read becomes a count that nothing matches.
static uint8_t cell_count(const struct tree_walk *walk, enum tree_prop prop, uint8_t standard)
{
	uint32_t count;

	if (!tree_cell(tree_prop(walk, prop), 0, &count))
		return standard;
	return count > TREE_LARGEST_CELLS ? TREE_LARGEST_CELLS + 1 : (uint8_t)count;
}

static bool status_is_okay(struct tree_value status)
{
	return status.data == NULL || tree_is_string(status, "okay") ||
	       tree_is_string(status, "ok");
}

static void enter_node(struct tree_walk *walk, int offset)
{
	struct tree_level *level = &walk->level[walk->depth];
	const struct tree_value ranges = tree_prop(walk, TREE_RANGES);
	const bool parent_available = walk->depth == 0 || walk->level[walk->depth - 1].available;

	level->offset = offset;
	level->has_ranges = ranges.data != NULL;
	level->ranges = walk->prop[TREE_RANGES].offset;
	level->ranges_size = ranges.size;
	level->address_cells = cell_count(walk, TREE_ADDRESS_CELLS, TREE_DEFAULT_ADDRESS);
	level->size_cells = cell_count(walk, TREE_SIZE_CELLS, TREE_DEFAULT_SIZE);
	level->has_interrupt_cells = walk->prop[TREE_INTERRUPT_CELLS].offset != 0;
	level->interrupt_parent = 0;
	level->has_interrupt_parent =
	        tree_cell(tree_prop(walk, TREE_INTERRUPT_PARENT), 0, &level->interrupt_parent);
	level->available = parent_available && status_is_okay(tree_prop(walk, TREE_STATUS));
}

// Leaves walk->next at the first tag that is not a property of the node that begins at `offset`.
static void read_node(struct tree_walk *walk, int offset)
{
	int at = step_over(walk, offset, FDT_BEGIN_NODE);

	walk->depth++;
	walk->name = name_at(walk, offset);
	memset(walk->prop, 0, sizeof(walk->prop));
	for (;;) {
		const uint32_t tag = word_at(walk, at);

		if (tag == FDT_PROP)
			remember_prop(walk, at);
		else if (tag != FDT_NOP)
			break;
		at = step_over(walk, at, tag);
	}
	walk->next = at;
	enter_node(walk, offset);
}

bool tree_next(struct tree_walk *walk)
{
	while (walk->next >= 0) {
		const int at = walk->next;
		const uint32_t tag = word_at(walk, at);

		if (tag == FDT_BEGIN_NODE) {
			read_node(walk, at);
			return true;
		}
		if (tag == FDT_END || (tag == FDT_END_NODE && --walk->depth < 0))
			break;
		walk->next =
		        step_over(walk, at, tag); // a property behind a child belongs to nobody
	}
	// Over: whoever asks again hears the same.
	walk->depth = -1;
	walk->next = -1;
	return false;
}

bool tree_goto(struct tree_walk *walk, const void *fdt, int offset)
{
	tree_start(walk, fdt);
	while (tree_next(walk)) {
		if (tree_offset(walk) == offset)
			return true;
	}
	return false;
}

bool tree_goto_phandle(struct tree_walk *walk, const void *fdt, uint32_t phandle)
{
	uint32_t own;

	tree_start(walk, fdt);
	while (phandle != 0 && tree_next(walk)) {
		if (tree_cell(tree_prop(walk, TREE_PHANDLE), 0, &own) && own == phandle)
			return true;
		if (tree_cell(tree_prop(walk, TREE_LINUX_PHANDLE), 0, &own) && own == phandle)
			return true;
	}
	return false;
}

// Whether a node's name is the `length` bytes at `part`, with its unit address or without.
static bool name_matches(const char *name, const char *part, size_t length)
{
	if (strncmp(name, part, length) != 0)
		return false;
	return name[length] == '\0' || (name[length] == '@' && memchr(part, '@', length) == NULL);
}

int tree_find_path(const void *fdt, const char *path, size_t length)
{
	const char *const end = path + length, *part = path;
	struct tree_walk walk;
	int depth = 0; // of the node that the next part of the path is looked for under, plus one

	// An alias is not followed here: it could name itself.
	if (length == 0 || path[0] != '/')
		return ERR_NOT_FOUND;
	for (tree_start(&walk, fdt); tree_next(&walk) && walk.depth >= depth;) {
		if (walk.depth > depth)
			continue;
		if (depth > 0) {
			const char *slash = memchr(part, '/', (size_t)(end - part));
			const char *stop = slash != NULL ? slash : end;

			if (!name_matches(walk.name, part, (size_t)(stop - part)))
				continue;
			part = stop;
		}
		while (part < end && *part == '/')
			part++;
		if (part == end)
			return tree_offset(&walk);
		depth++;
	}
	return ERR_NOT_FOUND;
}

bool tree_secure_only(const struct tree_walk *walk)
{
	const struct tree_value status = tree_prop(walk, TREE_STATUS);
	const struct tree_value secure = tree_prop(walk, TREE_SECURE_STATUS);

	return !status_is_okay(status) && secure.data != NULL && status_is_okay(secure);
}

struct tree_value tree_prop(const struct tree_walk *walk, enum tree_prop prop)
{
	const uint32_t offset = walk->prop[prop].offset;

	if (offset == 0)
		return (struct tree_value){NULL, 0};
	return (struct tree_value){(const uint8_t *)walk->fdt + offset, walk->prop[prop].size};
}

struct tree_value tree_get(const struct tree_walk *walk, const char *name)
{
	int length;
	const void *data = fdt_getprop(walk->fdt, tree_offset(walk), name, &length);

	if (data == NULL || length < 0)
		return (struct tree_value){NULL, 0};
	return (struct tree_value){data, (uint32_t)length};
}
