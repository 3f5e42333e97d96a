// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H7, H9, H10, H13: addresses where nothing is, changed maps, memory with the wrong attributes. A window
 * (mmu_window) shows any page as normal, writable and executable as far as stage 1 has a say.
 */
#include "hostile.h"

#define NOWHERE   0x00300000ul /* no model has anything there */
#define STOLEN    0x090a0000ul /* Mezzo's page of stolen time, read-only */
#define PAGE_OFF  BITS(11, 0)
#define ROUNDS    2000u
#define WAIT_US   1000000ul
#define SPARE     (10 * MIB) /* a 2 MiB block of memory that nothing else uses */
#define PAR_F     BIT(0)
#define CODE_RET  0xd65f03c0u
#define TCR_IPS   BITS(34, 32)
#define EC_IABORT 0x21

static bool is_abort(const struct exc_record *r)
{
	return r->count == 1 && (exc_class(r) == EC_DABT || exc_class(r) == EC_IABORT);
}

/* --- H7 ------------------------------------------------------------------------------------------ */

static void below_ram(void)
{
	u64 at = platform.ram_base - 8;
	struct exc_record r = EXC_OF(read64(at));

	want_abort(&r, at, "load below memory");
}

static void above_ram(void)
{
	struct exc_record r = EXC_OF(write64(ram_end(), 1));

	want_abort(&r, ram_end(), "store behind memory");
}

static void across_end(void)
{
	u64 last = mmu_window(ram_end() - PAGE_BYTES), at = last + PAGE_BYTES - 4;
	struct exc_record r = EXC_OF(read64(at));

	want_true(is_abort(&r), "load across the end of the window, class 0x%lx", exc_class(&r));
	r = EXC_OF(read32(at));
	want_none(&r, "the last word of memory");
}

/* Powers of two and their neighbours, as far as a descriptor can say. */
static void powers_of_two(void)
{
	for (u32 k = 12; k < 48; k++) {
		for (int near = -1; near <= 1; near++) {
			u64 page = (BIT(k) + (u64)near * PAGE_BYTES) & BITS(47, 12);
			bool ram = page >= platform.ram_base && page < ram_end();

			/* What is a device may answer; from 256 MiB up to memory there is nothing. */
			if (ram || page < 0x10000000)
				continue;
			struct exc_record r = EXC_OF(read32(mmu_window(page)));
			want_true(is_abort(&r), "load at 0x%lx, class 0x%lx", page, exc_class(&r));
		}
	}
}

static void beyond_range(void)
{
	u64 tcr = read_sysreg(tcr_el1);

	write_sysreg(tcr_el1, tcr | TCR_IPS); /* 7: reserved, and more than any CPU has */
	isb();
	u64 at = mmu_window(BITS(47, 12));
	struct exc_record r = EXC_OF(write32(at, 1));
	write_sysreg(tcr_el1, tcr);
	isb();
	want_true(is_abort(&r), "store at the last page of 48 bits, class 0x%lx", exc_class(&r));
}

static void fetch_nowhere(void)
{
	u64 at = mmu_window(ram_end());
	struct exc_record r = EXC_OF(exc_call(at));

	want_class(&r, EC_IABORT, "fetch behind memory");
	want_eq(r.far, at, "where");
}

static void exclusive_nowhere(void)
{
	u64 at = mmu_window(ram_end()), v = 0;
	u32 status = 9;
	struct exc_record r = EXC_OF(__asm__ volatile("ldxr %0, [%1]"
	                                              : "+r"(v)
	                                              : "r"(at)
	                                              : "memory"));

	want_true(is_abort(&r), "LDXR, class 0x%lx", exc_class(&r));
	r = EXC_OF(__asm__ volatile("stxr %w0, %1, [%2]"
	                            : "+&r"(status)
	                            : "r"(v), "r"(at)
	                            : "memory"));
	want_true(is_abort(&r) || status == 1, "STXR fails or aborts, class 0x%lx", exc_class(&r));
}

static void zva_nowhere(void)
{
	u64 at = mmu_window(ram_end());
	struct exc_record r = EXC_OF(__asm__ volatile("dc zva, %0" ::"r"(at) : "memory"));

	want_true(is_abort(&r), "DC ZVA, class 0x%lx", exc_class(&r));
}

