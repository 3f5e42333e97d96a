// SPDX-License-Identifier: Apache-2.0
// The two UARTs of a Raspberry Pi on one console.
#ifndef VDEV_RASPI3_CONSOLE_H
#define VDEV_RASPI3_CONSOLE_H

struct vm;

// Builds PL011 and mini UART into the VM: vm->con, vm->uart, vm->raspi3->aux, their regions of the map.
// ERR_NO_MEMORY, or mmio_add's errors.
int raspi3_console_create(struct vm *vm);

// Both as after power-on. Typed bytes that the guest did not take are gone. No vCPU of the VM runs.
void raspi3_console_reset(struct vm *vm);

#endif
