// SPDX-License-Identifier: Apache-2.0
/* DMA with control blocks that are wrong or never end: each sets its error or can be stopped, and nothing else. */
#include "pi.h"

#define DMA(n)      (PERI_BASE + 0x7000 + 0x100UL * (n))
#define DMA_15      (PERI_BASE + 0xe05000)
#define CS          0x00
#define CONBLK      0x04
#define SOURCE      0x0c
#define LENGTH      0x14
#define NEXT        0x1c
#define DEBUG       0x20
#define CS_ACTIVE   (1U << 0)
#define CS_END      (1U << 1)
#define CS_PAUSED   (1U << 4)
#define CS_ERROR    (1U << 8)
#define CS_ABORT    (1U << 30)
#define CS_RESET    (1U << 31)
#define TI_TDMODE   (1U << 1)
#define TI_DST_INC  (1U << 4)
#define TI_SRC_INC  (1U << 8)
#define TI_COPY     (TI_DST_INC | TI_SRC_INC)
#define READ_ERROR  (1U << 2)
#define ERRORS      7U
#define WORDS       64U
#define BYTES       (WORDS * 4)
#define ROW         8U
#define ROWS        9U
#define BIG         (8U << 20)
#define DMA_US      1000000U
#define LOOPS       14U
#define LOOP_US     20000U
#define FILL        0xdeadbeefU
#define UNTOUCHED   0x08000000U // 128 MiB: memory that nobody has used yet
#define BUS_IO      0x7e000000U
#define ARM_IO      0x3f000000U
#define LOCAL       0x40000000U // the cores' own controller; to the DMA it is memory's first word
#define TIMER_LOW   (BUS_IO + 0x3004)
#define GPIO_SET    (BUS_IO + 0x20001c)
#define PM_WDOG_BUS (BUS_IO + 0x100024)

/* As the chip reads it. */
struct control_block {
	u32 info, from, to, bytes, stride, next, reserved[2];
} __attribute__((aligned(32)));

static struct control_block blocks[4];
static u32 from[WORDS], to[WORDS];

static u32 bus(const void *p)
{
	return (u32)(uintptr_t)p + BUS_UNCACHED;
}

static void prepare(void)
{
	for (u32 i = 0; i < WORDS; i++) {
		from[i] = i * 2654435761U + 1;
		to[i] = FILL;
	}
}

static bool is_untouched(void)
{
	for (u32 i = 0; i < WORDS; i++)
		if (to[i] != FILL || from[i] != i * 2654435761U + 1)
			return false;
	return true;
}

static void start(u64 channel, u32 block)
{
	barrier();
	write32(channel + CS, CS_RESET);
	write32(channel + DEBUG, ERRORS);
	write32(channel + CONBLK, block);
	write32(channel + CS, CS_ACTIVE);
}

static bool stops(u64 channel)
{
	u32 begin = read32(ST_CLO);
	while (read32(channel + CS) & CS_ACTIVE)
		if (read32(ST_CLO) - begin > DMA_US)
			return false;
	barrier();
	return true;
}

/* The block at `block` fails, and moves nothing. */
static bool fails(u32 block)
{
	start(DMA(0), block);
	bool good = stops(DMA(0)) && read32(DMA(0) + CS) & CS_ERROR &&
	            !(read32(DMA(0) + CS) & CS_END) && read32(DMA(0) + DEBUG) & READ_ERROR;
	write32(DMA(0) + DEBUG, READ_ERROR);
	return good && !(read32(DMA(0) + CS) & CS_ERROR) && is_untouched();
}

static bool fails_both(u32 address)
{
	blocks[0] = (struct control_block){TI_COPY, address, bus(to), BYTES, 0, 0, {0, 0}};
	bool good = fails(bus(&blocks[0]));
	blocks[0] = (struct control_block){TI_COPY, bus(from), address, BYTES, 0, 0, {0, 0}};
	return fails(bus(&blocks[0])) && good;
}

static void errors(void)
{
	prepare();
	check(fails_both(TIMER_LOW), "a register of the timer");
	check(fails_both(GPIO_SET), "a register of the GPIO");
	check(fails_both(PM_WDOG_BUS), "a register of the watchdog");
	check(fails_both(BUS_IO + 0x7000), "its own registers");
	check(fails_both(ARM_IO), "registers where the Arm side has them");
	check(fails_both(ARM_IO + BUS_UNCACHED - 0x1000), "beyond memory");
	check(fails_both(LOCAL - 4), "the last word of an alias");
	check(fails_both(0xfffffffcU), "the last word of all");
	check(fails(BUS_IO + 0x7000), "a block in registers");
	check(fails(BUS_UNCACHED + ARM_IO - 32), "a block beyond memory");
	check(fails(0xffffffe0U), "a block at the end of all");
	check(fails(bus(&blocks[0]) + 4), "a block that is not aligned");
	blocks[0] = (struct control_block){TI_COPY, bus(from), bus(from), 4, 0, 1, {0, 0}};
	check(fails(1) && is_untouched(), "a chain that ends nowhere");
}

