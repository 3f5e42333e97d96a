// SPDX-License-Identifier: Apache-2.0
// What a kernel file is and where its parts go: whole ones, every kind of wrong one with its sentence,
// and the promise of a plan (in memory, in the file, no overlap) for random headers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "vm/image.h"

#define RAM_BASE UINT64_C(0x40000000)

static struct image_plan plan;
static struct image_problem problem;

static struct image_request request_for(const void *kernel, uint64_t size)
{
	return (struct image_request){.kernel = kernel,
	                              .kernel_size = size,
	                              .ram_base = RAM_BASE,
	                              .ram_size = MIB(64),
	                              .initrd_size = MIB(1) + 1,
	                              .tree_size = KIB(8)};
}

// What image_plan promises, whatever the file was.
static void check_plan(const struct image_request *request)
{
	const uint64_t ram = request->ram_base, size = request->ram_size;

	assert_in_range(plan.nr_segments, 1, IMAGE_MAX_SEGMENTS);
	for (uint32_t i = 0; i < plan.nr_segments; i++) {
		const struct image_segment *s = &plan.segments[i];

		assert_true(range_contains(0, request->kernel_size, s->offset, s->file_size));
		assert_true(s->file_size <= s->mem_size);
		assert_true(range_contains(ram, size, s->ipa, s->mem_size));
		assert_true(i == 0 ||
		            plan.segments[i - 1].ipa + plan.segments[i - 1].mem_size <= s->ipa);
		assert_true(range_contains(plan.start, plan.end - plan.start, s->ipa, s->mem_size));
	}
	assert_true(range_contains(plan.start, plan.end - plan.start, plan.entry, 4));
	uint64_t free = plan.end;
	if (request->initrd_size != 0) {
		assert_true(plan.initrd >= free && is_aligned(plan.initrd, KIB(64)));
		assert_true(range_contains(ram, size, plan.initrd, request->initrd_size));
		free = plan.initrd + request->initrd_size;
	}
	if (request->tree_size != 0) {
		assert_true(plan.tree >= free && is_aligned(plan.tree, KIB(64)));
		assert_true(range_contains(ram, size, plan.tree, request->tree_size));
	}
	assert_true(!plan.tree_at_base || plan.start - ram >= request->tree_size);
}

static void expect_plan(const struct image_request *request, enum image_kind kind)
{
	if (image_plan(request, &plan, &problem) != 0)
		fail_msg("%s", problem.text);
	assert_int_equal(plan.kind, kind);
	check_plan(request);
}

static void expect_failure(const struct image_request *request, int error, const char *text)
{
	const int result = image_plan(request, &plan, &problem);

	if (result == 0)
		fail_msg("it was taken; '%s' was expected", text);
	if (strstr(problem.text, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, problem.text);
	assert_int_equal(result, error);
}

// --- arm64 Image ----------------------------------------------------------------------------------

static uint8_t *linux_image(uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
	static uint8_t bytes[MIB(1)];

	memset(bytes, 0x5a, sizeof(bytes));
	memcpy(bytes, "MZ\0\xd1", 4);
	memcpy(bytes + 8, &text_offset, 8);
	memcpy(bytes + 16, &image_size, 8);
	memcpy(bytes + 24, &flags, 8);
	memcpy(bytes + 56, "ARM\x64", 4);
	return bytes;
}

static void test_linux(void **state)
{
	struct image_request request = request_for(linux_image(0, MIB(4), 0xa), MIB(1));

	(void)state;
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.entry, RAM_BASE);
	assert_int_equal(plan.end, RAM_BASE + MIB(4));
	assert_int_equal(plan.segments[0].file_size, MIB(1));
	assert_int_equal(plan.initrd, RAM_BASE + MIB(4));
	assert_int_equal(plan.tree, RAM_BASE + MIB(6));
	assert_int_equal(plan.page_size, 4096);
	assert_false(plan.tree_at_base);

	// The old fixed offset, with the size that the header has.
	linux_image(0x80000, MIB(4), 0);
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.entry, RAM_BASE + 0x80000);
	assert_int_equal(plan.page_size, 0);

	// Before 3.17 no size was given; text_offset counts in no byte order.
	linux_image(0xdead, 0, 1);
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.entry, RAM_BASE + 0x80000);
	assert_int_equal(plan.end, RAM_BASE + 0x80000 + MIB(17));

	linux_image(0, MIB(4), 4);
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.page_size, 16384);
	linux_image(0, MIB(4), 6);
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.page_size, 65536);

	// Less than the file holds.
	linux_image(0, 1, 0);
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.end, RAM_BASE + MIB(1));

	linux_image(0x1000, MIB(4), 0);
	request.has_load = true;
	request.load = RAM_BASE + MIB(8) + 0x1000;
	request.has_entry = true;
	request.entry = request.load + 64;
	expect_plan(&request, IMAGE_LINUX);
	assert_int_equal(plan.start, request.load);
	assert_int_equal(plan.entry, request.entry);
}

