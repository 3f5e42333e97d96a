// SPDX-License-Identifier: Apache-2.0
// From the flattened form to the source that `dtc` reads. Owns nothing: the state is the caller's, the
// tree is read where it lies. Called by the shell's `dt`.
// Invariant: t->at <= t->end, within what may be read; every piece moves on or is the last.
// Source: Devicetree Specification, "Flattened Devicetree (DTB) Format", "Devicetree Source (DTS)
// Format".
#include "fdt/tree_text.h"

#include <libfdt.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "fdt/tree.h"

#define STRINGS_MAX 2048 // bytes of a property that are looked at for whether they are strings
#define CHARACTERS  64   // of a name or string in one piece
#define CELLS       8    // in one piece, and on one line
#define BYTES       24
#define NOPS        64
#define INDENT_MAX  16
#define LABEL_MAX   64 // of a property's name

enum state { HEAD, TAG, NAME, STRINGS, CELL, BYTE, END };

static uint32_t read_be32(const struct tree_text *t, uint32_t at)
{
	return fdt32_ld((const fdt32_t *)(const void *)(t->fdt + at));
}

bool tree_text_begin(struct tree_text *t, const void *fdt, size_t max_size)
{
	*t = (struct tree_text){.fdt = fdt};
	if (fdt == NULL || !is_aligned((uintptr_t)fdt, sizeof(uint64_t)) ||
	    max_size < TREE_HEADER_SIZE || fdt_magic(fdt) != FDT_MAGIC)
		return false;
	uint64_t size = fdt_totalsize(fdt);
	if (size > max_size || size > TREE_MAX_SIZE)
		return false;
	t->at = fdt_off_dt_struct(fdt);
	t->strings = fdt_off_dt_strings(fdt);
	t->nr_bytes = fdt_size_dt_strings(fdt);
	if (!range_contains(0, size, t->at, fdt_size_dt_struct(fdt)) ||
	    !range_contains(0, size, t->strings, t->nr_bytes) || !is_aligned(t->at, 4))
		return false;
	t->end = t->at + fdt_size_dt_struct(fdt);
	return true;
}

static size_t indent(const struct tree_text *t, char *piece)
{
	uint32_t depth = t->depth < INDENT_MAX ? t->depth : INDENT_MAX;

	memset(piece, ' ', 4 * (size_t)depth);
	piece[4 * depth] = '\0';
	return 4 * (size_t)depth;
}

static bool damaged(struct tree_text *t, char *piece)
{
	t->state = END;
	print_buffer(piece, TREE_TEXT_PIECE, "\n// here the tree is damaged\n");
	return false;
}

// Past what was read, to the next tag. False: there is no room for one.
static bool to_tag(struct tree_text *t)
{
	t->at = (uint32_t)align_up(t->at, 4);
	t->state = TAG;
	return t->at <= t->end;
}

// ---- properties ----