static void copies_still(const char *name)
{
	prepare();
	blocks[0] = (struct control_block){TI_COPY, bus(from), bus(to), BYTES, 0, 0, {0, 0}};
	start(DMA(0), bus(&blocks[0]));
	bool good = stops(DMA(0)) && (read32(DMA(0) + CS) & (CS_END | CS_ERROR)) == CS_END;
	for (u32 i = 0; i < WORDS; i++)
		good = good && to[i] == from[i];
	check(good, name);
}

/* Every channel but one has a block that leads to itself; the program lives beside them. */
static void loops(void)
{
	blocks[1] =
	        (struct control_block){TI_COPY, bus(from), bus(to), 4, 0, bus(&blocks[1]), {0, 0}};
	blocks[2] = (struct control_block){0, 0, 0, 0, 0, bus(&blocks[2]), {0, 0}};
	for (u32 n = 1; n <= LOOPS; n++)
		start(DMA(n), bus(&blocks[n % 2 + 1]));
	u32 begin = read32(ST_CLO);
	delay_us(LOOP_US);
	check(read32(ST_CLO) - begin < LOOP_US * 50, "loops leave time to the program");
	bool active = true;
	for (u32 n = 1; n <= LOOPS; n++)
		active = active && read32(DMA(n) + CS) & CS_ACTIVE;
	check(active, "and go on");
	copies_still("a copy beside them");
	write32(DMA(1) + CS, 0);
	check(read32(DMA(1) + CS) & CS_PAUSED, "one is paused");
	write32(DMA(1) + NEXT, 0);
	write32(DMA(1) + CS, CS_ABORT | CS_ACTIVE);
	check(stops(DMA(1)) && !read32(DMA(1) + CONBLK), "and ends when its block is aborted");
	for (u32 n = 2; n <= LOOPS; n++)
		write32(DMA(n) + CS, CS_RESET);
	active = false;
	for (u32 n = 1; n <= LOOPS; n++)
		active = active || read32(DMA(n) + CS) & CS_ACTIVE;
	check(!active, "a reset ends the others");
}

static void overwrites(void)
{
	prepare();
	blocks[1] = (struct control_block){TI_COPY, bus(from), bus(to), BYTES, 0, 0, {0, 0}};
	blocks[0] = (struct control_block){TI_COPY, bus(&blocks[1]), bus(&blocks[0]), 32,
	                                   0,       bus(&blocks[0]), {0, 0}};
	start(DMA(0), bus(&blocks[0]));
	bool good = stops(DMA(0));
	for (u32 i = 0; i < WORDS; i++)
		good = good && to[i] == from[i];
	check(good, "a block that another one writes over");
	blocks[0] = (struct control_block){TI_DST_INC, bus(from),       bus(&blocks[0]), 64,
	                                   0,          bus(&blocks[0]), {0, 0}};
	from[0] = BUS_IO; // what it becomes: no block at all
	start(DMA(0), bus(&blocks[0]));
	check(stops(DMA(0)), "a block that writes over itself stops somehow");
	check(read32(DMA(0) + CS) & CS_ERROR, "with an error");
}

static bool rows_are_right(void)
{
	for (u32 i = 0; i < ROWS * ROW / 4; i++)
		if (to[i] != from[i / 2 * 4 + i % 2])
			return false;
	return to[ROWS * ROW / 4] == FILL;
}

static void rows(void)
{
	prepare();
	blocks[0] = (struct control_block){
	        TI_COPY | TI_TDMODE, bus(from), bus(to), (ROWS - 1) << 16 | ROW, ROW, 0, {0, 0}};
	blocks[0].stride = ROW; // of the source
	start(DMA(0), bus(&blocks[0]));
	/* 9 rows of 16 bytes are 144 of the source's 256. */
	check(stops(DMA(0)) && rows_are_right(), "rows, one more than the length says");
	start(DMA_15, bus(&blocks[0]));
	check(stops(DMA_15) && rows_are_right(), "and by channel 15");
}

/* Much, to memory that nobody has touched: it goes on while the program runs. */
static void long_copy(void)
{
	blocks[0] = (struct control_block){TI_COPY, UNTOUCHED, UNTOUCHED + BIG, BIG, 0, 0, {0, 0}};
	write32(UNTOUCHED + BIG - 4, 0x12345678);
	start(DMA(0), bus(&blocks[0]));
	u32 seen = read32(DMA(0) + SOURCE), begin = read32(ST_CLO);
	bool moves = false;
	while (!moves && read32(ST_CLO) - begin < DMA_US)
		moves = read32(DMA(0) + SOURCE) != seen;
	write32(DMA(0) + CS, 0);
	seen = read32(DMA(0) + LENGTH);
	delay_us(2000);
	check(moves && read32(DMA(0) + LENGTH) == seen, "a long copy goes on until it is paused");
	write32(DMA(0) + CS, CS_ACTIVE);
	u32 tries = 0;
	while (!stops(DMA(0)) && tries < 20)
		tries++;
	check(read32(UNTOUCHED + 2 * BIG - 4) == 0x12345678, "and to its end afterwards");
}

void program(u64 tree)
{
	(void)tree;
	errors();
	copies_still("a copy after all errors");
	loops();
	overwrites();
	rows();
	long_copy();
	copies_still("a copy after all of it");
}
