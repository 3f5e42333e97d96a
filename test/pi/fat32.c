/* SPDX-License-Identifier: Apache-2.0 */
/* A card by the Arasan controller, as the firmware leaves its lines: FAT32's root directory, and a file. */
#include "card.h"

void program(u64 tree)
{
	(void)tree;
	if (card_start(&sd_emmc) && card_list(&sd_emmc))
		card_blocks(&sd_emmc);
}
