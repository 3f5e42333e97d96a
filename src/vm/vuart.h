// SPDX-License-Identifier: Apache-2.0
// The way from the console to a guest's UARTs, whichever its machine has.
#ifndef VM_VUART_H
#define VM_VUART_H

struct vm;

// Each is called on any CPU and takes LOCK_DEVICE, so the caller must not hold LOCK_CONSOLE.
struct vuart_ops {
	void (*input)(struct vm *vm);
	void (*overrun)(struct vm *vm);
	void (*output_drained)(struct vm *vm);
};

// Typed bytes wait in vcons_in.
void vuart_input(struct vm *vm);
// A typed byte found vcons_in full and was lost.
void vuart_overrun(struct vm *vm);
// The console took output of a guest that waits for room, or looked in vain: room is announced, and output
// that nobody took for too long is given up.
void vuart_output_drained(struct vm *vm);

#endif
