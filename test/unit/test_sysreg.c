// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: the table itself, every encoding there is in both directions against a list
// that was written down apart from it, and what each register does.
#include "../../src/trap/sysreg.c" // NOLINT(bugprone-suspicious-include): its table is looked at

#include "vcpu_bench.h"

#define PC   UINT64_C(0xffff800010001000)
#define VBAR UINT64_C(0xffff800010080000)

// ---- the neighbours ----

static struct {
	unsigned sgis, dirs, set_ways;
	uint64_t value;
	enum vgicv3_sgi which;
	bool caches_ready; // answer of setway_caches_change
	uint64_t before, after;
} seen;

void vgicv3_sgi(struct vcpu *of, uint64_t value, enum vgicv3_sgi which)
{
	assert_ptr_equal(of, vcpu);
	seen.sgis++;
	seen.value = value;
	seen.which = which;
}
void vgicv3_dir(struct vcpu *of, uint64_t value)
{
	assert_ptr_equal(of, vcpu);
	seen.dirs++;
	seen.value = value;
}
void setway_trap(struct vcpu *of, uint64_t esr)
{
	(void)esr;
	assert_ptr_equal(of, vcpu);
	seen.set_ways++;
}
bool setway_caches_change(struct vcpu *of, uint64_t before, uint64_t after)
{
	assert_ptr_equal(of, vcpu);
	seen.before = before;
	seen.after = after;
	return seen.caches_ready;
}

static int setup(void **state)
{
	bench_setup(state);
	memset(&seen, 0, sizeof seen);
	seen.caches_ready = true;
	fake_set_sysreg("vbar_el1", VBAR);
	fake_set_sysreg("cntfrq_el0", 62500000);
	timer_init(0);
	timer_init_cpu();
	idregs_init();
	return 0;
}

enum result { WENT_ON, REPEATED, UNDEFINED_THERE };

static enum result access_key(uint16_t key, unsigned rt, bool reads)
{
	uint64_t esr = field_put(ESR_EC, EC_SYSREG) | ESR_IL | field_put(ISS_SYS_OP0, key >> 14) |
	               field_put(ISS_SYS_OP1, key >> 11 & 7) |
	               field_put(ISS_SYS_CRN, key >> 7 & 15) |
	               field_put(ISS_SYS_CRM, key >> 3 & 15) | field_put(ISS_SYS_OP2, key & 7) |
	               field_put(ISS_SYS_RT, rt) | (reads ? ISS_SYS_READ : 0);
	vcpu->frame.pc = PC;
	vcpu->frame.pstate = MODE_EL1H;
	fake_set_sysreg("esr_el2", esr);
	fake_set_sysreg("esr_el1", 0x99);
	sysreg_trap(vcpu, esr);
	if (vcpu->frame.pc == PC + 4) {
		if (reads || key != KEY(3, 0, 5, 2, 0)) // ESR_EL1 itself
			assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
		return WENT_ON;
	}
	if (vcpu->frame.pc == PC)
		return REPEATED;
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_SPX);
	assert_int_equal(fake_get_sysreg("esr_el1"), ESR_IL); // class "unknown"
	assert_int_equal(fake_get_sysreg("elr_el1"), PC);
	return UNDEFINED_THERE;
}

static uint64_t read_key(uint16_t key)
{
	vcpu->frame.x[7] = UINT64_C(0xdeadbeefdeadbeef);
	assert_int_equal(access_key(key, 7, true), WENT_ON);
	return vcpu->frame.x[7];
}

static void write_key(uint16_t key, uint64_t value)
{
	vcpu->frame.x[9] = value;
	assert_int_equal(access_key(key, 9, false), WENT_ON);
	assert_int_equal(vcpu->frame.x[9], value);
}

// ---- the table ----

static void test_the_table_is_sorted(void **state)
{
	(void)state;
	for (unsigned i = 1; i < ARRAY_SIZE(rows); i++)
		assert_true(rows[i - 1].key < rows[i].key);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ptr_equal(find(rows[i].key), &rows[i]);
		assert_true(rows[i].read != NULL || rows[i].write != NULL);
	}
}

