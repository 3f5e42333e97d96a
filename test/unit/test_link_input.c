// SPDX-License-Identifier: Apache-2.0
// The framed link: what the host sends for VMs, its credit, and the UART it comes through.
#include "test_link_host.h"

static void test_typing_for_a_vm(void **state)
{
	(void)state;
	send_open(rtos_vm, 1000, 0);
	receive_frames();
	assert_int_equal(credit_of(rtos_vm), VCONS_IN_SIZE);
	send_numbered(FRAME_DATA, rtos_vm, 0,
	              "ls\r\x1d"
	              "0\x1d]");
	expect_typed(1, "ls\r\x1d"
	                "0\x1d]"); // the keys of plain mode mean nothing here
	assert_int_not_equal(inputs[1], 0);
	assert_int_equal(overruns[1], 0);
	send_numbered(FRAME_DATA, rtos_vm, 3, "again");
	expect_error(FRAME_DATA, rtos_vm, "come before");
	send_numbered(FRAME_DATA, linux_vm, 0, "x");
	expect_error(FRAME_DATA, linux_vm, "not open");
	send_numbered(FRAME_DATA, 12345, 0, "x");
	expect_error(FRAME_DATA, 12345, "no such channel");
	// Some was lost on the way: the guest sees an overrun.
	send_numbered(FRAME_DATA, rtos_vm, 9, "y");
	expect_typed(1, "y");
	assert_int_equal(overruns[1], 1);
}

static void test_input_needs_credit(void **state)
{
	(void)state;
	char text[300];
	uint8_t byte;
	fill_text(text, VCONS_IN_SIZE);
	send_open(linux_vm, 1000, 0);
	send_numbered(FRAME_DATA, linux_vm, 0, text);
	receive_frames();
	assert_int_equal(credit_of(linux_vm), VCONS_IN_SIZE);
	send_numbered(FRAME_DATA, linux_vm, VCONS_IN_SIZE, "x");
	expect_error(FRAME_DATA, linux_vm, "credit");
	fill_text(text, 298);
	send_numbered(FRAME_DATA, linux_vm, VCONS_IN_SIZE, text);
	expect_error(FRAME_DATA, linux_vm, "credit");
	// The guest takes some, and the host hears of it.
	for (unsigned i = 0; i < VCONS_IN_PIECE; i++) {
		assert_true(vcons_in_get(&vms[0]->con, &byte));
		if (vcons_in_tell(&vms[0]->con)) {
			vcons_mark(&vms[0]->con);
			cpu_post_local(CPU_WORK_CONSOLE);
		}
	}
	settle();
	receive_frames();
	assert_int_equal(credit_of(linux_vm), VCONS_IN_SIZE + VCONS_IN_PIECE);
	assert_int_equal(overruns[0], 0);
}

static void test_typing_for_one_that_is_off(void **state)
{
	(void)state;
	vms[0]->state = VM_OFF;
	console_vms_changed();
	settle();
	send_open(linux_vm, 1000, 0);
	receive_frames();
	for (uint32_t at = 0; at < 10 * VCONS_IN_SIZE; at += 100) {
		char text[101];
		fill_text(text, 100);
		send_numbered(FRAME_DATA, linux_vm, at, text);
		receive_frames();
		assert_null(find(FRAME_ERROR, linux_vm));
	}
	expect_typed(0, "");
}

// ---- a real UART: a byte every 87 us, a FIFO of 16, and an interrupt that may come late ----

#define BYTE_US    87
#define FIFO_DEPTH 16
#define LATENCY_US 50

// What is due now, without a look into the future.
static void run_board(void)
{
	while (fake_cpu_this->work & CPU_WORK_CONSOLE) {
		fake_cpu_this->work = 0;
		console_drain(CONSOLE_BUDGET);
	}
	if (fake_get_sysreg("cnthp_ctl_el2") == 1 && fake_get_sysreg("cnthp_cval_el2") <= now &&
	    (timer_expire() & (1 << TIMER_CONSOLE)))
		console_tick();
}

// The host has the next frame ready as soon as it may send it; its byte number n is n * 31.
static size_t next_frame(uint8_t *bytes, uint32_t *sent, uint32_t limit)
{
	static uint64_t since;
	uint8_t payload[FRAME_DATA_SIZE + 200];
	uint32_t n = limit - *sent < 200 ? limit - *sent : 200;

	if (n == 0 && now - since < HZ)
		return 0;
	since = now;
	if (n == 0)
		return make_frame(bytes, FRAME_PING, 0, NULL, 0);
	frame_put32(payload, *sent);
	for (uint32_t i = 0; i < n; i++)
		payload[FRAME_DATA_SIZE + i] = (uint8_t)((*sent)++ * 31);
	return make_frame(bytes, FRAME_DATA, linux_vm, payload, FRAME_DATA_SIZE + n);
}

static uint32_t guest_reads(uint32_t from, long most)
{
	uint32_t n = 0;
	uint8_t byte;

	for (; most > 0 && vcons_in_get(&vms[0]->con, &byte); most--) {
		assert_int_equal(byte, (uint8_t)((from + n++) * 31));
		if (vcons_in_tell(&vms[0]->con)) {
			vcons_mark(&vms[0]->con);
			cpu_post_local(CPU_WORK_CONSOLE);
		}
	}
	return n;
}

static void test_nothing_is_lost_at_115200(void **state)
{
	(void)state;
	enum { TOTAL = 20000 };
	uint8_t queue[1024];
	size_t queued = 0, sent_of_queue = 0;
	uint32_t sent = 0, limit, read = 0;
	uint64_t next_byte, interrupt_at = UINT64_MAX;

	assert_int_equal(HZ, 1000000); // ticks are microseconds
	srandom(5);
	send_open(linux_vm, 0, 0);
	receive_frames();
	limit = credit_of(linux_vm);
	next_byte = now;
	for (uint64_t t = now; read < TOTAL; t++) {
		now = t > now ? t : now;
		if (sent_of_queue == queued) {
			sent_of_queue = 0;
			queued = next_frame(queue, &sent, limit);
			next_byte = now > next_byte ? now : next_byte;
		}
		while (now >= next_byte && sent_of_queue < queued) {
			next_byte += BYTE_US;
			assert_true(keys_head - keys_tail < FIFO_DEPTH); // an overrun
			keys[keys_head++ % sizeof keys] = (char)queue[sent_of_queue++];
		}
		if (now >= interrupt_at) {
			interrupt_at = UINT64_MAX;
			if (rx_irq)
				console_interrupt();
		}
		if (rx_irq && keys_head != keys_tail && interrupt_at == UINT64_MAX)
			interrupt_at = now + (uint64_t)random() % LATENCY_US;
		run_board();
		if (random() % 600 == 0) // the guest reads when it likes
			read += guest_reads(read, random() % 60);
		if (wire_count > 0) {
			receive_frames();
			if (credit_of(linux_vm) != UINT32_MAX)
				limit = credit_of(linux_vm);
			assert_null(find(FRAME_ERROR, linux_vm));
		}
		fake_log_count = 0;
	}
	assert_int_equal(overruns[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FRAMED(test_typing_for_a_vm),
	        FRAMED(test_input_needs_credit),
	        FRAMED(test_typing_for_one_that_is_off),
	        FRAMED(test_nothing_is_lost_at_115200),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
