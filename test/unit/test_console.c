// SPDX-License-Identifier: Apache-2.0
// The console as a whole, over a UART and VMs made up here: prefixes that cannot be forged, views,
// input, the shell, and what happens when the UART is slow.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/panic.h"
#include "base/string.h"
#include "console/console.h"
#include "fake.h"
#include "hw/psci_client.h"
#include "hw/timer.h"
#include "mem/pages.h"
#include "vdev/vpl011.h"
#include "vm/vm.h"

#define HZ     1000000
#define NR_VMS 2

// ---- the UART ----

static char wire[1 << 20];
static size_t wire_count;
static size_t uart_room; // bytes it takes before it is full
static char keys[4096];
static size_t keys_head, keys_tail;
static bool rx_irq, tx_irq;
static unsigned polls;
static uint64_t now;

static void uart_init(const struct uart *u)
{
	(void)u;
}
static bool uart_tx_ready(const struct uart *u)
{
	(void)u;
	polls++;
	return uart_room > 0;
}
static void uart_tx(const struct uart *u, uint8_t byte)
{
	(void)u;
	assert_true(uart_room > 0);
	assert_true(wire_count < sizeof wire - 1);
	uart_room--;
	wire[wire_count++] = (char)byte;
	wire[wire_count] = '\0';
}
static bool uart_tx_done(const struct uart *u)
{
	(void)u;
	return true;
}
static bool uart_rx(const struct uart *u, uint8_t *byte)
{
	(void)u;
	if (keys_head == keys_tail)
		return false;
	*byte = (uint8_t)keys[keys_tail++ % sizeof keys];
	return true;
}
static void uart_enable_rx(const struct uart *u, bool on)
{
	(void)u;
	rx_irq = on;
}
static void uart_enable_tx(const struct uart *u, bool on)
{
	(void)u;
	tx_irq = on;
}
static void uart_ack(const struct uart *u)
{
	(void)u;
}

static const struct uart_ops uart_ops = {
        .name = "test",
        .init = uart_init,
        .tx_ready = uart_tx_ready,
        .tx = uart_tx,
        .tx_done = uart_tx_done,
        .rx = uart_rx,
        .irq_enable_rx = uart_enable_rx,
        .irq_enable_tx = uart_enable_tx,
        .irq_ack = uart_ack,
};

// ---- the VMs ----

static struct vm *vms[NR_VMS];
static uint32_t nr_vms;
static struct vcpu *vcpus[NR_VMS];
static unsigned inputs[NR_VMS], overruns[NR_VMS], drained[NR_VMS];

uint32_t vm_count(void)
{
	return nr_vms;
}
struct vm *vm_get(uint32_t index)
{
	assert_in_range(index, 0, nr_vms - 1);
	return vms[index];
}
const char *vm_state_name(const struct vm *vm)
{
	return vm->state == VM_RUNNING ? "running" : "off";
}
static unsigned index_of(const struct vpl011 *uart)
{
	for (unsigned i = 0; i < NR_VMS; i++)
		if (vms[i]->uart == uart)
			return i;
	fail();
	return 0;
}
void vpl011_input(struct vpl011 *uart)
{
	inputs[index_of(uart)]++;
}
void vpl011_overrun(struct vpl011 *uart)
{
	overruns[index_of(uart)]++;
}
void vpl011_output_drained(struct vpl011 *uart)
{
	drained[index_of(uart)]++;
}
struct pages_count pages_counts(void)
{
	return (struct pages_count){.total = 524288, .free = 262144, .committed = 131072};
}
bool vcpu_sample(struct vcpu *vcpu, struct vcpu_sample *sample)
{
	(void)vcpu;
	*sample = (struct vcpu_sample){.pc = 0x40081234, .last_trap = now};
	return true;
}
bool vcpu_sample_at_vectors(const struct vcpu_sample *sample)
{
	(void)sample;
	return false;
}
static unsigned resets;
void psci_client_system_reset(void)
{
	resets++;
}

// ---- time and the run loop ----

static bool counter(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now++;
	return true;
}

static bool timer_due(void)
{
	uint64_t at = fake_get_sysreg("cnthp_cval_el2");
	if (fake_get_sysreg("cnthp_ctl_el2") != 1 || at > now + HZ / 2000)
		return false;
	now = at > now ? at : now; // so short a time is not worth a test's patience
	return true;
}

