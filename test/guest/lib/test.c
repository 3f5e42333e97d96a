// SPDX-License-Identifier: Apache-2.0
/*
 * Assertions, totals and the first C function of a test kernel. Only CPU 0 asserts.
 */
#include "test.h"

#include "gic.h"
#include "mmu.h"

#define NAME_BYTES 128
#define SHOWN      6 /* misses that a group prints */

static unsigned passed, failed, known_bad, skipped;
static bool under_mezzo;

static struct {
	const char *name;
	bool strict;
	unsigned misses, cases;
} group;

bool test_under_mezzo(void)
{
	return under_mezzo;
}

static void format_name(char name[NAME_BYTES], const char *format, va_list args)
{
	print_format(name, NAME_BYTES, format, args);
}

static bool report(bool held, bool strict, const char *name, u64 got, u64 want)
{
	if (held) {
		passed++;
		print("ok %s\n", name);
	} else if (strict && !under_mezzo) {
		known_bad++;
		print("known-bad %s: got 0x%lx want 0x%lx\n", name, got, want);
	} else {
		failed++;
		print("not ok %s: got 0x%lx want 0x%lx\n", name, got, want);
	}
	return held;
}

bool check_eq(u64 got, u64 want, const char *name, ...)
{
	char text[NAME_BYTES];
	va_list args;

	va_start(args, name);
	format_name(text, name, args);
	va_end(args);
	return report(got == want, false, text, got, want);
}

bool check_strict(u64 got, u64 want, const char *name, ...)
{
	char text[NAME_BYTES];
	va_list args;

	va_start(args, name);
	format_name(text, name, args);
	va_end(args);
	return report(got == want, true, text, got, want);
}

bool check_true(bool held, const char *name, ...)
{
	char text[NAME_BYTES];
	va_list args;

	va_start(args, name);
	format_name(text, name, args);
	va_end(args);
	return report(held, false, text, held, true);
}

void test_skip(const char *why, const char *name, ...)
{
	char text[NAME_BYTES];
	va_list args;

	va_start(args, name);
	format_name(text, name, args);
	va_end(args);
	skipped++;
	print("skip %s: %s\n", text, why);
}

void group_begin(const char *name)
{
	group.name = name;
	group.strict = false;
	group.misses = 0;
	group.cases = 0;
}

void group_strict(const char *name)
{
	group_begin(name);
	group.strict = true;
}

bool group_eq(u64 got, u64 want, const char *what, ...)
{
	char text[NAME_BYTES];
	va_list args;

	group.cases++;
	if (got == want)
		return true;
	if (group.misses++ < SHOWN) {
		va_start(args, what);
		format_name(text, what, args);
		va_end(args);
		print("# %s: %s: got 0x%lx want 0x%lx\n", group.name, text, got, want);
	}
	return false;
}

void group_end(void)
{
	if (group.misses > SHOWN)
		print("# %s: %u of %u differ\n", group.name, group.misses, group.cases);
	report(group.misses == 0, group.strict, group.name, group.misses, 0);
}

void test_done(void)
{
	if (known_bad != 0 || skipped != 0)
		print("# %u known bad, %u skipped\n", known_bad, skipped);
	print("TEST-DONE %u passed %u failed\n", passed, failed);
	psci_system_off();
}

void rt_main(u64 boot_x0, u64 image_base);
void rt_main(u64 boot_x0, u64 image_base)
{
	platform_init(boot_x0, image_base);
	mmu_init();
	mmu_enable();
	under_mezzo = platform.mezzo || mezzo_present();
	if (test_early != NULL)
		test_early();
	gic_init();
	if (tool_main != NULL) {
		print_raw(TEST_NAME ": up\n");
		tool_main();
		psci_system_off();
	}
	print("TEST " TEST_NAME " gic %u cpus %u ram %lu MiB midr 0x%lx under %s\n",
	      platform.gic_version, platform.cpu_count, platform.ram_bytes / MIB,
	      read_sysreg(midr_el1), under_mezzo ? "mezzo" : "bare machine");
	test_main();
	test_done();
}
