// SPDX-License-Identifier: Apache-2.0
// The two mailboxes: words to the video processor, and its answers. What the firmware would do with a word is
// done before the write is over, so the answer waits at once.
// Owns the answers under its lock; called by the MMIO map.
// Invariant: the line says whether an answer waits and the guest wants to be told.
// Source: Raspberry Pi firmware wiki, "Accessing mailboxes"; Linux, drivers/mailbox/bcm2835-mailbox.c.
#include "vdev/vbcm2835_mbox.h"

#include "base/bits.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_property.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

#define DEPTH 8 // words that one holds

enum {
	READ = 0x00, // four times
	PEEK = 0x10,
	SENDER = 0x14,
	STATUS = 0x18,
	CONFIG = 0x1c,
	WRITE = 0x20, // four times
	WRITE_STATUS = 0x38,
	WRITE_CONFIG = 0x3c,
	SIZE = 0x40,
};

#define STATUS_FULL     BIT_U32(31)
#define STATUS_EMPTY    BIT_U32(30)
#define CONFIG_DATA_IRQ BIT_U32(0)
#define CONFIG_PENDING  BIT_U32(4)
#define WORD_CHANNEL    GENMASK_U32(3, 0)

#define CHANNEL_FRAMEBUFFER 1
#define CHANNEL_PROPERTY    8

struct vbcm2835_mbox {
	// Fixed after start.
	struct vm *vm;

	// Under the lock.
	struct spinlock lock;
	uint32_t answer[DEPTH];
	uint32_t first, count; // of those that wait
	uint32_t config, write_config;
	bool line;
};

static void update_line(struct vbcm2835_mbox *mbox)
{
	bool line = mbox->count != 0 && (mbox->config & CONFIG_DATA_IRQ) != 0;

	if (line == mbox->line)
		return;
	mbox->line = line;
	virq_set(mbox->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_MAILBOX), line);
}

static uint32_t take(struct vbcm2835_mbox *mbox)
{
	uint32_t word = mbox->answer[mbox->first];

	if (mbox->count == 0)
		return 0;
	mbox->first = (mbox->first + 1) % DEPTH;
	mbox->count--;
	return word;
}

static uint32_t read_locked(struct vbcm2835_mbox *mbox, uint32_t reg)
{
	uint32_t count = mbox->count;

	if (reg < PEEK)
		return take(mbox);
	switch (reg) {
	case PEEK: return count != 0 ? mbox->answer[mbox->first] : 0;
	case STATUS: return (count == 0 ? STATUS_EMPTY : 0) | (count == DEPTH ? STATUS_FULL : 0);
	case CONFIG: return mbox->config | (mbox->line ? CONFIG_PENDING : 0);
	// A word is answered at once, so there has to be room for the answer.
	case WRITE_STATUS: return STATUS_EMPTY | (count == DEPTH ? STATUS_FULL : 0);
	case WRITE_CONFIG: return mbox->write_config;
	}
	return 0;
}

static bool mbox_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t *value)
{
	struct vbcm2835_mbox *mbox = dev;

	if (!vreg_fits(offset, size))
		return false;
	spin_lock(&mbox->lock);
	*value = vreg_part(read_locked(mbox, vreg_base(offset)), offset, size);
	update_line(mbox);
	spin_unlock(&mbox->lock);
	return true;
}

// What the firmware makes of a word. False: it does not answer.
static bool answer(struct vm *vm, uint32_t *word)
{
	uint32_t channel = *word & WORD_CHANNEL, address = *word & ~WORD_CHANNEL;

	if (channel == CHANNEL_PROPERTY)
		return vbcm2835_property_answer(vm, address);
	if (channel != CHANNEL_FRAMEBUFFER)
		return false;
	*word = channel | (vbcm2835_property_framebuffer(vm, address) ? 0 : BIT_U32(4));
	return true;
}

static void send(struct vbcm2835_mbox *mbox, uint32_t word)
{
	// The firmware does its work whether or not there is room for what it says.
	bool answered = answer(mbox->vm, &word);

	spin_lock(&mbox->lock);
	if (answered && mbox->count < DEPTH) {
		mbox->answer[(mbox->first + mbox->count) % DEPTH] = word;
		mbox->count++;
	}
	update_line(mbox);
	spin_unlock(&mbox->lock);
}

static bool mbox_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                       uint64_t value)
{
	struct vbcm2835_mbox *mbox = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	if (offset >= WRITE && offset < WRITE + PEEK) {
		send(mbox, (uint32_t)value);
		return true;
	}
	spin_lock(&mbox->lock);
	if (offset == CONFIG)
		mbox->config = (uint32_t)value & CONFIG_DATA_IRQ;
	else if (offset == WRITE_CONFIG)
		mbox->write_config = (uint32_t)value & CONFIG_DATA_IRQ;
	update_line(mbox);
	spin_unlock(&mbox->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "BCM2835 mailboxes",
        .read = mbox_read,
        .write = mbox_write,
};

void vbcm2835_mbox_reset(struct vm *vm)
{
	struct vbcm2835_mbox *mbox = vm->raspi3->mbox;

	spin_lock(&mbox->lock);
	mbox->first = mbox->count = mbox->config = mbox->write_config = 0;
	update_line(mbox);
	spin_unlock(&mbox->lock);
}

int vbcm2835_mbox_create(struct vm *vm)
{
	struct vbcm2835_mbox *mbox = vm_alloc(vm, sizeof *mbox);

	if (mbox == NULL)
		return ERR_NO_MEMORY;
	mbox->vm = vm;
	mbox->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->raspi3->mbox = mbox;
	return mmio_add(&vm->mmio, RASPI3_MAILBOX_BASE, SIZE, &ops, mbox);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vbcm2835_mbox, answer),
        VSTATE_FIELD(struct vbcm2835_mbox, first),
        VSTATE_FIELD(struct vbcm2835_mbox, count),
        VSTATE_FIELD(struct vbcm2835_mbox, config),
        VSTATE_FIELD(struct vbcm2835_mbox, write_config),
        VSTATE_FIELD(struct vbcm2835_mbox, line),
};

const struct vstate vbcm2835_mbox_state = {"bcm2835-mbox", fields, ARRAY_SIZE(fields), NULL};
