// SPDX-License-Identifier: Apache-2.0
// Exceptions as EL1 finds them: syndrome, address, return state, vector and PSTATE for each place that an
// exception can come from, against the pseudocode of AArch64.TakeException, written down anew.
#include "vcpu_bench.h"
#include "vm/inject.h"

#define VBAR UINT64_C(0xffff800010080800)
#define FAR  UINT64_C(0x0000ffffa5a5a5a7)

// Where an exception can come from.
static const struct origin {
	uint64_t pstate;
	uint64_t vector;
	bool lower, aarch32;
} origins[] = {
        {MODE_EL1T, 0x000, false, false},
        {MODE_EL1H, 0x200, false, false},
        {MODE_EL0T, 0x400, true, false},
        {PSTATE_AARCH32, 0x600, true, true},
        {PSTATE_AARCH32 | PSTATE_T32, 0x600, true, true},
};

static void set_feature(const char *reg, unsigned shift, uint64_t value)
{
	fake_set_sysreg(reg, fake_get_sysreg(reg) | value << shift);
	features_probe(true);
}

static void come_from(const struct origin *origin, uint64_t flags)
{
	vcpu->frame.pstate = origin->pstate | flags;
	vcpu->frame.pc = origin->aarch32 ? 0x12346 : UINT64_C(0xffff800010001000);
	fake_set_sysreg("vbar_el1", VBAR);
	fake_set_sysreg("elr_el1", 0x1111);
	fake_set_sysreg("spsr_el1", 0x2222);
	fake_set_sysreg("esr_el1", 0x3333);
	fake_set_sysreg("far_el1", 0x4444);
}

// What is the same for every exception.
static void assert_taken(const struct origin *origin, uint64_t flags)
{
	uint64_t pc = origin->aarch32 ? 0x12346 : UINT64_C(0xffff800010001000);
	assert_int_equal(fake_get_sysreg("elr_el1"), pc);
	assert_int_equal(fake_get_sysreg("spsr_el1"), origin->pstate | flags);
	assert_int_equal(vcpu->frame.pc, VBAR + origin->vector);
	assert_int_equal(vcpu->frame.pstate & (PSTATE_MODE | PSTATE_AARCH32), MODE_EL1H);
	assert_int_equal(vcpu->frame.pstate & GENMASK_U64(9, 6), GENMASK_U64(9, 6)); // DAIF
}

static void test_undefined(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
		for (unsigned il = 0; il <= 1; il++) {
			come_from(&origins[i], 0);
			fake_set_sysreg("esr_el2",
			                field_put(ESR_EC, EC_SYSREG) | 0x1234 | (il ? ESR_IL : 0));
			inject_undefined(vcpu);
			assert_taken(&origins[i], 0);
			assert_int_equal(fake_get_sysreg("esr_el1"), ESR_IL); // always, for class 0
			assert_int_equal(fake_get_sysreg("far_el1"), 0x4444);
		}
	}
}

static void test_data_abort(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
		for (unsigned bits = 0; bits < 64; bits++) {
			uint64_t iss = (bits & 1 ? ISS_WNR : 0) | (bits & 2 ? ISS_CM : 0) |
			               (bits & 4 ? ISS_ISV | ISS_SAS | ISS_SRT | ISS_SF : 0) |
			               field_put(ISS_FSC, FSC_TRANSLATION | 2);
			int level = bits & 8 ? (int)(bits >> 4) : -1;
			come_from(&origins[i], 0);
			fake_set_sysreg("esr_el2", ESR_IL);
			inject_data_abort(vcpu, FAR, iss, level);
			assert_taken(&origins[i], 0);
			assert_int_equal(fake_get_sysreg("far_el1"), FAR);
			// Nothing of the access itself: a syndrome is valid at stage 2 only.
			uint64_t esr = field_put(ESR_EC, origins[i].lower ? 0x24 : 0x25) | ESR_IL |
			               (bits & 1 ? ISS_WNR : 0) | (bits & 2 ? ISS_CM : 0) |
			               (level < 0 ? 0x10 : 0x14 + (uint64_t)level);
			assert_int_equal(fake_get_sysreg("esr_el1"), esr);
		}
	}
	come_from(&origins[4], 0); // a 16-bit T32 load
	fake_set_sysreg("esr_el2", 0);
	inject_data_abort(vcpu, FAR, 0, -1);
	assert_int_equal(fake_get_sysreg("esr_el1") & ESR_IL, ESR_IL); // no valid syndrome at EL1
}

