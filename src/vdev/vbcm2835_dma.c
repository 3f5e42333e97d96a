// SPDX-License-Identifier: Apache-2.0
// The DMA controller's registers and life: 16 channels. Owns their state under its lock; called by the MMIO map, by
// its alarm, and by the chips that have a data port. What channels do is in vbcm2835_dma_work.c: the first piece
// when the guest starts one, the others from the alarm, by one CPU at a time.
// Invariant, whenever the lock is free: the lines follow the channels' interrupt flags; if a channel can go on then
// somebody is working, or the alarm is set.
// Source: BCM2835 ARM Peripherals, "DMA Controller"; Linux, arch/arm/boot/dts/broadcom/bcm2835-common.dtsi for the
// lines of channels 11 and up.
#include "vdev/vbcm2835_dma_state.h"

#include "base/atomic.h"
#include "base/panic.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

enum {
	CS = 0x00,
	CONBLK_AD = 0x04,
	TI = 0x08,
	SOURCE_AD = 0x0c,
	DEST_AD = 0x10,
	TXFR_LEN = 0x14,
	STRIDE = 0x18,
	NEXTCONBK = 0x1c,
	DEBUG = 0x20,
	SPAN = 0x100, // of a channel
	INT_STATUS = 0xfe0,
	ENABLE = 0xff0,
	SIZE = 0x1000,
};

#define CS_DREQ           BIT_U32(3)
#define CS_PAUSED         BIT_U32(4)
#define CS_DREQ_STOPS     BIT_U32(5)
#define CS_WAITING_WRITES BIT_U32(6)
#define CS_ERROR          BIT_U32(8)
#define CS_ABORT          BIT_U32(30)
#define CS_RESET          BIT_U32(31)
// PRIORITY, PANIC_PRIORITY, WAIT_FOR_OUTSTANDING_WRITES, DISDEBUG: kept for the guest to read.
#define CS_KEPT           (GENMASK_U32(23, 16) | GENMASK_U32(29, 28))

#define DEBUG_ERRORS  GENMASK_U32(2, 0)
#define DEBUG_ID      GENMASK_U32(15, 8)
#define DEBUG_VERSION GENMASK_U32(27, 25)
#define DEBUG_LITE    BIT_U32(28)
#define VERSION       2

#define ENABLE_CHANNELS GENMASK_U32(14, 0)

// Channels 11 to 14 share a line, and all have one together.
#define LINE_SHARED (RASPI3_IRQ_DMA + 11)
#define LINE_ALL    (RASPI3_IRQ_DMA + 12)
#define SHARING     GENMASK_U32(14, 11)

// ---- interrupts ----

static void set_line(struct vbcm2835_dma *dma, uint32_t n, bool before, bool now)
{
	if (before != now)
		virq_set(dma->vm, NULL, VBCM2835_IRQ(n), now);
}

void vbcm2835_dma_update_lines(struct vbcm2835_dma *dma)
{
	uint32_t before = dma->lines, now = 0;

	for (uint32_t n = 0; n < NR_CHANNELS; n++)
		if ((dma->channel[n].cs & CS_INT) != 0)
			now |= BIT_U32(n);
	if (now == before)
		return;
	dma->lines = now;
	for (uint32_t n = 0; n < 11; n++)
		set_line(dma, RASPI3_IRQ_DMA + n, (before & BIT_U32(n)) != 0,
		         (now & BIT_U32(n)) != 0);
	set_line(dma, LINE_SHARED, (before & SHARING) != 0, (now & SHARING) != 0);
	set_line(dma, LINE_ALL, before != 0, now != 0);
}

// ---- when work is done ----

