// SPDX-License-Identifier: Apache-2.0
// Loading, unloading and resetting a vCPU. The state belongs to the CPU that runs the vCPU; called by
// main/run.c. Invariant: while a vCPU is loaded, its EL1 registers live in the hardware and vcpu->el1
// is stale; after vcpu_unload it is the other way round.
#include "vm/vcpu.h"

#include "arm/barrier.h"
#include "arm/features.h"
#include "arm/fpsimd.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/string.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "vm/vm.h"

#define WFE_DELAY 4 // 2^(4 + 8) = 4,096 cycles ("HCR_EL2", TWEDEL)

const struct el1_row el1_rows[] = {
#define SYSREG_SAVED(field, name, reset)             {#name, offsetof(struct el1_regs, field)},
#define SYSREG_SAVED_IF(feature, field, name, reset) {#field, offsetof(struct el1_regs, field)},
#include "arm/sysregs.def"
};
const unsigned el1_row_count = ARRAY_SIZE(el1_rows);

static void el1_reset(struct el1_regs *el1)
{
#define SYSREG_SAVED(field, name, reset) el1->field = (reset);
#include "arm/sysregs.def"
}

// The set of features once, not for each register. Of a pair both are read before either is written: then compilers
// make one access to memory of the two.
static void el1_load(const struct el1_regs *el1)
{
	uint64_t present = features_present, a, b;
#define LOAD_PAIR(field, name, field2, name2) \
	a = el1->field, b = el1->field2;      \
	write_sysreg(a, name);                \
	write_sysreg(b, name2);
#define SYSREG_SAVED(field, name, reset)                       write_sysreg(el1->field, name);
#define SYSREG_PAIR(field, name, reset, field2, name2, reset2) LOAD_PAIR(field, name, field2, name2)
#define SYSREG_SAVED_IF(feature, field, name, reset) \
	if ((present & BIT_U64(feature)) != 0)       \
		write_sysreg(el1->field, name);
#define SYSREG_PAIR_IF(feature, field, name, reset, field2, name2, reset2) \
	if ((present & BIT_U64(feature)) != 0) {                           \
		LOAD_PAIR(field, name, field2, name2)                      \
	}
#include "arm/sysregs.def"
#undef LOAD_PAIR
}

static void el1_save(struct el1_regs *el1)
{
	uint64_t present = features_present, a, b;
#define SAVE_PAIR(field, name, field2, name2)          \
	a = read_sysreg(name), b = read_sysreg(name2); \
	el1->field = a;                                \
	el1->field2 = b;
#define SYSREG_SAVED(field, name, reset)                       el1->field = read_sysreg(name);
#define SYSREG_PAIR(field, name, reset, field2, name2, reset2) SAVE_PAIR(field, name, field2, name2)
#define SYSREG_SAVED_IF(feature, field, name, reset) \
	if ((present & BIT_U64(feature)) != 0)       \
		el1->field = read_sysreg(name);
#define SYSREG_PAIR_IF(feature, field, name, reset, field2, name2, reset2) \
	if ((present & BIT_U64(feature)) != 0) {                           \
		SAVE_PAIR(field, name, field2, name2)                      \
	}
#include "arm/sysregs.def"
#undef SAVE_PAIR
}

