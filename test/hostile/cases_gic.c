// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H17 and H18: the interrupt controller's registers read and written where they should not be, and
 * interrupts raised, taken and ended in every order but the usual one.
 * Source: Arm GIC Architecture Specification, "Programmers' Model", "Interrupt handling and prioritization".
 */
#include "hostile.h"

#define FIRST       100u /* SPIs without a device */
#define MANY        24u
#define SGI         9u
#define SOON        200000ul /* microseconds, never waited for in full when all is right */
#define ALL         0xffffffffu
#define STEP        8u /* between priorities, of which there are 32 */
#define SGI1R_ID(n) ((u64)(n) << 24)

static void sgi_absent_v2(void)
{
	gic_enable(SGI);
	irq_enable();
	write32(platform.gicd + GICD_SGIR, 0xfe0000u | SGI);
	write32(platform.gicd + GICD_SGIR,
	        (u32)(0xff & ~(BIT(platform.cpu_count) - 1)) << 16 | SGI);
	timer_delay(100);
	want_eq(irq_count(0, SGI), 0, "none for this CPU");
	write32(platform.gicd + GICD_SGIR, 0xff0000u | SGI);
	want_true(WAIT_FOR(irq_count(0, SGI) == 1, SOON), "one with all targets");
}

static void sgi_filter_v2(void)
{
	gic_enable(SGI);
	irq_enable();
	write32(platform.gicd + GICD_SGIR, 3u << 24 | 0xff0000u | SGI);
	timer_delay(100);
	want_eq(irq_count(0, SGI), 0, "the reserved filter sends nothing");
	write32(platform.gicd + GICD_SGIR, 2u << 24 | SGI);
	want_true(WAIT_FOR(irq_count(0, SGI) == 1, SOON), "to itself");
}

static void sgi_absent_v3(void)
{
	static const u64 where[] = {0xffff0000ul << 16, 1ul << 48,   0xfful << 32,
	                            0xfful << 16,       0xful << 44, 0x1ul << 44};

	gic_enable(SGI);
	irq_enable();
	for (unsigned i = 0; i < ARRAY_LEN(where); i++) {
		write_sysreg(ICC_SGI1R_EL1, SGI1R_ID(SGI) | 0xffff | where[i]);
		write_sysreg(ICC_SGI0R_EL1, SGI1R_ID(SGI) | 0xffff | where[i]);
		isb();
	}
	write_sysreg(ICC_SGI1R_EL1, SGI1R_ID(SGI) | (0xffff & ~(BIT(platform.cpu_count) - 1)));
	isb();
	timer_delay(100);
	want_eq(irq_count(0, SGI), 0, "none for this CPU");
}

static void sgi_others_v3(void)
{
	gic_enable(SGI);
	irq_enable();
	write_sysreg(ICC_SGI1R_EL1, SGI1R_ID(SGI) | BIT(40) | 0xffff | 0xfful << 16);
	isb();
	timer_delay(100);
	want_eq(irq_count(0, SGI), 0, "not for the sender");
}

static void sgi_config(void)
{
	u64 reg = gic_base(0) + GICD_ICFGR;

	write32(reg, 0);
	want_eq(read32(reg), 0xaaaaaaaa, "always edges");
	write32(reg, ALL);
	want_eq(read32(reg), 0xaaaaaaaa, "always edges");
}

static void private_targets(void)
{
	for (u32 i = 0; i < 32; i += 4) {
		u32 before = read32(platform.gicd + GICD_ITARGETSR + i);

		write32(platform.gicd + GICD_ITARGETSR + i, ~before);
		want_eq(read32(platform.gicd + GICD_ITARGETSR + i), before, "ITARGETSR%u", i / 4);
	}
}