static void maintenance_nowhere(void)
{
	u64 at = mmu_window(ram_end());
	struct exc_record r = EXC_OF({
		__asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
		__asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
		__asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
	});

	/* Either is allowed: nothing is cached there. */
	want_true(r.count <= 3, "each ends");
	r = EXC_OF(read32(at));
	want_true(is_abort(&r), "and nothing has come into being there");
}

static void walk_nowhere(void)
{
	u64 at = mmu_break_walk(ram_end());
	struct exc_record r = EXC_OF(read64(at));

	mmu_mend_walk();
	want_true(is_abort(&r), "table behind memory, class 0x%lx", exc_class(&r));
	want_eq(r.far, at, "where");
}

static void walk_in_device(void)
{
	u64 at = mmu_break_walk(platform.uart & BITS(47, 12));
	struct exc_record r = EXC_OF(read64(at));

	mmu_mend_walk();
	want_true(is_abort(&r), "table in a device, class 0x%lx", exc_class(&r));
}

/* The instruction that translates meets the same table. */
static void translate_nowhere(void)
{
	u64 at = mmu_break_walk(ram_end()), par = 0;
	struct exc_record r = EXC_OF({
		__asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(at) : "memory");
		par = read_sysreg(par_el1);
	});

	mmu_mend_walk();
	want_true(is_abort(&r) || (par & PAR_F) != 0, "an abort or a failed translation, PAR 0x%lx",
	          par);
}

static void flash_hole(void)
{
	struct exc_record r = EXC_OF(read32(0));

	want_abort(&r, 0, "address 0");
	r = EXC_OF(write32(NOWHERE, ~0u));
	want_abort(&r, NOWHERE, "below the devices");
}

/* What the board has there is Mezzo's: the same addresses are empty for a guest. */
static void devices_of_board(void)
{
	static const u64 at[] = {
	        0x08020000,
	        /* GICv2m */ 0x08030000,
	        /* GICH */ 0x08040000,
	        /* GICV */ 0x08080000, /* ITS */
	        0x09020000,
	        /* fw_cfg */ 0x09040000,
	        /* secure UART */ 0x09080000,
	        /* ACPI */ 0x10000000, /* PCI */
	        0x3eff0000,
	        /* PCI ports */ 0x3f000000,
	        /* PCI configuration */ 0x0c000000, /* platform bus */
	};

	for (u32 i = 0; i < ARRAY_LEN(at); i++) {
		struct exc_record r = EXC_OF(read32(at[i]));
		want_abort(&r, at[i], "load at 0x%lx", at[i]);
		r = EXC_OF(write32(at[i], ~0u));
		want_abort(&r, at[i], "store at 0x%lx", at[i]);
	}
}

static void wide_alias(void)
{
	/* Bits above the 39 that TCR_EL1 allows, and the other half: no way round to memory. */
	static const u64 high[] = {BIT(39), BIT(47), BIT(52), BIT(55), BITS(63, 56), BITS(63, 39)};

	for (u32 i = 0; i < ARRAY_LEN(high); i++) {
		struct exc_record r = EXC_OF(read64((u64)case_memory | high[i]));
		want_true(is_abort(&r), "load with 0x%lx, class 0x%lx", high[i], exc_class(&r));
	}
}

/* --- H9, H10 -------------------------------------------------------------------------------------- */

static volatile u64 reader_at, reader_seen, reader_faults;
static volatile bool reader_stop;

static bool reader_hook(struct exc_frame *frame, unsigned vector)
{
	if (smp_cpu() == 0 || vector % 4 != VEC_SYNC)
		return false;
	reader_faults++;
	frame->elr += 4;
	return true;
}

static void reader(u64 arg)
{
	(void)arg;
	while (!reader_stop) {
		u64 v = 0;
		__asm__ volatile("ldr %0, [%1]" : "+r"(v) : "r"(reader_at) : "memory");
		reader_seen = v;
	}
}

