// SPDX-License-Identifier: Apache-2.0
// The VideoCore side's interrupt controller. Owns the state of its 72 lines, under the lock of the local
// controller that it feeds; called by that one for the lines and by the MMIO map for the guest.
// Invariant: whenever the lock is free, the local controller knows both outputs.
// Source: BCM2835 ARM Peripherals, "Interrupts". "Any bit set in a pending register which is NOT connected to
// the basic pending register" is what its bits 8 and 9 show.
#include "vdev/vbcm2835_intc.h"

#include "base/bits.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2836.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

#define NR_GPU 64

enum {
	BASIC_PENDING = 0x00,
	PENDING_1 = 0x04,
	PENDING_2 = 0x08,
	FIQ_CONTROL = 0x0c,
	ENABLE_1 = 0x10,
	ENABLE_2 = 0x14,
	ENABLE_BASIC = 0x18,
	DISABLE_1 = 0x1c,
	DISABLE_2 = 0x20,
	DISABLE_BASIC = 0x24,
	SIZE = 0x28,
};

#define FIQ_SOURCE GENMASK_U32(6, 0)
#define FIQ_ENABLE BIT_U32(7)

#define BASIC_ARM      GENMASK_U32(7, 0)
#define BASIC_MORE_1   BIT_U32(8)
#define BASIC_MORE_2   BIT_U32(9)
#define BASIC_SHORTCUT 10 // and up, one for each of these
static const uint8_t shortcuts[] = {7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62};
#define SHORTCUTS \
	(BIT_U64(7) | GENMASK_U64(10, 9) | GENMASK_U64(19, 18) | GENMASK_U64(57, 53) | BIT_U64(62))

struct vbcm2835_intc {
	// Fixed after start.
	struct vbcm2836 *local;

	// Under the local controller's lock. Bit n is interrupt n; those of the Arm side count from 64.
	uint64_t lines, enabled;
	uint32_t arm_lines, arm_enabled;
	uint32_t fiq;
};

static bool fiq_output(const struct vbcm2835_intc *intc)
{
	uint32_t n = (uint32_t)field_get(FIQ_SOURCE, intc->fiq);

	if ((intc->fiq & FIQ_ENABLE) == 0 || n >= RASPI3_NR_IRQS)
		return false;
	return n < NR_GPU ? (intc->lines & BIT_U64(n)) != 0
	                  : (intc->arm_lines & BIT_U32(n - NR_GPU)) != 0;
}

static void update(struct vbcm2835_intc *intc)
{
	bool irq = ((intc->lines & intc->enabled) | (intc->arm_lines & intc->arm_enabled)) != 0;

	vbcm2836_set_gpu_locked(intc->local, irq, fiq_output(intc));
}

void vbcm2835_intc_set_locked(struct vbcm2835_intc *intc, uint32_t n, bool level)
{
	if (n < NR_GPU)
		intc->lines = level ? intc->lines | BIT_U64(n) : intc->lines & ~BIT_U64(n);
	else if (n < RASPI3_NR_IRQS)
		intc->arm_lines = level ? intc->arm_lines | BIT_U32(n - NR_GPU)
		                        : intc->arm_lines & ~BIT_U32(n - NR_GPU);
	update(intc);
}

static uint32_t basic_pending(const struct vbcm2835_intc *intc)
{
	uint64_t pending = intc->lines & intc->enabled, others = pending & ~SHORTCUTS;
	uint32_t value = intc->arm_lines & intc->arm_enabled;

	for (unsigned i = 0; i < ARRAY_SIZE(shortcuts); i++)
		if ((pending & BIT_U64(shortcuts[i])) != 0)
			value |= BIT_U32(BASIC_SHORTCUT + i);
	if ((uint32_t)others != 0)
		value |= BASIC_MORE_1;
	if (others >> 32 != 0)
		value |= BASIC_MORE_2;
	return value;
}

static uint32_t read_locked(const struct vbcm2835_intc *intc, uint32_t reg)
{
	switch (reg) {
	case BASIC_PENDING: return basic_pending(intc);
	case PENDING_1: return (uint32_t)(intc->lines & intc->enabled);
	case PENDING_2: return (uint32_t)((intc->lines & intc->enabled) >> 32);
	case FIQ_CONTROL: return intc->fiq;
	case ENABLE_1:
	case DISABLE_1: return (uint32_t)intc->enabled;
	case ENABLE_2:
	case DISABLE_2: return (uint32_t)(intc->enabled >> 32);
	}
	return intc->arm_enabled; // the last of each kind
}

static void write_locked(struct vbcm2835_intc *intc, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case FIQ_CONTROL: intc->fiq = value & (FIQ_ENABLE | FIQ_SOURCE); break;
	case ENABLE_1: intc->enabled |= value; break;
	case ENABLE_2: intc->enabled |= (uint64_t)value << 32; break;
	case ENABLE_BASIC: intc->arm_enabled |= value & BASIC_ARM; break;
	case DISABLE_1: intc->enabled &= ~(uint64_t)value; break;
	case DISABLE_2: intc->enabled &= ~((uint64_t)value << 32); break;
	case DISABLE_BASIC: intc->arm_enabled &= ~value; break;
	}
	update(intc); // what is pending is only read
}

static bool intc_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t *value)
{
	struct vbcm2835_intc *intc = dev;

	if (!vreg_fits(offset, size))
		return false;
	vbcm2836_lock(intc->local);
	uint32_t result = read_locked(intc, vreg_base(offset));
	vbcm2836_unlock(intc->local);
	*value = vreg_part(result, offset, size);
	return true;
}

static bool intc_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                       uint64_t value)
{
	struct vbcm2835_intc *intc = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	vbcm2836_lock(intc->local);
	write_locked(intc, offset, (uint32_t)value);
	vbcm2836_unlock(intc->local);
	return true;
}

static const struct mmio_ops ops = {
        .name = "BCM2835 interrupt controller",
        .read = intc_read,
        .write = intc_write,
};

void vbcm2835_intc_reset_locked(struct vbcm2835_intc *intc)
{
	intc->enabled = 0;
	intc->arm_enabled = 0;
	intc->fiq = 0;
	update(intc);
}

int vbcm2835_intc_create(struct vm *vm, struct vbcm2836 *local, struct vbcm2835_intc **out)
{
	struct vbcm2835_intc *intc = vm_alloc(vm, sizeof *intc);

	if (intc == NULL)
		return ERR_NO_MEMORY;
	intc->local = local;
	*out = intc;
	return mmio_add(&vm->mmio, RASPI3_INTC_BASE, SIZE, &ops, intc);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_intc, lines),
        VSTATE_FIELD(struct vbcm2835_intc, enabled),
        VSTATE_FIELD(struct vbcm2835_intc, arm_lines),
        VSTATE_FIELD(struct vbcm2835_intc, arm_enabled),
        VSTATE_FIELD(struct vbcm2835_intc, fiq),
};

const struct vstate vbcm2835_intc_state = {"vbcm2835-intc", fields, ARRAY_SIZE(fields), NULL};
