// SPDX-License-Identifier: Apache-2.0
// One screen in words about a guest that died. Called by the CPU that cleans up after it, a part at a time,
// since a line costs some thousand instructions; before its memory is given back. What EL2's registers said
// is in vm->crash, its own are where they were saved.
#include "debug/dump.h"

#include "arm/regs.h"
#include "base/log.h"
#include "base/print.h"
#include "vm/stage1.h"
#include "vm/stage2.h"
#include "vm/vm.h"

#define HISTORY_PART 8 // exits

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

// What a stage 1 or stage 2 abort was, from its fault status.
static const char *fault_name(uint64_t esr)
{
	switch (esr & ISS_FSC & FSC_TYPE) {
	case FSC_ADDRESS_SIZE: return "an address too large";
	case FSC_TRANSLATION: return "nothing is mapped there";
	case FSC_ACCESS_FLAG: return "access flag";
	case FSC_PERMISSION: return "not permitted";
	case FSC_EXTERNAL:
	case FSC_EXTERNAL_WALK: return "the bus reported an error";
	default: return "other fault";
	}
}

static bool is_abort(uint64_t esr)
{
	uint64_t class = field_get(ESR_EC, esr);
	return class == EC_DABT_LOWER || class == EC_IABT_LOWER;
}

// What lies at an address of the guest's map, or nearest below it.
static void say_where(const struct vm *vm, uint64_t ipa)
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
		log_line("  %#lx: nothing there; %s ends at %#lx, RAM begins at %#lx", ipa,
		         below->ops->name, below->base + below->size - 1, vm->ram_base);
	else
		log_line("  %#lx: nothing there; RAM begins at %#lx", ipa, vm->ram_base);
}

static void say_stage2(struct vcpu *vcpu, uint64_t ipa)
{
	unsigned level;
	uint64_t entry = stage2_entry(&vcpu->vm->stage2, IPA(ipa), &level);
	uint64_t offset = ipa & (pgtable_span(level) - 1);
	if ((entry & PTE_VALID) != 0)
		log_line("    stage 2 of %#lx: level %u %016lx: the board's %#lx", ipa, level,
		         entry, (entry & PTE_ADDRESS & ~(pgtable_span(level) - 1)) | offset);
	else
		log_line("    stage 2 of %#lx: level %u: nothing", ipa, level);
}

// How the guest's tables, and then Mezzo's, translate an address.
static void say_walk(struct vcpu *vcpu, uint64_t va)
{
	struct stage1_step steps[STAGE1_STEPS];
	char text[128];
	size_t used = 0;
	uint64_t ipa = va;
	if ((vcpu->el1.sctlr & SCTLR_M) == 0) {
		say_stage2(vcpu, va);
		return;
	}
	unsigned count = stage1_walk(vcpu, va, steps);
	for (unsigned i = 0; i < count; i++)
		used += print_buffer(text + used, sizeof text - used,
		                     steps[i].read ? " %d: %016lx" : " %d: no RAM at %#lx",
		                     steps[i].level, steps[i].read ? steps[i].entry : steps[i].at);
	bool mapped = stage1_translate(vcpu, va, &ipa) == 0;
	log_line("    stage 1 of %#lx: level%s%s", va, text, mapped ? "" : ": nothing");
	if (mapped)
		say_stage2(vcpu, ipa);
}

static void say_instruction(struct vcpu *vcpu, const char *name, uint64_t va)
{
	uint64_t ipa;
	uint32_t word;
	if (stage1_translate(vcpu, va, &ipa) != 0)
		log_line("  %s %#lx: the guest's own tables map nothing there", name, va);
	else if (vm_read_memory(vcpu->vm, IPA(ipa), &word, sizeof word) != 0)
		log_line("  %s %#lx (ipa %#lx): no memory there to read an instruction from", name,
		         va, ipa);
	else
		log_line("  %s %#lx (ipa %#lx): instruction %08x", name, va, ipa, word);
}

static void say_x(struct vcpu *vcpu, unsigned from)
{
	const uint64_t *x = vcpu->frame.x;
	for (unsigned i = from; i < from + 16 && i < 28; i += 4)
		log_line("  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx", i, x[i], i + 1,
		         x[i + 1], i + 2, x[i + 2], i + 3, x[i + 3]);
}

static void say_el1(struct vcpu *vcpu, unsigned from UNUSED)
{
	const uint64_t *x = vcpu->frame.x;
	const struct el1_regs *el1 = &vcpu->el1;
	log_line("  x28 %016lx  x29 %016lx  x30 %016lx  sp  %016lx", x[28], x[29], x[30],
	         el1->sp_el1);
	log_line("  pc %#lx  pstate %#lx  sctlr %#lx  vbar %#lx  ttbr0 %#lx  ttbr1 %#lx",
	         vcpu->frame.pc, vcpu->frame.pstate, el1->sctlr, el1->vbar, el1->ttbr0, el1->ttbr1);
	if (el1->esr == 0 && el1->elr == 0) {
		log_line("  no exception was taken at EL1 before");
		return;
	}
	log_line("  last exception at EL1: %s (esr %#lx), far %#lx", class_name(el1->esr), el1->esr,
	         el1->far);
	say_instruction(vcpu, "its elr", el1->elr);
}

