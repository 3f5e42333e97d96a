// SPDX-License-Identifier: Apache-2.0
// What the bytes of a property mean: strings, lists of strings, cells.
//
// Owns nothing. Called by everything in fdt/.
// Invariant: reads only within the value, whatever is in it; a string without its NUL is no string.
// Source: Devicetree Specification, "Property Values".
#include <libfdt.h>

#include "base/string.h"
#include "fdt/tree.h"

#define CELL_SIZE sizeof(fdt32_t)

int tree_list_find(struct tree_value value, const char *text)
{
	const char *at = (const char *)value.data;
	size_t left = value.data == NULL ? 0 : value.size;

	for (int i = 0; left > 0; i++) {
		const char *nul = memchr(at, '\0', left);

		if (nul == NULL)
			break;
		if (strcmp(at, text) == 0)
			return i;
		left -= (size_t)(nul + 1 - at);
		at = nul + 1;
	}
	return ERR_NOT_FOUND;
}

bool tree_list_has(struct tree_value value, const char *text)
{
	return tree_list_find(value, text) >= 0;
}

const char *tree_string(struct tree_value value)
{
	if (value.data == NULL || memchr(value.data, '\0', value.size) == NULL)
		return NULL;
	return (const char *)value.data;
}

bool tree_is_string(struct tree_value value, const char *text)
{
	const size_t size = strlen(text) + 1;

	return value.data != NULL && value.size == size && memcmp(value.data, text, size) == 0;
}

bool tree_cell(struct tree_value value, unsigned index, uint32_t *cell)
{
	if (value.data == NULL || index >= value.size / CELL_SIZE)
		return false;
	*cell = fdt32_ld((const fdt32_t *)(const void *)value.data + index);
	return true;
}

bool tree_number(struct tree_value value, uint64_t *number)
{
	uint32_t high = 0, low;

	if (value.size == CELL_SIZE) {
		if (!tree_cell(value, 0, &low))
			return false;
	} else if (value.size != 2 * CELL_SIZE || !tree_cell(value, 0, &high) ||
	           !tree_cell(value, 1, &low)) {
		return false;
	}
	*number = (uint64_t)high << 32 | low;
	return true;
}

bool tree_name_is(const char *name, const char *base)
{
	const size_t length = strlen(base);

	return strncmp(name, base, length) == 0 && (name[length] == '\0' || name[length] == '@');
}

void tree_copy_text(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; from != NULL && from[i] != '\0' && i + 1 < size; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}
