// SPDX-License-Identifier: Apache-2.0
// The property mailbox of a Raspberry Pi, asked a few questions at boot. Owns nothing; called by main/
// on the boot CPU.
//
// VideoCore reads and writes the message in memory, past the ARM's caches: it is cleaned before it is
// sent, and its lines are thrown away before the answer is read.
// Invariant: every wait is bounded; an answer that is not of the form asked for is an error.
// Source: Raspberry Pi firmware wiki, "Accessing mailboxes", "Mailbox property interface"; BCM2835 ARM
// Peripherals, "Address map" for the bus addresses.
#include "hw/bcm_mailbox.h"

#include "arm/barrier.h"
#include "arm/cache.h"
#include "arm/io.h"
#include "base/atomic.h"
#include "base/bits.h"

enum reg {
	READ = 0x00,         // VideoCore to ARM
	READ_STATUS = 0x18,  // of that one
	WRITE = 0x20,        // ARM to VideoCore
	WRITE_STATUS = 0x38, // of that one
};

#define STATUS_FULL  BIT_U32(31)
#define STATUS_EMPTY BIT_U32(30)
#define CHANNEL      GENMASK_U32(3, 0)
#define PROPERTIES   8 // the channel
#define BUS_UNCACHED GENMASK_U32(31, 30)
#define BUS_REACH    GIB(1) // of the ARM's addresses, seen by VideoCore from there on
#define WAIT_READS   2000000
#define MOST_STALE   64 // answers that nobody has fetched

#define REQUEST        0
#define ANSWER_GOOD    BIT_U32(31)
#define TAG_ANSWERED   BIT_U32(31)
#define TAG_CLOCK_RATE 0x00030002
#define TAG_ARM_MEMORY 0x00010005

STATIC_ASSERT(sizeof(struct bcm_message) == BCM_MESSAGE_SIZE, "whole cache lines of either core");

static bool wait_clear(uintptr_t reg, uint32_t bit)
{
	for (uint32_t i = 0; i < WAIT_READS; i++) {
		if ((io_read32(reg) & bit) == 0)
			return true;
		spin_relax();
	}
	return false;
}

static int exchange_message(const struct bcm_mailbox *mailbox)
{
	const uintptr_t base = mailbox->base;
	const struct bcm_message *message = mailbox->message;
	const uint32_t letter = (uint32_t)(uintptr_t)message | BUS_UNCACHED | PROPERTIES;

	for (unsigned i = 0; i < MOST_STALE && (io_read32(base + READ_STATUS) & STATUS_EMPTY) == 0;
	     i++)
		(void)io_read32(base + READ);
	if (!wait_clear(base + WRITE_STATUS, STATUS_FULL))
		return ERR_BUSY;
	cache_clean_invalidate_poc(message,
	                           sizeof *message); // ends in a DSB: written before it is sent
	io_write32(base + WRITE, letter);
	for (unsigned i = 0; i < MOST_STALE; i++) {
		if (!wait_clear(base + READ_STATUS, STATUS_EMPTY))
			return ERR_BUSY;
		if (io_read32(base + READ) != letter)
			continue; // somebody else's
		dsb(sy);          // the answer is read after it has come
		cache_clean_invalidate_poc(message, sizeof *message); // clean: only thrown away
		return 0;
	}
	return ERR_BUSY;
}

static int ask(const struct bcm_mailbox *mailbox, uint32_t tag, uint32_t argument,
               uint32_t value[2])
{
	if ((uintptr_t)mailbox->message >= BUS_REACH)
		return ERR_UNSUPPORTED;
	*mailbox->message = (struct bcm_message){
	        .size = sizeof(struct bcm_message),
	        .code = REQUEST,
	        .tag = tag,
	        .room = sizeof mailbox->message->value,
	        .value = {argument},
	};
	int error = exchange_message(mailbox);
	if (error != 0)
		return error;
	const volatile struct bcm_message *answer = mailbox->message; // another processor wrote it
	if (answer->code != ANSWER_GOOD ||
	    answer->tag_code != (TAG_ANSWERED | sizeof answer->value))
		return ERR_UNSUPPORTED;
	value[0] = answer->value[0];
	value[1] = answer->value[1];
	return 0;
}

int bcm_mailbox_arm_memory(const struct bcm_mailbox *mailbox, uint64_t *start, uint64_t *size)
{
	uint32_t value[2];
	int error = ask(mailbox, TAG_ARM_MEMORY, 0, value);
	if (error != 0)
		return error;
	*start = value[0];
	*size = value[1];
	return *size != 0 ? 0 : ERR_UNSUPPORTED;
}

int bcm_mailbox_clock(const struct bcm_mailbox *mailbox, enum bcm_clock clock, uint32_t *hz)
{
	uint32_t value[2];
	int error = ask(mailbox, TAG_CLOCK_RATE, clock, value);
	if (error != 0)
		return error;
	*hz = value[1];
	return value[0] == (uint32_t)clock && *hz != 0 ? 0 : ERR_UNSUPPORTED;
}