static void test_linux_wrong(void **state)
{
	static const struct {
		uint64_t text_offset, image_size, flags;
		int error;
		const char *text;
	} rows[] = {
	        {0, MIB(4), 1, ERR_UNSUPPORTED, "big-endian"},
	        {0, MIB(65), 0, ERR_RANGE, "takes 66560 KiB of memory, more than the 65536 KiB"},
	        {0, UINT64_MAX, 0, ERR_RANGE, "more than the 65536 KiB that the VM has"},
	        {0, INT64_MAX, 0, ERR_RANGE, "raise `memory =`"},
	        {MIB(2), MIB(63), 0, ERR_RANGE,
	         "is not in the VM's memory 0x40000000 to 0x43ffffff"},
	        {MIB(64), MIB(4), 0, ERR_INVALID, "header is damaged"},
	        {UINT64_MAX & ~UINT64_C(0xfff), MIB(4), 0, ERR_INVALID, "header is damaged"},
	        {UINT64_C(1) << 63, MIB(4), 0, ERR_INVALID, "header is damaged"},
	        {0x800, MIB(4), 0, ERR_INVALID, "header is damaged"},
	        {0, MIB(63), 0, ERR_RANGE,
	         "the initrd of 1024 KiB does not fit between the kernel's end"},
	        {0, MIB(62) + KIB(896), 0, ERR_RANGE, "no room for the device tree (8 KiB)"},
	};
	struct image_request request = request_for(linux_image(0, 0, 0), MIB(1));

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		request.initrd_size = i == 10 ? MIB(1) + KIB(128) : MIB(1) + 1;
		linux_image(rows[i].text_offset, rows[i].image_size, rows[i].flags);
		expect_failure(&request, rows[i].error, rows[i].text);
	}
	request = request_for(linux_image(0, MIB(4), 0), MIB(1));
	request.has_load = true;
	request.load = RAM_BASE + 0x1000;
	expect_failure(&request, ERR_INVALID, "must be 0x0 above a multiple of 2 MiB");
	request.load = MIB(2);
	expect_failure(&request, ERR_RANGE, "is not in the VM's memory");
	request.load = UINT64_MAX & ~(MIB(2) - 1);
	expect_failure(&request, ERR_RANGE, "is not in the VM's memory");
	request.has_load = false;
	request.has_entry = true;
	request.entry = RAM_BASE + MIB(4);
	expect_failure(&request, ERR_INVALID,
	               "is not in the kernel, which is at 0x40000000 to 0x403fffff");
	request.entry = RAM_BASE + 2;
	expect_failure(&request, ERR_INVALID, "is not a multiple of 4");
	request.has_entry = false;
	request.tree_size = MIB(2) + 1;
	expect_failure(&request, ERR_RANGE, "2048 is the most that a kernel takes");
	request.ram_size = KIB(512);
	expect_failure(&request, ERR_RANGE, "the kernel file has 1024 KiB, more than the 512 KiB");
	request.ram_size = 0;
	expect_failure(&request, ERR_RANGE, "the VM has no memory");
	request.ram_size = UINT64_MAX;
	expect_failure(&request, ERR_RANGE, "the VM has no memory");
}

