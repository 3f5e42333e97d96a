// SPDX-License-Identifier: Apache-2.0
// A UART, two VMs and a run loop, made up around the real console: what its tests share. Each test
// program includes this once.
#ifndef TEST_CONSOLE_BOARD_H
#define TEST_CONSOLE_BOARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/panic.h"
#include "base/string.h"
#include "console/console.h"
#include "console/shell.h"
#include "fake.h"
#include "hw/power.h"
#include "hw/timer.h"
#include "mem/el2map.h"
#include "mem/pages.h"
#include "vdev/vcapture.h"
#include "vdev/vswitch.h"
#include "vdev/vvirtio_balloon.h"
#include "vm/vm.h"

#define HZ 1000000
#ifndef NR_VMS
#define NR_VMS 2
#endif

// ---- the UART ----

static char wire[1 << 20];
static size_t wire_count;
static size_t uart_room; // bytes it takes before it is full
static char keys[4096];
static size_t keys_head, keys_tail;
static bool rx_irq, tx_irq;
static unsigned polls;
static uint64_t now;

static UNUSED void uart_init(const struct uart *u)
{
	(void)u;
}
static UNUSED uint32_t uart_tx_room(const struct uart *u)
{
	(void)u;
	polls++;
	return uart_room < UINT32_MAX ? (uint32_t)uart_room : UINT32_MAX;
}
static UNUSED void uart_tx(const struct uart *u, uint8_t byte)
{
	(void)u;
	assert_true(uart_room > 0);
	assert_true(wire_count < sizeof wire - 1);
	uart_room--;
	wire[wire_count++] = (char)byte;
	wire[wire_count] = '\0';
}
static UNUSED bool uart_tx_done(const struct uart *u)
{
	(void)u;
	return true;
}
static UNUSED bool uart_rx(const struct uart *u, uint8_t *byte)
{
	(void)u;
	if (keys_head == keys_tail)
		return false;
	*byte = (uint8_t)keys[keys_tail++ % sizeof keys];
	return true;
}
static UNUSED void uart_enable_rx(const struct uart *u, bool on)
{
	(void)u;
	rx_irq = on;
}
static UNUSED void uart_enable_tx(const struct uart *u, bool on)
{
	(void)u;
	tx_irq = on;
}
static UNUSED void uart_ack(const struct uart *u)
{
	(void)u;
}

static const struct uart_ops uart_ops = {
        .name = "test",
        .init = uart_init,
        .tx_room = uart_tx_room,
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
struct vm *vm_by_id(uint32_t id)
{
	return id - 1 < nr_vms ? vms[id - 1] : NULL;
}
struct vm *vm_after(uint32_t id)
{
	return id < nr_vms ? vms[id] : NULL;
}
struct vm *vm_before(uint32_t id)
{
	uint32_t below = id - 1 < nr_vms ? id - 1 : nr_vms;
	return below > 0 ? vms[below - 1] : NULL;
}
const char *vm_state_name(const struct vm *vm)
{
	return vm->state == VM_RUNNING ? "running" : "off";
}
static UNUSED unsigned index_of(const struct vm *vm)
{
	for (unsigned i = 0; i < NR_VMS; i++)
		if (vms[i] == vm)
			return i;
	fail();
	return 0;
}
void vuart_input(struct vm *vm)
{
	inputs[index_of(vm)]++;
}
void vuart_overrun(struct vm *vm)
{
	overruns[index_of(vm)]++;
}
void vuart_output_drained(struct vm *vm)
{
	drained[index_of(vm)]++;
}
struct pages_count pages_counts(void)
{
	return (struct pages_count){
	        .total = 524288, .free = 262144, .committed = 131072, .claimed = 3000};
}
struct pages_usage pages_usage(uint16_t owner)
{
	if (owner == OWNER_EL2)
		return (struct pages_usage){.data = 100, .table = 50, .boot = 1000};
	if (owner == OWNER_BUNDLE)
		return (struct pages_usage){.boot = 2000};
	return (struct pages_usage){.data = 16, .table = 4, .guest = 1024u * owner};
}
uint64_t el2map_image_pages(void)
{
	return 60;
}
static uint64_t ran[NR_VMS]; // ticks
uint64_t sched_ran(const struct vcpu *vcpu)
{
	return ran[vcpu == vcpus[1] ? 1 : 0];
}
uint64_t sched_waited(const struct vcpu *vcpu)
{
	return sched_ran(vcpu) / 2;
}
bool vcpu_sample(struct vcpu *vcpu, struct vcpu_sample *sample)
{
	(void)vcpu;
	*sample = (struct vcpu_sample){.pc = 0x40081234, .last_trap = now, .time = now};
	return true;
}
bool vcpu_sample_at_vectors(const struct vcpu_sample *sample)
{
	(void)sample;
	return false;
}
static uint64_t balloon_asked = MIB(64);
int vvirtio_balloon_ask(struct vm *vm, uint64_t memory)
{
	if (memory > vm->ram_size)
		return ERR_RANGE;
	balloon_asked = memory;
	return 0;
}
uint64_t vvirtio_balloon_asked(const struct vm *vm)
{
	(void)vm;
	return balloon_asked;
}
static uint32_t told_callers; // a bit each
void vvirtio_vsock_answered(unsigned caller)
{
	told_callers |= BIT_U32(caller);
}
uint32_t vvirtio_vsock_connections(const struct vm *vm)
{
	return vm->vsock != NULL ? 7 : 0;
}
uint64_t vvirtio_balloon_left(const struct vm *vm)
{
	(void)vm;
	return MIB(48);
}
static unsigned resets;
void power_reset(void)
{
	resets++;
}

// ---- time and the run loop ----

static UNUSED bool counter(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now++;
	return true;
}

static UNUSED bool timer_due(void)
{
	uint64_t at = fake_get_sysreg("cnthp_cval_el2");
	if (fake_get_sysreg("cnthp_ctl_el2") != 1 || at > now + HZ / 2000)
		return false;
	now = at > now ? at : now; // so short a time is not worth a test's patience
	return true;
}

// What the run loop and the interrupt handler do until nothing is to be done.
static UNUSED void settle(void)
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
static UNUSED void wait_ms(unsigned ms)
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

// As the guest's UART does it, but for the console's turn.
static UNUSED enum vcons_put guest_put(unsigned i, char byte)
{
	enum vcons_put put = vcons_out_put(&vms[i]->con, (uint8_t)byte, 0);
	if (put == VCONS_TELL) {
		vcons_mark(&vms[i]->con);
		cpu_post_local(CPU_WORK_CONSOLE);
	}
	return put;
}

static UNUSED void guest_puts(unsigned i, const char *bytes, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		enum vcons_put put = guest_put(i, bytes[k]);
		assert_int_not_equal(put, VCONS_FULL);
		if (put == VCONS_TELL)
			settle();
	}
}

