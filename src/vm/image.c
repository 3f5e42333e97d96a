// SPDX-License-Identifier: Apache-2.0
// Recognising a kernel file and planning where its parts, the initrd and the tree go.
//
// Owns nothing. Called at EL2 when a VM is built or rebooted, and by the host command's check.
// Invariant: a plan that is returned with 0 lies in the guest's RAM as a whole, its segments lie in the
// file, and nothing in it overlaps; no arithmetic here can wrap unnoticed.
// Source: Linux kernel, Documentation/arm64/booting.rst, "Call the kernel image"; System V ABI, "ELF
// Header", "Program Header"; ELF for the Arm 64-bit Architecture.
#include "vm/image.h"

#include <stdarg.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "vm/image_elf.h"

#define SHARED_PAGE  KIB(64) // the largest page of a guest: kernel, initrd and tree share none
#define SHARED_BLOCK MIB(2)  // the tree gets one to itself when there is room
#define FIRMWARE_TREE \
	MIB(1)        // as much as QEMU leaves it; U-Boot's first stack ends 2 MiB into memory
#define PROBE_TEXT 64 // bytes looked at to tell text from code

// The arm64 Image header: little-endian fields at fixed offsets.
#define LINUX_TEXT_OFFSET     8
#define LINUX_IMAGE_SIZE      16
#define LINUX_FLAGS           24
#define LINUX_MAGIC           56
#define LINUX_HEADER_SIZE     64
#define LINUX_FLAG_BIG_ENDIAN BIT_U64(0)
#define LINUX_FLAG_PAGE_SIZE  GENMASK_U64(2, 1)
#define LINUX_BASE_ALIGN      MIB(2)
#define LINUX_OLD_TEXT_OFFSET UINT64_C(0x80000) // when image_size is 0: a kernel before 3.17
#define LINUX_OLD_SPARE       MIB(16)           // its zeroed data, which it does not declare
#define LINUX_MIN_ALIGN       PAGE_SIZE

static const uint32_t linux_page_sizes[] = {0, KIB(4), KIB(16), KIB(64)};

