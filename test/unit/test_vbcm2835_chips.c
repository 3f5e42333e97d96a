// SPDX-License-Identifier: Apache-2.0
// The imagined small chips of a Raspberry Pi: GPIO, clock manager, power management with its watchdog, thermal
// sensor, random numbers, and the two UARTs on one console.
#define PI_LINES
#include "pi_bench.h"

#include "arm/features.h"
#include "hw/pl011_regs.h"
#include "vdev/raspi3_console.h"
#include "vdev/vbcm2835_aux.h"
#include "vdev/vbcm2835_cprman.h"
#include "vdev/vbcm2835_gpio.h"
#include "vdev/vbcm2835_misc.h"
#include "vdev/vbcm2835_pm.h"
#include "vdev/vpl011.h"

#define GPIO RASPI3_GPIO_BASE
#define CM   RASPI3_CPRMAN_BASE
#define PM   RASPI3_PM_BASE
#define ASB  RASPI3_ASB_BASE
#define RNG  RASPI3_RNG_BASE
#define TEMP RASPI3_THERMAL_BASE
#define AUX  RASPI3_AUX_BASE
#define UART RASPI3_UART0_BASE

static const struct {
	int (*create)(struct vm *vm);
	void (*reset)(struct vm *vm);
} parts[] = {
        {raspi3_console_create, raspi3_console_reset},
        {vbcm2835_gpio_create, vbcm2835_gpio_reset},
        {vbcm2835_cprman_create, vbcm2835_cprman_reset},
        {vbcm2835_pm_create, vbcm2835_pm_reset},
        {vbcm2835_misc_create, vbcm2835_misc_reset},
};

static void reset(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i].reset(vm);
}

static int setup(void **state)
{
	(void)state;
	pi_setup();
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		assert_int_equal(parts[i].create(vm), 0);
	reset();
	return 0;
}

// ---- GPIO ----

static void test_functions(void **state)
{
	(void)state;
	for (unsigned pin = 0; pin < 54; pin++) {
		uint64_t at = GPIO + 4 * (pin / 10);
		uint32_t before = get(at), shift = 3 * (pin % 10);
		for (uint32_t function = 0; function < 8; function++) {
			set(at, (before & ~(7u << shift)) | function << shift);
			assert_int_equal(get(at), (before & ~(7u << shift)) | function << shift);
		}
		set(at, before);
	}
	set(GPIO + 0x14, ~0u);
	assert_int_equal(get(GPIO + 0x14), 0xfff);
}

// The card follows its six lines when they agree.
static void test_the_card(void **state)
{
	(void)state;
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_EMMC);
	set(GPIO + 0x10, 4u << 24 | 4u << 27); // 48, 49: function 0
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_EMMC);
	set(GPIO + 0x14, 04444);
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_SDHOST);
	set(GPIO + 0x14, 07777);
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_SDHOST);
	set(GPIO + 0x10, 7u << 24 | 7u << 27);
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_EMMC);
	set(GPIO + 0x10, 4u << 24 | 4u << 27);
	set(GPIO + 0x14, 04444);
	set(GPIO + 0x10, 0);
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_SDHOST);
	set(GPIO + 0x14, 0); // as in QEMU
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_EMMC);
	set(GPIO + 0x0c, 07777770000u); // 34 to 39 are EMMC's, as Linux has it for the WiFi chip
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_NOWHERE);
	set(GPIO + 0x10, 4u << 24 | 4u << 27);
	set(GPIO + 0x14, 04444);
	assert_int_equal(vbcm2835_gpio_card(vm), VBCM2835_CARD_SDHOST);
}

