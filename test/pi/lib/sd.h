/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SD card through one of the board's two controllers, by programmed I/O.
 * Source: SD Physical Layer Simplified Specification; BCM2835 ARM Peripherals, "External Mass Media Controller".
 */
#ifndef PI_SD_H
#define PI_SD_H

#include "pi.h"

#define SD_BLOCK 512U

#define SD_ILLEGAL      (1U << 22)
#define SD_OUT_OF_RANGE (1U << 31)
#define SD_STATE(r1)    ((r1) >> 9 & 15U)
#define SD_STBY         3U
#define SD_TRAN         4U

enum sd_answer { SD_NONE, SD_LONG, SD_SHORT, SD_BUSY };
enum sd_data { SD_NO_DATA, SD_READ, SD_WRITE };

struct sd_command {
	u32 index, argument;
	enum sd_answer answer;
	enum sd_data data;
	u32 block, count; // bytes of a block, blocks
	u32 *words;       // block * count bytes
	/* Moves the data; NULL: a word at a time, by the processor. */
	bool (*move)(const struct sd_command *command);
};

struct sd_host {
	const char *name;
	/* Makes the controller ready. */
	bool (*begin)(void);
	/* Sends a command and moves its data. False: no answer, or an error. */
	bool (*command)(const struct sd_command *command, u32 answer[4]);
};

extern const struct sd_host sd_emmc, sd_sdhost;

#define SD_TO_SDHOST 4U
#define SD_TO_EMMC   7U

/* The six lines of the card's slot, 48 to 53, get one of these functions. */
void sd_lines(u32 function);

/* What a command's argument calls a block. */
u32 sd_address(u32 block);
/* A command without data; the word of its answer goes to *answer, if that is not NULL. */
bool sd_send(const struct sd_host *host, u32 index, u32 argument, enum sd_answer kind, u32 *answer);
/* From power-on to a card that is chosen; its address, moved up as arguments want it, or 0. */
u32 sd_start(const struct sd_host *host);
/* Blocks in and out. */
bool sd_read(const struct sd_host *host, u32 first, u32 count, u32 *words);
bool sd_write(const struct sd_host *host, u32 first, u32 count, const u32 *words);

#endif
