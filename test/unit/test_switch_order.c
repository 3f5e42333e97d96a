// SPDX-License-Identifier: Apache-2.0
// The order in which one vCPU's registers leave a CPU and another's come, against rules, and the rules against changes:
// each operation that a rule is about is left out once, and those whose place matters are put elsewhere, and the
// checker must say so. What the rules are for, in the words of the manual and of errata notices:
//
//   stage 2 first       VTCR_EL2, VTTBR_EL2 and HCR_EL2.VM, then ISB, then the first register of stage 1: no walk may
//                       mix one guest's stage 1 with another's stage 2 (speculative AT: Cortex-A55 1530923, A57 1319537,
//                       A72 1319367, A76 and Neoverse-N1 1165522)
//   saved while whole   EL1's registers are read before stage 2 goes
//   stage 2 goes last   VTTBR_EL2 stays; HCR_EL2.VM is cleared after the guest's timer and debug events are off
//   traps before guest  CPTR_EL2, MDCR_EL2, HSTR_EL2, CNTHCTL_EL2, VMPIDR_EL2, CNTVOFF_EL2 before the last ISB
//   synchronised        an ISB is the last operation of either
//   FP after its trap   CPTR_EL2, ISB, and only then FP registers are touched
#include <strings.h>

#include "vcpu_bench.h"

static struct fake_event event[1024];
static unsigned nr_events;
static const char *complaint;

static void complain(const char *what)
{
	if (complaint == NULL)
		complaint = what;
}

static bool is(unsigned i, enum fake_kind kind, const char *name)
{
	return event[i].kind == kind && event[i].name != NULL &&
	       strcasecmp(event[i].name, name) == 0;
}

static bool is_isb(unsigned i)
{
	return is(i, FAKE_BARRIER, "isb");
}

static int first(enum fake_kind kind, const char *name)
{
	for (unsigned i = 0; i < nr_events; i++)
		if (is(i, kind, name))
			return (int)i;
	return -1;
}

static bool isb_between(int from, int to)
{
	for (int i = from + 1; i < to; i++)
		if (is_isb((unsigned)i))
			return true;
	return false;
}

static const char *const stage_1[] = {"sctlr_el1", "ttbr0_el1", "ttbr1_el1", "tcr_el1", "mair_el1"};
static const char *const stage_2[] = {"vtcr_el2", "vttbr_el2", "hcr_el2"};
static const char *const traps[] = {"cptr_el2",    "mdcr_el2",   "hstr_el2",
                                    "cnthctl_el2", "vmpidr_el2", "cntvoff_el2"};

static int last_isb(void)
{
	return nr_events != 0 && is_isb(nr_events - 1) ? (int)nr_events - 1 : -1;
}

// ---- the rules ----

static void check_load(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stage_2); i++) {
		int two = first(FAKE_WRITE_SYSREG, stage_2[i]);
		if (two < 0)
			complain("stage 2 is not set");
		for (unsigned k = 0; k < ARRAY_SIZE(stage_1); k++) {
			int one = first(FAKE_WRITE_SYSREG, stage_1[k]);
			if (one < 0)
				complain("stage 1 is not set");
			else if (one < two || !isb_between(two, one))
				complain("a walk may mix stage 1 with another's stage 2");
		}
	}
	int hcr = first(FAKE_WRITE_SYSREG, "hcr_el2");
	if (hcr >= 0 && (event[hcr].value & HCR_VM) == 0)
		complain("stage 2 is off");
	for (unsigned i = 0; i < ARRAY_SIZE(traps); i++)
		if (first(FAKE_WRITE_SYSREG, traps[i]) < 0)
			complain("a trap is not set");
	if (last_isb() < 0)
		complain("the guest may be entered with old registers");
}