static void test_levels_and_edges(void **state)
{
	static const unsigned pins[] = {17, 31, 32, 40, 53};
	(void)state;
	assert_int_equal(get(GPIO + 0x34), 0x1ff); // pulled up
	assert_int_equal(get(GPIO + 0x38), 0x3fc01c);
	for (unsigned i = 0; i < sizeof pins / sizeof pins[0]; i++) {
		unsigned pin = pins[i], bank = pin < 28 ? 0 : pin < 46 ? 1 : 2;
		uint64_t upper = pin < 32 ? 0 : 4;
		uint32_t bit = 1u << pin % 32;
		set(GPIO + 0x98 + upper, 0);
		set(GPIO + 0x94, 1); // pull down
		set(GPIO + 0x98 + upper, bit);
		assert_int_equal(get(GPIO + 0x34 + upper) & bit, 0);
		set(GPIO + 0x94, 2);
		set(GPIO + 0x98 + upper, bit);
		assert_int_equal(get(GPIO + 0x34 + upper) & bit, bit);
		set(GPIO + 4 * (pin / 10), 1u << 3 * (pin % 10)); // output, low
		assert_int_equal(get(GPIO + 0x34 + upper) & bit, 0);
		set(GPIO + 0x4c + upper, bit); // rising edges
		assert_int_equal(get(GPIO + 0x4c + upper), bit);
		set(GPIO + 0x1c + upper, bit);
		assert_int_equal(get(GPIO + 0x34 + upper) & bit, bit);
		assert_int_equal(get(GPIO + 0x40 + upper), bit);
		assert_true(pi_line[49 + bank] && pi_line[52]);
		set(GPIO + 0x40 + upper, bit);
		assert_false(pi_line[49 + bank] || pi_line[52]);
		set(GPIO + 0x58 + upper, bit);
		set(GPIO + 0x28 + upper, bit); // falling
		assert_true(pi_line[49 + bank]);
		set(GPIO + 0x40 + upper, bit);
		assert_false(pi_line[49 + bank]);
		set(GPIO + 0x70 + upper, bit); // while it is low: it cannot be cleared
		assert_true(pi_line[49 + bank]);
		set(GPIO + 0x40 + upper, bit);
		assert_true(pi_line[49 + bank]);
		set(GPIO + 0x70 + upper, 0);
		set(GPIO + 0x40 + upper, bit);
		assert_false(pi_line[49 + bank]);
		set(GPIO + 0x4c + upper, 0);
		set(GPIO + 0x58 + upper, 0);
	}
	set(GPIO + 0x74, ~0u); // lines above 53 are never low
	set(GPIO + 0x74, 0);
	assert_int_equal(get(GPIO + 0x44) >> 22, 0);
	assert_int_equal(get(GPIO + 0x18) | get(GPIO + 0x24) | get(GPIO + 0xb0), 0);
}

// ---- clock manager ----

static void test_clocks(void **state)
{
	(void)state;
	// What Linux computes the UART's clock from.
	uint64_t pll = UINT64_C(19200000) *
	               ((get(CM + 0x1140) & 0x3ff) * UINT64_C(1048576) + get(CM + 0x1240)) /
	               1048576;
	assert_in_range(pll, 1999999000, 2000001000);
	uint64_t uart = pll / get(CM + 0x1540) * 4096 / get(CM + 0xf4);
	assert_in_range(uart, 47990000, 48010000);
	// And the EMMC's, without which its driver gives the card no clock.
	assert_int_equal(pll / get(CM + 0x1540) * 4096 / get(CM + 0x1c4) / 1000000, 200);
	assert_int_equal(get(CM + 0x1c0), 0x96);
	// And the thermometer's, of which its driver complains.
	assert_int_equal(get(CM + 0xe0), 0x91);
	assert_int_equal(get(CM + 0xe4), 10 << 12);
	assert_int_equal(get(CM + 0xf0), 0x96); // runs, busy, from PLLD's divider
	assert_int_equal(get(CM + 0x114) & 0x1f00, 0x1f00);
	set(CM + 0xf0, 0x86); // without the password
	assert_int_equal(get(CM + 0xf0), 0x96);
	set(CM + 0xf0, 0x5a000086);
	assert_int_equal(get(CM + 0xf0), 6); // and it has stopped
	set(CM + 0xf4, 0x5a00a000);
	assert_int_equal(get(CM + 0xf4), 0xa000);
	pi_access(0, CM + 0xf4, 2, true, 0x5a00);
	pi_access(0, CM + 0xf5, 1, true, 0x5a);
	assert_int_equal(get(CM + 0xf4), 0xa000);
	set(CM + 0x1c0, 0x5a000011);
	assert_int_equal(get(CM + 0x1c0), 0x91);
}

// ---- power management ----

