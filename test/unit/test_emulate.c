// SPDX-License-Identifier: Apache-2.0
// Instructions that are fetched and carried out: what the device sees, in which order; what the registers hold after it;
// and that nothing changes when an access is refused, does not translate or is not what the CPU reported.
#include "trap/trap.h"
#include "vcpu_bench.h"
#include "vm/stage1.h"

#define PC      UINT64_C(0xffff800010001010)
#define PC_IPA  (VM_VIRT_RAM_BASE + 0x5010) // where stage 1 has it
#define VBAR    UINT64_C(0xffff800010080000)
#define VA      UINT64_C(0xffff000012340000) // of the device's first page
#define DEVICE  UINT64_C(0x9000000)
#define BYTES   0x2000u
#define OTHER   UINT64_C(0x9800000) // the same device once more, for a second page
#define NOWHERE UINT64_C(0xa000000)

// ---- the rest of the machine ----

static uint32_t instruction;
static bool no_code;
static unsigned past_the_caches; // how often the instruction was read so
static struct {
	bool code_gone;              // no translation of the PC
	uint64_t next;               // where any other page is; or:
	uint64_t fault;              // what keeps from getting there
	struct stage1_rights rights; // of the last such question
	uint64_t va;
	unsigned asked;
} stage1;

int vm_read_memory(struct vm *of, ipa_t ipa, void *to, size_t size)
{
	assert_true(of == &vm && size == 4);
	assert_int_equal(ipa.v, PC_IPA);
	memcpy(to, &instruction, 4);
	return no_code ? ERR_FAULT : 0;
}
int vm_dma_read(struct vm *of, ipa_t ipa, void *to, size_t size)
{
	past_the_caches++;
	return vm_read_memory(of, ipa, to, size);
}
uint64_t stage1_access(struct vcpu *of, uint64_t va, struct stage1_rights rights, uint64_t *ipa)
{
	assert_ptr_equal(of, vcpu);
	if (va == PC) {
		assert_false(rights.el0 || rights.write || rights.pan);
		*ipa = PC_IPA;
		return stage1.code_gone ? FSC_TRANSLATION | 3 : 0;
	}
	stage1.rights = rights;
	stage1.va = va;
	stage1.asked++;
	*ipa = stage1.next | (va & 0xfff);
	return stage1.fault;
}
bool trap_data_is_big(const struct vcpu *of) // test_abort.c looks at the real ones
{
	bool el0 = (of->frame.pstate & PSTATE_MODE) == MODE_EL0T;
	return (fake_get_sysreg("sctlr_el1") & (el0 ? SCTLR_EL1_E0E : SCTLR_EL1_EE)) != 0;
}
uint64_t trap_data_order(const struct vcpu *of, uint64_t value, unsigned size)
{
	return trap_data_is_big(of) ? __builtin_bswap64(value) >> (64 - size * 8) : value;
}

static unsigned fp_reads, fp_writes; // test_vcpu.c looks at the real ones
void vcpu_fp_read(struct vcpu *of)
{
	assert_ptr_equal(of, vcpu);
	fp_reads++;
}
void vcpu_fp_write(struct vcpu *of)
{
	assert_ptr_equal(of, vcpu);
	fp_writes++;
}
void trap_advance(struct vcpu *of, uint64_t esr) // test_trap.c looks at the real one
{
	assert_true((esr & ESR_IL) != 0);
	of->frame.pc += 4;
}

// ---- the device: bytes, and a log ----

static uint8_t bytes[BYTES];
static struct event {
	uint32_t offset;
	unsigned size;
	bool write;
} events[80];
static unsigned nr_events;
static unsigned refuse_at; // which access it refuses
static unsigned repeat_at; // ... or wants to have made again

static bool note(uint32_t offset, unsigned size, bool write)
{
	assert_true(nr_events < ARRAY_SIZE(events) && offset + size <= BYTES);
	assert_int_equal(offset % size, 0);
	events[nr_events++] = (struct event){offset, size, write};
	vcpu->repeat = nr_events - 1 == repeat_at;
	return nr_events - 1 != refuse_at;
}
static bool device_read(void *dev, struct vcpu *by, uint32_t offset, unsigned size, uint64_t *value)
{
	assert_true(dev == bytes && by == vcpu);
	*value = 0;
	memcpy(value, &bytes[offset], size);
	return note(offset, size, false);
}
static bool device_write(void *dev, struct vcpu *by, uint32_t offset, unsigned size, uint64_t value)
{
	assert_true(dev == bytes && by == vcpu);
	assert_true(size == 8 || value >> (size * 8) == 0);
	memcpy(&bytes[offset], &value, size);
	return note(offset, size, true);
}
static const struct mmio_ops device_ops = {
        .name = "device",
        .read = device_read,
        .write = device_write,
};

// ---- one instruction ----

static uint64_t esr_of(bool write)
{
	return field_put(ESR_EC, EC_DABT_LOWER) | ESR_IL | FSC_TRANSLATION | 3 |
	       (write ? ISS_WNR : 0);
}

