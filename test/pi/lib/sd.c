/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SD card: from power-on to blocks. The same through both controllers. One of high capacity is addressed by blocks; QEMU's
 * own, up to 2 GiB, by bytes.
 */
#include "sd.h"

#define TRIES         100U
#define OP_CONDITIONS 0x40ff8000U // high capacity, all voltages
#define OP_READY      (1U << 31)
#define OP_HIGH       (1U << 30)
#define CHECK_PATTERN 0x1aaU
#define ADDRESS       0xffff0000U

static bool high;

u32 sd_address(u32 block)
{
	return high ? block : block * SD_BLOCK;
}

/* For QEMU inputs lead to EMMC, and its own function leaves the card where it is. */
void sd_lines(u32 function)
{
	if (function == SD_TO_EMMC)
		sd_lines(0);
	u32 four = read32(GPFSEL(4)) & ~(077U << 24), five = 0;
	for (u32 i = 0; i < 4; i++)
		five |= function << (3 * i);
	write32(GPFSEL(4), four | function << 24 | function << 27);
	write32(GPFSEL(5), five);
}

bool sd_send(const struct sd_host *host, u32 index, u32 argument, enum sd_answer kind, u32 *answer)
{
	u32 words[4] = {0, 0, 0, 0};
	struct sd_command command = {index, argument, kind, SD_NO_DATA, 0, 0, NULL, NULL};
	bool good = host->command(&command, words);
	if (answer)
		*answer = words[0];
	return good;
}

static bool wait_ready(const struct sd_host *host)
{
	u32 conditions = 0;
	for (u32 i = 0; i < TRIES && !(conditions & OP_READY); i++) {
		if (!sd_send(host, 55, 0, SD_SHORT, NULL) ||
		    !sd_send(host, 41, OP_CONDITIONS, SD_SHORT, &conditions))
			return false;
		delay_us(1000);
	}
	high = conditions & OP_HIGH;
	return conditions & OP_READY;
}

u32 sd_start(const struct sd_host *host)
{
	u32 answer = 0;
	sd_send(host, 0, 0, SD_NONE, NULL);
	if (!sd_send(host, 8, CHECK_PATTERN, SD_SHORT, &answer) || answer != CHECK_PATTERN)
		return 0;
	if (!wait_ready(host) || !sd_send(host, 2, 0, SD_LONG, NULL) ||
	    !sd_send(host, 3, 0, SD_SHORT, &answer))
		return 0;
	u32 address = answer & ADDRESS;
	if (!sd_send(host, 7, address, SD_BUSY, NULL) ||
	    !sd_send(host, 16, SD_BLOCK, SD_SHORT, NULL))
		return 0;
	return address;
}

bool sd_read(const struct sd_host *host, u32 first, u32 count, u32 *words)
{
	u32 answer[4];
	struct sd_command command = {count == 1 ? 17U : 18U,
	                             sd_address(first),
	                             SD_SHORT,
	                             SD_READ,
	                             SD_BLOCK,
	                             count,
	                             words,
	                             NULL};
	bool good = host->command(&command, answer);
	/* one that failed waits for it, too */
	return (count == 1 || sd_send(host, 12, 0, SD_BUSY, NULL)) && good;
}

bool sd_write(const struct sd_host *host, u32 first, u32 count, const u32 *words)
{
	u32 answer[4];
	struct sd_command command = {count == 1 ? 24U : 25U,
	                             sd_address(first),
	                             SD_SHORT,
	                             SD_WRITE,
	                             SD_BLOCK,
	                             count,
	                             (u32 *)(uintptr_t)words,
	                             NULL};
	bool good = host->command(&command, answer);
	/* one that failed waits for it, too */
	return (count == 1 || sd_send(host, 12, 0, SD_BUSY, NULL)) && good;
}