// --- raw ------------------------------------------------------------------------------------------

static void test_raw(void **state)
{
	uint8_t code[1000];
	struct image_request request = request_for(code, sizeof(code));

	(void)state;
	memset(code, 0xd5, sizeof(code));
	expect_plan(&request, IMAGE_RAW);
	assert_int_equal(plan.entry, RAM_BASE + 0x80000);
	assert_int_equal(plan.end, RAM_BASE + 0x80000 + sizeof(code));
	assert_true(plan.tree_at_base);
	request.has_load = true;
	request.load = RAM_BASE;
	expect_plan(&request, IMAGE_RAW);
	assert_int_equal(plan.entry, RAM_BASE);
	assert_false(plan.tree_at_base);
	request.load = RAM_BASE + request.tree_size;
	expect_plan(&request, IMAGE_RAW);
	assert_true(plan.tree_at_base);
	request.load -= 4;
	expect_plan(&request, IMAGE_RAW);
	assert_false(plan.tree_at_base);
	request.load = RAM_BASE + 2;
	expect_failure(&request, ERR_INVALID, "needs a multiple of 4");
	request.load = RAM_BASE + request.ram_size - 996;
	expect_failure(&request, ERR_RANGE, "is not in the VM's memory");
	request.load = UINT64_MAX - 3;
	expect_failure(&request, ERR_RANGE, "is not in the VM's memory");

	// No initrd and no tree: nothing but the program.
	request = request_for(code, sizeof(code));
	request.initrd_size = request.tree_size = 0;
	expect_plan(&request, IMAGE_RAW);
	request.kernel_size = 0;
	expect_failure(&request, ERR_INVALID, "the kernel file is empty");
	// One byte is a file, but no instruction.
	request.kernel_size = 1;
	expect_failure(&request, ERR_INVALID, "entry point 0x40080000 is not in the kernel");
}

static void test_not_a_kernel(void **state)
{
	static const struct {
		size_t at, size;
		const char *bytes, *text;
	} rows[] = {
	        {0, 2, "\x1f\x8b", "compressed with gzip"},
	        {0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd"},
	        {0, 6, "\3757zXZ\0", "compressed with xz"},
	        {4, 4, "zimg", "EFI zboot"},
	        {0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image"},
	        {0, 4, "\x27\x05\x19\x56", "a U-Boot uImage"},
	        {0x24, 4, "\x18\x28\x6f\x01", "a zImage for 32-bit Arm"},
	        {0x202, 4, "HdrS", "a kernel for x86"},
	        {0, 6, "070701", "a cpio archive"},
	        {0, 2, "MZ", "an EFI program"},
	        {0, 4, "\0\0\0\0", "begins with zeros"},
	        {0, 64, "#!/bin/sh\n# A script is sixty-four bytes of text at the very least\n",
	         "a text file"},
	};
	uint8_t bytes[1024];
	struct image_request request = request_for(bytes, sizeof(bytes));

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(bytes, 0xd5, sizeof(bytes));
		memcpy(bytes + rows[i].at, rows[i].bytes, rows[i].size);
		expect_failure(&request, ERR_INVALID, rows[i].text);
	}
	// Who says where to load it is believed about what cannot be told.
	request.has_load = true;
	request.load = RAM_BASE;
	expect_plan(&request, IMAGE_RAW);
	memset(bytes, 0, 4);
	expect_plan(&request, IMAGE_RAW);
}

// --- ELF ------------------------------------------------------------------------------------------

static uint8_t elf_bytes[KIB(64)];

static Elf64_Phdr *elf_phdr(unsigned index)
{
	return (Elf64_Phdr *)(void *)(elf_bytes + sizeof(Elf64_Ehdr)) + index;
}

static Elf64_Ehdr *elf_start(Elf64_Half type, Elf64_Half phnum, Elf64_Addr entry)
{
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)elf_bytes;

	memset(elf_bytes, 0, sizeof(elf_bytes));
	memcpy(ehdr->e_ident, "\177ELF\2\1\1", 7);
	ehdr->e_type = type;
	ehdr->e_machine = EM_AARCH64;
	ehdr->e_entry = entry;
	ehdr->e_phoff = sizeof(*ehdr);
	ehdr->e_phentsize = sizeof(Elf64_Phdr);
	ehdr->e_phnum = phnum;
	return ehdr;
}

