// SPDX-License-Identifier: Apache-2.0
// Looks for devices in the virtio-mmio slots of the board.
#ifndef HW_VIRTIO_MMIO_H
#define HW_VIRTIO_MMIO_H

#include "fdt/board_bus.h"

// Announces the device of a slot, if there is one. At boot, after intc_init. An empty slot is nothing to speak of; one
// that is not as it should be is left alone, with a sentence.
void virtio_mmio_probe(const void *fdt, const struct board *board, const struct board_slot *slot);

#endif
