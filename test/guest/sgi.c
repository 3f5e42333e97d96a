// SPDX-License-Identifier: Apache-2.0
/*
 * Software-generated interrupts: every id, to oneself, to each CPU, to a list, to all others; to
 * CPUs that do not exist; pending state, and on GICv2 one pending bit for each sender.
 * Source: GICv2 Architecture Specification, "GICD_SGIR"; GICv3, "ICC_SGI1R_EL1".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define SGIS        16u
#define ARRIVE_US   1000000ul
#define SETTLE_US   2000ul
#define ROUNDS      200u
#define SGIR_FILTER BITS(25, 24)
#define SGIR_LIST   BITS(23, 16)
#define SGI1R_ID    BITS(27, 24)
#define SGI1R_AFF1  BITS(23, 16)
#define SGI1R_AFF2  BITS(39, 32)
#define SGI1R_AFF3  BITS(55, 48)
#define SGI1R_RANGE BITS(47, 44)
#define SGI1R_LIST  BITS(15, 0)
#define ALL_SGIS    0xffffu

static unsigned cpus;

static void open_sgis(u64 arg)
{
	(void)arg;
	write32(gic_base(0) + GICD_ISENABLER, ALL_SGIS);
	irq_enable();
}

static void mask_irqs(u64 arg)
{
	(void)arg;
	irq_disable();
}

static void unmask_irqs(u64 arg)
{
	(void)arg;
	irq_enable();
}

static void send_to_zero(u64 intid)
{
	gic_send_sgi((u32)intid, BIT(0));
}

static void test_self(void)
{
	group_begin("sgi-self");
	irq_reset();
	for (u32 id = 0; id < SGIS; id++) {
		gic_send_sgi(id, BIT(0));
		group_eq(WAIT_FOR(irq_count(0, id) == 1, ARRIVE_US), true, "SGI %u arrives", id);
	}
	timer_delay(SETTLE_US);
	group_eq(irq_total(0), SGIS, "each once");
	group_end();
}

/*
 * Every id to every CPU, one at a time; only that CPU takes it, and on GICv2 it learns from whom.
 */
static void test_each_cpu(void)
{
	group_begin("sgi-each-cpu");
	for (unsigned cpu = 1; cpu < cpus; cpu++) {
		irq_reset();
		for (u32 id = 0; id < SGIS; id++) {
			gic_send_sgi(id, (u32)BIT(cpu));
			group_eq(WAIT_FOR(irq_count(cpu, id) == 1, ARRIVE_US), true,
			         "SGI %u to CPU %u", id, cpu);
			group_eq(irq_logged(cpu, id), id, "IAR of SGI %u on CPU %u", id, cpu);
		}
		for (unsigned other = 0; other < cpus; other++)
			group_eq(irq_total(other), other == cpu ? SGIS : 0,
			         "total of CPU %u, target %u", other, cpu);
		irq_reset();
		smp_call(cpu, send_to_zero, 5);
		group_eq(WAIT_FOR(irq_count(0, 5) == 1, ARRIVE_US), true, "SGI back from CPU %u",
		         cpu);
		group_eq(irq_logged(0, 0),
		         platform.gic_version == 2 ? 5 | FIELD(GIC_SOURCE, cpu) : 5,
		         "IAR of an SGI from CPU %u", cpu);
	}
	group_end();
}

static void test_lists(void)
{
	u32 all = (u32)BIT(cpus) - 1;

	group_begin("sgi-list");
	irq_reset();
	gic_send_sgi(3, all);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		group_eq(WAIT_FOR(irq_count(cpu, 3) == 1, ARRIVE_US), true, "list reaches CPU %u",
		         cpu);
	group_end();

	group_begin("sgi-all-but-self");
	irq_reset();
	gic_send_sgi_others(4);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		group_eq(WAIT_FOR(irq_count(cpu, 4) == 1, ARRIVE_US), true, "reaches CPU %u", cpu);
	timer_delay(SETTLE_US);
	group_eq(irq_total(0), 0, "not the sender");
	group_end();
}

static u32 total_of_all(void)
{
	u32 n = 0;

	for (unsigned cpu = 0; cpu < cpus; cpu++)
		n += irq_total(cpu);
	return n;
}

