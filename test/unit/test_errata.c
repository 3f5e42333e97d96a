// SPDX-License-Identifier: Apache-2.0
// Which errata are reported of which core.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/errata.h"
#include "base/log.h"
#include "base/string.h"
#include "fake.h"

// The first byte of the log that a call has added, NUL at its end.
static const char *report(uint64_t midr)
{
	static char before[16384], after[16384];
	size_t from = log_read(before, sizeof before - 1);
	errata_report(midr);
	size_t to = log_read(after, sizeof after - 1);
	after[to] = 0;
	assert_true(to >= from && memcmp(before, after, from) == 0);
	return after + from;
}

static void test_cores(void **state)
{
	(void)state;
	static const struct {
		uint64_t midr;
		const char *text; // the end of the line
	} cases[] = {
	        // A Raspberry Pi 3, a Raspberry Pi 4, QEMU's Cortex-A57; one after all that is known.
	        {0x410fd034, "errata of Cortex-A53 r0p4: 835769 843419 avoided by the compiler, "
	                     "855873 1530924 by Mezzo's code, 845719 left to guests' kernels\n"},
	        {0x410fd083,
	         "errata of Cortex-A72 r0p3: 1319367 by Mezzo's code, 859971 left to EL3, "
	         "1655431 left to guests' kernels\n"},
	        {0x411fd070, "errata of Cortex-A57 r1p0: 1319537 by Mezzo's code, 1742098 left to "
	                     "guests' kernels, 832075 834220 not avoided\n"},
	        {0x411fd082, "errata of Cortex-A72 r1p2: 1319367 by Mezzo's code, 1655431 left to "
	                     "guests' kernels\n"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *line = report(cases[i].midr);
		if (strstr(line, cases[i].text) == NULL)
			fail_msg("'%s' says not '%s'", line, cases[i].text);
		assert_string_equal(report(cases[i].midr), ""); // once
	}
	assert_string_equal(report(0x410fd034), "");
	assert_string_equal(report(0x410fd031), ""); // no more kinds are remembered
}

static void test_others(void **state)
{
	(void)state;
	assert_string_equal(report(0), "");
	assert_string_equal(report(0x000f0510), ""); // QEMU's own
	assert_string_equal(report(0x420fd030), ""); // somebody else's part of the same number
}

// By MIDR: who gets a second invalidation. In any order, and after the log has said enough.
static void test_repeated_invalidation(void **state)
{
	(void)state;
	static const struct {
		uint64_t midr;
		bool repeats;
	} cases[] = {
	        {0x410fd034, false}, {0x410fd083, false}, // Raspberry Pi 3, 4
	        {0x413fd0b1, false}, {0x413fd0b0, true},  // Cortex-A76 r3p1, r3p0
	        {0x410fd0b0, true},  {0x414fd0c1, false}, // r0p0; Neoverse-N1 r4p1
	        {0x412fd050, true},  {0x411fd461, true},  // Cortex-A55; Cortex-A510 r1p1
	        {0x411fd462, false}, {0x510fd0b0, false}, // r1p2; somebody else's part
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		errata_repeat_tlbi = false;
		errata_report(cases[i].midr);
		assert_int_equal(errata_repeat_tlbi, cases[i].repeats);
		errata_report(0x410fd034); // another core's answer takes nothing back
		assert_int_equal(errata_repeat_tlbi, cases[i].repeats);
	}
	errata_repeat_tlbi = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_cores),
	        cmocka_unit_test(test_others),
	        cmocka_unit_test(test_repeated_invalidation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
