// SPDX-License-Identifier: Apache-2.0
// What the two files of the DMA controller share: vbcm2835_dma.c has the registers, vbcm2835_dma_work.c does the work.
#ifndef VDEV_VBCM2835_DMA_STATE_H
#define VDEV_VBCM2835_DMA_STATE_H

#include "base/bits.h"
#include "base/spinlock.h"
#include "vdev/vbcm2835_dma.h"

#define NR_CHANNELS 16
#define NR_PORTS    4
#define ALONE       15    // the channel that has a region of its own
#define DMA_CHUNK   2048U // bytes at a time
#define IS_LITE(n)  ((n) >= 7 && (n) < ALONE)

#define CS_ACTIVE      BIT_U32(0)
#define CS_END         BIT_U32(1)
#define CS_INT         BIT_U32(2)
#define TI_INTEN       BIT_U32(0)
#define TI_TDMODE      BIT_U32(1)
#define TI_DEST_INC    BIT_U32(4)
#define TI_DEST_DREQ   BIT_U32(6)
#define TI_DEST_IGNORE BIT_U32(7)
#define TI_SRC_INC     BIT_U32(8)
#define TI_SRC_DREQ    BIT_U32(10)
#define TI_SRC_IGNORE  BIT_U32(11)
#define TI_NOT_LITE    (TI_TDMODE | TI_DEST_IGNORE | TI_SRC_IGNORE)

#define LENGTH_Y GENMASK_U32(29, 16) // of TXFR_LEN: rows after the first

#define DEBUG_READ_ERROR BIT_U32(2)

struct dma_channel {
	uint32_t identity; // what DEBUG says of it; fixed after start

	uint32_t cs; // ACTIVE, END, INT and what is kept
	uint32_t conblk, ti, source, dest, stride, next;
	uint32_t x, y;   // bytes left of this row, further rows
	uint32_t row;    // bytes of each
	uint32_t debug;  // error flags
	uint32_t loaded; // 1: the block at conblk is in the registers
	uint32_t waits;  // bit n: for the chip of that number to ask for data
	uint32_t epoch;

	// Atomically.
	uint32_t shown; // CS as the guest reads it; written under the lock
};

// Where the guest sees channels, one after another from the first byte on; the others are elsewhere.
struct dma_region {
	struct vbcm2835_dma *dma;
	uint32_t first, channels;
};

struct vbcm2835_dma {
	// Fixed after start.
	struct dma_region region[2];
	struct vm *vm;
	int alarm;
	uint32_t nr_ports;
	const struct vbcm2835_dma_port *port[NR_PORTS];

	// Atomically. A chip sets a bit of the first and then looks at the second, whoever waits does it the other
	// way round.
	uint32_t kicked;  // bit n: the chip of that number asks for data
	uint32_t waiting; // bit n: a channel waits for it; written under the lock

	// Under the lock.
	struct spinlock lock;
	struct dma_channel channel[NR_CHANNELS];
	uint32_t enable; // bit n: channel n; ALONE always is
	uint32_t lines;  // bit n: channel n's interrupt flag, as the lines show it
	uint32_t turn;   // the channel that is looked at first
	bool working;    // somebody does a piece
	bool again;      // the alarm went off meanwhile
	uint32_t busy;   // the channel for which a chip's function is called; NR_CHANNELS: none

	uint32_t buffer[DMA_CHUNK / 4]; // of the one who works
};

// The guest sees in CS what channel n does now. Under the lock.
void vbcm2835_dma_show(struct vbcm2835_dma *dma, unsigned n);

// The lines follow the interrupt flags. Under the lock.
void vbcm2835_dma_update_lines(struct vbcm2835_dma *dma);

// What is known of the block at conblk is true no more: it is fetched anew, and a channel without one is over.
// Under the lock.
void vbcm2835_dma_forget_block(struct dma_channel *channel);

// Whether a channel can go on. Under the lock.
bool vbcm2835_dma_can_go_on(const struct vbcm2835_dma *dma);

// Does a piece, and sets the alarm if something is left. Nobody else works. Under the lock, which may be free
// meanwhile; on a CPU that runs the VM.
void vbcm2835_dma_work(struct vbcm2835_dma *dma);

#endif
