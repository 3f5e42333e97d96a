// SPDX-License-Identifier: Apache-2.0
/* Four cores use the DMA controller at a time, each with channels of its own: nobody loses or gets anything wrong. */
#include "pi.h"
#include "start.h"

#define CORES     4U
#define CHANNELS  3U // of a core, from CHANNELS * its number on
#define ROUNDS    10U
#define WORDS     1536U // 6 KiB
#define WAIT_US   20000000U
#define DMA(n)    (PERI_BASE + 0x7000 + 0x100UL * (n))
#define CS        0x00
#define CONBLK    0x04
#define CS_ACTIVE (1U << 0)
#define CS_END    (1U << 1)
#define CS_INT    (1U << 2)
#define CS_ERROR  (1U << 8)
#define CS_RESET  (1U << 31)
#define TI_INTEN  (1U << 0)
#define TI_COPY   ((1U << 4) | (1U << 8))

/* As the chip reads it. */
struct control_block {
	u32 info, from, to, bytes, stride, next, reserved[2];
} __attribute__((aligned(32)));

/* Each core's own. */
static struct place {
	struct control_block blocks[CHANNELS];
	u32 from[WORDS];
	u32 to[CHANNELS][WORDS];
	volatile u32 wrong, done;
} places[CORES];

static u32 bus(const volatile void *p)
{
	return (u32)(uintptr_t)p + BUS_UNCACHED;
}

static bool ends(u64 channel)
{
	u32 begin = read32(ST_CLO);
	while (read32(channel + CS) & CS_ACTIVE)
		if (read32(ST_CLO) - begin > WAIT_US)
			return false;
	bool good = (read32(channel + CS) & (CS_END | CS_INT | CS_ERROR)) == (CS_END | CS_INT);
	write32(channel + CS, CS_END | CS_INT);
	return good && !(read32(channel + CS) & (CS_END | CS_INT));
}

static void one_round(u32 me, u32 number)
{
	struct place *place = &places[me];
	u32 words = WORDS - number % 3 * 500;
	for (u32 i = 0; i < words; i++)
		place->from[i] = i * 2654435761U + me * 77 + number;
	for (u32 n = 0; n < CHANNELS; n++) {
		place->blocks[n] = (struct control_block){TI_COPY | TI_INTEN,
		                                          bus(place->from),
		                                          bus(place->to[n]),
		                                          words * 4,
		                                          0,
		                                          0,
		                                          {0, 0}};
		barrier();
		write32(DMA(me * CHANNELS + n) + CONBLK, bus(&place->blocks[n]));
		write32(DMA(me * CHANNELS + n) + CS, CS_ACTIVE);
	}
	for (u32 n = 0; n < CHANNELS; n++)
		place->wrong += !ends(DMA(me * CHANNELS + n));
	barrier();
	for (u32 i = 0; i < words; i += 7)
		for (u32 n = 0; n < CHANNELS; n++)
			place->wrong += place->to[n][i] != place->from[i];
}

static void work(u32 me)
{
	for (u32 n = 0; n < CHANNELS; n++)
		write32(DMA(me * CHANNELS + n) + CS, CS_RESET);
	for (u32 number = 0; number < ROUNDS; number++)
		one_round(me, number);
	barrier();
	places[me].done = 1;
}

static void other(u32 me)
{
	work(me);
	for (;;)
		__asm__ volatile("wfe");
}

void program(u64 tree)
{
	u32 wrong = 0, done = 0;
	(void)tree;
	pi_core_program = other;
	barrier();
	for (u32 n = 1; n < CORES; n++)
		write64(RELEASE + 8UL * n, (u64)(uintptr_t)core_entry);
	barrier();
	__asm__ volatile("sev");
	work(0);
	for (u32 begin = read32(ST_CLO); done < CORES && read32(ST_CLO) - begin < WAIT_US;) {
		done = 0;
		for (u32 n = 0; n < CORES; n++)
			done += places[n].done;
	}
	check(done == CORES, "every core comes to its end");
	for (u32 n = 0; n < CORES; n++)
		wrong += places[n].wrong;
	check(wrong == 0, "and all that they copied is right");
}
