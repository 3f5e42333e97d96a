// SPDX-License-Identifier: Apache-2.0
// Walking a guest's stage 1 tables. Owns nothing; called for aborts whose cause is such a table,
// and for instructions that Mezzo carries out.
// Invariant: whatever the tables hold, a walk ends after five steps. Source: Arm ARM, "Translation table
// walks", "TCR_EL1, Translation Control Register (EL1)".
#include "vm/stage1.h"

#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/bits.h"
#include "vm/vm.h"

#define VA_UPPER BIT_U64(55) // TTBR1_EL1's half

// TCR_EL1, of TTBR0_EL1's half and of TTBR1_EL1's
#define TCR_T0SZ  GENMASK_U64(5, 0)
#define TCR_EPD0  BIT_U64(7) // no walks
#define TCR_TG0   GENMASK_U64(15, 14)
#define TCR_T1SZ  GENMASK_U64(21, 16)
#define TCR_EPD1  BIT_U64(23)
#define TCR_TG1   GENMASK_U64(31, 30)
#define TCR_TBI0  BIT_U64(37) // the address's top byte is ignored
#define TCR_TBI1  BIT_U64(38)
#define TCR_HA    BIT_U64(39) // the hardware sets access flags
#define TCR_HD    BIT_U64(40) // ... and the dirty state
#define TCR_HPD0  BIT_U64(41) // tables do not restrict what they lead to
#define TCR_HPD1  BIT_U64(42)
#define TCR_E0PD0 BIT_U64(55) // nothing for EL0
#define TCR_E0PD1 BIT_U64(56)
#define TCR_DS    BIT_U64(59) // 52-bit addresses with granules of 4 and 16 KiB

#define TTBR_ADDRESS   GENMASK_U64(47, 1)
#define DESC_ADDRESS   GENMASK_U64(47, 12)
#define DESC_TYPE      GENMASK_U64(1, 0)
#define DESC_TABLE     3 // of an entry that leads on, and on the last level of a page
#define DESC_BLOCK     1
#define DESC_USER      BIT_U64(6) // EL0 may have it
#define DESC_READONLY  BIT_U64(7)
#define DESC_AF        BIT_U64(10)
#define DESC_DBM       BIT_U64(51) // read-only is only the dirty state
#define TABLE_NO_USER  BIT_U64(61)
#define TABLE_NO_STORE BIT_U64(62)

// What a walk of one half of the address space looks like.
struct shape {
	uint64_t table;   // of the first level
	unsigned granule; // log2 of bytes: 12, 14 or 16
	unsigned bits;    // of the input address
	bool big;         // entries are big-endian
};

// A control register of the vCPU, wherever it is.
#define EL1(vcpu, field, name) (vcpu_is_here(vcpu) ? read_sysreg(name) : (vcpu)->el1.field)

static uint64_t tcr_of(const struct vcpu *vcpu)
{
	return EL1(vcpu, tcr, tcr_el1);
}

// Of a control that each half has one of.
static bool half_has(uint64_t tcr, uint64_t va, uint64_t lower, uint64_t upper)
{
	return (tcr & ((va & VA_UPPER) != 0 ? upper : lower)) != 0;
}

static struct shape shape_of(const struct vcpu *vcpu, uint64_t va)
{
	static const uint8_t tg0[] = {12, 16, 14, 12}, tg1[] = {12, 14, 12, 16};
	uint64_t tcr = tcr_of(vcpu);
	bool upper = (va & VA_UPPER) != 0;
	uint64_t ttbr = upper ? EL1(vcpu, ttbr1, ttbr1_el1) : EL1(vcpu, ttbr0, ttbr0_el1);
	unsigned size = (unsigned)field_get(upper ? TCR_T1SZ : TCR_T0SZ, tcr);
	unsigned granule = upper ? tg1[field_get(TCR_TG1, tcr)] : tg0[field_get(TCR_TG0, tcr)];
	bool wide = granule == 16 || (tcr & TCR_DS) != 0;
	unsigned least = wide ? 12 : 16, most = granule == 16 ? 47 : 48;
	struct shape shape = {
	        .table = ttbr & TTBR_ADDRESS,
	        .granule = granule,
	        .bits = 64 - (size < least  ? least
	                      : size > most ? most
	                                    : size),
	        .big = (EL1(vcpu, sctlr, sctlr_el1) & SCTLR_EL1_EE) != 0,
	};
	return shape;
}

static bool leads_on(const struct stage1_step *step)
{
	return step->read && field_get(DESC_TYPE, step->entry) == DESC_TABLE && step->level < 3;
}