// What the run loop and the interrupt handler do until nothing is to be done.
static void settle(void)
{
	for (unsigned i = 0; i < 100000; i++) {
		fake_log_count = 0;
		if (fake_cpu_this->work & CPU_WORK_CONSOLE) {
			fake_cpu_this->work = 0;
			console_drain(CONSOLE_BUDGET);
		} else if (timer_due()) {
			if (timer_expire() & (1 << TIMER_CONSOLE))
				console_tick();
		} else if ((rx_irq && keys_head != keys_tail) || (tx_irq && uart_room > 0)) {
			console_interrupt();
		} else {
			return;
		}
	}
	fail_msg("the console never comes to rest");
}

// Lets time pass, tick by tick of the timer.
static void wait_ms(unsigned ms)
{
	uint64_t end = now + ms * (HZ / 1000);
	settle();
	while (fake_get_sysreg("cnthp_ctl_el2") == 1 && fake_get_sysreg("cnthp_cval_el2") <= end) {
		if (fake_get_sysreg("cnthp_cval_el2") > now)
			now = fake_get_sysreg("cnthp_cval_el2");
		settle();
	}
	if (end > now)
		now = end;
	settle();
}

static void guest_puts(unsigned i, const char *bytes, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		enum vcons_put put = vcons_out_put(&vms[i]->con, (uint8_t)bytes[k], 0);
		assert_int_not_equal(put, VCONS_FULL);
		if (put == VCONS_TELL) {
			fake_cpu_this->work |= CPU_WORK_CONSOLE;
			settle();
		}
	}
}

static void guest_prints(unsigned i, const char *text)
{
	guest_puts(i, text, strlen(text));
}

static void type_bytes(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		keys[keys_head++ % sizeof keys] = bytes[i];
	settle();
}

static void type_keys(const char *text)
{
	type_bytes(text, strlen(text));
}

// cmocka cuts long texts: where they differ is told here.
static void expect_wire(const char *text)
{
	size_t i = 0;

	while (wire[i] == text[i] && wire[i] != '\0')
		i++;
	if (wire[i] != text[i])
		print_error("byte %zu: \"%.60s\" instead of \"%.60s\"\n", i, wire + i, text + i);
	assert_string_equal(wire, text);
	wire_count = 0;
	wire[0] = '\0';
}

static void forget_wire(void)
{
	settle();
	wire_count = 0;
	wire[0] = '\0';
}

static void expect_typed(unsigned i, const char *text)
{
	uint8_t byte;
	for (; *text; text++) {
		assert_true(vcons_in_get(&vms[i]->con, &byte));
		assert_int_equal(byte, *text);
	}
	assert_false(vcons_in_get(&vms[i]->con, &byte));
}

// console.c keeps its state for the life of the program, so each test goes through end and start.
static int setup(void **state)
{
	(void)state;
	static const char *const names[] = {"linux", "rtos"};
	struct uart uart = {.ops = &uart_ops};

	fake_reset();
	fake_sysreg_hook = counter;
	fake_set_sysreg("cntfrq_el0", HZ);
	now = now < HZ ? HZ : now + HZ;
	timer_init(0);
	timer_init_cpu();
	nr_vms = NR_VMS;
	for (unsigned i = 0; i < NR_VMS; i++) {
		vms[i] = test_calloc(1, sizeof *vms[i]);
		vcpus[i] = test_calloc(1, sizeof *vcpus[i]);
		vms[i]->id = i + 1;
		vms[i]->state = VM_RUNNING;
		vms[i]->start_time = now;
		vms[i]->ram_base = 0x40000000;
		vms[i]->ram_size = MIB(64) << i;
		vms[i]->uart = (struct vpl011 *)(uintptr_t)(0x1000 * (i + 1));
		vms[i]->nr_vcpus = 1;
		vms[i]->vcpu[0] = vcpus[i];
		vcpus[i]->cpu = fake_cpu_this;
		string_copy(vms[i]->name, names[i], sizeof vms[i]->name);
		inputs[i] = overruns[i] = drained[i] = 0;
	}
	uart_room = SIZE_MAX;
	keys_head = keys_tail = 0;
	panicking = false;
	console_early(&uart);
	console_start(true);
	console_view_all();
	forget_wire();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	uart_room = SIZE_MAX;
	console_end(0, 0);
	for (unsigned i = 0; i < NR_VMS; i++) {
		test_free(vms[i]);
		test_free(vcpus[i]);
	}
	return 0;
}

// ---- lines with prefixes ----

