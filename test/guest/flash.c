// SPDX-License-Identifier: Apache-2.0
/*
 * A machine that begins with firmware: the registers it begins with, where its device tree is, the flash that it executes,
 * and the commands of both banks. Ends its first life by a reset, and finds what it had programmed. Started by
 * firmware/start.S.
 * Source: JEDEC JESD68.01, "Common Flash Interface (CFI)", "Query Structure"; Intel StrataFlash Embedded Memory (P30)
 * datasheet, "Device Command Codes", "Status Register".
 */
#include "test.h"

#include "fdt.h"
#include "firmware/found.h"

#define TREE    0x40000000ul
#define BANK    0x04000000ul /* bytes of one, and where the second one is */
#define BLOCK   0x40000ul
#define BOTH(x) ((u32)(x) << 16 | (u32)(x)) /* of the two chips of a bank */
#define ERASED  0xffffffffu
#define MARK    0x6b72616du
#define MARK_AT (BANK + 8 * BLOCK)
#define WORK    (BANK + 16 * BLOCK)

#define READ_ARRAY   0xff
#define READ_STATUS  0x70
#define READ_ID      0x90
#define QUERY        0x98
#define CLEAR_STATUS 0x50
#define PROGRAM      0x40
#define ERASE        0x20
#define CONFIRM      0xd0
#define BUFFER       0xe8
#define NO_COMMAND   0x5a

#define READY          0x80
#define SEQUENCE_ERROR 0x30
#define PROGRAM_ERROR  0x10
#define ERASE_ERROR    0x20
#define LOCKED         0x02
#define POLLS          100000
#define SWEEPS         4000
#define MIB_2          0x200000ul

static u64 found(u64 what)
{
	return read64(FOUND + what);
}

static void test_start(void)
{
	group_begin("flash-start");
	group_eq(found(FOUND_REGISTERS), 0, "general registers");
	group_eq(found(FOUND_PC), 0, "the first instruction");
	group_eq(found(FOUND_CURRENT_EL), 1 << 2, "CurrentEL");
	group_eq(found(FOUND_DAIF), 0xf << 6, "DAIF");
	group_eq(found(FOUND_SPSEL), 1, "SPSel");
	group_eq(found(FOUND_SCTLR) & 0x1005, 0, "MMU and caches");
	group_end();
}

static void test_tree(void)
{
	struct fdt_walk walk;
	struct fdt_node node;
	bool there = false;

	group_begin("flash-tree");
	if (group_eq(fdt_valid(TREE), true, "at the start of RAM")) {
		fdt_walk_start(&walk, TREE);
		while (fdt_walk_next(&walk, &node)) {
			u64 base = 1, bytes = 0;

			if (!fdt_is_compatible(&node, "cfi-flash"))
				continue;
			there = true;
			for (u32 i = 0; i < 2; i++) {
				group_eq(fdt_reg(&node, i, &base, &bytes), true, "bank %u", i);
				group_eq(base, i * BANK, "base of bank %u", i);
				group_eq(bytes, BANK, "bytes of bank %u", i);
			}
			const u8 *width = fdt_prop(&node, "bank-width", NULL);
			group_eq(width != NULL ? fdt_cell(width, 0) : 0, 4, "bank-width");
		}
	}
	group_eq(there, true, "a node for flash");
	group_end();
}

/* What begins at 0 is what was copied from there; behind it is nothing but ones. */
static void test_contents(void)
{
	u64 payload = 0;

	group_begin("flash-contents");
	while (payload < 4096 && read64(payload) != read64(KERNEL))
		payload += 64;
	group_eq(read32(0) != 0 && read32(0) != ERASED, true, "an instruction at 0");
	for (u64 at = 0; at < 0x800; at += 4)
		group_eq(read32(payload + at), read32(KERNEL + at), "offset 0x%lx", at);
	group_end();
	group_strict("flash-erased");
	group_eq(read64(BANK - 8), ~0ul, "the end of the first bank");
	group_eq(read16(BANK / 2 + 2), 0xffff, "the middle of it");
	group_eq(read8(2 * BANK - 1), 0xff, "the end of the second bank");
	group_end();
}

