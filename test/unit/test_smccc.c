// SPDX-License-Identifier: Apache-2.0
// Calls of a guest: every identifier there is against a list of its own, the conduits, the firmware's
// workarounds, random numbers, and the line to the log with every bound crossed.
#include <stdio.h>

#include "fdt/board.h"
#include "hw/psci_client.h"
#include "hw/timer.h"
#include "ram_arena.h"
#include "trap/trap.h"
#include "vcpu_bench.h"
#include "vm/pvtime.h"

#define PC UINT64_C(0xffff800010001000)

#define MEZZO_LOG UINT64_C(0xc6000003)

static int open_arena(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(16));
	return 0;
}

// What firmware there is below Mezzo; NULL: none.
static void firmware_is(uint64_t (*hook)(bool hvc, const uint64_t in[8]))
{
	static struct board board;
	fake_smccc_hook = NULL; // while it is asked for its version
	board.psci.conduit = hook != NULL ? BOARD_PSCI_SMC : BOARD_PSCI_NONE;
	board.psci.standard = true;
	psci_client_init(&board);
	fake_smccc_hook = hook;
}

static int setup(void **state)
{
	bench_setup(state);
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	features_probe(true);
	stage2_init();
	fake_set_sysreg("cntfrq_el0", 1000);
	timer_init(0);
	firmware_is(NULL);
	assert_int_equal(stage2_create(&vm.stage2, 3, vm.ram_base, vm.ram_size), 0);
	assert_int_equal(pvtime_create(&vm), 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	while (stage2_destroy_some(&vm.stage2) || pages_scrub_some(&vm.pages))
		;
	return 0;
}

static uint64_t hvc(uint64_t x0)
{
	vcpu->frame.pc = PC;
	vcpu->frame.x[0] = x0;
	smccc_hvc(vcpu, field_put(ESR_EC, EC_HVC64) | ESR_IL);
	assert_int_equal(vcpu->frame.pc, PC); // the hardware has moved on already
	return vcpu->frame.x[0];
}

// ---- which calls there are ----

static bool exists(uint32_t id)
{
	static const uint32_t ids[] = {
	        0x80000000, 0x80000001, 0x80008000, 0x80007fff, 0x80003fff, // architecture
	        0x84000000, 0x84000001, 0x84000002, 0x84000003, 0x84000004,
	        0x84000006, 0x84000008, 0x84000009, 0x8400000a, 0x84000012,
	        0xc4000001, 0xc4000003, 0xc4000004, 0xc4000012, // PSCI
	        0xc5000021,                                     // stolen time
	        0x8600ff01, 0x8600ff03,                         // who the hypervisor is
	        0xc6000000, 0xc6000001, 0xc6000002, 0xc6000003, // Mezzo's own
	};
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		if (ids[i] == id)
			return true;
	return false;
}

// Without FEAT_RNG there is no random number service: known, and not supported. The same for the question
// after a feature of stolen time that does not exist.
static bool is_known(uint32_t id)
{
	return (id >= 0x84000050 && id <= 0x84000053) || id == 0xc4000053 || id == 0xc5000020;
}

static void try_id(uint32_t id)
{
	uint64_t unknown = vcpu->unknown_calls;
	for (unsigned i = 1; i < 31; i++)
		vcpu->frame.x[i] = 0x1000 + i;
	vcpu->frame.x[30] = 0x1234;
	vcpu->waiting = false;
	uint64_t answer = hvc(id);
	for (unsigned i = 4; i < 31; i++) // x4..x17 are kept since SMCCC 1.1
		assert_int_equal(vcpu->frame.x[i], i == 30 ? 0x1234 : 0x1000 + i);
	if (exists(id)) {
		assert_int_equal(vcpu->unknown_calls, unknown);
	} else {
		if (answer != UINT64_MAX)
			fail_msg("call %#x answers %#lx", id, answer);
		assert_int_equal(vcpu->unknown_calls, unknown + !is_known(id));
		for (unsigned i = 1; i < 4; i++)
			assert_int_equal(vcpu->frame.x[i], 0x1000 + i);
	}
	vm.state = VM_RUNNING;
	for (unsigned i = 0; i < BENCH_VCPUS; i++)
		vcpus[i].request = 0;
}

static void test_every_identifier(void **state)
{
	(void)state;
	// Fast and yielding, both widths, each owner: the low numbers and what lies around the others.
	for (uint32_t top = 0; top < 256; top++) {
		for (uint32_t n = 0; n < 0x60; n++)
			try_id(top << 24 | n);
		static const uint32_t others[] = {
		        0x3ffe, 0x3fff, 0x4000, 0x7ffe, 0x7fff,  0x8000,  0x8001,   0xff00,  0xff01,
		        0xff02, 0xff03, 0xff04, 0xffff, 0x10000, 0x10003, 0x800000, 0xff0003};
		for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
			try_id(top << 24 | others[i]);
	}
	for (uint32_t n = 0; n < 65536; n += 7) {
		try_id(0x84000000 | n);
		try_id(0xc4000000 | n);
		try_id(0x80000000 | n);
		try_id(0xc6000000 | n);
		try_id(0x86000000 | n);
		try_id(n);
	}
}

static void test_the_upper_half_of_x0_is_not_looked_at(void **state)
{
	(void)state;
	assert_int_equal(hvc(UINT64_C(0xabcdef0180000000)), 0x10002);
}

static void test_other_immediates(void **state)
{
	(void)state;
	for (unsigned imm = 1; imm < 65536; imm += 13) {
		vcpu->frame.pc = PC;
		vcpu->frame.x[0] = 0x80000000;
		smccc_hvc(vcpu, ESR_IL | imm);
		assert_int_equal(vcpu->frame.x[0], UINT64_MAX);
		assert_int_equal(vcpu->frame.pc, PC);
		vcpu->frame.x[0] = 0x80000000;
		smccc_smc(vcpu, ESR_IL | imm);
		assert_int_equal(vcpu->frame.x[0], UINT64_MAX);
		assert_int_equal(vcpu->frame.pc, PC + 4);
	}
}

static uint64_t never(bool hvc_used, const uint64_t in[8])
{
	(void)hvc_used;
	fail_msg("call %#lx went to the firmware", (unsigned long)in[0]);
	return 0;
}

static void test_smc_is_served_here(void **state)
{
	static const uint32_t ids[] = {0x80000000, 0x84000000, 0x84000008, 0xc4000003, 0x82000001,
	                               0xc3000000, 0xb2000001, 0x84000053, 0xc6000003};
	(void)state;
	firmware_is(never);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		vm.state = VM_RUNNING;
		vcpu->frame.pc = PC;
		vcpu->frame.x[0] = ids[i];
		vcpu->frame.x[1] = vcpu->frame.x[2] = 0;
		smccc_smc(vcpu, field_put(ESR_EC, EC_SMC64) | ESR_IL);
		assert_int_equal(vcpu->frame.pc, PC + 4); // a trapped SMC has not been executed
	}
}