static void test_whole_lines(void **state)
{
	(void)state;
	guest_prints(0, "one\ntwo\r\n\n");
	guest_prints(1, "three\n\rfour\n");
	expect_wire("[linux] one\r\n[linux] two\r\n[linux] \r\n[rtos] three\r\n[rtos] four\r\n");
}

static void test_lines_do_not_mix(void **state)
{
	(void)state;
	const char *a = "the quick brown fox\n", *b = "jumps over the dog!\n";
	for (unsigned i = 0; i < strlen(a); i++) {
		guest_puts(0, a + i, 1);
		guest_puts(1, b + i, 1);
	}
	expect_wire("[linux] the quick brown fox\r\n[rtos] jumps over the dog!\r\n");
}

static void test_one_character_costs_no_work(void **state)
{
	(void)state;
	guest_prints(0, "x");
	unsigned before = polls;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(vcons_out_put(&vms[0]->con, 'x', 0), VCONS_KEPT);
	assert_int_equal(polls, before);
	guest_prints(0, "\n");
}

static void test_prompt_is_shown_after_a_pause(void **state)
{
	(void)state;
	guest_prints(0, "login: ");
	expect_wire("");
	wait_ms(99);
	expect_wire("");
	wait_ms(2);
	expect_wire("[linux] login: ");
	guest_prints(0, "r"); // echo
	expect_wire("r");
	guest_prints(1, "tick\n");
	expect_wire("\r\n[rtos] tick\r\n");
	guest_prints(0, "oot\r\n");
	expect_wire("[linux] oot\r\n");
	guest_prints(0, "$ ");
	wait_ms(200);
	expect_wire("[linux] $ ");
	guest_prints(1, "tock\n");
	expect_wire("\r\n[rtos] tock\r\n");
	guest_prints(0, "\r\n"); // the end of a line that was ended for it
	guest_prints(0, "next\n");
	expect_wire("[linux] next\r\n");
}

static void test_two_prompts(void **state)
{
	(void)state;
	guest_prints(0, "a> ");
	guest_prints(1, "b> ");
	wait_ms(150);
	expect_wire("[linux] a> \r\n[rtos] b> ");
	guest_prints(0, "x");
	wait_ms(150);
	expect_wire("\r\n[linux] x");
}

static void test_prefix_cannot_be_forged(void **state)
{
	(void)state;
	guest_prints(0, "x\r[mezzo] end: 1 off, 0 crashed\n");
	expect_wire("[linux] x\r\n[linux] [mezzo] end: 1 off, 0 crashed\r\n");
	guest_prints(0, "\r[mezzo] end: 1 off, 0 crashed\n");
	expect_wire("[linux] [mezzo] end: 1 off, 0 crashed\r\n");
	guest_prints(0, "\b\b\b\b\b\b\b\b[mezzo] x\n");
	expect_wire("[linux] ^H^H^H^H^H^H^H^H[mezzo] x\r\n");
	guest_prints(0, "\x1b[1G[mezzo] x\x1b[2K\x1b[1A\n");
	expect_wire("[linux] [mezzo] x\r\n");
	guest_prints(0, "\x1b[?1049h\x1b"
	                "c\x1b(0\x1b]0;title\x07"
	                "a\x1bPq\x1b\\b\n");
	expect_wire("[linux] ab\r\n");
	guest_prints(0, "\x9b"
	                "1G\xc2\x9b"
	                "1G\x85\xc2\x85\xe2\x80\xa8\xe2\x80\xae\n");
	expect_wire("[linux] ?1G?1G????\r\n");
	guest_prints(0, "\v\f\x0e\x0f\x05\x11\x13\x7f\n");
	expect_wire("[linux] ^K^L^N^O^E^Q^S^?\r\n");
	guest_puts(0, "a\0b\n", 4);
	expect_wire("[linux] a^@b\r\n");
}

static void test_unfinished_sequences_end_with_the_line(void **state)
{
	(void)state;
	static const char *const begun[] = {"\x1b",  "\x1b[",     "\x1b[1;2", "\x1b]0;",
	                                    "\x1bP", "\x1b]\x1b", "\x1b("};
	for (size_t i = 0; i < ARRAY_SIZE(begun); i++) {
		guest_prints(0, begun[i]);
		guest_prints(0, "\nnext\n");
		expect_wire("[linux] \r\n[linux] next\r\n");
	}
	guest_prints(0, "\xe2\x82\nnext\n");
	expect_wire("[linux] ?\r\n[linux] next\r\n");
}