// HCR_EL2 of a guest: one line for each decision.
static uint64_t guest_hcr(const struct vcpu *vcpu)
{
	uint64_t hcr = HCR_VM; // stage 2
	hcr |= HCR_SWIO;       // an invalidate by set/way can never drop somebody's dirty line
	hcr |= HCR_PTW;        // stage 1 tables do not lie in device memory
	hcr |= HCR_FMO | HCR_IMO |
	       HCR_AMO;             // physical interrupts are ours, virtual ones the guest's
	hcr |= HCR_FB | HCR_BSU_IS; // TLB maintenance and barriers reach all the guest's CPUs
	hcr |= HCR_TSC;             // SMC comes here, never to the firmware
	hcr |= HCR_TIDCP;           // implementation defined registers
	hcr |= HCR_TACR;            // ACTLR_EL1
	hcr |= HCR_TSW;             // set/way maintenance
	hcr |= HCR_TID1;            // REVIDR, AIDR
	hcr |= HCR_TID3;            // feature registers
	hcr |= HCR_RW;              // EL1 is AArch64
	if (!vcpu->vm->sched.exclusive)
		hcr |= HCR_TWI | HCR_TWE; // who waits lets others have the CPU
	if (!vcpu->vm->sched.exclusive && feature_has(FEATURE_TWED))
		hcr |= HCR_TWEDEN |
		       field_put(HCR_TWEDEL, WFE_DELAY); // a short spin is not worth a trap
	if (feature_has(FEATURE_LOR))
		hcr |= HCR_TLOR;
	if (feature_has(FEATURE_RAS))
		hcr |= HCR_TERR;
	if (feature_has(FEATURE_PAUTH))
		hcr |= HCR_API | HCR_APK; // pointer authentication is the guest's own
	if (feature_has(FEATURE_FWB))
		hcr |= HCR_FWB;
	return hcr;
}

static uint64_t guest_mdcr(void)
{
	uint64_t mdcr = MDCR_TDA | MDCR_TDOSA | MDCR_TDRA; // debug registers
	if (feature_has(FEATURE_PMU)) {
		mdcr |= MDCR_TPM | MDCR_TPMCR;
		mdcr |= field_put(MDCR_HPMN, field_get(GENMASK_U64(15, 11), read_sysreg(pmcr_el0)));
	}
	if (feature_has(FEATURE_SPE))
		mdcr |= MDCR_TPMS; // E2PB stays 0: the buffer is EL2's
	if (feature_has(FEATURE_TRF))
		mdcr |= MDCR_TTRF;
	return mdcr;
}

void vcpu_reset(struct vcpu *vcpu, uint64_t entry, uint64_t context)
{
	memset(vcpu->frame.x, 0, sizeof vcpu->frame.x);
	memset(vcpu->frame.key, 0, sizeof vcpu->frame.key);
	vcpu->frame.pc = entry;
	vcpu->frame.x[0] = context;
	vcpu->frame.pstate = SPSR_EL1H_MASKED;
	el1_reset(&vcpu->el1);
	memset(&vcpu->fp, 0, sizeof vcpu->fp);
	vcpu->debug.os_lock = true; // as after a reset
	if (vcpu->debug.used)       // else they are zero
		memset(vcpu->debug.value, 0, sizeof vcpu->debug.value);
	vcpu->debug.used = false;
	vcpu->cntp_ctl = 0;
	vcpu->cntp_line = false;
	vcpu->cntp_cval = 0;
	vcpu->waiting = false;
	vcpu->wait_until = UINT64_MAX;
	vcpu->setway_cursor = 0;
	vcpu->setway_done = false;
	vcpu->emulation.done = 0;
	vcpu->hit.page = vcpu->hit.known_page = MMIO_NO_PAGE; // its data may be big-endian now
	vcpu->hcr = guest_hcr(vcpu);
	vcpu->cptr =
	        CPTR_RES1 | CPTR_TFP | CPTR_TTA | CPTR_TAM; // SVE and SME are among the RES1 bits
	vcpu->mdcr = guest_mdcr();
}

void vcpu_load(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	// Stage 2 before EL1: with HCR_EL2.VM set and VTTBR_EL2 in place no walk can start that mixes this
	// vCPU's tables with another's (errata of Cortex-A57, A72, A76 on speculative walks).
	write_sysreg(stage2_vtcr(), vtcr_el2);
	write_sysreg(stage2_vttbr(&vm->stage2), vttbr_el2);
	uint64_t hcr = vcpu->hcr, vpidr = vcpu->vpidr, vmpidr = vcpu->vmpidr;
	vcpu->hcr = hcr & ~HCR_VSE; // the register has it from here on
	write_sysreg(hcr, hcr_el2);
	isb();
	write_sysreg(vpidr, vpidr_el2);
	write_sysreg(vmpidr, vmpidr_el2);
	uint64_t cptr = vcpu->cptr, mdcr = vcpu->mdcr;
	write_sysreg(cptr, cptr_el2);
	write_sysreg(mdcr, mdcr_el2);
	write_sysreg(0, hstr_el2);
	write_sysreg(vm->cntvoff, cntvoff_el2);
	write_sysreg(0, cnthctl_el2); // CNTP and CNTPCT are trapped; no event stream
	if (vcpu->debug.used || cpu_this()->debug_dirty)
		debugregs_load(vcpu->debug.value);
	cpu_this()->debug_dirty = vcpu->debug.used;
	write_sysreg(vcpu->debug.os_lock, oslar_el1);
	write_sysreg(0, osdlr_el1);
	el1_load(&vcpu->el1);
	isb();
}