#define R 1
#define W 2

// What a guest may touch, from the encodings in the manual.
static const struct {
	uint16_t key;
	uint8_t ways;
} open_registers[] = {
        {KEY(1, 0, 7, 6, 2), W},      {KEY(1, 0, 7, 10, 2), W},
        {KEY(1, 0, 7, 14, 2), W},     {KEY(2, 0, 0, 0, 2), R | W}, // OSDTRRX_EL1
        {KEY(2, 0, 0, 2, 0), R | W},                               // MDCCINT_EL1
        {KEY(2, 0, 0, 2, 2), R | W},                               // MDSCR_EL1
        {KEY(2, 0, 0, 3, 2), R | W},                               // OSDTRTX_EL1
        {KEY(2, 0, 0, 6, 2), R | W},                               // OSECCR_EL1
        {KEY(2, 0, 1, 0, 0), R},                                   // MDRAR_EL1
        {KEY(2, 0, 1, 0, 4), W},                                   // OSLAR_EL1
        {KEY(2, 0, 1, 1, 4), R},                                   // OSLSR_EL1
        {KEY(2, 0, 1, 3, 4), R | W},                               // OSDLR_EL1
        {KEY(2, 0, 1, 4, 4), R | W},                               // DBGPRCR_EL1
        {KEY(2, 0, 7, 8, 6), R | W},                               // DBGCLAIMSET_EL1
        {KEY(2, 0, 7, 9, 6), R | W},                               // DBGCLAIMCLR_EL1
        {KEY(2, 0, 7, 14, 6), R},                                  // DBGAUTHSTATUS_EL1
        {KEY(2, 3, 0, 1, 0), R},                                   // MDCCSR_EL0
        {KEY(2, 3, 0, 4, 0), R | W},                               // DBGDTR_EL0
        {KEY(2, 3, 0, 5, 0), R | W},                               // DBGDTRRX_EL0, DBGDTRTX_EL0
        {KEY(3, 0, 0, 0, 6), R},                                   // REVIDR_EL1
        {KEY(3, 0, 1, 0, 0), W},                                   // SCTLR_EL1
        {KEY(3, 0, 1, 0, 1), R | W},                               // ACTLR_EL1
        {KEY(3, 0, 2, 0, 0), W},                                   // TTBR0_EL1
        {KEY(3, 0, 2, 0, 1), W},                                   // TTBR1_EL1
        {KEY(3, 0, 2, 0, 2), W},                                   // TCR_EL1
        {KEY(3, 0, 5, 1, 0), W},                                   // AFSR0_EL1
        {KEY(3, 0, 5, 1, 1), W},                                   // AFSR1_EL1
        {KEY(3, 0, 5, 2, 0), W},                                   // ESR_EL1
        {KEY(3, 0, 6, 0, 0), W},                                   // FAR_EL1
        {KEY(3, 0, 10, 2, 0), W},                                  // MAIR_EL1
        {KEY(3, 0, 10, 3, 0), W},                                  // AMAIR_EL1
        {KEY(3, 0, 12, 11, 1), W},                                 // ICC_DIR_EL1
        {KEY(3, 0, 12, 11, 5), W},                                 // ICC_SGI1R_EL1
        {KEY(3, 0, 12, 11, 6), W},                                 // ICC_ASGI1R_EL1
        {KEY(3, 0, 12, 11, 7), W},                                 // ICC_SGI0R_EL1
        {KEY(3, 0, 13, 0, 1), W},                                  // CONTEXTIDR_EL1
        {KEY(3, 1, 0, 0, 7), R},                                   // AIDR_EL1
        {KEY(3, 3, 14, 0, 1), R},                                  // CNTPCT_EL0
        {KEY(3, 3, 14, 0, 5), R},                                  // CNTPCTSS_EL0
        {KEY(3, 3, 14, 2, 0), R | W},                              // CNTP_TVAL_EL0
        {KEY(3, 3, 14, 2, 1), R | W},                              // CNTP_CTL_EL0
        {KEY(3, 3, 14, 2, 2), R | W},                              // CNTP_CVAL_EL0
};