static void absent_interrupts(void)
{
	static const u32 words[] = {GICD_IGROUPR, GICD_ISENABLER, GICD_ISPENDR, GICD_ISACTIVER};
	u32 count = gic_intid_count();

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		for (u32 id = count; id < 1024; id += 32) {
			write32(platform.gicd + words[i] + id / 8, ALL);
			want_eq(read32(platform.gicd + words[i] + id / 8), 0, "0x%x of %u",
			        words[i], id);
		}
	}
	for (u32 id = count; id < 1020; id += 4) {
		write32(platform.gicd + GICD_IPRIORITYR + id, ALL);
		want_eq(read32(platform.gicd + GICD_IPRIORITYR + id), 0, "priority of %u", id);
	}
}

static void identity(void)
{
	static const u32 fixed[] = {GICD_TYPER, GICD_IIDR, 0xfe8, 0xffe8, 0xffe0, 0xfff0};

	for (unsigned i = 0; i < ARRAY_LEN(fixed); i++) {
		u32 before;

		if (fixed[i] >= 0x1000 && platform.gic_version == 2)
			continue;
		before = read32(platform.gicd + fixed[i]);
		write32(platform.gicd + fixed[i], ~before);
		want_eq(read32(platform.gicd + fixed[i]), before, "0x%x", fixed[i]);
	}
}

static void route_absent(void)
{
	gic_route(FIRST, 0);
	gic_set_edge(FIRST, true);
	gic_enable(FIRST);
	irq_enable();
	write64(platform.gicd + GICD_IROUTER + 8ul * FIRST, 0x7f7f7f);
	gic_set_pending(FIRST);
	timer_delay(100);
	want_eq(irq_count(0, FIRST), 0, "nobody gets it");
	gic_route(FIRST, 0);
	want_true(WAIT_FOR(irq_count(0, FIRST) == 1, SOON), "it comes when there is a way");
}

static void behind_redistributors(void)
{
	u64 end = platform.gicr + platform.cpu_count * GICR_STRIDE;
	struct exc_record r = EXC_OF(read32(end));

	want_abort(&r, end, "load behind the last");
	r = EXC_OF(write64(end + GICR_STRIDE - 8, ~0ul));
	want_abort(&r, end + GICR_STRIDE - 8, "store behind the last");
	r = EXC_OF(read64(end - 4));
	want_true(r.count <= 1, "load over the end");
}

static void no_lpis(void)
{
	u64 redist = gic_redist(0);

	write32(redist + GICR_CTLR, ALL);
	want_eq(read32(redist + GICR_CTLR) & 1, 0, "EnableLPIs");
	for (u32 at = 0x70; at <= 0x78; at += 8) {
		write64(redist + at, ~0ul);
		want_eq(read64(redist + at), 0, "0x%x as a whole", at);
		write32(redist + at + 4, ALL);
		want_eq(read32(redist + at + 4), 0, "0x%x upper half", at);
	}
	for (u32 at = 0xa0; at <= 0xb0; at += 8)
		write64(redist + at, ~0ul); /* INVLPIR, INVALLR */
}

static void pending_sources(void)
{
	for (u32 i = 0; i < 16; i += 4) {
		write32(platform.gicd + GICD_SPENDSGIR + i,
		        0xfefefefe & ~(u32)(0x01010101 * (BIT(platform.cpu_count) - 1)));
		want_eq(read32(platform.gicd + GICD_SPENDSGIR + i), 0,
		        "from CPUs that do not exist, %u", i);
	}
}

static void wide_accesses(void)
{
	struct exc_record r;

	for (u32 at = 0; at < 0x1000; at += 8) {
		r = EXC_OF(read64(platform.gicd + at));
		want_true(r.count <= 1 && (r.count == 0 || exc_class(&r) == EC_DABT),
		          "load at 0x%x", at);
	}
	want_true(gic_intid_count() >= 64, "it still says what it has");
}

static void unaligned(void)
{
	for (u32 at = 1; at < 0x1000; at += 61) {
		struct exc_record r = EXC_OF(read32(platform.gicd + (at | 1)));

		want_true(r.count <= 1 && (r.count == 0 || exc_class(&r) == EC_DABT),
		          "load at 0x%x", at | 1);
		r = EXC_OF(write16(platform.gicd + GICD_IPRIORITYR + (at % 0x100 | 1), 0xa0a0));
		want_true(r.count <= 1, "store");
	}
}

/* --- H18 ---- */