// Whether all of it is strings that can be shown between quotes, none of them empty.
static bool are_strings(const struct tree_text *t)
{
	const uint8_t *p = t->fdt + t->at;

	if (t->left > STRINGS_MAX || p[t->left - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < t->left; i++) {
		bool is_end = p[i] == '\0' && i > 0 && p[i - 1] != '\0';
		if (!is_end && (p[i] < ' ' || p[i] > '~'))
			return false;
	}
	return true;
}

// What a guest's random numbers and its kernel's place follow from: a screen or a log is no place for it.
static bool is_secret(const char *label)
{
	return strcmp(label, "rng-seed") == 0 || strcmp(label, "kaslr-seed") == 0;
}

static bool begin_property(struct tree_text *t, char *piece)
{
	uint32_t length, name;
	size_t n = indent(t, piece);

	if (t->end - t->at < 8)
		return damaged(t, piece);
	length = read_be32(t, t->at);
	name = read_be32(t, t->at + 4);
	t->at += 8;
	if (length > t->end - t->at || name >= t->nr_bytes)
		return damaged(t, piece);
	uint32_t room = t->nr_bytes - name < LABEL_MAX ? t->nr_bytes - name : LABEL_MAX;
	const char *label = (const char *)t->fdt + t->strings + name;
	if (memchr(label, '\0', room) == NULL)
		return damaged(t, piece);
	if (is_secret(label)) {
		print_buffer(piece + n, TREE_TEXT_PIECE - n, "// %s: %u bytes, not shown\n", label,
		             length);
		t->at += length;
		return to_tag(t) || damaged(t, piece);
	}
	t->left = length;
	t->begun = false;
	print_buffer(piece + n, TREE_TEXT_PIECE - n, "%s%s", label, length == 0 ? ";\n" : " = ");
	if (length == 0)
		t->state = TAG;
	else if (are_strings(t))
		t->state = STRINGS;
	else
		t->state = length % 4 == 0 ? CELL : BYTE;
	return true;
}

static bool show_strings(struct tree_text *t, char *piece)
{
	size_t n = 0;

	if (!t->begun)
		piece[n++] = '"';
	t->begun = true;
	for (unsigned i = 0; i < CHARACTERS && t->left > 0; i++) {
		char c = (char)t->fdt[t->at++];
		t->left--;
		if (c == '\0') {
			n += print_buffer(piece + n, TREE_TEXT_PIECE - n,
			                  t->left > 0 ? "\", \"" : "\";\n");
			continue;
		}
		if (c == '"' || c == '\\')
			piece[n++] = '\\';
		piece[n++] = c;
	}
	piece[n] = '\0';
	return t->left > 0 || to_tag(t) || damaged(t, piece);
}

// `step` bytes at a time, as many as a line takes, between `open` and `close`.
static bool show_numbers(struct tree_text *t, char *piece, bool cells)
{
	unsigned step = cells ? 4 : 1, most = cells ? CELLS : BYTES;
	size_t n = 0;

	if (!t->begun)
		n += print_buffer(piece, TREE_TEXT_PIECE, cells ? "<" : "[");
	else
		n += print_buffer(piece, TREE_TEXT_PIECE, "\n        ");
	t->begun = true;
	for (unsigned i = 0; i < most && t->left > 0; i++) {
		if (cells)
			n += print_buffer(piece + n, TREE_TEXT_PIECE - n, "%s0x%x",
			                  i > 0 ? " " : "", read_be32(t, t->at));
		else
			n += print_buffer(piece + n, TREE_TEXT_PIECE - n, "%s%02x",
			                  i > 0 ? " " : "", t->fdt[t->at]);
		t->at += step;
		t->left -= step;
	}
	if (t->left > 0)
		return true;
	print_buffer(piece + n, TREE_TEXT_PIECE - n, cells ? ">;\n" : "];\n");
	return to_tag(t) || damaged(t, piece);
}

// ---- nodes ----

static bool show_name(struct tree_text *t, char *piece)
{
	size_t n = t->begun ? 0 : indent(t, piece);
	size_t start = n;

	for (unsigned i = 0; i < CHARACTERS; i++) {
		if (t->at == t->end)
			return damaged(t, piece);
		char c = (char)t->fdt[t->at++];
		if (c != '\0') {
			piece[n++] = c >= ' ' && c <= '~' ? c : '?';
			continue;
		}
		if (!t->begun && n == start)
			piece[n++] = '/'; // the root has no name
		print_buffer(piece + n, TREE_TEXT_PIECE - n, " {\n");
		t->depth++;
		return to_tag(t) || damaged(t, piece);
	}
	piece[n] = '\0';
	t->begun = true;
	return true;
}

static bool end_node(struct tree_text *t, char *piece)
{
	if (t->depth == 0)
		return damaged(t, piece);
	t->depth--;
	size_t n = indent(t, piece);
	print_buffer(piece + n, TREE_TEXT_PIECE - n, "};\n");
	return true;
}

static bool show_tag(struct tree_text *t, char *piece)
{
	for (unsigned i = 0; i < NOPS; i++) {
		if (t->end - t->at < 4)
			return damaged(t, piece);
		uint32_t tag = read_be32(t, t->at);
		t->at += 4;
		switch (tag) {
		case FDT_BEGIN_NODE:
			t->state = NAME;
			t->begun = false;
			return true;
		case FDT_END_NODE: return end_node(t, piece);
		case FDT_PROP: return begin_property(t, piece);
		case FDT_NOP: break;
		case FDT_END: t->state = END; return false;
		default: return damaged(t, piece);
		}
	}
	return true;
}

bool tree_text_next(struct tree_text *t, char *piece)
{
	piece[0] = '\0';
	switch ((enum state)t->state) {
	case HEAD:
		print_buffer(piece, TREE_TEXT_PIECE, "/dts-v1/;\n\n");
		t->state = TAG;
		return true;
	case TAG: return show_tag(t, piece);
	case NAME: return show_name(t, piece);
	case STRINGS: return show_strings(t, piece);
	case CELL: return show_numbers(t, piece, true);
	case BYTE: return show_numbers(t, piece, false);
	case END: break;
	}
	return false;
}
