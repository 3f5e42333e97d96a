// SPDX-License-Identifier: Apache-2.0
// A board of eight CPUs that is about to build its virtual machines from a bundle, and stand-ins for what the rest of
// Mezzo is told then. Included once by a test.
#ifndef UNIT_CONFIG_BENCH_H
#define UNIT_CONFIG_BENCH_H

#include <sanitizer/lsan_interface.h>

#include "own_process.h"

#include "arm/cpu.h"
#include "arm/crc32.h"
#include "arm/features.h"
#include "base/panic.h"
#include "bundle_bench.h"
#include "fake.h"
#include "hw/timer.h"
#include "main/boot.h"
#include "main/life.h"
#include "main/run.h"
#include "ram_arena.h"
#include "vdev/vgic.h"
#include "vm/vm.h"

#define ARENA MIB(128)
#define HZ    1000000

// ---- what the rest of Mezzo is told ----

static char said[65536];
static struct {
	bool set, power_off;
	unsigned failed;
	unsigned shell, views, changes;
	uint64_t begun;
} told;

void console_write(const char *text, size_t length)
{
	size_t used = strlen(said);
	if (used + length + 1 > sizeof said)
		used = 0;
	memcpy(said + used, text, length);
	said[used + length] = 0;
}
void life_set_policy(bool power_off, unsigned failed)
{
	told.set = true;
	told.power_off = power_off;
	told.failed = failed;
}
void life_begin_all(void)
{
	told.begun = 0;
	FOR_EACH_VM (vm)
		told.begun |= (uint64_t)vm->autostart << (vm->id - 1);
}
void console_vms_changed(void);
void console_vms_changed(void)
{
	told.changes++;
}
void console_view_shell(void);
void console_view_shell(void)
{
	told.shell++;
}
void console_view_vm(struct vm *vm);
void console_view_vm(struct vm *vm)
{
	assert_non_null(vm);
	told.views++;
}
uint32_t crc32_update_fast(uint32_t crc, const void *data, size_t size)
{
	return crc32_update(crc, data, size);
}

// ---- the board ----

static struct board board;

#define VM(name, more)                                                                        \
	" vm@" #name " { reg = <" #name "0>; compatible = \"mezzo,vm\"; vm-name = \"vm" #name \
	"\"; kernel = \"Image\"; cpus = <1>; " more " };"
#define MEMORY(mib) "memory = /bits/ 64 <(" #mib " << 20)>;"

static struct pages_count before;

static uint32_t gic_of_board = 3;

static void begin_with(uint64_t ram)
{
	fake_reset();
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	features_probe(true);
	stage2_init();
	ram_arena_init(ram);
	before = pages_counts();
	board.gic.version = gic_of_board;
	assert_int_equal(vgic_probe(&vgic_lr_v3, 0), 0);
	fake_set_sysreg("cntfrq_el0", HZ);
	timer_init(0);
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++) {
		fake_run_on(cpu);
		timer_init_cpu();
		sched_init_cpu();
	}
	fake_run_on(0);
}

UNUSED static void begin(void)
{
	begin_with(ARENA);
}

// Runs the configuration on the bundle, which moves to memory that ends where it ends.
UNUSED static void configure(void)
{
	void *exact = NULL;
	if (archive_size != 0) {
		assert_int_equal(posix_memalign(&exact, 4096, archive_size), 0);
		memcpy(exact, archive, archive_size);
		__lsan_ignore_object(exact); // it stays for as long as its VMs
	}
	board.initrd = (struct board_range){(uintptr_t)exact, archive_size};
	config_build(&board, NULL);
	config_start();
}

UNUSED static void assert_said(const char *text)
{
	if (strstr(said, text) == NULL)
		fail_msg("nobody said '%s', but:\n%s", text, said);
}

// Nothing was built, the reason was given, and no memory is gone.
UNUSED static void assert_refused(const char *reason)
{
	assert_said(reason);
	assert_int_equal(vm_count(), 0);
	assert_true(told.set);
	assert_int_equal(pages_counts().free, before.free);
	assert_int_equal(pages_counts().committed, before.committed);
}

UNUSED static void one_vm(const char *more)
{
	char rest[2048];
	begin();
	add_kernel("Image", 200000);
	snprintf(rest, sizeof rest, VM(0, "%s"), more);
	pack(rest);
	configure();
}

// The VMs that were built go again, without having run.
UNUSED static void take_down(void)
{
	struct vm *vm;
	while ((vm = vm_after(0)) != NULL) {
		vm_withdraw(vm);
		sched_dismiss(vm);
		vm_discard(vm);
	}
}

// A description that does not lie where libfdt wants it is copied, once in the life of a board: here it goes back.
UNUSED static void give_back_copy(uint64_t ram)
{
	for (uint64_t pa = RAM_ARENA_BASE;
	     pages_usage(OWNER_BUNDLE).boot != 0 && pa < RAM_ARENA_BASE + ram; pa += PAGE_SIZE)
		if (pages_entry(PA(pa))->owner == OWNER_BUNDLE)
			pages_free(PA(pa), NULL);
}

#endif
