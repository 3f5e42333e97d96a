// SPDX-License-Identifier: Apache-2.0
// The framed link: files on their way to the host, from the offer to END, as docs/wire.md has it.
#include "test_link_host.h"

static uint16_t offer(void)
{
	const char *why;
	uint16_t number = console_file_begin("linux.png", 1, &why);

	assert_null(why);
	settle();
	receive_frames();
	assert_int_equal(channel_of("linux.png"), number);
	return number;
}

static void put_file(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		assert_true(ring_put(link_file_ring(), (uint8_t)('a' + i % 26)));
	cpu_post_local(CPU_WORK_CONSOLE);
	settle();
	receive_frames();
}

static void expect_end(uint16_t number, uint32_t position, const char *why)
{
	const struct got *end = find(FRAME_END, number);
	struct entry entry;
	bool told = false;

	assert_non_null(end);
	assert_int_equal(frame_get32(end->payload), position);
	assert_int_equal(end->payload[4], why != NULL ? FRAME_END_BROKEN : 0);
	assert_int_equal(end->length, FRAME_END_SIZE + (why != NULL ? strlen(why) : 0));
	assert_memory_equal(end->payload + FRAME_END_SIZE, why != NULL ? why : "",
	                    end->length - FRAME_END_SIZE);
	for (unsigned i = 0; entry_at(i, &entry); i++)
		told = told || (entry.channel == number && entry.state == FRAME_STATE_GONE);
	assert_true(told);
	assert_true(link_file_gone(number));
}

static void test_file(void **state)
{
	(void)state;
	uint16_t number = offer();
	put_file(600);
	assert_null(find(FRAME_DATA, number)); // not asked for
	assert_false(link_file_opened());
	send_open(number, 300, 0);
	receive_frames();
	assert_true(link_file_opened());
	assert_int_equal(credit_of(number), 0); // and takes nothing
	assert_int_equal(gather(number, 0), 300);
	send_open(number, 300, 0);
	expect_error(FRAME_OPEN, number, "sent once");
	assert_int_equal(stream[299], 'a' + 299 % 26);
	send_credit(number, 10000);
	receive_frames();
	assert_int_equal(gather(number, 300), 256); // the rest makes no whole frame
	console_file_end(number, NULL);
	settle();
	receive_frames();
	assert_int_equal(gather(number, 556), 44);
	expect_end(number, 600, NULL);
	console_file_end(number, "again"); // harmless
	send_credit(number, 20000);        // on its way when END came
	send(FRAME_CLOSE, number, NULL, 0);
	receive_frames();
	assert_null(find(FRAME_ERROR, number));
	send_open(number, 1, 0);
	expect_error(FRAME_OPEN, number, "no such channel");
	assert_int_not_equal(offer(), number);
}

static void test_broken_file(void **state)
{
	(void)state;
	const char *why;
	uint16_t number = offer();
	assert_int_equal(console_file_begin("rtos.png", 2, &why), 0);
	assert_non_null(strstr(why, "another file"));
	send_open(number, 100, 0);
	put_file(600);
	gather(number, 0);
	console_file_end(number, "the guest is gone");
	settle();
	receive_frames();
	expect_end(number, 100, "the guest is gone");
	// Nobody asks for this one, so nobody is told.
	number = offer();
	put_file(10);
	console_file_end(number, "too late");
	settle();
	receive_frames();
	assert_null(find(FRAME_END, number));
	assert_true(link_file_gone(number));
	// CLOSE is enough.
	number = offer();
	send_open(number, 100, 0);
	put_file(50);
	send(FRAME_CLOSE, number, NULL, 0);
	assert_true(link_file_gone(number));
	(void)offer();
}

static void test_file_needs_a_host(void **state)
{
	(void)state;
	const char *why;
	uint16_t number = offer();
	send_open(number, 100, 0);
	greet();
	assert_true(link_file_gone(number));
	assert_int_equal(channel_of("linux.png"), 0);
	number = offer();
	send(FRAME_BYE, 0, NULL, 0);
	assert_true(link_file_gone(number));
	assert_int_equal(console_file_begin("linux.png", 1, &why), 0);
	assert_non_null(strstr(why, "needs the framed wire"));
	// A host that knows nothing of files.
	uint8_t hello[FRAME_HELLO_SIZE] = {1, 1, 0, 0, FRAME_FEATURE_COMMANDS};
	host_sequence = 0;
	send(FRAME_HELLO, 0, hello, sizeof hello);
	assert_int_equal(console_file_begin("linux.png", 1, &why), 0);
	assert_non_null(strstr(why, "takes no files"));
}

// A port that is never silent: what was recorded until the time is over is in the file, and no more.
static void test_capture_ends(void **state)
{
	const struct shell_command *capture = &shell_capture_commands[0];
	static struct shell_job job;
	static char port[] = "linux.net0", seconds[] = "1";
	(void)state;

	job = (struct shell_job){.argc = 3, .argv = {NULL, port, seconds}};
	answer_begin(&job.out, &answer, true);
	board_records = 40;
	board_busy = true;
	board_ends = 0;
	assert_true(capture->run(&job));
	job.step++;
	settle();
	receive_frames();
	uint16_t number = channel_of("linux.net0.pcap");
	send_open(number, 1000, 0);
	for (unsigned i = 0; i < 2000;
	     i++) { // the host has no more room: nothing is done over and over
		if (capture->ready())
			assert_true(capture->run(&job));
		settle();
	}
	assert_false(capture->ready());
	assert_int_equal(board_ends, 0);
	wait_ms(1100);
	assert_true(capture->ready());
	assert_true(capture->run(&job)); // recording ends, whether there is room or not
	assert_int_equal(board_ends, 1);
	assert_false(capture->ready());
	send_credit(number, 1000000);
	bool more = true;
	for (unsigned i = 0; i < 2000 && more; i++) {
		settle();
		receive_frames();
		if (capture->ready())
			more = capture->run(&job);
		cpu_post_local(CPU_WORK_CONSOLE);
	}
	assert_false(more);
	capture->end(&job);
	assert_int_equal(board_records, 0);
	assert_int_equal(board_ends, 1);
	assert_non_null(find(FRAME_END, number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FRAMED(test_file),
	        FRAMED(test_broken_file),
	        FRAMED(test_file_needs_a_host),
	        FRAMED(test_capture_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
