// SPDX-License-Identifier: Apache-2.0
// One VM with vCPUs for tests of what traps: they are "loaded" on CPUs of the fake, its interrupt lines
// and its log are caught. Included once by each test that uses it.
#ifndef UNIT_VCPU_BENCH_H
#define UNIT_VCPU_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arm/features.h"
#include "arm/regs.h"
#include "base/bits.h"
#include "base/panic.h"
#include "fake.h"
#include "vm/vm.h"

#define BENCH_VCPUS 4

static struct vm vm;
static struct vcpu vcpus[BENCH_VCPUS];
static struct vcpu *const vcpu = &vcpus[0]; // the one that traps
static char said[4096];                     // what reached the console
static struct {
	unsigned changes;
	struct vcpu *vcpu;
	uint32_t intid;
	bool level;
} line;

void console_write(const char *text, size_t length)
{
	size_t used = strlen(said);
	if (used + length + 1 > sizeof said)
		used = 0;
	memcpy(said + used, text, length);
	said[used + length] = 0;
}

static void bench_set_line(struct vm *of, struct vcpu *to, uint32_t intid, bool level)
{
	assert_ptr_equal(of, &vm);
	line.changes++;
	line.vcpu = to;
	line.intid = intid;
	line.level = level;
}

static const struct irqchip_ops bench_irqchip = {.set_line = bench_set_line};

// A VM that runs, on a plain ARMv8.0 CPU; vCPU n on CPU n, all of them on.
UNUSED static void bench_reset(void)
{
	fake_reset();
	features_probe(true);
	memset(&vm, 0, sizeof vm);
	memset(vcpus, 0, sizeof vcpus);
	memset(&line, 0, sizeof line);
	said[0] = 0;
	vm.state = VM_RUNNING;
	vm.id = 3;
	strcpy(vm.name, "guest");
	vm.nr_vcpus = BENCH_VCPUS;
	vm.ram_base = VM_VIRT_RAM_BASE;
	vm.ram_size = MIB(64);
	vm.irqchip = &bench_irqchip;
	vm.gic_version = 3;
	vm.log_lock.rank = LOCK_LOG_LIMIT;
	for (unsigned i = 0; i < BENCH_VCPUS; i++) {
		vm.vcpu[i] = &vcpus[i];
		vcpus[i].vm = &vm;
		vcpus[i].id = i;
		vcpus[i].power = VCPU_ON;
		fake_run_on(i);
		vcpus[i].cpu = fake_cpu_this;
		vcpus[i].frame.pstate = MODE_EL1H;
		vcpus[i].frame.pc = UINT64_C(0xffff800010001000);
	}
	fake_run_on(0);
}

UNUSED static int bench_setup(void **state)
{
	(void)state;
	bench_reset();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, bench_setup)

#endif
