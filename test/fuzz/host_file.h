// SPDX-License-Identifier: Apache-2.0
// For targets that read text files as the host command does: the input is what such a file holds. The target includes
// the reader's own source, for which util_map() is the one here, so that no file is made, mapped and, as the
// command does, never unmapped: after 65,530 mappings Linux gives no more. The text ends at a page that nobody may
// touch. The command lives for one command line and frees little, so what an input left is freed here. Included once,
// before the reader; the target defines host_one().
#ifndef FUZZ_HOST_FILE_H
#define FUZZ_HOST_FILE_H

#include <sanitizer/allocator_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "util.h"

#define util_map host_map

// One file, of this path.
static void host_one(const char *path);

static const char host_path[] = "card/config.txt";
static struct blob host_text;

// ---- the folder: each name that ends in .txt is the input once more, and there are no others ----

static const char *host_map(const char *path, struct blob *out)
{
	size_t length = strlen(path);
	bool there = length >= 4 && strcmp(path + length - 4, ".txt") == 0;
	*out = there ? host_text : (struct blob){NULL, 0};
	return there ? NULL : "there is no such file";
}

// ---- what was allocated ----

enum { HOST_SLOTS = 1 << 17 };                       // a section of a .conf takes a hundred blocks
static const volatile void *host_blocks[HOST_SLOTS]; // allocated and not freed; an open hash table
static uint32_t host_used[HOST_SLOTS / 2];           // slots that are not NULL
static unsigned host_nr_used;
// libFuzzer's own thread may begin, and allocate, at any time: what that has is its own.
static _Thread_local bool host_watches;

static size_t host_slot(const volatile void *block)
{
	size_t at = (uintptr_t)block / 16 % HOST_SLOTS;
	while (host_blocks[at] != NULL && host_blocks[at] != block)
		at = (at + 1) % HOST_SLOTS;
	return at;
}

static void host_allocated(const volatile void *block, size_t size)
{
	(void)size;
	if (!host_watches || block == NULL || host_nr_used == HOST_SLOTS / 2)
		return; // too many: the rest is lost
	size_t at = host_slot(block);
	if (host_blocks[at] == NULL)
		host_used[host_nr_used++] = (uint32_t)at;
	host_blocks[at] = block;
}

static void host_freed(const volatile void *block)
{
	// A slot that is in the middle of others' way keeps something that is nobody's.
	static const char gone;
	if (host_watches && block != NULL && host_blocks[host_slot(block)] == block)
		host_blocks[host_slot(block)] = &gone;
}

void fuzz_setup(void)
{
	__sanitizer_install_malloc_and_free_hooks(host_allocated, host_freed);
	host_one(host_path); // what libraries keep is theirs from here on
}

void fuzz_one(const uint8_t *data, size_t size)
{
	host_text = (struct blob){size != 0 ? fuzz_guarded(data, size, 1) : NULL, size};
	host_watches = true;
	host_one(host_path);
	host_watches = false;
	while (host_nr_used > 0) {
		const volatile void **block = &host_blocks[host_used[--host_nr_used]];
		if (__sanitizer_get_ownership(*block))
			free((void *)(uintptr_t)*block);
		*block = NULL;
	}
}

#endif
