// SPDX-License-Identifier: Apache-2.0
// The interrupt controllers of a Raspberry Pi 3, which has no GIC: the BCM2836's local one and the
// BCM2835's behind it. Owns both; called through the table at the end, on any CPU.
//
// What these chips lack is made here. They know no active state: what has been acknowledged is left out
// of what is reported, and if it is still active when nothing else is left to report (the guest's timer,
// which its guest ends much later), it is masked at its source until it is deactivated. There are no
// priorities, so intc_eoi has nothing to do. SGI n is bit n of a core's mailbox 0, which interrupts while
// any bit is set. All peripherals interrupt one core: that for which one of them was enabled last.
//
//   INTID    0-15  mailbox 0 of the core           26, 27, 29, 30  its timers: CNTHP, CNTV, CNTPS, CNTP
//   23       its PMU                               32 + n          interrupt n of the BCM2835
//
// Each access to these chips is slow, so they are few: one read of the source says what there is, and if
// it was a single interrupt, the next intc_acknowledge answers without looking: what has come meanwhile
// still holds the line, and brings the CPU back.
//
// Invariant: a CPU's `active`, `enabled` and `masked` are its own; `shared` is atomic. A source is enabled
// in its chip exactly if it is enabled and not masked (private), or enabled and not active (shared).
// Source: Broadcom "ARM Quad A7 core" (QA7 rev 3.4); BCM2835 ARM Peripherals, "Interrupts".
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/io.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/log.h"
#include "fdt/board.h"
#include "hw/bcm2836_regs.h"
#include "hw/intc.h"

#define NR_INTIDS (INTC_FIRST_SPI + BCM2835_NR_IRQS)

// Private INTIDs by their bit in IRQ_SOURCE.
static const struct {
	uint32_t source, intid;
} privates[] = {
        {BCM2836_CNTHP, 26}, {BCM2836_CNTV, 27}, {BCM2836_CNTP, 30},
        {BCM2836_CNTPS, 29}, {BCM2836_PMU, 23},
};

static const struct {
	enum bcm2835_ic_reg pending, enable, disable;
} banks[BCM2835_NR_BANKS] = {
        {BCM2835_IC_PENDING_1, BCM2835_IC_ENABLE_1, BCM2835_IC_DISABLE_1},
        {BCM2835_IC_PENDING_2, BCM2835_IC_ENABLE_2, BCM2835_IC_DISABLE_2},
        {BCM2835_IC_PENDING_BASIC, BCM2835_IC_ENABLE_BASIC, BCM2835_IC_DISABLE_BASIC},
};

// Fixed once init has run; armctrl is 0 if there is none.
static uintptr_t local, armctrl;

// Each owned by its core; bits as in IRQ_SOURCE.
static struct core {
	uint32_t enabled; // private sources
	uint32_t active;  // acknowledged, not deactivated
	uint32_t masked;  // active, and off in the chip
	bool seen_all;    // the last acknowledge took the only one there was
} __attribute__((aligned(64))) cores[BCM2836_NR_CORES];

static struct {
	uint32_t enabled[BCM2835_NR_BANKS], active[BCM2835_NR_BANKS];
} shared;

static unsigned core_of(const struct cpu *cpu)
{
	return (unsigned)field_get(MPIDR_AFF0, cpu->mpidr) % BCM2836_NR_CORES;
}

static uintptr_t reg_of(enum bcm2836_reg reg, unsigned core)
{
	return local + reg + core * BCM2836_CORE;
}

static uint32_t source_of(uint32_t intid)
{
	for (unsigned i = 0; i < ARRAY_SIZE(privates); i++)
		if (privates[i].intid == intid)
			return privates[i].source;
	return 0;
}

static uint32_t nr_intids(void)
{
	return armctrl != 0 ? NR_INTIDS : INTC_FIRST_SPI;
}

static int init(const struct board *board)
{
	const struct board_bcm *bcm = &board->bcm;
	local = bcm->local.base;
	armctrl = bcm->armctrl.size != 0 ? bcm->armctrl.base : 0;
	if (bcm->local.size == 0) {
		log_line("BCM2836: the device tree gives no local controller");
		return ERR_UNSUPPORTED;
	}
	for (unsigned i = 0; i < BCM2835_NR_BANKS; i++)
		shared.enabled[i] = shared.active[i] = 0;
	for (unsigned i = 0; armctrl != 0 && i < BCM2835_NR_BANKS; i++)
		io_write32(armctrl + banks[i].disable, UINT32_MAX);
	if (armctrl != 0)
		io_write32(armctrl + BCM2835_IC_FIQ, BCM2835_FIQ_OFF);
	io_write32(local + BCM2836_LOCAL_TIMER, 0);
	io_write32(local + BCM2836_AXI_IRQ, 0);
	// IRQ and FIQ of the peripherals to this core; the latter are off.
	unsigned core = (unsigned)field_get(MPIDR_AFF0, read_sysreg(mpidr_el1));
	io_write32(local + BCM2836_GPU_ROUTING,
	           (uint32_t)(field_put(BCM2836_GPU_IRQ, core) | field_put(BCM2836_GPU_FIQ, core)));
	return 0;
}

