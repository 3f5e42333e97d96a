// SPDX-License-Identifier: Apache-2.0
// What a kernel file is and where its parts go in a guest's memory. Pure: makes a plan, copies nothing.
#ifndef VM_IMAGE_H
#define VM_IMAGE_H

#include "base/types.h"

#define IMAGE_MAX_SEGMENTS 16
#define IMAGE_PROBLEM_SIZE 240
#define IMAGE_RAW_OFFSET   UINT64_C(0x80000) // raw binaries and relocatable ELF: this far into RAM
#define IMAGE_MAX_TREE     MIB(2)            // the largest tree that arm64 Linux takes
#define IMAGE_MAX_FIRMWARE MIB(64)           // a bank of flash; DESC_MAX_FLASH

enum image_kind { IMAGE_LINUX, IMAGE_ELF, IMAGE_RAW, IMAGE_FIRMWARE };

// What is asked for. Numbers are untrusted; sizes are those of files in memory.
struct image_request {
	const uint8_t *kernel; // readable for kernel_size bytes
	uint64_t kernel_size;
	uint64_t ram_base, ram_size; // the guest's RAM: IPA and bytes; both multiples of 4 KiB
	uint64_t initrd_size;        // 0: none
	uint64_t tree_size;          // room for the tree in bytes; 0: none
	uint64_t boot_size;          // bytes at ram_base that the boot protocol takes; 0: none
	bool has_load, has_entry;
	uint64_t load, entry; // IPA: `load =` and `entry =` of the description
};

// Bytes `offset`..+file_size of the kernel go to `ipa`; from there to +mem_size is zero.
struct image_segment {
	uint64_t offset;
	uint64_t file_size;
	uint64_t ipa;
	uint64_t mem_size;
};

// With a boot part at the start of memory (a Raspberry Pi), tree and initrd go to the top of it, as that
// board's firmware has it, so that a program without a header may use what follows it.
//
// Everything lies in the guest's RAM and nothing overlaps.
struct image_plan {
	enum image_kind kind;
	uint32_t nr_segments;
	struct image_segment segments[IMAGE_MAX_SEGMENTS]; // ascending by ipa
	uint64_t entry;                                    // IPA of the first instruction
	uint64_t start, end; // IPA: what the kernel occupies, its zeroed part included
	uint64_t initrd;     // IPA; valid if the request had one
	uint64_t tree;       // IPA for x0; valid if the request had one
	bool tree_at_base;   // a second copy of the tree goes to ram_base (ELF and raw with room)
	uint32_t page_size;  // IMAGE_LINUX: the kernel's page size in bytes, 0 if it does not say
};

// Of firmware, which is in flash from address 0 on and none of whose parts is in RAM: nr_segments and entry are 0, start and
// end are in flash, the tree is at ram_base.

struct image_problem {
	char text[IMAGE_PROBLEM_SIZE]; // one sentence: what, where, what to do
};

// Makes the plan. 0, or ERR_INVALID (not a kernel, or a broken one), ERR_UNSUPPORTED (a kernel for
// something else), ERR_RANGE (does not fit in the memory given); then *problem says why.
int image_plan(const struct image_request *request, struct image_plan *plan,
               struct image_problem *problem);

// The same for a request whose `kernel` is firmware, and that has no initrd, load or entry.
int image_plan_firmware(const struct image_request *request, struct image_plan *plan,
                        struct image_problem *problem);

// "arm64 Image", "ELF", "raw binary" or "firmware".
const char *image_kind_name(enum image_kind kind);

#endif
