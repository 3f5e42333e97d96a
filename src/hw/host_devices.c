// SPDX-License-Identifier: Apache-2.0
// Finding the board's own virtio devices. Owns the list of drivers; called once by main/boot.c.
// Invariant: no device, however it behaves, keeps Mezzo from booting: it is left alone or given up, with a sentence.
#include "hw/host_devices.h"

#include "base/log.h"
#include "fdt/board_bus.h"
#include "hw/block.h"
#include "hw/pci.h"
#include "hw/virtio_drivers.h"
#include "hw/virtio_mmio.h"

