// SPDX-License-Identifier: Apache-2.0
// The board's interrupts, seen first at EL2: who gets which. Called by the guest loop, interrupts
// masked. Owns the numbers, read from the board's tree; constant once the boot CPU has set them.
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/regs.h"
#include "console/console.h"
#include "fdt/board.h"
#include "hw/gic.h"
#include "hw/timer.h"
#include "main/run.h"
#include "trap/trap.h"
#include "vdev/vgic.h"
#include "vdev/vpl031.h"
#include "vm/vm.h"

#define MOST_AT_ONCE 8 // then the loop comes round again
#define NONE         UINT32_MAX

static uint32_t hyp_timer = NONE, virtual_timer = NONE, maintenance = NONE, console = NONE;

static uint32_t number_of(const struct board_irq *irq)
{
	return irq->chip == BOARD_IRQ_GIC ? irq->number : NONE;
}

static void enable_private(uint32_t intid, const struct board_irq *irq)
{
	if (intid != NONE)
		gic_enable(intid, NULL, irq->edge ? GIC_EDGE : GIC_LEVEL);
}

void run_init_cpu(const struct board *board)
{
	hyp_timer = number_of(&board->timer[BOARD_TIMER_HYP]);
	virtual_timer = number_of(&board->timer[BOARD_TIMER_VIRT]);
	maintenance = number_of(&board->gic.maintenance);
	console = number_of(&board->console.irq);
	enable_private(hyp_timer, &board->timer[BOARD_TIMER_HYP]);
	enable_private(virtual_timer, &board->timer[BOARD_TIMER_VIRT]);
	enable_private(maintenance, &board->gic.maintenance);
}

// `vcpu`: the one that is loaded here, or NULL.
static void timers_due(struct vcpu *vcpu)
{
	uint32_t due = timer_expire();
	if ((due & 1U << TIMER_VCPU) != 0 && vcpu != NULL)
		cntp_update(vcpu);
	if ((due & 1U << TIMER_RTC) != 0 && vcpu != NULL)
		vpl031_tick(vcpu->vm->rtc);
	if ((due & 1U << TIMER_SCHED) != 0)
		sched_tick();
	if ((due & 1U << TIMER_LIFE) != 0)
		cpu_post_local(CPU_WORK_LIFE);
	dmb(ish); // VMs are looked up from here on: docs/concurrency.md, "VMs come and go"
	if ((due & 1U << TIMER_CONSOLE) != 0)
		console_tick();
	if ((due & 1U << TIMER_LOG) != 0)
		FOR_EACH_VM (vm)
			vm_log_summary(vm);
	if ((due & 1U << TIMER_STOP) != 0)
		life_watch_stops();
}

// The guest's own timer. Its interrupt stays active in the board's controller until the guest ends it
// through the hardware-linked list register, so it cannot fire again before.
static void guest_timer(struct vcpu *vcpu, uint32_t intid)
{
	if (vcpu != NULL)
		virq_set(vcpu->vm, vcpu, INTID_CNTV, true);
	else
		gic_deactivate(intid);
}

static void typed(void)
{
	dmb(ish); // as above
	console_interrupt();
}

void irq_handle(void)
{
	struct vcpu *vcpu = cpu_this()->vcpu;
	for (unsigned i = 0; i < MOST_AT_ONCE; i++) {
		uint32_t intid = gic_acknowledge();
		if (intid == GIC_SPURIOUS)
			return;
		gic_eoi(intid);
		if (intid == virtual_timer) {
			guest_timer(vcpu, intid);
			continue;
		}
		if (intid == hyp_timer)
			timers_due(vcpu);
		else if (intid == maintenance && vcpu != NULL)
			vgic_maintenance(vcpu);
		else if (intid == console)
			typed();
		gic_deactivate(intid); // the kick needs no more than to have come
	}
}
