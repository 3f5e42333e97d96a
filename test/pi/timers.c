// SPDX-License-Identifier: Apache-2.0
/*
 * Timer interrupts through both controllers: the generic timers through the cores' own, the system timer
 * through the VideoCore's.
 */
#include "pi.h"

#define TICKS      10U
#define VECTOR_IRQ 5U
#define ST_1       (1U << 1)
#define WAIT_US    3000000U

static volatile u32 virtual_ticks, physical_ticks, system_ticks, others;
static u64 step;

// A match that is past when it is written comes an hour later: a core that an emulator held up between its read and its
// write tries again.
static void next_match(void)
{
	u32 match;

	do {
		match = read32(ST_CLO) + 1000;
		write32(ST_C(1), match);
	} while ((i32)(read32(ST_CLO) - match) >= 0 && !(read32(ST_CS) & ST_1));
}

static void handler(u32 vector, struct frame *frame)
{
	u32 source = read32(LOCAL_SOURCE(0));
	(void)frame;
	if (vector != VECTOR_IRQ) {
		pi_handler = NULL;
		pi_exception(vector, frame);
	} else if (source & SOURCE_CNTV) {
		virtual_ticks++;
		sysreg_write(cntv_tval_el0, step);
		if (virtual_ticks >= TICKS)
			sysreg_write(cntv_ctl_el0, 0);
	} else if (source & SOURCE_CNTPNS) {
		physical_ticks++;
		sysreg_write(cntp_tval_el0, step);
		if (physical_ticks >= TICKS)
			sysreg_write(cntp_ctl_el0, 0);
	} else if ((source & SOURCE_GPU) && (read32(IRQ_PENDING_1) & ST_1)) {
		system_ticks++;
		write32(ST_CS, ST_1);
		if (system_ticks < TICKS)
			next_match();
	} else {
		others++;
	}
}

static bool wait_for(volatile u32 *count)
{
	u32 start = read32(ST_CLO);
	irq_on();
	while (*count < TICKS && read32(ST_CLO) - start < WAIT_US)
		;
	delay_us(3000); // one more would show itself
	irq_off();
	return *count == TICKS;
}

void program(u64 tree)
{
	(void)tree;
	pi_handler = handler;
	step = sysreg_read(cntfrq_el0) / 1000;
	write32(LOCAL_TIMER_IRQ(0), SOURCE_CNTV | SOURCE_CNTPNS);
	check(read32(LOCAL_TIMER_IRQ(0)) == (SOURCE_CNTV | SOURCE_CNTPNS),
	      "timers are routed to IRQ");
	sysreg_write(cntv_tval_el0, step);
	sysreg_write(cntv_ctl_el0, 1);
	check(wait_for(&virtual_ticks), "10 ticks of the virtual timer");
	// A guest may take one once more when its handler is held up: docs/raspi3.md.
	check(others <= TICKS, "and at most one for each without a source");
	others = 0;
	sysreg_write(cntp_tval_el0, step);
	sysreg_write(cntp_ctl_el0, 1);
	check(wait_for(&physical_ticks), "10 ticks of the physical timer");
	check(others == 0, "and none without a source");
	others = 0;
	write32(LOCAL_GPU_ROUTE, 0);
	write32(ST_CS, ST_1);
	write32(IRQ_ENABLE_1, ST_1);
	check(read32(IRQ_ENABLE_1) & ST_1, "system timer 1 is enabled");
	next_match();
	check(wait_for(&system_ticks), "10 ticks of the system timer");
	write32(IRQ_DISABLE_1, ST_1);
	check(!(read32(IRQ_ENABLE_1) & ST_1), "system timer 1 is disabled");
	check(others == 0, "and none without a source");
}