// The last exits, newest first, HISTORY_PART of them; a run of the same one is one line.
static void say_history(struct vcpu *vcpu, unsigned from)
{
	uint32_t size = ARRAY_SIZE(vcpu->history), next = vcpu->history_next;
	uint32_t kept = next < size ? next : size;
	uint32_t end = kept < from + HISTORY_PART ? kept : from + HISTORY_PART;
	if (from == 0)
		log_line("  last exits, newest first:");
	for (uint32_t i = from + 1, same = 1; i <= end; i++) {
		uint64_t pc = vcpu->history[(next - i) % size].pc;
		uint64_t esr = vcpu->history[(next - i) % size].esr;
		uint64_t far = vcpu->history[(next - i) % size].far;
		if (i < end && pc == vcpu->history[(next - i - 1) % size].pc &&
		    esr == vcpu->history[(next - i - 1) % size].esr) {
			same++;
			continue;
		}
		char where[32] = "", times[24] = "";
		if (is_abort(esr))
			print_buffer(where, sizeof where, " at %#lx", far);
		if (same > 1)
			print_buffer(times, sizeof times, ", %u times", same);
		log_line("    pc %#lx  %s%s (esr %#lx)%s", pc, class_name(esr), where, esr, times);
		same = 1;
	}
}

static void say_cause(struct vcpu *vcpu, unsigned from UNUSED)
{
	const struct vm *vm = vcpu->vm;
	uint64_t esr = vm->crash.esr, far = vm->crash.far;
	log_line("%s: vCPU %u cannot go on: %s", vm->name, vcpu->id, vm->crash_text);
	if (!is_abort(esr)) {
		log_line("  %s (esr %#lx)", class_name(esr), esr);
		return;
	}
	log_line("  %s at %#lx: %s (esr %#lx)", class_name(esr), far, fault_name(esr), esr);
	uint64_t offset = (esr & ISS_S1PTW) != 0 ? 0 : far & (PAGE_SIZE - 1);
	say_where(vm, field_get(HPFAR_FIPA, vm->crash.hpfar) << PAGE_SHIFT | offset);
	say_walk(vcpu, far);
}

static void say_pc(struct vcpu *vcpu, unsigned from UNUSED)
{
	say_instruction(vcpu, "pc", vcpu->frame.pc);
	say_walk(vcpu, vcpu->frame.pc);
}

bool dump_some(struct vm *vm)
{
	static const struct {
		void (*say)(struct vcpu *vcpu, unsigned from);
		unsigned from;
	} parts[] = {
	        {say_cause, 0}, {say_pc, 0},      {say_x, 0},       {say_x, 16},
	        {say_el1, 0},   {say_history, 0}, {say_history, 8},
	};
	if (vm->crash.shown == ARRAY_SIZE(parts))
		return false;
	parts[vm->crash.shown].say(vm->crashed, parts[vm->crash.shown].from);
	vm->crash.shown++;
	return true;
}

static uint64_t count_class(const struct vm *vm, unsigned class)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		sum += vcpu_exits_of(vm->vcpu[i], class);
	return sum;
}

#ifdef MEZZO_DEBUG
static void dump_longest(const struct vm *vm)
{
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		log_line("%s: vCPU %u: the longest exit took %lu ticks (%s, esr %#lx)", vm->name, i,
		         vm->vcpu[i]->longest, class_name(vm->vcpu[i]->longest_esr),
		         vm->vcpu[i]->longest_esr);
}
#else
static void dump_longest(const struct vm *vm UNUSED)
{
}
#endif

void dump_exits(struct vm *vm)
{
	uint64_t all = 0;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		all += vcpu_exits(vm->vcpu[i]);
	uint64_t irq = count_class(vm, VCPU_CLASS_IRQ), data = count_class(vm, EC_DABT_LOWER);
	uint64_t fetch = count_class(vm, EC_IABT_LOWER), sysreg = count_class(vm, EC_SYSREG);
	uint64_t call = count_class(vm, EC_HVC64) + count_class(vm, EC_SMC64);
	// A guest that resets itself without end gets no more lines for it than for anything else.
	vm_log(vm,
	       "%lu exits: %lu interrupts, %lu memory and devices, %lu first fetches, %lu system "
	       "registers, %lu calls, %lu others",
	       all, irq, data, fetch, sysreg, call, all - irq - data - fetch - sysreg - call);
	dump_longest(vm);
}
