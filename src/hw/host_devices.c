// SPDX-License-Identifier: Apache-2.0
// Finding the board's own virtio devices. Owns the list of drivers; called once by main/boot.c.
// Invariant: no device, however it behaves, keeps Mezzo from booting: it is left alone or given up, with a sentence.
#include "hw/host_devices.h"

#include "base/log.h"
#include "fdt/board_bus.h"
#include "hw/block.h"
#include "hw/entropy.h"
#include "hw/pci.h"
#include "hw/virtio_drivers.h"
#include "hw/virtio_mmio.h"

const struct virtio_driver *const virtio_drivers[] = {&virtio_blk, &virtio_net, &virtio_rng,
                                                      &virtio_console, NULL};

void host_devices_init(const void *fdt, const struct board *board)
{
	static struct board_bus bus; // too large for a stack
	board_bus_read(fdt, &bus);
	if (bus.nr_slots_dropped != 0)
		log_line("devices: the tree has %u slots of virtio-mmio more than Mezzo looks at",
		         bus.nr_slots_dropped);
	for (uint32_t i = 0; i < bus.nr_slots; i++)
		virtio_mmio_probe(fdt, board, &bus.slot[i]);
	pci_probe(fdt, board, &bus.pci);
	block_find_partitions();
	entropy_refill();
}
