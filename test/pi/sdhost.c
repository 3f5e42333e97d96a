/* SPDX-License-Identifier: Apache-2.0 */
/* The card by SDHOST, after its lines were led there: FAT32's root directory, a file, and blocks that are written. */
#include "card.h"

void program(u64 tree)
{
	(void)tree;
	sd_lines(SD_TO_SDHOST);
	if (!card_start(&sd_sdhost) || !card_list(&sd_sdhost))
		return;
	card_blocks(&sd_sdhost);
	check(!sd_emmc.begin() || sd_start(&sd_emmc) == 0, "the other controller has no card");
	sd_lines(SD_TO_EMMC);
	if (card_start(&sd_emmc))
		card_list(&sd_emmc);
}
