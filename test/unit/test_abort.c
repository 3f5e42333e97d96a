// SPDX-License-Identifier: Apache-2.0
// Stage 2 aborts: each form of load and store that the syndrome can describe reaches the device and comes
// back as the architecture says; what cannot be served comes back to the guest as an external abort.
#include "trap/trap.h"
#include "vcpu_bench.h"
#include "vdev/vflash.h"
#include "vm/stage1.h"

#define PC     UINT64_C(0xffff800010001000)
#define VBAR   UINT64_C(0xffff800010080000)
#define DEVICE UINT64_C(0x9000000)

#define WALK_LEVEL 1 // what the walk by software finds; the syndromes here say other levels

// ---- the rest of the machine ----

static int fault_answer; // of stage2_fault
static uint64_t fault_ipa_seen;
static unsigned faults;
static struct {
	unsigned ended, crashed, logged;
	enum vm_end why;
} outcome;

int stage2_fault(struct stage2 *s2, ipa_t ipa)
{
	assert_ptr_equal(s2, &vm.stage2);
	fault_ipa_seen = ipa.v;
	faults++;
	return fault_answer;
}

static struct {
	int answer; // of vflash_touch
	unsigned touched;
	uint64_t ipa; // of stage1_translate
} flash;

int vflash_touch(struct vm *of, uint64_t ipa)
{
	assert_ptr_equal(of, &vm);
	assert_int_equal(ipa, fault_ipa_seen);
	flash.touched++;
	return flash.answer;
}
int stage1_translate(struct vcpu *of, uint64_t va, uint64_t *ipa)
{
	assert_ptr_equal(of, vcpu);
	assert_int_equal(va, fake_get_sysreg("far_el2"));
	*ipa = flash.ipa;
	return flash.ipa != 0 ? 0 : ERR_FAULT;
}
int stage1_walk_level(struct vcpu *of, uint64_t va, uint64_t ipa)
{
	(void)va;
	(void)ipa;
	assert_ptr_equal(of, vcpu);
	return WALK_LEVEL;
}
void vm_end(struct vm *of, enum vm_end why)
{
	assert_ptr_equal(of, &vm);
	outcome.ended++;
	outcome.why = why;
}
void vm_crash(struct vcpu *of, const char *format, ...)
{
	(void)format;
	assert_ptr_equal(of, vcpu);
	outcome.crashed++;
}
void vm_log(struct vm *of, const char *format, ...)
{
	(void)format;
	assert_ptr_equal(of, &vm);
	outcome.logged++;
}

static struct {
	unsigned asked;
	uint64_t esr, ipa;
	bool answer;
} emulator;

bool emulate_access(struct vcpu *of, uint64_t esr,
                    uint64_t ipa) // test_emulate.c looks at the real one
{
	assert_ptr_equal(of, vcpu);
	emulator.asked++;
	emulator.esr = esr;
	emulator.ipa = ipa;
	return emulator.answer;
}

void trap_advance(struct vcpu *of, uint64_t esr) // test_trap.c looks at the real one
{
	of->frame.pc += (esr & ESR_IL) != 0 ? 4 : 2;
}

static struct {
	unsigned reads, writes, size;
	uint32_t offset;
	uint64_t value;
	bool answer;
} device;

static bool device_read(void *dev, struct vcpu *by, uint32_t offset, unsigned size, uint64_t *value)
{
	assert_true(dev == &device && by == vcpu);
	device.reads++;
	device.offset = offset;
	device.size = size;
	*value = size == 8 ? device.value : device.value & (BIT_U64(size * 8) - 1);
	return device.answer;
}
static bool device_write(void *dev, struct vcpu *by, uint32_t offset, unsigned size, uint64_t value)
{
	assert_true(dev == &device && by == vcpu);
	device.writes++;
	device.offset = offset;
	device.size = size;
	device.value = value;
	return device.answer;
}
static const struct mmio_ops device_ops = {
        .name = "device",
        .read = device_read,
        .write = device_write,
};

