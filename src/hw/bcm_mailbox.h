// SPDX-License-Identifier: Apache-2.0
// Questions to VideoCore, which owns a Raspberry Pi's memory and clocks, through its property mailbox.
#ifndef HW_BCM_MAILBOX_H
#define HW_BCM_MAILBOX_H

#include "base/types.h"

// VideoCore's numbers for clocks.
enum bcm_clock { BCM_CLOCK_UART = 2, BCM_CLOCK_CORE = 4 };

// What is written to VideoCore and comes back. Whole cache lines, so that nothing else shares one.
#define BCM_MESSAGE_SIZE 64
struct bcm_message {
	uint32_t size, code;
	uint32_t tag, room, tag_code,
	        value[2]; // one tag: its number, bytes for values, code, values
	uint32_t end, unused[8];
} __attribute__((aligned(BCM_MESSAGE_SIZE)));

struct bcm_mailbox {
	uintptr_t base; // where the mailbox's registers are mapped
	struct bcm_message
	        *message; // below 1 GiB, where physical and virtual addresses are the same
};

// All of these: boot CPU only. ERR_BUSY: no answer within about a second (bounded by reads of a register);
// ERR_UNSUPPORTED: VideoCore does not know, or the message lies where it cannot reach.

// Which part of the first GiB of memory is the ARM's; the rest, up to the peripherals, is VideoCore's.
int bcm_mailbox_arm_memory(const struct bcm_mailbox *mailbox, uint64_t *start, uint64_t *size);

// A clock's rate in Hz, never 0.
int bcm_mailbox_clock(const struct bcm_mailbox *mailbox, enum bcm_clock clock, uint32_t *hz);

#endif
