// SPDX-License-Identifier: Apache-2.0
// The generic watchdog of Arm's base system architecture, as a guest of model virt has it.
#ifndef VDEV_VGWDT_H
#define VDEV_VGWDT_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vgwdt;

// Two frames on end: control, refresh. QEMU's board virt has nothing there.
#define VGWDT_BASE       UINT64_C(0x090c0000) // IPA
#define VGWDT_FRAME_SIZE UINT64_C(0x1000)
#define VGWDT_SIZE       (2 * VGWDT_FRAME_SIZE)
#define VGWDT_INTID      44 // SPI 12

// Builds the device into the VM: its region of the map, and vm->watchdog. The VM does not run yet. ERR_NO_MEMORY, or
// mmio_add's errors.
int vgwdt_create(struct vm *vm);

// Back to the state after power-on: it is off. No vCPU of the VM runs.
void vgwdt_reset(struct vgwdt *watchdog);

extern const struct vstate vgwdt_state;

#endif
