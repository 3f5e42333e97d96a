// SPDX-License-Identifier: Apache-2.0
/*
 * Says that it is there, and resets itself at once, or after `delay=MS` milliseconds; for ever. It touches
 * nothing but the UART.
 */
#include "test.h"

#define MS_US 1000ul

void test_early(void)
{
	print_raw("again: up\n");
	timer_delay(platform_arg("delay", 0) * MS_US);
	psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
	print_raw("again: the reset came back\n");
	psci_system_off();
}
