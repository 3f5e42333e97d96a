// SPDX-License-Identifier: Apache-2.0
// The console of a `raspi3`, which its two UARTs share: the output of both is the VM's, in the order in which it is
// sent; typed bytes go to the one that the guest last sent something through, and before that to the mini UART if
// it is switched on, else to the PL011. Owns what both share; called by the model's table and by the console.
#include "vdev/raspi3_console.h"

#include "base/atomic.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_aux.h"
#include "vdev/vpl011.h"
#include "vm/vm.h"

static bool mini_uart_listens(const struct vm *vm)
{
	const struct raspi3 *raspi3 = vm->raspi3;
	const void *reader = load_relaxed(&raspi3->console.reader);

	return reader == NULL ? vbcm2835_aux_enabled(raspi3->aux) : reader == raspi3->aux;
}

static void console_input(struct vm *vm)
{
	if (mini_uart_listens(vm))
		vbcm2835_aux_input(vm->raspi3->aux);
	else
		vpl011_input(vm->uart);
}

static void console_overrun(struct vm *vm)
{
	if (mini_uart_listens(vm))
		vbcm2835_aux_overrun(vm->raspi3->aux);
	else
		vpl011_overrun(vm->uart);
}

static void console_output_drained(struct vm *vm)
{
	vbcm2835_aux_output_drained(vm->raspi3->aux);
	vpl011_output_drained(vm->uart);
}

static const struct vuart_ops console_ops = {
        .input = console_input,
        .overrun = console_overrun,
        .output_drained = console_output_drained,
};

int raspi3_console_create(struct vm *vm)
{
	const struct vpl011_place place = {
	        .base = RASPI3_UART0_BASE,
	        .intid = VBCM2835_IRQ(RASPI3_IRQ_UART0),
	        .share = &vm->raspi3->console,
	};
	uint8_t *output = vm_alloc(vm, VCONS_OUT_BYTES);

	if (output == NULL)
		return ERR_NO_MEMORY;
	vcons_init(&vm->con, vm->id, output);
	vm->raspi3->console.lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->uart_ops = &console_ops;
	int error = vpl011_create_at(vm, &place);
	return error == 0 ? vbcm2835_aux_create(vm) : error;
}

void raspi3_console_reset(struct vm *vm)
{
	vbcm2835_aux_reset(vm);
	vpl011_reset(vm->uart);
}
