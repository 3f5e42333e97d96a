// SPDX-License-Identifier: Apache-2.0
/*
 * Prints `lines=N` lines (2000) as fast as it can. None may be lost or mixed while somebody
 * reads.
 */
#include "test.h"

#define LINES 2000ul

void test_main(void)
{
	u64 lines = platform_arg("lines", LINES);

	for (u64 i = 0; i < lines; i++)
		print("flood %06lu of %06lu: 0123456789 abcdefghijklmnopqrstuvwxyz\n", i, lines);
	check_true(true, "flood-printed");
}
