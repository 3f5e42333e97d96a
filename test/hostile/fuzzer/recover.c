// SPDX-License-Identifier: Apache-2.0
/*
 * Survival: every exception of generated code is noted and stepped over, and what operations did to the
 * registers that this program lives by is put right between programs. Exceptions of the fuzzer's own code are
 * not: they end it by lib/exc.c, which is a failure.
 *
 * Programs of one half run with the MMU off, so that any table register may be written. What C code writes
 * meanwhile goes past the caches: right in an emulator, which has none.
 * Source: Arm ARM, "ESR_EL1", "MDSCR_EL1"; GIC architecture specification, "Programmers' Model"; PL011
 * Technical Reference Manual, "Programmers Model".
 */
#include "fuzz.h"

#include "gic.h"
#include "io.h"
#include "irq.h"
#include "smp.h"
#include "timer.h"

#define EXCEPTIONS_MAX 4096 /* of one program; more is a loop */
#define IRQS_MAX       64
#define EC_ILLEGAL     0x0e
#define EC_DEBUG_FIRST 0x30
#define EC_DEBUG_LAST  0x35
#define SPSR_SS        BIT(21)
#define SPSR_IL        BIT(20)
#define SPSR_D         BIT(9)
#define SPSR_I         BIT(7)
#define SPSR_F         BIT(6)
#define SPSR_ALLINT    BIT(13)
#define ALL            0xffffffffu
#define UART_LCRH      0x2c
#define UART_CR        0x30
#define UART_IMSC      0x38
#define LCRH_8_FIFO    0x70
#define CR_ON          0x301
#define PPIS_NO_SGIS   0xffff0000u

extern struct {
	u64 ttbr0, tcr, mair, sctlr;
} mmu_boot_regs;
extern char vectors[], _image_start[], _image_end[];

static u64 exceptions_here[MAX_CPUS]; /* of this program */
static u64 frequency;

static bool in_code(const struct fuzzer *f, u64 pc)
{
	return pc - (u64)fuzz_code[f->cpu] < sizeof(fuzz_code[0]);
}

static void note(struct fuzzer *f, u64 what)
{
	f->hash = (f->hash ^ what) * 0x100000001b3ul;
}

static void take_interrupt(struct fuzzer *f, struct exc_frame *frame, unsigned kind)
{
	u32 iar = gic_ack();

	f->interrupts++;
	if ((iar & GIC_INTID) < GIC_SPECIAL)
		gic_eoi(iar);
	if (kind == VEC_FIQ && platform.gic_version == 3) {
		iar = (u32)read_sysreg(ICC_IAR0_EL1);
		if ((iar & GIC_INTID) < GIC_SPECIAL)
			write_sysreg(ICC_EOIR0_EL1, iar);
	}
	if (++f->irqs > IRQS_MAX)
		frame->spsr |= SPSR_I | SPSR_F;
}

static void end_program(struct fuzzer *f, struct exc_frame *frame)
{
	for (unsigned i = 0; i < ARRAY_LEN(frame->x); i++)
		note(f, frame->x[i]);
	recover_cpu();
	exceptions_here[f->cpu] = 0;
	f->irqs = 0;
	frame->elr = (u64)fuzz_leave;
	frame->spsr = SPSR_EL1H | SPSR_DAIF;
}

/* Where to go on after a synchronous exception of generated code. */
static void step_over(struct exc_frame *frame, const struct fuzzer *f, unsigned vector)
{
	u64 class = FIELD_GET(ESR_EC, frame->esr);

	if (!in_code(f, frame->elr)) {
		frame->elr = frame->x[30]; /* it was jumped to */
		frame->spsr = (frame->spsr & ~SPSR_M) | SPSR_EL1H;
		if (!in_code(f, frame->elr))
			frame->elr = (u64)&fuzz_code[f->cpu][f->words - 1];
	} else if (class == EC_IABT_LOW || (class == EC_ILLEGAL && vector < VEC_LOW64)) {
		frame->spsr = (frame->spsr & ~(SPSR_M | SPSR_IL)) | SPSR_EL1H;
	} else if (class == EC_ILLEGAL) {
		frame->spsr &= ~SPSR_IL;
	} else if (class >= EC_DEBUG_FIRST && class <= EC_DEBUG_LAST) {
		write_sysreg(mdscr_el1, 0);
		frame->spsr = (frame->spsr & ~SPSR_SS) | SPSR_D;
	} else if (class != EC_SVC64) {
		frame->elr += 4;
	}
}

/*
 * An exception between op_return's write of ELR_EL1 and its ERET takes the place of what was written there, and the
 * ERET would go back to where the exception was, for ever: what is left of them is left out.
 */
static void leave_out_return(struct exc_frame *frame, const struct fuzzer *f)
{
	const u32 *next = (const u32 *)(frame->elr & ~3ul);

	if (!in_code(f, frame->elr))
		return;
	if (next[0] == FUZZ_ERET)
		frame->elr += 4;
	else if (next[1] == FUZZ_ERET) /* the write of SPSR_EL1; no program ends so */
		frame->elr += 8;
}