static void test_the_watchdog(void **state)
{
	(void)state;
	assert_int_equal(get(PM + 0x1c), 0x102);
	set(PM + 0x24, 0x5a000000 | 65536 * 10);
	pass_us(20000000);
	assert_int_equal(pi_ends, 0); // does not run yet
	set(PM + 0x1c, 0x5a000122);
	assert_in_range(get(PM + 0x24), 655350, 655360);
	pass_us(9000000);
	assert_in_range(get(PM + 0x24), 65530, 65540);
	set(PM + 0x24, 0x5a000000 | 65536 * 2); // kicked
	pass_us(1900000);
	assert_int_equal(pi_ends, 0);
	set(PM + 0x1c, 0x102); // no password
	pass_us(200000);
	assert_int_equal(pi_ends, 1);
	assert_int_equal(pi_end, VM_END_RESET);
}

static void test_stopped_in_time(void **state)
{
	(void)state;
	set(PM + 0x24, 0x5a000100);
	set(PM + 0x1c, 0x5a000122);
	set(PM + 0x1c, 0x5a000102);
	pass_us(10000000);
	assert_int_equal(pi_ends, 0);
}

static void test_halt(void **state)
{
	(void)state;
	set(PM + 0x20, 0x5a000000 | get(PM + 0x20) | 0x555);
	set(PM + 0x24, 0x5a00000a);
	set(PM + 0x1c, 0x5a000122);
	pass_us(1000);
	assert_int_equal(pi_ends, 1);
	assert_int_equal(pi_end, VM_END_OFF);
}

// A VM that was paused while its watchdog ran has the rest of its time.
static void test_the_watchdog_and_a_pause(void **state)
{
	(void)state;
	set(PM + 0x24, 0x5a000000 | 65536);
	set(PM + 0x1c, 0x5a000122);
	pi_now += 10 * PI_HZ;
	vm->cntvoff += 10 * PI_HZ;
	alarm_expire(vm);
	assert_int_equal(pi_ends, 0);
	pass_us(1000100);
	assert_int_equal(pi_ends, 1);
}

static void test_domains_and_bridges(void **state)
{
	(void)state;
	set(PM + 0x10c, 0x5a000001);
	assert_int_equal(get(PM + 0x10c), 3); // on at once
	set(PM + 0x10c, 0x5a000009);
	assert_int_equal(get(PM + 0x10c), 0x1b);
	assert_int_equal(get(ASB + 0x20), 0x62726467);
	set(ASB + 8, 0x5a000001);
	assert_int_equal(get(ASB + 8), 3);
	set(ASB + 8, 0x5a000000);
	assert_int_equal(get(ASB + 8), 0);
	set(ASB + 8, 1);
	assert_int_equal(get(ASB + 8), 0);
	set(PM + 0x200, 0x5a0000ff);
	assert_int_equal(get(PM + 0x200), 0);
}

// ---- temperature, random numbers ----

static void test_temperature(void **state)
{
	(void)state;
	uint32_t status = get(TEMP + 4);
	assert_int_equal(status & 0x400, 0x400);
	assert_in_range(412000 - 538 * (status & 0x3ff), 44000, 46000);
}

static void test_random_numbers(void **state)
{
	uint32_t word[64];
	(void)state;
	vm->has_secret = true;
	memset(vm->secret, 0x33, sizeof vm->secret);
	assert_int_equal(get(RNG + 4) >> 24, 0); // off
	assert_int_equal(get(RNG + 8), 0);
	set(RNG, 1);
	for (unsigned i = 0; i < 64; i++) {
		if (i == 32) { // does not begin anew
			vbcm2835_misc_reset(vm);
			set(RNG, 1);
		}
		assert_int_equal(get(RNG + 4) >> 24, 1);
		word[i] = get(RNG + 8);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(word[i], word[j]);
	}
}

// Nothing poses as random.
static void test_without_a_source(void **state)
{
	(void)state;
	set(RNG, 1);
	assert_int_equal(get(RNG + 4) >> 24, 0);
	assert_int_equal(get(RNG + 8), 0);
}

// ---- the UARTs ----

static void typed(const char *text)
{
	for (; *text != 0; text++)
		assert_true(vcons_in_put(&vm->con, (uint8_t)*text));
	vuart_input(vm);
}

static void send_mini(const char *text)
{
	for (; *text != 0; text++) {
		assert_int_equal(get(AUX + 0x54) & 0x60, 0x60);
		set(AUX + 0x40, (uint8_t)*text);
	}
}

