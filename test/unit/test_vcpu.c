// SPDX-License-Identifier: Apache-2.0
// Switching vCPUs: every register that a guest can reach without a trap is its own, what EL2 sets for it
// is set in the right order, and nothing of it goes on when it is out.
#include <strings.h>

#include "hw/intc.h"
#include "hw/timer.h"
#include "vcpu_bench.h"

static unsigned kicks;
static const struct cpu *kicked;

static void send_sgi(const struct cpu *cpu, uint32_t intid)
{
	assert_int_equal(intid, 0);
	kicked = cpu;
	kicks++;
}

static const struct intc_ops test_intc = {.version = 3, .send_sgi = send_sgi};

static int setup(void **state)
{
	static uint64_t root[512] __attribute__((aligned(4096)));
	bench_setup(state);
	fake_set_sysreg("id_aa64isar1_el1", 1 << 4);           // pointer authentication
	fake_set_sysreg("id_aa64pfr0_el1", UINT64_C(1) << 28); // RAS
	features_probe(true);
	stage2_init();
	vm.stage2.table.root = root;
	vm.cntvoff = 0x123456;
	for (unsigned i = 0; i < BENCH_VCPUS; i++)
		vcpu_reset(&vcpus[i], 0x40080000, 0x4fe00000);
	kicks = 0;
	intc = &test_intc;
	return 0;
}

static bool is_saved(const char *name)
{
	for (unsigned i = 0; i < el1_row_count; i++)
		if (strcasecmp(el1_rows[i].name, name) == 0)
			return true;
	return false;
}

// The manual's EL1 and EL0 registers that hold state and that HCR_EL2 and MDCR_EL2 leave to the guest.
static const char *const guest_registers[] = {
        "SCTLR_EL1",     "CPACR_EL1", "TTBR0_EL1", "TTBR1_EL1",  "TCR_EL1",        "MAIR_EL1",
        "AMAIR_EL1",     "ESR_EL1",   "FAR_EL1",   "AFSR0_EL1",  "AFSR1_EL1",      "ELR_EL1",
        "SPSR_EL1",      "SP_EL0",    "SP_EL1",    "VBAR_EL1",   "CONTEXTIDR_EL1", "TPIDR_EL0",
        "TPIDRRO_EL0",   "TPIDR_EL1", "PAR_EL1",   "CSSELR_EL1", "CNTKCTL_EL1",    "CNTV_CTL_EL0",
        "CNTV_CVAL_EL0", "MDSCR_EL1",
};
// By encoding: the pointer authentication keys but for APIAKey_EL1, which arm/guest.S switches (guest kernel `pac`), and
// what DISR_EL1 is while HCR_EL2.AMO is set.
static const char *const optional_registers[] = {
        "S3_0_C2_C1_2", "S3_0_C2_C1_3", "S3_0_C2_C2_0", "S3_0_C2_C2_1",  "S3_0_C2_C2_2",
        "S3_0_C2_C2_3", "S3_0_C2_C3_0", "S3_0_C2_C3_1", "S3_4_C12_C1_1",
};

static const char *name_of(unsigned i)
{
	return i < ARRAY_SIZE(guest_registers)
	               ? guest_registers[i]
	               : optional_registers[i - ARRAY_SIZE(guest_registers)];
}
#define NR_NAMES ((unsigned)(ARRAY_SIZE(guest_registers) + ARRAY_SIZE(optional_registers)))

static void test_the_list_is_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(guest_registers); i++)
		if (!is_saved(guest_registers[i]))
			fail_msg("%s is not in sysregs.def", guest_registers[i]);
	assert_int_equal(el1_row_count, NR_NAMES);
}

