// SPDX-License-Identifier: Apache-2.0
// For a target that is built around a unit test: the test's bench and its stand-ins are taken as they are, its main() is
// not called, and what it asserts ends the program. Included before the test's own file or header.
#ifndef FUZZ_UNIT_TEST_H
#define FUZZ_UNIT_TEST_H

#include <stdlib.h>

#include "fuzz.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define main unit_test_main // of no use here

static inline void fuzz_asserts_abort(void)
{
	setenv("CMOCKA_TEST_ABORT", "1", 1);
}

// Bytes of the input as a terminal sends them: none of them begins a frame, in which all that follows would vanish.
static inline const char *fuzz_typed(struct fuzz_in bytes)
{
	static char typed[256];
	for (size_t i = 0; i < bytes.left && i < sizeof typed; i++)
		typed[i] = (char)(bytes.at[i] == 0xc0 ? 0xc1 : bytes.at[i]);
	return typed;
}

#endif