void vcpu_unload(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();
	el1_save(&vcpu->el1);
	// A virtual SError that the guest has not taken yet waits with it.
	vcpu->hcr |= read_sysreg(hcr_el2) & HCR_VSE;
	if (cpu->fp_owner == vcpu) {
		write_sysreg(vcpu->cptr & ~CPTR_TFP, cptr_el2);
		isb();
		fpsimd_save(&vcpu->fp);
		cpu->fp_owner = NULL;
	}
	vcpu->cptr |= CPTR_TFP;
	write_sysreg(0, cntv_ctl_el0);
	write_sysreg(0, mdscr_el1); // breakpoints and watchpoints stay where they are, switched off
	write_sysreg(CPTR_RES1, cptr_el2);
	write_sysreg(HCR_RW, hcr_el2);
	isb();
}

void vcpu_set_hcr(struct vcpu *vcpu, uint64_t mask, uint64_t bits)
{
	uint64_t hcr = (vcpu->hcr & ~mask) | bits;
	if (hcr == vcpu->hcr)
		return;
	vcpu->hcr = hcr;
	if (vcpu_is_here(vcpu)) // VSE, which the hardware clears, stays as it is
		write_sysreg((read_sysreg(hcr_el2) & ~mask) | bits, hcr_el2);
}

void vcpu_set_lines(struct vcpu *vcpu, bool irq, bool fiq)
{
	vcpu_set_hcr(vcpu, HCR_VI | HCR_VF, (irq ? HCR_VI : 0) | (fiq ? HCR_VF : 0));
}

void vcpu_fp_take(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();
	vcpu->cptr &= ~CPTR_TFP;
	write_sysreg(vcpu->cptr, cptr_el2);
	isb();
	if (cpu->fp_owner == vcpu)
		return;
	if (cpu->fp_owner != NULL)
		fpsimd_save(&cpu->fp_owner->fp);
	fpsimd_restore(&vcpu->fp);
	cpu->fp_owner = vcpu;
}

void vcpu_fp_read(struct vcpu *vcpu)
{
	vcpu_fp_take(vcpu);
	fpsimd_save(&vcpu->fp);
}

void vcpu_fp_write(struct vcpu *vcpu)
{
	vcpu_fp_take(vcpu);
	fpsimd_restore(&vcpu->fp);
}

void vcpu_post_cpu(struct cpu *cpu, uint32_t work)
{
	// The other side sets in_guest before it looks at work, so one of the two sees the other.
	__atomic_fetch_or(&cpu->work, work, __ATOMIC_SEQ_CST);
	if (cpu != cpu_this() && __atomic_load_n(&cpu->in_guest, __ATOMIC_SEQ_CST) != 0)
		intc_send_sgi(cpu, KICK_SGI);
}

static NOINLINE void post_else(struct vcpu *vcpu, uint32_t request)
{
	sched_wake(vcpu, (request & VCPU_REQ_STOP) != 0);
	// Somebody waits for it to fold its list registers, which it may have left in a CPU that sleeps or
	// that it is not allowed to run on for now.
	if ((request & VCPU_REQ_SYNC) != 0 && load_acquire(&vcpu->sched.loaded) != 0)
		vcpu_post_cpu(vcpu->cpu, 0);
}

