// SPDX-License-Identifier: Apache-2.0
// Virtio devices on PCI.
#ifndef HW_VIRTIO_PCI_H
#define HW_VIRTIO_PCI_H

#include "hw/pci.h"

// Whether a function is a virtio device, by its identifiers.
bool virtio_pci_is(const struct pci_function *function);
// Announces the device, if it is of the standard's version 1 and its structures lie within its BARs; else it is left
// alone, with a sentence. At boot.
void virtio_pci_probe(const struct pci_function *function, const struct board_irq *irq);

#endif