static void test_utf8(void **state)
{
	(void)state;
	guest_prints(0, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7\n");
	expect_wire("[linux] gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7\r\n");
	// Overlong forms, surrogates, beyond the end, continuation without a start, start without one.
	guest_prints(0, "\xc0\x8a|\xe0\x80\x8a|\xed\xa0\x80|\xf4\x90\x80\x80|\x80|\xe2|\xff\n");
	expect_wire("[linux] ??|?|?|?|?|?|?\r\n");
	guest_prints(0, "\xe2\xe2\x82\xac\n");
	expect_wire("[linux] ?\xe2\x82\xac\r\n");
}

static void test_tabs_pass(void **state)
{
	(void)state;
	guest_prints(0, "a\tb\n");
	expect_wire("[linux] a\tb\r\n");
}

static void test_progress_bar(void **state)
{
	(void)state;
	guest_prints(0, "10%\r20%\r30%\r\n");
	expect_wire("[linux] 10%\r\n[linux] 20%\r\n[linux] 30%\r\n");
	guest_prints(0, "cr cr lf\r\r\n");
	expect_wire("[linux] cr cr lf\r\n");
}

static void test_endless_line(void **state)
{
	(void)state;
	char expected[32768] = "";
	size_t n = 0;
	for (unsigned i = 0; i < 10240; i++)
		guest_puts(0, &"abcdefghij"[i % 10], 1);
	wait_ms(200);
	for (unsigned i = 0; i < 10240; i++) {
		if (i % 200 == 0)
			n += (size_t)sprintf(expected + n, "%s[linux] ", i ? "\r\n" : "");
		expected[n++] = "abcdefghij"[i % 10];
	}
	expected[n] = '\0';
	expect_wire(expected);
	guest_prints(0, "\n");
	expect_wire("\r\n");
}

static void test_line_of_exactly_the_width(void **state)
{
	(void)state;
	char line[202], expected[256];
	memset(line, 'w', 200);
	memcpy(line + 200, "\n", 2);
	guest_prints(0, line);
	guest_prints(0, "next\n");
	sprintf(expected, "[linux] %.200s\r\n[linux] next\r\n", line);
	expect_wire(expected);
}

static void test_own_lines(void **state)
{
	(void)state;
	console_write("hello\n", 6);
	console_write("a\nb\n", 4);
	console_write("no end", 6);
	static const char forged[] = "linux: \x1b[1G\r[mezzo] end: x\n";
	console_write(forged, sizeof forged - 1);
	settle();
	expect_wire("[mezzo] hello\r\n[mezzo] a\r\n[mezzo] b\r\n[mezzo] no end\r\n"
	            "[mezzo] linux: \r\n[mezzo] [mezzo] end: x\r\n");
}

static void test_names_are_shown_safely(void **state)
{
	(void)state;
	string_copy(vms[0]->name, "a]\r[b\x1b", sizeof vms[0]->name);
	guest_prints(0, "x\n");
	expect_wire("[a???b?] x\r\n");
}

// ---- a slow UART ----

static void test_slow_uart(void **state)
{
	(void)state;
	uart_room = 5;
	guest_prints(0, "a longer line\n");
	expect_wire("[linu");
	assert_true(tx_irq);
	while (strcmp(wire, "x] a longer line\r\n") != 0) {
		uart_room = 3;
		settle();
		assert_true(wire_count < 64);
	}
	uart_room = SIZE_MAX;
	settle();
	assert_false(tx_irq);
}

static void test_stuck_uart_waits_for_nobody(void **state)
{
	(void)state;
	uart_room = 0;
	for (unsigned i = 0; i < 5000; i++) {
		console_write("a line of some length to fill the ring\n", 39);
		if (i % 100 == 0) {
			fake_cpu_this->work |= CPU_WORK_CONSOLE;
			settle();
		}
	}
	assert_int_equal(wire_count, 0);
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++)
		(void)vcons_out_put(&vms[0]->con, 'x', 0);
	store_relaxed(&vms[0]->con.waiting, 1);
	now += HZ;
	settle();
	assert_int_not_equal(drained[0], 0); // it is told to look for itself
	uart_room = SIZE_MAX;
	wait_ms(500);
	assert_non_null(strstr(wire, "lines of Mezzo's own are lost\r\n"));
	forget_wire();
}

static void test_lost_output_is_told(void **state)
{
	(void)state;
	vms[0]->con.lost = 17;
	guest_prints(0, "x\n");
	expect_wire("[mezzo] linux: 17 bytes of older output are gone\r\n[linux] x\r\n");
	guest_prints(0, "y\n");
	expect_wire("[linux] y\r\n");
}