// What a chip is to be told of a core's private sources: timers, and the PMU.
static void write_enables(unsigned core)
{
	uint32_t on = cores[core].enabled & ~cores[core].masked;
	io_write32(reg_of(BCM2836_TIMER_IRQ, core), on & BCM2836_TIMERS);
}

static void write_pmu(unsigned core, bool on)
{
	io_write32(local + (on ? BCM2836_PMU_ROUTING_SET : BCM2836_PMU_ROUTING_CLEAR),
	           BIT_U32(core));
}

static int init_cpu(struct cpu *cpu)
{
	if (field_get(MPIDR_AFF0, cpu->mpidr) >= BCM2836_NR_CORES) {
		log_line("BCM2836: a core %#lx has no place in this controller", cpu->mpidr);
		return ERR_NOT_FOUND;
	}
	unsigned core = core_of(cpu);
	cores[core] = (struct core){0};
	write_enables(core);
	write_pmu(core, false);
	io_write32(local + BCM2836_PMU_ROUTING_CLEAR, BIT_U32(core + BCM2836_NR_CORES)); // its FIQ
	for (unsigned mailbox = 0; mailbox < 4; mailbox++)
		io_write32(local + BCM2836_MAILBOX_CLEAR + core * BCM2836_CORE_MAILBOX +
		                   mailbox * 4,
		           UINT32_MAX);
	io_write32(reg_of(BCM2836_MAILBOX_IRQ, core), 1); // mailbox 0 as IRQ
	cpu->gicv2_mask = 0;
	return 0;
}

// ---- acknowledge -----------------------------------------------------------------------------------

static uint32_t take_sgi(unsigned core)
{
	uintptr_t mailbox = local + BCM2836_MAILBOX_CLEAR + core * BCM2836_CORE_MAILBOX;
	uint32_t bits = io_read32(mailbox) & GENMASK_U32(INTC_NR_SGIS - 1, 0);
	if (bits == 0)
		return INTC_SPURIOUS;
	uint32_t sgi = (uint32_t)__builtin_ctz(bits);
	io_write32(mailbox, BIT_U32(sgi));
	cores[core].seen_all &= bits == BIT_U32(sgi);
	dsb(sy); // what the sender wrote before it sent is read after; and the line falls before we go
	return sgi;
}

// Off at the chip from now on: whoever deactivates it puts it on again, on any CPU.
static uint32_t take_shared(unsigned core)
{
	for (unsigned i = 0; i < BCM2835_NR_BANKS && armctrl != 0; i++) {
		uint32_t enabled =
		        load_relaxed(&shared.enabled[i]) & ~load_relaxed(&shared.active[i]);
		if (enabled == 0)
			continue;
		uint32_t pending = io_read32(armctrl + banks[i].pending) & enabled;
		if (pending == 0)
			continue;
		uint32_t n = (uint32_t)__builtin_ctz(pending);
		fetch_or(&shared.active[i], BIT_U32(n));
		io_write32(armctrl + banks[i].disable, BIT_U32(n));
		cores[core].seen_all = false; // there may be more behind this bit
		return INTC_FIRST_SPI + i * 32 + n;
	}
	return INTC_SPURIOUS;
}

// Nothing is left but what is active: that must not keep the line high.
static void mask_active(unsigned core)
{
	struct core *here = &cores[core];
	uint32_t left = here->active & ~here->masked;
	if (left == 0)
		return;
	here->masked |= left;
	if ((left & BCM2836_TIMERS) != 0)
		write_enables(core);
	if ((left & BCM2836_PMU) != 0)
		write_pmu(core, false);
}

static uint32_t acknowledge(void)
{
	unsigned core = core_of(cpu_this());
	struct core *here = &cores[core];
	uint32_t intid = INTC_SPURIOUS;
	if (here->seen_all) {
		here->seen_all = false;
		mask_active(core);
		return INTC_SPURIOUS;
	}
	uint32_t source = io_read32(reg_of(BCM2836_IRQ_SOURCE, core));
	source &= (here->enabled & ~here->active) | BCM2836_MAILBOX0 | BCM2836_GPU;
	here->seen_all = source != 0 && (source & (source - 1)) == 0;
	if ((source & BCM2836_MAILBOX0) != 0)
		intid = take_sgi(core);
	for (unsigned i = 0; i < ARRAY_SIZE(privates) && intid == INTC_SPURIOUS; i++)
		if ((source & privates[i].source) != 0) {
			here->active |= privates[i].source;
			intid = privates[i].intid;
		}
	if (intid == INTC_SPURIOUS && (source & BCM2836_GPU) != 0)
		intid = take_shared(core);
	if (intid == INTC_SPURIOUS) {
		here->seen_all = false;
		mask_active(core);
	}
	return intid;
}

