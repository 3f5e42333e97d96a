// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H24, H25, H26, H31, H32, H34, H38: work without end, floods, sleep that is none, storms of interrupts,
 * the console, the counter. What it costs others is measured outside (share.py).
 * Source: Arm ARM, "WFI", "WFIT", "Generic Timer"; PL011 Technical Reference Manual.
 */
#include "hostile.h"

#define SGI        9u
#define SOON       500000ul /* microseconds, never waited for in full when all is right */
#define NOWHERE    0x0b000000ul
#define ISAR2_WFXT BITS(3, 0)
#define UART_DR    0x00
#define UART_FR    0x18
#define UART_IMSC  0x38
#define UART_TX    BIT(5)
#define RTC_MATCH  0x04
#define RTC_IMSC   0x10
#define TICK_US    20ul

/* --- H24 ---- */

static void long_requests(void)
{
	u64 regs[SMCCC_REGS];

	for (unsigned i = 0; i < 2000; i++)
		want_eq(call4(false, MEZZO_LOG, (u64)case_memory, 160, 0, regs), 0, "call %u", i);
}

static void set_ways(void)
{
	for (u64 level = 0; level < 7; level++) {
		for (u64 set = 0; set < 64; set++) {
			__asm__ volatile("dc isw, %0" ::"r"(set << 6 | level << 1) : "memory");
			__asm__ volatile("dc cisw, %0" ::"r"(~0ul << 60 | set << 6 | level << 1)
			                 : "memory");
		}
	}
	want_eq(case_memory[0], 0, "memory is as it was");
}

static void toggles_caches(void)
{
	u64 sctlr = read_sysreg(sctlr_el1);

	for (unsigned i = 0; i < 20; i++) {
		__asm__ volatile("dc csw, %0" ::"r"(0ul) : "memory");
		write_sysreg(sctlr_el1, sctlr & ~SCTLR_C);
		isb();
		write_sysreg(sctlr_el1, sctlr);
		isb();
	}
	want_eq(read_sysreg(sctlr_el1), sctlr, "as it was");
}

static void exclusives_at_devices(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct exc_record r = EXC_OF(__asm__ volatile(
		        "ldxr w0, [%0]\n\tstxr w1, w0, [%0]" ::"r"(platform.uart + 0x24)
		        : "x0", "x1", "memory"));

		want_true(r.count <= 2 && (r.count == 0 || exc_class(&r) == EC_DABT), "time %u", i);
	}
}

/* --- H25, H26 ---- */

static void bad_accesses(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct exc_record r = EXC_OF(read32(NOWHERE + 4 * (i & 0xfff)));

		want_abort(&r, NOWHERE + 4 * (i & 0xfff), "access %u", i);
	}
}

static void unknown_calls(void)
{
	u64 regs[SMCCC_REGS];

	for (unsigned i = 0; i < 20000; i++)
		want_eq(call4((i & 1) != 0, 0x82001000 + i, 0, 0, 0, regs), (u64)PSCI_NOT_SUPPORTED,
		        "call %u", i);
}

static void bad_registers(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		struct exc_record r = EXC_OF((void)read_sysreg(SREG(3, 4, 1, 1, 0)));

		want_undefined(&r, "HCR_EL2, %u", i);
	}
}

static void touches_all(void)
{
	extern char _image_end[];
	u64 from = ALIGN_UP((u64)_image_end, 2 * MIB);

	for (u64 at = from; at < ram_end(); at += 2 * MIB) {
		if (platform.tree != 0 && at <= platform.tree && platform.tree < at + 8)
			continue;
		u64 before = read64(at);
		write64(at, ~before);
		want_eq(read64(at), ~before, "0x%lx", at);
		write64(at, before);
	}
}

/* --- H31 ---- */

static void wfi_masked(void)
{
	gic_enable(SGI);
	irq_disable();
	gic_send_sgi(SGI, 1);
	for (unsigned i = 0; i < 2000; i++)
		wfi();
	want_eq(irq_count(0, SGI), 0, "it was masked");
	irq_enable();
	want_true(WAIT_FOR(irq_count(0, SGI) == 1, SOON), "then it came");
}

static void ring(u64 us)
{
	write_sysreg(cntv_cval_el0, timer_count() + timer_ticks(us));
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
}

static void on_timer(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
	isb();
}

