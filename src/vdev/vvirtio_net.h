// SPDX-License-Identifier: Apache-2.0
// A VM's network interfaces: virtio-net at the ports of switches.
#ifndef VDEV_VVIRTIO_NET_H
#define VDEV_VVIRTIO_NET_H

#include "vdev/vstate.h"

struct vm;

// Builds the interfaces that vm->nic lists. ERR_NO_MEMORY; ERR_BUSY: a net has no port left, or somebody has the address.
int vvirtio_net_create(struct vm *vm);
// The VM is about to be freed: its ports are given back. Nothing of it runs.
void vvirtio_net_destroy(struct vm *vm);

extern const struct vstate vvirtio_net_state;

#endif