static void eoi(uint32_t intid UNUSED)
{
}

// ---- the rest --------------------------------------------------------------------------------------

// Calls `change` with what a shared INTID is in its bank. False: there is no such interrupt.
static bool find_shared(uint32_t intid, unsigned *bank, uint32_t *bit)
{
	if (intid < INTC_FIRST_SPI || intid >= nr_intids())
		return false;
	*bank = (intid - INTC_FIRST_SPI) / 32;
	*bit = BIT_U32((intid - INTC_FIRST_SPI) % 32);
	return true;
}

// A private source's enable in the chip follows `enabled` and `masked`.
static void update_private(unsigned core, uint32_t source)
{
	if ((source & BCM2836_TIMERS) != 0)
		write_enables(core);
	else
		write_pmu(core, (cores[core].enabled & ~cores[core].masked & source) != 0);
}

static void deactivate(uint32_t intid)
{
	unsigned bank, core = core_of(cpu_this());
	uint32_t bit, source = source_of(intid);
	if (find_shared(intid, &bank, &bit)) {
		if ((fetch_and(&shared.active[bank], ~bit) & bit) != 0 &&
		    (load_relaxed(&shared.enabled[bank]) & bit) != 0)
			io_write32(armctrl + banks[bank].enable, bit);
		return;
	}
	bool was_masked = (cores[core].masked & source) != 0;
	cores[core].active &= ~source;
	cores[core].masked &= ~source;
	if (was_masked)
		update_private(core, source);
}

static void enable(uint32_t intid, const struct cpu *cpu, enum intc_trigger trigger UNUSED)
{
	unsigned bank, core = core_of(cpu_this());
	uint32_t bit, source = source_of(intid);
	if (find_shared(intid, &bank, &bit)) {
		unsigned to = core_of(cpu);
		io_write32(local + BCM2836_GPU_ROUTING, (uint32_t)(field_put(BCM2836_GPU_IRQ, to) |
		                                                   field_put(BCM2836_GPU_FIQ, to)));
		fetch_or(&shared.enabled[bank], bit);
		if ((load_relaxed(&shared.active[bank]) & bit) == 0)
			io_write32(armctrl + banks[bank].enable, bit);
	} else if (source != 0) {
		cores[core].enabled |= source;
		update_private(core, source);
	}
}

static void disable(uint32_t intid)
{
	unsigned bank, core = core_of(cpu_this());
	uint32_t bit, source = source_of(intid);
	if (find_shared(intid, &bank, &bit)) {
		fetch_and(&shared.enabled[bank], ~bit);
		io_write32(armctrl + banks[bank].disable, bit);
	} else if (source != 0) {
		cores[core].enabled &= ~source;
		update_private(core, source);
	}
}

// Lines are levels here, and only their devices move them.
static void set_pending(uint32_t intid UNUSED, bool pending UNUSED)
{
}

static void set_active(uint32_t intid, bool active)
{
	unsigned bank, core = core_of(cpu_this());
	uint32_t bit, source = source_of(intid);
	if (!active) {
		deactivate(intid);
	} else if (find_shared(intid, &bank, &bit)) {
		fetch_or(&shared.active[bank], bit);
		io_write32(armctrl + banks[bank].disable, bit);
	} else if (source != 0) { // it may be long until the next acknowledge: off at once
		cores[core].active |= source;
		cores[core].masked |= source;
		update_private(core, source);
	}
}

static void send_sgi(const struct cpu *cpu, uint32_t sgi)
{
	dsb(sy); // memory first, then the interrupt that makes the other look at it
	io_write32(local + BCM2836_MAILBOX_SET + core_of(cpu) * BCM2836_CORE_MAILBOX, BIT_U32(sgi));
}

static uint32_t number(const struct board_irq *irq)
{
	if (irq->chip == BOARD_IRQ_BCM2835 && irq->number < BCM2835_NR_IRQS && armctrl != 0)
		return INTC_FIRST_SPI + irq->number;
	if (irq->chip != BOARD_IRQ_BCM2836)
		return INTC_NONE;
	for (unsigned i = 0; i < ARRAY_SIZE(privates); i++)
		if (privates[i].source == BIT_U32(irq->number))
			return privates[i].intid;
	return INTC_NONE;
}

const struct intc_ops intc_bcm2836 = {
        .name = "BCM2836 and BCM2835",
        .number = number,
        .init = init,
        .init_cpu = init_cpu,
        .acknowledge = acknowledge,
        .eoi = eoi,
        .deactivate = deactivate,
        .enable = enable,
        .disable = disable,
        .set_pending = set_pending,
        .set_active = set_active,
        .send_sgi = send_sgi,
};
