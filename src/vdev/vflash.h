// SPDX-License-Identifier: Apache-2.0
// The flash of a machine that begins with firmware: two banks of 64 MiB from address 0 on (docs/guests.md).
#ifndef VDEV_VFLASH_H
#define VDEV_VFLASH_H

#include "base/bits.h"
#include "base/types.h"
#include "vdev/vflash_chip.h"
#include "vm/vm.h"

#define VFLASH_BASE  UINT64_C(0) // IPA
#define VFLASH_BANKS 2
STATIC_ASSERT(VFLASH_BASE + VFLASH_BANKS * VFLASH_BANK_SIZE == VFLASH_END, "one behind the other");

struct vflash;

// Pages that a VM with this much firmware is to be promised for it: its copy of the firmware, and tables of stage 2.
uint64_t vflash_pages(uint64_t firmware);

// For a VM with firmware; else nothing. ERR_NO_MEMORY.
int vflash_create(struct vm *vm);
// The first bank holds the firmware, the second one what was programmed before, if anything; both show it. An erase that was
// not over stays half done. Nothing of the VM runs.
int vflash_reset(struct vm *vm);

// The guest read or fetched from an address that nothing is mapped at: if a bank is there and shows its array, maps some of
// it, at most 64 KiB. 0; ERR_RANGE: it is an access to a device, if anything; ERR_NO_MEMORY. On a CPU that runs the VM.
int vflash_touch(struct vm *vm, uint64_t ipa);

// Whether a store there, which was refused by stage 2, is one to a bank.
static inline bool vflash_has(const struct vm *of, uint64_t ipa)
{
	return of->flash != NULL && ipa < VFLASH_END;
}

extern const struct vstate vflash_state;

#endif