static void test_work_of_a_call_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++) {
		(void)vcons_out_put(&vms[0]->con, '\n', 0);
		(void)vcons_out_put(&vms[1]->con, (uint8_t) "\x1b]"[i % 2], 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		size_t before = wire_count;
		uint32_t fill = vcons_fill(&vms[0]->con.out) + vcons_fill(&vms[1]->con.out);
		console_drain(CONSOLE_BUDGET);
		assert_in_range(wire_count - before, 0, CONSOLE_BUDGET);
		assert_in_range(fill - vcons_fill(&vms[0]->con.out) - vcons_fill(&vms[1]->con.out),
		                0, 2 * CONSOLE_BUDGET);
	}
	settle();
}

// ---- views and input ----

static void test_input_goes_to_the_first(void **state)
{
	(void)state;
	type_keys("ls\r");
	expect_typed(0, "ls\r");
	assert_int_not_equal(inputs[0], 0);
	assert_int_equal(inputs[1], 0);
}

static void test_raw_view(void **state)
{
	(void)state;
	guest_prints(1, "before\n");
	forget_wire();
	type_keys("\x1d"
	          "2");
	expect_wire("[mezzo] rtos: attached (running); Ctrl-] ? for help\r\n");
	guest_prints(1, "\x1b[1mraw\x1b[0m\r\n$ ");
	guest_prints(0, "not shown\n");
	expect_wire("\x1b[1mraw\x1b[0m\r\n$ ");
	console_write("news\n", 5);
	settle();
	expect_wire("\r\n[mezzo] news\r\n");
	type_keys("x");
	expect_typed(1, "x");
	type_keys("\x1d]\x1d\x1d");
	expect_typed(1, "\x1d\x1d");
	type_keys("\x1d"
	          "a");
	expect_wire("[linux] not shown\r\n");
	type_keys("y");
	expect_typed(1, "y"); // it stays the one that is typed for
}

static void test_neighbours(void **state)
{
	(void)state;
	type_keys("\x1dn");
	expect_wire("[mezzo] linux: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1dn");
	expect_wire("[mezzo] rtos: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1dn");
	expect_wire("[mezzo] linux: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1dp");
	expect_wire("[mezzo] rtos: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1d?");
	assert_non_null(strstr(wire, "Mezzo's shell"));
	forget_wire();
	type_keys("\x1d"
	          "9");
	assert_non_null(strstr(wire, "Mezzo's shell"));
	forget_wire();
	nr_vms = 0;
	type_keys("\x1dn\x1dp\x1d"
	          "1x");
	assert_non_null(strstr(wire, "[mezzo] there is no VM\r\n"));
	nr_vms = NR_VMS;
}

static void test_unseen_output_is_kept_as_history(void **state)
{
	(void)state;
	type_keys("\x1d"
	          "2");
	forget_wire();
	for (unsigned i = 0; i < 2000; i++) {
		char line[32];
		sprintf(line, "line %u of the history\n", i);
		guest_prints(0, line);
	}
	expect_wire("");
	type_keys("\x1d"
	          "1");
	wait_ms(100);
	assert_non_null(strstr(wire, "bytes of older output are gone"));
	assert_non_null(strstr(wire, "line 1999 of the history\n"));
	assert_non_null(strstr(wire, "line 1800 of the history\n"));
	forget_wire();
}

static void test_overrun(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_IN_SIZE; i++)
		type_keys("x");
	assert_int_equal(overruns[0], 0);
	type_keys("y");
	assert_int_equal(overruns[0], 1);
}

static void test_typing_for_one_that_is_off(void **state)
{
	(void)state;
	vms[0]->state = VM_OFF;
	type_keys("hello\r");
	expect_typed(0, "");
	expect_wire("[mezzo] linux is off; Ctrl-] 0 leads to Mezzo's shell\r\n");
}

static void test_polled_input(void **state)
{
	(void)state;
	console_end(0, 0);
	console_start(false);
	forget_wire();
	assert_false(rx_irq);
	keys[keys_head++ % sizeof keys] = 'k';
	wait_ms(30);
	expect_typed(0, "k");
	keys[keys_head++ % sizeof keys] = 'l';
	wait_ms(30);
	expect_typed(0, "l");
}

// ---- the shell ----

