// SPDX-License-Identifier: Apache-2.0
// The DMA controller of a BCM2835, and how a chip with a data port takes part.
// Source: BCM2835 ARM Peripherals, "DMA Controller".
#ifndef VDEV_VBCM2835_DMA_H
#define VDEV_VBCM2835_DMA_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;

// A chip's data port. Its functions take the chip's own lock and are called with none held, on a CPU that runs the
// VM. Words are as a 32-bit access of the port sees them.
struct vbcm2835_dma_port {
	uint32_t bus;  // VideoCore address of the data register, 0x7exxxxxx
	unsigned dreq; // the chip's number in TI.PERMAP
	// Moves up to `count` words out of or into the chip; how many it moved. Fewer: the chip asks for no more now
	// and will call vbcm2835_dma_kick when it does.
	unsigned (*read)(struct vm *vm, uint32_t *words, unsigned count);
	unsigned (*write)(struct vm *vm, const uint32_t *words, unsigned count);
};

#define VBCM2835_DREQ_EMMC   11
#define VBCM2835_DREQ_SDHOST 13

// ERR_NO_MEMORY. While the VM is built, before the chips that connect.
int vbcm2835_dma_create(struct vm *vm);

// As after power-on. No vCPU of the VM runs.
void vbcm2835_dma_reset(struct vm *vm);

// Makes a chip's port known. `port` stays as it is while the VM lives. While the VM is built.
void vbcm2835_dma_connect(struct vm *vm, const struct vbcm2835_dma_port *port);

// The chip behind `dreq` asks for data to be moved: its channel goes on soon, not within this call. The chip may
// hold its lock. Any CPU that runs the VM.
void vbcm2835_dma_kick(struct vm *vm, unsigned dreq);

extern const struct vstate vbcm2835_dma_state;

#endif