static unsigned ways_of(uint16_t key)
{
	unsigned op0 = key >> 14, op1 = key >> 11 & 7, crn = key >> 7 & 15;
	unsigned crm = key >> 3 & 15, op2 = key & 7;
	if (op0 == 3 && op1 == 0 && crn == 0 && crm >= 1 && crm <= 7)
		return R; // ID registers, and the space reserved for them
	if (op0 == 2 && op1 == 0 && crn == 0 && op2 >= 4) // DBGBVR, DBGBCR, DBGWVR, DBGWCR
		return crm < (op2 < 6 ? 6U : 4U) ? R | W : 0;
	for (unsigned i = 0; i < ARRAY_SIZE(open_registers); i++)
		if (open_registers[i].key == key)
			return open_registers[i].ways;
	return 0;
}

static void test_every_encoding(void **state)
{
	(void)state;
	for (uint32_t key = 0; key < 65536; key++) {
		for (unsigned reads = 0; reads <= 1; reads++) {
			unsigned rt = key % 3 == 0 ? 31 : key % 31;
			fake_log_count = 0;
			vcpu->frame.x[rt % 31] = UINT64_C(0x5a5a5a5a5a5a5a5a);
			enum result result = access_key((uint16_t)key, rt, reads);
			bool may = (ways_of((uint16_t)key) & (reads ? R : W)) != 0;
			if (key >> 14 == 1 && may) { // set/way: whoever cleans decides
				assert_int_equal(result, REPEATED);
				continue;
			}
			if (result != (may ? WENT_ON : UNDEFINED_THERE))
				fail_msg("S%u_%u_C%u_C%u_%u %s: %d", key >> 14, key >> 11 & 7,
				         key >> 7 & 15, key >> 3 & 15, key & 7,
				         reads ? "read" : "written", (int)result);
			if (!may || !reads || rt == 31)
				assert_int_equal(vcpu->frame.x[rt % 31],
				                 UINT64_C(0x5a5a5a5a5a5a5a5a));
		}
	}
	assert_int_equal(vm.state, VM_RUNNING);
	assert_int_equal(seen.set_ways, 3);
}

static void test_undefined_at_el0_comes_from_el0(void **state)
{
	(void)state;
	uint64_t esr = field_put(ESR_EC, EC_SYSREG) | ESR_IL | field_put(ISS_SYS_OP0, 3) |
	               field_put(ISS_SYS_OP1, 3) | field_put(ISS_SYS_CRN, 15);
	vcpu->frame.pstate = MODE_EL0T;
	sysreg_trap(vcpu, esr);
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_LOWER_A64);
}

// ---- memory control registers ----

static void test_memory_control_registers_reach_the_hardware(void **state)
{
	static const struct {
		const char *name;
		uint16_t key;
	} regs[] = {
	        {"sctlr_el1", KEY(3, 0, 1, 0, 0)},  {"ttbr0_el1", KEY(3, 0, 2, 0, 0)},
	        {"ttbr1_el1", KEY(3, 0, 2, 0, 1)},  {"tcr_el1", KEY(3, 0, 2, 0, 2)},
	        {"afsr0_el1", KEY(3, 0, 5, 1, 0)},  {"afsr1_el1", KEY(3, 0, 5, 1, 1)},
	        {"far_el1", KEY(3, 0, 6, 0, 0)},    {"mair_el1", KEY(3, 0, 10, 2, 0)},
	        {"amair_el1", KEY(3, 0, 10, 3, 0)}, {"contextidr_el1", KEY(3, 0, 13, 0, 1)},
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		uint64_t value = UINT64_C(0x1122334455667700) + i;
		fake_log_count = 0;
		write_key(regs[i].key, value);
		assert_int_equal(fake_get_sysreg(regs[i].name), value);
		unsigned written = 0;
		for (size_t n = 0; n < fake_log_count; n++)
			written += fake_log[n].kind == FAKE_WRITE_SYSREG;
		assert_int_equal(written, 1);
		assert_int_equal(access_key(regs[i].key, 31, false), WENT_ON);
		assert_int_equal(fake_get_sysreg(regs[i].name), 0);
	}
	// ESR_EL1 apart: access_key itself looks at it.
	vcpu->frame.x[3] = 0x1234;
	vcpu->frame.pc = PC;
	sysreg_trap(vcpu, ESR_IL | field_put(ISS_SYS_OP0, 3) | field_put(ISS_SYS_CRN, 5) |
	                          field_put(ISS_SYS_CRM, 2) | field_put(ISS_SYS_RT, 3));
	assert_int_equal(fake_get_sysreg("esr_el1"), 0x1234);
}