static void alarm_due(void *dev)
{
	struct vbcm2835_dma *dma = dev;

	spin_lock(&dma->lock);
	if (dma->working)
		dma->again = true;
	else
		vbcm2835_dma_work(dma);
	spin_unlock(&dma->lock);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

void vbcm2835_dma_kick(struct vm *vm, unsigned dreq)
{
	struct vbcm2835_dma *dma = vm->raspi3->dma;

	fetch_or(&dma->kicked, BIT_U32(dreq));
	if ((load_ordered(&dma->waiting) & BIT_U32(dreq)) != 0)
		alarm_set(vm, dma->alarm, timer_now());
}

// ---- registers ----

void vbcm2835_dma_show(struct vbcm2835_dma *dma, unsigned n)
{
	struct dma_channel *channel = &dma->channel[n];
	bool active = (channel->cs & CS_ACTIVE) != 0, waits = channel->waits != 0;
	uint32_t cs = channel->cs;

	if (active && waits)
		cs |= CS_DREQ_STOPS;
	if (active && !waits && (channel->ti & (TI_SRC_DREQ | TI_DEST_DREQ)) != 0)
		cs |= CS_DREQ;
	if (!active && channel->conblk != 0)
		cs |= CS_PAUSED;
	if (dma->busy == n)
		cs |= CS_WAITING_WRITES;
	if (channel->debug != 0)
		cs |= CS_ERROR;
	store_release(&channel->shown, cs);
}

// Without the lock, as a guest may do it in a loop.
static uint32_t read_cs(void *dev)
{
	const struct dma_channel *channel = dev;

	return load_acquire(&channel->shown);
}

static uint32_t read_length(void *dev)
{
	const struct dma_channel *channel = dev;

	if ((channel->ti & TI_TDMODE) == 0)
		return channel->x;
	return channel->x | (uint32_t)field_put(LENGTH_Y, channel->y);
}

static uint32_t read_debug(void *dev)
{
	const struct dma_channel *channel = dev;

	return channel->debug | channel->identity;
}

static void reset_channel(struct dma_channel *channel)
{
	*channel = (struct dma_channel){
	        .identity = channel->identity,
	        .epoch = channel->epoch + 1,
	};
}

static void write_cs(void *dev, uint32_t value)
{
	struct dma_channel *channel = dev;

	if ((value & CS_RESET) != 0) {
		reset_channel(channel);
		return;
	}
	channel->cs &= ~(value & (CS_END | CS_INT));
	channel->cs = (channel->cs & (CS_END | CS_INT)) | (value & (CS_ACTIVE | CS_KEPT));
	if ((value & CS_ABORT) != 0 && channel->conblk != 0) {
		channel->conblk = channel->next;
		vbcm2835_dma_forget_block(channel);
	}
	if (channel->conblk == 0)
		channel->cs &= ~CS_ACTIVE;
}

static void write_conblk(void *dev, uint32_t value)
{
	struct dma_channel *channel = dev;

	if ((channel->cs & CS_ACTIVE) != 0)
		return;
	channel->conblk = value;
	vbcm2835_dma_forget_block(channel);
}

static uint32_t read_int_status(void *dev)
{
	const struct vbcm2835_dma *dma = dev;

	return dma->lines;
}

#define IN(member) VREG_IN(struct dma_channel, member)

static const struct vreg channel_rows[] = {
        {CS, "CS", VREG_NOWHERE, .read = read_cs, .write = write_cs},
        {CONBLK_AD, "CONBLK_AD", IN(conblk), .write = write_conblk},
        {TI, "TI", IN(ti), .writable = 0}, // this one and those after it come from memory
        {SOURCE_AD, "SOURCE_AD", IN(source), .writable = 0},
        {DEST_AD, "DEST_AD", IN(dest), .writable = 0},
        {TXFR_LEN, "TXFR_LEN", VREG_NOWHERE, .read = read_length},
        {STRIDE, "STRIDE", IN(stride), .writable = 0},
        {NEXTCONBK, "NEXTCONBK", IN(next), .writable = VREG_ALL},
        {DEBUG, "DEBUG", IN(debug), .clears = DEBUG_ERRORS, .read = read_debug},
};

static const struct vreg shared_rows[] = {
        {INT_STATUS, "INT_STATUS", VREG_NOWHERE, .read = read_int_status},
        {ENABLE, "ENABLE", VREG_IN(struct vbcm2835_dma, enable), .reset = ENABLE_CHANNELS,
         .writable = ENABLE_CHANNELS},
};

// Begun and ended by dma_read and dma_write.
static const struct vregs channel_regs = {channel_rows, ARRAY_SIZE(channel_rows), NULL, NULL};
static const struct vregs shared_regs = {shared_rows, ARRAY_SIZE(shared_rows), NULL, NULL};

// The channel at *offset, which becomes that of its register; NR_CHANNELS: all have it together, or it is nothing.
static uint32_t find_channel(const struct dma_region *region, uint32_t *offset)
{
	uint32_t n = *offset / SPAN;

	if (n >= region->channels)
		return NR_CHANNELS;
	*offset %= SPAN;
	return region->first + n;
}

static bool dma_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                     uint64_t *value)
{
	const struct dma_region *region = dev;
	struct vbcm2835_dma *dma = region->dma;
	uint32_t n = find_channel(region, &offset), reg = vreg_base(offset), result;

	if (!vreg_fits(offset, size))
		return false;
	if (n < NR_CHANNELS && reg == CS) {
		result = read_cs(&dma->channel[n]);
	} else {
		spin_lock(&dma->lock);
		result = n < NR_CHANNELS ? vreg_get(&channel_regs, &dma->channel[n], reg)
		                         : vreg_get(&shared_regs, dma, reg);
		spin_unlock(&dma->lock);
	}
	*value = vreg_part(result, offset, size);
	return true;
}