uint64_t image_read_le(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

int image_fail(struct image_problem *problem, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)print_vbuffer(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	return error;
}

const char *image_kind_name(enum image_kind kind)
{
	switch (kind) {
	case IMAGE_LINUX: return "arm64 Image";
	case IMAGE_ELF: return "ELF";
	case IMAGE_FIRMWARE: return "firmware";
	default: return "raw binary";
	}
}

// --- what it is -----------------------------------------------------------------------------------

// Files that people take for kernels.
static const struct {
	uint32_t offset;
	uint32_t size;
	const char *magic;
	const char *what;
} lookalikes[] = {
        {0, 2, "\x1f\x8b", "compressed with gzip; `mezzo pack` unpacks it, other tools must too"},
        {0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"},
        {0, 6, "\3757zXZ\0", "compressed with xz; unpack it first"},
        {0, 3, "BZh", "compressed with bzip2; unpack it first"},
        {0, 4, "\x04\x22\x4d\x18", "compressed with lz4; unpack it first"},
        {4, 4, "zimg", "an EFI zboot image, which is compressed; unpack the Image inside"},
        {0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image; name the kernel itself"},
        {0, 4, "\x27\x05\x19\x56", "a U-Boot uImage; take the Image it was made from"},
        {0x24, 4, "\x18\x28\x6f\x01", "a zImage for 32-bit Arm; an arm64 Image is needed"},
        {0x202, 4, "HdrS", "a kernel for x86; an arm64 Image is needed"},
        {0, 4, "0707", "a cpio archive; name the kernel itself"},
        {0, 2, "MZ", "an EFI program without an arm64 Image header"},
};

static bool is_text(const uint8_t *bytes, uint64_t size)
{
	const uint64_t count = size < PROBE_TEXT ? size : PROBE_TEXT;

	for (uint64_t i = 0; i < count; i++) {
		const uint8_t c = bytes[i];

		if ((c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t')
			return false;
	}
	return true;
}

static bool is_linux(const uint8_t *bytes, uint64_t size)
{
	return size >= LINUX_HEADER_SIZE && memcmp(bytes + LINUX_MAGIC, "ARM\x64", 4) == 0;
}

static bool is_elf(const uint8_t *bytes, uint64_t size)
{
	return size >= 4 && memcmp(bytes, "\177ELF", 4) == 0;
}

// Whether the file could be a raw program: anything that is nothing else.
static int check_raw(const struct image_request *request, struct image_problem *problem)
{
	const uint8_t *bytes = request->kernel;

	for (unsigned i = 0; i < ARRAY_SIZE(lookalikes); i++) {
		if (request->kernel_size >= lookalikes[i].offset + lookalikes[i].size &&
		    memcmp(bytes + lookalikes[i].offset, lookalikes[i].magic, lookalikes[i].size) ==
		            0)
			return image_fail(problem, ERR_INVALID, "the kernel is %s",
			                  lookalikes[i].what);
	}
	// Whoever says where to load it is taken at his word.
	if (request->has_load)
		return 0;
	if (is_text(bytes, request->kernel_size))
		return image_fail(problem, ERR_INVALID,
		                  "the kernel is a text file, not an arm64 Image, ELF file or "
		                  "program");
	if (request->kernel_size >= 4 && image_read_le(bytes, 4) == 0)
		return image_fail(
		        problem, ERR_INVALID,
		        "the kernel is neither an arm64 Image nor an ELF file, and no raw "
		        "program either: it begins with zeros; if it is one, say `load =`");
	return 0;
}

// --- where it goes --------------------------------------------------------------------------------

static int check_fits(const struct image_request *request, const struct image_segment *segment,
                      struct image_problem *problem)
{
	if (segment->mem_size > request->ram_size)
		return image_fail(
		        problem, ERR_RANGE,
		        "the kernel takes %llu KiB of memory, more than the %llu KiB that "
		        "the VM has; raise `memory =`",
		        (unsigned long long)(segment->mem_size >> 10),
		        (unsigned long long)(request->ram_size >> 10));
	if (!range_contains(request->ram_base, request->ram_size, segment->ipa, segment->mem_size))
		return image_fail(
		        problem, ERR_RANGE,
		        "the kernel's part at 0x%llx, %llu KiB, is not in the VM's memory "
		        "0x%llx to 0x%llx; raise `memory =` or link it elsewhere",
		        (unsigned long long)segment->ipa,
		        (unsigned long long)(segment->mem_size >> 10),
		        (unsigned long long)request->ram_base,
		        (unsigned long long)(request->ram_base + request->ram_size - 1));
	return 0;
}

// The lowest address above the boot part that is text_offset above a multiple of 2 MiB.
static uint64_t linux_base(const struct image_request *request, uint64_t text_offset)
{
	const uint64_t base = align_up(request->ram_base, LINUX_BASE_ALIGN) + text_offset;

	if (base - request->ram_base >= request->boot_size)
		return base;
	return align_up(request->ram_base + request->boot_size, LINUX_BASE_ALIGN) + text_offset;
}

static int plan_linux(const struct image_request *request, struct image_plan *plan,
                      struct image_problem *problem)
{
	const uint8_t *bytes = request->kernel;
	uint64_t text_offset = image_read_le(bytes + LINUX_TEXT_OFFSET, 8);
	uint64_t image_size = image_read_le(bytes + LINUX_IMAGE_SIZE, 8);
	const uint64_t flags = image_read_le(bytes + LINUX_FLAGS, 8);

	if (image_size == 0) {
		text_offset = LINUX_OLD_TEXT_OFFSET;
		image_size = request->kernel_size + LINUX_OLD_SPARE;
	} else if ((flags & LINUX_FLAG_BIG_ENDIAN) != 0) {
		return image_fail(
		        problem, ERR_UNSUPPORTED,
		        "the kernel is a big-endian arm64 Image; Mezzo starts little-endian "
		        "ones");
	} else {
		plan->page_size = linux_page_sizes[field_get(LINUX_FLAG_PAGE_SIZE, flags)];
	}
	if (!is_aligned(text_offset, LINUX_MIN_ALIGN) || text_offset >= request->ram_size)
		return image_fail(problem, ERR_INVALID,
		                  "the arm64 Image asks to be loaded 0x%llx above the start of "
		                  "memory, which is not possible; its header is damaged",
		                  (unsigned long long)text_offset);
	uint64_t ipa = linux_base(request, text_offset);
	if (request->has_load)
		ipa = request->load;
	if (ipa < text_offset || !is_aligned(ipa - text_offset, LINUX_BASE_ALIGN))
		return image_fail(
		        problem, ERR_INVALID,
		        "`load` is 0x%llx; this arm64 Image must be 0x%llx above a multiple "
		        "of 2 MiB",
		        (unsigned long long)ipa, (unsigned long long)text_offset);
	plan->nr_segments = 1;
	plan->segments[0] = (struct image_segment){
	        .offset = 0,
	        .file_size = request->kernel_size,
	        .ipa = ipa,
	        .mem_size = image_size > request->kernel_size ? image_size : request->kernel_size,
	};
	plan->entry = ipa;
	return 0;
}

static int plan_raw(const struct image_request *request, struct image_plan *plan,
                    struct image_problem *problem)
{
	const uint64_t ipa =
	        request->has_load ? request->load : request->ram_base + IMAGE_RAW_OFFSET;

	if (!is_aligned(ipa, 4))
		return image_fail(problem, ERR_INVALID,
		                  "`load` is 0x%llx; a raw binary needs a multiple of 4",
		                  (unsigned long long)ipa);
	plan->nr_segments = 1;
	plan->segments[0] = (struct image_segment){
	        .offset = 0,
	        .file_size = request->kernel_size,
	        .ipa = ipa,
	        .mem_size = request->kernel_size,
	};
	plan->entry = ipa;
	return 0;
}

// Insertion sort: at most IMAGE_MAX_SEGMENTS.
static void sort_segments(struct image_plan *plan)
{
	for (uint32_t i = 1; i < plan->nr_segments; i++) {
		const struct image_segment moving = plan->segments[i];
		uint32_t at = i;

		for (; at > 0 && plan->segments[at - 1].ipa > moving.ipa; at--)
			plan->segments[at] = plan->segments[at - 1];
		plan->segments[at] = moving;
	}
}

// All segments in RAM, none over another; sets start and end.
static int check_segments(const struct image_request *request, struct image_plan *plan,
                          struct image_problem *problem)
{
	sort_segments(plan);
	for (uint32_t i = 0; i < plan->nr_segments; i++) {
		const struct image_segment *segment = &plan->segments[i];
		const int error = check_fits(request, segment, problem);

		if (error != 0)
			return error;
		if (i > 0 && segment->ipa < plan->end)
			return image_fail(
			        problem, ERR_INVALID,
			        "two parts of the kernel overlap at 0x%llx; it is damaged or "
			        "linked wrongly",
			        (unsigned long long)segment->ipa);
		plan->end = segment->ipa + segment->mem_size;
	}
	plan->start = plan->segments[0].ipa;
	if (plan->start - request->ram_base < request->boot_size)
		return image_fail(
		        problem, ERR_RANGE,
		        "the kernel begins at 0x%llx, in the first %llu KiB of memory, where the "
		        "machine's own start code lies; load or link it above",
		        (unsigned long long)plan->start,
		        (unsigned long long)(request->boot_size >> 10));
	return 0;
}

static int check_entry(const struct image_request *request, struct image_plan *plan,
                       struct image_problem *problem)
{
	if (request->has_entry)
		plan->entry = request->entry;
	if (!is_aligned(plan->entry, 4))
		return image_fail(problem, ERR_INVALID,
		                  "the entry point 0x%llx is not a multiple of 4",
		                  (unsigned long long)plan->entry);
	for (uint32_t i = 0; i < plan->nr_segments; i++) {
		if (range_contains(plan->segments[i].ipa, plan->segments[i].mem_size, plan->entry,
		                   4))
			return 0;
	}
	return image_fail(problem, ERR_INVALID,
	                  "the entry point 0x%llx is not in the kernel, which is at 0x%llx to "
	                  "0x%llx; correct `entry =` or the kernel",
	                  (unsigned long long)plan->entry, (unsigned long long)plan->start,
	                  (unsigned long long)(plan->end - 1));
}

// A place for `size` bytes at or above *free, aligned; false: does not fit below the end of memory.
static bool place(const struct image_request *request, uint64_t align, uint64_t size,
                  uint64_t *free, uint64_t *ipa)
{
	const uint64_t end = request->ram_base + request->ram_size;
	const uint64_t at = align_up(*free, align);

	if (at < *free || !range_contains(request->ram_base, end - request->ram_base, at, size))
		return false;
	*ipa = at;
	*free = at + size;
	return true;
}

// The same below *limit; the kernel is in the way at plan->end.
static bool place_below(const struct image_plan *plan, uint64_t align, uint64_t size,
                        uint64_t *limit, uint64_t *ipa)
{
	if (size > *limit - plan->end)
		return false;
	const uint64_t at = align_down(*limit - size, align);
	if (at < plan->end)
		return false;
	*ipa = *limit = at;
	return true;
}

static int place_from_top(const struct image_request *request, struct image_plan *plan,
                          struct image_problem *problem)
{
	uint64_t limit = request->ram_base + request->ram_size;

	if (request->tree_size <= IMAGE_MAX_TREE &&
	    place_below(plan, SHARED_BLOCK, request->tree_size, &limit, &plan->tree) &&
	    (request->initrd_size == 0 ||
	     place_below(plan, SHARED_PAGE, request->initrd_size, &limit, &plan->initrd)))
		return 0;
	return image_fail(problem, ERR_RANGE,
	                  "initrd (%llu KiB) and device tree (%llu KiB) do not fit between the "
	                  "kernel's end at 0x%llx and the end of its memory at 0x%llx; raise "
	                  "`memory =`",
	                  (unsigned long long)(request->initrd_size >> 10),
	                  (unsigned long long)(request->tree_size >> 10),
	                  (unsigned long long)plan->end,
	                  (unsigned long long)(request->ram_base + request->ram_size));
}

static int place_initrd(const struct image_request *request, struct image_plan *plan,
                        uint64_t *free, struct image_problem *problem)
{
	if (request->initrd_size == 0 ||
	    place(request, SHARED_PAGE, request->initrd_size, free, &plan->initrd))
		return 0;
	return image_fail(problem, ERR_RANGE,
	                  "the initrd of %llu KiB does not fit between the kernel's end at 0x%llx "
	                  "and the memory's end at 0x%llx; raise `memory =`",
	                  (unsigned long long)(request->initrd_size >> 10),
	                  (unsigned long long)plan->end,
	                  (unsigned long long)(request->ram_base + request->ram_size));
}

static int place_tree(const struct image_request *request, struct image_plan *plan, uint64_t *free,
                      struct image_problem *problem)
{
	if (request->tree_size == 0)
		return 0;
	if (request->tree_size > IMAGE_MAX_TREE)
		return image_fail(
		        problem, ERR_RANGE,
		        "the device tree for the VM has %llu KiB; 2048 is the most that a "
		        "kernel takes",
		        (unsigned long long)(request->tree_size >> 10));
	if (!place(request, SHARED_BLOCK, request->tree_size, free, &plan->tree) &&
	    !place(request, SHARED_PAGE, request->tree_size, free, &plan->tree))
		return image_fail(problem, ERR_RANGE,
		                  "no room for the device tree (%llu KiB) above kernel and initrd; "
		                  "raise `memory =`",
		                  (unsigned long long)(request->tree_size >> 10));
	// Programs for the bare board look for the tree where QEMU puts it.
	plan->tree_at_base = plan->kind != IMAGE_LINUX && plan->start > request->ram_base &&
	                     plan->start - request->ram_base >= request->tree_size;
	return 0;
}

static int check_request(const struct image_request *request, struct image_problem *problem)
{
	if (request->ram_size == 0 || request->ram_base + request->ram_size < request->ram_base)
		return image_fail(problem, ERR_RANGE, "the VM has no memory");
	if (request->kernel_size == 0 || request->kernel == NULL)
		return image_fail(problem, ERR_INVALID, "the kernel file is empty");
	if (request->kernel_size > request->ram_size)
		return image_fail(
		        problem, ERR_RANGE,
		        "the kernel file has %llu KiB, more than the %llu KiB of memory that "
		        "the VM has; raise `memory =`",
		        (unsigned long long)(request->kernel_size >> 10),
		        (unsigned long long)(request->ram_size >> 10));
	return 0;
}

int image_plan(const struct image_request *request, struct image_plan *plan,
               struct image_problem *problem)
{
	int error = check_request(request, problem);

	memset(plan, 0, sizeof(*plan));
	if (error != 0)
		return error;
	if (is_linux(request->kernel, request->kernel_size)) {
		plan->kind = IMAGE_LINUX;
		error = plan_linux(request, plan, problem);
	} else if (is_elf(request->kernel, request->kernel_size)) {
		plan->kind = IMAGE_ELF;
		error = image_plan_elf(request, plan, problem);
	} else {
		plan->kind = IMAGE_RAW;
		error = check_raw(request, problem);
		if (error == 0)
			error = plan_raw(request, plan, problem);
	}
	if (error == 0)
		error = check_segments(request, plan, problem);
	if (error == 0)
		error = check_entry(request, plan, problem);
	if (error == 0 && request->boot_size != 0)
		return place_from_top(request, plan, problem);
	uint64_t free = plan->end;
	if (error == 0)
		error = place_initrd(request, plan, &free, problem);
	if (error == 0)
		error = place_tree(request, plan, &free, problem);
	return error;
}

int image_plan_firmware(const struct image_request *request, struct image_plan *plan,
                        struct image_problem *problem)
{
	memset(plan, 0, sizeof(*plan));
	if (request->kernel_size == 0 || request->kernel == NULL)
		return image_fail(problem, ERR_INVALID, "the firmware file is empty");
	if (request->kernel_size > IMAGE_MAX_FIRMWARE)
		return image_fail(
		        problem, ERR_RANGE,
		        "the firmware has %llu bytes; the flash that it begins in has %llu",
		        (unsigned long long)request->kernel_size,
		        (unsigned long long)IMAGE_MAX_FIRMWARE);
	if (request->tree_size > FIRMWARE_TREE || request->tree_size > request->ram_size)
		return image_fail(problem, ERR_RANGE,
		                  "the device tree for the VM has %llu KiB; firmware takes %llu at "
		                  "most at the start of memory",
		                  (unsigned long long)(request->tree_size >> 10),
		                  (unsigned long long)(FIRMWARE_TREE >> 10));
	plan->kind = IMAGE_FIRMWARE;
	plan->end = request->kernel_size;
	plan->tree = request->ram_base;
	return 0;
}