static void test_sctlr_waits_for_the_caches(void **state)
{
	(void)state;
	fake_set_sysreg("sctlr_el1", 0x1005);
	seen.caches_ready = false;
	vcpu->frame.x[4] = 0x1000;
	assert_int_equal(access_key(KEY(3, 0, 1, 0, 0), 4, false), REPEATED);
	assert_int_equal(fake_get_sysreg("sctlr_el1"), 0x1005);
	assert_true(seen.before == 0x1005 && seen.after == 0x1000);
	seen.caches_ready = true;
	assert_int_equal(access_key(KEY(3, 0, 1, 0, 0), 4, false), WENT_ON);
	assert_int_equal(fake_get_sysreg("sctlr_el1"), 0x1000);
}

// ---- debug ----

static void test_debug_registers(void **state)
{
	(void)state;
	write_key(KEY(2, 0, 0, 2, 2), UINT64_MAX);
	// SS, TDCC, KDE, MDE; what an external debugger owns stays out of reach.
	assert_int_equal(fake_get_sysreg("mdscr_el1"), 1 | 1 << 12 | 1 << 13 | 1 << 15);
	fake_set_sysreg("mdscr_el1", 0x8000);
	assert_int_equal(read_key(KEY(2, 0, 0, 2, 2)), 0x8000);
	write_key(KEY(2, 0, 1, 0, 4), 1);
	assert_int_equal(read_key(KEY(2, 0, 1, 1, 4)), 8 | 2);
	assert_int_equal(fake_get_sysreg("oslar_el1"), 1);
	write_key(KEY(2, 0, 1, 0, 4), UINT64_MAX - 1);
	assert_int_equal(read_key(KEY(2, 0, 1, 1, 4)), 8);
	assert_int_equal(fake_get_sysreg("oslar_el1"), 0);
	for (unsigned op2 = 4; op2 < 8; op2++) { // each keeps its own
		for (unsigned n = 0; n < (op2 < 6 ? 6U : 4U); n++)
			write_key((uint16_t)KEY(2, 0, 0, n, op2), 0x1000 + n * 8 + op2);
	}
	for (unsigned op2 = 4; op2 < 8; op2++) {
		for (unsigned n = 0; n < (op2 < 6 ? 6U : 4U); n++) {
			assert_int_equal(read_key((uint16_t)KEY(2, 0, 0, n, op2)),
			                 0x1000 + n * 8 + op2);
			assert_int_equal(vcpu->debug.value[op2 - 4][n], 0x1000 + n * 8 + op2);
		}
	}
}

// ---- the EL1 physical timer ----

#define CNTP_TVAL KEY(3, 3, 14, 2, 0)
#define CNTP_CTL  KEY(3, 3, 14, 2, 1)
#define CNTP_CVAL KEY(3, 3, 14, 2, 2)

static void time_is(uint64_t board, uint64_t offset)
{
	fake_set_sysreg("cntpct_el0", board);
	vm.cntvoff = offset;
}

static void assert_deadline(uint64_t board)
{
	assert_int_equal(fake_get_sysreg("cnthp_ctl_el2"), CNT_CTL_ENABLE);
	assert_int_equal(fake_get_sysreg("cnthp_cval_el2"), board);
}

static void assert_no_deadline(void)
{
	assert_int_equal(fake_get_sysreg("cnthp_ctl_el2"), 0);
}

