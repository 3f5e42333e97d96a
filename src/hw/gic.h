// SPDX-License-Identifier: Apache-2.0
// The board's interrupt controller, driven from EL2: GICv2 or GICv3 behind one const table.
//
// Mezzo runs with EOImode = 1: gic_eoi() only lets the next interrupt through, and the interrupt
// itself stays active until gic_deactivate(), or until a guest ends it through a hardware-linked list
// register. One CPU's life of an interrupt: intid = gic_acknowledge(); gic_eoi(intid); handle it;
// gic_deactivate(intid).
#ifndef HW_GIC_H
#define HW_GIC_H

#include "base/types.h"

struct board;
struct cpu;

#define GIC_NR_SGIS   16
#define GIC_FIRST_SPI 32
#define GIC_NR_INTIDS 1020
#define GIC_SPURIOUS  1023 // nothing to acknowledge

enum gic_trigger { GIC_LEVEL, GIC_EDGE };

// `cpu` is where an SPI goes to. Private interrupts (below GIC_FIRST_SPI) are always those of the
// calling CPU, and `cpu` is not looked at.
struct gic_ops {
	uint32_t version; // 2 or 3
	uint32_t (*nr_intids)(void);
	int (*init)(const struct board *board);
	int (*init_cpu)(struct cpu *cpu);
	uint32_t (*acknowledge)(void);
	void (*eoi)(uint32_t intid);
	void (*deactivate)(uint32_t intid);
	void (*enable)(uint32_t intid, const struct cpu *cpu, enum gic_trigger trigger);
	void (*disable)(uint32_t intid);
	void (*set_pending)(uint32_t intid, bool pending);
	void (*set_active)(uint32_t intid, bool active);
	void (*send_sgi)(const struct cpu *cpu, uint32_t sgi);
	bool (*forgets_level)(void); // see gic_forgets_level; NULL: no
};

extern const struct gic_ops gic_v2, gic_v3;
extern const struct gic_ops *gic; // chosen by gic_init; fixed after

// Brings up what all CPUs share: every SPI off, level, at one priority, to the boot CPU. Once, on
// the boot CPU, with the controller's registers mapped. ERR_UNSUPPORTED: no controller that Mezzo can
// drive; ERR_BUSY: it does not answer; the log says what in a sentence.
int gic_init(const struct board *board);

// Brings up the calling CPU's part; `cpu` is its own entry with mpidr set. Every private interrupt is
// off but the SGIs. Sets cpu->gicv2_mask. The same errors, and ERR_NOT_FOUND: no redistributor
// belongs to this CPU.
int gic_init_cpu(struct cpu *cpu);

// How many INTIDs below GIC_NR_INTIDS exist; the SPIs are those from GIC_FIRST_SPI on.
uint32_t gic_nr_intids(void);

// Whether this controller forgets a level: when a guest ends an interrupt through a hardware-linked list
// register while the line is high again, nothing is signalled until the controller is touched by
// somebody else. The architecture says otherwise, QEMU's GICv2 does it. After gic_init; false before.
bool gic_forgets_level(void);

// The interrupt to handle, now active, or GIC_SPURIOUS (also for the other special INTIDs).
static inline uint32_t gic_acknowledge(void)
{
	return gic->acknowledge();
}

// Drops the running priority: other interrupts may come. For each acknowledged INTID, newest first.
static inline void gic_eoi(uint32_t intid)
{
	gic->eoi(intid);
}

// Ends the interrupt. Private ones: on the CPU that acknowledged. Not for one whose end was left to a
// guest. No effect if it is not active.
static inline void gic_deactivate(uint32_t intid)
{
	gic->deactivate(intid);
}

// Lets `intid` through to `cpu` (private ones: to this CPU; cpu may be NULL). INTIDs that do not exist
// are ignored, here and below.
static inline void gic_enable(uint32_t intid, const struct cpu *cpu, enum gic_trigger trigger)
{
	gic->enable(intid, cpu, trigger);
}

static inline void gic_disable(uint32_t intid)
{
	gic->disable(intid);
}

// Makes an interrupt pending without its device, or takes that back.
static inline void gic_set_pending(uint32_t intid, bool pending)
{
	gic->set_pending(intid, pending);
}

// The active bit as such: what a vCPU's hardware-linked interrupt needs when the vCPU comes or goes.
static inline void gic_set_active(uint32_t intid, bool active)
{
	gic->set_active(intid, active);
}

// Interrupts another CPU. What was written to memory before is seen by its handler.
static inline void gic_send_sgi(const struct cpu *cpu, uint32_t sgi)
{
	gic->send_sgi(cpu, sgi);
}

#endif