static void wfi_rearmed(void)
{
	irq_set_handler(INTID_VTIMER, on_timer);
	gic_enable(INTID_VTIMER);
	for (unsigned i = 0; i < 500; i++) {
		irq_disable();
		ring(1);
		while (irq_count(0, INTID_VTIMER) == i) {
			wfi();
			irq_enable();
			isb();
			irq_disable();
		}
	}
	want_eq(irq_count(0, INTID_VTIMER), 500, "each one came");
}

static void wfi_past(void)
{
	irq_set_handler(INTID_VTIMER, on_timer);
	gic_enable(INTID_VTIMER);
	irq_disable();
	write_sysreg(cntv_cval_el0, 0);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	for (unsigned i = 0; i < 1000; i++)
		wfi();
	irq_enable();
	want_true(WAIT_FOR(irq_count(0, INTID_VTIMER) == 1, SOON), "it came");
}

static void wfi_physical(void)
{
	gic_enable(INTID_PTIMER);
	irq_disable();
	write_sysreg(cntp_tval_el0, timer_ticks(TICK_US));
	write_sysreg(cntp_ctl_el0, CNT_ENABLE);
	isb();
	wfi();
	want_true((read_sysreg(cntp_ctl_el0) & CNT_ISTATUS) != 0, "not before its time");
	want_true(WAIT_FOR(gic_is_pending(INTID_PTIMER), SOON), "it is pending");
}

static void wfe_storm(void)
{
	for (unsigned i = 0; i < 100000; i++) {
		sev();
		wfe();
		wfe();
		__asm__ volatile("yield");
	}
	want_true(true, "it came to its end");
}

static void wfit(void)
{
	u64 until = timer_count() + timer_ticks(TICK_US);

	bool promised = FIELD_GET(ISAR2_WFXT, read_sysreg(SREG(3, 0, 0, 6, 2))) != 0;

	/* QEMU reports a trapped WFIT as a WFI: under a hypervisor that traps it, nothing keeps its limit. */
	if (on_mezzo() || !promised) {
		want_true(!promised, "not promised");
		return;
	}
	irq_disable();
	/* The alarm only keeps this program from sleeping for ever. */
	gic_enable(INTID_VTIMER);
	ring(200000);
	__asm__ volatile("mov x0, %0\n\t.inst 0xd5031020" ::"r"(until) : "x0", "memory");
	want_true(timer_count() >= until, "not before");
	want_true((read_sysreg(cntv_ctl_el0) & CNT_ISTATUS) == 0, "long before the alarm");
}

static void spin_masked(void)
{
	irq_set_handler(INTID_VTIMER, on_timer);
	gic_enable(INTID_VTIMER);
	irq_disable();
	ring(1);
	for (unsigned i = 0; i < 1000000; i++)
		__asm__ volatile("" ::: "memory");
	want_eq(irq_count(0, INTID_VTIMER), 0, "masked");
	irq_enable();
	want_true(WAIT_FOR(irq_count(0, INTID_VTIMER) == 1, SOON), "then it came");
}

static void suspends(void)
{
	gic_enable(INTID_VTIMER);
	irq_disable();
	for (unsigned i = 0; i < 100; i++) {
		ring(TICK_US);
		want_eq((u64)psci_call(PSCI_CPU_SUSPEND64, (i & 1) != 0 ? BIT(16) : 0,
		                       (u64)smp_entry, 0),
		        0, "time %u", i);
		want_true(WAIT_FOR((read_sysreg(cntv_ctl_el0) & CNT_ISTATUS) != 0, SOON),
		          "its time came");
	}
}

/* --- H32 ---- */

static void sgi_self(void)
{
	gic_enable(SGI);
	irq_enable();
	for (unsigned i = 0; i < 20000; i++) {
		u32 before = irq_count(0, SGI);

		gic_send_sgi(SGI, 1);
		if (!WAIT_FOR(irq_count(0, SGI) != before, SOON)) {
			want_true(false, "number %u is lost", i);
			return;
		}
	}
	irq_disable();
	want_eq(irq_count(0, SGI), 20000, "each one, once");
	want_true(!gic_is_pending(SGI), "none is left");
}

static void storm(u64 rounds)
{
	u32 mask = (u32)(BIT(platform.cpu_count) - 1);

	gic_enable(SGI);
	irq_enable();
	for (u64 i = 0; i < rounds; i++)
		gic_send_sgi(SGI, mask);
	irq_disable();
}

static void sgi_everybody(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, storm, 3000);
	storm(3000);
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		want_true(smp_wait(cpu, 60000000), "CPU %u comes back", cpu);
	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++)
		want_true(irq_count(cpu, SGI) > 0, "CPU %u got some", cpu);
}