static void test_the_counter_starts_near_zero(void **state)
{
	(void)state;
	time_is(5000, 4990);
	assert_int_equal(read_key(KEY(3, 3, 14, 0, 1)), 10);
	assert_int_equal(read_key(KEY(3, 3, 14, 0, 5)), 10);
}

static void test_a_deadline_ahead(void **state)
{
	(void)state;
	time_is(100000, 90000);
	write_key(CNTP_CVAL, 12000);
	assert_no_deadline(); // not enabled yet
	write_key(CNTP_CTL, CNT_CTL_ENABLE);
	assert_deadline(102000);
	assert_int_equal(line.changes, 0);
	assert_int_equal(read_key(CNTP_CTL), CNT_CTL_ENABLE);
	assert_int_equal(read_key(CNTP_CVAL), 12000);
	assert_int_equal(read_key(CNTP_TVAL), 2000);
	time_is(101999, 90000);
	cntp_update(vcpu);
	assert_int_equal(line.changes, 0);
	time_is(102000, 90000); // that very tick
	assert_int_equal(read_key(CNTP_CTL), CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
	cntp_update(vcpu);
	assert_true(line.changes == 1 && line.level && line.intid == INTID_CNTP);
	assert_ptr_equal(line.vcpu, vcpu);
	assert_no_deadline();
	cntp_update(vcpu); // nothing new
	assert_int_equal(line.changes, 1);
	write_key(CNTP_CVAL, 13000); // the handler's work
	assert_true(line.changes == 2 && !line.level);
	assert_deadline(103000);
	write_key(CNTP_CTL, 0);
	assert_no_deadline();
	assert_int_equal(line.changes, 2);
}

static void test_mask_and_enable(void **state)
{
	(void)state;
	time_is(100000, 0);
	write_key(CNTP_CVAL, 99999); // due
	write_key(CNTP_CTL, CNT_CTL_ENABLE | CNT_CTL_IMASK);
	assert_int_equal(line.changes, 0);
	assert_no_deadline();
	assert_int_equal(read_key(CNTP_CTL), 7);
	write_key(CNTP_CTL, CNT_CTL_ENABLE);
	assert_true(line.changes == 1 && line.level);
	write_key(CNTP_CTL, CNT_CTL_ENABLE | CNT_CTL_IMASK);
	assert_true(line.changes == 2 && !line.level);
	write_key(CNTP_CTL, CNT_CTL_ENABLE);
	write_key(CNTP_CTL, CNT_CTL_IMASK); // off: no status either
	assert_true(line.changes == 4 && !line.level);
	assert_int_equal(read_key(CNTP_CTL), CNT_CTL_IMASK);
	write_key(CNTP_CTL, UINT64_MAX); // ISTATUS and what is reserved do not stick
	assert_int_equal(vcpu->cntp_ctl, 3);
}

static void test_tval_is_signed(void **state)
{
	(void)state;
	time_is(UINT64_C(0x500000000), UINT64_C(0x100000000));
	const uint64_t now = UINT64_C(0x400000000);
	static const struct {
		uint64_t tval;
		int64_t ahead;
	} cases[] = {{0, 0},
	             {1, 1},
	             {0x7fffffff, 0x7fffffff},
	             {0x80000000, -INT64_C(0x80000000)},
	             {0xffffffff, -1},
	             {UINT64_C(0xabcdef0000000005), 5}}; // the upper half is no part of it
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		write_key(CNTP_TVAL, cases[i].tval);
		assert_int_equal(read_key(CNTP_CVAL), now + (uint64_t)cases[i].ahead);
		assert_int_equal(read_key(CNTP_TVAL), cases[i].tval & UINT32_MAX);
	}
	write_key(CNTP_CVAL, 0);
	assert_int_equal(read_key(CNTP_TVAL), 0); // 32 bits of what is long past
	write_key(CNTP_CVAL, now - 3);
	assert_int_equal(read_key(CNTP_TVAL), 0xfffffffd);
}

