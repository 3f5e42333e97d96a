// SPDX-License-Identifier: Apache-2.0
/* Says that it is there, and powers off: for tests that count lives. */
#include "test.h"

void tool_main(void)
{
}