static void command(u64 bank, u32 what)
{
	write32(bank, BOTH(what));
}

static u32 query(u64 bank, u32 word)
{
	return read8(bank + 4 * word);
}

static void test_query(u64 bank, const char *name)
{
	group_begin(name);
	u32 first = read32(bank);
	for (unsigned width = 1; width <= 8; width *= 2) {
		switch (width) {
		case 1: write8(bank, QUERY); break;
		case 2: write16(bank, QUERY); break;
		case 4: write32(bank, BOTH(QUERY)); break;
		default: write64(bank, (u64)BOTH(QUERY) << 32 | BOTH(QUERY)); break;
		}
		group_eq(read32(bank + 0x40), BOTH('Q'), "Q after %u bytes", width);
		group_eq(read16(bank + 0x44), 'R', "R after %u bytes", width);
		group_eq(read8(bank + 0x48), 'Y', "Y after %u bytes", width);
		group_eq(read64(bank + 0x40), (u64)BOTH('R') << 32 | BOTH('Q'), "QR after %u bytes",
		         width);
		command(bank, READ_ARRAY);
		group_eq(read32(bank), first, "the array after %u bytes", width);
	}
	command(bank, QUERY);
	group_eq(query(bank, 0x13), 1, "Intel's command set");
	group_eq(query(bank, 0x27), 25, "log2 of a chip's bytes");
	group_eq(query(bank, 0x2c), 1, "kinds of blocks");
	group_eq(query(bank, 0x2d) | query(bank, 0x2e) << 8, 255, "blocks less one");
	group_eq(query(bank, 0x2f) | query(bank, 0x30) << 8, 512, "256 bytes in a block");
	group_eq(query(bank, 0x31), 'P', "its own table");
	command(bank, READ_ARRAY);
	command(bank, READ_ID);
	group_eq(read32(bank), BOTH(0x89), "manufacturer");
	group_eq(read32(bank + 4), BOTH(0x18), "device");
	command(bank, READ_ARRAY);
	group_eq(read32(bank), first, "the array at last");
	group_end();
}

/* Both chips' status, once they are ready. */
static u32 finish(u64 at)
{
	u32 status = 0;

	for (unsigned i = 0; i < POLLS && (status & BOTH(READY)) != BOTH(READY); i++)
		status = read32(at);
	return status;
}

static u32 erase(u64 at)
{
	command(at, ERASE);
	command(at, CONFIRM);
	u32 status = finish(at);
	command(at, READ_ARRAY);
	return status;
}

static u32 program(u64 at, u32 value)
{
	command(at, PROGRAM);
	write32(at, value);
	u32 status = finish(at);
	command(at, READ_ARRAY);
	return status;
}

static void test_program(void)
{
	group_begin("flash-program");
	group_eq(erase(WORK), BOTH(READY), "erase");
	for (u64 at = WORK; at < WORK + BLOCK; at += 0x1ffc)
		group_eq(read32(at), ERASED, "offset 0x%lx", at - WORK);
	group_eq(program(WORK + 0x1000, 0x12345678), BOTH(READY), "program");
	group_eq(read32(WORK + 0x1000), 0x12345678, "what was programmed");
	group_eq(read32(WORK + 0x1004), ERASED, "what follows it");
	command(WORK, BUFFER);
	group_eq(finish(WORK), BOTH(READY), "the buffer is free");
	command(WORK, 31);
	for (u32 i = 0; i < 32; i++)
		write32(WORK + 0x2000 + 4 * i, i * 0x01010101);
	command(WORK, CONFIRM);
	group_eq(finish(WORK), BOTH(READY), "program by the buffer");
	command(WORK, READ_ARRAY);
	for (u32 i = 0; i < 32; i++)
		group_eq(read32(WORK + 0x2000 + 4 * i), i * 0x01010101, "word %u", i);
	group_eq(read32(WORK + 0x2080), ERASED, "what follows them");
	command(WORK, PROGRAM);
	write16(WORK + 0x3002, 0xabcd);
	command(WORK, READ_ARRAY);
	group_eq(read32(WORK + 0x3000), 0xabcdffff, "two bytes");
	group_eq(erase(WORK + 0x2000), BOTH(READY), "erase again");
	group_eq(read32(WORK + 0x1000) & read32(WORK + 0x2000) & read32(WORK + 0x3000), ERASED,
	         "all of the block");
	group_end();
}