static void start_reader(u64 at)
{
	reader_at = at;
	reader_seen = 0;
	reader_faults = 0;
	reader_stop = false;
	case_hook(reader_hook);
	smp_post(1, reader, 0);
}

static void stop_reader(void)
{
	reader_stop = true;
	want_true(smp_wait(1, WAIT_US), "the reader ends");
	case_hook(NULL);
}

/* Another CPU loads all the time; after the TLB maintenance has completed it no longer sees the old page. */
static void remap_under_reader(void)
{
	u64 *first = (u64 *)case_memory, *second = (u64 *)(case_memory + PAGE_BYTES);

	first[0] = 0x1111;
	second[0] = 0x2222;
	start_reader(mmu_window((u64)first));
	want_true(WAIT_FOR(reader_seen == 0x1111, WAIT_US), "the first page");
	for (u32 i = 0; i < 20; i++) {
		(void)mmu_window((u64)(i % 2 == 0 ? second : first));
		u64 want = i % 2 == 0 ? 0x2222 : 0x1111;
		/* One load may be under way. */
		want_true(WAIT_FOR(reader_seen == want, WAIT_US), "page %u", i);
		for (u32 n = 0; n < 100; n++)
			want_eq(reader_seen, want, "page %u afterwards", i);
	}
	stop_reader();
}

static void unmap_under_reader(void)
{
	u64 block = platform.ram_base + SPARE;

	*(volatile u64 *)block = 0x3333;
	start_reader(block);
	want_true(WAIT_FOR(reader_seen == 0x3333, WAIT_US), "mapped");
	mmu_unmap(block);
	u64 faults = reader_faults;
	want_true(WAIT_FOR(reader_faults > faults + 100, WAIT_US), "every load faults");
	reader_seen = 1;
	want_true(WAIT_FOR(reader_seen == 0, WAIT_US), "the last value");
	for (u32 n = 0; n < 1000; n++)
		want_eq(reader_seen, 0, "a value from an unmapped block");
	stop_reader();
	mmu_map_user(block); /* something is there again; nobody uses it */
}

/* Local maintenance only: should the vCPU have moved, or its neighbour run on the same CPU, it must do as well. */
static void local_maintenance(void)
{
	u64 *pages = (u64 *)case_memory;

	for (u32 i = 0; i < 4; i++)
		pages[i * PAGE_BYTES / sizeof(u64)] = 100 + i;
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 at = mmu_window((u64)case_memory + (i % 4) * PAGE_BYTES);
		__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
		want_eq(read64(at), 100 + i % 4, "round %u", i);
	}
}

static void stores_after_remap(void)
{
	u64 *first = (u64 *)case_memory, *second = (u64 *)(case_memory + PAGE_BYTES);

	for (u32 i = 0; i < ROUNDS; i++) {
		write64(mmu_window((u64)first), i);
		write64(mmu_window((u64)second), ~(u64)i);
		want_eq(first[0], i, "first page, round %u", i);
		want_eq(second[0], ~(u64)i, "second page, round %u", i);
	}
}

/* A TLB operation of every kind that EL1 has, with operands that name nothing of its own. */
static void maintenance_garbage(void)
{
	u64 canary = 0x5a5a;

	write64((u64)case_memory, canary);
	for (u32 i = 0; i < 200; i++) {
		u64 v = case_random();
		__asm__ volatile("tlbi vae1, %0\n\ttlbi vaae1is, %0\n\ttlbi aside1, %0\n\ttlbi "
		                 "vale1is, %0\n\ttlbi vaale1, %0"
		                 "\n\tdsb ish\n\tisb" ::"r"(v)
		                 : "memory");
		want_eq(read64((u64)case_memory), canary, "its own memory");
	}
}

/* --- H13 ------------------------------------------------------------------------------------------ */

static void fetch_from(u64 page, const char *what)
{
	u64 at = mmu_window(page);
	struct exc_record r = EXC_OF(exc_call(at));

	want_class(&r, EC_IABORT, "fetch from %s", what);
	want_eq(r.far, at, "where");
}

static void fetch_uart(void)
{
	fetch_from(platform.uart & BITS(47, 12), "the UART");
}

static void fetch_gic(void)
{
	fetch_from(platform.gicd & BITS(47, 12), "the distributor");
}