static void prepare(u32 count)
{
	for (u32 i = 0; i < count; i++) {
		gic_route(FIRST + i, 0);
		gic_set_edge(FIRST + i, true);
		gic_set_priority(FIRST + i, (u8)(0xc0 - STEP * i));
		gic_enable(FIRST + i);
	}
}

static void crowd(void)
{
	prepare(MANY);
	for (u32 i = 0; i < MANY; i++)
		gic_set_pending(FIRST + (i * 7) % MANY);
	irq_enable();
	want_true(WAIT_FOR(irq_total(0) >= MANY, SOON), "all came");
	irq_disable();
	for (u32 i = 0; i < MANY; i++)
		want_eq(irq_count(0, FIRST + i), 1, "interrupt %u", FIRST + i);
	want_eq(irq_total(0), MANY, "no other");
}

/* Acknowledged by hand, with interrupts masked: the order is the controller's alone. */
static void crowd_order(void)
{
	u32 iars[MANY];

	prepare(MANY);
	for (u32 i = 0; i < MANY; i++)
		gic_set_pending(FIRST + (i * 5) % MANY);
	for (u32 i = 0; i < MANY; i++) {
		iars[i] = gic_ack();
		want_eq(iars[i] & GIC_INTID, FIRST + MANY - 1 - i, "number %u", i);
		gic_eoi(iars[i]);
	}
	want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "nothing is left");
}

static void nested(void)
{
	u32 iars[16];

	prepare(16);
	for (u32 i = 0; i < 16; i++) {
		gic_set_pending(
		        FIRST +
		        i); /* each more urgent than the last: more than list registers are active */
		iars[i] = gic_ack();
		want_eq(iars[i] & GIC_INTID, FIRST + i, "acknowledged %u", i);
	}
	for (u32 i = 16; i-- > 0;) {
		gic_eoi(iars[i]);
		want_true(!gic_is_active(FIRST + i), "ended %u", i);
	}
	want_eq(gic_running(), 0xff, "idle");
}

static void end_unknown(void)
{
	prepare(1);
	gic_eoi(FIRST);
	gic_eoi(INTID_NONE);
	gic_eoi(8);
	gic_eoi(1000);
	want_eq(gic_running(), 0xff, "idle");
	gic_set_pending(FIRST);
	want_eq(gic_ack() & GIC_INTID, FIRST, "the next one comes");
	gic_eoi(FIRST);
	want_true(!gic_is_active(FIRST), "and ends");
}

static void end_twice(void)
{
	prepare(2);
	for (unsigned i = 0; i < 100; i++) {
		gic_set_pending(FIRST);
		want_eq(gic_ack() & GIC_INTID, FIRST, "time %u", i);
		gic_eoi(FIRST);
		gic_eoi(FIRST);
	}
	want_eq(gic_running(), 0xff, "idle");
}

static void end_in_wrong_order(void)
{
	prepare(2);
	for (unsigned i = 0; i < 20; i++) {
		gic_set_pending(FIRST);
		(void)gic_ack();
		gic_set_pending(FIRST + 1);
		(void)gic_ack();
		gic_eoi(FIRST);
		gic_eoi(FIRST + 1);
		gic_clear_active(FIRST);
		gic_clear_active(FIRST + 1);
	}
	want_true(!gic_is_active(FIRST) && !gic_is_active(FIRST + 1), "none is active");
	gic_clear_pending(FIRST);
	gic_clear_pending(FIRST + 1);
	want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "none is pending");
}

static void active_by_hand(void)
{
	prepare(1);
	gic_set_active(FIRST);
	gic_set_pending(FIRST);
	want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "it waits while it is active");
	want_true(gic_is_pending(FIRST), "it is still pending");
	gic_clear_active(FIRST);
	want_true(WAIT_FOR((gic_ack() & GIC_INTID) == FIRST, SOON), "then it comes");
	gic_eoi(FIRST);
}

