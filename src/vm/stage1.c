// SPDX-License-Identifier: Apache-2.0
// Walking a guest's stage 1 tables. Owns nothing; called for aborts whose cause is such a table.
// Invariant: whatever the tables hold, a walk ends after four steps. Source: Arm ARM, "Translation table
// walks", "TCR_EL1, Translation Control Register (EL1)".
#include "vm/stage1.h"

#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/bits.h"
#include "vm/vm.h"

#define VA_UPPER      BIT_U64(55) // TTBR1_EL1's half
#define TCR_T0SZ      GENMASK_U64(5, 0)
#define TCR_TG0       GENMASK_U64(15, 14)
#define TCR_T1SZ      GENMASK_U64(21, 16)
#define TCR_TG1       GENMASK_U64(31, 30)
#define TTBR_ADDRESS  GENMASK_U64(47, 1)
#define TABLE_ADDRESS GENMASK_U64(47, 12)
#define DESC_TYPE     GENMASK_U64(1, 0)
#define DESC_TABLE    3 // of an entry that leads on, and on the last level of a page
#define DESC_BLOCK    1

// What a walk of one half of the address space looks like.
struct shape {
	uint64_t table;   // of the first level
	unsigned granule; // log2 of bytes: 12, 14 or 16
	unsigned bits;    // of the input address
};

// A control register of the vCPU, wherever it is.
#define EL1(vcpu, field, name) (vcpu_is_here(vcpu) ? read_sysreg(name) : (vcpu)->el1.field)

static struct shape shape_of(const struct vcpu *vcpu, uint64_t va)
{
	static const uint8_t tg0[] = {12, 16, 14, 12}, tg1[] = {12, 14, 12, 16};
	uint64_t tcr = EL1(vcpu, tcr, tcr_el1);
	bool upper = (va & VA_UPPER) != 0;
	uint64_t ttbr = upper ? EL1(vcpu, ttbr1, ttbr1_el1) : EL1(vcpu, ttbr0, ttbr0_el1);
	unsigned size = (unsigned)field_get(upper ? TCR_T1SZ : TCR_T0SZ, tcr);
	struct shape shape = {
	        .table = ttbr & TTBR_ADDRESS,
	        .granule = upper ? tg1[field_get(TCR_TG1, tcr)] : tg0[field_get(TCR_TG0, tcr)],
	        .bits = size < 16   ? 48
	                : size > 39 ? 25
	                            : 64 - size,
	};
	return shape;
}

unsigned stage1_walk(struct vcpu *vcpu, uint64_t va, struct stage1_step steps[STAGE1_STEPS])
{
	struct shape shape = shape_of(vcpu, va);
	unsigned stride = shape.granule - 3, count = 0;
	unsigned levels = (shape.bits - shape.granule + stride - 1) / stride;
	unsigned first = levels >= 4 ? 0 : 4 - levels;
	uint64_t table = shape.table;
	for (unsigned level = first; level < 4; level++) {
		unsigned shift = shape.granule + stride * (3 - level);
		unsigned top = level == first ? shape.bits : shift + stride;
		uint64_t index = field_get(GENMASK_U64(top - 1, shift), va);
		struct stage1_step *step = &steps[count++];
		*step = (struct stage1_step){
		        .level = level,
		        .shift = shift,
		        .at = table + index * sizeof step->entry,
		};
		step->read = vm_read_memory(vcpu->vm, IPA(step->at), &step->entry,
		                            sizeof step->entry) == 0;
		if (!step->read || (step->entry & DESC_TYPE) != DESC_TABLE)
			break;
		table = step->entry & TABLE_ADDRESS & ~(BIT_U64(shape.granule) - 1);
	}
	return count;
}

int stage1_walk_level(struct vcpu *vcpu, uint64_t va, uint64_t ipa)
{
	struct stage1_step steps[STAGE1_STEPS] = {0};
	unsigned count = stage1_walk(vcpu, va, steps);
	for (unsigned i = 0; i < count; i++)
		if (steps[i].at >> PAGE_SHIFT == ipa >> PAGE_SHIFT)
			return (int)steps[i].level;
	return (int)steps[0].level;
}

int stage1_translate(struct vcpu *vcpu, uint64_t va, uint64_t *ipa)
{
	struct stage1_step steps[STAGE1_STEPS] = {0};
	*ipa = va;
	if ((EL1(vcpu, sctlr, sctlr_el1) & SCTLR_M) == 0)
		return 0;
	unsigned count = stage1_walk(vcpu, va, steps);
	if (count == 0)
		return ERR_FAULT;
	const struct stage1_step *last = &steps[count - 1];
	uint64_t offset = BIT_U64(last->shift) - 1;
	if (!last->read ||
	    field_get(DESC_TYPE, last->entry) != (last->level == 3 ? DESC_TABLE : DESC_BLOCK))
		return ERR_FAULT;
	*ipa = (last->entry & TABLE_ADDRESS & ~offset) | (va & offset);
	return 0;
}
