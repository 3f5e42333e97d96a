// SPDX-License-Identifier: Apache-2.0
// The board's disks in the hands of VMs: who has which sectors.
#ifndef VDEV_VDISK_HOST_H
#define VDEV_VDISK_HOST_H

#include "hw/block.h"

// Notes that a VM has the sectors, which nobody else may have then, unless neither writes to them. They are its until
// its number is free or vdisk_host_release is called. ERR_BUSY: they are somebody's, a VM's whose number is *other;
// ERR_NO_MEMORY: too many were noted. One caller at a time, who builds VMs.
int vdisk_host_claim(uint32_t vm, const struct block_range *range, bool writes, uint32_t *other);

// The number is that of a VM to be built, or that was not built: it has no sectors.
void vdisk_host_release(uint32_t vm);

#endif
