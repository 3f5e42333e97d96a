// SPDX-License-Identifier: Apache-2.0
// A bench for the chips of a Raspberry Pi: a VM with a real device map and four vCPUs, of which the first is
// loaded here, and a clock that a test sets. A test that looks at one chip alone defines PI_LINES: then
// interrupt lines end in pi_line[].
#ifndef PI_BENCH_H
#define PI_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/regs.h"
#include "base/bits.h"
#include "base/string.h"
#include "fake.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vm/vm.h"

#define PI_HZ     UINT64_C(62500000)
#define PI_VCPUS  4
#define PI_BLOCKS 64

static struct vm *vm;
static uint64_t pi_now; // ticks
static uint64_t pi_us;  // guest time
static void *pi_block[PI_BLOCKS];
static unsigned pi_blocks;
static uint32_t pi_posted[PI_VCPUS]; // requests, by vCPU
static unsigned pi_ends;
static enum vm_end pi_end;

void *vm_alloc(struct vm *v, size_t size)
{
	assert_ptr_equal(v, vm);
	assert_true(pi_blocks < PI_BLOCKS);
	pi_block[pi_blocks] = test_calloc(1, size);
	return pi_block[pi_blocks++];
}

void vcpu_post(struct vcpu *vcpu, uint32_t request)
{
	pi_posted[vcpu->id] |= request;
}

void vcpu_set_lines(struct vcpu *vcpu, bool irq, bool fiq)
{
	vcpu->hcr = (irq ? HCR_VI : 0) | (fiq ? HCR_VF : 0);
}

void vm_end(struct vm *v, enum vm_end why)
{
	assert_ptr_equal(v, vm);
	pi_ends++;
	pi_end = why;
}

void vm_log(struct vm *v, const char *format, ...)
{
	assert_ptr_equal(v, vm);
	assert_non_null(format);
}

#ifdef PI_LINES
static bool pi_line[RASPI3_NR_IRQS];

void virq_set(struct vm *v, struct vcpu *vcpu, uint32_t intid, bool level)
{
	assert_ptr_equal(v, vm);
	assert_null(vcpu);
	assert_in_range(intid, VBCM2835_IRQ(0), VBCM2835_IRQ(RASPI3_NR_IRQS - 1));
	assert_int_not_equal(pi_line[intid - VBCM2835_IRQ(0)], level); // only changes are told
	pi_line[intid - VBCM2835_IRQ(0)] = level;
}
#endif

static bool pi_clock(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = pi_now;
	return true;
}

static void pi_setup(void)
{
	fake_reset();
	fake_sysreg_hook = pi_clock;
	fake_set_sysreg("cntfrq_el0", PI_HZ);
	pi_now = 1000 * PI_HZ;
	pi_us = 0;
	timer_init(0);
	timer_init_cpu();
	pi_blocks = 0;
	pi_ends = 0;
	memset(pi_posted, 0, sizeof pi_posted);
#ifdef PI_LINES
	memset(pi_line, 0, sizeof pi_line);
#endif
	vm = test_calloc(1, sizeof *vm);
	vm->id = 1;
	vm->nr_vcpus = PI_VCPUS;
	vm->cntvoff = pi_now; // guest time 0
	for (uint32_t i = 0; i < PI_VCPUS; i++) {
		vm->vcpu[i] = test_calloc(1, sizeof *vm->vcpu[i]);
		vm->vcpu[i]->id = i;
		vm->vcpu[i]->vm = vm;
	}
	cpu_this()->vcpu = vm->vcpu[0];
	vm->raspi3 = vm_alloc(vm, sizeof *vm->raspi3);
	vm->mmio.background_base = RASPI3_IO_BASE;
	vm->mmio.background_size = RASPI3_IO_SIZE;
}

static int pi_teardown(void **state)
{
	(void)state;
	cpu_this()->vcpu = NULL;
	while (pi_blocks > 0)
		test_free(pi_block[--pi_blocks]);
	for (unsigned i = 0; i < PI_VCPUS; i++)
		test_free(vm->vcpu[i]);
	test_free(vm);
	return 0;
}

// A guest's access from vCPU `n`, as trap/ would make it.
static uint64_t pi_access(unsigned n, uint64_t ipa, unsigned size, bool write, uint64_t value)
{
	struct access access = {IPA(ipa), (uint8_t)size, write, value};
	assert_true(mmio_access(&vm->mmio, vm->vcpu[n], &access));
	return access.value;
}

static inline uint32_t get(uint64_t ipa)
{
	return (uint32_t)pi_access(0, ipa, 4, false, 0);
}

static inline void set(uint64_t ipa, uint32_t value)
{
	pi_access(0, ipa, 4, true, value);
}

// Time goes on by so many microseconds; what was due in between happens, a hundred times at most.
static inline void pass_us(uint64_t us)
{
	pi_us += us; // and a tick more, by which alarms that are not at whole ticks may be late
	uint64_t end = vm->cntvoff + (pi_us * (PI_HZ / 100) + 9999) / 10000 + 1;
	for (unsigned i = 0; i < 100; i++) {
		uint64_t first = alarm_first(vm);
		if (first > end)
			break;
		pi_now = first > pi_now ? first : pi_now;
		alarm_expire(vm);
	}
	pi_now = end;
	alarm_expire(vm);
}

static inline void pi_random_accesses(unsigned seed, uint64_t base, uint64_t size, unsigned count)
{
	srand(seed);
	for (unsigned i = 0; i < count; i++) {
		unsigned width = 1U << (rand() % 4);
		uint64_t at = base + (uint64_t)rand() % size;
		uint64_t value = (uint64_t)rand() << 32 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
		if (rand() % 2 == 0)
			at &= ~UINT64_C(7);
		if (!range_contains(base, size, at, width))
			continue;
		uint64_t read =
		        pi_access((unsigned)rand() % PI_VCPUS, at, width, rand() % 2 == 0, value);
		if (width < 8)
			assert_true(read == value || read >> (8 * width) == 0);
		if (rand() % 16 == 0)
			pass_us((uint64_t)rand() % 3000);
	}
}

#endif