// EL2 signs with the key that is in the registers: C must not touch them, and a new vCPU's is nobody's.
static void test_key_a_stays(void **state)
{
	static const char *const halves[] = {"S3_0_C2_C1_0", "S3_0_C2_C1_1"};
	(void)state;
	vcpus[0].frame.key[0] = vcpus[0].frame.key[1] = 0xbad;
	vcpu_reset(&vcpus[0], 0x40080000, 0);
	assert_int_equal(vcpus[0].frame.key[0] | vcpus[0].frame.key[1], 0);
	for (unsigned i = 0; i < ARRAY_SIZE(halves); i++)
		fake_set_sysreg(halves[i], 0x5ec7e7 + i);
	vcpu_load(&vcpus[0]);
	vcpu_take_sample(&vcpus[0]);
	vcpu_unload(&vcpus[0]);
	for (unsigned i = 0; i < ARRAY_SIZE(halves); i++)
		assert_int_equal(fake_get_sysreg(halves[i]), 0x5ec7e7 + i);
	assert_int_equal(vcpus[0].frame.key[0] | vcpus[0].frame.key[1], 0);
}

static uint64_t pattern(unsigned who, unsigned reg, unsigned round)
{
	return UINT64_C(0x9e3779b97f4a7c15) * (who * 1000 + reg + 1 + round * 7);
}

static void test_each_has_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BENCH_VCPUS; i++) { // what was left there is nobody's
		for (unsigned r = 0; r < NR_NAMES; r++)
			fake_set_sysreg(name_of(r), UINT64_C(0xbadbadbadbadbad));
		vcpu_load(&vcpus[i]);
		for (unsigned r = 0; r < NR_NAMES; r++) {
			uint64_t expected =
			        strcmp(name_of(r), "SCTLR_EL1") == 0 ? UINT64_C(0x30d00800) : 0;
			if (fake_get_sysreg(name_of(r)) != expected)
				fail_msg("%s is not reset", name_of(r));
			fake_set_sysreg(name_of(r), pattern(i, r, 0));
		}
		vcpu_unload(&vcpus[i]);
	}
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < BENCH_VCPUS; i++) {
			vcpu_load(&vcpus[i]);
			for (unsigned r = 0; r < NR_NAMES; r++) {
				if (fake_get_sysreg(name_of(r)) != pattern(i, r, round))
					fail_msg("%s is another's", name_of(r));
				fake_set_sysreg(name_of(r), pattern(i, r, round + 1));
			}
			vcpu_unload(&vcpus[i]);
		}
	}
}

static void test_what_the_cpu_lacks_is_not_touched(void **state)
{
	(void)state;
	fake_set_sysreg("id_aa64isar1_el1", 0);
	fake_set_sysreg("id_aa64pfr0_el1", 0);
	features_probe(true);
	fake_log_count = 0;
	vcpu_reset(vcpu, 0, 0);
	vcpu_load(vcpu);
	vcpu_unload(vcpu);
	for (size_t i = 0; i < fake_log_count; i++)
		for (unsigned r = 0; r < ARRAY_SIZE(optional_registers); r++)
			assert_true(fake_log[i].name == NULL ||
			            strcasecmp(fake_log[i].name, optional_registers[r]) != 0);
	assert_int_equal(vcpu->hcr & (HCR_API | HCR_APK | HCR_TERR | HCR_TLOR | HCR_FWB), 0);
}

static long written(const char *name)
{
	for (size_t i = 0; i < fake_log_count; i++)
		if (fake_log[i].kind == FAKE_WRITE_SYSREG &&
		    strcasecmp(fake_log[i].name, name) == 0)
			return (long)i;
	fail_msg("%s is not written", name);
	return -1;
}

