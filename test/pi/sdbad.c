/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong commands in wrong states, reads of what is not there, and nonsense in the registers, through both controllers. The
   card is usable after each. */
#include "card.h"

#define EMMC_CONTROL1 (PERI_BASE + 0x30002cUL)
#define EMMC_RESET    (1U << 24)
#define SDHOST_EDM    (PERI_BASE + 0x202034UL)
#define SDHOST_FORCE  (1U << 19)
#define NONSENSE      400U
#define NOWHERE       0xfffffe00U

static u32 block[SD_BLOCK / 4];
static u32 address;

/* None of these is answered. */
static bool all_silent(const struct sd_host *host, const u8 *commands, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (sd_send(host, commands[i], address, SD_SHORT, NULL)) {
			print("CMD%u was answered\n", commands[i]);
			return false;
		}
	}
	return true;
}

static bool usable(const struct sd_host *host)
{
	block[SD_BLOCK / 4 - 1] = 0;
	address = sd_start(host);
	return address != 0 && sd_read(host, 0, 1, block) &&
	       block[SD_BLOCK / 4 - 1] >> 16 == 0xaa55;
}

static u32 status(const struct sd_host *host)
{
	u32 r1 = 0;
	return sd_send(host, 13, address, SD_SHORT, &r1) ? r1 : ~0U;
}

static void in_idle(const struct sd_host *host)
{
	static const u8 wrong[] = {3, 7, 9, 10, 12, 13, 16, 17, 18, 24, 25, 32, 38, 60};
	u32 answer = 0;
	address = 0;
	sd_send(host, 0, 0, SD_NONE, NULL);
	check(all_silent(host, wrong, sizeof wrong), "before it is ready, most are not answered");
	check(sd_send(host, 55, 0, SD_SHORT, &answer) && (answer & SD_ILLEGAL),
	      "and the next answer says so");
	check(usable(host), "the card is usable");
}

static void in_standby(const struct sd_host *host)
{
	static const u8 wrong[] = {2, 8, 12, 16, 17, 18, 24, 25, 38};
	sd_send(host, 7, 0, SD_NONE, NULL);
	check(SD_STATE(status(host)) == SD_STBY, "the card is put aside");
	check(all_silent(host, wrong, sizeof wrong), "there it does nothing with data");
	check(status(host) & SD_ILLEGAL, "and says so");
	check(!(status(host) & SD_ILLEGAL), "once");
	check(sd_send(host, 7, address, SD_BUSY, NULL), "it is chosen again");
}

static void when_chosen(const struct sd_host *host)
{
	static const u8 wrong[] = {2, 3, 7, 8, 9, 10, 12, 60};
	static const u8 while_reading[] = {2, 9, 17, 18, 24, 25};
	check(all_silent(host, wrong, sizeof wrong), "a chosen card is not chosen again");
	check(status(host) & SD_ILLEGAL, "it says that this is not legal");
	check(SD_STATE(status(host)) == SD_TRAN, "and stays as it is");
	sd_send(host, 18, 0, SD_SHORT, NULL); // the controller does not know of the data
	check(all_silent(host, while_reading, sizeof while_reading),
	      "nothing begins while it reads");
	check(sd_send(host, 12, 0, SD_BUSY, NULL), "that can be stopped");
	check(SD_STATE(status(host)) == SD_TRAN, "and has stopped");
}

static void out_of_range(const struct sd_host *host)
{
	u32 answer[4];
	struct sd_command command = {17, NOWHERE, SD_SHORT, SD_READ, SD_BLOCK, 1, block, NULL};
	check(!host->command(&command, answer), "a block beyond the end is not read");
	check(host->begin() && usable(host), "the card is usable");
	command.index = 13; // an answer, and no data
	command.argument = address;
	check(!host->command(&command, answer),
	      "data that a command does not have is not waited for");
	check(host->begin() && usable(host), "the card is usable");
}

/* Whatever a register is for, but not the card's way to inactivity. */
static void nonsense(const struct sd_host *host, u64 base)
{
	u32 random = 12345;
	for (u32 i = 0; i < NONSENSE; i++) {
		random = random * 1664525U + 1013904223U;
		u64 reg = base + (random >> 8 & 0xfcU);
		if (i % 2)
			(void)read32(reg);
		else if (reg != base + 0x0c && reg != base) // sends commands
			write32(reg, random);
	}
	write32(EMMC_CONTROL1, EMMC_RESET);
	write32(SDHOST_EDM, SDHOST_FORCE);
	check(host->begin() && usable(host), "the card is usable after nonsense");
}

static void all_of_it(const struct sd_host *host, u64 base)
{
	print("by %s\n", host->name);
	check(host->begin() && usable(host), "the card is there");
	in_idle(host);
	in_standby(host);
	when_chosen(host);
	check(usable(host), "the card is usable");
	out_of_range(host);
	nonsense(host, base);
}

void program(u64 tree)
{
	(void)tree;
	all_of_it(&sd_emmc, PERI_BASE + 0x300000);
	sd_lines(SD_TO_SDHOST);
	all_of_it(&sd_sdhost, PERI_BASE + 0x202000);
	if (card_start(&sd_sdhost))
		card_list(&sd_sdhost);
}