static void test_instruction_abort(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
		for (int level = -1; level < 4; level++) {
			come_from(&origins[i], 0);
			fake_set_sysreg("esr_el2", 0);
			inject_instruction_abort(vcpu, FAR, level);
			assert_taken(&origins[i], 0);
			assert_int_equal(fake_get_sysreg("far_el1"), FAR);
			assert_int_equal(fake_get_sysreg("esr_el1"),
			                 field_put(ESR_EC, origins[i].lower ? 0x20 : 0x21) |
			                         ESR_IL | // always, for this class
			                         (level < 0 ? 0x10 : 0x14 + (uint64_t)level));
		}
	}
}

// PSTATE at the vector, bit by bit.
static uint64_t expected_pstate(uint64_t old, bool has_pan, bool mte, uint64_t sctlr)
{
	uint64_t pstate = 0x3c5 | (old & GENMASK_U64(31, 28));
	pstate |= old & (BIT_U64(24) | BIT_U64(22)); // DIT, PAN: the same places in either SPSR
	if (has_pan && (sctlr & BIT_U64(23)) == 0)
		pstate |= BIT_U64(22);
	if ((sctlr & BIT_U64(44)) != 0)
		pstate |= BIT_U64(12); // SSBS
	if (mte)
		pstate |= BIT_U64(25); // TCO
	return pstate;
}

static void test_pstate_at_the_vector(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 4; f++) {
		bool has_pan = f & 1, has_mte = f & 2;
		bench_reset();
		if (has_pan)
			set_feature("id_aa64mmfr1_el1", 20, 1);
		if (has_mte)
			set_feature("id_aa64pfr1_el1", 8, 2);
		for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
			for (unsigned s = 0; s < 4; s++) {
				uint64_t sctlr =
				        (s & 1 ? BIT_U64(23) : 0) | (s & 2 ? BIT_U64(44) : 0);
				fake_set_sysreg("sctlr_el1", sctlr);
				for (unsigned bit = 6; bit < 32; bit++) {
					uint64_t flags = BIT_U64(bit);
					come_from(&origins[i], flags);
					inject_undefined(vcpu);
					assert_taken(&origins[i], flags);
					assert_int_equal(
					        vcpu->frame.pstate,
					        expected_pstate(flags, has_pan, has_mte, sctlr));
				}
				uint64_t all = GENMASK_U64(31, 6);
				come_from(&origins[i], all);
				inject_undefined(vcpu);
				assert_taken(&origins[i], all);
				assert_int_equal(vcpu->frame.pstate,
				                 expected_pstate(all, has_pan, has_mte, sctlr));
			}
		}
	}
}

static void test_who_would_loop(void **state)
{
	(void)state;
	fake_set_sysreg("vbar_el1", VBAR);
	const struct {
		uint64_t pstate, pc;
		bool loops;
	} cases[] = {
	        {MODE_EL1H, VBAR, true},
	        {MODE_EL1H, VBAR + 0x200, true},
	        {MODE_EL1T, VBAR + 0x7fc, true},
	        {MODE_EL1H, VBAR + 0x800, false},
	        {MODE_EL1H, VBAR - 4, false},
	        {MODE_EL0T, VBAR + 0x200, false},
	        {PSTATE_AARCH32, VBAR + 0x200, false},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		vcpu->frame.pstate = cases[i].pstate;
		vcpu->frame.pc = cases[i].pc;
		assert_int_equal(inject_would_loop(vcpu), cases[i].loops);
	}
	fake_set_sysreg("vbar_el1", 0 - UINT64_C(0x800)); // at the end of the address space
	vcpu->frame.pstate = MODE_EL1H;
	vcpu->frame.pc = UINT64_MAX - 3;
	assert_true(inject_would_loop(vcpu));
	vcpu->frame.pc = 0;
	assert_false(inject_would_loop(vcpu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_undefined),         TEST(test_data_abort),
	        TEST(test_instruction_abort), TEST(test_pstate_at_the_vector),
	        TEST(test_who_would_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
