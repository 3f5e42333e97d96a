// SPDX-License-Identifier: Apache-2.0
// Walks a flattened device tree that nobody has vouched for. Over libfdt, with bounds on everything.
#ifndef FDT_TREE_H
#define FDT_TREE_H

#include "base/types.h"

#define TREE_MAX_SIZE      ((uint32_t)MIB(2)) // bytes; the limit of the arm64 boot protocol
#define TREE_MAX_DEPTH     16                 // levels below the root
#define TREE_MAX_NAME      64                 // bytes of a property's name (the standard says 31)
#define TREE_MAX_TRANSLATE BIT_U32(20)        // entries of `ranges` looked at in one walk
#define TREE_HEADER_SIZE   40                 // bytes, version 17

enum tree_fault {
	TREE_OK,
	TREE_NONE,        // no tree: the pointer is NULL, or the magic number is not there
	TREE_MISALIGNED,  // not 8-byte aligned
	TREE_TOO_BIG,     // larger than TREE_MAX_SIZE, or than the space it lies in
	TREE_OLD_VERSION, // before version 17, or only for readers after it
	TREE_BROKEN,      // blocks, tags, names or nesting are not as they must be
	TREE_TOO_DEEP,
};

// The properties that a walk finds for every node by itself. Those of one first letter stand together (tree.c).
enum tree_prop {
	TREE_COMPATIBLE,
	TREE_REG,
	TREE_RANGES,
	TREE_STATUS,
	TREE_SECURE_STATUS,
	TREE_DEVICE_TYPE,
	TREE_ADDRESS_CELLS,
	TREE_SIZE_CELLS,
	TREE_INTERRUPT_CELLS,
	TREE_INTERRUPT_PARENT,
	TREE_PHANDLE,
	TREE_LINUX_PHANDLE,
	TREE_NR_PROPS,
};

// A property's bytes. data == NULL: there is no such property; an empty one has data and size 0.
struct tree_value {
	const uint8_t *data; // 4-byte aligned, big-endian
	uint32_t size;       // bytes
};

// One step of the path from the root to the node a walk is at.
struct tree_level {
	int offset;                // of the node
	uint32_t ranges;           // offset of the bytes of `ranges` from the tree's start
	uint32_t ranges_size;      // bytes
	uint32_t interrupt_parent; // phandle, 0: not given here
	uint8_t address_cells;     // for its children
	uint8_t size_cells;
	bool has_ranges;
	bool has_interrupt_cells;
	bool has_interrupt_parent;
	bool available; // `status` of this node and of all above it
};

// A walk over all nodes in the order of the file. level[depth] is the node itself.
struct tree_walk {
	const void *fdt;
	const uint8_t *structs; // its structure block
	const char *strings;    // its string block
	const char *name;       // with the unit address; of any length
	int next;               // offset of the tag to look at next
	int depth;              // 0: root; -1: before the first or after the last node
	uint32_t budget;        // entries of `ranges` that may still be looked at
	struct tree_level level[TREE_MAX_DEPTH + 1];
	struct {
		uint32_t offset; // from the tree's start; 0: absent
		uint32_t size;
	} prop[TREE_NR_PROPS];
};

// Checks all of a tree that lies at `fdt` with at most `max_size` bytes to read; only then may the other
// functions be used. Reads TREE_HEADER_SIZE bytes, then what the header claims. One pass.
enum tree_fault tree_check(const void *fdt, size_t max_size);
// A clause: "it is ...". Never NULL.
const char *tree_fault_text(enum tree_fault fault);

void tree_start(struct tree_walk *walk, const void *fdt);
// Goes to the next node; false after the last.
bool tree_next(struct tree_walk *walk);
// Starts a walk and goes to the node at `offset`, to that with a phandle, or to that of an absolute path
// (a unit address may be left out; the first that fits is taken). One pass each.
bool tree_goto(struct tree_walk *walk, const void *fdt, int offset);
bool tree_goto_phandle(struct tree_walk *walk, const void *fdt, uint32_t phandle);
// The path need not end in NUL. ERR_NOT_FOUND or an offset.
int tree_find_path(const void *fdt, const char *path, size_t length);

static inline int tree_offset(const struct tree_walk *walk)
{
	return walk->level[walk->depth].offset;
}
// `status` of the node and of all above it: absent, "okay" or "ok".
static inline bool tree_available(const struct tree_walk *walk)
{
	return walk->level[walk->depth].available;
}
// A node for the secure world alone: `status` says disabled, `secure-status` says okay.
bool tree_secure_only(const struct tree_walk *walk);

struct tree_value tree_prop(const struct tree_walk *walk, enum tree_prop prop);
// Any other property of the node.
struct tree_value tree_get(const struct tree_walk *walk, const char *name);

// Entry `index` of reg, as an address that a CPU would use: translated by the `ranges` of every bus
// above. False: no such entry, wraps, or some bus has no translation for all of it.
bool tree_reg(struct tree_walk *walk, unsigned index, uint64_t *base, uint64_t *size);
// Entry `index` of reg as it stands, for buses whose numbers are no addresses (/cpus).
bool tree_raw_reg(const struct tree_walk *walk, unsigned index, uint64_t *base, uint64_t *size);
// Entries of reg; 0 when its size is not a whole number of them.
unsigned tree_reg_count(const struct tree_walk *walk);
// Entry `index` of ranges: where that window of a bus lies for a CPU, and whether children see it at
// the same address. False: no such entry, or not translatable.
bool tree_window(struct tree_walk *walk, unsigned index, uint64_t *base, uint64_t *size,
                 bool *identity);

// Whether one of the strings in a string list equals `text`.
bool tree_list_has(struct tree_value value, const char *text);
// The position of `text` in a string list, or ERR_NOT_FOUND.
int tree_list_find(struct tree_value value, const char *text);
// The value as one NUL-terminated string (the first of a list), or NULL.
const char *tree_string(struct tree_value value);
// Whether the value is exactly that one string.
bool tree_is_string(struct tree_value value, const char *text);
// Cell `index` of a value; false when it is too short.
bool tree_cell(struct tree_value value, unsigned index, uint32_t *cell);
// A number of one or two cells, by the value's size; false: another size.
bool tree_number(struct tree_value value, uint64_t *number);
// Whether `name` is `base`, or `base` followed by a unit address.
bool tree_name_is(const char *name, const char *base);
// Copies a string for messages: cut to size, unprintable bytes become '?'.
void tree_copy_text(char *to, size_t size, const char *from);

#endif