static uint64_t x_of(unsigned reg)
{
	return UINT64_C(0xa1a2a3a4a5a6a700) + reg;
}
static uint64_t v_of(unsigned half)
{
	return UINT64_C(0xf1f2f3f4f5f6f700) + half;
}

static int setup(void **state)
{
	bench_setup(state);
	assert_int_equal(mmio_add(&vm.mmio, DEVICE, BYTES, &device_ops, bytes), 0);
	assert_int_equal(mmio_add(&vm.mmio, OTHER, BYTES, &device_ops, bytes), 0);
	memset(&stage1, 0, sizeof stage1);
	fp_reads = fp_writes = past_the_caches = 0;
	no_code = false;
	refuse_at = repeat_at = UINT32_MAX;
	nr_events = 0;
	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(0x80 + i * 7 + i / 256);
	for (unsigned i = 0; i < 31; i++)
		vcpu->frame.x[i] = x_of(i);
	for (unsigned i = 0; i < ARRAY_SIZE(vcpu->fp.v); i++)
		vcpu->fp.v[i] = v_of(i);
	vcpu->emulation.done = 0;
	vcpu->frame.pc = PC;
	vcpu->frame.pstate = MODE_EL1H;
	vcpu->frame.x[1] = VA + 0x40;
	vcpu->frame.x[4] = 0xffffffff; // -1 as 32 bits
	fake_set_sysreg("vbar_el1", VBAR);
	fake_set_sysreg("esr_el1", 0x99);
	fake_set_sysreg("sctlr_el1", SCTLR_M | SCTLR_C);
	fake_set_sysreg("cpacr_el1", field_put(CPACR_FPEN, FPEN_ALL));
	fake_set_sysreg("sp_el0", VA + 0x100);
	fake_set_sysreg("sp_el1", VA + 0x200);
	return 0;
}

static unsigned exits; // that the last instruction took

// What the CPU reports, as often as it comes to the instruction.
static bool report(bool write, uint64_t far, uint64_t ipa)
{
	bool answered;
	unsigned before;
	fake_set_sysreg("far_el2", far);
	exits = 0;
	do {
		before = nr_events;
		answered = emulate_access(vcpu, esr_of(write), ipa);
		assert_true(nr_events - before <= 2);
	} while (++exits < 40 && answered && vcpu->frame.pc == PC && nr_events != before);
	return answered;
}

// An access at this offset of the device.
static bool run(uint32_t word, uint32_t offset, bool write)
{
	instruction = word;
	return report(write, VA + offset, DEVICE + offset);
}

static uint64_t at(uint32_t offset, unsigned size)
{
	uint64_t value = 0;
	memcpy(&value, &bytes[offset], size);
	return value;
}

static void assert_events(const struct event *want, unsigned count)
{
	assert_int_equal(nr_events, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(events[i].offset, want[i].offset);
		assert_int_equal(events[i].size, want[i].size);
		assert_int_equal(events[i].write, want[i].write);
	}
}

// All general registers but those of the mask are as they were.
static void assert_kept(uint32_t but)
{
	for (unsigned i = 0; i < 31; i++)
		if ((but & 1u << i) == 0)
			assert_int_equal(vcpu->frame.x[i], i == 1   ? VA + 0x40
			                                   : i == 4 ? 0xffffffff
			                                            : x_of(i));
}

static void assert_vectors_kept(uint64_t but)
{
	for (unsigned i = 0; i < 64; i++)
		if ((but >> (i / 2) & 1) == 0)
			assert_int_equal(vcpu->fp.v[i], v_of(i));
}

static void assert_done(void)
{
	assert_int_equal(vcpu->frame.pc, PC + 4);
	assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
}

// The guest found a fault at `offset`, and no register has changed.
static void assert_fault(uint64_t iss, uint64_t va)
{
	assert_int_equal(fake_get_sysreg("esr_el1"),
	                 field_put(ESR_EC, EC_DABT_SAME) | ESR_IL | iss);
	assert_int_equal(fake_get_sysreg("far_el1"), va);
	assert_int_equal(fake_get_sysreg("elr_el1"), PC);
	assert_int_equal(vcpu->frame.pc, VBAR + VECTOR_SPX);
	assert_kept(0);
	assert_vectors_kept(0);
}

// It runs again, and nothing happened.
static void assert_again(void)
{
	assert_int_equal(vcpu->frame.pc, PC);
	assert_int_equal(fake_get_sysreg("esr_el1"), 0x99);
	assert_int_equal(nr_events, 0);
	assert_kept(0);
	assert_vectors_kept(0);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)
#define EVENTS(...)                                        \
	assert_events((const struct event[]){__VA_ARGS__}, \
	              sizeof((const struct event[]){__VA_ARGS__}) / sizeof(struct event))

// ---- general registers ----

