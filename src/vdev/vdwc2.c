// SPDX-License-Identifier: Apache-2.0
// The USB controller, as far as drivers see it while nothing is plugged in. Owns its registers under one lock;
// called by the MMIO map. It is always a host: the port has power if the guest wants it, and never a device. Resets
// and flushes are over when the write returns. A channel that is started halts at once, as nobody answers. Frames are
// counted, but the port is never enabled, so none begins with an interrupt, and nothing needs an alarm.
// Invariant: the line follows what is pending, unmasked and globally enabled.
// Source: Linux, drivers/usb/dwc2/hw.h for registers and fields; the values are those of the board's chip.
#include "vdev/vdwc2.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/raspi3_clock.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

#define NR_CHANNELS 8
#define SIZE        0x10000 // queues from 0x1000 on: they read zero

enum {
	GOTGCTL = 0x000,
	GAHBCFG = 0x008,
	GUSBCFG = 0x00c,
	GRSTCTL = 0x010,
	GINTSTS = 0x014,
	GINTMSK = 0x018,
	GRXFSIZ = 0x024,
	GNPTXFSIZ = 0x028,
	GNPTXSTS = 0x02c,
	GGPIO = 0x038,
	GUID = 0x03c,
	GSNPSID = 0x040,
	GHWCFG1 = 0x044,
	GHWCFG2 = 0x048,
	GHWCFG3 = 0x04c,
	GHWCFG4 = 0x050,
	GDFIFOCFG = 0x05c,
	HPTXFSIZ = 0x100,
	HCFG = 0x400,
	HFIR = 0x404,
	HFNUM = 0x408,
	HPTXSTS = 0x410,
	HAINT = 0x414,
	HAINTMSK = 0x418,
	HFLBADDR = 0x41c,
	HPRT = 0x440,
	HC = 0x500, // channels
	HC_SPAN = 0x20,
	PCGCTL = 0xe00,
};

// Of a channel.
enum { HCCHAR = 0x00, HCSPLT = 0x04, HCINT = 0x08, HCINTMSK = 0x0c, HCTSIZ = 0x10, HCDMA = 0x14 };

#define GAHBCFG_GLOBAL BIT_U32(0)

#define GUSBCFG_FORCE_DEVICE BIT_U32(30)
#define GUSBCFG_RESET        (5U << 10) // turnaround time

#define GRSTCTL_CORE   BIT_U32(0)
#define GRSTCTL_IDLE   BIT_U32(31)
#define GRSTCTL_TXFNUM GENMASK_U32(10, 6)

#define GINTSTS_HOST       BIT_U32(0)
#define GINTSTS_NPTX_EMPTY BIT_U32(5)
#define GINTSTS_CHANNELS   BIT_U32(25)
#define GINTSTS_PTX_EMPTY  BIT_U32(26)
#define GNPTXFSIZ_DEPTH    GENMASK_U32(31, 16)
#define TX_REQUESTS        (8U << 16) // free places for requests
#define HFIR_INTERVAL      GENMASK_U32(15, 0)
#define HFNUM_NUMBER       GENMASK_U32(13, 0)
#define HFNUM_REST         GENMASK_U32(31, 16)
#define FRAME_US           1000

#define HCCHAR_DISABLE BIT_U32(30)
#define HCCHAR_ENABLE  BIT_U32(31)
#define HCINT_HALTED   BIT_U32(1)
#define HCINT_NOBODY   BIT_U32(7) // no answer, three times
#define HCINT_ALL      GENMASK_U32(13, 0)

enum kind {
	PLAIN,
	KEPT, // by a core reset
};