static void elf_load(unsigned index, uint64_t offset, uint64_t vaddr, uint64_t paddr, uint64_t file,
                     uint64_t memory)
{
	*elf_phdr(index) = (Elf64_Phdr){.p_type = PT_LOAD,
	                                .p_offset = offset,
	                                .p_vaddr = vaddr,
	                                .p_paddr = paddr,
	                                .p_filesz = file,
	                                .p_memsz = memory};
}

static void test_elf(void **state)
{
	struct image_request request = request_for(elf_bytes, sizeof(elf_bytes));

	(void)state;
	// Out of order, linked high, physical addresses below; one empty, one that is no PT_LOAD.
	elf_start(ET_EXEC, 4, 0xffff000000001010);
	elf_load(0, 0x2000, 0xffff000000100000, 0x40200000, 0x100, 0x4000);
	elf_load(1, 0x1000, 0xffff000000001000, 0x40100000, 0x800, 0x800);
	elf_load(2, 0, 0, 0, 0, 0);
	elf_load(3, 0, 0, 0, 8, 8);
	elf_phdr(3)->p_type = PT_NOTE;
	expect_plan(&request, IMAGE_ELF);
	assert_int_equal(plan.nr_segments, 2);
	assert_int_equal(plan.segments[0].ipa, 0x40100000);
	assert_int_equal(plan.segments[1].ipa, 0x40200000);
	assert_int_equal(plan.entry, 0x40100010);
	assert_int_equal(plan.start, 0x40100000);
	assert_int_equal(plan.end, 0x40204000);
	assert_true(plan.tree_at_base);

	// An entry that no virtual address covers is taken as it is.
	elf_start(ET_EXEC, 1, 0x40100020);
	elf_load(0, 0x1000, 0xffff000000000000, 0x40100000, 0x800, 0x800);
	expect_plan(&request, IMAGE_ELF);
	assert_int_equal(plan.entry, 0x40100020);

	// Relocatable: moved into memory as a whole, or where it is told to go, or left where it fits.
	elf_start(ET_DYN, 2, 0x40);
	elf_load(0, 0, 0, 0, 0x1000, 0x1000);
	elf_load(1, 0x1000, 0x2010, 0x2010, 0x10, 0x20);
	expect_plan(&request, IMAGE_ELF);
	assert_int_equal(plan.start, RAM_BASE + 0x80000);
	assert_int_equal(plan.segments[1].ipa, RAM_BASE + 0x82010);
	assert_int_equal(plan.entry, RAM_BASE + 0x80040);
	request.has_load = true;
	request.load = RAM_BASE + MIB(1);
	expect_plan(&request, IMAGE_ELF);
	assert_int_equal(plan.entry, RAM_BASE + MIB(1) + 0x40);
	request.load++;
	expect_failure(&request, ERR_INVALID, "needs a multiple of 4096");
	request.has_load = false;
	elf_start(ET_DYN, 1, RAM_BASE + MIB(3));
	elf_load(0, 0, RAM_BASE + MIB(3), RAM_BASE + MIB(3), 0x1000, 0x1000);
	expect_plan(&request, IMAGE_ELF);
	assert_int_equal(plan.entry, RAM_BASE + MIB(3));
}

