/* SPDX-License-Identifier: Apache-2.0 */
/* The Arasan controller, EMMC. */
#include "sd.h"

#define EMMC        (PERI_BASE + 0x300000)
#define BLKSIZECNT  (EMMC + 0x04)
#define ARG1        (EMMC + 0x08)
#define CMDTM       (EMMC + 0x0c)
#define RESP(n)     (EMMC + 0x10 + 4UL * (n))
#define DATA        (EMMC + 0x20)
#define STATUS      (EMMC + 0x24)
#define CONTROL0    (EMMC + 0x28)
#define CONTROL1    (EMMC + 0x2c)
#define INTERRUPT   (EMMC + 0x30)
#define IRPT_MASK   (EMMC + 0x34)
#define IRPT_EN     (EMMC + 0x38)
#define INHIBITED   3U
#define COUNTED     (1U << 1)
#define TO_HOST     (1U << 4)
#define MANY        (1U << 5)
#define WITH_DATA   (1U << 21)
#define INDEX(n)    ((n) << 24)
#define ANSWER(n)   ((u32)(n) << 16)
#define CLOCK_ON    1U
#define CLOCK_READY 2U
#define CLOCK_CARD  4U
#define CLOCK_400K  (0x68U << 8)
#define TIMEOUT_MAX (14U << 16)
#define RESET       (7U << 24)
#define DONE        1U
#define DATA_DONE   2U
#define WRITE_READY (1U << 4)
#define READ_READY  (1U << 5)
#define ERROR       (1U << 15)
#define WAIT_US     500000U

static bool wait_low(u64 addr, u32 mask)
{
	u32 start = read32(ST_CLO);
	while (read32(addr) & mask)
		if (read32(ST_CLO) - start >= WAIT_US)
			return false;
	return true;
}

/* Waits for one of INTERRUPT's bits and clears it. False: an error came, or nothing. */
static bool wait_interrupt(u32 mask)
{
	bool good = wait_set(INTERRUPT, mask | ERROR, WAIT_US);
	u32 seen = read32(INTERRUPT);
	good = good && !(seen & ERROR) && (seen & mask);
	write32(INTERRUPT, good ? mask : seen);
	return good;
}

static bool begin(void)
{
	write32(CONTROL1, 1U << 24);
	if (!wait_low(CONTROL1, RESET))
		return false;
	write32(CONTROL0, 0);
	write32(CONTROL1, CLOCK_ON | CLOCK_400K | TIMEOUT_MAX);
	if (!wait_set(CONTROL1, CLOCK_READY, WAIT_US))
		return false;
	write32(CONTROL1, read32(CONTROL1) | CLOCK_CARD);
	delay_us(2000);
	write32(IRPT_EN, 0);
	write32(IRPT_MASK, ~0U);
	write32(INTERRUPT, ~0U);
	return true;
}

/* What an error leaves in the controller. */
static bool recover(void)
{
	write32(CONTROL1, read32(CONTROL1) | 3U << 25);
	wait_low(CONTROL1, RESET);
	write32(INTERRUPT, ~0U);
	return false;
}

static bool move_words(const struct sd_command *command)
{
	u32 *words = command->words;
	for (u32 block = 0; block < command->count; block++) {
		if (!wait_interrupt(command->data == SD_READ ? READ_READY : WRITE_READY))
			return false;
		for (u32 i = 0; i < command->block / 4; i++, words++) {
			if (command->data == SD_READ)
				*words = read32(DATA);
			else
				write32(DATA, *words);
		}
	}
	return true;
}

static bool move(const struct sd_command *command)
{
	bool good = command->move ? command->move(command) : move_words(command);
	return (good && wait_interrupt(DATA_DONE)) || recover();
}

static bool emmc_command(const struct sd_command *command, u32 answer[4])
{
	u32 mode = INDEX(command->index) | ANSWER(command->answer);
	if (command->data != SD_NO_DATA)
		mode |= WITH_DATA | (command->data == SD_READ ? TO_HOST : 0) |
		        (command->count > 1 ? MANY | COUNTED : 0);
	if (!wait_low(STATUS, command->index == 12 ? 1U : INHIBITED))
		return recover();
	write32(INTERRUPT, read32(INTERRUPT));
	write32(BLKSIZECNT, command->count << 16 | command->block);
	write32(ARG1, command->argument);
	write32(CMDTM, mode);
	if (!wait_interrupt(DONE))
		return recover();
	for (u32 i = 0; i < 4; i++)
		answer[i] = read32(RESP(i));
	if (command->data != SD_NO_DATA)
		return move(command);
	return command->answer != SD_BUSY || wait_interrupt(DATA_DONE) || recover();
}

const struct sd_host sd_emmc = {"EMMC", begin, emmc_command};
