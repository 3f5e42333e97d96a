// SPDX-License-Identifier: Apache-2.0
// The board's interrupt controller, driven from EL2: a GICv2, a GICv3 or a Raspberry Pi 3's own, behind
// one const table.
//
// Mezzo runs with EOImode = 1: intc_eoi() only lets the next interrupt through, and the interrupt
// itself stays active until intc_deactivate(), or until a guest ends it through a hardware-linked list
// register. One CPU's life of an interrupt: intid = intc_acknowledge(); intc_eoi(intid); handle it;
// intc_deactivate(intid).
#ifndef HW_INTC_H
#define HW_INTC_H

#include "base/types.h"

struct board;
struct board_irq;
struct cpu;

#define INTC_NR_SGIS   16
#define INTC_FIRST_SPI 32
#define INTC_NR_INTIDS 1020
#define INTC_SPURIOUS  1023 // nothing to acknowledge
#define INTC_NONE      UINT32_MAX

enum intc_trigger { INTC_LEVEL, INTC_EDGE };

// `cpu` is where an SPI goes to. Private interrupts (below INTC_FIRST_SPI) are always those of the
// calling CPU, and `cpu` is not looked at.
struct intc_ops {
	const char *name;
	uint32_t version; // of the GIC: 2 or 3; 0: it is none
	uint32_t (*number)(const struct board_irq *irq);
	int (*init)(const struct board *board);
	int (*init_cpu)(struct cpu *cpu);
	uint32_t (*acknowledge)(void);
	void (*eoi)(uint32_t intid);
	void (*deactivate)(uint32_t intid);
	void (*enable)(uint32_t intid, const struct cpu *cpu, enum intc_trigger trigger);
	void (*disable)(uint32_t intid);
	void (*set_pending)(uint32_t intid, bool pending);
	void (*set_active)(uint32_t intid, bool active);
	void (*send_sgi)(const struct cpu *cpu, uint32_t sgi);
	bool (*forgets_level)(void); // see intc_forgets_level; NULL: no
};

extern const struct intc_ops intc_gicv2, intc_gicv3, intc_bcm2836;
extern const struct intc_ops *intc
        __attribute__((visibility("hidden"))); // chosen by intc_init; fixed after

// Both GICs' intc_ops.number.
uint32_t intc_gic_number(const struct board_irq *irq);

// Brings up what all CPUs share: every SPI off, level, at one priority, to the boot CPU. Once, on
// the boot CPU, with the controller's registers mapped. ERR_UNSUPPORTED: no controller that Mezzo can
// drive; ERR_BUSY: it does not answer; the log says what in a sentence.
int intc_init(const struct board *board);

// Brings up the calling CPU's part; `cpu` is its own entry with mpidr set. Every private interrupt is
// off but the SGIs. Sets cpu->gicv2_mask. The same errors, and ERR_NOT_FOUND: no redistributor
// belongs to this CPU.
int intc_init_cpu(struct cpu *cpu);

// The INTID of an interrupt that the device tree gives, or INTC_NONE: it does not reach this
// controller. After intc_init.
static inline uint32_t intc_number(const struct board_irq *irq)
{
	return intc->number(irq);
}

// Whether this controller forgets a level: when a guest ends an interrupt through a hardware-linked list
// register while the line is high again, nothing is signalled until the controller is touched by
// somebody else. The architecture says otherwise, QEMU's GICv2 does it. After intc_init; false before.
bool intc_forgets_level(void);

// The interrupt to handle, now active, or INTC_SPURIOUS (also for the other special INTIDs).
static inline uint32_t intc_acknowledge(void)
{
	return intc->acknowledge();
}

// Drops the running priority: other interrupts may come. For each acknowledged INTID, newest first.
static inline void intc_eoi(uint32_t intid)
{
	intc->eoi(intid);
}

// Ends the interrupt. Private ones: on the CPU that acknowledged. Not for one whose end was left to a
// guest. No effect if it is not active.
static inline void intc_deactivate(uint32_t intid)
{
	intc->deactivate(intid);
}

// Lets `intid` through to `cpu` (private ones: to this CPU; cpu may be NULL). INTIDs that do not exist
// are ignored, here and below.
static inline void intc_enable(uint32_t intid, const struct cpu *cpu, enum intc_trigger trigger)
{
	intc->enable(intid, cpu, trigger);
}

static inline void intc_disable(uint32_t intid)
{
	intc->disable(intid);
}

// Makes an interrupt pending without its device, or takes that back.
static inline void intc_set_pending(uint32_t intid, bool pending)
{
	intc->set_pending(intid, pending);
}

// The active bit as such: what a vCPU's hardware-linked interrupt needs when the vCPU comes or goes.
static inline void intc_set_active(uint32_t intid, bool active)
{
	intc->set_active(intid, active);
}

// What is to be done when the interrupt of one of the board's own devices comes.
struct intc_handler {
	// Whether the device had something to do. On the CPU that was interrupted; no lock held.
	bool (*handle)(void *owner);
	// The line was turned off, because nobody had anything to do too often: the device is to be looked at now and
	// then. The same CPU, no lock held.
	void (*turned_off)(void *owner);
};
#define INTC_MAX_CLAIMS 48

// From now on `intid` calls the handler with `owner`, among others that share the line. At boot, before the interrupt
// is let through. ERR_NO_MEMORY: INTC_MAX_CLAIMS are taken.
int intc_claim(uint32_t intid, const struct intc_handler *handler, void *owner);
// Calls those who claimed `intid` until one of them had something to do. Then the line is pending again if there are
// others, which are asked first the next time. If nobody has for 64 times in a row the line is turned off.
void intc_dispatch(uint32_t intid);

// Interrupts another CPU. What was written to memory before is seen by its handler.
static inline void intc_send_sgi(const struct cpu *cpu, uint32_t sgi)
{
	intc->send_sgi(cpu, sgi);
}

#endif
