// SPDX-License-Identifier: Apache-2.0
// The chips that only the secure world can set up: the interrupt controller's groups, and the lines that
// switch the board off. Owns what EL2 told about them; called by el3.c under its lock, but for
// el3_gic_start_cpu and el3_gic_stop_cpu, which touch the caller's own part alone.
// Invariant: as el3.c's. No wait is longer than its limit, whatever a chip says.
// Source: Arm GIC Architecture Specification v2.0 (IHI 0048), "Interrupt grouping" and "Programmers'
// Model"; v3/v4 (IHI 0069), "Physical interrupt handling and GIC security" and "Programmers' Model"; PL061
// Technical Reference Manual (DDI 0190), "Programmer's Model"; Linux, Documentation/devicetree/bindings,
// gpio-poweroff and gpio-restart for the shape of the pulse; Broadcom "ARM Quad A7 core" (QA7 rev 3.4),
// "Registers".
#include "arm/barrier.h"
#include "arm/el3.h"
#include "arm/io.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/atomic.h"
#include "base/bits.h"

#define MAX_REGIONS 16
#define WAIT_TURNS  1000000 // reads of a register until its chip is taken for dead

// Distributor and redistributor, secure view.
#define GICD_CTLR       0x0000
#define GICD_TYPER      0x0004
#define GICD_IGROUPR    0x0080
#define GICD_IGRPMODR   0x0d00
#define GICR_TYPER      0x0008
#define GICR_WAKER      0x0014
#define GICR_SGI_FRAME  0x10000
#define GICR_SIZE       0x20000
#define GICR_SIZE_VLPIS 0x40000

#define GICD_CTLR_V2_GROUP1 BIT_U32(1)
#define GICD_CTLR_GROUP1_NS BIT_U32(1)
#define GICD_CTLR_ARE_S     BIT_U32(4)
#define GICD_CTLR_ARE_NS    BIT_U32(5)
#define GICD_CTLR_RWP       BIT_U32(31)
#define GICD_TYPER_LINES    GENMASK_U32(4, 0) // INTIDs / 32 - 1
#define GICD_TYPER_SECURITY BIT_U32(10)       // GICv2: the secure world sees other registers
#define GICR_TYPER_VLPIS    BIT_U64(1)
#define GICR_TYPER_LAST     BIT_U64(4)
#define GICR_TYPER_AFFINITY GENMASK_U64(63, 32)
#define GICR_WAKER_SLEEP    BIT_U32(1)
#define GICR_WAKER_CHILDREN BIT_U32(2)

// GICv2 CPU interface
#define GICC_CTLR 0x0000
#define GICC_PMR  0x0004

// The secure view of the lowest priority: the non-secure world may then set any mask of its own half.
#define PRIORITY_ALL  0xff
#define ICC_SRE_ALL   GENMASK_U64(3, 0)
#define PFR0_GIC      GENMASK_U64(27, 24) // the interface's system registers exist
#define MPIDR_AFF3    GENMASK_U64(39, 32)
#define MPIDR_AFF_LOW GENMASK_U64(23, 0)

// BCM2836's local controller
#define LOCAL_CONTROL       0x00
#define LOCAL_PRESCALER     0x08
#define LOCAL_PRESCALER_ONE BIT_U32(31)

// PL061: a line's value is at an address that is its own mask.
#define GPIO_DATA_SHIFT 2
#define GPIO_DIR        0x400
#define GPIO_ALL_ONES   0xff
#define ACTIVE_MS       100
#define INACTIVE_MS     100
#define TIMEOUT_MS      3000
#define MS_A_SECOND     1000

// Fixed once EL2 has told; zero from the loader.
static struct {
	uint64_t base, size, stride;
} regions[MAX_REGIONS] EL3_LOADED;
static unsigned nr_regions EL3_LOADED;
static unsigned gic_version EL3_LOADED; // 0: not known yet
static uintptr_t gicd EL3_LOADED, gicc EL3_LOADED;
static uintptr_t power EL3_LOADED;
static uint64_t power_off EL3_LOADED, power_reset EL3_LOADED; // EL3_POWER_*