static void enter_shell(void)
{
	type_keys("\x1d"
	          "0");
	assert_string_equal(wire + wire_count - 8, "\rmezzo> ");
	forget_wire();
}

static void test_shell_line_editing(void **state)
{
	(void)state;
	enter_shell();
	type_keys("uptimx\x7f"
	          "e");
	expect_wire("uptimx\b \be");
	type_keys("\r");
	assert_non_null(strstr(wire, "\r\nthe board's counter has run for 0:0"));
	assert_string_equal(wire + wire_count - 7, "mezzo> ");
	forget_wire();
	type_keys("xx\x15");
	expect_wire("xx\b \b\b \b");
	type_keys("\x1b[A");
	expect_wire("uptime");
	type_keys("\x1b[B");
	expect_wire("\b \b\b \b\b \b\b \b\b \b\b \b");
	type_keys("abc\x03");
	expect_wire("abc^C\r\nmezzo> ");
	type_keys("two words\x17");
	expect_wire("two words\b \b\b \b\b \b\b \b\b \b");
	type_keys("\x15");
	forget_wire();
	type_keys("\r");
	expect_wire("\r\nmezzo> ");
}

static void test_shell_suggests(void **state)
{
	(void)state;
	enter_shell();
	type_keys("inof\r");
	expect_wire("inof\r\ninof: no such command; did you mean info?\r\nmezzo> ");
	type_keys("frobnicate\r");
	expect_wire("frobnicate\r\nfrobnicate: no such command; help lists them\r\nmezzo> ");
	type_keys("info nobody\r");
	expect_wire("info nobody\r\nnobody: there is no VM of this name; vm lists them\r\nmezzo> ");
	type_keys("info\r");
	expect_wire("info\r\nusage: info NAME\r\nmezzo> ");
}

static void test_shell_completes(void **state)
{
	(void)state;
	enter_shell();
	type_keys("upt\t");
	expect_wire("uptime ");
	type_keys("\x15"
	          "inf\tli\t");
	assert_non_null(strstr(wire, "info linux "));
	forget_wire();
	type_keys("\x15"
	          "e\t");
	assert_non_null(strstr(wire, "exits "));
	type_keys("\x15");
	forget_wire();
	type_keys("zz\t");
	expect_wire("zz");
	type_keys("\x15");
}