// Loads of one register whose base moves.
static void test_loads(void **state)
{
	static const struct {
		uint32_t word, offset;
		unsigned size;
		int64_t moved;
		bool sign, wide;
	} rows[] = {
	        {0xb8404422, 0x40, 4, 4, false, false}, // ldr w2, [x1], #4
	        {0xf85f8c22, 0x38, 8, -8, false, true}, // ldr x2, [x1, #-8]!
	        {0x38c01422, 0x40, 1, 1, true, false},  // ldrsb w2, [x1], #1
	        {0x78802c22, 0x42, 2, 2, true, true},   // ldrsh x2, [x1, #2]!
	        {0xb89fc422, 0x40, 4, -4, true, true},  // ldrsw x2, [x1], #-4
	        {0xb8400822, 0x40, 4, 0, false, false}, // ldtr w2, [x1]
	        {0x88dffc22, 0x40, 4, 0, false, false}, // ldar w2, [x1]
	        {0x99404022, 0x44, 4, 0, false, false}, // ldapur w2, [x1, #4]
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		assert_true(run(rows[i].word, rows[i].offset, false));
		assert_done();
		EVENTS({rows[i].offset, rows[i].size, false});
		unsigned shift = 64 - 8 * rows[i].size;
		uint64_t value = at(rows[i].offset, rows[i].size);
		if (rows[i].sign)
			value = (uint64_t)((int64_t)(value << shift) >> shift);
		assert_int_equal(vcpu->frame.x[2], rows[i].wide ? value : (uint32_t)value);
		assert_int_equal(vcpu->frame.x[1], VA + 0x40 + (uint64_t)rows[i].moved);
		assert_kept(1 << 1 | 1 << 2);
	}
}

static void test_stores(void **state)
{
	static const struct {
		uint32_t word, offset;
		unsigned size;
		int64_t moved;
	} rows[] = {
	        {0xb8004422, 0x40, 4, 4}, // str w2, [x1], #4
	        {0x38001c22, 0x41, 1, 1}, // strb w2, [x1, #1]!
	        {0x38000822, 0x40, 1, 0}, // sttrb w2, [x1]
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		assert_true(run(rows[i].word, rows[i].offset, true));
		assert_done();
		EVENTS({rows[i].offset, rows[i].size, true});
		assert_int_equal(at(rows[i].offset, rows[i].size),
		                 x_of(2) & (UINT64_MAX >> (64 - 8 * rows[i].size)));
		assert_int_equal(vcpu->frame.x[1], VA + 0x40 + (uint64_t)rows[i].moved);
		assert_kept(1 << 1);
	}
}

static void test_pairs(void **state)
{
	assert_true(run(0x29400c22, 0x40, false)); // ldp w2, w3, [x1]
	assert_done();
	EVENTS({0x40, 4, false}, {0x44, 4, false});
	assert_int_equal(vcpu->frame.x[2], at(0x40, 4));
	assert_int_equal(vcpu->frame.x[3], at(0x44, 4));
	assert_kept(1 << 2 | 1 << 3);
	setup(state);
	assert_true(run(0xa9ff0c22, 0x30, false)); // ldp x2, x3, [x1, #-16]!
	EVENTS({0x30, 8, false}, {0x38, 8, false});
	assert_int_equal(vcpu->frame.x[2], at(0x30, 8));
	assert_int_equal(vcpu->frame.x[3], at(0x38, 8));
	assert_int_equal(vcpu->frame.x[1], VA + 0x30);
	setup(state);
	assert_true(run(0x69400c22, 0x40, false)); // ldpsw x2, x3, [x1]
	assert_int_equal(vcpu->frame.x[2], (int64_t)(int32_t)at(0x40, 4));
	assert_int_equal(vcpu->frame.x[3], (int64_t)(int32_t)at(0x44, 4));
	setup(state);
	assert_true(run(0xa8bf0c22, 0x40, true)); // stp x2, x3, [x1], #-16
	EVENTS({0x40, 8, true}, {0x48, 8, true});
	assert_int_equal(at(0x40, 8), x_of(2));
	assert_int_equal(at(0x48, 8), x_of(3));
	assert_int_equal(vcpu->frame.x[1], VA + 0x30);
	setup(state);
	assert_true(run(0xa900083f, 0x40, true)); // stp xzr, x2, [x1]
	assert_int_equal(at(0x40, 8), 0);
	assert_int_equal(at(0x48, 8), x_of(2));
}

// One register twice, or the base: what is loaded, and loaded last, stays; what is stored is what was there.
static void test_unpredictable(void **state)
{
	assert_true(run(0xa9400822, 0x40, false)); // ldp x2, x2, [x1]
	assert_int_equal(vcpu->frame.x[2], at(0x48, 8));
	setup(state);
	assert_true(run(0xa8c10821, 0x40, false)); // ldp x1, x2, [x1], #16
	assert_int_equal(vcpu->frame.x[1], at(0x40, 8));
	setup(state);
	assert_true(run(0xf8008421, 0x40, true)); // str x1, [x1], #8
	assert_int_equal(at(0x40, 8), VA + 0x40);
	assert_int_equal(vcpu->frame.x[1], VA + 0x48);
}