// The same, which answers some at once.
#define CONSTANT 0x400
static uint64_t quick_read(void *dev, struct vcpu *by, uint32_t offset, unsigned size)
{
	uint64_t value;
	if (offset >= 0x800)
		return MMIO_ASK;
	assert_true(device_read(dev, by, offset, size, &value));
	return offset == CONSTANT ? mmio_know(&by->hit, offset, size, 0x12345678) : value;
}
static uint64_t quick_take(void *dev, struct vcpu *by, uint32_t offset, unsigned size)
{
	uint64_t value;
	if (offset < 0xc00)
		return MMIO_ASK;
	if (offset == 0xc10)
		fake_cpu_this->work = CPU_WORK_CONSOLE;
	assert_true(device_read(dev, by, offset, size, &value));
	return value;
}
static bool quick_write(void *dev, struct vcpu *by, uint32_t offset, unsigned size, uint64_t value)
{
	if (offset == 0x10)
		fake_cpu_this->work = CPU_WORK_CONSOLE;
	return offset < 0x800 && device_write(dev, by, offset, size, value);
}
static const struct mmio_ops quick_ops = {
        .name = "quick",
        .read = device_read,
        .write = device_write,
        .quick_read = quick_read,
        .quick_take = quick_take,
        .quick_write = quick_write,
};
#define QUICK (DEVICE + 0x10000)

static void start(uint64_t ipa, uint64_t esr)
{
	memset(&outcome, 0, sizeof outcome);
	memset(&device, 0, sizeof device);
	memset(&emulator, 0, sizeof emulator);
	device.answer = true;
	memset(&flash, 0, sizeof flash);
	flash.answer = ERR_RANGE;
	vm.flash = NULL;
	faults = 0;
	fault_answer = ERR_RANGE;
	vcpu->frame.pc = PC;
	vcpu->frame.pstate = MODE_EL1H;
	fake_set_sysreg("esr_el2", esr);
	fake_set_sysreg("hpfar_el2", ipa >> 12 << 4);
	fake_set_sysreg("far_el2", UINT64_C(0xffff000012340000) | (ipa & 0xfff));
	fake_set_sysreg("vbar_el1", VBAR);
	fake_set_sysreg("sctlr_el1", 0);
	fake_set_sysreg("esr_el1", 0x99);
	fake_set_sysreg("far_el1", 0x99);
}

static int setup(void **state)
{
	bench_setup(state);
	assert_int_equal(mmio_add(&vm.mmio, DEVICE, 0x1000, &device_ops, &device), 0);
	assert_int_equal(mmio_add(&vm.mmio, QUICK, 0x2000, &quick_ops, &device), 0);
	return 0;
}

// The guest found an external abort of this class, and the instruction was not passed over.
static void assert_aborted(uint64_t ec, uint64_t iss)
{
	assert_int_equal(fake_get_sysreg("esr_el1"), field_put(ESR_EC, ec) | ESR_IL | iss);
	assert_int_equal(fake_get_sysreg("far_el1"), fake_get_sysreg("far_el2"));
	assert_int_equal(fake_get_sysreg("elr_el1"), PC);
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_SPX);
}

static uint64_t data_esr(uint64_t iss)
{
	return field_put(ESR_EC, EC_DABT_LOWER) | ESR_IL | FSC_TRANSLATION | 3 | iss;
}

// ---- every form that has a syndrome ----

static uint64_t loaded(uint64_t value, unsigned sas, bool sse, bool sf)
{
	switch (sas) {
	case 0: value = sse ? (uint64_t)(int64_t)(int8_t)value : (uint8_t)value; break;
	case 1: value = sse ? (uint64_t)(int64_t)(int16_t)value : (uint16_t)value; break;
	case 2: value = sse ? (uint64_t)(int64_t)(int32_t)value : (uint32_t)value; break;
	default: break;
	}
	return sf ? value : value & UINT32_MAX;
}