static void disabled_while_pending(void)
{
	prepare(1);
	for (unsigned i = 0; i < 50; i++) {
		gic_set_pending(FIRST);
		gic_disable(FIRST);
		want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "disabled, %u", i);
		gic_enable(FIRST);
		want_true(WAIT_FOR((gic_ack() & GIC_INTID) == FIRST, SOON), "enabled, %u", i);
		gic_eoi(FIRST);
		want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "only once, %u", i);
	}
}

static void other_priority(void)
{
	prepare(2);
	gic_set_priority(FIRST, 0x40);
	gic_set_priority(FIRST + 1, 0x60);
	gic_set_pending(FIRST);
	gic_set_pending(FIRST + 1);
	gic_set_priority(FIRST, 0x80);
	want_eq(gic_ack() & GIC_INTID, FIRST + 1, "the one that is more urgent now");
	gic_eoi(FIRST + 1);
	want_eq(gic_ack() & GIC_INTID, FIRST, "then the other");
	gic_eoi(FIRST);
}

static void taken_back(void)
{
	prepare(MANY);
	for (u32 i = 0; i < MANY; i++)
		gic_set_pending(FIRST + i);
	for (u32 i = 0; i < MANY; i++)
		gic_clear_pending(FIRST + i);
	irq_enable();
	timer_delay(100);
	irq_disable();
	want_eq(irq_total(0), 0, "none comes");
}

static void again_while_active(void)
{
	prepare(1);
	gic_set_pending(FIRST);
	want_eq(gic_ack() & GIC_INTID, FIRST, "the first time");
	for (unsigned i = 0; i < 100; i++)
		gic_set_pending(FIRST);
	want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "not while it is active");
	gic_eoi(FIRST);
	want_true(WAIT_FOR((gic_ack() & GIC_INTID) == FIRST, SOON), "once more");
	gic_eoi(FIRST);
	want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "and not a third time");
}

static void closed_mask(void)
{
	prepare(MANY);
	gic_set_mask(0);
	for (u32 i = 0; i < MANY; i++)
		gic_set_pending(FIRST + i);
	irq_enable();
	timer_delay(100);
	want_eq(irq_total(0), 0, "none with the mask closed");
	gic_set_mask(0xf8);
	want_true(WAIT_FOR(irq_total(0) == MANY, SOON), "all with the mask open");
	irq_disable();
}

static void controller_off(void)
{
	prepare(4);
	for (u32 i = 0; i < 4; i++)
		gic_set_pending(FIRST + i);
	u32 ctlr = read32(platform.gicd + GICD_CTLR);
	write32(platform.gicd + GICD_CTLR, 0);
	gic_sync();
	irq_enable();
	timer_delay(100);
	want_eq(irq_total(0), 0, "none while it is off");
	write32(platform.gicd + GICD_CTLR, ctlr);
	want_true(WAIT_FOR(irq_total(0) == 4, SOON), "all when it is on again");
	irq_disable();
}

static void many_orders(void)
{
	u32 open[256], count = 0;

	prepare(16);
	for (unsigned i = 0; i < 3000; i++) {
		u32 id = FIRST + (u32)(case_random() % 16);

		switch (case_random() % 8) {
		case 0: gic_set_pending(id); break;
		case 1: gic_clear_pending(id); break;
		case 2: gic_set_active(id); break;
		case 3: gic_clear_active(id); break;
		case 4: gic_disable(id); break;
		case 5: gic_enable(id); break;
		case 6: gic_set_priority(id, (u8)(case_random() & 0x78)); break;
		default: {
			u32 iar = gic_ack();

			if ((iar & GIC_INTID) >= GIC_SPECIAL)
				break;
			if (case_random() % 4 != 0 || count == ARRAY_LEN(open))
				gic_eoi(iar);
			else
				open[count++] = iar;
			break;
		}
		}
	}
	while (count > 0)
		gic_eoi(open[--count]);
	want_eq(gic_running(), 0xff, "idle");
	/* Whatever is left can be cleared, and then the controller works as on the first day. */
	for (u32 i = 0; i < 16; i++) {
		gic_disable(FIRST + i);
		gic_clear_pending(FIRST + i);
		gic_clear_active(FIRST + i);
		want_true(!gic_is_pending(FIRST + i) && !gic_is_active(FIRST + i),
		          "interrupt %u is quiet", FIRST + i);
	}
}

