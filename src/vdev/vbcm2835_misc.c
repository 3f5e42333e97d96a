// SPDX-License-Identifier: Apache-2.0
// Thermal sensor and random number generator. Owns their registers under one lock; called by the MMIO map.
// The temperature is that of no chip, 45 degrees. Random numbers come from the CPU if it has a source (RNDR), or
// are SHA-256 over a secret of the VM, which the board's firmware gave the seed for, and a count that never goes
// back. Where there is neither the generator has no words to give, ever: a program that waits, waits. Nothing
// predictable poses as random.
// Source: Linux, drivers/thermal/broadcom/bcm2835_thermal.c and drivers/char/hw_random/bcm2835-rng.c; nothing is
// published.
#include "vdev/vbcm2835_misc.h"

#include "arm/features.h"
#include "arm/random.h"
#include "base/bits.h"
#include "base/sha256.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

enum { TSENS_CONTROL = 0x00, TSENS_STATUS = 0x04, TSENS_SIZE = 0x08 };
enum { RNG_CONTROL = 0x00, RNG_STATUS = 0x04, RNG_DATA = 0x08, RNG_SIZE = 0x14 };

#define TSENS_VALID BIT_U32(10)
#define TSENS_45_C  682 // 412 - 0.538 * n degrees

#define RNG_RUNS         BIT_U32(0)
#define RNG_WORDS        GENMASK_U32(31, 24) // of the status: how many wait to be read
#define RNG_WARM_UP      GENMASK_U32(19, 0)
#define RNG_WORDS_A_HASH (SHA256_SIZE / 4)

struct vbcm2835_misc {
	// Fixed after start.
	struct vm *vm;

	// Under the lock.
	struct spinlock lock;
	uint32_t tsens_control;
	uint32_t rng[RNG_SIZE / 4]; // what was written
	uint64_t hashes;            // that were made, ever
	uint32_t words;             // of `pool` that are left
	uint32_t pool[RNG_WORDS_A_HASH];
	bool told; // that there are none
};

// ---- random numbers ----

static bool random_get(uint64_t *number)
{
	return feature_has(FEATURE_RNDR) && random_word(number);
}

static bool has_source(const struct vbcm2835_misc *misc)
{
	uint64_t number;

	return misc->vm->has_secret || random_get(&number);
}

static uint32_t next_word(struct vbcm2835_misc *misc)
{
	uint64_t number;
	struct sha256 hash;

	if (random_get(&number))
		return (uint32_t)number;
	if (!misc->vm->has_secret)
		return 0;
	if (misc->words == 0) {
		misc->hashes++;
		sha256_init(&hash);
		sha256_update(&hash, misc->vm->secret, sizeof misc->vm->secret);
		sha256_update(&hash, &misc->hashes, sizeof misc->hashes);
		sha256_final(&hash, (uint8_t *)misc->pool);
		misc->words = RNG_WORDS_A_HASH;
	}
	uint32_t word = misc->pool[--misc->words];
	misc->pool[misc->words] = 0; // nobody sees it again
	return word;
}

static uint32_t rng_status(struct vbcm2835_misc *misc)
{
	bool runs = (misc->rng[RNG_CONTROL / 4] & RNG_RUNS) != 0, any = has_source(misc);

	if (runs && !any && !misc->told) {
		misc->told = true;
		vm_log(misc->vm, "waits for random numbers, and neither CPU nor firmware gave a "
		                 "source of any: it waits for ever");
	}
	return (misc->rng[RNG_STATUS / 4] & RNG_WARM_UP) |
	       (uint32_t)field_put(RNG_WORDS, runs && any ? 1 : 0);
}

static bool rng_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                     uint64_t *value)
{
	struct vbcm2835_misc *misc = dev;
	uint32_t reg = vreg_base(offset), result;

	if (!vreg_fits(offset, size))
		return false;
	spin_lock(&misc->lock);
	if (reg == RNG_STATUS)
		result = rng_status(misc);
	else if (reg == RNG_DATA)
		result = (misc->rng[RNG_CONTROL / 4] & RNG_RUNS) != 0 ? next_word(misc) : 0;
	else
		result = misc->rng[reg / 4];
	spin_unlock(&misc->lock);
	*value = vreg_part(result, offset, size);
	return true;
}

static bool rng_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t value)
{
	struct vbcm2835_misc *misc = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	spin_lock(&misc->lock);
	misc->rng[offset / 4] = (uint32_t)value;
	spin_unlock(&misc->lock);
	return true;
}

static const struct mmio_ops rng_ops = {
        .name = "BCM2835 random numbers",
        .read = rng_read,
        .write = rng_write,
};

// ---- thermal sensor ----

static bool tsens_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                       uint64_t *value)
{
	struct vbcm2835_misc *misc = dev;
	uint32_t result = TSENS_VALID | TSENS_45_C;

	if (!vreg_fits(offset, size))
		return false;
	if (vreg_base(offset) == TSENS_CONTROL)
		result = load_relaxed(&misc->tsens_control);
	*value = vreg_part(result, offset, size);
	return true;
}

static bool tsens_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                        uint64_t value)
{
	struct vbcm2835_misc *misc = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (vreg_whole(offset, size, &value) && offset == TSENS_CONTROL)
		store_relaxed(&misc->tsens_control, (uint32_t)value);
	return true;
}

static const struct mmio_ops tsens_ops = {
        .name = "BCM2835 thermal sensor",
        .read = tsens_read,
        .write = tsens_write,
};

// The count of random numbers goes on.
void vbcm2835_misc_reset(struct vm *vm)
{
	struct vbcm2835_misc *misc = vm->raspi3->misc;

	spin_lock(&misc->lock);
	misc->tsens_control = 0;
	memset(misc->rng, 0, sizeof misc->rng);
	misc->told = false;
	spin_unlock(&misc->lock);
}

int vbcm2835_misc_create(struct vm *vm)
{
	struct vbcm2835_misc *misc = vm_alloc(vm, sizeof *misc);

	if (misc == NULL)
		return ERR_NO_MEMORY;
	misc->vm = vm;
	misc->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->raspi3->misc = misc;
	int error = mmio_add(&vm->mmio, RASPI3_RNG_BASE, RNG_SIZE, &rng_ops, misc);
	if (error != 0)
		return error;
	return mmio_add(&vm->mmio, RASPI3_THERMAL_BASE, TSENS_SIZE, &tsens_ops, misc);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_misc, tsens_control),
        VSTATE_ARRAY(struct vbcm2835_misc, rng),
        VSTATE_FIELD(struct vbcm2835_misc, hashes),
        VSTATE_FIELD(struct vbcm2835_misc, words),
        VSTATE_ARRAY(struct vbcm2835_misc, pool),
};

const struct vstate vbcm2835_misc_state = {"bcm2835-misc", fields, ARRAY_SIZE(fields), NULL};
