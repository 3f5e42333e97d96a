// SPDX-License-Identifier: Apache-2.0
// The shell: line editing, completion, commands, answers to programs, output that is never lost.
#include "debug/commands_debug.h"
#include "json.h"
#include "main/commands_life.h"
#include "main/life.h"
#include "test_console_board.h"
#include "vdev/vbcm2835_scan.h"

// ---- what the commands call ----

static const char *refusal; // what life_*() and config_create() say
static char asked[64];      // which of them was asked, for what
static bool vanish;         // the VM is gone when the command comes to its next step

static const char *ask(const char *what, const char *name)
{
	snprintf(asked, sizeof asked, "%s %s", what, name);
	return refusal;
}
#define LIFE(word)                             \
	const char *life_##word(struct vm *vm) \
	{                                      \
		return ask(#word, vm->name);   \
	}
LIFE(start)
LIFE(stop)
LIFE(kill)
LIFE(pause)
LIFE(resume)
LIFE(restart)
LIFE(destroy)
const char *config_create(const char *name, const char *from, struct vm **made)
{
	char both[64];
	snprintf(both, sizeof both, "%s from %s", name, from);
	*made = vms[1];
	return ask("create", both);
}

bool vbcm2835_fb_view(struct vm *vm, struct vbcm2835_fb_view *view)
{
	(void)vm;
	(void)view;
	return false;
}
int vbcm2835_scan(struct vm *vm, const struct vbcm2835_fb_view *view, uint32_t x, uint32_t y,
                  uint32_t count, uint8_t *rgb)
{
	(void)vm;
	(void)view;
	(void)x;
	(void)y;
	(void)count;
	(void)rgb;
	return ERR_FAULT;
}

// No device is found here, so their drivers never get so far.
struct cpu boot_cpu;
pa_t pages_alloc(unsigned order, uint16_t owner, enum page_state state, struct page_list *list)
{
	(void)order;
	(void)owner;
	(void)state;
	(void)list;
	return PA(0);
}
void pages_free(pa_t chunk, struct page_list *list)
{
	(void)chunk;
	(void)list;
}
int el2map_device(pa_t base, uint64_t size)
{
	(void)base;
	(void)size;
	return ERR_NO_MEMORY;
}

// A command that goes on for ever, saying odd things, and one that counts its ends.
#ifndef ENDLESS_STEPS
#define ENDLESS_STEPS UINT32_MAX // a fuzz target, which may find the word, has less patience
#endif
static unsigned endings;
static bool command_endless(struct shell_job *job)
{
	if (job->step == 0)
		answer_list(&job->out, "lines");
	answer_item(&job->out, "\x01\"\\\n\xff", 5);
	if (vanish && job->vm != NULL)
		job->vm->serial++;
	return job->step < ENDLESS_STEPS;
}
static void end_endless(struct shell_job *job)
{
	(void)job;
	endings++;
}
static bool command_flood(struct shell_job *job)
{
	char text[600];
	memset(text, job->step % 2 ? '\x02' : 'x', sizeof text);
	if (job->step == 0)
		answer_list(&job->out, "lines");
	answer_item(&job->out, text, sizeof text);
	answer_item(&job->out, text, sizeof text);
	return job->step < 40;
}
const struct shell_command commands_debug[] = {
        {"endless", "NAME", "", command_endless, 1, 1, .takes_vm = true, .end = end_endless},
        {"flood", "", "", command_flood, .most = 0},
        {0},
};

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_shell, teardown)

