// SPDX-License-Identifier: Apache-2.0
// The virtio console of a guest: port 0 is its console, beside the UART's; port 1, "mezzo.log", writes lines into Mezzo's
// log.
#ifndef VDEV_VVIRTIO_CONSOLE_H
#define VDEV_VVIRTIO_CONSOLE_H

#include "vdev/vstate.h"

struct vm;
struct vuart_share;

// Puts one into the VM's next slot if the VM is to have one (vm->wants_console), and gives it half of the console that its PL011
// has: vpl011_create_shared. The VM is being built. ERR_NO_MEMORY.
int vvirtio_console_create(struct vm *vm);

extern const struct vstate vvirtio_console_state;

#endif
