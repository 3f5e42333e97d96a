// SPDX-License-Identifier: Apache-2.0
/*
 * The registers of the interrupt controller, GICv2 or GICv3: reset values, writable bits,
 * read-only and reserved ones, byte lanes, banking, the end of the implemented interrupts,
 * identification. Then every offset at every width: whatever the answer, the machine lives on and
 * still delivers.
 * Source: GICv2 and GICv3 Architecture Specification, "Distributor register descriptions",
 * "Redistributor register descriptions", "CPU interface register descriptions".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define ALL         0xffffffffu
#define SPI         64u
#define BYTES(b)    ((u32)(b)*0x01010101u)
#define GICD_FRAME  0x1000u
#define GICD3_BYTES 0x10000u
#define ARCH_REV    BITS(7, 4)
#define IIDR_IMPL   BITS(11, 0)
#define SGI_EDGE    0xaaaaaaaau
#define ROUTER_BITS (BITS(39, 31) | BITS(23, 0))
#define ROUTER_IRM  BIT(31)
#define TYPER_IDS   BITS(23, 19)
#define TYPER_AFF   BITS(63, 32)
#define TYPER_PROC  BITS(23, 8)
#define TYPER_PLPIS BIT(0)
#define ICC_RW      (ICC_CTLR_CBPR | ICC_CTLR_EOI)
#define SRE_ALL     BITS(2, 0)
#define ARRIVE_US   1000000ul
#define GICC_RW     (GICC_CTLR_EN0 | GICC_CTLR_EN1 | GICC_CTLR_EOI)
#define IDLE        0xffu

static u32 lines; /* implemented INTIDs, a multiple of 32, at most 1024 */
static unsigned cpus;

/* What was found before anything was written. */
static struct {
	u32 ctlr, group[2], enable[2], pending[2], active[2], priority, target, config;
	u32 cpu_ctlr, pmr, rpr, hppir;
	u64 route;
} first;

static u32 dist(u32 offset)
{
	return read32(platform.gicd + offset);
}

static void set_dist(u32 offset, u32 v)
{
	write32(platform.gicd + offset, v);
}

static bool v3(void)
{
	return platform.gic_version == 3;
}

void test_early(void)
{
	u64 banked = gic_base(0);

	first.ctlr = dist(GICD_CTLR);
	for (u32 i = 0; i < 2; i++) {
		u64 base = i == 0 ? banked : platform.gicd;

		first.group[i] = read32(base + GICD_IGROUPR + 4 * i);
		first.enable[i] = read32(base + GICD_ISENABLER + 4 * i);
		first.pending[i] = read32(base + GICD_ISPENDR + 4 * i);
		first.active[i] = read32(base + GICD_ISACTIVER + 4 * i);
	}
	first.priority = dist(GICD_IPRIORITYR + SPI);
	first.target = dist(GICD_ITARGETSR + SPI);
	first.config = dist(GICD_ICFGR + SPI / 4);
	if (v3()) {
		first.route = read64(platform.gicd + GICD_IROUTER + 8 * SPI);
		first.pmr = (u32)read_sysreg(ICC_PMR_EL1);
		first.cpu_ctlr = (u32)read_sysreg(ICC_IGRPEN1_EL1);
		first.rpr = (u32)read_sysreg(ICC_RPR_EL1);
		first.hppir = (u32)read_sysreg(ICC_HPPIR1_EL1);
	} else {
		first.pmr = read32(platform.gicc + GICC_PMR);
		first.cpu_ctlr = read32(platform.gicc + GICC_CTLR);
		first.rpr = read32(platform.gicc + GICC_RPR);
		first.hppir = read32(platform.gicc + GICC_HPPIR);
	}
}