static void test_stack_pointers(void **state)
{
	static const struct {
		uint64_t pstate;
		uint32_t offset;
		const char *used, *kept;
	} rows[] = {
	        {MODE_EL1H, 0x200, "sp_el1", "sp_el0"},
	        {MODE_EL1T, 0x100, "sp_el0", "sp_el1"},
	        {MODE_EL0T, 0x100, "sp_el0", "sp_el1"},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		vcpu->frame.pstate = rows[i].pstate;
		uint64_t kept = fake_get_sysreg(rows[i].kept);
		assert_true(run(0xa8c20fe2, rows[i].offset, false)); // ldp x2, x3, [sp], #32
		assert_done();
		assert_int_equal(vcpu->frame.x[2], at(rows[i].offset, 8));
		assert_int_equal(fake_get_sysreg(rows[i].used), VA + rows[i].offset + 32);
		assert_int_equal(fake_get_sysreg(rows[i].kept), kept);
		assert_kept(1 << 2 | 1 << 3);
	}
}

static void test_offsets(void **state)
{
	vcpu->frame.x[1] = VA + 0x44;
	assert_true(run(0xbc64d822, 0x40, false)); // ldr s2, [x1, w4, sxtw #2]
	EVENTS({0x40, 4, false});
	setup(state);
	vcpu->frame.x[1] = VA + 0x41 - UINT32_MAX - 1;
	assert_true(run(0xb8644822, 0x40, false)); // ldr w2, [x1, w4, uxtw]
	EVENTS({0x40, 4, false});
	setup(state);
	vcpu->frame.x[4] = UINT64_MAX;
	assert_true(run(0x3ce47822, 0x30, false)); // ldr q2, [x1, x4, lsl #4]
	EVENTS({0x30, 8, false}, {0x38, 8, false});
}

// What a key made of the base only the CPU knows: FAR has it.
static void test_signed_base(void **state)
{
	vcpu->frame.x[1] = UINT64_C(0x1234ffff12340040);
	assert_true(run(0xf8200422, 0x40, false)); // ldraa x2, [x1]
	EVENTS({0x40, 8, false});
	assert_int_equal(vcpu->frame.x[2], at(0x40, 8));
	assert_int_equal(vcpu->frame.x[1], UINT64_C(0x1234ffff12340040));
	setup(state);
	assert_true(run(0xf8201c22, 0x48, false)); // ldraa x2, [x1, #8]!
	assert_int_equal(vcpu->frame.x[1], VA + 0x48);
}

// A literal is where the PC is, which a test can only have by putting the device there.
static void test_literal(void **state)
{
	(void)state;
	instruction = 0x58008002; // ldr x2, .+0x1000
	fake_set_sysreg("far_el2", PC + 0x1000);
	assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x10));
	assert_done();
	EVENTS({0x10, 8, false});
	assert_int_equal(vcpu->frame.x[2], at(0x10, 8));
}

// ---- SIMD&FP registers ----

static void test_vector_registers(void **state)
{
	static const struct {
		uint32_t word;
		unsigned size;
	} loads[] = {
	        {0x3d400022, 1},
	        {0x7d400022, 2},
	        {0xbc404422, 4},
	        {0xfd400022, 8},
	}; // ldr b2, h2, s2, d2
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		setup(state);
		assert_true(run(loads[i].word, 0x40, false));
		assert_done();
		EVENTS({0x40, loads[i].size, false});
		assert_int_equal(vcpu->fp.v[4], at(0x40, loads[i].size));
		assert_int_equal(vcpu->fp.v[5], 0);
		assert_vectors_kept(1 << 2);
		assert_true(exits == 1 && fp_reads == 1 && fp_writes == 1);
	}
	setup(state);
	assert_true(run(0xad400c22, 0x40, false)); // ldp q2, q3, [x1]
	EVENTS({0x40, 8, false}, {0x48, 8, false}, {0x50, 8, false}, {0x58, 8, false});
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vcpu->fp.v[4 + i], at(0x40 + 8 * i, 8));
	assert_vectors_kept(3 << 2);
	assert_kept(0);
	setup(state);
	assert_true(run(0x3c810422, 0x40, true)); // str q2, [x1], #16
	EVENTS({0x40, 8, true}, {0x48, 8, true});
	assert_int_equal(at(0x40, 8), v_of(4));
	assert_int_equal(at(0x48, 8), v_of(5));
	assert_int_equal(vcpu->frame.x[1], VA + 0x50);
	setup(state);
	assert_true(run(0x7d000022, 0x40, true)); // str h2, [x1]
	EVENTS({0x40, 2, true});
	assert_int_equal(at(0x40, 2), v_of(4) & 0xffff);
	setup(state);
	assert_true(run(0x6d000c22, 0x40, true)); // stp d2, d3, [x1]
	EVENTS({0x40, 8, true}, {0x48, 8, true});
	assert_int_equal(at(0x48, 8), v_of(6));
	assert_true(fp_reads == 1 && fp_writes == 0);
}

