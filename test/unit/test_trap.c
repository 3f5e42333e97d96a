// SPDX-License-Identifier: Apache-2.0
// Why a guest left and what follows: every exception class, AArch32 conditions and IT state, how far an
// instruction is passed over.
#include "hw/timer.h"
#include "trap/trap.h"
#include "vcpu_bench.h"

// ---- the handlers next door ----

static const char *called;
static uint64_t called_esr;

#define STUB(name)                               \
	void name(struct vcpu *of, uint64_t esr) \
	{                                        \
		assert_ptr_equal(of, vcpu);      \
		called = #name;                  \
		called_esr = esr;                \
	}
STUB(abort_data)
STUB(abort_instruction)
STUB(sysreg_trap)
STUB(smccc_hvc)
STUB(smccc_smc)

bool sysreg_trap_cp15(struct vcpu *of, uint64_t esr) // test_sysreg.c looks at the real one
{
	assert_ptr_equal(of, vcpu);
	(void)esr;
	return false;
}

#define PC   UINT64_C(0xffff800010001000)
#define VBAR UINT64_C(0xffff800010080000)

static void trap(uint64_t ec, uint64_t iss)
{
	called = NULL;
	fake_set_sysreg("esr_el2", field_put(ESR_EC, ec) | iss);
	fake_set_sysreg("vbar_el1", VBAR);
	fake_set_sysreg("esr_el1", 0x99);
	trap_handle(vcpu);
}

static bool got_undefined(void)
{
	return vcpu->frame.pc == VBAR + VECTOR_SPX && (fake_get_sysreg("esr_el1") & ~ESR_IL) == 0;
}

// ---- every class ----

static void test_every_class(void **state)
{
	static const struct {
		uint8_t ec;
		const char *handler; // a name, or what happens: "undefined", "advance", "fp"
	} known[] = {
	        {0x00, "undefined"},
	        {0x01, "advance"},
	        {0x03, "undefined"},
	        {0x04, "undefined"},
	        {0x05, "undefined"},
	        {0x06, "undefined"},
	        {0x07, "fp"},
	        {0x08, "undefined"},
	        {0x09, "undefined"},
	        {0x0c, "undefined"},
	        {0x0e, "undefined"},
	        {0x13, "undefined"},
	        {0x16, "smccc_hvc"},
	        {0x17, "smccc_smc"},
	        {0x18, "sysreg_trap"},
	        {0x19, "undefined"},
	        {0x1a, "undefined"},
	        {0x1d, "undefined"},
	        {0x20, "abort_instruction"},
	        {0x24, "abort_data"},
	};
	(void)state;
	for (unsigned ec = 0; ec < 64; ec++) {
		const char *expected = "crash";
		for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
			if (known[i].ec == ec)
				expected = known[i].handler;
		bench_reset();
		vcpu->frame.pc = PC;
		vcpu->cptr = CPTR_TFP;
		trap(ec, ESR_IL | 0x1abcd);
		assert_int_equal(vcpu->exits_by_class[ec], 1);
		if (strcmp(expected, "undefined") == 0) {
			assert_true(got_undefined());
		} else if (strcmp(expected, "advance") == 0) {
			assert_int_equal(vcpu->frame.pc, PC + 4);
		} else if (strcmp(expected, "fp") == 0) {
			assert_int_equal(vcpu->frame.pc, PC);
			assert_true(fake_cpu_this->fp_owner == vcpu);
		} else if (strcmp(expected, "crash") == 0) {
			assert_int_equal(vm.state, VM_ENDING);
			assert_int_equal(vm.end, VM_END_CRASH);
			assert_ptr_equal(vm.crashed, vcpu);
			assert_non_null(strstr(vm.crash_text, "exception class"));
			assert_true((vcpus[1].request & VCPU_REQ_STOP) != 0);
		} else {
			assert_string_equal(called, expected);
			assert_int_equal(called_esr, fake_get_sysreg("esr_el2"));
		}
		assert_true(vm.state == VM_RUNNING || strcmp(expected, "crash") == 0);
		assert_true(called == NULL || strcmp(called, expected) == 0);
	}
}