static void expect_output(uint64_t *at, const char *text)
{
	uint8_t byte;
	for (; *text != 0; text++) {
		assert_int_equal(vcons_out_read(&vm->con, at, &byte, 1), 1);
		assert_int_equal(byte, *text);
	}
	assert_int_equal(vcons_out_read(&vm->con, at, &byte, 1), 0);
}

static void test_the_mini_uart(void **state)
{
	uint64_t at = vcons_out_attach(&vm->con, 0);
	(void)state;
	send_mini("hello");
	expect_output(&at, "hello");
	assert_int_equal(get(AUX + 0x48), 0xc1); // no interrupt
	set(AUX + 0x44, 1);
	typed("0123456789"); // two more than the FIFO holds
	assert_true(pi_line[29]);
	assert_int_equal(get(AUX), 1);
	assert_int_equal(get(AUX + 0x48), 0xc4);
	assert_int_equal(get(AUX + 0x64) >> 16 & 15, 8);
	for (char c = '0'; c <= '9'; c++) {
		assert_int_equal(get(AUX + 0x54) & 1, 1);
		assert_int_equal(get(AUX + 0x40), c);
	}
	assert_false(pi_line[29]);
	assert_int_equal(get(AUX + 0x54) & 1, 0);
	assert_int_equal(get(AUX + 0x40), 0);
	set(AUX + 0x44, 2); // room to send interrupts as long as it is asked for
	assert_true(pi_line[29]);
	assert_int_equal(get(AUX + 0x48), 0xc2);
	set(AUX + 0x44, 0);
	assert_false(pi_line[29]);
	typed("x");
	set(AUX + 0x48, 2);
	assert_int_equal(get(AUX + 0x54) & 1, 0);
	vuart_overrun(vm);
	assert_int_equal(get(AUX + 0x54) & 2, 2);
	assert_int_equal(get(AUX + 0x54) & 2, 0); // reading clears it
	set(AUX + 0x4c, 0x83);                    // the divisor latch
	set(AUX + 0x40, 0x12);
	set(AUX + 0x44, 0x34);
	assert_int_equal(get(AUX + 0x68), 0x3412);
	assert_int_equal(get(AUX + 0x40), 0x12);
	set(AUX + 0x4c, 3);
	expect_output(&at, "");
}

