// SPDX-License-Identifier: Apache-2.0
// The driver of a Raspberry Pi 3's interrupt controllers against a model of the two chips: each line is a
// level, and what reaches a core follows from the registers alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/string.h"
#include "fake.h"
#include "fdt/board.h"
#include "hw/bcm2836_regs.h"
#include "hw/intc.h"

#define LOCAL   0x40000000u
#define ARMCTRL 0x3f00b200u
#define CORES   4

// ---- the model ----

static struct {
	uint32_t timer_irq[CORES], mailbox_irq[CORES], mailbox[CORES][4], pmu, gpu;
	uint32_t timers[CORES], pmu_line[CORES]; // lines
	uint32_t enabled[3], lines[3];           // BCM2835: bank 1, bank 2, basic
	unsigned reads, writes;
} chip;

static uint32_t pending_bank(unsigned bank)
{
	return chip.enabled[bank] & chip.lines[bank];
}

static uint32_t source_of(unsigned core)
{
	uint32_t source = chip.timers[core] & chip.timer_irq[core] & 0xf;
	for (unsigned i = 0; i < 4; i++)
		if (chip.mailbox[core][i] != 0 && (chip.mailbox_irq[core] & 1u << i) != 0)
			source |= 1u << (4 + i);
	if ((chip.gpu & 3) == core && (pending_bank(0) | pending_bank(1) | pending_bank(2)) != 0)
		source |= 1u << 8;
	if (chip.pmu_line[core] != 0 && (chip.pmu & 1u << core) != 0)
		source |= 1u << 9;
	return source;
}

static uint64_t model_read(uintptr_t address, unsigned size)
{
	assert_int_equal(size, 4);
	chip.reads++;
	if (address >= LOCAL) {
		uint32_t at = (uint32_t)(address - LOCAL);
		if (at >= 0x60 && at < 0x70)
			return source_of((at - 0x60) / 4);
		assert_in_range(at, 0xc0, 0xff);
		return chip.mailbox[(at - 0xc0) / 16][at % 16 / 4];
	}
	switch (address - ARMCTRL) {
	case 0x00:
		return pending_bank(2) | (pending_bank(0) != 0 ? 0x100u : 0) |
		       (pending_bank(1) != 0 ? 0x200u : 0);
	case 0x04: return pending_bank(0);
	case 0x08: return pending_bank(1);
	default: fail_msg("read at %#lx", (unsigned long)address); return 0;
	}
}

static void write_local(uint32_t at, uint32_t value)
{
	if (at == 0x0c)
		chip.gpu = value;
	else if (at == 0x10)
		chip.pmu |= value;
	else if (at == 0x14)
		chip.pmu &= ~value;
	else if (at >= 0x40 && at < 0x50)
		chip.timer_irq[(at - 0x40) / 4] = value;
	else if (at >= 0x50 && at < 0x60)
		chip.mailbox_irq[(at - 0x50) / 4] = value;
	else if (at >= 0x80 && at < 0xc0)
		chip.mailbox[(at - 0x80) / 16][at % 16 / 4] |= value;
	else if (at >= 0xc0)
		chip.mailbox[(at - 0xc0) / 16][at % 16 / 4] &= ~value;
	else
		assert_true((at == 0x30 || at == 0x34) && value == 0);
}

static void model_write(uintptr_t address, unsigned size, uint64_t value)
{
	assert_int_equal(size, 4);
	chip.writes++;
	if (address >= LOCAL) {
		assert_true(address < LOCAL + 0x100);
		write_local((uint32_t)(address - LOCAL), (uint32_t)value);
		return;
	}
	uint32_t at = (uint32_t)(address - ARMCTRL);
	if (at >= 0x10 && at < 0x1c)
		chip.enabled[(at - 0x10) / 4] |= (uint32_t)value;
	else if (at >= 0x1c && at < 0x28)
		chip.enabled[(at - 0x1c) / 4] &= ~(uint32_t)value;
	else
		assert_true(at == 0x0c && value == 0);
}

static struct board board;

static void be(unsigned core)
{
	fake_run_on(core);
	fake_cpu_this->mpidr = core;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&chip, 0xff, sizeof chip); // whatever was before
	chip.reads = chip.writes = 0;
	memset(chip.timers, 0, sizeof chip.timers);
	memset(chip.pmu_line, 0, sizeof chip.pmu_line);
	memset(chip.lines, 0, sizeof chip.lines);
	fake_io_read_hook = model_read;
	fake_io_write_hook = model_write;
	board = (struct board){0};
	board.bcm.local = (struct board_range){LOCAL, 0x100};
	board.bcm.armctrl = (struct board_range){ARMCTRL, 0x200};
	be(0);
	assert_int_equal(intc_init(&board), 0);
	assert_ptr_equal(intc, &intc_bcm2836);
	for (unsigned core = CORES; core-- > 0;) {
		be(core);
		assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
	}
	chip.reads = chip.writes = 0;
	return 0;
}