static void test_loads(void **state)
{
	static const uint64_t values[] = {0,
	                                  UINT64_MAX,
	                                  UINT64_C(0x8081828384858687),
	                                  UINT64_C(0x0102030475767778),
	                                  0x80,
	                                  0x8000,
	                                  0x80000000};
	(void)state;
	for (unsigned form = 0; form < 4 * 2 * 2 * 32; form++) {
		unsigned sas = form & 3, reg = form >> 4;
		bool sse = form & 4, sf = form & 8;
		uint64_t iss = ISS_ISV | field_put(ISS_SAS, sas) | (sse ? ISS_SSE : 0) |
		               (sf ? ISS_SF : 0) | field_put(ISS_SRT, reg);
		for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
			start(DEVICE + 0x18, data_esr(iss));
			device.value = values[v];
			for (unsigned r = 0; r < 31; r++)
				vcpu->frame.x[r] = UINT64_C(0xa5a5a5a5a5a5a500) + r;
			abort_data(vcpu, fake_get_sysreg("esr_el2"));
			assert_int_equal(vcpu->frame.pc, PC + 4);
			assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
			assert_true(device.reads == 1 && device.writes == 0);
			assert_int_equal(device.offset, 0x18);
			assert_int_equal(device.size, 1u << sas);
			for (unsigned r = 0; r < 31; r++)
				assert_int_equal(vcpu->frame.x[r],
				                 r == reg ? loaded(values[v], sas, sse, sf)
				                          : UINT64_C(0xa5a5a5a5a5a5a500) + r);
		}
	}
}

static void test_stores(void **state)
{
	(void)state;
	for (unsigned form = 0; form < 4 * 2 * 2 * 32; form++) {
		unsigned sas = form & 3, reg = form >> 4;
		uint64_t iss = ISS_ISV | ISS_WNR | field_put(ISS_SAS, sas) |
		               (form & 4 ? ISS_SSE : 0) | (form & 8 ? ISS_SF : 0) |
		               field_put(ISS_SRT, reg);
		start(DEVICE + 0xff8, data_esr(iss));
		for (unsigned r = 0; r < 31; r++)
			vcpu->frame.x[r] = UINT64_C(0xf1f2f3f4f5f6f700) + r;
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_int_equal(vcpu->frame.pc, PC + 4);
		assert_true(device.reads == 0 && device.writes == 1);
		assert_int_equal(device.size, 1u << sas);
		uint64_t all = reg == 31 ? 0 : UINT64_C(0xf1f2f3f4f5f6f700) + reg;
		assert_int_equal(device.value, sas == 3 ? all : all & (BIT_U64(8u << sas) - 1));
		for (unsigned r = 0; r < 31; r++)
			assert_int_equal(vcpu->frame.x[r], UINT64_C(0xf1f2f3f4f5f6f700) + r);
	}
}

static void test_a_program_of_32_bits(void **state)
{
	(void)state;
	uint64_t iss = ISS_ISV | field_put(ISS_SAS, 2) | field_put(ISS_SRT, 3);
	start(DEVICE, data_esr(iss) & ~ESR_IL); // a 16-bit T32 load
	vcpu->frame.pstate = PSTATE_AARCH32 | PSTATE_T32;
	vcpu->frame.pc = 0x8000;
	device.value = 0x12345678;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(vcpu->frame.pc, 0x8002);
	assert_int_equal(vcpu->frame.x[3], 0x12345678);
}

// Data, in the order of where the access comes from; the fast way leaves such to the long one.
static void test_big_endian(void **state)
{
	static const struct {
		uint64_t pstate, sctlr;
		bool big;
	} rows[] = {
	        {MODE_EL1H, SCTLR_EL1_EE, true},      {MODE_EL1H, SCTLR_EL1_E0E, false},
	        {MODE_EL0T, SCTLR_EL1_E0E, true},     {MODE_EL0T, SCTLR_EL1_EE, false},
	        {PSTATE_AARCH32 | PSTATE_E, 0, true}, {PSTATE_AARCH32, SCTLR_EL1_E0E, false},
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t iss = ISS_ISV | field_put(ISS_SAS, 1) | field_put(ISS_SRT, 3);
		start(DEVICE, data_esr(iss | ISS_WNR));
		fake_set_sysreg("sctlr_el1", rows[i].sctlr);
		vcpu->frame.pstate = rows[i].pstate;
		vcpu->frame.x[3] = 0x12345678;
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_int_equal(device.value, rows[i].big ? 0x7856 : 0x5678);
		start(DEVICE, data_esr(iss | ISS_SSE | ISS_SF));
		fake_set_sysreg("sctlr_el1", rows[i].sctlr);
		vcpu->frame.pstate = rows[i].pstate;
		device.value = 0x12f4;
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_int_equal(vcpu->frame.x[3],
		                 rows[i].big ? UINT64_C(0xfffffffffffff412) : 0x12f4);
		if (rows[i].sctlr == 0)
			continue;
		start(QUICK, data_esr(iss));
		fake_set_sysreg("sctlr_el1", rows[i].sctlr);
		vcpu->hit = (struct mmio_hit){0};
		assert_int_equal(exit_data(vcpu, data_esr(iss)), EXIT_LEAVE(GUEST_EXIT_SYNC));
		assert_int_equal(device.reads, 0);
		assert_true(vcpu->hit.page == MMIO_NO_PAGE); // nor when it comes back to the first
	}
}