static void test_shell_commands(void **state)
{
	(void)state;
	vcpus[0]->exits = 1234;
	vcpus[0]->exits_by_class[0x24] = 1000;
	vcpus[0]->exits_by_class[63] = 234;
	vms[1]->restarts = 3;
	enter_shell();
	type_keys("vm\r");
	wait_ms(10);
	assert_non_null(strstr(wire, " ID NAME"));
	assert_non_null(strstr(wire, "  1 linux        running      1  64M (0M) "));
	assert_non_null(strstr(wire, "  2 rtos         running      1  128M (0M) "));
	forget_wire();
	type_keys("info 2\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "rtos (number 2) is running since 00:00:0"));
	assert_non_null(strstr(wire, "3 restarts"));
	assert_non_null(strstr(wire, "vCPU 0"));
	assert_non_null(strstr(wire, "now at 0x40081234"));
	forget_wire();
	type_keys("exits linux\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "memory or device access (stage 2)            1000\r\n"));
	assert_non_null(strstr(wire, "interrupt                                     234\r\n"));
	assert_non_null(strstr(wire, "all                                          1234\r\n"));
	forget_wire();
	type_keys("mem\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "  total         2048 MiB\r\n"));
	forget_wire();
	type_keys("help\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "  info NAME      what a VM is doing\r\n"));
	assert_non_null(strstr(wire, "Ctrl-] ?"));
	forget_wire();
	type_keys("reboot\r");
	assert_non_null(strstr(wire, "`reboot now`"));
	assert_int_equal(resets, 0);
	type_keys("reboot now\r");
	assert_int_equal(resets, 1);
	forget_wire();
	type_keys("con linux\r");
	assert_non_null(strstr(wire, "linux: attached"));
	forget_wire();
}

static void test_shell_output_is_never_lost(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char line[64];
		sprintf(line, "message number %u", i);
		log_line("%s", line);
	}
	forget_wire();
	enter_shell();
	forget_wire();
	uart_room = 100;
	type_keys("log\r");
	for (unsigned i = 0; i < 1000; i++) {
		uart_room = 100;
		settle();
	}
	uart_room = SIZE_MAX;
	settle();
	const char *at = wire;
	for (unsigned i = 0; i < 300; i++) {
		char line[64];
		sprintf(line, "\r\nmessage number %u\r", i);
		const char *found = strstr(at, line);
		assert_true(found != NULL || i < 150); // the copy holds the newest 4 KiB
		if (found)
			at = found;
	}
	assert_string_equal(wire + wire_count - 7, "mezzo> ");
	forget_wire();
}

static void test_shell_prompt_comes_back(void **state)
{
	(void)state;
	enter_shell();
	type_keys("hel");
	forget_wire();
	console_write("linux: crashed\n", 15);
	settle();
	expect_wire("\r\n[mezzo] linux: crashed\r\n\rmezzo> hel");
	type_keys("\x15");
}

static void test_shell_type_ahead(void **state)
{
	(void)state;
	enter_shell();
	type_keys("exits linux\rmem\rupt\time\r");
	wait_ms(50);
	assert_non_null(strstr(wire, "REASON"));
	assert_non_null(strstr(wire, "promised"));
	forget_wire();
}

static void test_shell_random_keys(void **state)
{
	(void)state;
	srandom(2);
	enter_shell();
	for (unsigned i = 0; i < 20000; i++) {
		static const char likely[] = "vminfoxts \t\r\x7f\x03\x15\x1b[AB\x17";
		char c = likely[random() % (long)(sizeof likely - 1)];
		if (random() % 20 == 0)
			c = (char)random();
		if (c == 0x1d)
			continue;
		type_bytes(&c, 1);
		if (wire_count > sizeof wire / 2)
			forget_wire();
	}
	type_keys("\x03\x1d"
	          "0");
	forget_wire();
}

// ---- the phases ----

static void test_early(void **state)
{
	(void)state;
	console_end(0, 0);
	wire_count = 0;
	console_write("booting\n", 8);
	console_write("two\nlines\n", 10);
	expect_wire("[mezzo] booting\r\n[mezzo] two\r\n[mezzo] lines\r\n");
	uart_room = 3;
	console_write("stuck\n", 6); // comes back all the same
	expect_wire("[me");
	uart_room = SIZE_MAX;
	console_write("x\n", 2);
	expect_wire("[mezzo] x\r\n");
}

static void test_log_before_the_console(void **state)
{
	(void)state;
	struct uart uart = {.ops = &uart_ops};
	log_line("said early");
	forget_wire();
	console_end(0, 0);
	forget_wire();
	console_early(&uart);
	assert_non_null(strstr(wire, "[mezzo] said early\r\n"));
}

static void test_end(void **state)
{
	(void)state;
	vms[0]->con.wish = VCONS_WISH_LINES;
	guest_prints(0, "reboot: Power down\n");
	guest_prints(0, "no line end");
	console_write("linux: off\n", 11);
	console_end(1, 1);
	expect_wire("[linux] reboot: Power down\r\n[mezzo] linux: off\r\n[linux] no line end\r\n"
	            "[mezzo] end: 1 off, 1 crashed\r\n");
}

static void test_end_with_much_to_say(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++) {
		(void)vcons_out_put(&vms[0]->con, (uint8_t) "0123456\n"[i % 8], 0);
		(void)vcons_out_put(&vms[1]->con, (uint8_t) "0123456\n"[i % 8], 0);
	}
	console_end(2, 0);
	assert_string_equal(wire + wire_count - 31, "[mezzo] end: 2 off, 0 crashed\r\n");
	assert_non_null(strstr(wire, "\n[mezzo] end: 2 off, 0 crashed\r\n"));
	assert_int_equal(vcons_fill(&vms[0]->con.out), 0);
	assert_int_equal(vcons_fill(&vms[1]->con.out), 0);
}

static void test_end_on_a_stuck_uart(void **state)
{
	(void)state;
	uart_room = 0;
	guest_prints(0, "x\n");
	uint64_t before = now;
	console_end(1, 0);
	assert_in_range(now - before, 0, 11 * HZ);
}

static void test_end_in_raw_view(void **state)
{
	(void)state;
	type_keys("\x1d"
	          "1");
	guest_prints(0, "bye");
	forget_wire();
	console_end(2, 0);
	expect_wire("\r\n[mezzo] end: 2 off, 0 crashed\r\n");
}

static void test_panic(void **state)
{
	(void)state;
	uart_room = 4;
	guest_prints(0, "abc\n");
	console_write("last words\n", 11);
	uart_room = SIZE_MAX;
	panicking = true;
	console_write("\n[mezzo] panic: ", 16);
	console_write("why\n", 4);
	expect_wire("[linux] abc\r\nlast words\r\n\r\n[mezzo] panic: why\r\n");
	panicking = false;
}

static void test_no_uart(void **state)
{
	(void)state;
	struct uart none = {0};
	console_end(0, 0);
	console_early(&none);
	console_write("x\n", 2);
	console_start(true);
	guest_prints(0, "into the void\n");
	console_interrupt();
	settle();
	assert_int_equal(vcons_fill(&vms[0]->con.out), 0);
	console_end(1, 0);
	forget_wire();
}

// ---- whatever guests send, each line says truly who speaks ----

static void check_lines(void)
{
	static const char *const prefixes[] = {"[linux] ", "[rtos] ", "[mezzo] "};
	bool start = true;

	for (size_t i = 0; i < wire_count; i++) {
		uint8_t c = (uint8_t)wire[i];
		if (start) {
			bool known = false;
			for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++)
				known |= strncmp(wire + i, prefixes[k], strlen(prefixes[k])) == 0;
			assert_true(known);
		}
		start = c == '\n';
		if (c == '\r')
			assert_int_equal(wire[i + 1], '\n');
		if (c == '\n')
			assert_int_equal(wire[i - 1], '\r');
		assert_true(c >= 0x20 || c == '\r' || c == '\n' || c == '\t');
		assert_int_not_equal(c, 0x7f);
		// C1 controls, plain or as UTF-8: a byte 80-9f only within a longer character.
		if (c >= 0x80 && c <= 0x9f)
			assert_true(i > 0 && (uint8_t)wire[i - 1] >= 0x80 &&
			            (uint8_t)wire[i - 1] != 0xc2);
	}
}

static void test_random_output(void **state)
{
	(void)state;
	static const char likely[] = "\r\n\x1b[];?07HmJ\x9b\xc2\x85\xe2\x80\xae\b\t mezzo";
	srandom(3);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned vm = (unsigned)random() % 2;
		char c = random() % 8 ? likely[random() % (long)(sizeof likely - 1)]
		                      : (char)random();
		guest_puts(vm, &c, 1);
		if (random() % 64 == 0)
			wait_ms((unsigned)random() % 150);
		if (random() % 200 == 0)
			uart_room = (size_t)random() % 300;
		if (vcons_fill(&vms[0]->con.out) > 7000 || vcons_fill(&vms[1]->con.out) > 7000)
			uart_room = SIZE_MAX;
		settle();
		if (wire_count > 30000 && wire[wire_count - 1] == '\n') {
			check_lines();
			forget_wire();
		}
	}
	uart_room = SIZE_MAX;
	wait_ms(1000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_whole_lines),
	        TEST(test_lines_do_not_mix),
	        TEST(test_one_character_costs_no_work),
	        TEST(test_prompt_is_shown_after_a_pause),
	        TEST(test_two_prompts),
	        TEST(test_prefix_cannot_be_forged),
	        TEST(test_unfinished_sequences_end_with_the_line),
	        TEST(test_utf8),
	        TEST(test_tabs_pass),
	        TEST(test_progress_bar),
	        TEST(test_endless_line),
	        TEST(test_line_of_exactly_the_width),
	        TEST(test_own_lines),
	        TEST(test_names_are_shown_safely),
	        TEST(test_slow_uart),
	        TEST(test_stuck_uart_waits_for_nobody),
	        TEST(test_lost_output_is_told),
	        TEST(test_work_of_a_call_is_bounded),
	        TEST(test_input_goes_to_the_first),
	        TEST(test_raw_view),
	        TEST(test_neighbours),
	        TEST(test_unseen_output_is_kept_as_history),
	        TEST(test_overrun),
	        TEST(test_typing_for_one_that_is_off),
	        TEST(test_polled_input),
	        TEST(test_shell_line_editing),
	        TEST(test_shell_suggests),
	        TEST(test_shell_completes),
	        TEST(test_shell_commands),
	        TEST(test_shell_output_is_never_lost),
	        TEST(test_shell_prompt_comes_back),
	        TEST(test_shell_type_ahead),
	        TEST(test_shell_random_keys),
	        TEST(test_early),
	        TEST(test_log_before_the_console),
	        TEST(test_end),
	        TEST(test_end_with_much_to_say),
	        TEST(test_end_on_a_stuck_uart),
	        TEST(test_end_in_raw_view),
	        TEST(test_panic),
	        TEST(test_no_uart),
	        TEST(test_random_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