static void test_reset(void)
{
	group_begin("gicregs-reset");
	group_eq(first.ctlr & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1), 0, "distributor disabled");
	group_eq(first.group[1], 0, "SPIs in group 0");
	group_eq(first.enable[1], 0, "SPIs disabled");
	group_eq(first.enable[0] >> 16, 0, "PPIs disabled");
	group_eq(first.pending[1], 0, "no SPI pending");
	group_eq(first.active[0] | first.active[1], 0, "nothing active");
	group_eq(first.priority, 0, "SPI priorities");
	group_eq(first.target & ~BYTES(1), 0, "SPI targets");
	group_eq(first.config & SGI_EDGE, 0, "SPIs level");
	group_eq(first.route, 0, "SPI route");
	group_eq(first.cpu_ctlr, 0, "CPU interface disabled");
	group_eq(first.pmr, 0, "mask closed");
	group_eq(first.rpr & IDLE, IDLE, "running priority idle");
	group_eq(first.hppir & GIC_INTID, INTID_NONE, "nothing pending");
	group_end();
}

static void test_identity(void)
{
	u32 typer = dist(GICD_TYPER);

	group_begin("gicregs-typer");
	group_eq(lines >= 64, true, "%u interrupts", lines);
	group_eq(typer & TYPER_SECURITY, 0, "no security extensions");
	if (!v3())
		group_eq(FIELD_GET(TYPER_CPUS, typer), platform.cpu_count - 1, "CPUs");
	else
		group_eq(FIELD_GET(TYPER_IDS, typer) >= 9, true, "INTID bits %lu",
		         FIELD_GET(TYPER_IDS, typer));
	set_dist(GICD_TYPER, ALL);
	group_eq(dist(GICD_TYPER), typer, "read-only");
	group_end();
	group_strict("gicregs-identification");
	group_eq((dist(GICD_IIDR) & IIDR_IMPL) != 0, true, "IIDR names an implementer: 0x%x",
	         dist(GICD_IIDR));
	group_eq(FIELD_GET(ARCH_REV, dist(v3() ? GICD3_PIDR2 : GICD2_ICPIDR2)),
	         platform.gic_version, "PIDR2 architecture");
	if (!v3()) {
		u32 iidr = read32(platform.gicc + GICC_IIDR);

		group_eq(FIELD_GET(BITS(19, 16), iidr), 2, "GICC_IIDR architecture: 0x%x", iidr);
		group_eq((iidr & IIDR_IMPL) != 0, true, "GICC_IIDR implementer");
	}
	group_end();
	if (test_under_mezzo() && v3())
		check_eq(typer & TYPER_LPIS, 0, "gicregs-no-lpis");
}

/* Set and clear pairs: writing 0 does nothing, each bit is its own, both read the same. */
static void test_bit_registers(void)
{
	static const struct {
		const char *name;
		u32 set, clear;
	} pairs[] = {
	        {"ENABLER", GICD_ISENABLER, GICD_ICENABLER},
	        {"PENDR", GICD_ISPENDR, GICD_ICPENDR},
	        {"ACTIVER", GICD_ISACTIVER, GICD_ICACTIVER},
	};

	group_begin("gicregs-set-clear");
	for (u32 first_id = 32; first_id < lines; first_id += 32) {
		for (u32 i = 0; i < ARRAY_LEN(pairs); i++) {
			u32 set = pairs[i].set + first_id / 8,
			    clear = pairs[i].clear + first_id / 8;
			u32 want = first_id + 32 == 1024 ? 0x0a5a5a5a : 0xfa5a5a5a;

			set_dist(clear, ALL);
			group_eq(dist(set), 0, "%s%u cleared", pairs[i].name, first_id / 32);
			set_dist(set, 0x0a505a50 & want);
			set_dist(set, want & ~0x0a505a50u);
			set_dist(set, 0);
			group_eq(dist(set), want, "IS%s%u", pairs[i].name, first_id / 32);
			group_eq(dist(clear), want, "IC%s%u", pairs[i].name, first_id / 32);
			set_dist(clear, 0x0000ffff);
			group_eq(dist(set), want & 0xffff0000, "IC%s%u half", pairs[i].name,
			         first_id / 32);
			set_dist(clear, ALL);
			group_eq(dist(clear), 0, "IC%s%u cleared", pairs[i].name, first_id / 32);
		}
	}
	group_end();
	group_begin("gicregs-beyond-last");
	for (u32 first_id = lines; first_id < 1024; first_id += 32) {
		for (u32 i = 0; i < ARRAY_LEN(pairs); i++) {
			set_dist(pairs[i].set + first_id / 8, ALL);
			group_eq(dist(pairs[i].set + first_id / 8), 0, "%s%u", pairs[i].name,
			         first_id / 32);
		}
		set_dist(GICD_IPRIORITYR + first_id, ALL);
		group_eq(dist(GICD_IPRIORITYR + first_id), 0, "IPRIORITYR of %u", first_id);
		set_dist(GICD_ICFGR + first_id / 4, ALL);
		group_eq(dist(GICD_ICFGR + first_id / 4), 0, "ICFGR of %u", first_id);
	}
	group_end();
}

