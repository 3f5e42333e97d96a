// SPDX-License-Identifier: Apache-2.0
// What the firmware of a Raspberry Pi 3 leaves in the first page of memory.
#ifndef VDEV_RASPI3_BOOT_H
#define VDEV_RASPI3_BOOT_H

#include "base/types.h"

struct vm;
struct model_chosen;

// Start code for the cores that wait, their release addresses, and ATAGS: into one zeroed page.
void raspi3_boot_write(const struct vm *vm, const struct model_chosen *chosen, uint8_t *page);

#endif