static UNUSED void guest_prints(unsigned i, const char *text)
{
	guest_puts(i, text, strlen(text));
}

static UNUSED void type_bytes(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		keys[keys_head++ % sizeof keys] = bytes[i];
	settle();
}

static UNUSED void type_keys(const char *text)
{
	type_bytes(text, strlen(text));
}

// cmocka cuts long texts: where they differ is told here.
static UNUSED void expect_wire(const char *text)
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

static UNUSED void forget_wire(void)
{
	settle();
	wire_count = 0;
	wire[0] = '\0';
}

static UNUSED void expect_typed(unsigned i, const char *text)
{
	uint8_t byte;
	for (; *text; text++) {
		assert_true(vcons_in_get(&vms[i]->con, &byte));
		assert_int_equal(byte, *text);
	}
	assert_false(vcons_in_get(&vms[i]->con, &byte));
}

// console.c keeps its state for the life of the program, so each test goes through end and start.
static UNUSED int setup(void **state)
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
	memset(&vcons_waiting, 0, sizeof vcons_waiting);
	for (unsigned i = 0; i < NR_VMS; i++) {
		vms[i] = test_calloc(1, sizeof *vms[i]);
		vcpus[i] = test_calloc(1, sizeof *vcpus[i]);
		vms[i]->id = i + 1;
		vms[i]->serial = 100 + i;
		vms[i]->sched.weight = SCHED_WEIGHT_DEFAULT;
		vcpus[i]->vm = vms[i];
		vcpus[i]->sched.pin = SCHED_ANY_CPU;
		ran[i] = 0;
		vms[i]->state = VM_RUNNING;
		vms[i]->start_time = now;
		vms[i]->ram_base = 0x40000000;
		vms[i]->ram_size = MIB(64) << i % 2;
		vms[i]->uart = (struct vpl011 *)(uintptr_t)(0x1000 * (i + 1));
		vms[i]->nr_vcpus = 1;
		vms[i]->vcpu[0] = vcpus[i];
		vcpus[i]->cpu = fake_cpu_this;
		vcons_init(&vms[i]->con, i + 1, test_calloc(1, VCONS_OUT_BYTES));
		snprintf(vms[i]->name, sizeof vms[i]->name, i < 2 ? "%s" : "%s%u",
		         names[i < 2 ? i : 1], i);
		vms[i]->autostart = i == 0;
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

static UNUSED int teardown(void **state)
{
	(void)state;
	uart_room = SIZE_MAX;
	console_end(0, 0);
	for (unsigned i = 0; i < NR_VMS; i++) {
		console_forget(vms[i]);
		test_free(vms[i]->con.out_bytes);
		test_free(vms[i]);
		test_free(vcpus[i]);
	}
	return 0;
}

// ---- a net, with one port ----

static struct vswitch_port board_port = {
        .name = "linux.net0",
        .mac = 0x525400123456,
        .count = {.sent = 5,
                  .sent_bytes = 700,
                  .got = 6,
                  .got_bytes = 800,
                  .lost = {[VSWITCH_NO_BUFFER] = 2, [VSWITCH_SPOOFED] = 1}},
};

const char *vswitch_name(uint32_t net)
{
	return net == 0 ? "lan0" : NULL;
}
bool vswitch_info(uint32_t net, struct vswitch_info *info)
{
	*info = (struct vswitch_info){.anti_spoof = true, .limit = 1048576, .learned = 3};
	return net == 0;
}
const struct vswitch_port *vswitch_port_from(uint32_t net, uint32_t number)
{
	return net == 0 && number == 0 ? &board_port : NULL;
}
const struct vswitch_port *vswitch_find_port(const char *name)
{
	return strcmp(name, board_port.name) == 0 ? &board_port : NULL;
}
bool vswitch_port_is_open(const struct vswitch_port *port)
{
	return port == &board_port;
}
int vcapture_begin(const struct vswitch_port *port)
{
	return port == &board_port ? 0 : ERR_BUSY;
}
void vcapture_file(uint8_t bytes[VCAPTURE_BEGIN])
{
	memset(bytes, 0, VCAPTURE_BEGIN);
}
// Records that wait; with a busy port there are as many again as soon as one is taken.
static uint32_t board_records, board_ends;
static bool board_busy;
uint32_t vcapture_take(uint8_t *bytes)
{
	if (board_records == 0)
		return 0;
	board_records -= !board_busy;
	memset(bytes, 0, VCAPTURE_MOST);
	return VCAPTURE_MOST;
}
bool vcapture_waits(void)
{
	return board_records != 0;
}
uint64_t vcapture_end(void)
{
	board_busy = false;
	board_ends++;
	return 7;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