void vcpu_post(struct vcpu *vcpu, uint32_t request)
{
	__atomic_fetch_or(&vcpu->request, request, __ATOMIC_SEQ_CST);
	if (request != VCPU_REQ_VIRQ || load_acquire(&vcpu->sched.state) != SCHED_RUNNING) {
		post_else(vcpu, request);
		return;
	}
	// What sched_wake() does for one that runs, and it most often does: see vcpu_post_cpu().
	struct cpu *cpu = load_acquire(&vcpu->cpu);
	if (__atomic_load_n(&cpu->in_guest, __ATOMIC_SEQ_CST) != 0 && cpu != cpu_this())
		intc_send_sgi(cpu, KICK_SGI);
}

// When guest time `cval` is reached, in ticks; TIMER_NEVER if the board's counter never gets there.
static uint64_t when_guest_time_is(const struct vm *vm, uint64_t cval)
{
	uint64_t now = timer_now(), guest = now - vm->cntvoff;
	if (cval <= guest)
		return now;
	uint64_t when = now + (cval - guest);
	return when > now ? when : TIMER_NEVER;
}

static bool timer_counts(uint64_t ctl)
{
	return (ctl & CNT_CTL_ENABLE) != 0 && (ctl & CNT_CTL_IMASK) == 0;
}

uint64_t vcpu_deadline(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	bool here = vcpu_is_here(vcpu);
	uint64_t ctl = here ? read_sysreg(cntv_ctl_el0) : vcpu->el1.cntv_ctl;
	uint64_t cval = here ? read_sysreg(cntv_cval_el0) : vcpu->el1.cntv_cval;
	uint64_t first = TIMER_NEVER, when;
	if (timer_counts(ctl) && vm->irqchip->may_interrupt(vcpu, INTID_CNTV))
		first = when_guest_time_is(vm, cval);
	if (timer_counts(vcpu->cntp_ctl) && vm->irqchip->may_interrupt(vcpu, INTID_CNTP)) {
		when = when_guest_time_is(vm, vcpu->cntp_cval);
		first = when < first ? when : first;
	}
	if (vcpu->wait_until != UINT64_MAX) {
		when = when_guest_time_is(vm, vcpu->wait_until);
		first = when < first ? when : first;
	}
	return first;
}

#define SAMPLE_SPINS 10000 // 3 instructions each

// Of a vCPU that no CPU holds: where it will go on.
static void sample_memory(const struct vcpu *vcpu, struct vcpu_sample *sample)
{
	*sample = (struct vcpu_sample){
	        .time = timer_now(),
	        .pc = load_relaxed(&vcpu->frame.pc),
	        .vbar = load_relaxed(&vcpu->el1.vbar),
	        .esr = load_relaxed(&vcpu->el1.esr),
	        .elr = load_relaxed(&vcpu->el1.elr),
	        .last_trap = load_relaxed(&vcpu->last_trap),
	        .taken = 1,
	};
}

bool vcpu_sample(struct vcpu *vcpu, struct vcpu_sample *sample)
{
	uint32_t before = load_acquire(&vcpu->sample.taken);
	if (load_acquire(&vcpu->power) != VCPU_ON)
		return false;
	if (load_acquire(&vcpu->sched.loaded) == 0) {
		sample_memory(vcpu, sample);
		return true;
	}
	if (vcpu_is_here(vcpu)) {
		vcpu_take_sample(vcpu);
	} else {
		vcpu_post(vcpu, VCPU_REQ_SAMPLE);
		for (unsigned i = 0; load_acquire(&vcpu->sample.taken) == before; i++) {
			if (i == SAMPLE_SPINS)
				break;
			spin_relax();
		}
	}
	*sample = vcpu->sample;
	return sample->taken != 0;
}

void vcpu_take_sample(struct vcpu *vcpu)
{
	struct vcpu_sample *sample = &vcpu->sample;
	sample->time = timer_now();
	sample->pc = vcpu->frame.pc;
	sample->vbar = read_sysreg(vbar_el1);
	sample->esr = read_sysreg(esr_el1);
	sample->elr = read_sysreg(elr_el1);
	sample->last_trap = vcpu->last_trap;
	el1_save(&vcpu->el1); // for whoever wants to see all of it
	store_release(&sample->taken, sample->taken + 1);
}

bool vcpu_sample_at_vectors(const struct vcpu_sample *sample)
{
	return sample->pc - sample->vbar < KIB(2);
}