static void test_the_last_exits_are_kept(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		vcpu->frame.pc = PC + i * 8;
		fake_set_sysreg("far_el2", 1000 + i);
		trap(EC_WFX, i);
	}
	for (unsigned i = 84; i < 100; i++) {
		assert_int_equal(vcpu->history[i % 16].pc, PC + i * 8);
		assert_int_equal(vcpu->history[i % 16].far, 1000 + i);
		assert_int_equal(vcpu->history[i % 16].esr, field_put(ESR_EC, EC_WFX) | i);
	}
	assert_int_equal(vcpu->exits_by_class[EC_WFX], 100);
}

// Cores of a Raspberry Pi that wait in its start code look again after a while, whatever they wait with.
static void test_parked_cores(void **state)
{
	enum { WFI, WFE };
	(void)state;
	fake_set_sysreg("cntfrq_el0", 1000000);
	timer_init(0);
	vm.park_size = 0xd8;
	for (unsigned kind = WFI; kind <= WFE; kind++) {
		for (unsigned late = 0; late < 2; late++) {
			uint64_t now = late * 10 * timer_hz();
			fake_set_sysreg("cntpct_el0", now);
			vm.cntvoff = 0;
			vcpu->waiting = false;
			vcpu->frame.pc = 0x24;
			trap(EC_WFX, ESR_IL | kind);
			assert_int_equal(vcpu->frame.pc, 0x28);
			assert_true(vcpu->waiting);
			assert_int_equal(vcpu->wait_until - now, timer_from_ms(late ? 10 : 1));
		}
	}
	vcpu->waiting = false;
	vcpu->frame.pc = 0x80000; // a program's own WFE is none of that
	trap(EC_WFX, ESR_IL | WFE);
	assert_false(vcpu->waiting);
	vm.park_size = 0;
	vcpu->frame.pc = 0;
	trap(EC_WFX, ESR_IL | WFE);
	assert_false(vcpu->waiting);
	vcpu->wait_until = UINT64_MAX;
	trap(EC_WFX, ESR_IL | WFI);
	assert_true(vcpu->waiting);
	assert_int_equal(vcpu->wait_until, UINT64_MAX);
}

// ---- AArch32 ----

// For each condition, bit NZCV is set when it holds (Arm ARM, "Condition codes").
static const uint16_t holds[16] = {
        0xf0f0, 0x0f0f, // EQ: Z. NE
        0xcccc, 0x3333, // CS: C. CC
        0xff00, 0x00ff, // MI: N. PL
        0xaaaa, 0x5555, // VS: V. VC
        0x0c0c, 0xf3f3, // HI: C and not Z. LS
        0xaa55, 0x55aa, // GE: N is V. LT
        0x0a05, 0xf5fa, // GT: N is V, and not Z. LE
        0xffff, 0xffff, // AL, and the unconditional space
};

static const uint8_t conditional[] = {EC_CP15_32, EC_CP15_64, EC_CP14_32, EC_CP14_LS,
                                      EC_FPSIMD,  EC_CP10_ID, EC_CP14_64, EC_SMC32};

static void test_conditions(void **state)
{
	(void)state;
	for (unsigned c = 0; c < ARRAY_SIZE(conditional); c++) {
		for (unsigned cond = 0; cond < 16; cond++) {
			for (unsigned nzcv = 0; nzcv < 16; nzcv++) {
				uint64_t pstate = PSTATE_AARCH32 | (uint64_t)nzcv << 28;
				bool fp = conditional[c] == EC_FPSIMD;
				vcpu->frame.pstate = pstate;
				vcpu->frame.pc = 0x10000;
				vcpu->cptr = CPTR_TFP;
				fake_cpu_this->fp_owner = NULL;
				trap(conditional[c], ESR_IL | ISS_CV | field_put(ISS_COND, cond));
				if ((holds[cond] >> nzcv & 1) == 0) { // it does nothing
					assert_int_equal(vcpu->frame.pc, 0x10004);
					assert_int_equal(vcpu->frame.pstate, pstate);
					assert_null(fake_cpu_this->fp_owner);
				} else if (fp) {
					assert_int_equal(vcpu->frame.pc, 0x10000);
					assert_ptr_equal(fake_cpu_this->fp_owner, vcpu);
				} else {
					assert_int_equal(vcpu->frame.pc, VBAR + 0x600);
				}
			}
		}
	}
}

