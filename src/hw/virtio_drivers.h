// SPDX-License-Identifier: Apache-2.0
// The drivers of virtio devices, for hw/virtio.c.
#ifndef HW_VIRTIO_DRIVERS_H
#define HW_VIRTIO_DRIVERS_H

#include "hw/virtio.h"

extern const struct virtio_driver virtio_blk, virtio_net, virtio_rng, virtio_console;

// All of them; NULL at the end.
extern const struct virtio_driver *const virtio_drivers[];

#endif