// The console is full and somebody reads it: the guest is told to wait, and told again when there is room.
static void test_a_full_console(void **state)
{
	uint64_t at = vcons_out_attach(&vm->con, 0), sent = 0;
	uint8_t byte;
	(void)state;
	for (; (get(AUX + 0x54) & 0x20) != 0 && sent <= VCONS_OUT_SIZE; sent++)
		set(AUX + 0x40, 'a');
	assert_int_equal(sent, VCONS_OUT_SIZE);
	assert_int_equal(get(AUX + 0x64) & 0x22, 0x20);
	set(AUX + 0x44, 2);
	assert_false(pi_line[29]);
	set(AUX + 0x40, 'b'); // lost, as on the chip
	assert_int_equal(vm->con.lost, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(vcons_out_read(&vm->con, &at, &byte, 1), 1);
	vuart_output_drained(vm);
	assert_true(pi_line[29]);
	assert_int_equal(get(AUX + 0x54) & 0x20, 0x20);
}

// Who speaks is who listens.
static void test_two_uarts(void **state)
{
	uint64_t at = vcons_out_attach(&vm->con, 0);
	(void)state;
	typed("a"); // nobody has said anything: the PL011, since the mini UART is off
	assert_int_equal(get(UART + PL011_DR), 'a');
	set(AUX + 4, 1);
	typed("b");
	assert_int_equal(get(AUX + 0x40), 'b');
	set(UART + PL011_DR, 'P');
	typed("c");
	assert_int_equal(get(AUX + 0x54) & 1, 0);
	assert_int_equal(get(UART + PL011_DR), 'c');
	send_mini("M");
	typed("d");
	assert_int_equal(get(UART + PL011_FR) & PL011_FR_RXFE, PL011_FR_RXFE);
	assert_int_equal(get(AUX + 0x40), 'd');
	expect_output(&at, "PM");
	set(UART + PL011_IMSC, PL011_INT_RX | PL011_INT_TX);
	assert_true(pi_line[57]);
}

// The PL011's lines lead to the Bluetooth chip: nobody hears it, and it takes no typed bytes.
static void test_bluetooth(void **state)
{
	uint64_t at = vcons_out_attach(&vm->con, 0);
	(void)state;
	set(UART + PL011_DR, '1');
	set(GPIO + 0xc, 7u << 6 | 7u << 9); // 32, 33: function 3
	set(UART + PL011_DR, '2');
	assert_int_equal(get(UART + PL011_RIS) & PL011_INT_TX, PL011_INT_TX);
	set(AUX + 4, 1);
	typed("x");
	assert_int_equal(get(AUX + 0x40), 'x');
	set(GPIO + 4, 4u << 12 | 4u << 15); // 14, 15: function 0, to the header
	set(UART + PL011_DR, '3');
	typed("y");
	assert_int_equal(get(UART + PL011_DR), 'y');
	expect_output(&at, "13");
}

// Another CPU moves the pins back before the UART has heard of the first move.
static void (*after_unlock)(void);

void __real_spin_unlock(struct spinlock *lock);
void __wrap_spin_unlock(struct spinlock *lock);
void __wrap_spin_unlock(struct spinlock *lock)
{
	void (*meanwhile)(void) = after_unlock;
	after_unlock = NULL;
	__real_spin_unlock(lock);
	if (meanwhile != NULL)
		meanwhile();
}

static void move_back(void)
{
	set(GPIO + 0xc, 0);
}

static void move_away(void)
{
	set(GPIO + 0xc, 7u << 6 | 7u << 9);
}

static void test_bluetooth_from_two_cpus(void **state)
{
	uint64_t at = vcons_out_attach(&vm->con, 0);
	(void)state;
	after_unlock = move_back;
	move_away();
	set(UART + PL011_DR, '1');
	move_away();
	set(UART + PL011_DR, '2');
	after_unlock = move_away;
	move_back();
	set(UART + PL011_DR, '3');
	move_back();
	set(UART + PL011_DR, '4');
	expect_output(&at, "14");
}

// ---- all of them ----

static void test_anything(void **state)
{
	static const struct {
		uint64_t base, size;
	} chips[] = {{GPIO, 0x1000}, {GPIO, 0xb4}, {CM, 0x2000}, {PM, 0x1000},
	             {PM, 0x120},    {ASB, 0x24},  {RNG, 0x14},  {TEMP, 8},
	             {AUX, 0x1000},  {AUX, 0x70},  {UART, 0x100}};
	(void)state;
	for (unsigned seed = 0; seed < 8; seed++)
		for (unsigned i = 0; i < sizeof chips / sizeof chips[0]; i++)
			pi_random_accesses(seed, chips[i].base, chips[i].size, 1000);
	reset();
	for (unsigned n = 0; n < RASPI3_NR_IRQS; n++) // nothing is left of it
		assert_false(pi_line[n]);
	assert_int_equal(get(CM + 0xf0), 0x96);
	assert_int_equal(get(GPIO + 0x14), 0xfff);
}

// Every second access to nothing is counted.
static void test_the_rest_answers(void **state)
{
	(void)state;
	uint64_t before = vm->mmio.unanswered;
	for (uint64_t at = RASPI3_IO_BASE; at < RASPI3_IO_BASE + RASPI3_IO_SIZE;
	     at += 0x10000 - 4) {
		(void)pi_access(0, at, 4, false, 0);
		(void)pi_access(0, at, 8, true, ~0ull);
	}
	assert_true(vm->mmio.unanswered > before + 256);
	assert_true(vm->mmio.unanswered_last >= RASPI3_IO_BASE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, pi_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_functions),
	        TEST(test_the_card),
	        TEST(test_levels_and_edges),
	        TEST(test_clocks),
	        TEST(test_the_watchdog),
	        TEST(test_stopped_in_time),
	        TEST(test_halt),
	        TEST(test_the_watchdog_and_a_pause),
	        TEST(test_domains_and_bridges),
	        TEST(test_temperature),
	        TEST(test_random_numbers),
	        TEST(test_without_a_source),
	        TEST(test_the_mini_uart),
	        TEST(test_a_full_console),
	        TEST(test_two_uarts),
	        TEST(test_bluetooth),
	        TEST(test_bluetooth_from_two_cpus),
	        TEST(test_anything),
	        TEST(test_the_rest_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