/* What QEMU's flash does not do: it programs ones, and has no errors. */
static void test_strict(void)
{
	group_strict("flash-strict");
	group_eq(erase(WORK), BOTH(READY), "erase");
	group_eq(program(WORK, 0xffff0000), BOTH(READY), "program");
	group_eq(program(WORK, 0x00ffff00), BOTH(READY), "program over it");
	group_eq(read32(WORK), 0x00ff0000, "only zeroes are programmed");
	command(WORK, ERASE);
	command(WORK, NO_COMMAND);
	group_eq(read32(WORK), BOTH(READY | SEQUENCE_ERROR), "a block is erased by two commands");
	command(WORK, CLEAR_STATUS);
	group_eq(read32(WORK), BOTH(READY), "the status is cleared");
	command(WORK, READ_ARRAY);
	group_eq(read32(WORK), 0x00ff0000, "nothing was erased");
	command(WORK, NO_COMMAND);
	group_eq(read32(WORK), 0x00ff0000, "no command changes nothing");
	u32 first = read32(0);
	group_eq(program(0, 0), BOTH(READY | PROGRAM_ERROR | LOCKED), "the first bank is locked");
	command(0, CLEAR_STATUS);
	group_eq(erase(BLOCK), BOTH(READY | ERASE_ERROR | LOCKED), "and not erased");
	command(0, CLEAR_STATUS);
	group_eq(read32(0), first, "it is as before");
	group_end();
}

/* Stores without a syndrome, and cache maintenance, while the bank is mapped. */
static void test_forms(void)
{
	u64 at = BANK, query = (u64)BOTH(QUERY) << 32 | BOTH(QUERY);
	u32 first = read32(at);

	group_begin("flash-forms");
	__asm__ volatile("stp %w1, %w2, [%0]" ::"r"(at), "r"(BOTH(QUERY)), "r"(BOTH(READ_ARRAY))
	                 : "memory");
	group_eq(read32(at), first, "query, then array");
	__asm__ volatile("stp %1, %1, [%0]" ::"r"(at), "r"(query) : "memory");
	group_eq(read32(at + 0x40), BOTH('Q'), "four times query");
	command(at, READ_ARRAY);
	group_eq(read32(at), first, "the array");
	__asm__ volatile("str %w1, [%0], #4" : "+r"(at) : "r"(BOTH(QUERY)) : "memory");
	group_eq(read32(at + 0x3c), BOTH('Q'), "with write-back");
	command(BANK, READ_ARRAY);
	group_eq(read32(BANK), first, "the array again");
	struct exc_record r = EXC_OF(__asm__ volatile("dc cvac, %0" ::"r"(BANK) : "memory"));
	group_eq(exc_class(&r), NO_EXC, "DC CVAC");
	r = EXC_OF(__asm__ volatile("dc ivac, %0" ::"r"(BANK) : "memory"));
	group_eq(exc_class(&r), NO_EXC, "DC IVAC");
	group_end();
}

/* Whatever command it is in the middle of, and whatever went wrong. */
static void settle(u64 bank)
{
	for (unsigned i = 0; i < 80; i++)
		command(bank, READ_ARRAY);
	command(bank, CLEAR_STATUS);
	command(bank, READ_ARRAY);
}