static volatile u32 line_count;

static void on_line(u32 iar)
{
	if (++line_count >= 2000)
		gic_disable(iar & GIC_INTID);
}

static void uart_line(void)
{
	u32 intid = (u32)platform.uart_intid;

	line_count = 0;
	irq_set_handler(intid, on_line);
	gic_route(intid, 0);
	gic_set_edge(intid, false);
	gic_enable(intid);
	irq_enable();
	write32(platform.uart + UART_IMSC, (u32)UART_TX);
	write32(platform.uart + UART_DR,
	        '\n'); /* it falls below its level once something was sent */
	bool came = WAIT_FOR(line_count >= 2000, 5000000);
	write32(platform.uart + UART_IMSC, 0);
	irq_disable();
	want_true(came || line_count == 0, "as often as it was ended: %u", line_count);
	want_true(WAIT_FOR(!gic_is_pending(intid), SOON), "quiet when the line is low");
}

static void timer_line(void)
{
	line_count = 0;
	irq_set_handler(INTID_VTIMER, on_line);
	gic_enable(INTID_VTIMER);
	irq_enable();
	write_sysreg(cntv_cval_el0, 0);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	want_true(WAIT_FOR(line_count >= 2000, 20 * SOON), "as often as it was ended: %u",
	          line_count);
	irq_disable();
	write_sysreg(cntv_ctl_el0, 0);
}

static void never_ended(void)
{
	gic_enable(SGI);
	gic_send_sgi(SGI, 1);
	u32 iar = gic_ack();

	want_eq(iar & 15, SGI, "acknowledged");
	for (unsigned i = 0; i < 1000; i++)
		gic_send_sgi(SGI, 1);
	want_true((gic_ack() & GIC_INTID) >= GIC_SPECIAL, "not again before its end");
	gic_eoi(iar);
	want_true(WAIT_FOR((gic_ack() & 15) == SGI, SOON), "once more after it");
	gic_eoi(SGI);
}

/* --- H34 ---- */

static void put(char c)
{
	while ((read32(platform.uart + UART_FR) & BIT(5)) != 0)
		__asm__ volatile("yield");
	write32(platform.uart + UART_DR, (u8)c);
}

static void escapes(void)
{
	static const char bad[] = "\033[2J\033]0;x\007\033c\x1d\x9b\x0e\x00\x7f\b\b\b";

	for (unsigned i = 0; i < 20; i++) {
		for (unsigned n = 0; n < sizeof(bad) - 1; n++)
			put(bad[n]);
	}
	put('\n');
	want_true(true, "it came to its end");
}

static void long_line(void)
{
	for (unsigned i = 0; i < 16384; i++)
		put((char)('a' + i % 26));
	put('\n');
	want_true(true, "it came to its end");
}

static void all_bytes(void)
{
	for (unsigned i = 0; i < 512; i++) {
		u8 c = (u8)i;

		if (c != '\n' && c != '\r')
			put((char)c);
	}
	put('\n');
	want_true(true, "it came to its end");
}

static void never_looks(void)
{
	for (unsigned i = 0; i < 2000; i++)
		write32(platform.uart + UART_DR, '.'); /* without looking for room */
	put('\n');
	want_true(true, "it came to its end");
}

/* --- H38 ---- */

static void counter_starts(void)
{
	want_true(timer_count() < 3600 * read_sysreg(cntfrq_el0), "less than an hour");
}

static void counter_grows(void)
{
	u64 last = timer_count();

	for (unsigned i = 0; i < 50000; i++) {
		u64 now = timer_count();

		want_true(now >= last, "reading %u", i);
		last = now;
	}
}

static volatile u64 relay;
static volatile u64 backwards;

static void relays(u64 first)
{
	for (unsigned i = 0; i < 500; i++) {
		u64 seen, start = timer_count();

		while (((seen = relay) & 1) != first) {
			if (timer_count() - start > timer_ticks(10000000))
				return;
		}
		u64 now = timer_count();
		if (now < (seen & ~1ul))
			backwards++;
		relay = (now & ~1ul) | !first;
	}
}

static void counter_across(void)
{
	relay = backwards = 0;
	smp_post(1, relays, 1);
	relays(0);
	want_true(smp_wait(1, 60000000), "the other comes back");
	want_eq(backwards, 0, "times that it went backwards");
}

static void counters_agree(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		u64 a = timer_count(), p, b;

		isb();
		p = read_sysreg(cntpct_el0);
		b = timer_count();
		want_true(p >= a - 64 && p <= b + 64,
		          "physical between two readings of the virtual one");
	}
}