static void test_deadlines_beyond_time(void **state)
{
	(void)state;
	time_is(1000, 900);
	write_key(CNTP_CTL, CNT_CTL_ENABLE);
	assert_true(line.changes == 1 && line.level); // CVAL is 0
	static const uint64_t far[] = {UINT64_MAX, UINT64_MAX - 899, UINT64_MAX - 900};
	for (unsigned i = 0; i < 3; i++) {
		write_key(CNTP_CVAL, far[i]);
		assert_false(line.level);
		assert_no_deadline(); // the board's counter never gets there
	}
	write_key(CNTP_CVAL, UINT64_MAX - 901);
	assert_deadline(UINT64_MAX - 1);
	// An offset that made guest time start behind zero.
	time_is(1000, 0 - UINT64_C(50));
	write_key(CNTP_CVAL, 2000);
	assert_false(line.level);
	assert_deadline(1950);
}

// ---- interrupts from registers ----

static void test_sgis(void **state)
{
	static const struct {
		uint16_t key;
		enum vgicv3_sgi which;
	} regs[] = {{KEY(3, 0, 12, 11, 5), VGICV3_SGI1R},
	            {KEY(3, 0, 12, 11, 6), VGICV3_ASGI1R},
	            {KEY(3, 0, 12, 11, 7), VGICV3_SGI0R}};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		write_key(regs[i].key, 0x1000001 + i);
		assert_int_equal(seen.sgis, i + 1);
		assert_int_equal(seen.which, regs[i].which);
		assert_int_equal(seen.value, 0x1000001 + i);
	}
	write_key(KEY(3, 0, 12, 11, 1), 27);
	assert_true(seen.dirs == 1 && seen.value == 27);
	vm.gic_version = 2; // there are no such registers
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(access_key(regs[i].key, 0, false), UNDEFINED_THERE);
	assert_int_equal(access_key(KEY(3, 0, 12, 11, 1), 0, false), UNDEFINED_THERE);
	assert_true(seen.sgis == 3 && seen.dirs == 1);
}

// ---- ID registers ----

static const char *const id_names[8][8] = {
#define NAMES(c)                                                                       \
	{                                                                              \
		"S3_0_C0_C" #c "_0", "S3_0_C0_C" #c "_1", "S3_0_C0_C" #c "_2",         \
		        "S3_0_C0_C" #c "_3", "S3_0_C0_C" #c "_4", "S3_0_C0_C" #c "_5", \
		        "S3_0_C0_C" #c "_6", "S3_0_C0_C" #c "_7"                       \
	}
        NAMES(0), NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6), NAMES(7)};

static void all_id_registers(uint64_t value)
{
	for (unsigned crm = 1; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++)
			fake_set_sysreg(id_names[crm][op2], value);
	idregs_init();
}

static uint64_t read_id(unsigned crm, unsigned op2)
{
	return read_key((uint16_t)KEY(3, 0, 0, crm, op2));
}

