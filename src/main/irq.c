// SPDX-License-Identifier: Apache-2.0
// The board's interrupts, seen first at EL2: who gets which. Called by the guest loop, interrupts
// masked. Owns the numbers, read from the board's tree; constant once the boot CPU has set them.
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/exits.h"
#include "arm/regs.h"
#include "console/console.h"
#include "fdt/board.h"
#include "hw/gicv3.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "hw/virtio.h"
#include "main/life.h"
#include "main/run.h"
#include "trap/trap.h"
#include "vdev/vgic.h"
#include "vm/vm.h"

#define MOST_AT_ONCE 8 // then the loop comes round again

static uint32_t hyp_timer = INTC_NONE, virtual_timer = INTC_NONE, maintenance = INTC_NONE,
                console = INTC_NONE;
static bool is_gicv3;

static void enable_private(uint32_t intid, const struct board_irq *irq)
{
	if (intid != INTC_NONE)
		intc_enable(intid, NULL, irq->edge ? INTC_EDGE : INTC_LEVEL);
}

void run_init_cpu(const struct board *board)
{
	hyp_timer = intc_number(&board->timer[BOARD_TIMER_HYP]);
	virtual_timer = intc_number(&board->timer[BOARD_TIMER_VIRT]);
	maintenance = intc_number(&board->gic.maintenance);
	console = intc_number(&board->console.irq);
	is_gicv3 = intc == &intc_gicv3;
	enable_private(hyp_timer, &board->timer[BOARD_TIMER_HYP]);
	enable_private(virtual_timer, &board->timer[BOARD_TIMER_VIRT]);
	enable_private(maintenance, &board->gic.maintenance);
}

// `vcpu`: the one that is loaded here, or NULL.
static NOINLINE void timers_due(struct vcpu *vcpu, uint32_t due)
{
	if ((due & 1U << TIMER_VCPU) != 0 && vcpu != NULL)
		cntp_update(vcpu);
	if ((due & 1U << TIMER_VM) != 0 && vcpu != NULL)
		alarm_expire(vcpu->vm);
	if ((due & 1U << TIMER_SCHED) != 0)
		sched_tick();
	if ((due & 1U << TIMER_LIFE) != 0 && (due & 1U << TIMER_CONSOLE) != 0)
		life_put_off(); // an exit has no room for both
	else if ((due & 1U << TIMER_LIFE) != 0)
		cpu_post_local(CPU_WORK_LIFE);
	dmb(ish); // VMs are looked up from here on: docs/concurrency.md, "VMs come and go"
	if ((due & 1U << TIMER_CONSOLE) != 0)
		console_tick();
	if ((due & 1U << TIMER_LOG) != 0)
		FOR_EACH_VM (vm)
			vm_log_summary(vm);
	if ((due & 1U << TIMER_STOP) != 0)
		life_watch_stops();
	if ((due & 1U << TIMER_HW) != 0)
		virtio_tick();
	if ((due & 1U << TIMER_BUSY) != 0)
		virtio_busy_tick();
}

static void timer_rang(struct vcpu *vcpu)
{
	uint32_t due = timer_expire();
	if (LIKELY(due == 1U << TIMER_SCHED)) // the end of a slice
		sched_tick();
	else
		timers_due(vcpu, due);
}

// The guest's own timer. Its interrupt stays active in the board's controller until the guest ends it
// through the hardware-linked list register, so it cannot fire again before.
static void guest_timer(struct vcpu *vcpu, uint32_t intid)
{
	if (vcpu != NULL)
		virq_set(vcpu->vm, vcpu, INTID_CNTV, true);
	else
		intc_deactivate(intid);
}

static void typed(void)
{
	dmb(ish); // as above
	console_interrupt();
}

// Of the vCPU that runs here. What vgic_timer() cannot do at once takes the same way as from the guest loop.
static NOINLINE uint64_t timer_else(struct vcpu *vcpu, uint32_t intid)
{
	guest_timer(vcpu, intid);
	return trap_exit_back(vcpu);
}

