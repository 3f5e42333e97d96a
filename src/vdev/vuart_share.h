// SPDX-License-Identifier: Apache-2.0
// What a guest's UARTs do with the VM's console in the same way: waiting for room in its output, and sharing
// it where a machine has two.
#ifndef VDEV_VUART_SHARE_H
#define VDEV_VUART_SHARE_H

#include "base/spinlock.h"
#include "vm/vcons.h"

// The output of one UART. Under the UART's lock.
struct vuart_out {
	struct vcons *con;    // fixed after start
	uint64_t stall_ticks; // fixed after start
	uint64_t full_since;  // ticks: when the ring last became full; 0: it was not
};

void vuart_out_init(struct vuart_out *out, struct vcons *con);
// Looks for `wanted` bytes of room; returns how many there are. If it is fewer, the console calls the UART when
// it has taken some. Where nobody reads nothing waits, and where nobody reads for too long the oldest is lost.
uint32_t vuart_out_look(struct vuart_out *out, uint32_t wanted);
// The console must look at this VM.
void vuart_tell(const struct vcons *con);

// Several UARTs on one console. They share its lock, and one of them gets the typed bytes: the one that the
// guest last sent something through.
struct vuart_share {
	struct spinlock lock;
	const void *reader; // the device; NULL: none has sent anything yet

	uint32_t elsewhere; // atomically: 1: the pins of the PL011 lead to something else
};

#endif