/* What names no CPU of this machine reaches nobody. */
static void test_absent_v3(void)
{
	static const u64 forms[] = {
	        FIELD(SGI1R_AFF1, 0x55) | FIELD(SGI1R_LIST, 0xffff),
	        FIELD(SGI1R_AFF2, 0xff) | FIELD(SGI1R_LIST, 0xffff),
	        FIELD(SGI1R_AFF3, 0x80) | FIELD(SGI1R_LIST, 0xffff),
	        FIELD(SGI1R_LIST, 0),
	        FIELD(SGI1R_LIST, 0xff00),
	};

	group_begin("sgi-absent");
	irq_reset();
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		write_sysreg(ICC_SGI1R_EL1, forms[i] | FIELD(SGI1R_ID, 7));
		write_sysreg(ICC_SGI0R_EL1, forms[i] | FIELD(SGI1R_ID, 7));
		write_sysreg(ICC_ASGI1R_EL1, forms[i] | FIELD(SGI1R_ID, 7));
		isb();
	}
	timer_delay(SETTLE_US);
	group_eq(total_of_all(), 0, "nobody is disturbed");
	group_end();

	/* Without range selectors the field is reserved: taken or ignored, but harmless. */
	write_sysreg(ICC_SGI1R_EL1, FIELD(SGI1R_RANGE, 15) | FIELD(SGI1R_LIST, 0xffff));
	isb();
	timer_delay(SETTLE_US);

	/* One present and fifteen absent: the present one gets it. */
	irq_reset();
	write_sysreg(ICC_SGI1R_EL1, FIELD(SGI1R_LIST, 0xffff) | FIELD(SGI1R_ID, 8));
	isb();
	check_true(WAIT_FOR(irq_count(0, 8) == 1, ARRIVE_US), "sgi-list-beyond-cpus");
}

static void test_filters_v2(void)
{
	u64 sgir = platform.gicd + GICD_SGIR;

	group_begin("sgi-filters");
	irq_reset();
	write32(sgir, (u32)(FIELD(SGIR_FILTER, 2) | 9));
	group_eq(WAIT_FOR(irq_count(0, 9) == 1, ARRIVE_US), true, "filter 2 is self");
	write32(sgir, (u32)(FIELD(SGIR_FILTER, 2) | FIELD(SGIR_LIST, 0xff) | 9));
	group_eq(WAIT_FOR(irq_count(0, 9) == 2, ARRIVE_US), true, "filter 2 ignores the list");
	timer_delay(SETTLE_US);
	group_eq(total_of_all(), 2, "filter 2 reaches nobody else");
	irq_reset();
	write32(sgir, (u32)(FIELD(SGIR_FILTER, 1) | FIELD(SGIR_LIST, 1) | 10));
	timer_delay(SETTLE_US);
	group_eq(irq_total(0), 0, "filter 1 ignores the list");
	group_eq(WAIT_FOR(total_of_all() == cpus - 1, ARRIVE_US), true,
	         "filter 1 reaches the others");
	irq_reset();
	write32(sgir, (u32)(FIELD(SGIR_LIST, 0) | 11));
	write32(sgir, (u32)(FIELD(SGIR_LIST, 0xff & ~(BIT(cpus) - 1)) | 11));
	timer_delay(SETTLE_US);
	group_eq(total_of_all(), 0, "empty and absent lists reach nobody");
	group_end();

	/* Reserved: whatever it does, the machine lives on. */
	write32(sgir, (u32)(FIELD(SGIR_FILTER, 3) | FIELD(SGIR_LIST, 0xff) | 11));
	timer_delay(SETTLE_US);
	check_true(true, "sgi-filter-3");
}

/*
 * With IRQs masked here: what is pending shows, can be withdrawn, and is delivered when unmasked.
 */
static void test_pending_v3(void)
{
	group_begin("sgi-pending");
	irq_reset();
	irq_disable();
	gic_send_sgi(6, BIT(0));
	group_eq(WAIT_FOR(gic_is_pending(6), ARRIVE_US), true, "shows as pending");
	gic_clear_pending(6);
	group_eq(gic_is_pending(6), false, "withdrawn");
	irq_enable();
	timer_delay(SETTLE_US);
	group_eq(irq_total(0), 0, "a withdrawn SGI does not arrive");
	gic_set_pending(6);
	group_eq(WAIT_FOR(irq_count(0, 6) == 1, ARRIVE_US), true, "set by ISPENDR");
	gic_disable(6);
	gic_send_sgi(6, BIT(0));
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, 6), 1, "a disabled SGI does not arrive");
	group_eq(gic_is_pending(6), true, "but stays pending");
	gic_enable(6);
	group_eq(WAIT_FOR(irq_count(0, 6) == 2, ARRIVE_US), true, "and arrives when enabled");
	group_end();
}