static u8 mask_bits(void)
{
	u8 bits;

	gic_set_mask(0xff);
	bits = gic_get_mask();
	return bits;
}

/* Each byte, read and written as bytes and as words; as many bits as the mask register has. */
static void test_priorities(void)
{
	u32 bits = BYTES(mask_bits());
	u64 bases[] = {gic_base(0), platform.gicd};

	group_begin("gicregs-priorities");
	for (u32 intid = 0; intid < lines && intid < GIC_SPECIAL; intid += 4) {
		u64 at = bases[intid >= 32] + GICD_IPRIORITYR + intid;

		write32(at, 0x10305070);
		group_eq(read32(at), 0x10305070, "word at %u", intid);
		for (u32 lane = 0; lane < 4; lane++) {
			group_eq(read8(at + lane), 0x70 - 0x20 * lane, "byte at %u", intid + lane);
			write8(at + lane, (u8)(0x80 + 0x10 * lane));
		}
		group_eq(read32(at), 0xb0a09080, "bytes written at %u", intid);
	}
	group_end();
	group_strict("gicregs-priority-bits");
	for (u32 intid = 0; intid < lines && intid < GIC_SPECIAL; intid += 4) {
		u64 at = bases[intid >= 32] + GICD_IPRIORITYR + intid;

		write32(at, ALL);
		group_eq(read32(at), bits, "at %u", intid);
		write32(at, 0);
		write8(at + 1, 0xff);
		group_eq(read32(at), bits & 0xff00, "as a byte at %u", intid + 1);
		write32(at, BYTES(GIC_PRIORITY));
	}
	group_end();
}

static void test_config(void)
{
	u64 banked = gic_base(0);
	u32 ppis = read32(banked + GICD_ICFGR + 4);

	group_begin("gicregs-config");
	group_eq(read32(banked + GICD_ICFGR) & SGI_EDGE, SGI_EDGE, "SGIs are edges");
	write32(banked + GICD_ICFGR, 0);
	group_eq(read32(banked + GICD_ICFGR) & SGI_EDGE, SGI_EDGE, "and stay edges");
	write32(banked + GICD_ICFGR + 4, ppis);
	for (u32 intid = 32; intid < lines; intid += 16) {
		u32 bits = intid + 16 >= 1024 ? SGI_EDGE & 0x00ffffff : SGI_EDGE;

		set_dist(GICD_ICFGR + intid / 4, ALL & bits);
		group_eq(dist(GICD_ICFGR + intid / 4) & SGI_EDGE, bits, "all edges from %u", intid);
		set_dist(GICD_ICFGR + intid / 4, 0x88220088 & bits);
		group_eq(dist(GICD_ICFGR + intid / 4) & SGI_EDGE, 0x88220088 & bits, "some from %u",
		         intid);
		set_dist(GICD_ICFGR + intid / 4, 0);
		group_eq(dist(GICD_ICFGR + intid / 4), 0, "none from %u", intid);
	}
	group_end();
	group_strict("gicregs-config-low-bit");
	set_dist(GICD_ICFGR + SPI / 4, ALL);
	group_eq(dist(GICD_ICFGR + SPI / 4), SGI_EDGE, "SPIs' low bits are reserved");
	group_eq(read32(banked + GICD_ICFGR), SGI_EDGE, "SGIs'");
	set_dist(GICD_ICFGR + SPI / 4, 0);
	group_end();
}

