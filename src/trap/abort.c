// SPDX-License-Identifier: Apache-2.0
// Stage 2 aborts: first touch of memory, devices, and addresses where nothing is. Called through the
// exception-class table. Source: Arm ARM, "ISS encoding for an exception from a Data Abort" and
// "... from an Instruction Abort", HPFAR_EL2.
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/bits.h"
#include "trap/trap.h"
#include "vdev/vflash.h"
#include "vm/inject.h"
#include "vm/stage1.h"
#include "vm/vm.h"

#define PAGE_OFFSET GENMASK_U64(11, 0)

// The page comes from HPFAR; the offset in it from FAR, but for a walk, whose FAR is what was looked up.
static uint64_t fault_ipa(uint64_t far, bool walk)
{
	uint64_t page = field_get(HPFAR_FIPA, read_sysreg(hpfar_el2)) << PAGE_SHIFT;
	return walk ? page : page | (far & PAGE_OFFSET);
}

static bool is_translation_fault(uint64_t esr)
{
	uint64_t type = esr & ISS_FSC & FSC_TYPE;
	return type == FSC_TRANSLATION || type == FSC_ACCESS_FLAG || type == FSC_ADDRESS_SIZE;
}

// RAM, or flash that is not written to, and is not mapped yet. True when that is what it was, whatever became of it.
static bool first_touch(struct vcpu *vcpu, uint64_t ipa, bool write)
{
	struct vm *vm = vcpu->vm;
	int error = stage2_fault(&vm->stage2, IPA(ipa));
	if (error == ERR_RANGE && !write)
		error = vflash_touch(vm, ipa);
	if (error == ERR_RANGE)
		return false;
	if (error != 0) {
		vm_log(vm, "it touched %#lx, and there is no memory left to put there", ipa);
		vm_end(vm, VM_END_STARVE);
	}
	return true;
}

// What a load leaves in its register: extended to the width that the instruction names.
static uint64_t extend(uint64_t value, unsigned size, uint64_t esr)
{
	if ((esr & ISS_SSE) != 0 && size < 8) {
		unsigned shift = 64 - size * 8;
		value = (uint64_t)((int64_t)(value << shift) >> shift);
	}
	return (esr & ISS_SF) != 0 ? value : (uint32_t)value;
}

bool trap_data_is_big(const struct vcpu *vcpu)
{
	uint64_t pstate = vcpu->frame.pstate;
	if ((pstate & PSTATE_AARCH32) != 0)
		return (pstate & PSTATE_E) != 0;
	bool el0 = (pstate & PSTATE_MODE) == MODE_EL0T;
	return (read_sysreg(sctlr_el1) & (el0 ? SCTLR_EL1_E0E : SCTLR_EL1_EE)) != 0;
}

uint64_t trap_data_order(const struct vcpu *vcpu, uint64_t value, unsigned size)
{
	return UNLIKELY(trap_data_is_big(vcpu)) ? __builtin_bswap64(value) >> (64 - size * 8)
	                                        : value;
}

// An access with a valid syndrome goes to whatever device is there. False: nobody answers.
static bool device_access(struct vcpu *vcpu, uint64_t ipa, uint64_t esr)
{
	unsigned reg = (unsigned)field_get(ISS_SRT, esr);
	struct access access = {
	        .ipa = IPA(ipa),
	        .size = (uint8_t)(1U << field_get(ISS_SAS, esr)),
	        .write = (esr & ISS_WNR) != 0,
	};
	if (access.write) {
		access.value = vcpu_reg(vcpu, reg);
		if (access.size < 8)
			access.value &= BIT_U64(access.size * 8) - 1;
		access.value = trap_data_order(vcpu, access.value, access.size);
	}
	if (!mmio_access(&vcpu->vm->mmio, vcpu, &access))
		return false;
	if (!access.write)
		vcpu_set_reg(
		        vcpu, reg,
		        extend(trap_data_order(vcpu, access.value, access.size), access.size, esr));
	return true;
}

