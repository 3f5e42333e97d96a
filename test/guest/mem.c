// SPDX-License-Identifier: Apache-2.0
/*
 * All of RAM: zero when first seen (under Mezzo), keeps what is written, is private to its
 * address, can be executed, and may be touched first by several CPUs at once.
 */
#include "test.h"

#include "gic.h"
#include "mmu.h"

#define WAIT_US    20000000ul
#define SHARED     64u /* pages that all CPUs touch at once */
#define OPS        16u
#define CODE_PAGES 64u
#define MOVZ_X0    0xd2800000u /* movz x0, #imm16 */
#define RET        0xd65f03c0u
#define MOVZ_IMM   BITS(20, 5)
#define STRIDE     61 /* pages; prime, so that a walk by it visits every page once */

extern char _image_start[], _image_end[];

static u64 pages;
static unsigned cpus;
static u64 tree_start, tree_end;

static u64 page_at(u64 n)
{
	return platform.ram_base + n * PAGE_BYTES;
}

static bool overlaps(u64 at, u64 start, u64 end)
{
	return at < end && at + PAGE_BYTES > start;
}

/*
 * The image and the device tree are not ours to write. QEMU's boot code below the image is not
 * needed again.
 */
static bool in_use(u64 at)
{
	return overlaps(at, (u64)_image_start, (u64)_image_end) ||
	       overlaps(at, tree_start, tree_end);
}

static u64 signature(u64 at)
{
	return at * 0x9e3779b97f4a7c15ul ^ 0x5a5a5a5a5a5a5a5aul;
}

static bool is_zero(u64 at)
{
	u64 any = 0;

	for (u64 *p = (u64 *)at; p < (u64 *)(at + PAGE_BYTES); p++)
		any |= *p;
	return any == 0;
}

/* Both ends of each page, pages in steps: neither ascending nor twice. */
static void test_all_pages(void)
{
	u64 n = 0;

	group_begin("mem-zero-at-start");
	for (u64 i = 0; i < pages; i++) {
		u64 at = page_at(n);

		n = (n + STRIDE) % pages;
		if (in_use(at))
			continue;
		if (test_under_mezzo())
			group_eq(is_zero(at), true, "page 0x%lx", at);
		*(volatile u64 *)at = signature(at);
		*(volatile u64 *)(at + PAGE_BYTES - 8) = signature(at + 8);
	}
	group_end();

	group_begin("mem-keeps");
	for (u64 i = 0; i < pages; i++) {
		u64 at = page_at(i);

		if (in_use(at))
			continue;
		group_eq(*(volatile u64 *)at, signature(at), "0x%lx", at);
		group_eq(*(volatile u64 *)(at + PAGE_BYTES - 8), signature(at + 8), "end of 0x%lx",
		         at);
	}
	group_end();
}

static u64 free_page(u64 from)
{
	while (in_use(page_at(from)))
		from++;
	return page_at(from);
}

static void write_code(u64 at, u32 value)
{
	u32 *code = (u32 *)at;

	code[0] = MOVZ_X0 | (u32)FIELD(MOVZ_IMM, value);
	code[1] = RET;
	cache_sync_code(at, 2 * sizeof(u32));
}

static void test_execute(void)
{
	group_begin("mem-execute");
	for (u32 i = 0; i < CODE_PAGES; i++) {
		u64 at = free_page((pages / CODE_PAGES) * i);
		u64 (*code)(void) = (u64(*)(void))at;

		write_code(at, i + 1);
		group_eq(code(), i + 1, "code at 0x%lx", at);
		write_code(at, i + 1000);
		group_eq(code(), i + 1000, "changed code at 0x%lx", at);
	}
	group_end();
}

static u64 shared_base;
static u32 go;

static void touch_shared(u64 arg)
{
	(void)arg;
	while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) == 0)
		__asm__ volatile("yield");
	for (u64 op = 0; op < OPS; op++) {
		for (u64 i = 0; i < SHARED; i++) {
			u64 *word = (u64 *)(shared_base + i * PAGE_BYTES + op * 64);

			__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
		}
	}
}

/* Nobody's increment is lost if several CPUs meet at a page that has not been there before. */
static void test_first_touch_race(void)
{
	group_begin("mem-first-touch-race");
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		smp_post(cpu, touch_shared, 0);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	touch_shared(0);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		group_eq(smp_wait(cpu, WAIT_US), true, "CPU %u", cpu);
	for (u64 i = 0; i < SHARED; i++) {
		for (u64 op = 0; op < OPS; op++)
			group_eq(*(volatile u64 *)(shared_base + i * PAGE_BYTES + op * 64), cpus,
			         "page %lu word %lu", i, op);
	}
	group_end();
}

/*
 * A run of pages in the upper half that nothing has touched yet; zero on the bare board as well.
 */
static void choose_shared(void)
{
	shared_base = ALIGN_DOWN(page_at(pages / 4 * 3), MMU_BLOCK_BYTES) + MMU_BLOCK_BYTES / 2;
	while (in_use(shared_base) || in_use(shared_base + (SHARED - 1) * PAGE_BYTES))
		shared_base += MMU_BLOCK_BYTES;
}

static void test_atomics(void)
{
	u64 at = free_page(pages / 2 + 3);
	u64 *word = (u64 *)at;

	group_begin("mem-atomics");
	*word = 5;
	group_eq(__atomic_fetch_add(word, 7, __ATOMIC_SEQ_CST), 5, "old value");
	group_eq(*word, 12, "new value");
	group_eq(__atomic_exchange_n((u8 *)at + 3, (u8)9, __ATOMIC_SEQ_CST), 0, "byte");
	group_eq(*word, 12 | 9ul << 24, "byte in the word");
	group_end();
}

/* The last byte is RAM; what follows is checked by `aborts`. */
static void test_edges(void)
{
	u64 last = platform.ram_base + platform.ram_bytes - 1;

	*(volatile u8 *)last = 0x5a;
	check_eq(*(volatile u8 *)last, 0x5a, "mem-last-byte");
	if (in_use(platform.ram_base))
		return;
	*(volatile u8 *)platform.ram_base = 0xa5;
	check_eq(*(volatile u8 *)platform.ram_base, 0xa5, "mem-first-byte");
}

void test_main(void)
{
	u64 tree_bytes;

	pages = platform.ram_bytes / PAGE_BYTES;
	tree_start = platform.tree;
	tree_bytes = __builtin_bswap32(read32(platform.tree + 4));
	tree_end = tree_start + tree_bytes;
	cpus = smp_start_all();
	choose_shared();
	test_first_touch_race();
	for (u64 i = 0; i < SHARED; i++)
		__builtin_memset((void *)(shared_base + i * PAGE_BYTES), 0, PAGE_BYTES);
	test_all_pages();
	test_execute();
	test_atomics();
	test_edges();
}