/* Accesses of any width anywhere, aligned or not, that mean nothing: a value or one abort each, and commands work after it. */
static void test_sweep(void)
{
	static const u8 likely[] = {QUERY,  PROGRAM,    ERASE,   CONFIRM,
	                            BUFFER, READ_ARRAY, READ_ID, 0x60};
	u64 seed = 88172645463325252ul;

	group_begin("flash-sweep");
	for (u32 n = 0; n < SWEEPS; n++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		u64 at = (seed >> 8) % (2 * BANK - 8), value = seed >> 3;
		if (seed & 8)
			at &= BANK | 0xffff;
		if (seed & 16)
			value = BOTH(likely[(seed >> 40) % sizeof(likely)]);
		struct exc_record r = {0};
		switch (seed & 7) {
		case 0: r = EXC_OF(write8(at, (u8)value)); break;
		case 1: r = EXC_OF(write16(at, (u16)value)); break;
		case 2: r = EXC_OF(write32(at, (u32)value)); break;
		case 3: r = EXC_OF(write64(at, value)); break;
		case 4: r = EXC_OF((void)read8(at)); break;
		case 5: r = EXC_OF((void)read16(at)); break;
		case 6: r = EXC_OF((void)read32(at)); break;
		default: r = EXC_OF((void)read64(at)); break;
		}
		group_eq(r.count <= 1 && (r.count == 0 || exc_class(&r) == EC_DABT), true,
		         "access %u at 0x%lx", n, at);
	}
	settle(0);
	settle(BANK);
	group_eq(read32(0), read32(0), "the first bank is memory again");
	group_eq(erase(WORK), BOTH(READY), "erase");
	group_eq(read32(WORK), ERASED, "the second bank is, too");
	group_end();
}

#define PLACES 8

static volatile bool stop;
static volatile u64 reads, wrong;
static u32 array[PLACES];

static u64 place(u64 n)
{
	return WORK + 0x40 + n % PLACES * MIB_2;
}

/* Sees the array, or what the other CPU's commands make of it. */
static void reader(u64 unused)
{
	(void)unused;
	while (!stop) {
		u32 value = read32(place(reads));

		wrong += value != array[reads % PLACES] && value != BOTH('Q');
		reads++;
	}
}

#define ROUNDS 200

static void test_two_cpus(void)
{
	if (platform.cpu_count < 2) {
		test_skip("one CPU", "flash-two-cpus");
		return;
	}
	group_strict("flash-two-cpus"); /* QEMU changes its mode in steps that another CPU sees */
	group_eq(erase(WORK), BOTH(READY), "erase");
	for (u64 i = 0; i < PLACES; i++)
		array[i] = read32(place(i));
	group_eq(smp_start_all(), platform.cpu_count, "CPUs start");
	smp_post(1, reader, 0);
	for (unsigned i = 0; i < ROUNDS || reads < ROUNDS; i++) {
		command(BANK, QUERY);
		group_eq(read32(BANK + 0x44), BOTH('R'), "query, round %u", i);
		command(BANK, READ_ARRAY);
	}
	stop = true;
	group_eq(smp_wait(1, 5000000), true, "the other CPU ends");
	group_eq(wrong, 0, "what it saw, in %lu reads", reads);
	group_end();
}

void test_main(void)
{
	bool again = read32(MARK_AT) == MARK;

	test_start();
	test_tree();
	test_contents();
	if (!again) {
		test_query(0, "flash-query-first");
		test_query(BANK, "flash-query-second");
		test_program();
		test_strict();
		test_forms();
		if (test_under_mezzo()) /* QEMU's may be left to wait for 65536 words */
			test_sweep();
		test_two_cpus();
		erase(MARK_AT);
		program(MARK_AT, MARK);
		if (!check_eq(read32(MARK_AT), MARK, "flash-mark"))
			return; /* or the next life would do all this again */
		/* Left in the middle of a command, which a reset ends. */
		command(0, QUERY);
		command(BANK, BUFFER);
		psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
		check_true(false, "flash-reset-does-not-return");
	}
	check_eq(read32(MARK_AT), MARK, "flash-kept-over-reset");
	check_eq(read32(WORK), ERASED, "flash-kept-as-it-was");
}
