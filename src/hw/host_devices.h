// SPDX-License-Identifier: Apache-2.0
// The devices of the board that Mezzo drives for its guests: disks, nets, randomness, a further console.
#ifndef HW_HOST_DEVICES_H
#define HW_HOST_DEVICES_H

#include "fdt/board.h"

// Finds and starts them. `fdt` is the tree that *board was read from. Once, on the boot CPU, after intc_init_cpu and
// before interrupts may come. Waits for a device that does not answer, at most some seconds for each.
void host_devices_init(const void *fdt, const struct board *board);

#endif
