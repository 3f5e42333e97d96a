/* SPDX-License-Identifier: Apache-2.0 */
/* Three lives, if the card remembers them: each writes its number to a block and restarts the board. */
#include "card.h"

#define SCRATCH 2000U
#define LIVES   3U
#define MARK    0x4c495645U

static u32 block[SD_BLOCK / 4];

void program(u64 tree)
{
	(void)tree;
	if (!sd_emmc.begin() || !sd_start(&sd_emmc) || !sd_read(&sd_emmc, SCRATCH, 1, block)) {
		check(false, "the card is there");
		return;
	}
	u32 life = block[0] == MARK ? block[1] : 0;
	print("life %u of this card\n", life);
	block[0] = MARK;
	block[1] = life + 1;
	bool written = sd_write(&sd_emmc, SCRATCH, 1, block);
	if (written && life + 1 < LIVES)
		pm_reset(0);
	check(written, "the block is written");
	check(life + 1 == LIVES, "it was the last life");
}