// --- GIC ------------------------------------------------------------------------------------------

EL3_CODE int el3_add_redistributors(uint64_t base, uint64_t size, uint64_t stride)
{
	if (nr_regions == MAX_REGIONS)
		return -1;
	regions[nr_regions].base = base;
	regions[nr_regions].size = size;
	regions[nr_regions].stride = stride;
	nr_regions++;
	return 0;
}

static EL3_CODE bool wait_clear(uintptr_t address, uint32_t mask)
{
	for (unsigned turn = 0; turn < WAIT_TURNS; turn++) {
		if ((io_read32(address) & mask) == 0)
			return true;
		spin_relax();
	}
	return false;
}

// Every shared interrupt into group 1; IGRPMODR, which could make that the secure one, is version 3's.
static EL3_CODE void group_spis(bool v3)
{
	uint32_t words = (uint32_t)field_get(GICD_TYPER_LINES, io_read32(gicd + GICD_TYPER)) + 1;
	for (uint32_t word = 1; word < words; word++) {
		io_write32(gicd + GICD_IGROUPR + word * 4, UINT32_MAX);
		if (v3)
			io_write32(gicd + GICD_IGRPMODR + word * 4, 0);
	}
}

static EL3_CODE int set_gicv3(void)
{
	// Affinity routing changes only while all groups are off, and decides where the groups are.
	io_write32(gicd + GICD_CTLR, 0);
	bool done = wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_ARE_S);
	done = done && wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_ARE_S | GICD_CTLR_ARE_NS);
	done = done && wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
	group_spis(true);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_ARE_S | GICD_CTLR_ARE_NS | GICD_CTLR_GROUP1_NS);
	return done && wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP) ? 0 : -1;
}

EL3_CODE int el3_set_gic(uint64_t version, uint64_t distributor, uint64_t interface)
{
	gicd = distributor;
	gicc = interface;
	gic_version = (unsigned)version;
	if (version == 0)
		return 0; // a Raspberry Pi 3's controllers know no secure world
	if (version == 3)
		return set_gicv3();
	if (version != 2)
		return -1;
	// With one security state there is nothing to give away, and EL2 uses group 0, as it does where
	// it cannot see the groups.
	if ((io_read32(gicd + GICD_TYPER) & GICD_TYPER_SECURITY) == 0) {
		gic_version = 0;
		return 0;
	}
	group_spis(false);
	io_write32(gicd + GICD_CTLR, GICD_CTLR_V2_GROUP1);
	return 0;
}

// The counter counts the crystal's ticks, one by one, whatever was here before.
EL3_CODE int el3_set_timebase(uint64_t local)
{
	io_write32(local + LOCAL_CONTROL, 0);
	io_write32(local + LOCAL_PRESCALER, LOCAL_PRESCALER_ONE);
	return 0;
}

// The frame whose affinity is this CPU's, or 0. What the frames say cannot lead out of their region.
static EL3_CODE uintptr_t find_redistributor(uint64_t mpidr)
{
	uint64_t affinity = field_get(MPIDR_AFF3, mpidr) << 24 | (mpidr & MPIDR_AFF_LOW);
	for (unsigned i = 0; i < nr_regions; i++) {
		uint64_t step = 0;
		for (uint64_t at = 0; regions[i].size - at >= GICR_SIZE; at += step) {
			uint64_t type = io_read64(regions[i].base + at + GICR_TYPER);
			if (field_get(GICR_TYPER_AFFINITY, type) == affinity)
				return regions[i].base + at;
			step = (type & GICR_TYPER_VLPIS) != 0 ? GICR_SIZE_VLPIS : GICR_SIZE;
			if (regions[i].stride >= GICR_SIZE)
				step = regions[i].stride;
			if ((type & GICR_TYPER_LAST) != 0 || regions[i].size - at <= step)
				break;
		}
	}
	return 0;
}