// ---- Arm architecture calls ----

#define WORKAROUND_1 0x80008000
#define WORKAROUND_2 0x80007fff
#define WORKAROUND_3 0x80003fff

static uint64_t features_of(uint64_t id)
{
	vcpu->frame.x[1] = id;
	return hvc(0x80000001);
}

static void test_architecture_features(void **state)
{
	(void)state;
	assert_int_equal(hvc(0x80000000), 0x10002);
	assert_int_equal(features_of(0x80000000), 0);
	assert_int_equal(features_of(0x80000001), 0);
	assert_int_equal(features_of(UINT64_C(0xffffffff80000001)), 0);
	assert_int_equal(features_of(0x80000002), UINT64_MAX);
	assert_int_equal(features_of(0x84000000), UINT64_MAX);
	assert_int_equal(features_of(0), UINT64_MAX);
}

static uint32_t asked, calls, answer;

static uint64_t some_firmware(bool hvc_used, const uint64_t in[8])
{
	assert_false(hvc_used);
	if (in[0] == 0x80000001) {
		asked = (uint32_t)in[1];
		return answer;
	}
	if (in[0] == WORKAROUND_1 || in[0] == WORKAROUND_2 || in[0] == WORKAROUND_3)
		calls++;
	else
		return UINT64_MAX;
	return 0;
}

