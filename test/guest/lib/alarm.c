// SPDX-License-Identifier: Apache-2.0
/* The virtual timer as an alarm clock. */
#include "alarm.h"

#include "gic.h"
#include "irq.h"
#include "timer.h"

static volatile u64 rang;

static void on_alarm(u32 iar)
{
	(void)iar;
	rang = timer_count();
	write_sysreg(cntv_ctl_el0, 0);
	isb();
}

void alarm_init(void)
{
	irq_set_handler(INTID_VTIMER, on_alarm);
	gic_enable(INTID_VTIMER);
}

u64 alarm_wait(u64 when)
{
	rang = 0;
	write_sysreg(cntv_cval_el0, when);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	/* WFI ends for a masked interrupt as well, so none can slip in between look and sleep. */
	irq_disable();
	while (rang == 0) {
		wfi();
		irq_enable();
		isb();
		irq_disable();
	}
	return rang;
}