static bool dma_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t value)
{
	const struct dma_region *region = dev;
	struct vbcm2835_dma *dma = region->dma;
	uint32_t n = find_channel(region, &offset);

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	spin_lock(&dma->lock);
	bool before = vbcm2835_dma_can_go_on(dma);
	bool starts = n < NR_CHANNELS && offset == CS && (value & CS_ACTIVE) != 0;
	if (n < NR_CHANNELS) {
		vreg_set(&channel_regs, &dma->channel[n], offset, (uint32_t)value);
		vbcm2835_dma_show(dma, n);
	} else {
		vreg_set(&shared_regs, dma, offset, (uint32_t)value);
	}
	vbcm2835_dma_update_lines(dma);
	if (dma->working)
		dma->again = true;
	else if (starts || !before)
		vbcm2835_dma_work(dma);
	spin_unlock(&dma->lock);
	return true;
}

static const struct mmio_ops dma_ops = {
        .name = "BCM2835 DMA",
        .read = dma_read,
        .write = dma_write,
};

static const struct mmio_ops alone_ops = {
        .name = "BCM2835 DMA channel 15",
        .read = dma_read,
        .write = dma_write,
};

// ---- life ----

void vbcm2835_dma_connect(struct vm *vm, const struct vbcm2835_dma_port *port)
{
	struct vbcm2835_dma *dma = vm->raspi3->dma;

	CHECK(dma->nr_ports < NR_PORTS);
	dma->port[dma->nr_ports++] = port;
}

void vbcm2835_dma_reset(struct vm *vm)
{
	struct vbcm2835_dma *dma = vm->raspi3->dma;

	spin_lock(&dma->lock);
	for (unsigned n = 0; n < NR_CHANNELS; n++)
		reset_channel(&dma->channel[n]);
	vreg_reset(&shared_regs, dma);
	dma->turn = 0;
	store_ordered(&dma->waiting, 0);
	store_ordered(&dma->kicked, 0);
	vbcm2835_dma_update_lines(dma);
	alarm_set(vm, dma->alarm, TIMER_NEVER);
	spin_unlock(&dma->lock);
}

int vbcm2835_dma_create(struct vm *vm)
{
	struct vbcm2835_dma *dma = vm_alloc(vm, sizeof *dma);

	if (dma == NULL)
		return ERR_NO_MEMORY;
	dma->vm = vm;
	dma->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	dma->busy = NR_CHANNELS;
	for (unsigned n = 0; n < NR_CHANNELS; n++)
		dma->channel[n].identity = (uint32_t)field_put(DEBUG_ID, n) |
		                           (uint32_t)field_put(DEBUG_VERSION, VERSION) |
		                           (IS_LITE(n) ? DEBUG_LITE : 0);
	dma->alarm = alarm_add(vm, &alarm_ops, dma);
	if (dma->alarm < 0)
		return dma->alarm;
	vm->raspi3->dma = dma;
	dma->region[0] = (struct dma_region){dma, 0, ALONE};
	dma->region[1] = (struct dma_region){dma, ALONE, 1};
	int error = mmio_add(&vm->mmio, RASPI3_DMA_BASE, SIZE, &dma_ops, &dma->region[0]);
	if (error != 0)
		return error;
	return mmio_add(&vm->mmio, RASPI3_DMA15_BASE, SPAN, &alone_ops, &dma->region[1]);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vbcm2835_dma, channel),
        VSTATE_FIELD(struct vbcm2835_dma, lines),
        VSTATE_FIELD(struct vbcm2835_dma, turn),
        VSTATE_FIELD(struct vbcm2835_dma, kicked),
};

const struct vstate vbcm2835_dma_state = {"bcm2835-dma", fields, ARRAY_SIZE(fields), &shared_regs};
