/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that read a card do with it, through either controller. The card is made by card.py. */
#ifndef PI_CARD_H
#define PI_CARD_H

#include "fat.h"

/* Starts controller and card. Its address, or 0. */
u32 card_start(const struct sd_host *host);
/* Mounts it, lists its root directory, and prints a file. False: it cannot be mounted. */
bool card_list(const struct sd_host *host);
/* Several blocks at a time, both ways; the last blocks of the card are written to. */
void card_blocks(const struct sd_host *host);

#endif