static void test_workarounds(void **state)
{
	static const uint32_t ids[] = {WORKAROUND_1, WORKAROUND_2, WORKAROUND_3};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		// An in-order core needs none.
		fake_set_sysreg("midr_el1", 0x410fd034);
		firmware_is(never);
		assert_int_equal(features_of(ids[i]), 1);
		assert_int_equal(hvc(ids[i]), 0);
		// Another asks its firmware, and without one there is nothing to offer.
		fake_set_sysreg("midr_el1", 0x410fd083);
		firmware_is(NULL);
		assert_int_equal(features_of(ids[i]), UINT64_MAX);
		firmware_is(some_firmware);
		answer = 0;
		assert_int_equal(features_of(ids[i]), 0);
		assert_int_equal(asked, ids[i]);
		calls = 0;
		hvc(ids[i]);
		assert_int_equal(calls, 1);
		answer = UINT32_MAX; // -1 in 32 bits
		assert_int_equal(features_of(ids[i]), UINT64_MAX);
		hvc(ids[i]);
		assert_int_equal(calls, 1);
	}
	answer = 0;
	fake_set_sysreg("id_aa64pfr0_el1", UINT64_C(1) << 56); // CSV2
	assert_int_equal(features_of(WORKAROUND_1), 1);
	assert_int_equal(features_of(WORKAROUND_3), 0);
}

// ---- stolen time ----

#define PV_TIME_FEATURES 0xc5000020
#define PV_TIME_ST       0xc5000021

static uint64_t pv_time_has(uint64_t id)
{
	vcpu->frame.x[1] = id;
	return hvc(PV_TIME_FEATURES);
}

static void test_stolen_time(void **state)
{
	(void)state;
	assert_int_equal(features_of(PV_TIME_FEATURES), 0);
	assert_int_equal(features_of(PV_TIME_ST), UINT64_MAX); // asked for at the other call
	assert_int_equal(pv_time_has(PV_TIME_FEATURES), 0);
	assert_int_equal(pv_time_has(PV_TIME_ST), 0);
	assert_int_equal(pv_time_has(UINT64_C(0xabcdef0000000000) | PV_TIME_ST), 0);
	assert_int_equal(pv_time_has(0xc5000022), UINT64_MAX);
	assert_int_equal(pv_time_has(0x85000021), UINT64_MAX);
	assert_int_equal(pv_time_has(0), UINT64_MAX);
	for (unsigned i = 0; i < BENCH_VCPUS; i++) {
		vcpus[i].frame.x[0] = PV_TIME_ST;
		smccc_hvc(&vcpus[i], field_put(ESR_EC, EC_HVC64) | ESR_IL);
		assert_int_equal(vcpus[i].frame.x[0], 0x090a0000 + 64 * i);
	}
	assert_int_equal(hvc(0x85000021), UINT64_MAX); // there is no 32-bit form
	vm.pvtime = NULL;
	assert_int_equal(features_of(PV_TIME_FEATURES), UINT64_MAX);
	assert_int_equal(pv_time_has(PV_TIME_FEATURES), UINT64_MAX);
	assert_int_equal(pv_time_has(PV_TIME_ST), UINT64_MAX);
	assert_int_equal(hvc(PV_TIME_ST), UINT64_MAX);
}

// ---- who is there ----

static void test_the_hypervisor_says_who_it_is(void **state)
{
	(void)state;
	vcpu->id = 2;
	assert_int_equal(hvc(0x8600ff01), 0x523a1f6b);
	assert_int_equal(vcpu->frame.x[1], 0x874d0e9c);
	assert_int_equal(vcpu->frame.x[2], 0x702ea4b5);
	assert_int_equal(vcpu->frame.x[3], 0x63f9d8c1);
	assert_int_equal(hvc(0xc6000000), 1);
	assert_int_equal(vcpu->frame.x[1], 7);
	assert_int_equal(hvc(0xc6000001), 0);
	assert_int_equal(hvc(0xc6000002), 3);
	assert_int_equal(vcpu->frame.x[1], 2);
}

// ---- random numbers ----

static unsigned words_left;
static uint64_t next_word;

static bool random_source(uint64_t *value)
{
	*value = next_word++;
	return words_left-- != 0;
}

static void with_random_numbers(void)
{
	fake_set_sysreg("id_aa64isar0_el1", UINT64_C(1) << 60);
	features_probe(true);
	fake_random_hook = random_source;
	words_left = 1000000;
	next_word = UINT64_C(0xf1f2f3f4f5f6f7f8);
}

