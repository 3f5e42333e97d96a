// SPDX-License-Identifier: Apache-2.0
/* Says that it is there, and powers off: for tests that count lives. It touches nothing but the UART. */
#include "test.h"

void test_early(void)
{
	print_raw("quick: up\n");
	psci_system_off();
}
