// SPDX-License-Identifier: Apache-2.0
// The map of a VM's emulated devices: which addresses belong to which device.
// Frozen when the VM starts, so lookups take no lock.
#ifndef VM_MMIO_H
#define VM_MMIO_H

#include "base/types.h"

struct vm;
struct vcpu;

// One access of a guest to an address without RAM, as the trap layer understood it.
struct access {
	ipa_t ipa;
	uint8_t size; // bytes: 1, 2, 4 or 8
	bool write;
	uint64_t value; // to be written, or what was read (zero-extended)
};

// What a device is to the map. `offset` is relative to the region's base; offset + size never leaves
// the region. `vcpu` is the one that makes the access (banked registers). Each returns false when
// the hardware would answer with a bus error: the guest then gets an external abort.
// Called on the CPU that runs `vcpu`, no lock held.
struct mmio_ops {
	const char *name;
	bool (*read)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t *value);
	bool (*write)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value);
};

struct mmio_region {
	uint64_t base; // IPA
	uint64_t size; // bytes
	const struct mmio_ops *ops;
	void *dev;
};

#define MMIO_MAX_REGIONS 16

// Fixed after start: sorted by base, no overlap.
struct mmio_map {
	uint32_t count;
	uint32_t last; // the region that was hit last: a hint, any value below count is right
	struct mmio_region region[MMIO_MAX_REGIONS];
};

// Adds a region before the VM starts. ERR_INVALID: empty, wraps or overlaps; ERR_NO_MEMORY: full.
int mmio_add(struct mmio_map *map, uint64_t base, uint64_t size, const struct mmio_ops *ops,
             void *dev);

// The region that holds `ipa`, or NULL.
const struct mmio_region *mmio_find(struct mmio_map *map, ipa_t ipa);

// Carries out *access. False: nothing is there, it crosses the region's end, or the device refused:
// the guest gets an external abort.
bool mmio_access(struct mmio_map *map, struct vcpu *vcpu, struct access *access);

#endif