// What is not here reads zero and ignores writes: the device's side, as the controller is a host, and registers of
// options that the chip does not have.
static const struct row {
	uint16_t offset;
	uint8_t kind;
	uint32_t reset, writable;
} rows[] = {
        {GOTGCTL, PLAIN, 0x001c0000, 0x00000efe}, // sessions valid, the A side of the cable
        {GAHBCFG, PLAIN, 0, 0x00e001ff},
        {GUSBCFG, KEPT, GUSBCFG_RESET, 0x7fffffff},
        {GRSTCTL, PLAIN, GRSTCTL_IDLE, GRSTCTL_TXFNUM}, // the other bits clear themselves
        {GINTMSK, PLAIN, 0, 0xffffffff},
        {GRXFSIZ, PLAIN, 0x00001000, 0x0000ffff},
        {GNPTXFSIZ, PLAIN, 0x01001000, 0xffffffff},
        {GGPIO, KEPT, 0, 0xffff0000},
        {GUID, KEPT, 0x2708a000, 0xffffffff},
        {GSNPSID, PLAIN, 0x4f54280a, 0},
        {GHWCFG1, PLAIN, 0x00000000, 0},
        {GHWCFG2, PLAIN, 0x228ddd50, 0},
        {GHWCFG3, PLAIN, 0x0ff000e8, 0},
        {GHWCFG4, PLAIN, 0x1ff00020, 0},
        {GDFIFOCFG, PLAIN, 0, 0xffffffff},
        {HPTXFSIZ, PLAIN, 0x02002000, 0xffffffff},
        {HCFG, KEPT, 0, 0x0780ff87},
        {HFIR, PLAIN, 60000, 0x0001ffff},
        {HAINTMSK, PLAIN, 0, 0x0000ffff},
        {HFLBADDR, PLAIN, 0, 0xffffffff},
        {HPRT, PLAIN, 0, 0x0001f100}, // power, reset, tests: without a device nothing else
        {PCGCTL, KEPT, 0, 0x0000002f},
};

static const uint32_t channel_writable[HC_SPAN / 4] = {
        [HCCHAR / 4] = 0x3fffffff, [HCSPLT / 4] = 0x8001ffff, [HCINTMSK / 4] = HCINT_ALL,
        [HCTSIZ / 4] = 0xffffffff, [HCDMA / 4] = 0xffffffff,
};

struct vdwc2 {
	// Fixed after start.
	struct vm *vm;

	// Under the lock.
	struct spinlock lock;
	uint32_t reg[ARRAY_SIZE(rows)];
	uint32_t channel[NR_CHANNELS][HC_SPAN / 4];
	bool line;
};

// ---- registers ----

// The register's row; ARRAY_SIZE(rows): it has none.
static size_t find(uint32_t offset)
{
	size_t n = 0;

	while (n < ARRAY_SIZE(rows) && rows[n].offset != offset)
		n++;
	return n;
}

static uint32_t stored(const struct vdwc2 *usb, uint32_t offset)
{
	size_t n = find(offset);

	return n < ARRAY_SIZE(rows) ? usb->reg[n] : 0;
}

static bool is_channel(uint32_t offset)
{
	return offset >= HC && offset < HC + NR_CHANNELS * HC_SPAN;
}

static uint32_t channels_pending(const struct vdwc2 *usb)
{
	uint32_t pending = 0;

	for (unsigned n = 0; n < NR_CHANNELS; n++)
		if ((usb->channel[n][HCINT / 4] & usb->channel[n][HCINTMSK / 4]) != 0)
			pending |= BIT_U32(n);
	return pending;
}

static uint32_t pending(const struct vdwc2 *usb)
{
	uint32_t status = GINTSTS_NPTX_EMPTY | GINTSTS_PTX_EMPTY;

	if ((stored(usb, GUSBCFG) & GUSBCFG_FORCE_DEVICE) == 0)
		status |= GINTSTS_HOST;
	if ((channels_pending(usb) & stored(usb, HAINTMSK)) != 0)
		status |= GINTSTS_CHANNELS;
	return status;
}

static void update_line(struct vdwc2 *usb)
{
	bool line = (stored(usb, GAHBCFG) & GAHBCFG_GLOBAL) != 0 &&
	            (pending(usb) & stored(usb, GINTMSK) & ~GINTSTS_HOST) != 0;

	if (line == usb->line)
		return;
	usb->line = line;
	virq_set(usb->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_USB), line);
}

