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

struct vuart_share;

// Another place for the chip, on a machine with more than one UART.
struct vpl011_place {
	uint64_t base;             // IPA
	uint32_t intid;            // as virq_set() takes it
	struct vuart_share *share; // NULL: it has the VM's console to itself
};

// Builds the device into the VM: vm->uart and its region of the map. The VM does not run yet.
// ERR_NO_MEMORY, or mmio_add's errors.
int vpl011_create(struct vm *vm);
// The same elsewhere, in a VM whose console and uart_ops are somebody else's.
int vpl011_create_at(struct vm *vm, const struct vpl011_place *place);

// From now on it shares the VM's console, under the lock of `share`. While the VM is built.
void vpl011_share(struct vpl011 *uart, struct vuart_share *share);

// Back to the state after power-on, its line low. Typed bytes that the guest did not take are gone.
// No vCPU of the VM runs.
void vpl011_reset(struct vpl011 *uart);

// As vuart_ops, for whoever has the VM's.
void vpl011_input(struct vpl011 *uart);
void vpl011_overrun(struct vpl011 *uart);
void vpl011_output_drained(struct vpl011 *uart);

// After share->elsewhere has changed: its pins lead to the console, as after a reset, or what it sends is lost. Takes
// LOCK_DEVICE.
void vpl011_pins_moved(struct vpl011 *uart);

extern const struct vstate vpl011_state;

#endif
