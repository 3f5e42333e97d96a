// SPDX-License-Identifier: Apache-2.0
// A whole boot from a bundle (main/config.c): archive, description, files, plans, virtual machines with their devices and
// trees. Whatever the bundle holds, there is a sentence for what was not built, and when the VMs that were built are
// gone all memory is back. Checksums are not looked at, or nothing would get behind them.
#include "unit_test.h"

#define crc32_update_fast test_crc32_update_fast
#include "config_bench.h"
#undef crc32_update_fast

uint32_t crc32_update_fast(uint32_t crc, const void *data, size_t size)
{
	(void)crc;
	(void)data;
	(void)size;
	return 0x12345678;
}

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

void fuzz_setup(void)
{
	fuzz_asserts_abort();
	begin_with(MIB(96));
	fake_set_sysreg("dczid_el0", 9);
	fake_set_sysreg("ctr_el0", UINT64_C(9) << 16);
	fake_event_hook = no_log;
	before = pages_counts();
}

void fuzz_one(const uint8_t *data, size_t size)
{
	if (size == 0 || size > FUZZ_GUARDED_MAX)
		return;
	said[0] = 0;
	told.set = false;
	board.initrd = (struct board_range){(uintptr_t)fuzz_guarded(data, size, 8), size};
	config_build(&board, NULL);
	config_start();
	FUZZ_CHECK(said[0] != 0 && told.set);
	take_down();
	give_back_copy(MIB(96));
	FUZZ_CHECK(pages_counts().free == before.free &&
	           pages_counts().committed == before.committed);
}