// ---- fast exits: device accesses that their device answers at once ----
//
// Each step calls the next as its last act, so the shortest has no stack frame.

static uint32_t access_size(uint64_t esr)
{
	return 1U << field_get(ISS_SAS, esr);
}

static NOINLINE uint64_t quick_write(struct vcpu *vcpu, uint64_t esr, uint64_t offset)
{
	const struct mmio_hit *hit = &vcpu->hit;
	uint32_t size = access_size(esr);
	uint64_t value = vcpu_reg(vcpu, (unsigned)field_get(ISS_SRT, esr));
	value &= ~UINT64_C(0) >> (64 - size * 8);
	if (hit->ops->quick_write == NULL ||
	    !hit->ops->quick_write(hit->dev, vcpu, (uint32_t)offset, size, value))
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	vcpu->exits_by_class[EC_DABT_LOWER]++;
	trap_exit_advance();
	return trap_exit_back(vcpu);
}

static inline void finish_load(struct vcpu *vcpu, uint64_t esr, uint64_t value)
{
	vcpu_set_reg(vcpu, (unsigned)field_get(ISS_SRT, esr), value);
	vcpu->exits_by_class[EC_DABT_LOWER]++;
	trap_exit_advance();
}

static NOINLINE uint64_t quick_take(struct vcpu *vcpu, uint64_t esr)
{
	const struct mmio_hit *hit = &vcpu->hit;
	uint32_t offset = (uint32_t)(hit->offset + (read_sysreg(far_el2) & PAGE_OFFSET));
	uint64_t value = MMIO_ASK;
	if (hit->ops->quick_take != NULL)
		value = hit->ops->quick_take(hit->dev, vcpu, offset, access_size(esr));
	if (value == MMIO_ASK)
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	finish_load(vcpu, esr, value);
	return trap_exit_back(vcpu);
}

// On the page that vcpu->hit describes.
static NOINLINE uint64_t quick_access(struct vcpu *vcpu, uint64_t esr)
{
	const struct mmio_hit *hit = &vcpu->hit;
	uint64_t at = read_sysreg(far_el2) & PAGE_OFFSET, offset = hit->offset + at;
	if (UNLIKELY(offset >= hit->limit))
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	if ((esr & ISS_WNR) != 0)
		return quick_write(vcpu, esr, offset);
	if (hit->quick_read == NULL)
		return quick_take(vcpu, esr);
	uint64_t value = hit->quick_read(hit->dev, vcpu, (uint32_t)offset, access_size(esr));
	if (UNLIKELY(value == MMIO_ASK))
		return quick_take(vcpu, esr);
	finish_load(vcpu, esr, value);
	return exit_back(vcpu);
}

// Big-endian data is left to abort_data. It is looked for here only: a vCPU that changes to it notices when it touches
// another page of a device than before, and no page is known from then on.
static NOINLINE uint64_t quick_elsewhere(struct vcpu *vcpu, uint64_t esr, uint64_t page)
{
	if (UNLIKELY((read_sysreg(sctlr_el1) & (SCTLR_EL1_EE | SCTLR_EL1_E0E)) != 0)) {
		vcpu->hit.page = vcpu->hit.known_page = MMIO_NO_PAGE;
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	}
	mmio_hit_find(&vcpu->hit, &vcpu->vm->mmio, page);
	return quick_access(vcpu, esr);
}

// Not the page that vcpu->hit.page names: the load whose value is known, or another page.
static NOINLINE uint64_t quick_known(struct vcpu *vcpu, uint64_t esr, uint64_t page)
{
	const struct mmio_hit *hit = &vcpu->hit;
	uint64_t at = read_sysreg(far_el2) & PAGE_OFFSET;
	if (page != hit->known_page || mmio_known_key(at, esr) != hit->known_key)
		return quick_elsewhere(vcpu, esr, page);
	finish_load(vcpu, esr, hit->known);
	return exit_back(vcpu);
}

