// SPDX-License-Identifier: Apache-2.0
// Hundreds of VMs on one wire: everybody is heard, in plain mode and framed, and no call does more for it.
#define NR_VMS 300
#include "test_link_host.h"

static void all_say(const char *text)
{
	for (unsigned i = 0; i < NR_VMS; i++)
		for (const char *p = text; *p != '\0'; p++)
			(void)guest_put(i, *p);
}

static unsigned count_text(const char *text)
{
	unsigned n = 0;

	for (const char *p = wire; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

static void test_all_are_heard(void **state)
{
	(void)state;
	all_say("hello\n");
	settle();
	assert_int_equal(count_text("] hello\r\n"), NR_VMS);
	forget_wire();
	all_say("login: "); // all at once, and all of them wait for their pause
	wait_ms(400);
	assert_int_equal(count_text("] login: "), NR_VMS);
	forget_wire();
	type_keys("\x1d"
	          "1");
	all_say("unseen\n");
	forget_wire();
	type_keys("\x1d"
	          "a");
	wait_ms(200);
	assert_in_range(count_text("unseen\r\n"), NR_VMS - 1, NR_VMS);
	assert_int_equal(bitset_next(&vcons_marked, 0), BITSET_NONE);
	forget_wire();
}

// One that prints without end does not keep the others waiting.
static void test_turns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++)
		(void)guest_put(7, i % 50 == 49 ? '\n' : 'x');
	for (unsigned i = 0; i < NR_VMS; i++)
		if (i != 7)
			(void)guest_put(i, '\n');
	uart_room = NR_VMS * 20;
	settle();
	assert_in_range(count_text("[rtos"), NR_VMS - 20, NR_VMS * 2);
	uart_room = SIZE_MAX;
	forget_wire();
}

static void test_work_is_bounded(void **state)
{
	(void)state;
	all_say("some text\nand more");
	for (unsigned i = 0; i < NR_VMS; i++)
		bitset_add(&vcons_waiting, i);
	uint64_t told = 0;
	for (unsigned i = 0; i < NR_VMS; i++)
		told -= drained[i];
	size_t before = wire_count;
	console_drain(CONSOLE_BUDGET);
	assert_in_range(wire_count - before, 1, CONSOLE_BUDGET);
	for (unsigned i = 0; i < NR_VMS; i++)
		told += drained[i];
	assert_in_range(told, 1, 32);
	wait_ms(500);
	for (unsigned i = 0; i < NR_VMS; i++)
		assert_int_not_equal(drained[i], 0);
	forget_wire();
}

static void test_framed(void **state)
{
	(void)state;
	struct entry entry;
	unsigned n = 0;
	greet();
	bool more = true;
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].type != FRAME_DIRECTORY)
			continue;
		assert_true(more);
		assert_int_equal((got[i].payload[0] & FRAME_DIRECTORY_RESET) != 0, n++ == 0);
		more = (got[i].payload[0] & FRAME_DIRECTORY_MORE) != 0;
	}
	assert_false(more);
	static uint16_t channels[NR_VMS + 1];
	for (n = 0; entry_at(n, &entry); n++)
		if (entry.kind == FRAME_KIND_CONSOLE)
			channels[entry.id] = entry.channel;
	assert_int_equal(n, NR_VMS + 2);
	for (unsigned i = 1; i <= NR_VMS; i++)
		send_open(channels[i], 1000, 0);
	receive_frames();
	all_say("hello\n");
	settle();
	receive_frames();
	for (unsigned i = 1; i <= NR_VMS; i++) {
		gather(channels[i], 0);
		assert_string_equal(stream, "hello\n");
	}
	vms[200]->state = VM_OFF;
	console_vms_changed();
	settle();
	receive_frames();
	assert_true(entry_at(0, &entry));
	assert_int_equal(entry.id, 201);
	assert_false(entry_at(1, &entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        PLAIN(test_all_are_heard),
	        PLAIN(test_turns),
	        PLAIN(test_work_is_bounded),
	        PLAIN(test_framed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