static void offset_is_hidden(void)
{
	struct exc_record r = EXC_OF((void)read_sysreg(SREG(3, 4, 14, 0, 3)));

	want_undefined(&r, "CNTVOFF_EL2");
	r = EXC_OF(write_sysreg(SREG(3, 4, 14, 0, 3), 0));
	want_undefined(&r, "CNTVOFF_EL2, written");
	r = EXC_OF(write_sysreg(cntfrq_el0, 1));
	want_undefined(&r, "CNTFRQ_EL0, written");
}

CASES(rows) = {
        {"H24.1", "The longest call that Mezzo has, 2,000 times.", "Each succeeds.", long_requests,
         NEEDS_MEZZO, 0},
        {"H24.2", "Cleans and invalidates sets and ways of seven levels.",
         "Its memory is as it was.", set_ways, 0, 0},
        {"H24.3", "Turns its caches off and on after each clean by set and way.", "They are on.",
         toggles_caches, 0, 0},
        {"H24.4", "A thousand exclusive pairs at a device.", "Values or aborts.",
         exclusives_at_devices, 0, 0},
        {"H25.1", "20,000 loads from nowhere.", "As many aborts.", bad_accesses, 0, 0},
        {"H25.2", "20,000 calls that nobody answers.", "As many refusals.", unknown_calls,
         NEEDS_MEZZO, 0},
        {"H25.3", "5,000 reads of a register of EL2.", "All undefined.", bad_registers, 0, 0},
        {"H26.1", "Touches every 2 MiB of its memory.", "It is its own.", touches_all, 0, 0},
        {"H31.1", "2,000 times WFI while a masked interrupt is pending.",
         "It goes on; the interrupt comes once unmasked.", wfi_masked, 0, 0},
        {"H31.2", "Sets its timer 1 us ahead and sleeps, 500 times.", "Each wakes it.", wfi_rearmed,
         0, 0},
        {"H31.3", "Sleeps with a timer that was due at 0.", "It never sleeps; the interrupt comes.",
         wfi_past, 0, 0},
        {"H31.4", "Sleeps until its physical timer.", "Awake, not before its time.", wfi_physical,
         0, 0},
        {"H31.5", "100,000 times SEV, WFE, WFE, YIELD.", "It comes to its end.", wfe_storm, 0, 0},
        {"H31.6", "WFIT with every interrupt masked.",
         "In time; Mezzo's ID registers do not promise it.", wfit, 0, 0},
        {"H31.7", "Spins with interrupts masked.", "The timer's interrupt waits.", spin_masked, 0,
         0},
        {"H31.8", "CPU_SUSPEND, standby and power-down, out of the timer.", "Success, in time.",
         suspends, NEEDS_MEZZO, 0},
        {"H32.1", "20,000 SGIs to itself.", "None is lost, none comes twice.", sgi_self, 0, 0},
        {"H32.2", "All CPUs send SGIs to all.", "They come back, with interrupts.", sgi_everybody,
         NEEDS_SMP, 0},
        {"H32.3", "Keeps the UART's line high.", "As many interrupts as ends; then quiet.",
         uart_line, NEEDS_MEZZO, 0},
        {"H32.4", "Never turns its timer off.", "As many interrupts as ends.", timer_line, 0, 0},
        {"H32.5", "Never ends an interrupt that comes a thousand times.",
         "Once more after its end.", never_ended, 0, 0},
        {"H34.1", "Prints sequences that move cursors, set titles and reset terminals.",
         "It comes to its end.", escapes, 0, 0},
        {"H34.2", "Prints 16 KiB without a line's end.", "It comes to its end.", long_line, 0, 0},
        {"H34.3", "Prints every byte there is.", "It comes to its end.", all_bytes, 0, 0},
        {"H34.4", "Prints without looking for room.", "It comes to its end.", never_looks, 0, 0},
        {"H38.1", "Reads the counter.", "It began with this VM.", counter_starts, NEEDS_MEZZO, 0},
        {"H38.2", "Reads the counter 50,000 times.", "It never goes back.", counter_grows, 0, 0},
        {"H38.3", "Two CPUs read it in turn.", "It never goes back.", counter_across, NEEDS_SMP, 0},
        {"H38.4", "Reads both counters.", "They agree.", counters_agree, NEEDS_MEZZO, 0},
        {"H38.5", "Reads and writes the offset and the frequency.", "Undefined.", offset_is_hidden,
         NEEDS_MEZZO, 0},
};