// T32: where the syndrome does not tell, the IT state does.
static void test_conditions_from_the_it_state(void **state)
{
	(void)state;
	for (unsigned it = 0; it < 256; it++) {
		for (unsigned nzcv = 0; nzcv < 16; nzcv++) {
			bool in_block = (it & 15) != 0;
			if (!in_block && it != 0)
				continue; // no such state
			vcpu->frame.pstate = PSTATE_AARCH32 | PSTATE_T32 | (uint64_t)nzcv << 28 |
			                     (uint64_t)(it & 3) << 25 | (uint64_t)(it >> 2) << 10;
			vcpu->frame.pc = 0x10000;
			trap(EC_CP15_32,
			     field_put(ISS_COND, 1)); // CV clear: the field says nothing
			unsigned cond = in_block ? it >> 4 : 14;
			if ((holds[cond] >> nzcv & 1) != 0)
				assert_int_equal(vcpu->frame.pc, VBAR + 0x600);
			else
				assert_int_equal(vcpu->frame.pc, 0x10002);
		}
	}
}

static void test_a64_has_no_conditions(void **state)
{
	(void)state;
	for (unsigned cond = 0; cond < 16; cond++) {
		vcpu->frame.pstate = MODE_EL1H;
		vcpu->frame.pc = PC;
		vcpu->cptr = CPTR_TFP;
		fake_cpu_this->fp_owner = NULL;
		trap(EC_FPSIMD, ESR_IL | ISS_CV | field_put(ISS_COND, cond));
		assert_ptr_equal(fake_cpu_this->fp_owner, vcpu);
		assert_int_equal(vcpu->frame.pc, PC);
	}
}

// The registers that memory holds, for who wants to look at them or to change them.
static void test_fp_registers_by_memory(void **state)
{
	(void)state;
	for (unsigned owned = 0; owned < 2; owned++) {
		fake_log_count = 0;
		vcpu->cptr = CPTR_TFP;
		fake_cpu_this->fp_owner = owned ? vcpu : &vcpus[1];
		vcpu_fp_read(vcpu);
		assert_ptr_equal(fake_cpu_this->fp_owner, vcpu);
		assert_true((fake_get_sysreg("cptr_el2") & CPTR_TFP) == 0);
		assert_int_equal(fake_log[fake_log_count - 1].address, (uintptr_t)&vcpu->fp);
		assert_string_equal(fake_log[fake_log_count - 1].name, "fp save");
		assert_int_equal(fake_find(0, FAKE_OTHER, "fp restore") >= 0, !owned);
		vcpu->cptr = CPTR_TFP;
		vcpu_fp_write(vcpu);
		assert_true((fake_get_sysreg("cptr_el2") & CPTR_TFP) == 0);
		assert_string_equal(fake_log[fake_log_count - 1].name, "fp restore");
		assert_int_equal(fake_log[fake_log_count - 1].address, (uintptr_t)&vcpu->fp);
	}
}

static uint64_t with_it(unsigned it)
{
	return (uint64_t)(it & 3) << 25 | (uint64_t)(it >> 2) << 10;
}

// All blocks there are, as an assembler writes them: IT with T and E, one to four instructions.
static void test_it_blocks(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 15; first++) {
		for (unsigned length = 1; length <= 4; length++) {
			for (unsigned pattern = 0; pattern < 1u << (length - 1); pattern++) {
				// The mask: the low condition bit of each later instruction, then a 1.
				unsigned mask = 0, conds[4] = {first};
				for (unsigned i = 1; i < length; i++) {
					unsigned low = (first & 1) ^ (pattern >> (i - 1) & 1);
					conds[i] = (first & 14) | low;
					mask |= low << (4 - i);
				}
				mask |= 1u << (4 - length);
				uint64_t rest = PSTATE_AARCH32 | PSTATE_T32 | PSTATE_N | PSTATE_PAN;
				vcpu->frame.pstate = rest | with_it(first << 4 | mask);
				for (unsigned i = 0; i < length; i++) {
					uint64_t it =
					        field_get(GENMASK_U64(15, 10), vcpu->frame.pstate)
					                << 2 |
					        field_get(GENMASK_U64(26, 25), vcpu->frame.pstate);
					assert_int_equal(it >> 4, conds[i]);
					assert_int_not_equal(it & 15, 0);
					trap_advance(vcpu, 0);
				}
				assert_int_equal(vcpu->frame.pstate, rest); // behind the block
			}
		}
	}
}