static uint64_t timer_came(struct vcpu *vcpu, uint32_t intid)
{
	vcpu->exits_by_class[VCPU_CLASS_IRQ]++;
	if (LIKELY(vgic_timer(vcpu)))
		return exit_back(vcpu);
	return timer_else(vcpu, intid);
}

// If interrupts were posted for the vCPU, and nothing else, they go into its list registers. What else was asked of
// it stays for the loop.
static uint64_t kick_came(struct vcpu *vcpu)
{
	vcpu->exits_by_class[VCPU_CLASS_IRQ]++;
	if (LIKELY(load_relaxed(&vcpu->request) == VCPU_REQ_VIRQ)) {
		__atomic_fetch_and(&vcpu->request, ~(uint32_t)VCPU_REQ_VIRQ, __ATOMIC_SEQ_CST);
		vcpu->gic != NULL ? vgic_flush(vcpu) : vcpu->vm->irqchip->flush(vcpu);
	}
	return trap_exit_back(vcpu);
}

static NOINLINE uint64_t other(uint32_t intid)
{
	cpu_this()->irq = intid < INTC_NR_INTIDS ? intid : INTC_SPURIOUS;
	return EXIT_LEAVE(GUEST_EXIT_IRQ);
}

static NOINLINE uint64_t without_gicv3(struct vcpu *vcpu)
{
	uint32_t intid = intc_acknowledge();
	if (intid != virtual_timer && intid != KICK_SGI)
		return other(intid);
	intc_eoi(intid);
	if (intid == virtual_timer)
		return timer_came(vcpu, intid);
	intc_deactivate(intid);
	return kick_came(vcpu);
}

uint64_t exit_irq(struct vcpu *vcpu)
{
	if (!is_gicv3)
		return without_gicv3(vcpu);
	uint32_t intid = gicv3_acknowledge();
	if (intid == virtual_timer) {
		gicv3_eoi(intid);
		return timer_came(vcpu, intid);
	}
	if (intid != KICK_SGI)
		return other(intid);
	gicv3_eoi(intid);
	gicv3_deactivate(intid);
	return kick_came(vcpu);
}

static inline uint32_t acknowledge(void)
{
	uint32_t intid = is_gicv3 ? gicv3_acknowledge() : intc_acknowledge();
	return intid < INTC_NR_INTIDS ? intid : INTC_SPURIOUS;
}

static inline void end_priority(uint32_t intid)
{
	is_gicv3 ? gicv3_eoi(intid) : intc_eoi(intid);
}

static inline void deactivate(uint32_t intid)
{
	is_gicv3 ? gicv3_deactivate(intid) : intc_deactivate(intid);
}

static void devices_of_board(uint32_t intid)
{
	dmb(ish); // as above
	intc_dispatch(intid);
}

// Of the rarer kinds. Whether there is no time for another one in this exit.
static NOINLINE bool handle_else(struct vcpu *vcpu, uint32_t intid)
{
	if (intid == maintenance && vcpu != NULL)
		vgic_maintenance(vcpu);
	else if (intid == console)
		typed();
	else
		devices_of_board(intid);
	return intid >= INTC_FIRST_SPI && intid != console;
}

void irq_handle(void)
{
	struct cpu *cpu = cpu_this();
	struct vcpu *vcpu = cpu->vcpu;
	for (unsigned i = 0; i < MOST_AT_ONCE; i++) {
		uint32_t intid = cpu->irq != 0 ? cpu->irq : acknowledge();
		bool enough = false;
		cpu->irq = 0;
		if (intid == INTC_SPURIOUS)
			return;
		end_priority(intid);
		if (intid == virtual_timer) {
			guest_timer(vcpu, intid);
		} else {
			if (intid == hyp_timer)
				timer_rang(vcpu);
			else if (intid != KICK_SGI) // it needs no more than to have come
				enough = handle_else(vcpu, intid);
			deactivate(intid);
		}
		if (enough)
			return;
		// The CPU's own line says whether there is another one. If it is a little late, that one interrupts
		// the guest. Other controllers are to be asked: a Raspberry Pi's counts on it.
		if (is_gicv3 && (read_sysreg(isr_el1) & ISR_IRQ) == 0)
			return;
	}
}
