// SPDX-License-Identifier: Apache-2.0
// Puts into a device tree that came along what a machine's firmware would: memory, command line, initrd, seeds.
#ifndef FDT_GUEST_PATCH_H
#define FDT_GUEST_PATCH_H

#include "base/types.h"

#define GUEST_PATCH_RNG_SIZE 32 // bytes of rng-seed

// What a guest is to know. Pointers need only live during the call.
struct guest_patch {
	uint64_t ram_base, ram_size;        // IPA, bytes
	const char *bootargs;               // NULL: what the tree says
	uint64_t initrd_start, initrd_size; // IPA; size 0: none
	const uint8_t *rng_seed;            // GUEST_PATCH_RNG_SIZE bytes, NULL: none
	const uint64_t *kaslr_seed;         // NULL: none
	uint32_t nr_cpus;                   // those with a higher number are taken out; 0: all stay
	uint64_t spin_table;                // IPA of the release addresses, by number; 0: none
	uint64_t reserved_size;             // bytes at ram_base that are not free; 0: none
};

// Copies `dtb` (at most `dtb_size` bytes are read; any alignment; or `buffer` itself) into `buffer` (8-byte aligned,
// `size` bytes, of which `dtb_size` are needed aside if the copy is in place or `dtb` is not 8-byte aligned), with the rest put in. Its
// size in bytes; ERR_INVALID: it is no device tree; ERR_NO_MEMORY: the buffer is too small.
int guest_patch(void *buffer, size_t size, const void *dtb, size_t dtb_size,
                const struct guest_patch *patch);

#endif
