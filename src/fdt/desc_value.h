// SPDX-License-Identifier: Apache-2.0
// What desc.c and desc_value.c share: how a property is described, and how one is taken.
#ifndef FDT_DESC_VALUE_H
#define FDT_DESC_VALUE_H

#include "fdt/desc.h"
#include "fdt/tree.h"

#define NO_OFFSET  SIZE_MAX
#define WHERE_SIZE 96

enum kind {
	KIND_IGNORED, // part of the form, without meaning here
	KIND_CONST,   // the string list must name `text`
	KIND_STRING,  // const char *, at most `max` bytes
	KIND_PATH,    // the same, not empty
	KIND_FILE,    // const struct desc_file *, by its path
	KIND_U64,     // uint64_t, min..max, a multiple of `unit`
	KIND_U32,     // uint32_t, min..max
	KIND_BOOL,    // bool, from a cell that is 0 or 1
	KIND_FLAG,    // bool, true by being there
	KIND_CHOICE,  // uint32_t, one of `choices`
	KIND_BYTES,   // const uint8_t *, exactly `max` bytes
	KIND_PINS,    // desc_vm.pin
	KIND_DISKS,   // desc_vm.disks, nr_disks
	KIND_BUDGET,  // desc_vm.budget_us, period_us
	KIND_NETS,    // desc_vm.nic_net
	KIND_MACS,    // desc_vm.macs
};

struct choice {
	const char *text; // NULL ends the list
	uint32_t value;
};

// One property: its name, its form, its limits and where the value goes.
struct rule {
	const char *name;
	enum kind kind;
	bool required;
	size_t field;     // offset in the struct, or NO_OFFSET
	size_t has_field; // offset of a bool that is set when the property is there, or NO_OFFSET
	uint64_t min, max, unit;
	const char *text;
	const struct choice *choices;
};

struct reader {
	const void *fdt;
	struct desc *desc;
	struct desc_problem *problem;
	char where[WHERE_SIZE]; // the node being read, for messages
};

// The sentence for *reader->problem: what is wrong with property `name` of the node that is being read; "": with the
// node. ERR_INVALID, for the caller to return.
PRINTF_LIKE(3, 4) int desc_fail(struct reader *reader, const char *name, const char *format, ...);

// Checks `value` by `rule` and stores it in `object`, the struct that the rule's offsets are of. 0, or ERR_INVALID
// with the problem said.
int desc_take(struct reader *reader, const struct rule *rule, struct tree_value value,
              void *object);

// What one string of `disks` says. NULL, or what is wrong with it.
const char *desc_parse_disk(const struct desc *desc, const char *text, struct desc_disk *disk);

// The file of this name among those read so far, or NULL.
const struct desc_file *desc_find_file(const struct desc *desc, const char *path);

// ---- desc_net.c: each returns 0, or ERR_INVALID with the problem said ----

int desc_take_nets(struct reader *reader, const struct rule *rule, struct tree_value value,
                   struct desc_vm *vm);
int desc_take_macs(struct reader *reader, const struct rule *rule, struct tree_value value,
                   struct desc_vm *vm);
// A net that was read and is not among the others yet; the interfaces of a VM that is not yet.
int desc_check_net(struct reader *reader, const struct desc_net *net);
int desc_check_nics(struct reader *reader, const struct desc_vm *vm);

#endif
