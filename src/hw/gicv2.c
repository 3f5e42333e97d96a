// SPDX-License-Identifier: Apache-2.0
// GICv2 (GIC-400 and its like), driven from EL2. Owns the distributor and the CPU interfaces; called
// through the table at the end, on any CPU.
// Invariant: registers that several CPUs write are of the set/clear kind or one byte for each
// interrupt, so no lock is needed. ICFGR and ITARGETSR are written by intc_enable alone, whose callers
// do not enable two interrupts of one word at once (boot, or under LOCK_VM_TABLE).
// An SGI carries its sender in IAR and must be ended with it; since nobody keeps an SGI active, it is
// ended here at once, and intc_eoi and intc_deactivate leave SGIs alone.
// Source: Arm GIC Architecture Specification v2.0 (IHI 0048), "Programmers' Model".
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/io.h"
#include "base/log.h"
#include "fdt/board.h"
#include "hw/gic_regs.h"
#include "hw/intc.h"

// Fixed once init has run.
static uintptr_t gicd, gicc;
static uint32_t nr_intids;

static bool exists(uint32_t intid)
{
	return intid < nr_intids;
}

// Writes the interrupt's bit to a register of the set/clear kind.
static void write_bit(enum gicd_reg reg, uint32_t intid)
{
	io_write32(gicd + reg + intid / 32 * 4, BIT_U32(intid % 32));
}

// Implementations known for it, by GICD_IIDR. A GIC-400 reads 0x0200043b and up.
static bool forgets_level(void)
{
	static const uint32_t known[] = {0x43b, 0}; // QEMU, old and new
	uint32_t iidr = io_read32(gicd + GICD_IIDR);
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (iidr == known[i])
			return true;
	return false;
}

// All in group 0 where there is one security state: CTLR's bit 0 enables that, and firmware may have left group 1.
// Where there are two, the groups are the firmware's, and what is written to them here is ignored.
static int init(const struct board *board)
{
	gicd = board->gic.gicd.base;
	gicc = board->gic.gicc.base;
	if (board->gic.gicd.size == 0 || board->gic.gicc.size == 0) {
		log_line("GICv2: the device tree gives no distributor or no CPU interface");
		return ERR_UNSUPPORTED;
	}
	uint32_t lines = (uint32_t)field_get(GICD_TYPER_LINES, io_read32(gicd + GICD_TYPER)) + 1;
	nr_intids = lines * 32 < INTC_NR_INTIDS ? lines * 32 : INTC_NR_INTIDS;

	io_write32(gicd + GICD_CTLR, 0);
	for (uint32_t word = 1; word < lines; word++) {
		io_write32(gicd + GICD_ICENABLER + word * 4, UINT32_MAX);
		io_write32(gicd + GICD_ICPENDR + word * 4, UINT32_MAX);
		io_write32(gicd + GICD_ICACTIVER + word * 4, UINT32_MAX);
		io_write32(gicd + GICD_IGROUPR + word * 4, 0);
	}
	for (uint32_t intid = INTC_FIRST_SPI; intid < lines * 32; intid += 4)
		io_write32(gicd + GICD_IPRIORITYR + intid, GIC_PRIORITY_WORD);
	for (uint32_t intid = INTC_FIRST_SPI; intid < lines * 32; intid += 16)
		io_write32(gicd + GICD_ICFGR + intid / 4, 0);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_V2_ENABLE);
	return 0;
}

// This CPU's bit in target lists: it reads it in every private interrupt's target byte. All zero on a
// single CPU, where targets do not exist.
static uint32_t own_mask(void)
{
	uint32_t mask = 0;
	for (uint32_t intid = 0; intid < INTC_FIRST_SPI; intid += 4)
		mask |= io_read32(gicd + GICD_ITARGETSR + intid);
	mask |= mask >> 16;
	mask |= mask >> 8;
	mask &= GENMASK_U32(7, 0);
	return mask != 0 ? mask : 1;
}

static int init_cpu(struct cpu *cpu)
{
	cpu->gicv2_mask = own_mask();
	io_write32(gicc + GICC_CTLR, 0);
	io_write32(gicd + GICD_ICENABLER, UINT32_MAX);
	io_write32(gicd + GICD_ICACTIVER, UINT32_MAX);
	io_write32(gicd + GICD_IGROUPR, 0);
	io_write32(gicd + GICD_ICPENDR, UINT32_MAX); // private ones; for SGIs there is CPENDSGIR
	for (uint32_t sgi = 0; sgi < INTC_NR_SGIS; sgi += 4)
		io_write32(gicd + GICD_CPENDSGIR + sgi, UINT32_MAX);
	for (uint32_t intid = 0; intid < INTC_FIRST_SPI; intid += 4)
		io_write32(gicd + GICD_IPRIORITYR + intid, GIC_PRIORITY_WORD);
	io_write32(gicd + GICD_ISENABLER, GENMASK_U32(INTC_NR_SGIS - 1, 0));
	io_write32(gicc + GICC_PMR, GIC_PRIORITY_MASK);
	io_write32(gicc + GICC_BPR, 0);
	io_write32(gicc + GICC_CTLR, GICC_CTLR_ENABLE | GICC_CTLR_EOIMODE);
	return 0;
}

static uint32_t acknowledge(void)
{
	uint32_t iar = io_read32(gicc + GICC_IAR);
	uint32_t intid = iar & GICC_IAR_INTID;
	if (intid >= INTC_NR_INTIDS)
		return INTC_SPURIOUS;
	if (intid < INTC_NR_SGIS) {
		io_write32(gicc + GICC_EOIR, iar);
		io_write32(gicc + GICC_DIR, iar);
		dsb(ish); // what the sender wrote before it sent is read after
	}
	return intid;
}

static void eoi(uint32_t intid)
{
	if (intid >= INTC_NR_SGIS && exists(intid))
		io_write32(gicc + GICC_EOIR, intid);
}

static void deactivate(uint32_t intid)
{
	if (intid >= INTC_NR_SGIS && exists(intid))
		io_write32(gicc + GICC_DIR, intid);
}

static void enable(uint32_t intid, const struct cpu *cpu, enum intc_trigger trigger)
{
	if (!exists(intid))
		return;
	if (intid >= INTC_FIRST_SPI)
		io_write8(gicd + GICD_ITARGETSR + intid, (uint8_t)cpu->gicv2_mask);
	if (intid >= INTC_NR_SGIS) {
		uintptr_t reg = gicd + GICD_ICFGR + intid / 16 * 4;
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
	if (intid >= INTC_NR_SGIS && exists(intid))
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
	io_write32(gicd + GICD_SGIR, (uint32_t)field_put(GICD_SGIR_TARGETS, cpu->gicv2_mask) | sgi);
}

const struct intc_ops intc_gicv2 = {
        .name = "GICv2",
        .version = 2,
        .number = intc_gic_number,
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
        .forgets_level = forgets_level,
};
