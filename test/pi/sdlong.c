/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much work as the card and the DMA controller can be given at once: erasing what was written, while blocks
 * that loop copy odd bytes; and blocks from memory and to memory that nobody has touched, in rows. docs/performance.md
 * has what the longest exit takes.
 */
#include "card.h"

#define DMA(n)       (PERI_BASE + 0x7000 + 0x100UL * (n))
#define DMA_ENABLES  (PERI_BASE + 0x7ff0)
#define CS           0x0
#define CONBLK       0x4
#define CS_ACTIVE    (1U << 0)
#define CS_END       (1U << 1)
#define CS_INT       (1U << 2)
#define CS_RESET     (1U << 31)
#define TI_TDMODE    (1U << 1)
#define TI_WAIT      (1U << 3)
#define TI_DST_INC   (1U << 4)
#define TI_DST_DREQ  (1U << 6)
#define TI_SRC_INC   (1U << 8)
#define TI_SRC_DREQ  (1U << 10)
#define TI_FOR(dreq) ((u32)(dreq) << 16)
#define SDHOST_PORT  0x7e202040U
#define SDHOST_DREQ  13
#define EMMC_PORT    0x7e300020U
#define EMMC_DREQ    11
#define SMALL_BLOCKS 4000U // of one byte
#define CARD_CHANNEL DMA(4)
#define FIRST_LOOP   0U // channels 0 to 3 copy
#define LOOPS        4U
#define LOOP_BYTES   65536U
#define DMA_US       4000000U
#define ERASE_US     4000000U
#define AREA         4090U // blocks before 2 MiB of the card, and over that
#define BLOCKS       512U
#define ROW          1024U
#define COLD         0x06000000U // memory that nobody has used yet
#define COLD_SPAN    0x01000000U
#define STRIDE       0x7c01U // with the row, to another 32 KiB and an odd address

struct control {
	u32 info, from, to, bytes, stride, next, reserved[2];
} __attribute__((aligned(32)));

static struct control loops[LOOPS], control;
static u32 words[BLOCKS * SD_BLOCK / 4];
static u32 address;

static u32 bus(const void *p)
{
	return (u32)(uintptr_t)p + BUS_UNCACHED;
}

static void start_loops(void)
{
	for (u32 i = 0; i < LOOPS; i++) {
		loops[i] = (struct control){TI_SRC_INC | TI_DST_INC,
		                            (COLD + i * COLD_SPAN + 1) | BUS_UNCACHED,
		                            (COLD + i * COLD_SPAN + COLD_SPAN / 2) | BUS_UNCACHED,
		                            LOOP_BYTES,
		                            0,
		                            bus(&loops[i]),
		                            {0, 0}};
		barrier();
		write32(DMA(FIRST_LOOP + i) + CONBLK, bus(&loops[i]));
		write32(DMA(FIRST_LOOP + i) + CS, CS_ACTIVE);
	}
}

static void stop_loops(void)
{
	for (u32 i = 0; i < LOOPS; i++)
		write32(DMA(FIRST_LOOP + i) + CS, CS_RESET);
}

static bool run_control(void)
{
	barrier();
	write32(CARD_CHANNEL + CS, CS_END | CS_INT);
	write32(CARD_CHANNEL + CONBLK, bus(&control));
	write32(CARD_CHANNEL + CS, CS_ACTIVE);
	bool ended = wait_set(CARD_CHANNEL + CS, CS_END, DMA_US);
	barrier();
	return ended && !(read32(CARD_CHANNEL + CS) & CS_ACTIVE);
}

/* Rows of two blocks, each of which begins far from the one before. */
static bool by_dma(const struct sd_command *command)
{
	bool reading = command->data == SD_READ;
	u32 rows = command->count * SD_BLOCK / ROW - 1;
	control.info = TI_WAIT | TI_TDMODE | TI_FOR(SDHOST_DREQ) |
	               (reading ? TI_SRC_DREQ | TI_DST_INC : TI_DST_DREQ | TI_SRC_INC);
	control.from = reading ? SDHOST_PORT : (u32)(uintptr_t)command->words | BUS_UNCACHED;
	control.to = reading ? (u32)(uintptr_t)command->words | BUS_UNCACHED : SDHOST_PORT;
	control.bytes = rows << 16 | ROW;
	control.stride = reading ? STRIDE << 16 : STRIDE;
	return run_control();
}

/* Each is a word at the port. */
static bool small_by_dma(const struct sd_command *command)
{
	control = (struct control){TI_WAIT | TI_FOR(EMMC_DREQ) | TI_SRC_DREQ | TI_DST_INC,
	                           EMMC_PORT,
	                           bus(command->words),
	                           command->count * 4,
	                           0,
	                           0,
	                           {0, 0}};
	return run_control();
}

static bool small_blocks(void)
{
	u32 answer[4];
	struct sd_command command = {18, sd_address(AREA), SD_SHORT, SD_READ,
	                             1,  SMALL_BLOCKS,     words,    small_by_dma};
	return sd_emmc.command(&command, answer);
}

static bool transfer(u32 index, enum sd_data data, u32 first, u64 memory)
{
	u32 answer[4];
	struct sd_command command = {index,  sd_address(first),        SD_SHORT, data, SD_BLOCK,
	                             BLOCKS, (u32 *)(uintptr_t)memory, by_dma};
	bool good = sd_sdhost.command(&command, answer);
	return sd_send(&sd_sdhost, 12, 0, SD_BUSY, NULL) && good;
}

static bool erase(u32 first, u32 last)
{
	u32 r1 = 0;
	if (!sd_send(&sd_sdhost, 32, sd_address(first), SD_SHORT, NULL) ||
	    !sd_send(&sd_sdhost, 33, sd_address(last), SD_SHORT, NULL) ||
	    !sd_send(&sd_sdhost, 38, 0, SD_SHORT, NULL))
		return false;
	for (u32 us = 0; us < ERASE_US && SD_STATE(r1) != SD_TRAN; us += 50) {
		delay_us(50);
		if (!sd_send(&sd_sdhost, 13, address, SD_SHORT, &r1))
			return false;
	}
	return SD_STATE(r1) == SD_TRAN;
}

static bool is_zero(void)
{
	for (u32 i = 0; i < BLOCKS * SD_BLOCK / 4; i++)
		words[i] = 1;
	if (!sd_read(&sd_sdhost, AREA, BLOCKS, words))
		return false;
	for (u32 i = 0; i < BLOCKS * SD_BLOCK / 4; i++)
		if (words[i] != 0)
			return false;
	return true;
}

void program(u64 tree)
{
	(void)tree;
	write32(DMA_ENABLES, read32(DMA_ENABLES) | 0x1f);
	sd_lines(SD_TO_SDHOST);
	address = card_start(&sd_sdhost);
	if (!address)
		return;
	check(transfer(25, SD_WRITE, AREA, COLD), "rows of untouched memory are written");
	check(transfer(18, SD_READ, AREA, COLD + COLD_SPAN + 1), "and read to untouched memory");
	start_loops();
	check(transfer(25, SD_WRITE, AREA, COLD + 2 * COLD_SPAN + 1), "the same beside others");
	check(erase(AREA, AREA + BLOCKS - 1), "they are erased meanwhile");
	stop_loops();
	check(is_zero(), "all of them");
	check(erase(1, 131071), "all of the card is erased");
	sd_lines(SD_TO_EMMC);
	check(card_start(&sd_emmc) && small_blocks(), "blocks of one byte are read");
}