static uint64_t draw(uint64_t id, uint64_t bits)
{
	vcpu->frame.x[1] = bits;
	vcpu->frame.x[2] = vcpu->frame.x[3] = 0x99;
	return hvc(id);
}

static void test_no_source_no_service(void **state)
{
	static const uint64_t ids[] = {0x84000050, 0x84000051, 0x84000052, 0x84000053, 0xc4000053};
	(void)state;
	fake_random_hook = random_source;
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(draw(ids[i], 32), UINT64_MAX);
	assert_int_equal(vcpu->unknown_calls, 0);
}

static void test_random_numbers(void **state)
{
	(void)state;
	with_random_numbers();
	assert_int_equal(hvc(0x84000050), 0x10000);
	static const uint64_t known[] = {0x84000050, 0x84000051, 0x84000052, 0x84000053,
	                                 0xc4000053};
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		vcpu->frame.x[1] = known[i];
		assert_int_equal(hvc(0x84000051), 0);
	}
	vcpu->frame.x[1] = 0x84000054;
	assert_int_equal(hvc(0x84000051), UINT64_MAX);
	static const struct {
		uint64_t id;
		unsigned width;
	} calls_[] = {{0x84000053, 32}, {0xc4000053, 64}};
	for (unsigned c = 0; c < 2; c++) {
		unsigned width = calls_[c].width;
		for (unsigned bits = 0; bits <= 3 * width + 1; bits++) {
			uint64_t first = next_word;
			uint64_t result = draw(calls_[c].id, bits);
			if (bits == 0 || bits > 3 * width) {
				assert_int_equal((int64_t)result, -2);
				assert_int_equal(next_word, first);
				continue;
			}
			assert_int_equal(result, 0);
			for (unsigned w = 0; w < 3; w++) { // x3 has the lowest
				unsigned from = w * width, n = bits <= from ? 0 : bits - from;
				uint64_t mask =
				        n >= width ? UINT64_MAX >> (64 - width) : BIT_U64(n) - 1;
				assert_int_equal(vcpu->frame.x[3 - w], (first + w) & mask);
			}
			assert_int_equal(next_word - first, (bits + width - 1) / width);
		}
	}
	assert_int_equal((int64_t)draw(0xc4000053, UINT64_MAX), -2);
	assert_int_equal(draw(0x84000053, UINT64_C(0x500000020)), 0); // W1 alone
}

static void test_the_source_is_dry(void **state)
{
	(void)state;
	with_random_numbers();
	for (unsigned n = 0; n < 3; n++) {
		words_left = n;
		assert_int_equal((int64_t)draw(0xc4000053, 192), -3);
		assert_int_equal(vcpu->frame.x[2], 0x99); // nothing of what was drawn gets out
		assert_int_equal(vcpu->frame.x[3], 0x99);
	}
}

// ---- a line to the log ----

static uint64_t say(uint64_t ipa, uint64_t length)
{
	said[0] = 0;
	vcpu->frame.x[1] = ipa;
	vcpu->frame.x[2] = length;
	fake_set_sysreg("cntpct_el0", fake_get_sysreg("cntpct_el0") + 1000); // a second later
	return hvc(MEZZO_LOG);
}

static void guest_memory(uint64_t ipa, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		uint64_t left;
		*(char *)stage2_pointer(&vm.stage2, IPA(ipa + i), &left) = text[i];
	}
}

static void test_a_line(void **state)
{
	(void)state;
	guest_memory(vm.ram_base + 0x100, "hello", 5);
	assert_int_equal(say(vm.ram_base + 0x100, 5), 0);
	assert_string_equal(said, "guest: vCPU 0 says: hello\n");
	assert_int_equal(say(vm.ram_base + 0x100, 0), 0);
	assert_string_equal(said, "guest: vCPU 0 says: \n");
	assert_int_equal(say(vm.ram_base + vm.ram_size, 0), 0); // nothing of nothing
}

