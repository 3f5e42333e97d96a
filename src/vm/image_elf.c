// SPDX-License-Identifier: Apache-2.0
// Reading an ELF kernel: its loadable segments at their physical addresses.
//
// Owns nothing. Called by vm/image alone.
// Invariant: every segment's bytes lie in the file, no sum wraps, and the file's own counts bound the work.
// Source: System V ABI, "ELF Header", "Program Header"; ELF for the Arm 64-bit Architecture, "ELF Header".
#include "vm/image_elf.h"

#include "base/bits.h"
#include "base/string.h"

// ELF64 header, and the values that are asked of it.
#define EHDR_SIZE       64
#define EHDR_CLASS      4
#define EHDR_DATA       5
#define EHDR_TYPE       16
#define EHDR_MACHINE    18
#define EHDR_ENTRY      24
#define EHDR_PHOFF      32
#define EHDR_PHENTSIZE  54
#define EHDR_PHNUM      56
#define CLASS_64        2
#define DATA_LITTLE     1
#define TYPE_EXEC       2
#define TYPE_DYN        3
#define MACHINE_AARCH64 183

// Program header.
#define PHDR_SIZE   56
#define PHDR_TYPE   0
#define PHDR_OFFSET 8
#define PHDR_VADDR  16
#define PHDR_PADDR  24
#define PHDR_FILESZ 32
#define PHDR_MEMSZ  40
#define TYPE_LOAD   1

#define MAX_PHDRS 64 // looked at; a kernel has a handful

struct elf {
	const uint8_t *bytes;
	uint64_t size;
	uint64_t phoff;
	uint32_t phnum;
	bool relocatable; // ET_DYN: may be placed anywhere
	uint64_t bias;    // added to every physical address
};

static int check_header(const struct image_request *request, struct elf *elf,
                        struct image_problem *problem)
{
	const uint8_t *bytes = request->kernel;

	if (request->kernel_size < EHDR_SIZE)
		return image_fail(problem, ERR_INVALID,
		                  "the kernel is an ELF file cut off in its header");
	if (bytes[EHDR_CLASS] != CLASS_64 || bytes[EHDR_DATA] != DATA_LITTLE ||
	    image_read_le(bytes + EHDR_MACHINE, 2) != MACHINE_AARCH64)
		return image_fail(
		        problem, ERR_UNSUPPORTED,
		        "the kernel is an ELF file for another machine; Mezzo starts 64-bit "
		        "little-endian Arm");
	const uint64_t type = image_read_le(bytes + EHDR_TYPE, 2);
	if (type != TYPE_EXEC && type != TYPE_DYN)
		return image_fail(
		        problem, ERR_INVALID,
		        "the kernel is an ELF file that is not linked (type %u); link it to "
		        "an executable",
		        (unsigned)type);
	*elf = (struct elf){
	        .bytes = bytes,
	        .size = request->kernel_size,
	        .phoff = image_read_le(bytes + EHDR_PHOFF, 8),
	        .phnum = (uint32_t)image_read_le(bytes + EHDR_PHNUM, 2),
	        .relocatable = type == TYPE_DYN,
	};
	if (elf->phnum == 0 || elf->phnum > MAX_PHDRS ||
	    image_read_le(bytes + EHDR_PHENTSIZE, 2) != PHDR_SIZE ||
	    !range_contains(0, elf->size, elf->phoff, (uint64_t)elf->phnum * PHDR_SIZE))
		return image_fail(
		        problem, ERR_INVALID,
		        "the kernel is an ELF file whose %u program headers at 0x%llx are not "
		        "usable; it is damaged",
		        elf->phnum, (unsigned long long)elf->phoff);
	return 0;
}

static const uint8_t *phdr_at(const struct elf *elf, uint32_t index)
{
	return elf->bytes + elf->phoff + (uint64_t)index * PHDR_SIZE;
}

static bool is_load(const uint8_t *phdr)
{
	return image_read_le(phdr + PHDR_TYPE, 4) == TYPE_LOAD &&
	       image_read_le(phdr + PHDR_MEMSZ, 8) != 0;
}

// A relocatable file goes where `load` says or some way into RAM, its lowest address first.
static int find_bias(const struct image_request *request, struct elf *elf,
                     struct image_problem *problem)
{
	uint64_t lowest = UINT64_MAX;