// ---- addresses ----

static void test_the_address_is_put_together(void **state)
{
	(void)state;
	for (uint64_t ipa = 1; ipa < UINT64_C(1) << 52; ipa = ipa * 2 + (ipa & 0x777)) {
		start(ipa, data_esr(0));
		// Bits 51:48 of the address are in FIPA as well; nothing of them may get lost.
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_int_equal(fault_ipa_seen, ipa & GENMASK_U64(51, 0));
		assert_aborted(EC_DABT_SAME, FSC_EXTERNAL);
	}
}

static void test_first_touch(void **state)
{
	(void)state;
	for (unsigned fsc = 0; fsc < 64; fsc++) {
		bool translation = (fsc >> 2) <= 2; // address size, translation, access flag
		for (unsigned form = 0; form < 16; form++) {
			uint64_t iss = (form & 1 ? ISS_S1PTW : 0) | (form & 2 ? ISS_WNR : 0) |
			               (form & 4 ? ISS_ISV : 0) | (form & 8 ? ISS_CM : 0);
			start(VM_VIRT_RAM_BASE + 0x1234, (data_esr(iss) & ~ISS_FSC) | fsc);
			fault_answer = 0;
			abort_data(vcpu, fake_get_sysreg("esr_el2"));
			assert_int_equal(faults, translation);
			if (translation) { // and the instruction runs again
				assert_int_equal(vcpu->frame.pc, PC);
				assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
			} else {
				assert_aborted(EC_DABT_SAME,
				               (iss & (ISS_WNR | ISS_CM)) |
				                       (iss & ISS_S1PTW
				                                ? FSC_EXTERNAL_WALK | WALK_LEVEL
				                                : FSC_EXTERNAL));
			}
			assert_true(device.reads + device.writes == 0);
		}
	}
}

// What is no RAM may be flash: what reads or fetches there is done again, what writes is an access.
static void test_flash_touched(void **state)
{
	(void)state;
	start(DEVICE, data_esr(ISS_ISV));
	flash.answer = 0;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(vcpu->frame.pc, PC);
	assert_int_equal(flash.touched, 1);
	assert_int_equal(device.reads, 0);
	start(DEVICE, data_esr(ISS_ISV | ISS_WNR | field_put(ISS_SAS, 2)));
	flash.answer = 0;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(vcpu->frame.pc, PC + 4);
	assert_int_equal(flash.touched, 0);
	assert_int_equal(device.writes, 1);
	start(DEVICE, data_esr(ISS_S1PTW | ISS_WNR));
	flash.answer = 0;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(flash.touched, 1);
	assert_int_equal(vcpu->frame.pc, PC);
	start(DEVICE, field_put(ESR_EC, EC_IABT_LOWER) | ESR_IL | FSC_TRANSLATION | 3);
	flash.answer = 0;
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(flash.touched, 1);
	assert_int_equal(vcpu->frame.pc, PC);
	start(DEVICE, data_esr(ISS_ISV));
	flash.answer = ERR_NO_MEMORY;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.ended, 1);
	assert_int_equal(outcome.why, VM_END_STARVE);
}

