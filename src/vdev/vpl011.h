// SPDX-License-Identifier: Apache-2.0
// The PL011 that a guest sees, as QEMU's board virt has it.
#ifndef VDEV_VPL011_H
#define VDEV_VPL011_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vpl011;

#define VPL011_BASE  UINT64_C(0x09000000) // IPA
#define VPL011_SIZE  UINT64_C(0x1000)
#define VPL011_INTID 33

// Builds the device into the VM: vm->uart and its region of the map. The VM does not run yet.
// ERR_NO_MEMORY, or mmio_add's errors.
int vpl011_create(struct vm *vm);

// Back to the state after power-on, its line low. Typed bytes that the guest did not take are gone.
// No vCPU of the VM runs.
void vpl011_reset(struct vpl011 *uart);

// Typed bytes wait in vcons_in. Any CPU; takes LOCK_DEVICE, so the caller must not hold LOCK_CONSOLE.
void vpl011_input(struct vpl011 *uart);

// A typed byte found vcons_in full and was lost. As vpl011_input.
void vpl011_overrun(struct vpl011 *uart);

// The console took output of a guest that waits for room, or looked in vain: room is announced, and
// output that nobody took for too long is given up. As vpl011_input.
void vpl011_output_drained(struct vpl011 *uart);

extern const struct vstate vpl011_state;

#endif