/* Two security states or one, groups may be writable or fixed; never half. */
static void test_groups(void)
{
	group_begin("gicregs-groups");
	for (u32 intid = 32; intid < lines && intid + 32 < 1024; intid += 32) {
		u32 old = dist(GICD_IGROUPR + intid / 8), all, none;

		set_dist(GICD_IGROUPR + intid / 8, ALL);
		all = dist(GICD_IGROUPR + intid / 8);
		set_dist(GICD_IGROUPR + intid / 8, 0);
		none = dist(GICD_IGROUPR + intid / 8);
		group_eq((all == ALL && none == 0) || all == none, true, "IGROUPR%u", intid / 32);
		set_dist(GICD_IGROUPR + intid / 8, old);
		set_dist(GICD_NSACR + intid / 4, ALL);
		group_eq(dist(GICD_NSACR + intid / 4), 0, "NSACR of %u", intid);
	}
	group_end();
}

static u32 own_targets[MAX_CPUS];

static void read_targets(u64 cpu)
{
	own_targets[cpu] = dist(GICD_ITARGETSR);
}

static void test_targets_v2(void)
{
	u32 exist = (u32)BIT(cpus) - 1;

	group_begin("gicregs-targets-banked");
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		set_dist(GICD_CTLR, GICD_CTLR_GRP0);
		smp_call(cpu, read_targets, cpu);
		set_dist(GICD_CTLR, 0);
		group_eq(own_targets[cpu] == BYTES(BIT(cpu)) ||
		                 (cpus == 1 && own_targets[cpu] == 0),
		         true, "ITARGETSR0 on CPU %u: 0x%x", cpu, own_targets[cpu]);
	}
	set_dist(GICD_ITARGETSR, ALL);
	group_eq(dist(GICD_ITARGETSR), own_targets[0], "read-only");
	group_end();
	if (cpus == 1) {
		/* One CPU: RAZ/WI, or a bit for the one that is there; never more. */
		group_strict("gicregs-targets-one-cpu");
		for (u32 intid = 32; intid < lines; intid += 4) {
			set_dist(GICD_ITARGETSR + intid, ALL);
			group_eq(dist(GICD_ITARGETSR + intid) & ~BYTES(1), 0, "of %u", intid);
		}
		group_end();
		return;
	}
	group_strict("gicregs-targets");
	for (u32 intid = 32; intid < lines && intid < GIC_SPECIAL; intid += 4) {
		u64 at = platform.gicd + GICD_ITARGETSR + intid;

		write32(at, ALL);
		group_eq(read32(at), BYTES(exist), "only CPUs that exist: %u", intid);
		write32(at, 0);
		group_eq(read32(at), 0, "none: %u", intid);
		write32(at, 0x02010201 & BYTES(exist));
		group_eq(read32(at), 0x02010201, "word at %u", intid);
		for (u32 lane = 0; lane < 4; lane++) {
			group_eq(read8(at + lane), lane % 2 != 0 ? 2 : 1, "byte at %u",
			         intid + lane);
			write8(at + lane, lane % 2 != 0 ? 0xf1 : 0xf2);
		}
		group_eq(read32(at) & BYTES(3), 0x01020102, "bytes written at %u", intid);
		group_eq(read32(at) & ~BYTES(exist), 0, "bytes are masked at %u", intid);
		write32(at, BYTES(1));
	}
	group_end();
}

static void test_sgi_pending_v2(void)
{
	u64 set = platform.gicd + GICD_SPENDSGIR, clear = platform.gicd + GICD_CPENDSGIR;

	group_begin("gicregs-sgi-pending");
	irq_disable();
	for (u32 id = 0; id < 16; id++) {
		write8(set + id, 1);
		group_eq(read8(set + id), 1, "SPENDSGIR byte %u", id);
		group_eq(read8(clear + id), 1, "CPENDSGIR byte %u", id);
		group_eq(read32(set + id / 4 * 4), BIT(id % 4 * 8), "SPENDSGIR word %u", id / 4);
		write8(clear + id, 1);
		group_eq(read8(set + id), 0, "cleared %u", id);
	}
	write32(set + 4, BYTES(1));
	group_eq(read32(clear + 4), BYTES(1), "word written");
	group_eq(dist(GICD_ISPENDR) & 0xffff, 0x00f0, "ISPENDR0 shows them");
	set_dist(GICD_ICPENDR, 0xffff);
	group_eq(dist(GICD_ISPENDR) & 0xffff, 0x00f0, "ICPENDR0 does not clear SGIs");
	write32(clear + 4, BYTES(1));
	group_eq(dist(GICD_ISPENDR) & 0xffff, 0, "all gone");
	group_end();
	check_eq(dist(GICD_SGIR), 0, "gicregs-sgir-reads-zero");
}

