// SPDX-License-Identifier: Apache-2.0
// GICv3 and GICv4, driven from EL2 without LPIs. Owns the distributor, the redistributors and the
// physical CPU interfaces; called through the table at the end, on any CPU.
// Invariant: a CPU touches its own redistributor alone. Distributor registers that several CPUs write
// are of the set/clear kind or belong to one interrupt; ICFGR is written by intc_enable alone, whose
// callers do not enable two interrupts of one word at once (boot, or under LOCK_VM_TABLE).
// Source: Arm GIC Architecture Specification v3/v4 (IHI 0069), "Programmers' Model", and "Power
// management" for waking a redistributor.
#include "hw/gicv3.h"
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/io.h"
#include "arm/regs.h"
#include "base/log.h"
#include "fdt/board.h"
#include "hw/gic_regs.h"
#include "hw/intc.h"
#include "hw/timer.h"

#define WAIT_MS       100 // for the controller to take over what was written
#define MPIDR_AFF1    GENMASK_U64(15, 8)
#define MPIDR_AFF2    GENMASK_U64(23, 16)
#define MPIDR_AFF3    GENMASK_U64(39, 32)
#define MPIDR_AFF_LOW GENMASK_U64(23, 0)
#define SGI_RANGE     16 // targets in one SGI register's list

// Fixed once init has run; a CPU's redistributor once that CPU's init_cpu has.
static uintptr_t gicd;
static uint32_t nr_intids;
static struct board_range gicr_regions[BOARD_MAX_GICR];
static uint32_t nr_gicr_regions;
static uint64_t gicr_stride;
static uintptr_t gicr_of[CPU_MAX];
static uint64_t sgi_to[CPU_MAX]; // ICC_SGI1R_EL1 that reaches this CPU, but for the INTID

static bool exists(uint32_t intid)
{
	return intid < nr_intids;
}

// Where the interrupt's bank of registers is: the distributor, or this CPU's redistributor.
static uintptr_t bank(uint32_t intid)
{
	return intid >= INTC_FIRST_SPI ? gicd : gicr_of[cpu_this()->id] + GICR_SGI_FRAME;
}

static void write_bit(enum gicd_reg reg, uint32_t intid)
{
	io_write32(bank(intid) + reg + intid / 32 * 4, BIT_U32(intid % 32));
}

// Waits until the masked bits at `address` read as `value`.
static bool wait_for(uintptr_t address, uint32_t mask, uint32_t value)
{
	uint64_t end = timer_now() + timer_from_ms(WAIT_MS);
	while ((io_read32(address) & mask) != value) {
		if (timer_now() > end)
			return false;
		spin_relax();
	}
	return true;
}

static void init_spis(uint32_t lines, uint64_t route)
{
	for (uint32_t word = 1; word < lines; word++) {
		io_write32(gicd + GICD_ICENABLER + word * 4, UINT32_MAX);
		io_write32(gicd + GICD_ICPENDR + word * 4, UINT32_MAX);
		io_write32(gicd + GICD_ICACTIVER + word * 4, UINT32_MAX);
		io_write32(gicd + GICD_IGROUPR + word * 4, UINT32_MAX);
	}
	for (uint32_t intid = INTC_FIRST_SPI; intid < lines * 32; intid += 4)
		io_write32(gicd + GICD_IPRIORITYR + intid, GIC_PRIORITY_WORD);
	for (uint32_t intid = INTC_FIRST_SPI; intid < lines * 32; intid += 16)
		io_write32(gicd + GICD_ICFGR + intid / 4, 0);
	// Routing exists only while affinity routing is on.
	for (uint32_t intid = INTC_FIRST_SPI; intid < nr_intids; intid++)
		io_write64(gicd + GICD_IROUTER + (uintptr_t)intid * 8, route);
}