static int setup_shell(void **state)
{
	shell_init(commands_all);
	refusal = NULL;
	vanish = false;
	endings = 0;
	return setup(state);
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
	assert_non_null(strstr(wire, "\r\n  the board runs 00:00:0"));
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
	type_keys("info linus\r");
	expect_wire("info linus\r\n"
	            "linus: there is no VM of this name; did you mean linux?\r\nmezzo> ");
	type_keys("info 3\r");
	expect_wire("info 3\r\n3: there is no VM of this name; vm lists them\r\nmezzo> ");
	type_keys("uptime now\r");
	expect_wire("uptime now\r\nusage: uptime\r\nmezzo> ");
	type_keys("a b c d e f g h i j k\r");
	expect_wire("a b c d e f g h i j k\r\na: no such command; help lists them\r\nmezzo> ");
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
	vcpus[0]->exits_by_class[0x24] = 1000;
	vcpus[0]->exits_by_class[63] = 234;
	vms[1]->restarts = 3;
	enter_shell();
	type_keys("vm\r");
	wait_ms(10);
	assert_non_null(strstr(
	        wire, " ID NAME         STATE    VCPUS  MEMORY (USED)   CPU%   EXITS/s    UPTIME "
	              " RESTARTS\r\n"));
	assert_non_null(strstr(wire, "  1 linux        running      1     64M (0M)   "));
	assert_non_null(strstr(wire, "  2 rtos         running      1    128M (0M)   "));
	forget_wire();
	type_keys("info 2\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "rtos (number 2) is running\r\n"));
	assert_non_null(strstr(wire, "  restarts       3\r\n"));
	assert_non_null(strstr(wire, "  memory         128M\r\n"));
	assert_non_null(strstr(wire, "  VCPU POWER"));
	assert_non_null(strstr(wire, "at 0x40081234"));
	forget_wire();
	type_keys("exits linux\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "memory or device access (stage 2)            1000\r\n"));
	assert_non_null(strstr(wire, "interrupt                                     234\r\n"));
	assert_non_null(strstr(wire, "all                                          1234\r\n"));
	forget_wire();
	type_keys("mem\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "  free           1024M\r\n"));
	forget_wire();
	type_keys("help\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "info       NAME               what a VM is doing\r\n"));
	assert_non_null(strstr(wire, "create     NAME from TEMPLATE make a VM"));
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
		assert_true(found != NULL || i < 120); // the copy holds the newest 4 KiB
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

static void test_shell_edits_in_the_middle(void **state)
{
	(void)state;
	enter_shell();
	type_keys("uptme\x1b[D\x1b[D"
	          "i");
	expect_wire("uptme\b\bime\b\b");
	type_keys("\x01");
	expect_wire("\b\b\b\b");
	type_keys("\x1b[C\x06");
	expect_wire("up");
	type_keys("\x05");
	expect_wire("time");
	type_keys("\x1b[1~\x1b[3~"); // Home, Delete
	expect_wire("\b\b\b\b\b\bptime \b\b\b\b\b\b");
	type_keys("u\x1b[F"); // End
	expect_wire("uptime\b\b\b\b\bptime");
	type_keys("\x1bOD\x0b"); // Left, then the rest is cut
	expect_wire("\b \b");
	type_keys("\x1b[D\x7f");
	expect_wire("\b\bm \b\b");
	type_keys("\x1b[A\x15");
	forget_wire();
	type_keys("one two three\x1b[D\x1b[D\x17");
	expect_wire("one two three\b\b\b\b\bee   \b\b\b\b\b");
	type_keys("\x0b\x15\x1b[C\x1b[D\x1b[99999999999D\x1b[~\r");
	settle();
	assert_string_equal(wire + wire_count - 9, "\r\nmezzo> ");
	forget_wire();
	type_keys(
	        "uptime\x1b[\x03"); // a sequence that never ends does not swallow what a person types to get out
	assert_non_null(strstr(wire, "^C\r\nmezzo> "));
	forget_wire();
}

static void test_shell_completes_by_place(void **state)
{
	(void)state;
	enter_shell();
	type_keys("create x fr\t\t");
	expect_wire("create x from rtos "); // only rtos does not start by itself
	type_keys("\x15"
	          "uptime l\t");
	assert_non_null(strstr(wire, "uptime l"));
	assert_null(strstr(wire, "linux"));
	forget_wire();
	type_keys("\x15"
	          "help inf\t");
	assert_non_null(strstr(wire, "help info "));
	forget_wire();
	type_keys("\x15"
	          "info \t");
	assert_non_null(strstr(wire, "linux  rtos  \r\nmezzo> info "));
	type_keys("\x15");
	forget_wire();
}

static void test_shell_life(void **state)
{
	(void)state;
	static const struct {
		const char *line, *asked, *said;
	} rows[] = {
	        {"start rtos", "start rtos", "rtos: starts"},
	        {"stop 1", "stop linux", "linux: its power button is pressed"},
	        {"kill linux", "kill linux", "linux: is ended"},
	        {"pause linux", "pause linux", "linux: pauses"},
	        {"resume linux", "resume linux", "linux: goes on"},
	        {"restart linux", "restart linux", "linux: restarts"},
	        {"destroy 2", "destroy rtos", "rtos: is taken away"},
	        {"create a1 from rtos", "create a1 from rtos",
	         "a1: created from rtos as number 2; `start a1` starts it"},
	};
	enter_shell();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char said[128];
		type_keys(rows[i].line);
		forget_wire();
		type_keys("\r");
		wait_ms(5);
		snprintf(said, sizeof said, "\r\n%s\r\nmezzo> ", rows[i].said);
		expect_wire(said);
		assert_string_equal(asked, rows[i].asked);
	}
	refusal = "it is running: kill it first";
	type_keys("start linux\r");
	wait_ms(5);
	expect_wire("start linux\r\nlinux: it is running: kill it first\r\nmezzo> ");
	type_keys("create a1 off rtos\r");
	wait_ms(5);
	expect_wire("create a1 off rtos\r\nusage: create NAME from TEMPLATE\r\nmezzo> ");
	type_keys("create a1 from\r");
	wait_ms(5);
	expect_wire("create a1 from\r\nusage: create NAME from TEMPLATE\r\nmezzo> ");
}

// ---- programs ----

static char answer[1 << 16];

// What a program is answered, with the ring taken at `pace` bytes a round.
static const char *call_at(const char *line, unsigned pace)
{
	size_t n = 0;
	uint8_t byte;
	assert_true(shell_call(SHELL_LINK, line, strlen(line)));
	for (unsigned i = 0; i < 100000; i++) {
		shell_poll();
		for (unsigned k = 0; k < pace && ring_get(shell_answer(SHELL_LINK), &byte); k++) {
			assert_true(n < sizeof answer - 1);
			answer[n++] = (char)byte;
		}
		if (shell_answer_complete(SHELL_LINK) && ring_fill(shell_answer(SHELL_LINK)) == 0)
			break;
	}
	answer[n] = '\0';
	if (!json_valid(answer))
		fail_msg("no JSON: %s", answer);
	return answer;
}
static const char *call(const char *line)
{
	return call_at(line, UINT32_MAX);
}

static void test_programs_are_answered_in_json(void **state)
{
	(void)state;
	now += 10 * HZ;
	ran[0] = 5 * HZ;
	vcpus[0]->exits_by_class[0x24] = 1000;
	call("vm");
	assert_non_null(strstr(answer, "{\"vms\":[{\"number\":1,\"name\":\"linux\","
	                               "\"state\":\"running\",\"vcpus\":1,\"memory\":67108864,"
	                               "\"used\":0,\"cpu_percent\":49,\"exits_a_second\":99,"));
	call("vm --json");
	assert_non_null(strstr(answer, "\"cpu_percent\":0,\"exits_a_second\":0,"));
	vms[1]->state = VM_CRASHED;
	string_copy(vms[1]->crash_text, "\"bad\\\x07\xc3\xa4\"\n", sizeof vms[1]->crash_text);
	call("info rtos");
	assert_non_null(
	        strstr(answer, "\"crash\":\"\\\"bad\\\\\\u0007??\\\"\\n\",\"uptime_ms\":null"));
	assert_non_null(strstr(answer, "\"address\":\"0x40000000\""));
	assert_non_null(strstr(answer, "\"sched\":\"out\",\"cpu\":0,\"pin\":null,"));
	vms[1]->state = VM_RUNNING;
	call("mem");
	assert_non_null(strstr(answer, "{\"owner\":\"linux\",\"number\":1,\"memory\":4194304,"
	                               "\"tables\":16384,\"data\":65536,"));
	assert_non_null(strstr(answer, "\"total\":2159771648,"));
	call("free");
	assert_string_equal(answer, "{\"total\":2147483648,\"free\":1073741824,\"zeroed\":0,"
	                            "\"promised\":536870912}");
	call("start linux");
	assert_string_equal(answer, "{\"name\":\"linux\",\"number\":1,"
	                            "\"begun\":\"linux: starts\"}");
	call("create small from rtos");
	assert_non_null(strstr(answer, "{\"name\":\"small\",\"number\":2,\"begun\":"));
	call("exits linux");
	call("help");
	assert_non_null(strstr(answer, "{\"name\":\"help\",\"args\":\"[WORD]\","));
	call("disks");
	assert_string_equal(answer, "{\"disks\":[]}");
	call("devices");
	assert_string_equal(answer, "{\"devices\":[]}");
	call("try rng0");
	assert_string_equal(answer,
	                    "{\"error\":\"rng0: no such device; disks and devices list them\"}");
	call("uptime");
	log_line("a \"quoted\" line\twith a tab");
	call("log");
	assert_non_null(strstr(answer, "\"a \\\"quoted\\\" line\\u0009with a tab\"]}"));
}

static void test_balloon(void **state)
{
	(void)state;
	call("balloon linux 32M");
	assert_non_null(strstr(
	        answer, "linux has no balloon: its file would have to say `balloon = true`"));
	vms[0]->balloon = (struct vvirtio_balloon *)vms[0]; // only asked whether it is there
	vms[0]->committed = 100;
	vms[0]->returned = 36;
	call("balloon linux 32M");
	assert_string_equal(answer, "{\"memory\":67108864,\"asked\":33554432,\"left\":50331648,"
	                            "\"promised\":262144}");
	static const struct {
		const char *size;
		uint64_t bytes;
	} good[] = {
	        {"0", 0}, {"64M", MIB(64)}, {"4096", 4096}, {"12k", KIB(12)}, {"65536K", MIB(64)}};
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		char line[64];
		snprintf(line, sizeof line, "balloon linux %s", good[i].size);
		call(line);
		assert_int_equal(balloon_asked, good[i].bytes);
	}
	static const char *const bad[] = {
	        "x", "M", "-1", "1MB", "1X", "1M1", "99999999999999999999G"};
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char line[64];
		snprintf(line, sizeof line, "balloon linux %s", bad[i]);
		call(line);
		assert_non_null(strstr(answer, "no size; write for example `balloon linux 256M`"));
	}
	call("balloon linux 65M");
	assert_non_null(strstr(answer, "65M: that is more than linux has"));
	call("balloon linux");
	assert_int_equal(balloon_asked, MIB(64));
	vms[0]->balloon = NULL;
	vms[0]->committed = vms[0]->returned = 0;
}

static void test_programs_are_told_what_is_wrong(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	        {"", "{\"error\":\"there is no command in this line; help lists them\"}"},
	        {"   ", "{\"error\":\"there is no command in this line; help lists them\"}"},
	        {"--json", "{\"error\":\"there is no command in this line; help lists them\"}"},
	        {"vmm", "{\"error\":\"vmm: no such command; did you mean vm?\"}"},
	        {"\"\\\x01\xff",
	         "{\"error\":\"\\\"\\\\\\u0001?: no such command; help lists them\"}"},
	        {"info", "{\"error\":\"usage: info NAME\"}"},
	        {"info lnux",
	         "{\"error\":\"lnux: there is no VM of this name; did you mean linux?\"}"},
	        {"con linux", "{\"error\":\"con is for the person at the console; a program opens "
	                      "the channel of a VM\"}"},
	        {"reboot", "{\"error\":\"2 VMs are running: `reboot now` resets the board under "
	                   "them\"}"},
	        {"reboot later", "{\"error\":\"later: reboot knows only one word, now\"}"},
	        {"help me", "{\"commands\":[],\"error\":\"me: no such command; help lists them\"}"},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(call(rows[i][0]), rows[i][1]);
	refusal = "it is \"off\"";
	assert_string_equal(call("stop linux"), "{\"error\":\"linux: it is \\\"off\\\"\"}");
	char line[300];
	memset(line, 'v', sizeof line);
	assert_true(shell_call(SHELL_LINK, line, sizeof line));
	shell_poll();
	assert_true(shell_answer_complete(SHELL_LINK));
	assert_false(shell_call(SHELL_LINK, "vm", 2)); // nobody has taken the answer
	uint8_t byte;
	size_t n = 0;
	while (ring_get(shell_answer(SHELL_LINK), &byte))
		answer[n++] = (char)byte;
	answer[n] = '\0';
	assert_string_equal(answer, "{\"error\":\"the line is longer than 127 bytes\"}");
}

static void test_answers_wait_for_room(void **state)
{
	(void)state;
	char *whole = strdup(call("flood"));
	call_at("flood", 7);
	assert_string_equal(answer, whole);
	assert_true(strlen(whole) > 30000);
	free(whole);
}

static void test_a_vm_vanishes_under_a_command(void **state)
{
	(void)state;
	vanish = true;
	call("endless linux");
	assert_string_equal(answer, "{\"lines\":[\"\\u0001\\\"\\\\\\n?\"],\"error\":\"linux: it "
	                            "is gone, it was taken away meanwhile\"}");
	assert_int_equal(endings, 1);
	enter_shell();
	type_keys("endless rtos\r");
	wait_ms(10);
	expect_wire("endless rtos\r\n?\"\\\r\n?\r\n"
	            "rtos: it is gone, it was taken away meanwhile\r\nmezzo> ");
	assert_int_equal(endings, 2);
}

static void test_a_caller_goes_away(void **state)
{
	(void)state;
	assert_true(shell_call(SHELL_LINK, "endless linux", 13));
	for (unsigned i = 0; i < 1000; i++)
		shell_poll();
	assert_false(shell_answer_complete(SHELL_LINK));
	assert_false(shell_call(SHELL_LINK, "vm", 2));
	assert_false(shell_has_work()); // nobody makes room
	shell_call_abort(SHELL_LINK);
	assert_true(shell_has_work());
	shell_poll();
	assert_true(shell_answer_complete(SHELL_LINK));
	assert_int_equal(endings, 1);
	call("vm");
	assert_int_equal(strncmp(answer, "{\"vms\":[{", 9), 0);
	// Before its first step, and when nothing runs.
	assert_true(shell_call(SHELL_LINK, "endless linux", 13));
	shell_call_abort(SHELL_LINK);
	for (unsigned i = 0; i < 3; i++)
		shell_poll();
	assert_true(shell_answer_complete(SHELL_LINK));
	shell_call_abort(SHELL_LINK);
	shell_call_abort(SHELL_LINK);
	call("free");
}

// Programs in guests beside the one on the wire: those that are not read hold up themselves alone, and are told of nothing
// but their own answers.
static void test_programs_in_guests(void **state)
{
	const struct vsock_service *guests = &shell_for_guests;
	uint8_t bytes[64];

	(void)state;
	assert_true(guests->call(0, "endless linux", 13));
	for (unsigned i = 0; i < 1000; i++)
		shell_poll();
	assert_int_equal(told_callers, BIT_U32(0));
	assert_false(guests->complete(0));
	told_callers = 0;
	for (unsigned n = 1; n < VSOCK_SERVED; n++)
		assert_true(guests->call(n, n == 1 ? "vm" : "free", n == 1 ? 2 : 4));
	call("vm"); // on the wire, at the same time
	for (unsigned i = 0; i < 100; i++)
		shell_poll();
	assert_int_equal(told_callers, BIT_U32(VSOCK_SERVED) - BIT_U32(1));
	for (unsigned n = 1; n < VSOCK_SERVED; n++) {
		assert_true(guests->complete(n));
		assert_false(guests->call(n, "vm", 2)); // its answer was not taken
		assert_int_equal(guests->answer(n, bytes, 7), 7);
		assert_memory_equal(bytes, n == 1 ? "{\"vms\":" : "{\"", n == 1 ? 7 : 2);
		while (guests->answer(n, bytes, sizeof bytes) != 0)
			;
		assert_true(guests->call(n, "vm", 2));
	}
	guests->abort(0);
	for (unsigned i = 0; i < 100; i++)
		shell_poll();
	assert_int_equal(endings, 1);
	assert_true((told_callers & BIT_U32(0)) != 0); // it may call again
	assert_true(guests->call(0, "vm", 2));
}

static void test_a_person_and_a_program_at_once(void **state)
{
	(void)state;
	enter_shell();
	uart_room = 100; // slow: else it would be at it for ever
	type_keys("endless linux\r");
	char *alone = strdup(call("flood"));
	call_at("log", 50);
	call_at("help", 100);
	assert_string_equal(call("flood"), alone);
	free(alone);
	assert_int_equal(endings, 0);
	type_keys("typed ahead\x03"); // and not run
	uart_room = SIZE_MAX;
	wait_ms(50);
	assert_string_equal(wire + wire_count - 11, "^C\r\nmezzo> ");
	assert_int_equal(endings, 1);
	forget_wire();
	type_keys("vm --json\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "vm --json\r\n{\"vms\":[{\"number\":1,"));
	assert_string_equal(wire + wire_count - 11, "]}\r\nmezzo> ");
	forget_wire();
}

static void test_random_lines_are_answered(void **state)
{
	(void)state;
	static const char *const words[] = {"vm",   "info",   "linux", "rtos", "--json",
	                                    "\"",   "help",   "start", "1",    "log",
	                                    "from", "create", "\x1b"};
	srandom(3);
	for (unsigned i = 0; i < 2000; i++) {
		char line[200] = "";
		for (long k = random() % 8; k > 0; k--) {
			strcat(line, words[random() % (long)ARRAY_SIZE(words)]);
			strcat(line, random() % 4 ? " " : "");
		}
		call_at(line, (unsigned)(random() % 300) + 1);
	}
}

// Nets, ports and losses, for a person and for a program.
static void test_net(void **state)
{
	(void)state;
	enter_shell();
	type_keys("net\r");
	assert_non_null(strstr(wire, "lan0"));
	assert_non_null(strstr(wire, "linux.net0       lan0     52:54:00:12:34:56  yes "));
	call("net");
	assert_non_null(strstr(answer, "\"ports\":[{\"port\":\"linux.net0\",\"net\":\"lan0\","
	                               "\"mac\":\"52:54:00:12:34:56\","));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_shell_line_editing),
	        TEST(test_shell_edits_in_the_middle),
	        TEST(test_shell_suggests),
	        TEST(test_shell_completes),
	        TEST(test_shell_completes_by_place),
	        TEST(test_shell_commands),
	        TEST(test_shell_life),
	        TEST(test_shell_output_is_never_lost),
	        TEST(test_shell_prompt_comes_back),
	        TEST(test_shell_type_ahead),
	        TEST(test_shell_random_keys),
	        TEST(test_programs_are_answered_in_json),
	        TEST(test_balloon),
	        TEST(test_programs_are_told_what_is_wrong),
	        TEST(test_answers_wait_for_room),
	        TEST(test_a_vm_vanishes_under_a_command),
	        TEST(test_a_caller_goes_away),
	        TEST(test_programs_in_guests),
	        TEST(test_a_person_and_a_program_at_once),
	        TEST(test_net),
	        TEST(test_random_lines_are_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