// Breaks a sound file in one way.
static void break_elf(unsigned how)
{
	Elf64_Ehdr *ehdr = elf_start(ET_EXEC, 2, RAM_BASE + MIB(1));

	elf_load(0, 0x1000, RAM_BASE + MIB(1), RAM_BASE + MIB(1), 0x1000, 0x2000);
	elf_load(1, 0x2000, RAM_BASE + MIB(2), RAM_BASE + MIB(2), 0x1000, 0x2000);
	switch (how) {
	case 0: ehdr->e_ident[EI_CLASS] = ELFCLASS32; break;
	case 1: ehdr->e_ident[EI_DATA] = ELFDATA2MSB; break;
	case 2: ehdr->e_machine = EM_X86_64; break;
	case 3: ehdr->e_type = ET_REL; break;
	case 4: ehdr->e_type = ET_CORE; break;
	case 5: ehdr->e_phnum = 0; break;
	case 6: ehdr->e_phnum = 65535; break;
	case 7: ehdr->e_phentsize = 32; break;
	case 8: ehdr->e_phoff = sizeof(elf_bytes) - 100; break;
	case 9: ehdr->e_phoff = UINT64_MAX - 10; break;
	case 10: elf_phdr(1)->p_offset = sizeof(elf_bytes) - 0xfff; break;
	case 11: elf_phdr(1)->p_offset = UINT64_MAX; break;
	case 12: elf_phdr(1)->p_filesz = UINT64_MAX; break;
	case 13: elf_phdr(1)->p_memsz = 0xfff; break;
	case 14: elf_phdr(1)->p_paddr = UINT64_MAX - 10; break;
	case 15: elf_phdr(1)->p_memsz = UINT64_MAX; break;
	case 16: elf_phdr(1)->p_paddr = RAM_BASE - 4096; break;
	case 17: elf_phdr(1)->p_paddr = RAM_BASE + MIB(64) - 0x1fff; break;
	case 18: elf_phdr(1)->p_paddr = RAM_BASE + MIB(1) + 0x1fff; break;
	case 19: ehdr->e_entry = 0x1234; break;
	case 20: ehdr->e_entry = RAM_BASE + MIB(1) + 2; break;
	case 21: elf_phdr(0)->p_type = elf_phdr(1)->p_type = PT_NULL; break;
	case 22: elf_phdr(1)->p_memsz = MIB(65); break;
	default: fail();
	}
}

static void test_elf_wrong(void **state)
{
	static const struct {
		int error;
		const char *text;
	} rows[] = {
	        {ERR_UNSUPPORTED, "an ELF file for another machine"},
	        {ERR_UNSUPPORTED, "an ELF file for another machine"},
	        {ERR_UNSUPPORTED, "an ELF file for another machine"},
	        {ERR_INVALID, "is not linked (type 1)"},
	        {ERR_INVALID, "is not linked (type 4)"},
	        {ERR_INVALID, "0 program headers at 0x40 are not usable"},
	        {ERR_INVALID, "65535 program headers"},
	        {ERR_INVALID, "are not usable; it is damaged"},
	        {ERR_INVALID, "are not usable; it is damaged"},
	        {ERR_INVALID, "are not usable; it is damaged"},
	        {ERR_INVALID, "goes beyond the file's end; it is cut off"},
	        {ERR_INVALID, "goes beyond the file's end; it is cut off"},
	        {ERR_INVALID, "goes beyond the file's end; it is cut off"},
	        {ERR_INVALID, "an impossible size"},
	        {ERR_INVALID, "an impossible size"},
	        {ERR_INVALID, "an impossible size"},
	        {ERR_RANGE, "part at 0x3ffff000, 8 KiB, is not in the VM's memory"},
	        {ERR_RANGE, "is not in the VM's memory"},
	        {ERR_INVALID, "two parts of the kernel overlap at 0x40101fff"},
	        {ERR_INVALID, "the entry point 0x1234 is not in the kernel"},
	        {ERR_INVALID, "the entry point 0x40100002 is not a multiple of 4"},
	        {ERR_INVALID, "nothing to load"},
	        {ERR_RANGE, "takes 66560 KiB of memory"},
	};
	struct image_request request = request_for(elf_bytes, sizeof(elf_bytes));

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		break_elf(i);
		expect_failure(&request, rows[i].error, rows[i].text);
	}
	elf_start(ET_EXEC, 1, RAM_BASE);
	elf_load(0, 0, RAM_BASE, RAM_BASE, 0x100, 0x100);
	request.has_load = true;
	request.load = RAM_BASE;
	expect_failure(&request, ERR_INVALID, "linked to 0x40000000; leave `load` out");
	request.has_load = false;
	request.kernel_size = 63;
	expect_failure(&request, ERR_INVALID, "cut off in its header");
	request.kernel_size = sizeof(elf_bytes);
	elf_start(ET_EXEC, IMAGE_MAX_SEGMENTS + 1, RAM_BASE);
	for (unsigned i = 0; i <= IMAGE_MAX_SEGMENTS; i++)
		elf_load(i, 0, RAM_BASE + i * PAGE_SIZE, RAM_BASE + i * PAGE_SIZE, 8, 8);
	expect_failure(&request, ERR_UNSUPPORTED, "more than 16 parts to load");
}