static void test_pending_v2(void)
{
	u64 set = platform.gicd + GICD_SPENDSGIR, clear = platform.gicd + GICD_CPENDSGIR;

	group_begin("sgi-pending");
	irq_reset();
	irq_disable();
	gic_send_sgi(6, BIT(0));
	group_eq(WAIT_FOR(gic_is_pending(6), ARRIVE_US), true, "shows as pending");
	group_eq(read8(set + 6), 1, "SPENDSGIR names the sender");
	group_eq(read8(clear + 6), 1, "CPENDSGIR names the sender");
	gic_clear_pending(6);
	group_eq(gic_is_pending(6), true, "ICPENDR does not touch SGIs");
	write8(clear + 6, 0xfe);
	group_eq(gic_is_pending(6), true, "another sender's bit is another");
	write8(clear + 6, 1);
	group_eq(gic_is_pending(6), false, "withdrawn");
	/* In the name of the last CPU. */
	write8(set + 6, (u8)BIT(cpus - 1));
	group_eq(read32(set + 4), BIT(cpus - 1) << 16, "set by SPENDSGIR, read as a word");
	irq_enable();
	group_eq(WAIT_FOR(irq_count(0, 6) == 1, ARRIVE_US), true, "and arrives");
	group_eq(irq_logged(0, 0), 6 | FIELD(GIC_SOURCE, cpus - 1), "from the CPU that was named");
	group_end();
}

/* The same id from all CPUs while this one does not listen: once for each sender. */
static void test_many_senders_v2(void)
{
	u32 seen = 0;

	irq_reset();
	irq_disable();
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		smp_call(cpu, send_to_zero, 12);
	WAIT_FOR(read8(platform.gicd + GICD_SPENDSGIR + 12) == BIT(cpus) - 1, ARRIVE_US);
	irq_enable();
	WAIT_FOR(irq_count(0, 12) == cpus, ARRIVE_US);
	timer_delay(SETTLE_US);
	for (u32 i = 0; i < irq_total(0); i++)
		seen |= (u32)BIT(FIELD_GET(GIC_SOURCE, irq_logged(0, i)));
	check_eq(irq_total(0), cpus, "sgi-once-for-each-sender");
	check_eq(seen, BIT(cpus) - 1, "sgi-all-senders-seen");
}

/* On GICv3 the same id is one pending bit, whoever sends. */
static void test_many_senders_v3(void)
{
	irq_reset();
	irq_disable();
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		smp_call(cpu, send_to_zero, 12);
	WAIT_FOR(gic_is_pending(12), ARRIVE_US);
	timer_delay(SETTLE_US);
	irq_enable();
	WAIT_FOR(irq_count(0, 12) != 0, ARRIVE_US);
	timer_delay(SETTLE_US);
	check_eq(irq_total(0), 1, "sgi-merged");
}

static void test_masked_target(void)
{
	unsigned cpu = cpus - 1;

	irq_reset();
	smp_call(cpu, mask_irqs, 0);
	gic_send_sgi(13, (u32)BIT(cpu));
	timer_delay(SETTLE_US);
	check_eq(irq_total(cpu), 0, "sgi-masked-target");
	smp_call(cpu, unmask_irqs, 0);
	check_true(WAIT_FOR(irq_count(cpu, 13) == 1, ARRIVE_US), "sgi-unmasked-target");
}

static void echo(u32 iar)
{
	(void)iar;
	gic_send_sgi(15, BIT(0));
}

static void test_ping_pong(void)
{
	unsigned cpu = cpus - 1;
	u32 lost = 0;

	irq_reset();
	irq_set_handler(14, echo);
	for (u32 round = 1; round <= ROUNDS && lost == 0; round++) {
		gic_send_sgi(14, (u32)BIT(cpu));
		if (!WAIT_FOR(irq_count(0, 15) == round, ARRIVE_US))
			lost = round;
	}
	check_eq(lost, 0, "sgi-ping-pong");
}

static volatile bool about_to_sleep;

static void sleeper(u64 arg)
{
	(void)arg;
	irq_disable();
	about_to_sleep = true;
	wfi();
	irq_enable();
}

/* WFI ends for an interrupt even if PSTATE masks it. */
static void test_wfi(void)
{
	unsigned cpu = cpus - 1;

	irq_reset();
	smp_post(cpu, sleeper, 0);
	WAIT_FOR(about_to_sleep, ARRIVE_US);
	timer_delay(SETTLE_US);
	gic_send_sgi(1, (u32)BIT(cpu));
	check_true(smp_wait(cpu, ARRIVE_US), "sgi-wakes-wfi");
	check_true(WAIT_FOR(irq_count(cpu, 1) == 1, ARRIVE_US), "sgi-taken-after-wfi");
}

void test_main(void)
{
	bool v2 = platform.gic_version == 2;

	cpus = smp_start_all();
	check_eq(cpus, platform.cpu_count, "sgi-cpus-online");
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		smp_call(cpu, open_sgis, 0);
	test_self();
	test_each_cpu();
	test_lists();
	if (v2) {
		test_filters_v2();
		test_pending_v2();
		test_many_senders_v2();
	} else {
		test_absent_v3();
		test_pending_v3();
		test_many_senders_v3();
	}
	if (cpus > 1) {
		test_masked_target();
		test_ping_pong();
		test_wfi();
	}
}
