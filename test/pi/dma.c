// SPDX-License-Identifier: Apache-2.0
/* DMA memory to memory: a copy, a chain, a fill, the four aliases of memory, and its interrupt flag. */
#include "pi.h"

#define DMA_CS      (PERI_BASE + 0x7000)
#define DMA_CONBLK  (PERI_BASE + 0x7004)
#define DMA_ENABLES (PERI_BASE + 0x7ff0)
#define CS_ACTIVE   (1U << 0)
#define CS_END      (1U << 1)
#define CS_INT      (1U << 2)
#define CS_RESET    (1U << 31)
#define TI_INTEN    (1U << 0)
#define TI_WAIT     (1U << 3)
#define TI_DST_INC  (1U << 4)
#define TI_SRC_INC  (1U << 8)
#define TI_COPY     (TI_WAIT | TI_DST_INC | TI_SRC_INC)
#define WORDS       1024U
#define BYTES       (WORDS * 4)
#define DMA_US      1000000U
#define GPU_DMA_0   (1U << 16)

/* As the chip reads it. */
struct control_block {
	u32 info, from, to, bytes, stride, next, reserved[2];
} __attribute__((aligned(32)));

static struct control_block blocks[2];
static u32 from[WORDS], to[WORDS];

static u32 bus(const void *p)
{
	return (u32)(uintptr_t)p + BUS_UNCACHED;
}

static void prepare(void)
{
	for (u32 i = 0; i < WORDS; i++) {
		from[i] = i * 2654435761U + 1;
		to[i] = 0;
	}
}

static bool go(void)
{
	barrier();
	write32(DMA_CS, CS_END | CS_INT);
	write32(DMA_CONBLK, bus(&blocks[0]));
	write32(DMA_CS, CS_ACTIVE);
	bool ended = wait_set(DMA_CS, CS_END, DMA_US);
	barrier();
	return ended && !(read32(DMA_CS) & CS_ACTIVE);
}

static bool same(u32 first, u32 count)
{
	for (u32 i = first; i < first + count; i++)
		if (to[i] != from[i])
			return false;
	return true;
}

static void copy(void)
{
	prepare();
	blocks[0] =
	        (struct control_block){TI_COPY | TI_INTEN, bus(from), bus(to), BYTES, 0, 0, {0, 0}};
	check(go(), "a copy ends");
	check(same(0, WORDS), "and all of it is there");
	check(read32(DMA_CS) & CS_INT, "it asks for an interrupt");
	check(read32(IRQ_PENDING_1) & GPU_DMA_0, "which the controller sees");
	write32(DMA_CS, CS_END | CS_INT);
	check(!(read32(DMA_CS) & (CS_END | CS_INT)), "both flags are cleared by writing 1");
	check(!(read32(IRQ_PENDING_1) & GPU_DMA_0), "and the interrupt is gone");
}

static void chain(void)
{
	prepare();
	blocks[0] = (struct control_block){TI_COPY, bus(from),       bus(to), BYTES / 2,
	                                   0,       bus(&blocks[1]), {0, 0}};
	blocks[1] = (struct control_block){
	        TI_COPY, bus(from + WORDS / 2), bus(to + WORDS / 2), BYTES / 4, 0, 0, {0, 0}};
	check(go(), "a chain of two ends");
	check(same(0, WORDS * 3 / 4), "and both parts are there");
	check(to[WORDS * 3 / 4] == 0, "and nothing beyond");
	check(read32(DMA_CONBLK) == 0, "no further block");
}

static void fill(void)
{
	bool good = true;
	prepare();
	blocks[0] = (struct control_block){
	        TI_WAIT | TI_DST_INC, bus(from), bus(to), BYTES, 0, 0, {0, 0}};
	check(go(), "a fill ends");
	for (u32 i = 0; i < WORDS; i++)
		good = good && to[i] == from[0];
	check(good, "and every word is the first one");
}

static void aliases(void)
{
	bool good = true;
	for (u32 alias = 0; alias < 4; alias++) {
		u32 at = alias << 30, block = (u32)(uintptr_t)&blocks[0] + at;
		prepare();
		blocks[0] = (struct control_block){TI_COPY,
		                                   (u32)(uintptr_t)from + at,
		                                   (u32)(uintptr_t)to + (at ^ BUS_UNCACHED),
		                                   64,
		                                   0,
		                                   0,
		                                   {0, 0}};
		barrier();
		write32(DMA_CS, CS_END | CS_INT);
		write32(DMA_CONBLK, block);
		write32(DMA_CS, CS_ACTIVE);
		good = good && wait_set(DMA_CS, CS_END, DMA_US) && same(0, 16);
	}
	check(good, "memory has four aliases");
}

/* The first block is read once, copies the second one over itself, and is read again. */
static void overwrite(void)
{
	prepare();
	blocks[1] = (struct control_block){TI_COPY, bus(from), bus(to), BYTES, 0, 0, {0, 0}};
	blocks[0] = (struct control_block){TI_COPY, bus(&blocks[1]), bus(&blocks[0]), 32,
	                                   0,       bus(&blocks[0]), {0, 0}};
	check(go(), "a block that is written over ends");
	check(same(0, WORDS), "and is what it became");
}

void program(u64 tree)
{
	(void)tree;
	write32(DMA_ENABLES, read32(DMA_ENABLES) | 1U);
	write32(DMA_CS, CS_RESET);
	delay_us(100);
	write32(IRQ_ENABLE_1, GPU_DMA_0); // pending shows what is enabled; interrupts stay masked
	copy();
	write32(IRQ_DISABLE_1, GPU_DMA_0);
	chain();
	fill();
	aliases();
	overwrite();
}