static void test_interface_v2(void)
{
	u64 gicc = platform.gicc;
	u32 old = read32(gicc + GICC_CTLR);

	group_begin("gicregs-cpu-interface");
	write32(gicc + GICC_CTLR, GICC_RW);
	group_eq(read32(gicc + GICC_CTLR) & GICC_RW, GICC_RW, "CTLR bits");
	write32(gicc + GICC_CTLR, 0);
	group_eq(read32(gicc + GICC_CTLR), 0, "CTLR zero");
	write32(gicc + GICC_CTLR, old);
	write32(gicc + GICC_ABPR, 7);
	group_eq(read32(gicc + GICC_ABPR), 7, "ABPR");
	write32(gicc + GICC_BPR, 7);
	group_eq(read32(gicc + GICC_BPR), 7, "BPR");
	write32(gicc + GICC_BPR, 0);
	group_eq(read32(gicc + GICC_IAR) & GIC_INTID, INTID_NONE, "IAR, nothing pending");
	group_eq(read32(gicc + GICC_RPR) & IDLE, IDLE, "RPR idle");
	group_eq(read32(gicc + GICC_EOIR) | read32(gicc + GICC_DIR), 0, "write-only read as zero");
	group_end();
}

static void test_routes_v3(void)
{
	bool any = (dist(GICD_TYPER) & TYPER_NO1N) == 0;
	u64 mode;

	group_begin("gicregs-routes");
	for (u32 intid = 32; intid < lines && intid < GIC_SPECIAL; intid++) {
		u64 at = platform.gicd + GICD_IROUTER + 8ul * intid;

		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			write64(at, platform.mpidr[cpu]);
			group_eq(read64(at), platform.mpidr[cpu], "INTID %u to CPU %u", intid, cpu);
		}
		write64(at, ROUTER_IRM);
		mode = read64(at);
		/* Without 1 of N the bit may or may not stick. */
		group_eq(mode == ROUTER_IRM || (!any && mode == 0), true, "INTID %u to any", intid);
		write64(at, 0);
	}
	u64 at = platform.gicd + GICD_IROUTER + 8 * SPI;
	write32(at, (u32)platform.mpidr[cpus - 1]);
	group_eq(read32(at), platform.mpidr[cpus - 1], "lower half");
	write32(at + 4, 0);
	group_eq(read32(at + 4), 0, "upper half");
	group_eq(read64(at), platform.mpidr[cpus - 1], "both halves");
	group_end();
	write64(at, ~0ul);
	check_strict(read64(at) & ~ROUTER_BITS, 0, "gicregs-routes-reserved-bits");
	write64(at, 0);
}

/* With affinity routing the distributor has no SGIs, no PPIs and no targets. */
static void test_dist_v3(void)
{
	static const u32 banked[] = {
	        GICD_IGROUPR,   GICD_ISENABLER, GICD_ICENABLER,  GICD_ISPENDR,         GICD_ICPENDR,
	        GICD_ISACTIVER, GICD_ICACTIVER, GICD_IPRIORITYR, GICD_IPRIORITYR + 28, GICD_ICFGR,
	        GICD_ICFGR + 4, GICD_ITARGETSR, GICD_NSACR,      GICD_ITARGETSR + SPI, GICD_SGIR,
	        GICD_CPENDSGIR, GICD_SPENDSGIR, GICD_IGRPMODR};

	group_begin("gicregs-distributor");
	for (u32 i = 0; i < ARRAY_LEN(banked); i++) {
		set_dist(banked[i], ALL);
		group_eq(dist(banked[i]), 0, "offset 0x%x is not here", banked[i]);
	}
	u32 ctlr = dist(GICD_CTLR);
	group_eq(ctlr & GICD_CTLR_ARE, GICD_CTLR_ARE, "affinity routing");
	group_eq(ctlr & GICD_CTLR_RWP, 0, "no write in progress");
	set_dist(GICD_CTLR, ALL & ~(u32)GICD_CTLR_RWP);
	group_eq(dist(GICD_CTLR) & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1),
	         GICD_CTLR_GRP0 | GICD_CTLR_GRP1, "groups enabled");
	group_eq(dist(GICD_CTLR) & GICD_CTLR_DS, ctlr & GICD_CTLR_DS, "DS does not change");
	set_dist(GICD_CTLR, ctlr);
	group_eq(dist(GICD_CTLR), ctlr, "CTLR restored");
	group_end();
}