// Frames of a millisecond, and how much of the interval is left of this one.
static uint32_t frame(const struct vdwc2 *usb)
{
	uint64_t us = raspi3_clock_us(usb->vm);
	uint64_t interval = field_get(HFIR_INTERVAL, stored(usb, HFIR));
	uint64_t rest = interval * (FRAME_US - us % FRAME_US) / FRAME_US;

	return (uint32_t)(field_put(HFNUM_NUMBER, us / FRAME_US) | field_put(HFNUM_REST, rest));
}

static uint32_t read_locked(const struct vdwc2 *usb, uint32_t reg)
{
	if (is_channel(reg))
		return usb->channel[(reg - HC) / HC_SPAN][reg % HC_SPAN / 4];
	switch (reg) {
	case GINTSTS: return pending(usb);
	case GNPTXSTS:
		return TX_REQUESTS | (uint32_t)field_get(GNPTXFSIZ_DEPTH, stored(usb, GNPTXFSIZ));
	case HPTXSTS:
		return TX_REQUESTS | (uint32_t)field_get(GNPTXFSIZ_DEPTH, stored(usb, HPTXFSIZ));
	case HFNUM: return frame(usb);
	case HAINT: return channels_pending(usb);
	}
	return stored(usb, reg);
}

// A core reset, or all of it.
static void reset_locked(struct vdwc2 *usb, bool all)
{
	for (size_t n = 0; n < ARRAY_SIZE(rows); n++)
		if (all || rows[n].kind != KEPT)
			usb->reg[n] = rows[n].reset;
	memset(usb->channel, 0, sizeof usb->channel);
}

static void write_channel(uint32_t *channel, uint32_t reg, uint32_t value)
{
	if (reg == HCINT) {
		channel[HCINT / 4] &= ~value;
		return;
	}
	channel[reg / 4] = value & channel_writable[reg / 4];
	if (reg != HCCHAR || (value & HCCHAR_ENABLE) == 0)
		return;
	channel[HCINT / 4] |= HCINT_HALTED;
	if ((value & HCCHAR_DISABLE) == 0)
		channel[HCINT / 4] |= HCINT_NOBODY;
}

static void write_locked(struct vdwc2 *usb, uint32_t reg, uint32_t value)
{
	size_t n = find(reg);

	if (is_channel(reg))
		write_channel(usb->channel[(reg - HC) / HC_SPAN], reg % HC_SPAN, value);
	else if (n < ARRAY_SIZE(rows))
		usb->reg[n] = (usb->reg[n] & ~rows[n].writable) | (value & rows[n].writable);
	if (reg == GRSTCTL && (value & GRSTCTL_CORE) != 0)
		reset_locked(usb, false);
	update_line(usb);
}

static bool usb_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                     uint64_t *value)
{
	struct vdwc2 *usb = dev;

	if (!vreg_fits(offset, size))
		return false;
	spin_lock(&usb->lock);
	uint32_t result = read_locked(usb, vreg_base(offset));
	spin_unlock(&usb->lock);
	*value = vreg_part(result, offset, size);
	return true;
}

static bool usb_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t value)
{
	struct vdwc2 *usb = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	spin_lock(&usb->lock);
	write_locked(usb, offset, (uint32_t)value);
	spin_unlock(&usb->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "DWC2 USB",
        .read = usb_read,
        .write = usb_write,
};

// ---- life ----

void vdwc2_reset(struct vm *vm)
{
	struct vdwc2 *usb = vm->raspi3->usb;

	spin_lock(&usb->lock);
	reset_locked(usb, true);
	update_line(usb);
	spin_unlock(&usb->lock);
}

int vdwc2_create(struct vm *vm)
{
	struct vdwc2 *usb = vm_alloc(vm, sizeof *usb);

	if (usb == NULL)
		return ERR_NO_MEMORY;
	usb->vm = vm;
	usb->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->raspi3->usb = usb;
	return mmio_add(&vm->mmio, RASPI3_USB_BASE, SIZE, &ops, usb);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vdwc2, reg),
        VSTATE_ARRAY(struct vdwc2, channel),
        VSTATE_FIELD(struct vdwc2, line),
};

const struct vstate vdwc2_state = {"dwc2", fields, ARRAY_SIZE(fields), NULL};