// A store to flash that is mapped: the guest's own tables say where it goes, as HPFAR does not.
static void test_flash_written(void **state)
{
	const uint64_t esr = (data_esr(ISS_WNR) & ~ISS_FSC) | FSC_PERMISSION | 3;
	struct vflash *some = (struct vflash *)&flash;
	(void)state;
	assert_int_equal(mmio_add(&vm.mmio, VFLASH_BASE, VFLASH_END, &device_ops, &device), 0);
	for (unsigned log2 = 0; log2 < 4; log2++) {
		start(0x5000,
		      esr | ISS_ISV | ISS_SF | field_put(ISS_SAS, log2) | field_put(ISS_SRT, 3));
		vm.flash = some;
		flash.ipa = 0x04001230;
		vcpu->frame.x[3] = UINT64_C(0x1122334455667788);
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_int_equal(vcpu->frame.pc, PC + 4);
		assert_int_equal(device.offset, 0x04001230);
		assert_int_equal(device.size, 1 << log2);
		assert_int_equal(device.writes, 1);
		assert_int_equal(faults, 0);
	}
	start(0x5000, esr); // a pair, say
	vm.flash = some;
	flash.ipa = 0x04001230;
	emulator.answer = true;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(emulator.asked, 1);
	assert_int_equal(emulator.ipa, 0x04001230);
	start(0x5000, esr | ISS_CM);
	vm.flash = some;
	flash.ipa = 0x04001230;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(vcpu->frame.pc, PC + 4);
	assert_int_equal(device.writes, 0);
	// Not to flash, by tables that lead nowhere, by a walk, by a VM that has none.
	for (unsigned i = 0; i < 4; i++) {
		bool walk = i == 2;
		start(0x5000, esr | ISS_ISV | (walk ? ISS_S1PTW : 0));
		vm.flash = i == 3 ? NULL : some;
		flash.ipa = i == 0 ? VFLASH_END : i == 1 ? 0 : 0x04001230;
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_aborted(EC_DABT_SAME,
		               (walk ? FSC_EXTERNAL_WALK | WALK_LEVEL : FSC_EXTERNAL) | ISS_WNR);
		assert_int_equal(device.writes, 0);
	}
}

static void test_no_memory_left(void **state)
{
	(void)state;
	start(VM_VIRT_RAM_BASE, data_esr(ISS_ISV));
	fault_answer = ERR_NO_MEMORY;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.ended, 1);
	assert_int_equal(outcome.why, VM_END_STARVE);
	assert_int_equal(outcome.logged, 1);
	assert_int_equal(vcpu->frame.pc, PC);
}

static void test_nobody_answers(void **state)
{
	static const uint64_t holes[] = {0, DEVICE - 4, DEVICE + 0x1000, UINT64_C(1) << 40};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(holes); i++) {
		for (unsigned write = 0; write <= 1; write++) {
			uint64_t iss = ISS_ISV | field_put(ISS_SAS, 2) | (write ? ISS_WNR : 0);
			start(holes[i], data_esr(iss));
			abort_data(vcpu, fake_get_sysreg("esr_el2"));
			assert_aborted(EC_DABT_SAME, FSC_EXTERNAL | (write ? ISS_WNR : 0));
		}
	}
	// A device that refuses, and an access that leaves its region.
	start(DEVICE, data_esr(ISS_ISV | field_put(ISS_SRT, 5)));
	device.answer = false;
	vcpu->frame.x[5] = 77;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_DABT_SAME, FSC_EXTERNAL);
	assert_int_equal(vcpu->frame.x[5], 77);
	start(DEVICE + 0xffe, data_esr(ISS_ISV | field_put(ISS_SAS, 2)));
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_DABT_SAME, FSC_EXTERNAL);
	assert_int_equal(device.reads, 0);
}

static void test_no_syndrome(void **state)
{
	(void)state;
	start(DEVICE, data_esr(ISS_WNR)); // a pair, a write-back, SIMD
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_DABT_SAME, FSC_EXTERNAL | ISS_WNR);
	assert_int_equal(device.writes, 0);
	assert_int_equal(outcome.crashed, 0);
	assert_int_equal(emulator.asked, 1);
	assert_true(emulator.esr == data_esr(ISS_WNR) && emulator.ipa == DEVICE);
	// When that is dealt with there, nothing is left to do.
	start(DEVICE, data_esr(0));
	emulator.answer = true;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(vcpu->frame.pc, PC);
	assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
	// Nobody asks where there is a syndrome, where a walk ended, or where the page is there and may not be written.
	static const uint64_t others[] = {ISS_ISV, ISS_S1PTW, FSC_PERMISSION ^ FSC_TRANSLATION};
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		start(DEVICE, data_esr(0) ^ others[i]);
		emulator.answer = true;
		abort_data(vcpu, fake_get_sysreg("esr_el2"));
		assert_int_equal(emulator.asked, 0);
	}
}