static int init(const struct board *board)
{
	gicd = board->gic.gicd.base;
	nr_gicr_regions = board->gic.nr_gicr;
	gicr_stride = board->gic.gicr_stride;
	for (uint32_t i = 0; i < nr_gicr_regions; i++)
		gicr_regions[i] = board->gic.gicr[i];
	if (board->gic.gicd.size == 0 || nr_gicr_regions == 0) {
		log_line("GICv3: the device tree gives no distributor or no redistributors");
		return ERR_UNSUPPORTED;
	}
	uint32_t lines = (uint32_t)field_get(GICD_TYPER_LINES, io_read32(gicd + GICD_TYPER)) + 1;
	nr_intids = lines * 32 < INTC_NR_INTIDS ? lines * 32 : INTC_NR_INTIDS;

	// Affinity routing may only be switched on while everything is off.
	io_write32(gicd + GICD_CTLR, 0);
	bool done = wait_for(gicd + GICD_CTLR, GICD_CTLR_RWP, 0);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_ARE);
	done = done && wait_for(gicd + GICD_CTLR, GICD_CTLR_RWP, 0);
	init_spis(lines, cpu_this()->mpidr);
	done = done && wait_for(gicd + GICD_CTLR, GICD_CTLR_RWP, 0);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GRP1);
	if (!done || !wait_for(gicd + GICD_CTLR, GICD_CTLR_RWP, 0)) {
		log_line("GICv3: the distributor at %#lx does not take over what is written to it",
		         (unsigned long)gicd);
		return ERR_BUSY;
	}
	return 0;
}

// The redistributor whose affinity is mpidr's, or 0. Frames lie one after the other; the last of a
// region says so, and the region's size bounds the walk whatever they say.
static uintptr_t find_redistributor(uint64_t mpidr)
{
	uint64_t affinity = field_get(MPIDR_AFF3, mpidr) << 24 | (mpidr & MPIDR_AFF_LOW);

	for (uint32_t i = 0; i < nr_gicr_regions; i++) {
		uint64_t offset = 0, step;
		for (; gicr_regions[i].size - offset >= GICR_SIZE; offset += step) {
			uint64_t frame = gicr_regions[i].base + offset;
			uint64_t type = io_read64(frame + GICR_TYPER);
			if (field_get(GICR_TYPER_AFFINITY, type) == affinity)
				return frame;
			step = (type & GICR_TYPER_VLPIS) != 0 ? GICR_SIZE_VLPIS : GICR_SIZE;
			if (gicr_stride >= GICR_SIZE)
				step = gicr_stride;
			if ((type & GICR_TYPER_LAST) != 0 || gicr_regions[i].size - offset <= step)
				break;
		}
	}
	return 0;
}

// False when the firmware keeps the system registers to itself (ICC_SRE_EL3).
static bool init_interface(void)
{
	uint64_t sre = read_sysreg(ICC_SRE_EL2);
	write_sysreg(sre | ICC_SRE_ALL, ICC_SRE_EL2);
	isb(); // from here on the other ICC registers exist
	sre = read_sysreg(ICC_SRE_EL2);
	if ((sre & ICC_SRE_SRE) == 0)
		return false;
	write_sysreg(0, ICC_IGRPEN1_EL1);
	write_sysreg(0, ICC_AP1R0_EL1); // nothing that the firmware left is still being handled
	write_sysreg(GIC_PRIORITY_MASK, ICC_PMR_EL1);
	write_sysreg(0, ICC_BPR1_EL1);
	write_sysreg(ICC_CTLR_EOIMODE, ICC_CTLR_EL1);
	write_sysreg(ICC_IGRPEN_ENABLE, ICC_IGRPEN1_EL1);
	isb();
	return true;
}

static uint64_t sgi_target(uint64_t mpidr)
{
	uint64_t aff0 = field_get(MPIDR_AFF0, mpidr);
	return field_put(ICC_SGI1R_AFF3, field_get(MPIDR_AFF3, mpidr)) |
	       field_put(ICC_SGI1R_AFF2, field_get(MPIDR_AFF2, mpidr)) |
	       field_put(ICC_SGI1R_AFF1, field_get(MPIDR_AFF1, mpidr)) |
	       field_put(ICC_SGI1R_RS, aff0 / SGI_RANGE) |
	       field_put(ICC_SGI1R_TARGETS, BIT_U64(aff0 % SGI_RANGE));
}