static void test_structures(void **state)
{
	assert_true(run(0x4c407022, 0x40, false)); // ld1 {v2.16b}, [x1]
	assert_int_equal(nr_events, 16);
	assert_int_equal(events[15].offset, 0x4f);
	assert_int_equal(vcpu->fp.v[5], at(0x48, 8));
	setup(state);
	vcpu->frame.x[4] = 24;
	assert_true(run(0x0cc47022, 0x40, false)); // ld1 {v2.8b}, [x1], x4
	assert_int_equal(vcpu->fp.v[4], at(0x40, 8));
	assert_int_equal(vcpu->fp.v[5], 0);
	assert_int_equal(vcpu->frame.x[1], VA + 0x58);
	setup(state);
	assert_true(run(0x0ddf9022, 0x40, false)); // ld1 {v2.s}[1], [x1], #4
	EVENTS({0x40, 4, false});
	assert_int_equal(vcpu->fp.v[4], (v_of(4) & UINT32_MAX) | at(0x40, 4) << 32);
	assert_int_equal(vcpu->fp.v[5], v_of(5));
	assert_int_equal(vcpu->frame.x[1], VA + 0x44);
	setup(state);
	assert_true(run(0x0d40c422 | 0, 0x40, false)); // ld1r {v2.4h}, [x1]
	EVENTS({0x40, 2, false});
	assert_int_equal(vcpu->fp.v[4], at(0x40, 2) * UINT64_C(0x0001000100010001));
	assert_int_equal(vcpu->fp.v[5], 0);
	setup(state);
	assert_true(run(0x4cdf883f, 0x40, false)); // ld2 {v31.4s, v0.4s}, [x1], #32
	assert_int_equal(nr_events, 8);
	assert_int_equal(vcpu->fp.v[62], at(0x40, 4) | at(0x48, 4) << 32);
	assert_int_equal(vcpu->fp.v[1], at(0x54, 4) | at(0x5c, 4) << 32);
	assert_vectors_kept(UINT64_C(1) << 31 | 1);
	setup(state);
	assert_true(run(0x4c000020, 0x40, true)); // st4 {v0.16b-v3.16b}, [x1]
	assert_int_equal(nr_events, 64);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(events[i].offset, 0x40 + i);
		assert_int_equal(bytes[0x40 + i],
		                 (uint8_t)(v_of(i % 4 * 2 + i / 32) >> (i / 4 % 8 * 8)));
	}
	setup(state);
	assert_true(run(0x4d205822, 0x40, true)); // st2 {v2.h, v3.h}[7], [x1]
	EVENTS({0x40, 2, true}, {0x42, 2, true});
	assert_int_equal(at(0x42, 2), v_of(7) >> 48);
}

// ---- big-endian data; instructions are not ----

static void test_big_endian(void **state)
{
	static const struct {
		uint64_t pstate, sctlr;
		bool big;
	} rows[] = {
	        {MODE_EL1H, SCTLR_EL1_EE, true},
	        {MODE_EL1H, SCTLR_EL1_E0E, false},
	        {MODE_EL0T, SCTLR_EL1_E0E, true},
	        {MODE_EL0T, SCTLR_EL1_EE, false},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		vcpu->frame.pstate = rows[i].pstate;
		fake_set_sysreg("sctlr_el1", rows[i].sctlr);
		assert_true(run(0x29400c22, 0x40, false)); // ldp w2, w3, [x1]
		uint32_t want = (uint32_t)at(0x44, 4);
		assert_int_equal(vcpu->frame.x[3], rows[i].big ? __builtin_bswap32(want) : want);
		setup(state);
		vcpu->frame.pstate = rows[i].pstate;
		fake_set_sysreg("sctlr_el1", rows[i].sctlr);
		assert_true(run(0x3dc00022, 0x40, false)); // ldr q2, [x1]
		uint64_t low = at(0x40, 8), high = at(0x48, 8);
		assert_int_equal(vcpu->fp.v[4], rows[i].big ? __builtin_bswap64(high) : low);
		assert_int_equal(vcpu->fp.v[5], rows[i].big ? __builtin_bswap64(low) : high);
		setup(state);
		vcpu->frame.pstate = rows[i].pstate;
		fake_set_sysreg("sctlr_el1", rows[i].sctlr);
		assert_true(run(0x7d000022, 0x40, true)); // str h2, [x1]
		uint16_t half = (uint16_t)v_of(4);
		assert_int_equal(at(0x40, 2), rows[i].big ? __builtin_bswap16(half) : half);
	}
}

// ---- what is not carried out ----