	for (uint32_t i = 0; i < elf->phnum; i++) {
		const uint8_t *phdr = phdr_at(elf, i);
		const uint64_t paddr = image_read_le(phdr + PHDR_PADDR, 8);

		if (is_load(phdr) && paddr < lowest)
			lowest = paddr;
	}
	if (!elf->relocatable) {
		if (!request->has_load)
			return 0;
		return image_fail(
		        problem, ERR_INVALID,
		        "`load` is given, but the kernel is an ELF file linked to 0x%llx; "
		        "leave `load` out",
		        (unsigned long long)lowest);
	}
	// Linked into the VM's memory on purpose.
	if (!request->has_load && range_contains(request->ram_base, request->ram_size, lowest, 1))
		return 0;
	const uint64_t base =
	        request->has_load ? request->load : request->ram_base + IMAGE_RAW_OFFSET;
	if (!is_aligned(base, PAGE_SIZE))
		return image_fail(
		        problem, ERR_INVALID,
		        "`load` is 0x%llx; a relocatable ELF file needs a multiple of 4096",
		        (unsigned long long)base);
	elf->bias = base - align_down(lowest, PAGE_SIZE); // modulo 2^64; checked with each segment
	return 0;
}

static int read_segment(const struct elf *elf, const uint8_t *phdr, struct image_segment *segment,
                        struct image_problem *problem)
{
	const uint64_t paddr = image_read_le(phdr + PHDR_PADDR, 8);

	*segment = (struct image_segment){
	        .offset = image_read_le(phdr + PHDR_OFFSET, 8),
	        .file_size = image_read_le(phdr + PHDR_FILESZ, 8),
	        .ipa = paddr + elf->bias,
	        .mem_size = image_read_le(phdr + PHDR_MEMSZ, 8),
	};
	if (!range_contains(0, elf->size, segment->offset, segment->file_size))
		return image_fail(problem, ERR_INVALID,
		                  "the kernel is an ELF file whose part for 0x%llx goes beyond the "
		                  "file's end; it is cut off",
		                  (unsigned long long)paddr);
	if (segment->mem_size < segment->file_size ||
	    segment->ipa + segment->mem_size < segment->ipa)
		return image_fail(
		        problem, ERR_INVALID,
		        "the kernel is an ELF file whose part for 0x%llx has an impossible "
		        "size; it is damaged",
		        (unsigned long long)paddr);
	return 0;
}

// The entry point is a virtual address; where its segment was put says the physical one.
static void find_entry(const struct elf *elf, const uint8_t *phdr,
                       const struct image_segment *segment, struct image_plan *plan, bool *found)
{
	const uint64_t entry = image_read_le(elf->bytes + EHDR_ENTRY, 8);
	const uint64_t vaddr = image_read_le(phdr + PHDR_VADDR, 8);

	if (*found || entry < vaddr || entry - vaddr >= segment->mem_size)
		return;
	plan->entry = segment->ipa + (entry - vaddr);
	*found = true;
}

int image_plan_elf(const struct image_request *request, struct image_plan *plan,
                   struct image_problem *problem)
{
	bool found = false;
	struct elf elf = {.bytes = NULL};
	int error = check_header(request, &elf, problem);

	if (error == 0)
		error = find_bias(request, &elf, problem);
	if (error != 0)
		return error;
	// A file without virtual addresses that fit gives the physical one, as it stands.
	plan->entry = image_read_le(elf.bytes + EHDR_ENTRY, 8) + elf.bias;
	for (uint32_t i = 0; i < elf.phnum; i++) {
		const uint8_t *phdr = phdr_at(&elf, i);

		if (!is_load(phdr))
			continue;
		if (plan->nr_segments == IMAGE_MAX_SEGMENTS)
			return image_fail(
			        problem, ERR_UNSUPPORTED,
			        "the kernel is an ELF file with more than %u parts to load",
			        IMAGE_MAX_SEGMENTS);
		struct image_segment *segment = &plan->segments[plan->nr_segments];
		error = read_segment(&elf, phdr, segment, problem);
		if (error != 0)
			return error;
		find_entry(&elf, phdr, segment, plan, &found);
		plan->nr_segments++;
	}
	if (plan->nr_segments == 0)
		return image_fail(
		        problem, ERR_INVALID,
		        "the kernel is an ELF file with nothing to load; it is no program");
	return 0;
}
