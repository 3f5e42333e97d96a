// SPDX-License-Identifier: Apache-2.0
// The PL031 real time clock that a guest sees, as QEMU's board virt has it.
#ifndef VDEV_VPL031_H
#define VDEV_VPL031_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vpl031;

#define VPL031_BASE  UINT64_C(0x09010000) // IPA
#define VPL031_SIZE  UINT64_C(0x1000)
#define VPL031_INTID 34

// Tells what time it is: `seconds` since 1970 at this moment. Once at boot, before any VM is built;
// without it guests count seconds since the board's counter started.
void vpl031_set_clock(uint32_t seconds);

// Builds the device into the VM: its region of the map. The VM does not run yet. *rtc is for the calls
// below. ERR_NO_MEMORY, or mmio_add's errors.
int vpl031_create(struct vm *vm, struct vpl031 **rtc);

// Back to the state after power-on, its line low, with the clock that vpl031_set_clock set. No vCPU of
// the VM runs.
void vpl031_reset(struct vpl031 *rtc);

extern const struct vstate vpl031_state;

#endif