// Maintenance by address of what no memory stands behind has nothing to do.
static void test_cache_maintenance_of_nothing(void **state)
{
	(void)state;
	start(DEVICE, data_esr(ISS_CM | ISS_WNR));
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(vcpu->frame.pc, PC + 4);
	assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
	assert_int_equal(device.reads + device.writes, 0);
	// Not when its own table walk found nothing.
	start(DEVICE, data_esr(ISS_CM | ISS_WNR | ISS_S1PTW));
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_DABT_SAME, FSC_EXTERNAL_WALK | WALK_LEVEL | ISS_CM | ISS_WNR);
}

// A stage 1 table in a device's registers is no access to the device.
static void test_walks_do_not_reach_devices(void **state)
{
	(void)state;
	start(DEVICE, data_esr(ISS_S1PTW | ISS_ISV | ISS_WNR));
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_DABT_SAME, FSC_EXTERNAL_WALK | WALK_LEVEL | ISS_WNR);
	assert_int_equal(device.reads + device.writes, 0);
	start(DEVICE, data_esr(ISS_S1PTW));
	vcpu->frame.pc = VBAR + 0x200; // its handler has no tables either
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.crashed, 1);
}

static void test_from_el0(void **state)
{
	(void)state;
	start(0x1000, data_esr(ISS_ISV));
	vcpu->frame.pstate = MODE_EL0T;
	abort_data(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(field_get(ESR_EC, fake_get_sysreg("esr_el1")), EC_DABT_LOWER);
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_LOWER_A64);
}

// ---- fetches ----

static uint64_t fetch_esr(uint64_t iss)
{
	return field_put(ESR_EC, EC_IABT_LOWER) | ESR_IL | FSC_TRANSLATION | 3 | iss;
}

static void test_fetches(void **state)
{
	(void)state;
	start(VM_VIRT_RAM_BASE + MIB(3), fetch_esr(0));
	fault_answer = 0;
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(fault_ipa_seen, VM_VIRT_RAM_BASE + MIB(3));
	assert_int_equal(vcpu->frame.pc, PC);
	start(DEVICE, fetch_esr(0)); // where a device is
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_IABT_SAME, FSC_EXTERNAL);
	assert_int_equal(device.reads, 0);
	start(DEVICE, (fetch_esr(0) & ~ISS_FSC) | FSC_PERMISSION | 2); // mapped, but never executed
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_IABT_SAME, FSC_EXTERNAL);
	assert_int_equal(faults, 0);
	start(0x1000, fetch_esr(ISS_S1PTW));
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_aborted(EC_IABT_SAME, FSC_EXTERNAL_WALK | WALK_LEVEL);
	start(VM_VIRT_RAM_BASE, fetch_esr(0));
	fault_answer = ERR_NO_MEMORY;
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.why, VM_END_STARVE);
}

static void test_vectors_that_cannot_be_fetched(void **state)
{
	(void)state;
	start(0x1000, fetch_esr(0));
	vcpu->frame.pc = VBAR + VECTOR_SPX;
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.crashed, 1);
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_SPX);
	// From EL0 the same address is only an address.
	start(0x1000, fetch_esr(0));
	vcpu->frame.pc = VBAR + VECTOR_SPX;
	vcpu->frame.pstate = MODE_EL0T;
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.crashed, 0);
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_LOWER_A64);
}

// The vectors may also be a device, whose pages never execute.
static void test_vectors_in_a_device(void **state)
{
	(void)state;
	start(DEVICE, (fetch_esr(0) & ~ISS_FSC) | FSC_PERMISSION | 3);
	vcpu->frame.pc = VBAR + VECTOR_SPX;
	abort_instruction(vcpu, fake_get_sysreg("esr_el2"));
	assert_int_equal(outcome.crashed, 1);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)

// ---- the fast way ----