static void test_redist_v3(void)
{
	group_begin("gicregs-redistributors");
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		u64 at = gic_redist(cpu);
		u64 typer = read64(at + GICR_TYPER);

		group_eq(FIELD_GET(TYPER_AFF, typer), platform.mpidr[cpu], "affinity of CPU %u",
		         cpu);
		group_eq(FIELD_GET(TYPER_PROC, typer), cpu, "number of CPU %u", cpu);
		group_eq((typer & GICR_TYPER_LAST) != 0, cpu == cpus - 1, "last of CPU %u", cpu);
		group_eq(read32(at + GICR_TYPER), typer & ALL, "lower half");
		group_eq(read32(at + GICR_TYPER + 4), typer >> 32, "upper half");
		group_eq(FIELD_GET(ARCH_REV, read32(at + GICR_PIDR2)), 3, "PIDR2");
		group_eq((read32(at + GICR_IIDR) & IIDR_IMPL) != 0, true, "IIDR");
		if (test_under_mezzo())
			group_eq(typer & TYPER_PLPIS, 0, "no LPIs");
	}
	u64 sgi = gic_base(0);
	for (u32 offset = GICD_ISENABLER; offset < GICD_IPRIORITYR; offset += 0x80) {
		write32(sgi + offset + 4, ALL);
		group_eq(read32(sgi + offset + 4), 0, "0x%x beyond 31", offset);
	}
	write32(sgi + GICD_ICENABLER, ALL);
	group_eq(read32(sgi + GICD_ISENABLER), 0, "all disabled");
	write32(sgi + GICD_ISENABLER, 0xa5a5a5a5);
	group_eq(read32(sgi + GICD_ICENABLER), 0xa5a5a5a5, "some enabled");
	write32(sgi + GICD_ICENABLER, ALL);
	write32(sgi + GICD_ISACTIVER, 0x5a5a5a5a);
	group_eq(read32(sgi + GICD_ICACTIVER), 0x5a5a5a5a, "some active");
	write32(sgi + GICD_ICACTIVER, ALL);
	group_eq(read32(sgi + GICD_ISACTIVER), 0, "none active");
	group_end();
}

static void test_interface_v3(void)
{
	u64 ctlr = read_sysreg(ICC_CTLR_EL1);

	group_begin("gicregs-cpu-interface");
	group_eq(read_sysreg(ICC_SRE_EL1) & ICC_SRE_SRE, ICC_SRE_SRE, "system registers");
	group_eq(FIELD_GET(ICC_CTLR_PRI, ctlr) >= 4, true, "priority bits %lu",
	         FIELD_GET(ICC_CTLR_PRI, ctlr) + 1);
	write_sysreg(ICC_CTLR_EL1, ctlr | ICC_RW);
	group_eq(read_sysreg(ICC_CTLR_EL1) & ICC_RW, ICC_RW, "CTLR bits");
	write_sysreg(ICC_CTLR_EL1, ~0ul);
	group_eq(read_sysreg(ICC_CTLR_EL1) & ICC_CTLR_PRI, ctlr & ICC_CTLR_PRI, "CTLR fixed bits");
	write_sysreg(ICC_CTLR_EL1, ctlr);
	write_sysreg(ICC_IGRPEN0_EL1, 1);
	group_eq(read_sysreg(ICC_IGRPEN0_EL1), 1, "IGRPEN0");
	write_sysreg(ICC_IGRPEN0_EL1, 0);
	group_eq(read_sysreg(ICC_IGRPEN0_EL1), 0, "IGRPEN0 off");
	group_eq(read_sysreg(ICC_IGRPEN1_EL1), 1, "IGRPEN1");
	write_sysreg(ICC_BPR0_EL1, 7);
	group_eq(read_sysreg(ICC_BPR0_EL1), 7, "BPR0");
	write_sysreg(ICC_BPR1_EL1, 7);
	group_eq(read_sysreg(ICC_BPR1_EL1), 7, "BPR1");
	write_sysreg(ICC_BPR1_EL1, 0);
	group_eq(read_sysreg(ICC_BPR1_EL1) >= 1, true, "BPR1 has a minimum");
	group_eq(read_sysreg(ICC_IAR0_EL1) & GIC_INTID, INTID_NONE, "IAR0");
	group_eq(read_sysreg(ICC_IAR1_EL1) & GIC_INTID, INTID_NONE, "IAR1");
	group_eq(read_sysreg(ICC_HPPIR0_EL1) & GIC_INTID, INTID_NONE, "HPPIR0");
	group_eq(read_sysreg(ICC_AP0R0_EL1) | read_sysreg(ICC_AP1R0_EL1), 0,
	         "no active priorities");
	group_end();
}