static void fetch_stolen(void)
{
	fetch_from(STOLEN, "the page of stolen time");
}

static void write_stolen(void)
{
	u64 at = mmu_window(STOLEN), before = read64(at + 64 * 7 + 16);
	struct exc_record r = EXC_OF(write64(at + 64 * 7 + 16, 0x4141));

	want_true(is_abort(&r), "store, class 0x%lx", exc_class(&r));
	want_eq(read64(at + 64 * 7 + 16), before, "its value");
	r = EXC_OF(__asm__ volatile("dc zva, %0" ::"r"(at) : "memory"));
	want_true(is_abort(&r), "DC ZVA, class 0x%lx", exc_class(&r));
	u32 status = 9;
	r = EXC_OF(__asm__ volatile("ldxr x9, [%1]\n\tstxr %w0, x9, [%1]"
	                            : "+&r"(status)
	                            : "r"(at)
	                            : "x9", "memory"));
	want_true(is_abort(&r) || status == 1, "STXR, class 0x%lx", exc_class(&r));
}

static void invalidate_stolen(void)
{
	u64 at = mmu_window(STOLEN);
	struct exc_record r = EXC_OF(__asm__ volatile("dc ivac, %0" ::"r"(at) : "memory"));

	want_true(r.count <= 1, "it ends");
	want_eq(read32(at), 0, "revision");
}

static void device_as_memory(void)
{
	u64 at = mmu_window(platform.uart & BITS(47, 12)) + (platform.uart & PAGE_OFF);
	u64 v = 0;
	struct exc_record r = EXC_OF(__asm__ volatile("ldxr %w0, [%1]"
	                                              : "+r"(v)
	                                              : "r"(at + 0x18)
	                                              : "memory"));

	want_true(r.count == 0 || is_abort(&r), "LDXR, class 0x%lx", exc_class(&r));
	r = EXC_OF(__asm__ volatile("ldr %0, [%1]" : "+r"(v) : "r"(at + 0x1d) : "memory"));
	want_true(r.count <= 1, "unaligned, class 0x%lx", exc_class(&r));
	r = EXC_OF(__asm__ volatile("dc zva, %0" ::"r"(at + 0x40) : "memory"));
	want_true(r.count <= 1, "DC ZVA, class 0x%lx", exc_class(&r));
	r = EXC_OF(__asm__ volatile("ldp %0, x9, [%1]"
	                            : "+r"(v)
	                            : "r"(at + 0x18)
	                            : "x9", "memory"));
	want_true(r.count == 0 || is_abort(&r), "LDP, class 0x%lx", exc_class(&r));
	want_eq(read32(platform.uart + 0xfe0), 0x11, "the UART is as it was");
}

static void unaligned_device(void)
{
	u64 v = 0;
	struct exc_record r = EXC_OF(__asm__ volatile("ldr %w0, [%1]"
	                                              : "+r"(v)
	                                              : "r"(platform.uart + 0x19)
	                                              : "memory"));

	/* Of alignment where the CPU looks at that first, which QEMU does sometimes and not always. */
	u64 status = FIELD_GET(ESR_DFSC, r.esr);
	want_class(&r, EC_DABT, "unaligned load from device memory");
	want_true(status == FSC_ALIGN || status == FSC_SEA, "fault status 0x%lx", status);
	want_eq(v, 0, "its register");
}

/* Tables of stage 1 where the walker itself would have to write (hardware's access flag): read-only memory. */
static void walk_in_stolen(void)
{
	u64 at = mmu_break_walk(STOLEN);
	struct exc_record r = EXC_OF(read64(at));

	mmu_mend_walk();
	want_true(is_abort(&r), "a table of zeroes that is read-only, class 0x%lx", exc_class(&r));
	want_eq(read32(mmu_window(STOLEN)), 0, "revision");
}

/* MMU off: everything is device memory to stage 1, and what stage 2 says still holds. */
static volatile u64 off_seen;

static void mmu_off(void)
{
	mmu_disable();
	off_seen = *(volatile u64 *)case_memory;
	mmu_enable();
	want_eq(off_seen, 0, "memory that was zeroed, with the MMU off");
	want_eq(read_sysreg(sctlr_el1) & SCTLR_M, SCTLR_M, "MMU on again");
}