static void test_not_aligned(void **state)
{
	assert_true(run(0x29400c22, 0x40, false)); // a control
	assert_done();
	setup(state);
	vcpu->frame.x[1] = VA + 0x42;
	instruction = 0x29400c22; // ldp w2, w3, [x1]
	fake_set_sysreg("far_el2", VA + 0x42);
	assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x42));
	vcpu->frame.x[1] = VA + 0x40;
	assert_fault(FSC_ALIGNMENT, VA + 0x42);
	setup(state);
	vcpu->frame.x[1] = VA + 0x48;
	assert_true(run(0x3dc00022, 0x48, false)); // ldr q2, [x1]
	vcpu->frame.x[1] = VA + 0x40;
	assert_fault(FSC_ALIGNMENT, VA + 0x48);
	assert_int_equal(nr_events, 0);
}

static void test_refused(void **state)
{
	static const struct {
		uint32_t word;
		bool write;
		uint64_t status;
	} rows[] = {
	        {0x885f7c22, false, FSC_EXCLUSIVE}, // ldxr w2, [x1]
	        {0x88047c22, true, FSC_EXCLUSIVE},  // stxr w4, w2, [x1]
	        {0xb8220023, false, FSC_EXCLUSIVE}, // ldadd w2, w3, [x1]
	        {0xb8220023, true, FSC_EXCLUSIVE},
	        {0xc8a27c23, false, FSC_EXCLUSIVE}, // cas x2, x3, [x1]
	        {0xb8228023, true, FSC_EXCLUSIVE},  // swp w2, w3, [x1]
	        {0xf83f9022, true, FSC_EXCLUSIVE},  // st64b x2, [x1]
	        {0x19218022, true, FSC_EXCLUSIVE},  // swpp x2, x1, [x1]
	        {0xd50b7421, true, FSC_ALIGNMENT},  // dc zva, x1
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		assert_true(run(rows[i].word, 0x40, rows[i].write));
		assert_fault(rows[i].status | (rows[i].write ? ISS_WNR : 0), VA + 0x40);
		assert_int_equal(nr_events, 0);
	}
}

// Nobody answers: the caller's external abort.
static void test_left_to_the_caller(void **state)
{
	static const uint32_t words[] = {
	        0x8b000000, 0xd9200822, 0x19040444, // add; stg x2, [x1]; cpyfm
	        0xffffffff, 0,
	};
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		setup(state);
		assert_false(run(words[i], 0x40, true));
		assert_again();
	}
	setup(state);
	no_code = true;
	assert_false(run(0x29400c22, 0x40, false));
	assert_again();
	setup(state);
	vcpu->frame.pstate = PSTATE_AARCH32; // A32 has other words
	assert_false(run(0x29400c22, 0x40, false));
	assert_again();
	setup(state);
	instruction = 0x29400c22;
	fake_set_sysreg("far_el2", VA + 0x40);
	assert_false(emulate_access(vcpu, esr_of(false), NOWHERE));
	assert_again();
}

static void test_prefetch(void **state)
{
	(void)state;
	assert_true(run(0xf9800020, 0x40, false));
	assert_done();
	assert_int_equal(nr_events, 0);
}

// Somebody changed the instruction or its page meanwhile.
static void test_not_what_the_cpu_did(void **state)
{
	assert_true(run(0x29400c22, 0x40, true)); // a load, and the CPU stored
	assert_again();
	setup(state);
	assert_true(run(0x29000c22, 0x40, false)); // and the other way round
	assert_again();
	setup(state);
	assert_true(run(0x29400c22, 0x48, false)); // behind the pair
	assert_again();
	setup(state);
	assert_true(run(0x29400c22, 0x3f, false)); // before it
	assert_again();
	setup(state);
	assert_true(run(0x29400c22, 0x44, false)); // its second word
	assert_done();
	setup(state);
	stage1.code_gone = true;
	assert_true(run(0x29400c22, 0x40, false));
	assert_again();
	setup(state); // the byte that TBI ignores
	instruction = 0x29400c22;
	fake_set_sysreg("far_el2", (VA + 0x40) ^ (UINT64_C(0x5a) << 56));
	assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x40));
	assert_done();
}

// What was done before the device refused stays done; no register knows.
static void test_refused_in_the_middle(void **state)
{
	for (unsigned n = 0; n < 4; n++) {
		setup(state);
		refuse_at = n;
		assert_true(
		        run(0x4cdf883f & ~0x400000u, 0x40, true)); // st2 {v31.4s, v0.4s}, [x1], #32
		assert_int_equal(nr_events, n + 1);
		assert_fault(FSC_EXTERNAL | ISS_WNR, VA + 0x40 + 4 * n);
	}
	setup(state);
	refuse_at = 1;
	assert_true(run(0xa8c10c22, 0x40, false)); // ldp x2, x3, [x1], #16
	assert_fault(FSC_EXTERNAL, VA + 0x48);
	setup(state);
	refuse_at = 2;
	assert_true(run(0xad400c22, 0x40, false)); // ldp q2, q3, [x1]
	assert_fault(FSC_EXTERNAL, VA + 0x50);
	// Over the end of the device.
	setup(state);
	vcpu->frame.x[1] = VA + BYTES - 8;
	stage1.next = NOWHERE;
	assert_true(run(0xa9400c22, BYTES - 8, false)); // ldp x2, x3, [x1]
	vcpu->frame.x[1] = VA + 0x40;
	assert_fault(FSC_EXTERNAL, VA + BYTES);
	assert_int_equal(nr_events, 1);
}