// Any exit by an exception class with its upper bit set. A load that has its sign extended is left to abort_data.
uint64_t exit_data(struct vcpu *vcpu, uint64_t esr)
{
	const uint64_t asked =
	        ESR_EC | ISS_ISV | ISS_SSE | ISS_CM | ISS_S1PTW | (ISS_FSC & FSC_TYPE);
	const uint64_t device = field_put(ESR_EC, EC_DABT_LOWER) | ISS_ISV | FSC_TRANSLATION;
	if (UNLIKELY((esr & asked) != device))
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	uint64_t page = read_sysreg(hpfar_el2);
	if (UNLIKELY(vcpu->hit.page != page))
		return quick_known(vcpu, esr, page);
	return quick_access(vcpu, esr);
}

// ---- all of them ----

// An access to what no memory stands behind, or none that can be written. False: nobody answers.
static bool access_there(struct vcpu *vcpu, uint64_t esr, uint64_t ipa)
{
	if ((esr & ISS_CM) != 0) { // cache maintenance
		trap_advance(vcpu, esr);
		return true;
	}
	if ((esr & ISS_ISV) == 0)
		return emulate_access(vcpu, esr, ipa);
	if (!device_access(vcpu, ipa, esr))
		return false;
	if (!vcpu->repeat)
		trap_advance(vcpu, esr);
	vcpu->repeat = false;
	return true;
}

// A store to flash while that is mapped, which it is for reading alone. HPFAR is not known for such a fault.
static bool flash_access(struct vcpu *vcpu, uint64_t esr, uint64_t far)
{
	uint64_t ipa;
	return (esr & ISS_FSC & FSC_TYPE) == FSC_PERMISSION && vcpu->vm->flash != NULL &&
	       stage1_translate(vcpu, far, &ipa) == 0 && vflash_has(vcpu->vm, ipa) &&
	       access_there(vcpu, esr, ipa);
}

void abort_data(struct vcpu *vcpu, uint64_t esr)
{
	uint64_t far = read_sysreg(far_el2);
	bool walk = (esr & ISS_S1PTW) != 0;
	if (is_translation_fault(esr)) {
		uint64_t ipa = fault_ipa(far, walk);
		if (first_touch(vcpu, ipa, !walk && (esr & ISS_WNR) != 0))
			return;
		if (!walk && access_there(vcpu, esr, ipa))
			return;
		if (inject_would_loop(vcpu) && walk) {
			vm_crash(vcpu, "its page tables lie at %#lx, where there is no memory",
			         ipa);
			return;
		}
	} else if (!walk && flash_access(vcpu, esr, far)) {
		return;
	}
	inject_data_abort(vcpu, far, esr,
	                  walk ? stage1_walk_level(vcpu, far, fault_ipa(far, true)) : -1);
}

void abort_instruction(struct vcpu *vcpu, uint64_t esr)
{
	uint64_t far = read_sysreg(far_el2);
	bool walk = (esr & ISS_S1PTW) != 0, missing = is_translation_fault(esr);
	uint64_t ipa = fault_ipa(far, walk); // not known for other faults
	if (missing && first_touch(vcpu, ipa, false))
		return;
	// The abort would be delivered to the vector that could not be fetched, for ever.
	if (inject_would_loop(vcpu) && missing && walk)
		vm_crash(vcpu, "its page tables lie at %#lx, where there is no memory", ipa);
	else if (inject_would_loop(vcpu) && missing)
		vm_crash(vcpu, "its exception vectors at %#lx lie where there is no memory (%#lx)",
		         read_sysreg(vbar_el1), ipa);
	else if (inject_would_loop(vcpu))
		vm_crash(vcpu,
		         "its exception vectors at %#lx lie in a device, which is never executed",
		         read_sysreg(vbar_el1));
	else
		inject_instruction_abort(vcpu, far, walk ? stage1_walk_level(vcpu, far, ipa) : -1);
}
