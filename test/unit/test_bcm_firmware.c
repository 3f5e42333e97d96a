// SPDX-License-Identifier: Apache-2.0
// What Mezzo asks of a Raspberry Pi besides interrupts: the property mailbox against a model of VideoCore, the
// watchdog that switches the board off, random numbers.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/string.h"
#include "fake.h"
#include "fdt/board.h"
#include "hw/bcm_mailbox.h"
#include "hw/power.h"
#include "hw/psci_client.h"
#include "hw/rng_bcm2835.h"
#include "hw/timer.h"

#define MAILBOX 0x3f00b880u
#define PM      0x3f100000u

// ---- VideoCore ----

static struct {
	uint32_t letters[8]; // waiting to be read
	unsigned count;
	bool deaf, full;
	uint32_t stale; // letters of others before each answer
	uint32_t code, tag_code, value[2];
	uint32_t asked, argument;
} core;

static uint64_t mailbox_read(uintptr_t address, unsigned size)
{
	assert_int_equal(size, 4);
	switch (address - MAILBOX) {
	case 0x00: assert_int_not_equal(core.count, 0); return core.letters[--core.count];
	case 0x18: return core.count == 0 ? BIT_U32(30) : 0;
	case 0x38: return core.full ? BIT_U32(31) : 0;
	default: fail_msg("read at %#lx", (unsigned long)address); return 0;
	}
}

static void mailbox_write(uintptr_t address, unsigned size, uint64_t value)
{
	assert_int_equal(size, 4);
	assert_int_equal(address, MAILBOX + 0x20);
	assert_false(core.full);
	assert_int_equal(value & 15, 8);
	assert_int_equal(value >> 30, 3);
	assert_true(fake_find(0, FAKE_BARRIER, "dsb sy") >= 0); // cleaned before it is sent
	if (core.deaf)
		return;
	uint32_t *message = (uint32_t *)(uintptr_t)(value & GENMASK_U32(29, 4));
	assert_int_equal(message[0], 64);
	assert_int_equal(message[1], 0);
	core.asked = message[2];
	assert_int_equal(message[3], 8);
	core.argument = message[5];
	assert_int_equal(message[7], 0);
	message[1] = core.code;
	message[4] = core.tag_code;
	message[5] = core.value[0];
	message[6] = core.value[1];
	core.letters[core.count++] = (uint32_t)value;
	for (uint32_t i = 0; i < core.stale; i++)
		core.letters[core.count++] = 0x100 + i;
}

#define LOW ((void *)0x20000000) // VideoCore reaches the first GiB only

static struct bcm_mailbox mailbox;

static int setup(void **state)
{
	(void)state;
	if (mailbox.message == NULL) {
		void *page = mmap(LOW, PAGE_SIZE, PROT_READ | PROT_WRITE,
		                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		assert_ptr_equal(page, LOW);
		mailbox = (struct bcm_mailbox){MAILBOX, page};
	}
	fake_reset();
	memset(&core, 0, sizeof core);
	core.code = core.tag_code = BIT_U32(31);
	core.tag_code |= 8;
	fake_io_read_hook = mailbox_read;
	fake_io_write_hook = mailbox_write;
	return 0;
}

static void expect(uint32_t tag, uint32_t argument)
{
	assert_int_equal(core.asked, tag);
	assert_int_equal(core.argument, argument);
}

static void test_clock(void **state)
{
	(void)state;
	uint32_t hz = 0;
	core.value[0] = BCM_CLOCK_CORE;
	core.value[1] = 250000000;
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_CORE, &hz), 0);
	assert_int_equal(hz, 250000000);
	expect(0x00030002, 4);
	core.value[0] = BCM_CLOCK_UART; // not what was asked for
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_CORE, &hz), ERR_UNSUPPORTED);
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), 0);
	core.value[1] = 0; // it stands still
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), ERR_UNSUPPORTED);
}

static void test_arm_memory(void **state)
{
	(void)state;
	uint64_t start = 1, size = 1;
	core.value[1] = 0x3b400000;
	assert_int_equal(bcm_mailbox_arm_memory(&mailbox, &start, &size), 0);
	assert_int_equal(start, 0);
	assert_int_equal(size, 0x3b400000);
	expect(0x00010005, 0);
	core.value[1] = 0;
	assert_int_equal(bcm_mailbox_arm_memory(&mailbox, &start, &size), ERR_UNSUPPORTED);
}

static void test_other_answers(void **state)
{
	(void)state;
	uint32_t hz;
	core.value[0] = BCM_CLOCK_UART;
	core.value[1] = 1;
	core.letters[core.count++] = 0x80; // nobody has fetched it
	core.stale = 3;                    // and others get answers too
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), 0);
	core.code |= 1; // it could not read the message
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), ERR_UNSUPPORTED);
	core.code &= ~1u;
	core.tag_code = 8; // it does not know the tag
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), ERR_UNSUPPORTED);
	core.tag_code = BIT_U32(31) | 4;
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), ERR_UNSUPPORTED);
}

static void test_no_answer(void **state)
{
	(void)state;
	uint32_t hz;
	core.deaf = true;
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), ERR_BUSY);
	core.full = true;
	assert_int_equal(bcm_mailbox_clock(&mailbox, BCM_CLOCK_UART, &hz), ERR_BUSY);
	static struct bcm_message high; // a process is not in the first GiB
	const struct bcm_mailbox beyond = {MAILBOX, &high};
	if ((uintptr_t)&high >= GIB(1))
		assert_int_equal(bcm_mailbox_clock(&beyond, BCM_CLOCK_UART, &hz), ERR_UNSUPPORTED);
}