static uint64_t fast(uint64_t ipa, uint64_t esr)
{
	start(ipa, esr);
	fake_set_sysreg("elr_el2", PC);
	fake_set_sysreg("spsr_el2", MODE_EL1H | PSTATE_BTYPE | PSTATE_SS);
	fake_cpu_this->work = 0;
	return exit_data(vcpu, esr | (uint64_t)0xc6000001 << 32); // the upper half is undefined
}

static void assert_back(uint64_t result, uint64_t wanted)
{
	assert_int_equal(result, wanted);
	assert_int_equal(fake_get_sysreg("elr_el2"), PC + 4);
	assert_int_equal(fake_get_sysreg("spsr_el2"), MODE_EL1H);
}

static void test_fast_accesses(void **state)
{
	(void)state;
	for (unsigned log = 0; log < 4; log++)
		for (uint64_t r = 0; r < 32; r++) {
			uint64_t iss = ISS_ISV | field_put(ISS_SAS, log) | field_put(ISS_SRT, r);
			uint64_t count = vcpu->exits_by_class[EC_DABT_LOWER];
			assert_back(fast(QUICK + 0x120, data_esr(iss)), (uintptr_t)vcpu);
			assert_int_equal(device.reads, 1);
			assert_int_equal(device.offset, 0x120);
			assert_int_equal(device.size, 1 << log);
			if (r != 31)
				vcpu->frame.x[r] = UINT64_MAX;
			assert_back(fast(QUICK + 8, data_esr(iss | ISS_WNR)), (uintptr_t)vcpu);
			assert_int_equal(device.writes, 1);
			assert_int_equal(device.value,
			                 r == 31 ? 0 : UINT64_MAX >> (64 - (8 << log)));
			assert_int_equal(vcpu->exits_by_class[EC_DABT_LOWER], count + 2);
		}
}

static void test_fast_access_that_posts(void **state)
{
	(void)state;
	assert_back(fast(QUICK + 0x10, data_esr(ISS_ISV | ISS_WNR | field_put(ISS_SAS, 2))),
	            EXIT_LEAVE(GUEST_EXIT_DONE));
	assert_int_equal(device.writes, 1);
	fake_cpu_this->work = 0;
}

// A load that quick_read leaves to quick_take.
static void test_fast_take(void **state)
{
	(void)state;
	uint64_t iss = ISS_ISV | field_put(ISS_SAS, 2) | field_put(ISS_SRT, 7);
	assert_back(fast(QUICK + 0xc00, data_esr(iss)), (uintptr_t)vcpu);
	assert_int_equal(device.reads, 1);
	assert_int_equal(device.offset, 0xc00);
	assert_back(fast(QUICK + 0xc10, data_esr(iss)), EXIT_LEAVE(GUEST_EXIT_DONE));
	assert_int_equal(device.reads, 1);
	fake_cpu_this->work = 0;
}

// The device is asked once for what it says will not change, by this load of this page.
static void test_fast_known(void **state)
{
	(void)state;
	uint64_t iss = ISS_ISV | field_put(ISS_SAS, 2) | field_put(ISS_SRT, 7);
	struct {
		uint64_t ipa, iss;
		unsigned asked;
	} rows[] = {
	        {QUICK + CONSTANT, iss, 1},
	        {QUICK + CONSTANT, iss, 0},
	        {QUICK + CONSTANT, ISS_ISV | field_put(ISS_SAS, 2) | field_put(ISS_SRT, 30), 0},
	        {QUICK + CONSTANT + 1, iss, 1}, // the last load alone is known
	        {QUICK + CONSTANT, iss, 1},
	        {QUICK + CONSTANT, iss, 0},
	        {QUICK + CONSTANT, iss ^ field_put(ISS_SAS, 1), 1}, // eight bytes
	        {QUICK + CONSTANT, iss ^ field_put(ISS_SAS, 1), 0},
	        {QUICK + CONSTANT, iss, 1},
	        {QUICK, iss, 1},
	        {QUICK + CONSTANT, iss, 1},
	        {QUICK + 0x1000 + CONSTANT, iss, 1}, // another page
	        {QUICK + CONSTANT, iss, 1},
	        {QUICK + CONSTANT, iss, 0},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t count = vcpu->exits_by_class[EC_DABT_LOWER];
		unsigned rt = (unsigned)field_get(ISS_SRT, rows[i].iss);
		vcpu->frame.x[rt] = 1;
		assert_back(fast(rows[i].ipa, data_esr(rows[i].iss)), (uintptr_t)vcpu);
		assert_int_equal(device.reads, rows[i].asked);
		if (rows[i].ipa == QUICK + CONSTANT)
			assert_int_equal(vcpu->frame.x[rt], 0x12345678);
		assert_int_equal(vcpu->exits_by_class[EC_DABT_LOWER], count + 1);
	}
	assert_back(fast(QUICK + CONSTANT, data_esr(iss | ISS_WNR)), (uintptr_t)vcpu);
	assert_int_equal(device.writes, 1);
	assert_back(fast(QUICK + CONSTANT, data_esr(iss)), (uintptr_t)vcpu);
	// Other loads, and other aborts, of the same place.
	assert_int_equal(fast(QUICK + CONSTANT, data_esr(iss | ISS_SSE)),
	                 EXIT_LEAVE(GUEST_EXIT_SYNC));
	assert_int_equal(fast(QUICK + CONSTANT, data_esr(iss) ^ 8), EXIT_LEAVE(GUEST_EXIT_SYNC));
}

