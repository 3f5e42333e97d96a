// SPDX-License-Identifier: Apache-2.0
//
// Changes to a board's device tree that a boot loader would make, over libfdt.
//
// Called by machine.c, card.c and card_boot.c. Owns nothing.
// Invariant: the file is never changed, only a copy.
// Source: Devicetree Specification, "/chosen Node", "/aliases Node", "/memory node"; Linux, booting.rst.
#include "tree_edit.h"

#include <libfdt.h>
#include <string.h>

#define GROWTH     KIB(4) // room for a few properties
#define CELL_BYTES 4
#define MAX_CELLS  2

bool tree_edit_sound(struct blob file)
{
	return file.size >= sizeof(struct fdt_header) && fdt_check_header(file.data) == 0 &&
	       fdt_totalsize(file.data) <= file.size;
}

struct tree_edit tree_edit_open(struct blob file)
{
	size_t room = fdt_totalsize(file.data) + GROWTH;
	struct tree_edit edit = {.fdt = util_alloc(room)};

	edit.error = fdt_open_into(file.data, edit.fdt, (int)room);
	return edit;
}

// The node of this name below the root, made if it is missing; negative after an error.
static int root_node(struct tree_edit *edit, const char *name)
{
	int node;

	if (edit->error != 0)
		return edit->error;
	node = fdt_subnode_offset(edit->fdt, 0, name);
	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(edit->fdt, 0, name);
	if (node < 0)
		edit->error = node;
	return node;
}

static void note(struct tree_edit *edit, int rc)
{
	if (edit->error == 0 && rc < 0)
		edit->error = rc;
}

static void set_text(struct tree_edit *edit, int node, const char *name, const char *text)
{
	if (node >= 0)
		note(edit, fdt_setprop(edit->fdt, node, name, text, (int)strlen(text) + 1));
}

void tree_edit_initrd(struct tree_edit *edit, uint64_t start, uint64_t size)
{
	int chosen = root_node(edit, "chosen");

	if (chosen < 0)
		return;
	note(edit, fdt_setprop_u64(edit->fdt, chosen, "linux,initrd-start", start));
	note(edit, fdt_setprop_u64(edit->fdt, chosen, "linux,initrd-end", start + size));
}

void tree_edit_bootargs(struct tree_edit *edit, const char *text)
{
	set_text(edit, root_node(edit, "chosen"), "bootargs", text);
}

// Writes `value` in so many cells; returns what is behind them.
static fdt32_t *put_cells(fdt32_t *to, int cells, uint64_t value)
{
	while (cells-- > 0)
		*to++ = cpu_to_fdt32(cells < MAX_CELLS ? (uint32_t)(value >> (32 * cells)) : 0);
	return to;
}

// The node of the memory, which is called memory@0, or by another address.
static int memory_node(const void *fdt)
{
	int node;

	fdt_for_each_subnode (node, fdt, 0) {
		const char *type = fdt_getprop(fdt, node, "device_type", NULL);

		if (type != NULL && strcmp(type, "memory") == 0)
			return node;
	}
	return -FDT_ERR_NOTFOUND;
}

void tree_edit_memory(struct tree_edit *edit, uint64_t size)
{
	fdt32_t reg[2 * MAX_CELLS];
	int node, addresses, sizes;

	if (edit->error != 0)
		return;
	addresses = fdt_address_cells(edit->fdt, 0);
	sizes = fdt_size_cells(edit->fdt, 0);
	node = memory_node(edit->fdt);
	if (node == -FDT_ERR_NOTFOUND) {
		node = root_node(edit, "memory@0");
		set_text(edit, node, "device_type", "memory");
	}
	if (node < 0 || addresses < 1 || addresses > MAX_CELLS || sizes < 1 || sizes > MAX_CELLS) {
		note(edit, node < 0 ? node : -FDT_ERR_BADNCELLS);
		return;
	}
	put_cells(put_cells(reg, addresses, 0), sizes, size);
	note(edit, fdt_setprop(edit->fdt, node, "reg", reg, (addresses + sizes) * CELL_BYTES));
}

// A property's text, or NULL if it is none.
static const char *text_of(const void *fdt, const char *path, const char *name)
{
	int node = fdt_path_offset(fdt, path), size = 0;
	const char *text = node >= 0 ? fdt_getprop(fdt, node, name, &size) : NULL;

	return text != NULL && size > 0 && text[size - 1] == '\0' ? text : NULL;
}

// The path of the UART that stdout-path names, without its options; NULL: none.
static const char *stdout_node(const void *fdt)
{
	const char *text = text_of(fdt, "/chosen", "stdout-path");
	char *name;

	if (text == NULL)
		return NULL;
	name = util_format("%s", text);
	name[strcspn(name, ":")] = '\0';
	return *name == '/' ? name : text_of(fdt, "/aliases", name);
}

void tree_edit_serial0(struct tree_edit *edit)
{
	const char *uart = edit->error == 0 ? stdout_node(edit->fdt) : NULL;
	const char *old = edit->error == 0 ? text_of(edit->fdt, "/chosen", "stdout-path") : NULL;
	const char *first = edit->error == 0 ? text_of(edit->fdt, "/aliases", "serial0") : NULL;
	const char *options;

	if (uart == NULL || (first != NULL && strcmp(first, uart) == 0))
		return;
	uart = util_format("%s", uart); // what follows moves the tree's own
	first = first != NULL ? util_format("%s", first) : NULL;
	options = strchr(old, ':') != NULL ? util_format("%s", strchr(old, ':')) : "";
	set_text(edit, root_node(edit, "chosen"), "stdout-path", util_format("serial0%s", options));
	set_text(edit, root_node(edit, "aliases"), "serial0", uart);
	if (first != NULL)
		set_text(edit, root_node(edit, "aliases"), "serial1", first);
}

const char *tree_edit_close(struct tree_edit *edit, struct blob *out)
{
	if (edit->error == 0)
		edit->error = fdt_pack(edit->fdt);
	*out = (struct blob){edit->fdt, edit->error == 0 ? fdt_totalsize(edit->fdt) : 0};
	return edit->error == 0 ? NULL
	                        : util_format("the board's tree cannot be changed: %s",
	                                      fdt_strerror(edit->error));
}

bool tree_edit_has_pl011(struct blob file, bool serial0)
{
	const char *path = serial0 ? text_of(file.data, "/aliases", "serial0") : NULL;
	int node;

	if (path == NULL)
		path = stdout_node(file.data);
	node = path != NULL ? fdt_path_offset(file.data, path) : -1;
	return node >= 0 && fdt_node_check_compatible(file.data, node, "arm,pl011") == 0;
}