static void check_unload(void)
{
	int off = -1;
	for (unsigned i = 0; i < nr_events; i++)
		if (is(i, FAKE_WRITE_SYSREG, "hcr_el2") && (event[i].value & HCR_VM) == 0)
			off = (int)i;
	if (off < 0)
		complain("the guest's controls stay");
	for (unsigned k = 0; k < ARRAY_SIZE(stage_1); k++) {
		int saved = first(FAKE_READ_SYSREG, stage_1[k]);
		if (saved < 0 || saved > off)
			complain("a register is not saved while it is whole");
	}
	static const char *const quiet[] = {"cntv_ctl_el0", "mdscr_el1", "cptr_el2"};
	for (unsigned i = 0; i < ARRAY_SIZE(quiet); i++) {
		int at = first(FAKE_WRITE_SYSREG, quiet[i]);
		if (at < 0 || at > off)
			complain("something of the guest goes on");
		if (first(FAKE_READ_SYSREG, quiet[i]) > at)
			complain("a register is saved after it was changed");
	}
	if (first(FAKE_WRITE_SYSREG, "vttbr_el2") >= 0)
		complain("stage 2 changes under stage 1");
	if (last_isb() < 0)
		complain("what follows may run with the guest's controls");
}

static void check_fp(void)
{
	int trap = -1, touched = -1;
	for (unsigned i = 0; i < nr_events; i++) {
		if (is(i, FAKE_WRITE_SYSREG, "cptr_el2") && (event[i].value & CPTR_TFP) == 0 &&
		    touched < 0)
			trap = (int)i;
		if (event[i].kind == FAKE_OTHER && strncmp(event[i].name, "fp ", 3) == 0 &&
		    touched < 0)
			touched = (int)i;
	}
	if (touched < 0)
		complain("FP registers are not switched");
	else if (trap < 0 || trap > touched || !isb_between(trap, touched))
		complain("EL2 may trap itself");
}

// ---- what is done ----

static void take(void)
{
	nr_events = (unsigned)fake_log_count;
	assert_true(nr_events <= ARRAY_SIZE(event));
	memcpy(event, fake_log, fake_log_count * sizeof event[0]);
	fake_log_count = 0;
}

static void do_load(void)
{
	vcpu_reset(vcpu, VM_VIRT_RAM_BASE, 0);
	fake_log_count = 0;
	vcpu_load(vcpu);
	take();
}

static void do_unload(void)
{
	do_load();
	fake_log_count = 0;
	vcpu_unload(vcpu);
	take();
}

static void do_fp(void)
{
	do_load();
	fake_cpu_this->fp_owner = &vcpus[1];
	fake_log_count = 0;
	vcpu_fp_take(vcpu);
	take();
}

static void do_unload_fp(void)
{
	do_fp();
	vcpu_unload(vcpu);
	take();
}

static const char *judge(void (*rules)(void))
{
	complaint = NULL;
	rules();
	return complaint;
}

static bool is_ruled(const struct fake_event *e, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (e->name != NULL && strcasecmp(e->name, names[i]) == 0)
			return true;
	return false;
}

// Leaves out each operation of these names in turn; `most` of them may go unnoticed.
static unsigned each_is_missed(void (*rules)(void), enum fake_kind kind, const char *const *names,
                               unsigned count, unsigned most)
{
	static struct fake_event whole[ARRAY_SIZE(event)];
	unsigned nr_whole = nr_events, tried = 0, unnoticed = 0;
	memcpy(whole, event, sizeof whole);
	for (unsigned i = 0; i < nr_whole; i++) {
		if (whole[i].kind != kind || !is_ruled(&whole[i], names, count))
			continue;
		memcpy(event, whole, sizeof event);
		memmove(&event[i], &event[i + 1], (nr_whole - i - 1) * sizeof event[0]);
		nr_events = nr_whole - 1;
		tried++;
		unnoticed += judge(rules) == NULL;
	}
	memcpy(event, whole, sizeof event);
	nr_events = nr_whole;
	if (unnoticed > most)
		fail_msg("%u of %u were left out unnoticed", unnoticed, tried);
	return tried;
}