// ---- power ----

static uint32_t pm[3];
static uint64_t now, psci_last;

static uint64_t pm_read(uintptr_t address, unsigned size)
{
	assert_int_equal(size, 4);
	assert_in_range(address, PM + 0x1c, PM + 0x24);
	return pm[(address - PM - 0x1c) / 4];
}

static void pm_write(uintptr_t address, unsigned size, uint64_t value)
{
	assert_int_equal(size, 4);
	assert_in_range(address, PM + 0x1c, PM + 0x24);
	assert_int_equal(value >> 24, 0x5a);
	pm[(address - PM - 0x1c) / 4] = value & 0xffffff;
}

static bool clock_runs(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now += 100;
	return true;
}

static uint64_t firmware(bool hvc, const uint64_t in[8])
{
	(void)hvc;
	psci_last = in[0];
	return in[0] == 0x84000000 ? 0x10001 : UINT64_MAX;
}

static void setup_power(enum board_conduit conduit, uintptr_t base)
{
	static struct board board;
	fake_sysreg_hook = clock_runs;
	fake_smccc_hook = firmware;
	fake_io_read_hook = pm_read;
	fake_io_write_hook = pm_write;
	timer_init(1000000);
	board = (struct board){.psci = {.conduit = conduit, .standard = true}};
	psci_client_init(&board);
	power_init(base);
	psci_last = 0;
	pm[0] = 0x112;
	pm[1] = 0xfff002; // what came before, bit 1 among it
	pm[2] = 0;
}

static void test_watchdog(void **state)
{
	(void)state;
	setup_power(BOARD_PSCI_NONE, PM);
	assert_true(power_exists());
	power_off();
	assert_int_equal(pm[0], 0x122);    // full reset
	assert_int_equal(pm[1], 0xfff557); // partition 63: stay off
	assert_in_range(pm[2], 1, 0xfffff);
	power_reset();
	assert_int_equal(pm[0], 0x122);
	assert_int_equal(pm[1], 0xfffaaa & ~0x555u & pm[1]);
	assert_int_equal(pm[1] & 0x555, 0);
}

static void test_psci_first(void **state)
{
	(void)state;
	setup_power(BOARD_PSCI_SMC, PM);
	power_off(); // it fails, and the watchdog does it
	assert_int_equal(psci_last, 0x84000008);
	assert_int_equal(pm[1] & 0x555, 0x555);
	power_reset();
	assert_int_equal(psci_last, 0x84000009);
	assert_int_equal(pm[1] & 0x555, 0);
}

static void test_nothing(void **state)
{
	(void)state;
	setup_power(BOARD_PSCI_NONE, 0);
	assert_false(power_exists());
	power_off();
	power_reset();
	assert_int_equal(pm[0], 0x112);
	setup_power(BOARD_PSCI_SMC, 0);
	assert_true(power_exists());
}

// ---- random numbers ----

#define RNG 0x3f104000u

static struct {
	uint32_t ctrl, thrown, ready, served, delay;
} rng;

static uint64_t rng_read(uintptr_t address, unsigned size)
{
	assert_int_equal(size, 4);
	switch (address - RNG) {
	case 0x0: return rng.ctrl;
	case 0x4:
		if (rng.delay > 0)
			rng.delay--;
		else if (rng.ready < 2 && (rng.ctrl & 1) != 0)
			rng.ready++;
		return rng.ready << 24 | 0x40000;
	case 0x8:
		assert_int_not_equal(rng.ready, 0);
		rng.ready--;
		return 0x1000 + rng.served++;
	default: fail_msg("read at %#lx", (unsigned long)address); return 0;
	}
}

static void rng_write(uintptr_t address, unsigned size, uint64_t value)
{
	assert_int_equal(size, 4);
	if (address == RNG + 4) {
		assert_int_equal(rng.ctrl & 1, 0); // before it runs
		rng.thrown = (uint32_t)value;
	} else {
		assert_int_equal(address, RNG);
		rng.ctrl = (uint32_t)value;
	}
}

static void test_random_numbers(void **state)
{
	(void)state;
	uint32_t words[8];
	fake_sysreg_hook = clock_runs;
	fake_io_read_hook = rng_read;
	fake_io_write_hook = rng_write;
	timer_init(1000000);
	memset(&rng, 0, sizeof rng);
	rng.delay = 100;
	assert_int_equal(rng_bcm2835_read(RNG, words, 8), 0);
	assert_int_equal(rng.thrown, 0x40000);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(words[i], 0x1000 + i);
	rng.thrown = 0;
	assert_int_equal(rng_bcm2835_read(RNG, words, 1), 0);
	assert_int_equal(rng.thrown, 0); // it runs already
	assert_int_equal(words[0], 0x1008);
	rng.ready = 0;
	rng.delay = UINT32_MAX;
	assert_int_equal(rng_bcm2835_read(RNG, words, 8), ERR_BUSY);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_clock),     TEST(test_arm_memory),     TEST(test_other_answers),
	        TEST(test_no_answer), TEST(test_watchdog),       TEST(test_psci_first),
	        TEST(test_nothing),   TEST(test_random_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