static void test_what_is_hidden(void **state)
{
	static const struct {
		uint8_t crm, op2, shift;
		const char *what;
	} hidden[] = {
	        {1, 0, 28, "RAS32"},     {1, 0, 20, "AMU32"},       {1, 1, 12, "virtualization32"},
	        {1, 2, 24, "PMU32"},     {1, 2, 12, "trace32"},     {1, 2, 16, "memory trace32"},
	        {1, 2, 20, "M debug"},   {1, 2, 28, "TraceFilt32"}, {3, 4, 8, "RAS_frac32"},
	        {4, 0, 8, "EL2"},        {4, 0, 12, "EL3"},         {4, 0, 28, "RAS"},
	        {4, 0, 32, "SVE"},       {4, 0, 36, "SEL2"},        {4, 0, 40, "MPAM"},
	        {4, 0, 44, "AMU"},       {4, 0, 52, "RME"},         {4, 1, 8, "MTE"},
	        {4, 1, 12, "RAS_frac"},  {4, 1, 16, "MPAM_frac"},   {4, 1, 24, "SME"},
	        {4, 1, 28, "RNDR_trap"}, {4, 1, 32, "CSV2_frac"},   {4, 1, 36, "NMI"},
	        {4, 1, 40, "MTE_frac"},  {4, 1, 44, "GCS"},         {4, 1, 48, "THE"},
	        {4, 1, 52, "MTEX"},      {4, 1, 56, "DF2"},         {4, 1, 60, "PFAR"},
	        {5, 0, 4, "trace"},      {5, 0, 8, "PMU"},          {5, 0, 32, "SPE"},
	        {5, 0, 40, "TraceFilt"}, {5, 0, 44, "TraceBuffer"}, {5, 0, 48, "MTPMU"},
	        {5, 0, 52, "BRBE"},      {5, 0, 60, "HPMN0"},       {6, 0, 24, "TME"},
	        {6, 1, 56, "XS"},        {6, 1, 60, "LS64"},        {6, 2, 16, "MOPS"},
	        {7, 0, 12, "SNSMem"},    {7, 0, 32, "TGran16_2"},   {7, 0, 36, "TGran64_2"},
	        {7, 0, 40, "TGran4_2"},  {7, 0, 44, "ExS"},         {7, 0, 56, "FGT"},
	        {7, 0, 60, "ECV"},       {7, 1, 4, "VMIDBits"},     {7, 1, 8, "VH"},
	        {7, 1, 16, "LO"},        {7, 1, 24, "SpecSEI"},     {7, 1, 28, "XNX"},
	        {7, 1, 32, "TWED"},      {7, 1, 40, "HCX"},         {7, 2, 12, "IESB"},
	        {7, 2, 24, "NV"},        {7, 2, 40, "FWB"},         {7, 2, 56, "EVT"},
	};
	(void)state;
	all_id_registers(UINT64_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++) {
		uint64_t field = UINT64_C(15) << hidden[i].shift;
		if ((read_id(hidden[i].crm, hidden[i].op2) & field) != 0)
			fail_msg("%s is shown", hidden[i].what);
	}
	// Whole registers that only describe what is hidden, and those that do not exist yet.
	static const uint8_t empty[][2] = {{1, 3}, {3, 3}, {3, 5}, {3, 6}, {3, 7}, {4, 2}, {4, 3},
	                                   {4, 4}, {4, 5}, {4, 6}, {4, 7}, {5, 1}, {5, 2}, {5, 3},
	                                   {5, 4}, {5, 5}, {5, 6}, {5, 7}, {6, 3}, {6, 4}, {6, 5},
	                                   {6, 6}, {6, 7}, {7, 3}, {7, 4}, {7, 5}, {7, 6}, {7, 7}};
	for (unsigned i = 0; i < ARRAY_SIZE(empty); i++)
		assert_int_equal(read_id(empty[i][0], empty[i][1]), 0);
	for (unsigned crm = 1; crm <= 3; crm++) // AArch32's have 32 bits
		for (unsigned op2 = 0; op2 < 8; op2++)
			assert_int_equal(read_id(crm, op2) >> 32, 0);
}

static void test_what_is_shown(void **state)
{
	(void)state;
	all_id_registers(UINT64_MAX);
	assert_int_equal(field_get(GENMASK_U64(3, 0), read_id(7, 0)), 5);   // 48 bits at most
	assert_int_equal(field_get(GENMASK_U64(7, 4), read_id(4, 0)), 1);   // EL1 is AArch64 alone
	assert_int_equal(field_get(GENMASK_U64(59, 56), read_id(4, 0)), 1); // CSV2 without SCXTNUM
	assert_int_equal(field_get(GENMASK_U64(27, 24), read_id(4, 0)), 1); // GICv3 registers
	assert_int_equal(field_get(GENMASK_U64(3, 0), read_id(5, 0)), 6);   // ARMv8.0 debug
	all_id_registers(0);
	assert_int_equal(read_id(4, 0), 1 << 4 | 1 << 24);
	assert_int_equal(read_id(5, 0), 6);
	assert_int_equal(read_id(1, 1), 1 << 28);
	assert_int_equal(read_id(6, 0), 0);
	vm.gic_version = 2;
	assert_int_equal(read_id(4, 0), 1 << 4);
	assert_int_equal(read_id(1, 1), 0);
}

