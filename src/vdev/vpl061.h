// SPDX-License-Identifier: Apache-2.0
// The PL061 that a guest sees, as QEMU's board virt has it. Line 3 is the power key.
#ifndef VDEV_VPL061_H
#define VDEV_VPL061_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vpl061;

#define VPL061_BASE     UINT64_C(0x09030000) // IPA
#define VPL061_SIZE     UINT64_C(0x1000)
#define VPL061_INTID    39
#define VPL061_KEY_LINE 3

// Builds the device into the VM: its region of the map, and vm->power_key. The VM does not run yet.
// ERR_NO_MEMORY, or mmio_add's errors.
int vpl061_create(struct vm *vm);

// Back to the state after power-on, nobody at the key. No vCPU of the VM runs.
void vpl061_reset(struct vpl061 *gpio);

// Presses the power key: its line goes high and stays so until the guest has read it as high. A key that
// is still down is let go first. Any CPU; takes LOCK_DEVICE.
void vpl061_press(struct vpl061 *gpio);

extern const struct vstate vpl061_state;

#endif
