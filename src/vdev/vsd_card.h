// SPDX-License-Identifier: Apache-2.0
// An SD card of high capacity (SDHC, SDXC), as a host controller sees it on its command and data lines. Two controllers
// may be connected to it, one at a time; its lock is theirs, too, and held in every call but the first three.
#ifndef VDEV_VSD_CARD_H
#define VDEV_VSD_CARD_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vsd_card;

// One of the controllers.
struct vsd_host_ops {
	// The card, which said that it was busy, is not any more. The card's lock is held.
	void (*ready)(void *host);
};

// Puts the VM's card, or an empty slot, into vm->raspi3->card. While the VM is built. ERR_NO_MEMORY, ERR_RANGE, or
// errors of alarm_add.
int vsd_card_create(struct vm *vm);

// As after power-on. No vCPU of the VM runs.
void vsd_card_reset(struct vm *vm);

// Makes a controller known, of two. While the VM is built.
void vsd_card_connect(struct vsd_card *card, const struct vsd_host_ops *ops, void *host);

void vsd_card_lock(struct vsd_card *card);
void vsd_card_unlock(struct vsd_card *card);

// False: the slot is empty, and what follows never answers and never has data.
bool vsd_card_present(const struct vsd_card *card);

enum vsd_answer { VSD_SILENCE, VSD_SHORT, VSD_LONG };

// A command, 0 to 63. The answer: VSD_SHORT: the 32 bits between index and CRC in word[0]; VSD_LONG: the register of
// 128 bits, its low ones in word[0], its CRC and end bit among them.
enum vsd_answer vsd_card_command(struct vsd_card *card, unsigned index, uint32_t argument,
                                 uint32_t word[4]);

// It holds data line 0 low: it works, and tells both controllers when it is done.
bool vsd_card_busy(const struct vsd_card *card);

// The next bytes that it sends, or that it takes: how many there were, fewer than `size` where a read or a write ended, and
// where something went wrong, which its status then says. Bounded by size, with one block more.
size_t vsd_card_read(struct vsd_card *card, void *to, size_t size);
size_t vsd_card_write(struct vsd_card *card, const void *from, size_t size);

extern const struct vstate vsd_card_state;

#endif