static bool recover_exception(struct fuzzer *f, struct exc_frame *frame, unsigned vector)
{
	unsigned kind = vector % 4;

	if (kind == VEC_IRQ || kind == VEC_FIQ) {
		take_interrupt(f, frame, kind);
		return true;
	}
	if (!in_code(f, frame->elr) &&
	    frame->elr - (u64)_image_start < (u64)(_image_end - _image_start))
		return false;
	f->exceptions++;
	note(f, frame->esr);
	note(f, frame->elr - platform.image_base);
	if (kind == VEC_SERROR)
		return true;
	if (frame->esr == (FIELD(ESR_EC, EC_SVC64) | ESR_IL | SVC_END) ||
	    ++exceptions_here[f->cpu] > EXCEPTIONS_MAX)
		end_program(f, frame);
	else
		step_over(frame, f, vector);
	return true;
}

bool recover(struct exc_frame *frame, unsigned vector)
{
	struct fuzzer *f = &fuzzers[smp_cpu()];
	bool recovered;

	f->progress++;
	recovered = recover_exception(f, frame, vector);
	leave_out_return(frame, f);
	return recovered;
}

/* Also where the MMU is off. */
void recover_cpu(void)
{
	write_sysreg(cpacr_el1, CPACR_FPEN);
	write_sysreg(mdscr_el1, 0);
	write_sysreg(vbar_el1, (u64)vectors);
	write_sysreg(ttbr0_el1, mmu_boot_regs.ttbr0);
	write_sysreg(ttbr1_el1, mmu_boot_regs.ttbr0);
	write_sysreg(tcr_el1, mmu_boot_regs.tcr);
	write_sysreg(mair_el1, mmu_boot_regs.mair);
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(cntp_ctl_el0, 0);
	if (fuzzers[smp_cpu()].bare)
		write_sysreg(cntfrq_el0, frequency); /* nobody is above EL1 there */
	isb();
	__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tic iallu\n\tdsb nsh\n\tisb" ::: "memory");
	write_sysreg(sctlr_el1, mmu_boot_regs.sctlr);
	isb();
}

static void recover_gicv2(void)
{
	write32(platform.gicc + GICC_CTLR, 0);
	for (u32 i = 0; i < 4; i++)
		write32(platform.gicc + GICC_APR0 + 4 * i, 0);
	write32(platform.gicd + GICD_ICACTIVER, ALL);
	write32(platform.gicd + GICD_ICENABLER, ALL);
	write32(platform.gicd + GICD_IGROUPR, 0);
	write32(platform.gicc + GICC_BPR, 0);
	write32(platform.gicd + GICD_CTLR, GICD_CTLR_GRP0);
}

/* The distributor, and this CPU's part of the rest: the virtual timer alone can interrupt it. */
void recover_gic(void)
{
	if (platform.gic_version == 2) {
		recover_gicv2();
		gic_init_cpu();
		write32(platform.gicd + GICD_ICENABLER, ALL);
	} else {
		write_sysreg(ICC_SRE_EL1, ICC_SRE_SRE);
		isb();
		write_sysreg(ICC_AP0R0_EL1, 0);
		write_sysreg(ICC_AP1R0_EL1, 0);
		write_sysreg(ICC_IGRPEN0_EL1, 0);
		write_sysreg(ICC_CTLR_EL1, 0);
		write_sysreg(ICC_BPR1_EL1, 0);
		isb();
		gic_init_cpu();
		recover_gic_of(smp_cpu());
	}
	gic_set_priority(INTID_VTIMER, GIC_PRIORITY);
	gic_enable(INTID_VTIMER);
	gic_sync();
}

/* What others may have done to a CPU that sleeps. */
void recover_gic_of(unsigned cpu)
{
	if (platform.gic_version == 2) {
		write32(platform.gicd + GICD_CTLR, GICD_CTLR_GRP0);
		return;
	}
	u64 frame = gic_redist(cpu) + GICR_SGI_FRAME;

	write32(frame + GICD_ICENABLER, ALL);
	write32(frame + GICD_IGROUPR, ALL);
	write32(frame + GICD_IGRPMODR, 0);
	write32(frame + GICD_ICACTIVER, ALL);
	write8(frame + GICD_IPRIORITYR + INTID_VTIMER, GIC_PRIORITY);
	write32(frame + GICD_ISENABLER, (u32)BIT(INTID_VTIMER));
	write32(platform.gicd + GICD_CTLR, GICD_CTLR_GRP1 | GICD_CTLR_ARE);
}

void recover_uart(void)
{
	write32(platform.uart + UART_IMSC, 0);
	write32(platform.uart + UART_LCRH, LCRH_8_FIFO);
	write32(platform.uart + UART_CR, CR_ON);
}

void recover_init(void)
{
	frequency = read_sysreg(cntfrq_el0);
	exc_set_hook(recover);
	recover_uart();
}