// ---- tests ----

static void test_init(void **state)
{
	(void)state;
	for (unsigned core = 0; core < CORES; core++) {
		assert_int_equal(chip.timer_irq[core], 0);
		assert_int_equal(chip.mailbox_irq[core], 1);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(chip.mailbox[core][i], 0);
	}
	assert_int_equal(chip.pmu & 0xff, 0);
	assert_int_equal(chip.gpu, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(chip.enabled[i], 0);
	fake_cpu_this->mpidr = 4;
	assert_int_equal(intc_init_cpu(fake_cpu_this), ERR_NOT_FOUND);
	board.bcm.local.size = 0;
	assert_int_equal(intc_init(&board), ERR_UNSUPPORTED);
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		struct board_irq irq;
		uint32_t intid;
	} cases[] = {
	        {{BOARD_IRQ_BCM2836, 0, false}, 29},
	        {{BOARD_IRQ_BCM2836, 1, false}, 30},
	        {{BOARD_IRQ_BCM2836, 2, false}, 26},
	        {{BOARD_IRQ_BCM2836, 3, false}, 27},
	        {{BOARD_IRQ_BCM2836, 9, false}, 23},
	        {{BOARD_IRQ_BCM2836, 8, false}, INTC_NONE},
	        {{BOARD_IRQ_BCM2836, 4, false}, INTC_NONE},
	        {{BOARD_IRQ_BCM2835, 29, false}, 61},
	        {{BOARD_IRQ_BCM2835, 71, false}, 103},
	        {{BOARD_IRQ_BCM2835, 72, false}, INTC_NONE},
	        {{BOARD_IRQ_GIC, 27, false}, INTC_NONE},
	        {{BOARD_IRQ_NONE, 0, false}, INTC_NONE},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(intc_number(&cases[i].irq), cases[i].intid);
	board.bcm.armctrl.size = 0;
	assert_int_equal(intc_init(&board), 0);
	assert_int_equal(intc_number(&(struct board_irq){BOARD_IRQ_BCM2835, 29, false}), INTC_NONE);
}

// The hypervisor's own timer: its handler moves the line before it deactivates.
static void test_own_timer(void **state)
{
	(void)state;
	be(2);
	intc_enable(26, NULL, INTC_LEVEL);
	assert_int_equal(chip.timer_irq[2], 4);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	chip.timers[2] = 0xf;
	chip.reads = chip.writes = 0;
	assert_int_equal(intc_acknowledge(), 26);
	intc_eoi(26);
	chip.timers[2] = 0;
	intc_deactivate(26);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	assert_int_equal(chip.reads, 1); // and nothing more
	assert_int_equal(chip.writes, 0);
}

// A guest's timer stays active for long: its line must not reach the core meanwhile.
static void test_guest_timer(void **state)
{
	(void)state;
	be(1);
	intc_enable(26, NULL, INTC_LEVEL);
	intc_enable(27, NULL, INTC_LEVEL);
	chip.timers[1] = BCM2836_CNTV;
	chip.reads = chip.writes = 0;
	assert_int_equal(intc_acknowledge(), 27);
	intc_eoi(27);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	assert_int_equal(source_of(1), 0);
	assert_int_equal(chip.reads, 1);
	assert_int_equal(chip.writes, 1);
	chip.timers[1] |= BCM2836_CNTHP; // the other one still comes
	assert_int_equal(source_of(1), BCM2836_CNTHP);
	assert_int_equal(intc_acknowledge(), 26);
	intc_deactivate(26);
	chip.timers[1] &= ~BCM2836_CNTHP;
	intc_deactivate(27);
	assert_int_equal(source_of(1), BCM2836_CNTV);        // still high: it fires again
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS); // what stood for "nothing more"
	assert_int_equal(intc_acknowledge(), 27);
	assert_int_equal(chip.timer_irq[0] | chip.timer_irq[2] | chip.timer_irq[3], 0);
	intc_deactivate(27);
	intc_disable(27);
	assert_int_equal(chip.timer_irq[1], BCM2836_CNTHP);
}

// A vCPU that comes with its timer's interrupt active, and goes.
static void test_set_active(void **state)
{
	(void)state;
	be(3);
	intc_enable(27, NULL, INTC_LEVEL);
	intc_set_active(27, true);
	chip.timers[3] = BCM2836_CNTV;
	assert_int_equal(source_of(3), 0);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	intc_set_active(27, false);
	assert_int_equal(intc_acknowledge(), 27);
	intc_deactivate(27);
	intc_deactivate(27); // twice has no effect
	assert_int_equal(chip.timer_irq[3], BCM2836_CNTV);
}