static void test_lengths_of_a_line(void **state)
{
	char text[200], expected[300];
	(void)state;
	memset(text, 'x', sizeof text);
	uint64_t ipa = vm.ram_base + PAGE_SIZE - 100; // two pages, of two chunks
	guest_memory(ipa, text, sizeof text);
	for (uint64_t length = 0; length <= 160; length++) {
		assert_int_equal(say(ipa, length), 0);
		snprintf(expected, sizeof expected, "guest: vCPU 0 says: %.*s\n", (int)length,
		         text);
		assert_string_equal(said, expected);
	}
	static const uint64_t long_ones[] = {
	        161, 255, 256, 4096, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX - 1, UINT64_MAX};
	for (unsigned i = 0; i < ARRAY_SIZE(long_ones); i++) {
		assert_int_equal((int64_t)say(ipa, long_ones[i]), -2);
		assert_string_equal(said, "");
	}
}

static void test_a_line_is_in_ram(void **state)
{
	(void)state;
	uint64_t end = vm.ram_base + vm.ram_size;
	const struct {
		uint64_t ipa, length;
	} bad[] = {
	        {0, 1},          {vm.ram_base - 1, 1},  {vm.ram_base - 1, 2}, {end, 1},
	        {end - 1, 2},    {end - 100, 160},      {UINT64_MAX, 1},      {UINT64_MAX - 3, 160},
	        {0x9000000, 16}, {UINT64_C(1) << 52, 8}};
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal((int64_t)say(bad[i].ipa, bad[i].length), -3);
		assert_string_equal(said, "");
	}
	assert_int_equal(say(end - 1, 1), 0);
	assert_int_equal(say(vm.ram_base, 160), 0); // not touched before: it is there all the same
}

static void test_no_memory_for_a_line(void **state)
{
	struct page_list taken = {0};
	(void)state;
	ram_arena_exhaust(&taken, 0);
	assert_int_equal((int64_t)say(vm.ram_base + MIB(9), 10), -3);
	ram_arena_release(&taken);
}

static void test_a_line_cannot_move_the_cursor(void **state)
{
	char text[160], expected[161] = {0};
	(void)state;
	for (unsigned base = 0; base < 256; base += 128) {
		for (unsigned i = 0; i < 128; i++) {
			unsigned char c = (unsigned char)(base + i);
			text[i] = (char)c;
			expected[i] = c >= ' ' && c <= '~' ? (char)c : '.';
		}
		guest_memory(vm.ram_base, text, 128);
		assert_int_equal(say(vm.ram_base, 128), 0);
		assert_memory_equal(said + strlen("guest: vCPU 0 says: "), expected, 128);
		assert_int_equal(strlen(said), strlen("guest: vCPU 0 says: ") + 129);
	}
	guest_memory(vm.ram_base, "%s%n%p%x", 8);
	assert_int_equal(say(vm.ram_base, 8), 0);
	assert_non_null(strstr(said, "says: %s%n%p%x\n"));
}

// A million calls that nothing answers: ten lines a second, the others counted.
static void test_a_flood(void **state)
{
	(void)state;
	unsigned lines = 0;
	for (unsigned second = 0; second < 20; second++) {
		for (unsigned i = 0; i < 50000; i++) {
			said[0] = 0;
			fake_set_sysreg("cntpct_el0", 5000 + second * 1000 + i / 50);
			assert_int_equal(hvc(0x82000000 + i % 100), UINT64_MAX);
			for (const char *c = said; *c != 0; c++)
				lines += *c == '\n';
			if (i == 0 && second > 0)
				assert_non_null(strstr(said, "49990 "));
		}
	}
	assert_int_equal(lines, 20 * 10 + 19);
	assert_int_equal(vcpu->unknown_calls, 1000000);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_identifier),
	        TEST(test_the_upper_half_of_x0_is_not_looked_at),
	        TEST(test_other_immediates),
	        TEST(test_smc_is_served_here),
	        TEST(test_architecture_features),
	        TEST(test_workarounds),
	        TEST(test_stolen_time),
	        TEST(test_the_hypervisor_says_who_it_is),
	        TEST(test_no_source_no_service),
	        TEST(test_random_numbers),
	        TEST(test_the_source_is_dry),
	        TEST(test_a_line),
	        TEST(test_lengths_of_a_line),
	        TEST(test_a_line_is_in_ram),
	        TEST(test_no_memory_for_a_line),
	        TEST(test_a_line_cannot_move_the_cursor),
	        TEST(test_a_flood),
	};
	return cmocka_run_group_tests(tests, open_arena, NULL);
}