// What has no fast way has changed nothing.
static void test_fast_declines(void **state)
{
	(void)state;
	static const struct {
		uint64_t ipa, iss, esr; // esr: bits that are turned over
	} rows[] = {
	        {QUICK, ISS_ISV | ISS_SSE, 0},
	        {QUICK, ISS_ISV | ISS_CM, 0},
	        {QUICK, ISS_ISV | ISS_S1PTW, 0},
	        {QUICK, 0, 0},
	        {QUICK, ISS_ISV, 8}, // a permission fault
	        {QUICK, ISS_ISV, (uint64_t)(EC_IABT_LOWER ^ EC_DABT_LOWER) << 26},
	        {QUICK, ISS_ISV, (uint64_t)(EC_SERROR ^ EC_DABT_LOWER) << 26},
	        {QUICK + 0x800, ISS_ISV, 0}, // the device declines
	        {QUICK + 0x800, ISS_ISV | ISS_WNR, 0},
	        {QUICK + 0x1ffe, ISS_ISV | UINT64_C(3) << 22, 0}, // over its end
	        {QUICK + 0x1ffe, ISS_ISV | ISS_WNR | UINT64_C(3) << 22, 0},
	        {DEVICE, ISS_ISV, 0}, // has no fast way
	        {DEVICE, ISS_ISV | ISS_WNR, 0},
	        {DEVICE + 0x5000, ISS_ISV, 0}, // nobody is there
	        {0, ISS_ISV, 0},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t count = vcpu->exits_by_class[EC_DABT_LOWER];
		struct guest_frame before = vcpu->frame;
		assert_int_equal(fast(rows[i].ipa, data_esr(rows[i].iss) ^ rows[i].esr),
		                 EXIT_LEAVE(GUEST_EXIT_SYNC));
		assert_int_equal(device.reads + device.writes, 0);
		assert_int_equal(fake_get_sysreg("elr_el2"), PC);
		assert_memory_equal(vcpu->frame.x, before.x, sizeof before.x);
		assert_int_equal(vcpu->exits_by_class[EC_DABT_LOWER], count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_loads),
	        TEST(test_stores),
	        TEST(test_a_program_of_32_bits),
	        TEST(test_big_endian),
	        TEST(test_the_address_is_put_together),
	        TEST(test_first_touch),
	        TEST(test_flash_touched),
	        TEST(test_flash_written),
	        TEST(test_no_memory_left),
	        TEST(test_nobody_answers),
	        TEST(test_no_syndrome),
	        TEST(test_cache_maintenance_of_nothing),
	        TEST(test_walks_do_not_reach_devices),
	        TEST(test_from_el0),
	        TEST(test_fetches),
	        TEST(test_vectors_that_cannot_be_fetched),
	        TEST(test_vectors_in_a_device),
	        TEST(test_fast_accesses),
	        TEST(test_fast_access_that_posts),
	        TEST(test_fast_take),
	        TEST(test_fast_known),
	        TEST(test_fast_declines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