// The device is not ready: the guest comes once more, and what is done stays done.
static void test_repeated(void **state)
{
	for (unsigned n = 0; n < 4; n++) {
		setup(state);
		repeat_at = n;
		assert_true(run(0xad400c22, 0x40, false)); // ldp q2, q3, [x1]
		assert_done();
		assert_false(vcpu->repeat);
		assert_int_equal(nr_events, 5);
		assert_int_equal(events[n].offset, events[n + 1].offset);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(vcpu->fp.v[4 + i], at(0x40 + 8 * i, 8));
		assert_int_equal(fp_writes, 1);
	}
}

// One exit makes few accesses. Only the very same instruction goes on where it was.
static void test_pieces(void **state)
{
	static const uint32_t other = 0x29400c22; // ldp w2, w3, [x1]
	assert_true(run(0x4c000020, 0x40, true)); // st4 {v0.16b-v3.16b}, [x1]
	assert_done();
	assert_int_equal(exits, 32);
	for (unsigned change = 0; change < 9; change++) {
		setup(state);
		instruction = 0xad400c22; // ldp q2, q3, [x1]
		fake_set_sysreg("far_el2", VA + 0x40);
		assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x40));
		assert_int_equal(nr_events, 2);
		assert_int_equal(vcpu->frame.pc, PC);
		assert_kept(0);
		assert_vectors_kept(0);
		switch (change) { // between two exits
		case 0: break;
		case 1: vcpu->frame.x[30]++; break;
		case 2: fake_set_sysreg("sp_el0", 1); break;
		case 3: fake_set_sysreg("sp_el1", 1); break;
		case 4: fake_set_sysreg("ttbr0_el1", 1); break;
		case 5: vcpu->frame.pstate ^= PSTATE_Z; break;
		case 6: instruction ^= 1; break;
		case 7: // a handler made an access of its own
			instruction = other;
			assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x40));
			vcpu->frame.pc = PC;
			vcpu->frame.x[2] = x_of(2);
			vcpu->frame.x[3] = x_of(3);
			instruction = 0xad400c22;
			break;
		case 8: vcpu->emulation.done = 0; break; // as a reset leaves it
		}
		unsigned before = nr_events;
		assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x40));
		assert_int_equal(nr_events, before + 2);
		assert_int_equal(events[before].offset, change == 0 ? 0x50 : 0x40);
		assert_int_equal(vcpu->frame.pc, change == 0 ? PC + 4 : PC);
	}
}

// A handler of another program in between, with other vector registers: they are stored as a whole.
static void test_vectors_change_in_between(void **state)
{
	(void)state;
	for (unsigned change = 0; change < 2; change++) {
		setup(state);
		instruction = 0xad000c22; // stp q2, q3, [x1]
		fake_set_sysreg("far_el2", VA + 0x40);
		assert_true(emulate_access(vcpu, esr_of(true), DEVICE + 0x40));
		assert_int_equal(nr_events, 2);
		vcpu->fp.v[2 * 2] ^= change;
		assert_true(emulate_access(vcpu, esr_of(true), DEVICE + 0x40));
		assert_int_equal(events[2].offset, change == 0 ? 0x50 : 0x40);
	}
}

// The guest keeps its vector registers from some: somebody rewrote the instruction, or it would have trapped.
static void test_vectors_closed(void **state)
{
	static const struct {
		uint64_t fpen, pstate;
		bool open;
	} rows[] = {
	        {0, MODE_EL1H, false}, {2, MODE_EL1H, false}, {1, MODE_EL1H, true},
	        {0, MODE_EL0T, false}, {1, MODE_EL0T, false}, {3, MODE_EL0T, true},
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		fake_set_sysreg("cpacr_el1", field_put(CPACR_FPEN, rows[i].fpen));
		vcpu->frame.pstate = rows[i].pstate;
		instruction = 0xfd400022; // ldr d2, [x1]
		fake_set_sysreg("far_el2", VA + 0x40);
		assert_true(emulate_access(vcpu, esr_of(false), DEVICE + 0x40));
		assert_int_equal(nr_events, rows[i].open);
		assert_int_equal(vcpu->frame.pc, rows[i].open ? PC + 4 : PC);
	}
}

// ---- two pages ----

#define BORDER 0x1000u

static bool run_across(uint32_t word, bool write, uint64_t far, uint64_t ipa)
{
	instruction = word;
	vcpu->frame.x[1] = VA + BORDER - 8;
	bool done = report(write, far, ipa);
	vcpu->frame.x[1] = VA + 0x40; // as assert_kept wants it
	return done;
}