// A table walk that begins while EL1's registers are half one guest's and half another's must not find
// translations (errata of several cores): stage 2 first, then a barrier, then stage 1.
static void test_stage_2_comes_before_stage_1(void **state)
{
	(void)state;
	fake_log_count = 0;
	vcpu_load(vcpu);
	long barrier = fake_find(0, FAKE_BARRIER, "isb");
	assert_true(barrier > written("vttbr_el2") && barrier > written("vtcr_el2") &&
	            barrier > written("hcr_el2"));
	static const char *const walk[] = {"SCTLR_EL1", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1"};
	for (unsigned i = 0; i < ARRAY_SIZE(walk); i++)
		assert_true(written(walk[i]) > barrier);
	assert_string_equal(fake_log[fake_log_count - 1].name, "isb");
	assert_true((fake_get_sysreg("hcr_el2") & (HCR_VM | HCR_RW)) == (HCR_VM | HCR_RW));
}

static void test_what_el2_keeps_for_itself(void **state)
{
	(void)state;
	vcpu_load(vcpu);
	uint64_t hcr = fake_get_sysreg("hcr_el2");
	uint64_t wanted = HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TSC | HCR_TIDCP |
	                  HCR_TACR | HCR_TSW | HCR_TID1 | HCR_TID3 | HCR_RW | HCR_TERR | HCR_FB |
	                  HCR_BSU_IS;
	assert_int_equal(hcr & wanted, wanted);
	assert_int_equal(hcr & (HCR_E2H | HCR_DC | HCR_ATA | HCR_ENSCXT | HCR_AMVOFFEN | HCR_FIEN |
	                        HCR_TVM | HCR_VSE | HCR_VI | HCR_VF),
	                 0);
	uint64_t mdcr = fake_get_sysreg("mdcr_el2");
	assert_int_equal(mdcr & (MDCR_TDA | MDCR_TDOSA | MDCR_TDRA),
	                 MDCR_TDA | MDCR_TDOSA | MDCR_TDRA);
	assert_int_equal(mdcr & MDCR_TDE, 0);
	uint64_t cptr = fake_get_sysreg("cptr_el2");
	assert_int_equal(cptr & (CPTR_TFP | CPTR_TTA | CPTR_TAM | CPTR_TZ | CPTR_TSM),
	                 CPTR_TFP | CPTR_TTA | CPTR_TAM | CPTR_TZ | CPTR_TSM);
	assert_int_equal(fake_get_sysreg("cnthctl_el2"), 0); // CNTPCT and CNTP trap
	assert_int_equal(fake_get_sysreg("cntvoff_el2"), 0x123456);
	assert_int_equal(fake_get_sysreg("hstr_el2"), 0);
	assert_int_equal(fake_get_sysreg("vmpidr_el2"), vcpu->vmpidr);
}

static void test_features_bring_their_traps(void **state)
{
	(void)state;
	fake_set_sysreg("id_aa64dfr0_el1",
	                UINT64_C(1) << 8 | UINT64_C(1) << 32 | UINT64_C(1) << 40);
	fake_set_sysreg("id_aa64mmfr1_el1", 1 << 16);
	fake_set_sysreg("pmcr_el0", 6 << 11);
	features_probe(true);
	vcpu_reset(vcpu, 0, 0);
	assert_int_equal(vcpu->mdcr & (MDCR_TPM | MDCR_TPMCR | MDCR_TPMS | MDCR_TTRF),
	                 MDCR_TPM | MDCR_TPMCR | MDCR_TPMS | MDCR_TTRF);
	assert_int_equal(field_get(MDCR_HPMN, vcpu->mdcr), 6);
	assert_true((vcpu->hcr & HCR_TLOR) != 0);
	assert_int_equal(vcpu->hcr & (HCR_API | HCR_APK), HCR_API | HCR_APK);
}

static void test_out_is_out(void **state)
{
	(void)state;
	vcpu_load(vcpu);
	fake_set_sysreg("cntv_ctl_el0", 1);
	fake_set_sysreg("mdscr_el1", 1 << 15);
	vcpu_unload(vcpu);
	assert_int_equal(vcpu->el1.cntv_ctl, 1);
	assert_int_equal(vcpu->el1.mdscr, 1 << 15);
	assert_int_equal(fake_get_sysreg("cntv_ctl_el0"), 0); // its timer is silent
	assert_int_equal(fake_get_sysreg("mdscr_el1"), 0);    // its breakpoints too
	assert_int_equal(fake_get_sysreg("hcr_el2"), HCR_RW); // no stage 2, no virtual interrupts
}

// An SError that was passed on is the guest's until it takes it, wherever that is.
static void test_a_pending_serror_goes_along(void **state)
{
	(void)state;
	vcpu_load(vcpu);
	fake_set_sysreg("hcr_el2", fake_get_sysreg("hcr_el2") | HCR_VSE);
	vcpu_unload(vcpu);
	assert_int_equal(fake_get_sysreg("hcr_el2"), HCR_RW);
	vcpu_load(vcpu);
	assert_true((fake_get_sysreg("hcr_el2") & HCR_VSE) != 0);
	cpu_this()->vcpu = vcpu;
	vcpu_set_lines(vcpu, true, false);
	assert_int_equal(fake_get_sysreg("hcr_el2") & (HCR_VSE | HCR_VI), HCR_VSE | HCR_VI);
	fake_set_sysreg("hcr_el2", fake_get_sysreg("hcr_el2") & ~HCR_VSE); // the guest takes it
	vcpu_set_lines(vcpu, false, false);
	vcpu_unload(vcpu);
	vcpu_load(vcpu);
	assert_int_equal(fake_get_sysreg("hcr_el2") & (HCR_VSE | HCR_VI), 0);
}

static void test_fp_is_saved_when_it_was_used(void **state)
{
	(void)state;
	vcpu_load(vcpu);
	fake_log_count = 0;
	vcpu_unload(vcpu);
	assert_int_equal(fake_find(0, FAKE_OTHER, "fp save"), -1);
	vcpu_load(vcpu);
	vcpu_fp_take(vcpu);
	assert_int_equal(fake_get_sysreg("cptr_el2") & CPTR_TFP, 0);
	fake_log_count = 0;
	vcpu_unload(vcpu);
	long save = fake_find(0, FAKE_OTHER, "fp save");
	assert_true(save >= 0);
	assert_int_equal(fake_log[save].address, (uintptr_t)&vcpu->fp);
	assert_null(fake_cpu_this->fp_owner);
	vcpu_load(vcpu);
	assert_true((fake_get_sysreg("cptr_el2") & CPTR_TFP) != 0); // asked again
}

static void test_reset_leaves_nothing(void **state)
{
	(void)state;
	memset(&vcpu->frame, 0xaa, sizeof vcpu->frame);
	memset(&vcpu->el1, 0xaa, sizeof vcpu->el1);
	memset(&vcpu->fp, 0xaa, sizeof vcpu->fp);
	memset(&vcpu->debug, 1, sizeof vcpu->debug);
	vcpu->cntp_ctl = vcpu->cntp_cval = 5;
	vcpu->cntp_line = vcpu->setway_done = true;
	vcpu->setway_cursor = 99;
	vcpu->hcr = UINT64_MAX;
	vcpu_reset(vcpu, 0x40080000, 0x48000000);
	assert_int_equal(vcpu->frame.pc, 0x40080000);
	assert_int_equal(vcpu->frame.x[0], 0x48000000);
	for (unsigned i = 1; i < 31; i++)
		assert_int_equal(vcpu->frame.x[i], 0);
	assert_int_equal(vcpu->frame.pstate, 0x3c5); // EL1h, DAIF
	assert_int_equal(vcpu->el1.sctlr, 0x30d00800);
	assert_int_equal(vcpu->el1.ttbr0 | vcpu->el1.vbar | vcpu->el1.par, 0);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(vcpu->fp.v[i], 0);
	assert_int_equal(vcpu->fp.fpcr | vcpu->fp.fpsr, 0);
	assert_int_equal(vcpu->cntp_ctl | vcpu->cntp_cval | vcpu->setway_cursor, 0);
	assert_false(vcpu->cntp_line || vcpu->setway_done);
	assert_int_equal(vcpu->hcr & HCR_TVM, 0);
	for (unsigned kind = 0; kind < 4; kind++)
		for (unsigned n = 0; n < 16; n++)
			assert_int_equal(vcpu->debug.value[kind][n], 0);
}

static void test_whom_to_kick(void **state)
{
	(void)state;
	vcpus[0].sched.state = vcpus[1].sched.state = SCHED_RUNNING;
	vcpu_post(&vcpus[0], VCPU_REQ_VIRQ); // itself
	assert_int_equal(kicks, 0);
	vcpu_post(&vcpus[1], VCPU_REQ_STOP); // not in its guest: it will look
	assert_int_equal(kicks, 0);
	vcpus[1].cpu->in_guest = 1;
	vcpu_post(&vcpus[1], VCPU_REQ_VIRQ);
	assert_int_equal(kicks, 1);
	assert_ptr_equal(kicked, vcpus[1].cpu);
	assert_int_equal(vcpus[0].request, VCPU_REQ_VIRQ);
	assert_int_equal(vcpus[1].request, VCPU_REQ_STOP | VCPU_REQ_VIRQ);
	vcpus[0].cpu->in_guest = 1;
	vcpu_post(&vcpus[0], VCPU_REQ_TIMER);
	assert_int_equal(kicks, 1);
	// One that sleeps or waits, still loaded in a CPU that another one waits for.
	vcpus[1].sched.loaded = 1;
	vcpus[1].sched.state = SCHED_READY;
	vcpu_post(&vcpus[1], VCPU_REQ_SYNC);
	assert_int_equal(kicks, 2);
	vcpus[1].sched.loaded = 0;
	vcpu_post(&vcpus[1], VCPU_REQ_SYNC);
	assert_int_equal(kicks, 2);
}

static void test_who_owns_a_cpu_waits_in_it(void **state)
{
	(void)state;
	vcpu_reset(vcpu, 0, 0);
	assert_int_equal(vcpu->hcr & (HCR_TWI | HCR_TWE), HCR_TWI | HCR_TWE);
	assert_int_equal(vcpu->hcr & HCR_TWEDEN, 0);
	fake_set_sysreg("id_aa64mmfr1_el1", UINT64_C(1) << 32); // FEAT_TWED
	features_probe(true);
	vcpu_reset(vcpu, 0, 0);
	assert_int_equal(vcpu->hcr & HCR_TWEDEN, HCR_TWEDEN);
	assert_int_equal(field_get(HCR_TWEDEL, vcpu->hcr), 4); // 4,096 cycles
	vcpu->vm->sched.exclusive = true;
	vcpu_reset(vcpu, 0, 0);
	assert_int_equal(vcpu->hcr & (HCR_TWI | HCR_TWE | HCR_TWEDEN), 0);
	vcpu->vm->sched.exclusive = false;
}

static void test_interrupt_lines(void **state)
{
	(void)state;
	vcpu_reset(vcpu, 0, 0);
	vcpu_set_lines(vcpu, true, false); // not loaded: for the time when it is
	assert_int_equal(vcpu->hcr & (HCR_VI | HCR_VF), HCR_VI);
	vcpu_load(vcpu);
	fake_cpu_this->vcpu = vcpu;
	assert_int_equal(fake_get_sysreg("hcr_el2") & (HCR_VI | HCR_VF), HCR_VI);
	fake_set_sysreg("hcr_el2", fake_get_sysreg("hcr_el2") | HCR_VSE);
	vcpu_set_lines(vcpu, false, true);
	assert_int_equal(fake_get_sysreg("hcr_el2"), vcpu->hcr | HCR_VSE);
	assert_int_equal(vcpu->hcr & (HCR_VI | HCR_VF), HCR_VF);
	fake_cpu_this->vcpu = NULL;
	vcpu_unload(vcpu);
	vcpu_reset(vcpu, 0, 0);
	assert_int_equal(vcpu->hcr & (HCR_VI | HCR_VF), 0);
}

// ---- when to wake up ----

static uint32_t open_lines; // private interrupts that may interrupt
static bool may_interrupt(const struct vcpu *of, uint32_t intid)
{
	assert_ptr_equal(of, vcpu);
	return (open_lines & BIT_U32(intid)) != 0;
}

static void test_when_it_must_wake_up(void **state)
{
	static const struct irqchip_ops chip = {.may_interrupt = may_interrupt};
	(void)state;
	vcpu->vm->irqchip = &chip;
	vcpu->vm->cntvoff = 1000;
	vcpu_reset(vcpu, 0, 0);
	open_lines = UINT32_MAX;
	fake_set_sysreg("cntpct_el0", 5000); // guest time 4000
	assert_int_equal(vcpu_deadline(vcpu), TIMER_NEVER);
	vcpu->el1.cntv_ctl = CNT_CTL_ENABLE;
	vcpu->el1.cntv_cval = 4500;
	assert_int_equal(vcpu_deadline(vcpu), 5500);
	vcpu->cntp_ctl = CNT_CTL_ENABLE;
	vcpu->cntp_cval = 4300;
	assert_int_equal(vcpu_deadline(vcpu), 5300);
	vcpu->cntp_ctl |= CNT_CTL_IMASK;
	assert_int_equal(vcpu_deadline(vcpu), 5500);
	vcpu->wait_until = 4400;
	assert_int_equal(vcpu_deadline(vcpu), 5400);
	vcpu->wait_until = UINT64_MAX;
	vcpu->el1.cntv_cval = 100; // is due
	assert_int_equal(vcpu_deadline(vcpu), 5000);
	vcpu->el1.cntv_cval = UINT64_MAX - 10; // never comes on this board
	assert_int_equal(vcpu_deadline(vcpu), TIMER_NEVER);
	vcpu->el1.cntv_cval = 100;
	open_lines = 0; // an interrupt that the guest has switched off does not wake it
	assert_int_equal(vcpu_deadline(vcpu), TIMER_NEVER);
	// While it is loaded its timer is the CPU's.
	open_lines = UINT32_MAX;
	fake_cpu_this->vcpu = vcpu;
	fake_set_sysreg("cntv_ctl_el0", CNT_CTL_ENABLE);
	fake_set_sysreg("cntv_cval_el0", 4200);
	assert_int_equal(vcpu_deadline(vcpu), 5200);
	fake_cpu_this->vcpu = NULL;
}

// Breakpoints cost nothing on the way in and out unless somebody uses them; then nobody sees another's.
static void test_breakpoints_are_lazy(void **state)
{
	(void)state;
	fake_cpu_this->debug_dirty = false;
	vcpu_load(vcpu);
	assert_int_equal(fake_find(0, FAKE_OTHER, "debug load"), -1);
	vcpus[1].debug.used = true;
	vcpu_load(&vcpus[1]);
	long load = fake_find(0, FAKE_OTHER, "debug load");
	assert_true(load >= 0);
	assert_int_equal(fake_log[load].address, (uintptr_t)vcpus[1].debug.value);
	vcpu_load(vcpu);
	load = fake_find((size_t)load + 1, FAKE_OTHER, "debug load");
	assert_true(load >= 0);
	assert_int_equal(fake_log[load].address, (uintptr_t)vcpu->debug.value);
	vcpu_load(vcpu);
	assert_int_equal(fake_find((size_t)load + 1, FAKE_OTHER, "debug load"), -1);
}

// Where a vCPU is that no CPU holds.
static void test_sample_of_one_that_sleeps(void **state)
{
	struct vcpu_sample sample;
	(void)state;
	vcpu->power = VCPU_OFF;
	assert_false(vcpu_sample(vcpu, &sample));
	vcpu->power = VCPU_ON;
	vcpu->frame.pc = 0x40001000;
	vcpu->el1.vbar = 0x40000800;
	assert_true(vcpu_sample(vcpu, &sample));
	assert_int_equal(sample.pc, 0x40001000);
	assert_int_equal(sample.vbar, 0x40000800);
	assert_int_equal(vcpu->request, 0);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_the_list_is_whole),
	        TEST(test_key_a_stays),
	        TEST(test_each_has_its_own),
	        TEST(test_what_the_cpu_lacks_is_not_touched),
	        TEST(test_stage_2_comes_before_stage_1),
	        TEST(test_what_el2_keeps_for_itself),
	        TEST(test_features_bring_their_traps),
	        TEST(test_out_is_out),
	        TEST(test_a_pending_serror_goes_along),
	        TEST(test_fp_is_saved_when_it_was_used),
	        TEST(test_reset_leaves_nothing),
	        TEST(test_whom_to_kick),
	        TEST(test_who_owns_a_cpu_waits_in_it),
	        TEST(test_interrupt_lines),
	        TEST(test_when_it_must_wake_up),
	        TEST(test_breakpoints_are_lazy),
	        TEST(test_sample_of_one_that_sleeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