CASES(rows) = {
        {"H7.1", "Loads the last word below its memory.", "External abort at that address.",
         below_ram, NEEDS_MEZZO, 0},
        {"H7.2", "Stores behind the end of its memory.", "External abort at that address.",
         above_ram, 0, 0},
        {"H7.3", "Loads a word that begins in memory and ends behind it.",
         "An abort; the last whole word is there.", across_end, 0, 0},
        {"H7.4", "Loads at each power of two and a page to either side.",
         "An abort where nothing is.", powers_of_two, NEEDS_MEZZO, 0},
        {"H7.5", "Claims more address bits than there are and stores at the last page.",
         "An abort.", beyond_range, 0, 0},
        {"H7.6", "Jumps behind its memory.", "Instruction abort there.", fetch_nowhere, 0, 0},
        {"H7.7", "Exclusive load and store behind its memory.",
         "Abort; a store that fails or aborts.", exclusive_nowhere, 0, 0},
        {"H7.8", "Zeroes a block of bytes behind its memory.", "Abort.", zva_nowhere, 0, 0},
        {"H7.9", "Cache maintenance behind its memory.", "Nothing comes into being.",
         maintenance_nowhere, 0, 0},
        {"H7.10", "A page table behind its memory.", "Abort on the walk.", walk_nowhere, 0, 0},
        {"H7.11", "A page table in a device.", "Abort on the walk.", walk_in_device, 0, 0},
        {"H7.12", "Translates an address through a table behind its memory.",
         "Abort or a failed translation.", translate_nowhere, 0, 0},
        {"H7.13", "Loads and stores where a board has flash.", "External aborts.", flash_hole,
         NEEDS_MEZZO, 0},
        {"H7.14", "Looks for devices of the board that are Mezzo's.", "External aborts.",
         devices_of_board, NEEDS_MEZZO, 0},
        {"H7.15", "Sets high bits of addresses.", "Aborts, never another name for memory.",
         wide_alias, 0, 0},
        {"H9.1", "Changes a page while another CPU loads from it.",
         "No old value after the maintenance.", remap_under_reader, NEEDS_SMP, 0},
        {"H9.2", "Takes a block away while another CPU loads from it.", "Every later load faults.",
         unmap_under_reader, NEEDS_SMP, 0},
        {"H9.3", "Changes a page with local maintenance alone.", "The new page each time.",
         local_maintenance, 0, 0},
        {"H9.4", "Stores through a window that moves.", "Each store is where the window was.",
         stores_after_remap, 0, 0},
        {"H10.1", "TLB maintenance of every kind with random operands.", "Its own map stays.",
         maintenance_garbage, 0, 0},
        {"H13.1", "Executes from the UART.", "Instruction abort.", fetch_uart, NEEDS_MEZZO, 0},
        {"H13.2", "Executes from the interrupt controller.", "Instruction abort.", fetch_gic,
         NEEDS_MEZZO, 0},
        {"H13.3", "Executes from a page that is shared read-only.", "Instruction abort.",
         fetch_stolen, NEEDS_MEZZO, 0},
        {"H13.4", "Writes to a page that is shared read-only, in four ways.",
         "Aborts; its content stays.", write_stolen, NEEDS_MEZZO, 0},
        {"H13.5", "Invalidates cache lines of a page that is shared read-only.",
         "Its content stays.", invalidate_stolen, NEEDS_MEZZO, 0},
        {"H13.6", "Treats a device as memory: exclusive, pair, unaligned, zeroing.",
         "Values or aborts; the device stays as it is.", device_as_memory, NEEDS_MEZZO, 0},
        {"H13.7", "Unaligned load from a device.",
         "Alignment fault or external abort, and no value.", unaligned_device, NEEDS_MEZZO, 0},
        {"H13.8", "A page table in a page that is shared read-only.", "Abort; its content stays.",
         walk_in_stolen, NEEDS_MEZZO, 0},
        {"H13.9", "Reads memory with the MMU off.", "What was written.", mmu_off, 0, 0},
};
