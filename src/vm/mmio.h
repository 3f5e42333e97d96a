// SPDX-License-Identifier: Apache-2.0
// The map of a VM's emulated devices: which addresses belong to which device.
// Frozen when the VM starts, so lookups take no lock.
#ifndef VM_MMIO_H
#define VM_MMIO_H

#include "arm/regs.h"
#include "base/bits.h"
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
// the hardware would answer with a bus error: the guest then gets an external abort. One that cannot do what is asked
// before something outside is done sets vcpu->repeat: the guest makes the access once more.
// Called on the CPU that runs `vcpu`, no lock held.
struct mmio_ops {
	const char *name;
	bool (*read)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t *value);
	bool (*write)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value);
	// The same for a fast exit (docs/exits.md), where it is short and waits for no other CPU. A load asks quick_read
	// first, which has no effect besides, then quick_take, which may. NULL, MMIO_ASK or false, and nothing done: ask
	// the ones above.
	uint64_t (*quick_read)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size);
	uint64_t (*quick_take)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size);
	bool (*quick_write)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size,
	                    uint64_t value);
};
#define MMIO_ASK UINT64_MAX // also a value that was read: asking again does no harm

struct mmio_region {
	uint64_t base; // IPA
	uint64_t size; // bytes
	const struct mmio_ops *ops;
	void *dev;
};

// The page that a vCPU touched last, if one region begins no later than it. Of the vCPU's own CPU.
struct mmio_hit {
	uint64_t page;   // as HPFAR_EL2 names it; MMIO_NO_PAGE: see known_page
	uint64_t offset; // of the page in the region
	uint64_t
	        limit; // an access of any size at a lower offset ends in the region; 0: there is none
	uint64_t (*quick_read)(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size);
	void *dev;
	const struct mmio_ops *ops;
	// While the load that came last gave what never changes: the page instead of `page`, so that who looks for
	// that one pays nothing for this; which load; the value.
	uint64_t known_page, known_key, known;
};
#define MMIO_NO_PAGE UINT64_MAX // HPFAR_EL2 has bits that are always 0

#define MMIO_MAX_REGIONS 48

// Fixed after start: sorted by base, no overlap.
struct mmio_map {
	uint32_t count;
	uint32_t last; // the region that was hit last: a hint, any value below count is right
	struct mmio_region region[MMIO_MAX_REGIONS];
	// Where the machine answers although nothing is there: reads give zero, writes are lost. Size 0: nowhere.
	uint64_t background_base, background_size;

	// Atomically, and only a person looks: accesses that found the background.
	uint64_t unanswered;
	uint64_t unanswered_last; // the address of the last one
};

// Adds a region before the VM starts. ERR_INVALID: empty, wraps or overlaps; ERR_NO_MEMORY: full.
int mmio_add(struct mmio_map *map, uint64_t base, uint64_t size, const struct mmio_ops *ops,
             void *dev);

// The region that holds `ipa`, or NULL.
const struct mmio_region *mmio_find(struct mmio_map *map, ipa_t ipa);

// Whether a device is at `ipa`, or the background.
bool mmio_reaches(struct mmio_map *map, ipa_t ipa);

// Makes *hit describe the page that HPFAR_EL2 names as `page`.
void mmio_hit_find(struct mmio_hit *hit, struct mmio_map *map, uint64_t page);

// Which access a vCPU makes: `at`, where in the page; of `esr`, size and direction. Not 0.
static inline uint64_t mmio_known_key(uint64_t at, uint64_t esr)
{
	return at << 32 | (esr & (ISS_ISV | ISS_SAS | ISS_WNR));
}

// For a device's quick_read, asked for `offset` in the page of *hit: loads of that size from there will never give
// this vCPU another value than `value`, and need not ask again. Returns it. Not MMIO_ASK.
uint64_t mmio_know(struct mmio_hit *hit, uint32_t offset, unsigned size, uint64_t value);

// Carries out *access. False: nothing is there, it crosses the region's end, or the device refused, and there
// is no background either: the guest gets an external abort.
bool mmio_access(struct mmio_map *map, struct vcpu *vcpu, struct access *access);

#endif