// ---- passing over an instruction ----

static void test_advance(void **state)
{
	(void)state;
	for (unsigned bit = 5; bit < 32; bit++) {
		vcpu->frame.pstate = MODE_EL0T | BIT_U64(bit);
		vcpu->frame.pc = PC;
		trap_advance(vcpu, ESR_IL);
		assert_int_equal(vcpu->frame.pc, PC + 4);
		// BTYPE and the single-step state are the instruction's own.
		bool gone = bit == 10 || bit == 11 || bit == 21;
		assert_int_equal(vcpu->frame.pstate, MODE_EL0T | (gone ? 0 : BIT_U64(bit)));
	}
	vcpu->frame.pstate = PSTATE_AARCH32 | PSTATE_T32 | PSTATE_SS;
	vcpu->frame.pc = 0x1000;
	trap_advance(vcpu, 0);
	assert_int_equal(vcpu->frame.pc, 0x1002);
	assert_int_equal(vcpu->frame.pstate, PSTATE_AARCH32 | PSTATE_T32);
	trap_advance(vcpu, ESR_IL); // a 32-bit T32 instruction
	assert_int_equal(vcpu->frame.pc, 0x1006);
}

// ---- FP/SIMD ----

static void test_fp_belongs_to_whom_it_was_given(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		vcpus[i].cptr = CPTR_RES1 | CPTR_TFP;
	fake_log_count = 0;
	vcpu_fp_take(&vcpus[0]);
	assert_int_equal(fake_find(0, FAKE_OTHER, "fp save"), -1); // nobody had them
	long open = fake_find(0, FAKE_WRITE_SYSREG, "cptr_el2");
	long sync = fake_find((size_t)open, FAKE_BARRIER, "isb");
	long load = fake_find(0, FAKE_OTHER, "fp restore");
	assert_true(open >= 0 && sync > open && load > sync);
	assert_int_equal(fake_log[open].value & CPTR_TFP, 0);
	assert_int_equal(fake_log[load].address, (uintptr_t)&vcpus[0].fp);
	fake_log_count = 0;
	vcpu_fp_take(&vcpus[1]);
	long save = fake_find(0, FAKE_OTHER, "fp save");
	load = fake_find(0, FAKE_OTHER, "fp restore");
	assert_true(save >= 0 && load > save);
	assert_int_equal(fake_log[save].address, (uintptr_t)&vcpus[0].fp);
	assert_int_equal(fake_log[load].address, (uintptr_t)&vcpus[1].fp);
	fake_log_count = 0;
	vcpu_fp_take(&vcpus[1]); // still its own
	assert_int_equal(fake_find(0, FAKE_OTHER, NULL), -1);
}

// ---- SError ----

static void test_serror_is_passed_on(void **state)
{
	(void)state;
	for (unsigned ras = 0; ras <= 1; ras++) {
		bench_reset();
		fake_set_sysreg("id_aa64pfr0_el1", (uint64_t)ras << 28);
		features_probe(true);
		fake_set_sysreg("hcr_el2", HCR_VM | HCR_RW);
		fake_set_sysreg("cntfrq_el0", 1000000);
		trap_serror(vcpu);
		assert_int_equal(fake_get_sysreg("hcr_el2"), HCR_VM | HCR_RW | HCR_VSE);
		assert_int_equal(fake_find(0, FAKE_WRITE_SYSREG, "S3_4_C5_C2_3") >= 0, ras);
		assert_int_equal(vm.state, VM_RUNNING);
		assert_non_null(strstr(said, "SError"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_class),
	        TEST(test_the_last_exits_are_kept),
	        TEST(test_parked_cores),
	        TEST(test_conditions),
	        TEST(test_conditions_from_the_it_state),
	        TEST(test_a64_has_no_conditions),
	        TEST(test_fp_registers_by_memory),
	        TEST(test_it_blocks),
	        TEST(test_advance),
	        TEST(test_fp_belongs_to_whom_it_was_given),
	        TEST(test_serror_is_passed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
