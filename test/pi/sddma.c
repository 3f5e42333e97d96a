/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks by the board's DMA controller, through both controllers of the card. */
#include "card.h"

#define DMA_CHANNEL  (PERI_BASE + 0x7400)
#define DMA_CS       (DMA_CHANNEL + 0x0)
#define DMA_CONBLK   (DMA_CHANNEL + 0x4)
#define DMA_ENABLES  (PERI_BASE + 0x7ff0)
#define CHANNEL_4    (1U << 4)
#define CS_ACTIVE    (1U << 0)
#define CS_END       (1U << 1)
#define CS_INT       (1U << 2)
#define CS_RESET     (1U << 31)
#define TI_WAIT      (1U << 3)
#define TI_DST_INC   (1U << 4)
#define TI_DST_DREQ  (1U << 6)
#define TI_SRC_INC   (1U << 8)
#define TI_SRC_DREQ  (1U << 10)
#define TI_FOR(dreq) ((u32)(dreq) << 16)
#define DMA_US       2000000U
#define EMMC_PORT    0x7e300020U
#define SDHOST_PORT  0x7e202040U
#define EMMC_DREQ    11
#define SDHOST_DREQ  13
#define BLOCKS       24U
#define SCRATCH      2000U // blocks before the first partition
#define WORDS        (BLOCKS * SD_BLOCK / 4)

static struct {
	u32 info, from, to, bytes, stride, next, reserved[2];
} __attribute__((aligned(32))) control;

static u32 sent[WORDS], got[WORDS];
static u32 port, dreq;

static u32 bus(const void *p)
{
	return (u32)(uintptr_t)p + BUS_UNCACHED;
}

/* The data of a command that was sent. */
static bool by_dma(const struct sd_command *command)
{
	bool reading = command->data == SD_READ;
	control.info = TI_WAIT | TI_FOR(dreq) |
	               (reading ? TI_SRC_DREQ | TI_DST_INC : TI_DST_DREQ | TI_SRC_INC);
	control.from = reading ? port : bus(command->words);
	control.to = reading ? bus(command->words) : port;
	control.bytes = command->block * command->count;
	barrier();
	write32(DMA_CS, CS_END | CS_INT);
	write32(DMA_CONBLK, bus(&control));
	write32(DMA_CS, CS_ACTIVE);
	bool ended = wait_set(DMA_CS, CS_END, DMA_US);
	barrier();
	return ended && !(read32(DMA_CS) & CS_ACTIVE);
}

static bool transfer(const struct sd_host *host, u32 index, enum sd_data data, u32 *words)
{
	u32 answer[4];
	struct sd_command command = {
	        index, sd_address(SCRATCH), SD_SHORT, data, SD_BLOCK, BLOCKS, words, by_dma};
	bool good = host->command(&command, answer);
	return sd_send(host, 12, 0, SD_BUSY, NULL) && good;
}

static bool same(void)
{
	for (u32 i = 0; i < WORDS; i++)
		if (sent[i] != got[i])
			return false;
	return true;
}

static void through(const struct sd_host *host, u32 seed)
{
	for (u32 i = 0; i < WORDS; i++) {
		sent[i] = i * 2654435761U + seed;
		got[i] = 0;
	}
	if (!card_start(host))
		return;
	check(transfer(host, 25, SD_WRITE, sent), "blocks are written by DMA");
	check(sd_read(host, SCRATCH, BLOCKS, got) && same(), "they are there");
	for (u32 i = 0; i < WORDS; i++)
		got[i] = 0;
	check(transfer(host, 18, SD_READ, got), "blocks are read by DMA");
	check(same(), "all of them");
}

void program(u64 tree)
{
	(void)tree;
	write32(DMA_ENABLES, read32(DMA_ENABLES) | CHANNEL_4);
	write32(DMA_CS, CS_RESET);
	delay_us(100);
	port = EMMC_PORT;
	dreq = EMMC_DREQ;
	through(&sd_emmc, 1);
	sd_lines(SD_TO_SDHOST);
	port = SDHOST_PORT;
	dreq = SDHOST_DREQ;
	through(&sd_sdhost, 2);
}