static void test_sgis(void **state)
{
	(void)state;
	be(1);
	size_t from = fake_log_count;
	intc_send_sgi(cpu_get(0), 3); // CPU 0 is core 0
	assert_true(fake_find(from, FAKE_BARRIER, "dsb sy") < fake_find(from, FAKE_WRITE_IO, NULL));
	intc_send_sgi(cpu_get(0), 0);
	intc_send_sgi(cpu_get(0), 3); // no more than once
	cpu_get(5)->mpidr = 2;        // and cores are told by their affinity
	intc_send_sgi(cpu_get(5), 15);
	assert_int_equal(chip.mailbox[2][0], 1 << 15);
	be(0);
	assert_int_equal(intc_acknowledge(), 0);
	intc_eoi(0);
	intc_deactivate(0);
	chip.reads = 0;
	assert_int_equal(intc_acknowledge(), 3);
	assert_int_equal(source_of(0), 0);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	assert_int_equal(chip.reads, 2); // the source and the mailbox
	be(2);
	assert_int_equal(intc_acknowledge(), 15);
	chip.mailbox[2][0] = 1u << 31; // no SGI: somebody plays with the chip
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
}

static void test_peripherals(void **state)
{
	(void)state;
	be(0);
	intc_enable(32 + 29, cpu_get(0), INTC_LEVEL);
	assert_int_equal(chip.enabled[0], 1u << 29);
	chip.lines[0] = 1u << 29 | 1u << 3;
	chip.reads = 0;
	assert_int_equal(intc_acknowledge(), 61);
	assert_int_equal(chip.reads, 2);
	intc_eoi(61);
	assert_int_equal(source_of(0), 0); // off until it is deactivated
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	intc_deactivate(61);
	assert_int_equal(source_of(0), 1 << 8);
	chip.lines[0] = 0;
	intc_enable(32 + 57, cpu_get(0), INTC_LEVEL);
	intc_enable(32 + 65, cpu_get(0), INTC_LEVEL);
	chip.lines[1] = 1u << 25;
	chip.lines[2] = 2;
	assert_int_equal(intc_acknowledge(), 89);
	assert_int_equal(intc_acknowledge(), 97);
	intc_disable(89); // and it is not switched on by its end
	intc_deactivate(89);
	assert_int_equal(chip.enabled[1], 0);
	be(3); // anybody may end it
	intc_deactivate(97);
	assert_int_equal(chip.enabled[2], 2);
	intc_enable(89, cpu_get(3), INTC_LEVEL);
	assert_int_equal(chip.gpu & 3, 3);
	assert_int_equal(intc_acknowledge(), 89);
}

static void test_intids_that_do_not_exist(void **state)
{
	(void)state;
	be(0);
	chip.reads = chip.writes = 0;
	static const uint32_t none[] = {0, 15, 16, 25, 28, 31, 104, 1019, 1023, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		intc_enable(none[i], cpu_get(0), INTC_LEVEL);
		intc_disable(none[i]);
		intc_set_active(none[i], true);
		intc_set_active(none[i], false);
		intc_set_pending(none[i], true);
		intc_eoi(none[i]);
		intc_deactivate(none[i]);
	}
	assert_int_equal(chip.writes, 0);
}

// Random lines, acknowledges and ends: what is enabled and high is reported exactly while it is not active,
// and no line reaches a core whose CPU has been told that nothing is left.
static void test_random(void **state)
{
	(void)state;
	uint32_t active[CORES] = {0}, seed = 1;
	static const uint32_t intids[] = {29, 30, 26, 27}; // by their bit
	for (unsigned core = 0; core < CORES; core++) {
		be(core);
		for (unsigned i = 0; i < 4; i++)
			intc_enable(intids[i], NULL, INTC_LEVEL);
	}
	for (unsigned step = 0; step < 100000; step++) {
		seed = seed * 1664525 + 1013904223;
		unsigned core = seed >> 30, bit = seed >> 28 & 3, what = seed >> 24 & 7;
		be(core);
		if (what < 3) {
			chip.timers[core] ^= 1u << bit;
		} else if (what == 3) {
			intc_send_sgi(cpu_get(seed >> 20 & 3), bit);
			cpu_get(seed >> 20 & 3)->mpidr = seed >> 20 & 3;
		} else if (what == 4) {
			intc_deactivate(intids[bit]);
			active[core] &= ~(1u << bit);
		} else {
			uint32_t intid, turns = 0;
			while ((intid = intc_acknowledge()) != INTC_SPURIOUS) {
				assert_true(turns++ < 32);
				for (unsigned i = 0; i < 4; i++)
					if (intid == intids[i]) {
						assert_int_equal(active[core] & 1u << i, 0);
						assert_int_not_equal(chip.timers[core] & 1u << i,
						                     0);
						active[core] |= 1u << i;
					}
				assert_true(intid < 4 || intid >= 26);
			}
			if (intc_acknowledge() == INTC_SPURIOUS)
				assert_int_equal(source_of(core), 0);
			else
				fail_msg("something was left out");
		}
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_init),        TEST(test_numbers),
	        TEST(test_own_timer),   TEST(test_guest_timer),
	        TEST(test_set_active),  TEST(test_sgis),
	        TEST(test_peripherals), TEST(test_intids_that_do_not_exist),
	        TEST(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