unsigned stage1_walk(struct vcpu *vcpu, uint64_t va, struct stage1_step steps[STAGE1_STEPS])
{
	struct shape shape = shape_of(vcpu, va);
	unsigned stride = shape.granule - 3, count = 0;
	int levels = (int)((shape.bits - shape.granule + stride - 1) / stride);
	uint64_t table = shape.table;
	for (int level = 4 - levels; level < 4; level++) {
		unsigned shift = shape.granule + stride * (unsigned)(3 - level);
		unsigned top = count == 0 ? shape.bits : shift + stride;
		uint64_t index = field_get(GENMASK_U64(top - 1, shift), va);
		struct stage1_step *step = &steps[count++];
		*step = (struct stage1_step){
		        .level = level,
		        .shift = shift,
		        .at = table + index * sizeof step->entry,
		};
		step->read = vm_read_memory(vcpu->vm, IPA(step->at), &step->entry,
		                            sizeof step->entry) == 0;
		if (shape.big)
			step->entry = __builtin_bswap64(step->entry);
		if (!leads_on(step))
			break;
		table = step->entry & DESC_ADDRESS & ~(BIT_U64(shape.granule) - 1);
	}
	return count;
}

int stage1_walk_level(struct vcpu *vcpu, uint64_t va, uint64_t ipa)
{
	struct stage1_step steps[STAGE1_STEPS] = {0};
	unsigned count = stage1_walk(vcpu, va, steps);
	for (unsigned i = 0; i < count; i++)
		if (steps[i].at >> PAGE_SHIFT == ipa >> PAGE_SHIFT)
			return steps[i].level;
	return steps[0].level;
}

static bool is_leaf(const struct stage1_step *step)
{
	return field_get(DESC_TYPE, step->entry) == (step->level == 3 ? DESC_TABLE : DESC_BLOCK);
}

static uint64_t leaf_address(const struct stage1_step *leaf, uint64_t va)
{
	uint64_t offset = BIT_U64(leaf->shift) - 1;
	return (leaf->entry & DESC_ADDRESS & ~offset) | (va & offset);
}

int stage1_translate(struct vcpu *vcpu, uint64_t va, uint64_t *ipa)
{
	struct stage1_step steps[STAGE1_STEPS] = {0};
	*ipa = va;
	if ((EL1(vcpu, sctlr, sctlr_el1) & SCTLR_M) == 0)
		return 0;
	const struct stage1_step *last = &steps[stage1_walk(vcpu, va, steps) - 1];
	if (!last->read || !is_leaf(last))
		return ERR_FAULT;
	*ipa = leaf_address(last, va);
	return 0;
}

// Whether an address may be looked up at all: it lies in its half, whose walks are on, for this level.
static bool has_walk(const struct vcpu *vcpu, uint64_t va, bool el0)
{
	uint64_t tcr = tcr_of(vcpu);
	unsigned top = half_has(tcr, va, TCR_TBI0, TCR_TBI1) ? 55 : 63,
	         bits = shape_of(vcpu, va).bits;
	uint64_t above = GENMASK_U64(top, bits);
	return (va & above) == ((va & VA_UPPER) != 0 ? above : 0) &&
	       !half_has(tcr, va, TCR_EPD0, TCR_EPD1) &&
	       !(el0 && half_has(tcr, va, TCR_E0PD0, TCR_E0PD1));
}

// Whether the entries let it through. Flags that the hardware would set on the way stay as they are: a device has no use
// for them.
static uint64_t fault_of(const struct stage1_step *steps, unsigned count, uint64_t va, uint64_t tcr,
                         struct stage1_rights rights)
{
	const struct stage1_step *leaf = &steps[count - 1];
	uint64_t entry = leaf->entry, tables = 0;
	if ((entry & DESC_AF) == 0 && (tcr & TCR_HA) == 0)
		return FSC_ACCESS_FLAG;
	for (unsigned i = 0; i + 1 < count && !half_has(tcr, va, TCR_HPD0, TCR_HPD1); i++)
		tables |= steps[i].entry;
	bool user = (entry & DESC_USER) != 0 && (tables & TABLE_NO_USER) == 0;
	bool clean = (entry & DESC_DBM) != 0 && (tcr & TCR_HD) != 0;
	bool store = ((entry & DESC_READONLY) == 0 || clean) && (tables & TABLE_NO_STORE) == 0;
	bool level = rights.el0 ? user : !(rights.pan && user);
	return level && (store || !rights.write) ? 0 : FSC_PERMISSION;
}

uint64_t stage1_access(struct vcpu *vcpu, uint64_t va, struct stage1_rights rights, uint64_t *ipa)
{
	struct stage1_step steps[STAGE1_STEPS] = {0};
	*ipa = va;
	if ((EL1(vcpu, sctlr, sctlr_el1) & SCTLR_M) == 0)
		return 0;
	if (!has_walk(vcpu, va, rights.el0))
		return FSC_TRANSLATION;
	unsigned count = stage1_walk(vcpu, va, steps);
	const struct stage1_step *last = &steps[count - 1];
	uint64_t fault;
	if (!last->read)
		return (uint64_t)(FSC_EXTERNAL_WALK + last->level);
	if (!is_leaf(last))
		return last->level < 0 ? FSC_TRANSLATION_1
		                       : FSC_TRANSLATION | (uint64_t)last->level;
	fault = fault_of(steps, count, va, tcr_of(vcpu), rights);
	if (fault != 0)
		return fault | (uint64_t)last->level; // of a leaf: not -1
	*ipa = leaf_address(last, va);
	return 0;
}