#define LDP_X 0xa9400c22u // ldp x2, x3, [x1]
#define STP_X 0xa9000c22u

static void test_two_pages(void **state)
{
	stage1.next = OTHER + BORDER;
	assert_true(run_across(LDP_X, false, VA + BORDER - 8, DEVICE + 0x123ff8 % BORDER));
	assert_done();
	assert_int_equal(stage1.va, VA + BORDER);
	EVENTS({0xff8, 8, false}, {0x1000, 8, false}); // of DEVICE, of OTHER
	assert_int_equal(vcpu->frame.x[3], at(0x1000, 8));
	setup(state); // the CPU reported the second one
	stage1.next = OTHER;
	assert_true(run_across(STP_X, true, VA + BORDER, DEVICE + BORDER));
	assert_done();
	assert_int_equal(stage1.va, VA + BORDER - 8);
	EVENTS({0xff8, 8, true}, {0x1000, 8, true});
	setup(state); // within one page nobody asks
	assert_true(run(LDP_X, 0x40, false));
	assert_int_equal(stage1.asked, 0);
}

// With the rights of whoever makes the access.
static void test_rights(void **state)
{
	static const struct {
		uint64_t pstate;
		bool write, el0, pan;
	} rows[] = {
	        {MODE_EL1H, false, false, false},
	        {MODE_EL1T, true, false, false},
	        {MODE_EL0T, false, true, false},
	        {MODE_EL0T | PSTATE_PAN, true, true, true},
	        {MODE_EL1H | PSTATE_PAN, false, false, true},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		vcpu->frame.pstate = rows[i].pstate;
		stage1.next = OTHER + BORDER;
		assert_true(run_across(rows[i].write ? STP_X : LDP_X, rows[i].write,
		                       VA + BORDER - 8, DEVICE + BORDER - 8));
		assert_done();
		assert_int_equal(stage1.rights.write, rows[i].write);
		assert_int_equal(stage1.rights.el0, rows[i].el0);
		assert_int_equal(stage1.rights.pan, rows[i].pan);
	}
}

static void test_second_page_faults(void **state)
{
	stage1.fault = FSC_PERMISSION | 3;
	assert_true(run_across(STP_X, true, VA + BORDER - 8, DEVICE + BORDER - 8));
	assert_fault(FSC_PERMISSION | 3 | ISS_WNR, VA + BORDER);
	assert_int_equal(nr_events, 0); // known before anything is done
	setup(state);
	stage1.fault = FSC_EXTERNAL_WALK | 2;
	assert_true(run_across(LDP_X, false, VA + BORDER - 8, DEVICE + BORDER - 8));
	assert_fault(FSC_EXTERNAL_WALK | 2, VA + BORDER);
	setup(state); // memory behind a device
	stage1.next = VM_VIRT_RAM_BASE + MIB(1);
	assert_true(run_across(LDP_X, false, VA + BORDER - 8, DEVICE + BORDER - 8));
	assert_fault(FSC_ALIGNMENT, VA + BORDER);
	assert_int_equal(nr_events, 0);
}

// The instruction of a guest without a data cache is where that guest put it: below ours.
static void test_code_past_the_caches(void **state)
{
	assert_true(run(0x29400c22, 0x40, false));
	assert_int_equal(past_the_caches, 0);
	setup(state);
	fake_set_sysreg("sctlr_el1", SCTLR_M);
	assert_true(run(0x29400c22, 0x40, false));
	assert_done();
	assert_int_equal(past_the_caches, 1);
}

// The background of a machine answers as well.
static void test_background(void **state)
{
	(void)state;
	vm.mmio.background_base = NOWHERE;
	vm.mmio.background_size = 0x1000;
	instruction = 0x29400c22; // ldp w2, w3, [x1]
	fake_set_sysreg("far_el2", VA + 0x40);
	assert_true(emulate_access(vcpu, esr_of(false), NOWHERE + 0x40));
	assert_done();
	assert_true(vcpu->frame.x[2] == 0 && vcpu->frame.x[3] == 0);
	assert_int_equal(vm.mmio.unanswered, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_loads),
	        TEST(test_stores),
	        TEST(test_pairs),
	        TEST(test_unpredictable),
	        TEST(test_stack_pointers),
	        TEST(test_offsets),
	        TEST(test_signed_base),
	        TEST(test_literal),
	        TEST(test_vector_registers),
	        TEST(test_structures),
	        TEST(test_big_endian),
	        TEST(test_not_aligned),
	        TEST(test_refused),
	        TEST(test_left_to_the_caller),
	        TEST(test_prefetch),
	        TEST(test_not_what_the_cpu_did),
	        TEST(test_refused_in_the_middle),
	        TEST(test_repeated),
	        TEST(test_pieces),
	        TEST(test_vectors_change_in_between),
	        TEST(test_vectors_closed),
	        TEST(test_two_pages),
	        TEST(test_rights),
	        TEST(test_second_page_faults),
	        TEST(test_code_past_the_caches),
	        TEST(test_background),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