// Puts the n-th event behind the one at `to`.
static const char *moved(void (*rules)(void), int from, int to)
{
	static struct fake_event whole[ARRAY_SIZE(event)];
	assert_true(from >= 0 && to > from);
	memcpy(whole, event, sizeof whole);
	memmove(&event[from], &event[from + 1], (size_t)(to - from) * sizeof event[0]);
	event[to] = whole[from];
	const char *said_of_it = judge(rules);
	memcpy(event, whole, sizeof event);
	return said_of_it;
}

static const char *const isb_name[] = {"isb"};

static void test_load(void **state)
{
	(void)state;
	do_load();
	if (judge(check_load) != NULL)
		fail_msg("%s", complaint);
	assert_int_equal(each_is_missed(check_load, FAKE_WRITE_SYSREG, stage_2, 3, 0), 3);
	assert_int_equal(each_is_missed(check_load, FAKE_WRITE_SYSREG, stage_1, 5, 0), 5);
	assert_int_equal(each_is_missed(check_load, FAKE_WRITE_SYSREG, traps, 6, 0), 6);
	assert_int_equal(each_is_missed(check_load, FAKE_BARRIER, isb_name, 1, 0), 2);
	int barrier = first(FAKE_BARRIER, "isb");
	for (unsigned i = 0; i < ARRAY_SIZE(stage_2); i++) // behind the barrier, behind stage 1
		for (int far = 0; far < 2; far++)
			assert_non_null(moved(check_load, first(FAKE_WRITE_SYSREG, stage_2[i]),
			                      far ? (int)nr_events - 2 : barrier));
	assert_non_null(moved(check_load, barrier, (int)nr_events - 2));
	assert_non_null(moved(check_load, first(FAKE_WRITE_SYSREG, "tcr_el1"), (int)nr_events - 1));
}

static void test_unload(void **state)
{
	static const char *const quiet[] = {"cntv_ctl_el0", "mdscr_el1", "cptr_el2"};
	(void)state;
	do_unload();
	if (judge(check_unload) != NULL)
		fail_msg("%s", complaint);
	static const char *const hcr[] = {"hcr_el2"};
	assert_int_equal(each_is_missed(check_unload, FAKE_WRITE_SYSREG, hcr, 1, 0), 1);
	assert_int_equal(each_is_missed(check_unload, FAKE_READ_SYSREG, stage_1, 5, 0), 5);
	assert_int_equal(each_is_missed(check_unload, FAKE_WRITE_SYSREG, quiet, 3, 0), 3);
	assert_int_equal(each_is_missed(check_unload, FAKE_BARRIER, isb_name, 1, 0), 1);
	int off = first(FAKE_WRITE_SYSREG, "hcr_el2");
	for (unsigned i = 0; i < ARRAY_SIZE(quiet); i++)
		assert_non_null(moved(check_unload, first(FAKE_WRITE_SYSREG, quiet[i]), off));
	for (unsigned i = 0; i < ARRAY_SIZE(stage_1); i++)
		assert_non_null(moved(check_unload, first(FAKE_READ_SYSREG, stage_1[i]), off));
	assert_non_null(moved(check_unload, off, (int)nr_events - 1));
}

static void test_fp(void **state)
{
	static const char *const cptr[] = {"cptr_el2"};
	(void)state;
	do_fp();
	if (judge(check_fp) != NULL)
		fail_msg("%s", complaint);
	assert_int_equal(each_is_missed(check_fp, FAKE_WRITE_SYSREG, cptr, 1, 0), 1);
	assert_int_equal(each_is_missed(check_fp, FAKE_BARRIER, isb_name, 1, 0), 1);
	do_unload_fp(); // its registers are saved, with the trap open
	if (judge(check_fp) != NULL)
		fail_msg("%s", complaint);
	assert_int_equal(each_is_missed(check_fp, FAKE_BARRIER, isb_name, 1, 1), 2);
	if (judge(check_unload) != NULL)
		fail_msg("%s", complaint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_load), TEST(test_unload), TEST(test_fp)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