enum { RANDOM_ELF_SIZE = 512, RANDOM_LINUX_SIZE = 4096, RANDOM_ROUNDS = 100000 };

static uint64_t random_state = 99;

static uint64_t random_number(uint64_t limit)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (random_state >> 33) % limit;
}

// A number near a limit, or any at all.
static uint64_t random_value(void)
{
	static const uint64_t numbers[] = {
	        0,
	        1,
	        4,
	        0xfff,
	        0x1000,
	        RAM_BASE - 1,
	        RAM_BASE,
	        MIB(1),
	        RAM_BASE + MIB(1),
	        MIB(64),
	        RAM_BASE + MIB(64),
	        UINT64_MAX,
	        INT64_MAX,
	        MIB(2),
	        UINT64_MAX - 0xfff,
	        0x80000,
	        RAM_BASE + MIB(63),
	        64,
	};
	const uint64_t value = numbers[random_number(ARRAY_SIZE(numbers))];

	return random_number(16) == 0 ? value + random_state : value;
}

static size_t make_random_kernel(bool elf, bool fixed, uint8_t *bytes)
{
	if (!elf) {
		memcpy(bytes, linux_image(0, MIB(4), 0), RANDOM_LINUX_SIZE);
		return RANDOM_LINUX_SIZE;
	}
	elf_start(fixed ? ET_EXEC : ET_DYN, 3, RAM_BASE + MIB(1));
	for (unsigned i = 0; i < 3; i++)
		elf_load(i, 0, RAM_BASE + MIB(i + 1), RAM_BASE + MIB(i + 1), 16, 4096);
	memcpy(bytes, elf_bytes, RANDOM_ELF_SIZE);
	return RANDOM_ELF_SIZE;
}

static void change_something(struct image_request *request, uint8_t *bytes, bool elf)
{
	// Within the header and, for ELF, the three program headers; never the magic number.
	const size_t field = 8 + random_number(elf ? 28 : 5) * 8;
	const uint64_t value = random_value();

	switch (random_number(8)) {
	case 0: request->initrd_size = value; break;
	case 1: request->tree_size = value; break;
	case 2:
		request->has_load = true;
		request->load = value;
		break;
	case 3:
		request->has_entry = true;
		request->entry = value;
		break;
	default: memcpy(bytes + field, &value, sizeof(value));
	}
}

// Headers with random numbers, near the limits and far from them: taken with all promises kept, or
// refused with a sentence. The file lies in memory of just its size.
// --- a machine whose start code lies at the start of memory ---------------------------------------

static struct image_request pi_request(const void *kernel, uint64_t size)
{
	struct image_request request = request_for(kernel, size);

	request.ram_base = 0;
	request.boot_size = 4096;
	return request;
}

