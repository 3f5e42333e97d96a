// SPDX-License-Identifier: Apache-2.0
// The one door from the console to a guest's UARTs: passes to what its machine has. Owns nothing; called by
// console/.
#include "vm/vuart.h"

#include "vm/vm.h"

void vuart_input(struct vm *vm)
{
	vm->uart_ops->input(vm);
}

void vuart_overrun(struct vm *vm)
{
	vm->uart_ops->overrun(vm);
}

void vuart_output_drained(struct vm *vm)
{
	vm->uart_ops->output_drained(vm);
}