/* Ends for what was never acknowledged, of all kinds of numbers. */
static void test_wild_ends(void)
{
	static const u32 ids[] = {0, 15, 16, 31, 32, SPI, 500, 1019, 1020, 1022, 1023, 0x1c05};

	for (unsigned split = 0; split < 2; split++) {
		gic_set_eoi_mode(split != 0);
		for (u32 i = 0; i < ARRAY_LEN(ids); i++) {
			gic_eoi(ids[i]);
			gic_deactivate(ids[i]);
		}
	}
	gic_set_eoi_mode(false);
	check_eq(gic_running(), IDLE, "gicregs-wild-ends");
}

/* Every offset, every width, aligned or not; then all ones and zeroes written as words. */
static void sweep(u64 base, u32 bytes, bool write)
{
	for (u32 offset = 0; offset < bytes; offset += 4) {
		if (write && offset >= GICD_SGIR && offset < GICD_CPENDSGIR)
			continue; /* would send SGIs */
		EXC_OF({
			read8(base + offset + offset / 4 % 4);
			read16(base + offset + offset / 4 % 2 * 2);
			read32(base + offset);
			read64(base + offset / 8 * 8);
			if (write) {
				write64(base + offset / 8 * 8, ~0ul);
				write8(base + offset + offset / 4 % 4, 0xff);
				write16(base + offset, 0xffff);
				write64(base + offset / 8 * 8, 0);
				write32(base + offset, ALL);
				write32(base + offset, 0);
			}
		});
	}
}

static void test_sweep(void)
{
	bool writes = test_under_mezzo();

	irq_disable();
	sweep(platform.gicd, v3() && test_under_mezzo() ? GICD3_BYTES : GICD_FRAME, writes);
	if (v3()) {
		sweep(gic_redist(cpus - 1), GICD_FRAME, writes);
		sweep(gic_redist(cpus - 1) + GICR_SGI_FRAME, GICD_FRAME, writes);
	} else {
		sweep(platform.gicc, 2 * GICD_FRAME, writes);
	}
	gic_init();
	irq_reset();
	gic_enable(1);
	irq_enable();
	gic_send_sgi(1, BIT(0));
	check_true(WAIT_FOR(irq_count(0, 1) >= 1, ARRIVE_US), "gicregs-alive-after-sweep");
	irq_disable();
}

void test_main(void)
{
	cpus = smp_start_all();
	lines = gic_intid_count();
	set_dist(GICD_CTLR, v3() ? (u32)GICD_CTLR_ARE : 0);
	gic_sync();
	test_reset();
	test_identity();
	test_bit_registers();
	test_priorities();
	test_config();
	test_groups();
	if (v3()) {
		test_routes_v3();
		test_dist_v3();
		test_redist_v3();
		test_interface_v3();
	} else {
		test_targets_v2();
		test_sgi_pending_v2();
		test_interface_v2();
	}
	test_wild_ends();
	test_sweep();
}