// A GICv3 that is not there for this CPU shows at EL2, which finds no redistributor either.
static EL3_CODE void start_cpu_v3(uint64_t mpidr)
{
	uintptr_t frame = find_redistributor(mpidr);
	if (frame != 0) {
		io_write32(frame + GICR_WAKER, io_read32(frame + GICR_WAKER) & ~GICR_WAKER_SLEEP);
		(void)wait_clear(frame + GICR_WAKER, GICR_WAKER_CHILDREN);
		io_write32(frame + GICR_SGI_FRAME + GICD_IGROUPR, UINT32_MAX);
		io_write32(frame + GICR_SGI_FRAME + GICD_IGRPMODR, 0);
	}
	if (field_get(PFR0_GIC, read_sysreg(id_aa64pfr0_el1)) == 0)
		return; // EL2 says so: it cannot use them either
	write_sysreg(ICC_SRE_ALL, ICC_SRE_EL3);
	isb(); // the next register is there only now
	write_sysreg(ICC_SRE_ALL, ICC_SRE_EL2);
	isb();
	write_sysreg(0, ICC_CTLR_EL3);
	write_sysreg(PRIORITY_ALL, ICC_PMR_EL1);
	write_sysreg(0, ICC_IGRPEN0_EL1);
	write_sysreg(0, ICC_IGRPEN1_EL1); // EL2 enables it when it is ready
	isb();
}

EL3_CODE void el3_gic_start_cpu(uint64_t mpidr)
{
	if (gic_version == 3) {
		start_cpu_v3(mpidr);
	} else if (gic_version == 2) {
		io_write32(gicd + GICD_IGROUPR, UINT32_MAX); // this CPU's own
		io_write32(gicc + GICC_CTLR, 0);
		io_write32(gicc + GICC_PMR, PRIORITY_ALL);
	}
}

EL3_CODE void el3_gic_stop_cpu(void)
{
	if (gic_version == 3) {
		write_sysreg(0, ICC_IGRPEN1_EL1);
		isb();
	} else if (gic_version == 2) {
		io_write32(gicc + GICC_CTLR, 0);
	}
}

// --- power ----------------------------------------------------------------------------------------

EL3_CODE int el3_set_power(uint64_t base, uint64_t off, uint64_t reset)
{
	power = base;
	power_off = off;
	power_reset = reset;
	return 0;
}

EL3_CODE bool el3_power_can(bool off)
{
	return power != 0 && ((off ? power_off : power_reset) & EL3_POWER_EXISTS) != 0;
}

static EL3_CODE void wait_ms(uint64_t ms)
{
	uint64_t ticks = read_sysreg(cntfrq_el0) / MS_A_SECOND * ms,
	         start = read_sysreg(cntpct_el0);
	while (read_sysreg(cntpct_el0) - start < ticks)
		spin_relax();
}

// Active, inactive, active: whether the board looks at the level or at an edge, of either direction.
EL3_CODE void el3_power_pull(bool off)
{
	uint64_t how = off ? power_off : power_reset;
	uint32_t mask = BIT_U32(how & EL3_POWER_LINE);
	uint8_t active = (how & EL3_POWER_LOW) != 0 ? 0 : GPIO_ALL_ONES;
	uint8_t inactive = (uint8_t)~active;
	uintptr_t data = power + (mask << GPIO_DATA_SHIFT);
	io_write8(data, inactive); // what the line shows once it is an output
	io_write8(power + GPIO_DIR, (uint8_t)(io_read8(power + GPIO_DIR) | mask));
	io_write8(data, active);
	wait_ms(ACTIVE_MS);
	io_write8(data, inactive);
	wait_ms(INACTIVE_MS);
	io_write8(data, active);
	wait_ms(TIMEOUT_MS);
}
