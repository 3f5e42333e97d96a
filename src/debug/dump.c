// SPDX-License-Identifier: Apache-2.0
// One screen in words about a guest that died. Called by the guest loop on the vCPU's CPU, while its
// registers are still there. Bounded: a fixed number of lines.
#include "debug/dump.h"

#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/log.h"
#include "vm/vm.h"

static const char *class_name(uint64_t esr)
{
	static const char *const names[64] = {
	        [EC_UNKNOWN] = "undefined instruction",
	        [EC_WFX] = "WFI or WFE",
	        [EC_FPSIMD] = "FP/SIMD access",
	        [EC_HVC64] = "HVC",
	        [EC_SMC64] = "SMC",
	        [EC_SYSREG] = "system register access",
	        [EC_IABT_LOWER] = "instruction abort",
	        [EC_IABT_SAME] = "instruction abort",
	        [EC_DABT_LOWER] = "data abort",
	        [EC_DABT_SAME] = "data abort",
	        [EC_PC_ALIGN] = "misaligned PC",
	        [EC_SP_ALIGN] = "misaligned SP",
	        [EC_SERROR] = "SError",
	        [EC_SVC64] = "SVC",
	        [EC_BRK64] = "BRK",
	};
	const char *name = names[field_get(ESR_EC, esr)];
	return name != NULL ? name : "exception";
}

// What lies at an address of the guest's map, or nearest below it.
static void say_where(struct vm *vm, uint64_t ipa)
{
	const struct mmio_region *below = NULL;
	if (range_contains(vm->ram_base, vm->ram_size, ipa, 1)) {
		log_line("  %#lx: RAM + %#lx", ipa, ipa - vm->ram_base);
		return;
	}
	for (uint32_t i = 0; i < vm->mmio.count; i++)
		if (vm->mmio.region[i].base <= ipa)
			below = &vm->mmio.region[i];
	if (below != NULL && ipa - below->base < below->size)
		log_line("  %#lx: %s + %#lx", ipa, below->ops->name, ipa - below->base);
	else if (ipa >= vm->ram_base + vm->ram_size)
		log_line("  %#lx: nothing there; RAM ends at %#lx", ipa,
		         vm->ram_base + vm->ram_size - 1);
	else if (below != NULL)
		log_line("  %#lx: nothing there; %s ends at %#lx", ipa, below->ops->name,
		         below->base + below->size - 1);
	else
		log_line("  %#lx: nothing there", ipa);
}

static void say_registers(const struct vcpu *vcpu)
{
	const uint64_t *x = vcpu->frame.x;
	for (unsigned i = 0; i < 28; i += 4)
		log_line("  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx", i, x[i], i + 1,
		         x[i + 1], i + 2, x[i + 2], i + 3, x[i + 3]);
	log_line("  x28 %016lx  x29 %016lx  x30 %016lx  sp  %016lx", x[28], x[29], x[30],
	         read_sysreg(sp_el1));
	log_line("  pc %#lx  pstate %#lx  sctlr %#lx  vbar %#lx  ttbr0 %#lx  ttbr1 %#lx",
	         vcpu->frame.pc, vcpu->frame.pstate, read_sysreg(sctlr_el1), read_sysreg(vbar_el1),
	         read_sysreg(ttbr0_el1), read_sysreg(ttbr1_el1));
	log_line("  last exception at EL1: %s (esr %#lx), far %#lx, elr %#lx",
	         class_name(read_sysreg(esr_el1)), read_sysreg(esr_el1), read_sysreg(far_el1),
	         read_sysreg(elr_el1));
}

void dump_guest(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint32_t kept = vcpu->history_next < ARRAY_SIZE(vcpu->history) ? vcpu->history_next
	                                                               : ARRAY_SIZE(vcpu->history);
	log_line("%s: vCPU %u cannot go on: %s", vm->name, vcpu->id, vm->crash_text);
	log_line("  %s (esr %#lx) at pc %#lx, far %#lx", class_name(read_sysreg(esr_el2)),
	         read_sysreg(esr_el2), vcpu->frame.pc, read_sysreg(far_el2));
	say_where(vm, field_get(HPFAR_FIPA, read_sysreg(hpfar_el2)) << PAGE_SHIFT |
	                      (read_sysreg(far_el2) & (PAGE_SIZE - 1)));
	say_registers(vcpu);
	log_line("  last exits, newest first:");
	for (uint32_t i = 0; i < kept; i++) {
		uint32_t at = (vcpu->history_next - 1 - i) % ARRAY_SIZE(vcpu->history);
		log_line("    pc %#lx  %s (esr %#lx)", vcpu->history[at].pc,
		         class_name(vcpu->history[at].esr), vcpu->history[at].esr);
	}
}

static uint64_t count_class(const struct vm *vm, unsigned class)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		sum += vm->vcpu[i]->exits_by_class[class];
	return sum;
}

void dump_exits(struct vm *vm)
{
	uint64_t all = 0;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		all += vm->vcpu[i]->exits;
	uint64_t irq = count_class(vm, VCPU_CLASS_IRQ), data = count_class(vm, EC_DABT_LOWER);
	uint64_t fetch = count_class(vm, EC_IABT_LOWER), sysreg = count_class(vm, EC_SYSREG);
	uint64_t call = count_class(vm, EC_HVC64) + count_class(vm, EC_SMC64);
	// A guest that resets itself without end gets no more lines for it than for anything else.
	vm_log(vm,
	       "%lu exits: %lu interrupts, %lu memory and devices, %lu first fetches, %lu system "
	       "registers, %lu calls, %lu others",
	       all, irq, data, fetch, sysreg, call, all - irq - data - fetch - sysreg - call);
}