static int init_cpu(struct cpu *cpu)
{
	uintptr_t frame = find_redistributor(cpu->mpidr);
	if (frame == 0) {
		log_line("GICv3: no redistributor belongs to CPU %u (affinity %#lx)", cpu->id,
		         (unsigned long)cpu->mpidr);
		return ERR_NOT_FOUND;
	}
	gicr_of[cpu->id] = frame;
	sgi_to[cpu->id] = sgi_target(cpu->mpidr);
	cpu->gicv2_mask = 0;

	io_write32(frame + GICR_WAKER, io_read32(frame + GICR_WAKER) & ~GICR_WAKER_SLEEP);
	if (!wait_for(frame + GICR_WAKER, GICR_WAKER_CHILDREN, 0)) {
		log_line("GICv3: the redistributor of CPU %u does not wake up", cpu->id);
		return ERR_BUSY;
	}
	uintptr_t sgis = frame + GICR_SGI_FRAME;
	io_write32(sgis + GICD_ICENABLER, UINT32_MAX);
	io_write32(sgis + GICD_ICACTIVER, UINT32_MAX);
	io_write32(sgis + GICD_ICPENDR, UINT32_MAX);
	io_write32(sgis + GICD_IGROUPR, UINT32_MAX);
	for (uint32_t intid = 0; intid < INTC_FIRST_SPI; intid += 4)
		io_write32(sgis + GICD_IPRIORITYR + intid, GIC_PRIORITY_WORD);
	io_write32(sgis + GICD_ISENABLER, GENMASK_U32(INTC_NR_SGIS - 1, 0));
	if (!wait_for(frame + GICR_CTLR, GICR_CTLR_RWP, 0)) {
		log_line("GICv3: the redistributor of CPU %u does not take over what is written "
		         "to it",
		         cpu->id);
		return ERR_BUSY;
	}
	if (!init_interface()) {
		log_line("GICv3: the firmware does not let EL2 use the system registers of CPU %u "
		         "(ICC_SRE_EL3)",
		         cpu->id);
		return ERR_UNSUPPORTED;
	}
	if (field_get(MPIDR_AFF0, cpu->mpidr) >= SGI_RANGE &&
	    ((io_read32(gicd + GICD_TYPER) & GICD_TYPER_RSS) == 0 ||
	     (read_sysreg(ICC_CTLR_EL1) & ICC_CTLR_RSS) == 0)) {
		log_line("GICv3: CPU %u (affinity %#lx) cannot be reached by interrupts between "
		         "CPUs",
		         cpu->id, (unsigned long)cpu->mpidr);
		return ERR_UNSUPPORTED;
	}
	return 0;
}

static uint32_t acknowledge(void)
{
	uint32_t intid = gicv3_acknowledge();
	return intid < INTC_NR_INTIDS ? intid : INTC_SPURIOUS;
}

static void enable(uint32_t intid, const struct cpu *cpu, enum intc_trigger trigger)
{
	if (!exists(intid))
		return;
	if (intid >= INTC_FIRST_SPI)
		io_write64(gicd + GICD_IROUTER + (uintptr_t)intid * 8, cpu->mpidr);
	if (intid >= INTC_NR_SGIS) {
		uintptr_t reg = bank(intid) + GICD_ICFGR + intid / 16 * 4;
		uint32_t edge = (uint32_t)GICD_ICFGR_EDGE << (intid % 16 * 2);
		uint32_t config = io_read32(reg);
		io_write32(reg, trigger == INTC_EDGE ? config | edge : config & ~edge);
	}
	write_bit(GICD_ISENABLER, intid);
}

static void disable(uint32_t intid)
{
	if (exists(intid))
		write_bit(GICD_ICENABLER, intid);
}

static void set_pending(uint32_t intid, bool pending)
{
	if (exists(intid))
		write_bit(pending ? GICD_ISPENDR : GICD_ICPENDR, intid);
}

static void set_active(uint32_t intid, bool active)
{
	if (exists(intid))
		write_bit(active ? GICD_ISACTIVER : GICD_ICACTIVER, intid);
}

static void send_sgi(const struct cpu *cpu, uint32_t sgi)
{
	dsb(ish); // memory first, then the interrupt that makes the other look at it
	write_sysreg(sgi_to[cpu->id] | field_put(ICC_SGI1R_INTID, sgi), ICC_SGI1R_EL1);
	isb();
}

const struct intc_ops intc_gicv3 = {
        .name = "GICv3",
        .version = 3,
        .number = intc_gic_number,
        .init = init,
        .init_cpu = init_cpu,
        .acknowledge = acknowledge,
        .eoi = gicv3_eoi,
        .deactivate = gicv3_deactivate,
        .enable = enable,
        .disable = disable,
        .set_pending = set_pending,
        .set_active = set_active,
        .send_sgi = send_sgi,
};