CASES(rows) = {
        {"H17.1", "SGIs by GICD_SGIR to CPUs that do not exist.", "Only those that exist get one.",
         sgi_absent_v2, NEEDS_GICV2, 0},
        {"H17.2", "GICD_SGIR with the reserved target filter 0b11.", "Nothing.", sgi_filter_v2,
         NEEDS_GICV2, 0},
        {"H17.3", "ICC_SGI1R and SGI0R to affinities and ranges that do not exist.", "Nothing.",
         sgi_absent_v3, NEEDS_GICV3, 0},
        {"H17.4", "ICC_SGI1R to all others with a target list as well.", "Not to itself.",
         sgi_others_v3, NEEDS_GICV3, 0},
        {"H17.5", "Writes the configuration of SGIs.", "They stay edges.", sgi_config, NEEDS_MEZZO,
         0},
        {"H17.6", "Writes the targets of private interrupts.", "They stay.", private_targets,
         NEEDS_GICV2, 0},
        {"H17.7", "Writes the bits of interrupts that do not exist.", "They read as zero.",
         absent_interrupts, 0, 0},
        {"H17.8", "Writes the identification registers.", "They stay.", identity, 0, 0},
        {"H17.9", "Routes an SPI to a CPU that does not exist, then to one that does.",
         "It waits, then it comes.", route_absent, NEEDS_GICV3, 0},
        {"H17.10", "Reads and writes behind the last redistributor.", "External abort.",
         behind_redistributors, NEEDS_GICV3 | NEEDS_MEZZO, 0},
        {"H17.11", "Turns LPIs on and gives them tables, whole and by halves.", "There are none.",
         no_lpis, NEEDS_GICV3 | NEEDS_MEZZO, 0},
        {"H17.12", "Makes SGIs pending from CPUs that do not exist.", "They read as zero.",
         pending_sources, NEEDS_GICV2 | NEEDS_MEZZO, 0},
        {"H17.13", "Reads the distributor in pieces of 8 bytes.", "A value or an abort.",
         wide_accesses, 0, 0},
        {"H17.14", "Reads and writes it unaligned.", "A value or an abort.", unaligned, 0, 0},
        {"H18.1", "Makes 24 interrupts pending, more than there are list registers.",
         "Each comes once.", crowd, 0, 0},
        {"H18.2", "The same with 24 priorities, acknowledged by hand.",
         "The most urgent first, to the last.", crowd_order, 0, 0},
        {"H18.3", "Has 16 interrupts active at once, one in another.",
         "Each ends when it is ended.", nested, 0, 0},
        {"H18.4", "Ends interrupts that it never acknowledged.", "Nothing; the next one comes.",
         end_unknown, 0, 0},
        {"H18.5", "Ends each interrupt twice.", "Idle in the end.", end_twice, 0, 0},
        {"H18.6", "Ends nested interrupts in the wrong order.", "All can be cleared.",
         end_in_wrong_order, 0, 0},
        {"H18.7", "Makes an interrupt active by hand, then pending.", "It waits, then it comes.",
         active_by_hand, 0, 0},
        {"H18.8", "Disables and enables a pending interrupt.", "It comes once, while enabled.",
         disabled_while_pending, 0, 0},
        {"H18.9", "Changes the priority of a pending interrupt.", "The order changes.",
         other_priority, 0, 0},
        {"H18.10", "Makes 24 pending and takes them back.", "None comes.", taken_back, 0, 0},
        {"H18.11", "Makes an interrupt pending a hundred times while it is active.",
         "It comes once more.", again_while_active, 0, 0},
        {"H18.12", "Closes the mask, makes 24 pending, opens it.", "None, then all.", closed_mask,
         0, 0},
        {"H18.13", "Turns the distributor off and on while four are pending.", "None, then all.",
         controller_off, 0, 0},
        {"H18.14", "Does 3,000 random things to 16 interrupts.", "All can be made quiet.",
         many_orders, 0, 0},
};
