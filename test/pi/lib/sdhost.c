/* SPDX-License-Identifier: Apache-2.0 */
/* The other controller, SDHOST. Source: Linux, drivers/mmc/host/bcm2835.c, for its registers. */
#include "sd.h"

#define SDHOST       (PERI_BASE + 0x202000)
#define SDCMD        (SDHOST + 0x00)
#define SDARG        (SDHOST + 0x04)
#define SDTOUT       (SDHOST + 0x08)
#define SDCDIV       (SDHOST + 0x0c)
#define SDRSP(n)     (SDHOST + 0x10 + 4UL * (n))
#define SDHSTS       (SDHOST + 0x20)
#define SDVDD        (SDHOST + 0x30)
#define SDEDM        (SDHOST + 0x34)
#define SDHCFG       (SDHOST + 0x38)
#define SDHBCT       (SDHOST + 0x3c)
#define SDDATA       (SDHOST + 0x40)
#define SDHBLC       (SDHOST + 0x50)
#define NEW          (1U << 15)
#define FAILED       (1U << 14)
#define BUSY         (1U << 11)
#define NO_ANSWER    (1U << 10)
#define LONG         (1U << 9)
#define WRITE        (1U << 7)
#define READ         (1U << 6)
#define ERRORS       0xf8U
#define ALL_STATUS   0x7f8U
#define WORDS_OF(e)  ((e) >> 4 & 0x1fU)
#define FIFO_WORDS   16U
#define STATE_OF(e)  ((e)&15U)
#define DATA_MODE    1U
#define THRESHOLDS   (4U << 9 | 4U << 14)
#define CONFIG       0xaU // slow card, wide internal bus
#define DIVIDER_400K 0x26eU
#define WAIT_US      500000U

static bool wait_new(void)
{
	u32 start = read32(ST_CLO);
	while (read32(SDCMD) & NEW)
		if (read32(ST_CLO) - start >= WAIT_US)
			return false;
	return true;
}

static bool begin(void)
{
	write32(SDVDD, 0);
	write32(SDCMD, 0);
	write32(SDARG, 0);
	write32(SDTOUT, 0xf00000);
	write32(SDCDIV, 0);
	write32(SDHCFG, 0);
	write32(SDHBCT, 0);
	write32(SDHBLC, 0);
	for (u32 i = 0; i < FIFO_WORDS; i++) // what somebody left there
		(void)read32(SDDATA);
	write32(SDHSTS, ALL_STATUS);
	write32(SDEDM, (read32(SDEDM) & ~0x7fe0fU) | THRESHOLDS);
	delay_us(2000);
	write32(SDVDD, 1);
	delay_us(2000);
	write32(SDHCFG, CONFIG);
	write32(SDCDIV, DIVIDER_400K);
	return !(read32(SDCMD) & NEW);
}

/* Waits for data in the FIFO, or for room. False: an error came, or nothing. */
static bool wait_fifo(bool reading)
{
	u32 start = read32(ST_CLO);
	while (read32(ST_CLO) - start < WAIT_US) {
		u32 words = WORDS_OF(read32(SDEDM));
		if (read32(SDHSTS) & ERRORS)
			return false;
		if (reading ? words > 0 : words < FIFO_WORDS)
			return true;
	}
	return false;
}

static bool move_words(const struct sd_command *command)
{
	u32 count = command->block * command->count / 4;
	for (u32 i = 0; i < count; i++) {
		if (!wait_fifo(command->data == SD_READ))
			return false;
		if (command->data == SD_READ)
			command->words[i] = read32(SDDATA);
		else
			write32(SDDATA, command->words[i]);
	}
	return true;
}

static bool move(const struct sd_command *command)
{
	if (!(command->move ? command->move(command) : move_words(command)))
		return false;
	u32 start = read32(ST_CLO);
	while (STATE_OF(read32(SDEDM)) != DATA_MODE && read32(ST_CLO) - start < WAIT_US)
		;
	return !(read32(SDHSTS) & ERRORS);
}

static bool sdhost_command(const struct sd_command *command, u32 answer[4])
{
	static const u32 answers[] = {
	        [SD_NONE] = NO_ANSWER, [SD_LONG] = LONG, [SD_SHORT] = 0, [SD_BUSY] = BUSY};
	static const u32 data[] = {[SD_NO_DATA] = 0, [SD_READ] = READ, [SD_WRITE] = WRITE};
	if (!wait_new())
		return false;
	write32(SDHSTS, ALL_STATUS);
	write32(SDARG, command->argument);
	if (command->data != SD_NO_DATA) {
		write32(SDHBCT, command->block);
		write32(SDHBLC, command->count);
	}
	write32(SDCMD, command->index | answers[command->answer] | data[command->data] | NEW);
	if (!wait_new() || (read32(SDCMD) & FAILED)) {
		write32(SDHSTS, ALL_STATUS);
		return false;
	}
	for (u32 i = 0; i < 4; i++)
		answer[i] = read32(SDRSP(i));
	return command->data == SD_NO_DATA || move(command);
}

const struct sd_host sd_sdhost = {"SDHOST", begin, sdhost_command};