// What is shown of a Cortex-A53 (its Technical Reference Manual's reset values).
static void test_a_cortex_a53(void **state)
{
	(void)state;
	all_id_registers(0);
	fake_set_sysreg("S3_0_C0_C4_0", 0x1002222); // EL0..EL3 of either state, GIC
	fake_set_sysreg("S3_0_C0_C5_0", 0x10305106);
	fake_set_sysreg("S3_0_C0_C6_0", 0x11120);
	fake_set_sysreg("S3_0_C0_C7_0", 0x1122);
	idregs_init();
	assert_int_equal(read_id(4, 0), 0x1000012);
	assert_int_equal(read_id(5, 0), 0x10305006);
	assert_int_equal(read_id(6, 0), 0x11120);
	assert_int_equal(read_id(7, 0), 0x122);
}

static void test_id_registers_are_read_only(void **state)
{
	(void)state;
	all_id_registers(UINT64_C(0x1111111111111111));
	for (unsigned crm = 1; crm < 8; crm++) {
		for (unsigned op2 = 0; op2 < 8; op2++) {
			uint64_t before = read_id(crm, op2);
			vcpu->frame.x[1] = UINT64_MAX;
			assert_int_equal(access_key((uint16_t)KEY(3, 0, 0, crm, op2), 1, false),
			                 UNDEFINED_THERE);
			assert_int_equal(read_id(crm, op2), before);
		}
	}
}

// The fast way goes back with what the long way does, or has changed nothing.
static void test_fast_for_every_encoding(void **state)
{
	(void)state;
	unsigned fast = 0;
	vm.gic_version = 3;
	for (uint32_t key = 0; key < 65536; key++) {
		for (unsigned reads = 0; reads <= 1; reads++) {
			unsigned rt = key % 31, sgis = seen.sgis;
			uint64_t pattern = UINT64_C(0x5a5a5a5a5a5a5a5a);
			vcpu->frame.x[rt] = pattern;
			enum result result = access_key((uint16_t)key, rt, reads);
			uint64_t value = vcpu->frame.x[rt], esr = fake_get_sysreg("esr_el2");
			vcpu->frame.x[rt] = pattern;
			sgis = seen.sgis - sgis;
			fake_set_sysreg("elr_el2", PC);
			fake_set_sysreg("spsr_el2", MODE_EL1H | PSTATE_SS);
			fake_log_count = 0;
			if (exit_sysreg(vcpu, esr | UINT64_C(0x84000000) << 32) ==
			    EXIT_LEAVE(GUEST_EXIT_SYNC)) {
				assert_int_equal(vcpu->frame.x[rt], pattern);
				assert_int_equal(fake_get_sysreg("elr_el2"), PC);
				assert_int_equal(fake_log_count, 0);
				continue;
			}
			fast++;
			assert_int_equal(result, WENT_ON);
			assert_int_equal(vcpu->frame.x[rt], value);
			assert_int_equal(fake_get_sysreg("elr_el2"), PC + 4);
			assert_int_equal(fake_get_sysreg("spsr_el2"), MODE_EL1H);
			assert_int_equal(sgis, reads ? 0 : 1);
		}
	}
	assert_int_equal(fast, 7 * 8 + 1); // feature registers, ICC_SGI1R_EL1
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_the_table_is_sorted),
	        TEST(test_every_encoding),
	        TEST(test_undefined_at_el0_comes_from_el0),
	        TEST(test_memory_control_registers_reach_the_hardware),
	        TEST(test_sctlr_waits_for_the_caches),
	        TEST(test_debug_registers),
	        TEST(test_the_counter_starts_near_zero),
	        TEST(test_a_deadline_ahead),
	        TEST(test_mask_and_enable),
	        TEST(test_tval_is_signed),
	        TEST(test_deadlines_beyond_time),
	        TEST(test_sgis),
	        TEST(test_what_is_hidden),
	        TEST(test_what_is_shown),
	        TEST(test_a_cortex_a53),
	        TEST(test_id_registers_are_read_only),
	        TEST(test_fast_for_every_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