static void test_boot_part(void **state)
{
	static const uint8_t program[64] = {0xd5, 3};
	struct image_request request = pi_request(program, sizeof(program));

	(void)state;
	if (image_plan(&request, &plan, &problem) != 0)
		fail_msg("%s", problem.text);
	assert_int_equal(plan.entry, 0x80000);
	assert_int_equal(plan.tree, MIB(62)); // from the top of memory down
	assert_int_equal(plan.initrd, MIB(61) - KIB(64));
	assert_false(plan.tree_at_base);
	request.has_load = true;
	request.load = 4096;
	assert_int_equal(image_plan(&request, &plan, &problem), 0);
	request.load = 4092;
	expect_failure(&request, ERR_RANGE, "in the first 4 KiB of memory");
	request.load = 0;
	expect_failure(&request, ERR_RANGE, "in the first 4 KiB of memory");
	request.has_load = false;
	request.ram_size = MIB(2);
	expect_failure(&request, ERR_RANGE, "do not fit between the kernel's end at 0x80040");
	request.initrd_size = 0;
	expect_failure(&request, ERR_RANGE, "do not fit between the kernel's end at 0x80040");

	// An Image without offset goes above the start code, one with the old offset fits at once.
	request = pi_request(linux_image(0, MIB(4), 0xa), MIB(1));
	assert_int_equal(image_plan(&request, &plan, &problem), 0);
	assert_int_equal(plan.entry, MIB(2));
	request = pi_request(linux_image(0x80000, MIB(4), 0xa), MIB(1));
	assert_int_equal(image_plan(&request, &plan, &problem), 0);
	assert_int_equal(plan.entry, 0x80000);
	for (uint64_t size = MIB(1); size < MIB(12); size += KIB(36)) { // nothing overlaps, ever
		request.ram_size = size;
		if (image_plan(&request, &plan, &problem) != 0)
			continue;
		assert_true(plan.end <= plan.initrd);
		assert_true(plan.initrd + request.initrd_size <= plan.tree);
		assert_true(plan.tree + request.tree_size <= size);
	}
}

static void test_firmware(void **state)
{
	static const uint8_t bytes[16];
	struct image_request request = {.kernel = bytes,
	                                .kernel_size = 5,
	                                .ram_base = GIB(1),
	                                .ram_size = MIB(16),
	                                .tree_size = KIB(64)};
	struct image_problem why;

	(void)state;
	assert_int_equal(image_plan_firmware(&request, &plan, &why), 0);
	assert_int_equal(plan.kind, IMAGE_FIRMWARE);
	assert_string_equal(image_kind_name(plan.kind), "firmware");
	assert_int_equal(plan.nr_segments, 0);
	assert_int_equal(plan.entry, 0);
	assert_int_equal(plan.start, 0);
	assert_int_equal(plan.end, 5);
	assert_int_equal(plan.tree, GIB(1));
	request.kernel_size = MIB(64);
	request.tree_size = MIB(1);
	assert_int_equal(image_plan_firmware(&request, &plan, &why), 0);
	request.kernel_size++;
	assert_int_equal(image_plan_firmware(&request, &plan, &why), ERR_RANGE);
	assert_string_equal(
	        why.text,
	        "the firmware has 67108865 bytes; the flash that it begins in has 67108864");
	request.kernel_size = 1;
	request.tree_size++;
	assert_int_equal(image_plan_firmware(&request, &plan, &why), ERR_RANGE);
	assert_non_null(strstr(why.text, "the device tree for the VM has 1024 KiB"));
	request.kernel_size = 0;
	assert_int_equal(image_plan_firmware(&request, &plan, &why), ERR_INVALID);
	assert_string_equal(why.text, "the firmware file is empty");
}

static void test_random(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		const bool elf = round % 2 == 0;
		uint8_t *exact = malloc(elf ? RANDOM_ELF_SIZE : RANDOM_LINUX_SIZE);

		assert_non_null(exact);
		struct image_request request =
		        request_for(exact, make_random_kernel(elf, round % 4 == 0, exact));
		change_something(&request, exact, elf);
		change_something(&request, exact, elf);
		problem.text[0] = '\0';
		if (image_plan(&request, &plan, &problem) == 0) {
			check_plan(&request);
			taken++;
		} else {
			assert_true(problem.text[0] != '\0');
		}
		free(exact);
	}
	print_message("# %u of %d taken\n", taken, RANDOM_ROUNDS);
	assert_in_range(taken, RANDOM_ROUNDS / 20, RANDOM_ROUNDS - RANDOM_ROUNDS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_linux),     cmocka_unit_test(test_linux_wrong),
	        cmocka_unit_test(test_raw),       cmocka_unit_test(test_not_a_kernel),
	        cmocka_unit_test(test_elf),       cmocka_unit_test(test_elf_wrong),
	        cmocka_unit_test(test_boot_part), cmocka_unit_test(test_firmware),
	        cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
