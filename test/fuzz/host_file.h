// SPDX-License-Identifier: Apache-2.0
// For targets that read a file as the host command does: the input becomes a file. The command lives for one
// command line and frees little, so what an input left is freed here. Included once; the target defines host_one().
#ifndef FUZZ_HOST_FILE_H
#define FUZZ_HOST_FILE_H

#include <sanitizer/allocator_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

// One file, of this path.
static void host_one(const char *path);

enum { HOST_SLOTS = 1 << 13 };
static const volatile void *host_blocks[HOST_SLOTS]; // allocated and not freed; an open hash table
static uint16_t host_used[HOST_SLOTS / 2];           // slots that are not NULL
static unsigned host_nr_used;
static bool host_watches;
static int host_fd;
static char host_path[64];

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
		host_used[host_nr_used++] = (uint16_t)at;
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
	host_fd = fileno(tmpfile());
	snprintf(host_path, sizeof host_path, "/proc/self/fd/%d", host_fd);
	__sanitizer_install_malloc_and_free_hooks(host_allocated, host_freed);
	host_one(host_path); // what libraries keep is theirs from here on
}

void fuzz_one(const uint8_t *data, size_t size)
{
	FUZZ_CHECK(ftruncate(host_fd, 0) == 0 && pwrite(host_fd, data, size, 0) == (ssize_t)size);
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
