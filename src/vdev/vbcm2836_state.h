// SPDX-License-Identifier: Apache-2.0
// The state of BCM2836's local controller, between the files that make it up: vbcm2836.c (how the outputs reach the
// vCPUs), vbcm2836_regs.c (registers, local timer).
#ifndef VDEV_VBCM2836_STATE_H
#define VDEV_VBCM2836_STATE_H

#include "base/bits.h"
#include "base/spinlock.h"
#include "vdev/vbcm2836.h"

struct vcpu;

#define VBCM2836_CORES     4
#define VBCM2836_MAILBOXES 4

#define ROUTING_IRQ   GENMASK_U32(1, 0) // of the VideoCore's outputs: to which core
#define ROUTING_FIQ   GENMASK_U32(3, 2)
#define LOCAL_TO_CORE GENMASK_U32(1, 0) // of the local timer
#define LOCAL_TO_FIQ  BIT_U32(2)
#define LOCAL_IRQ     BIT_U32(29)
#define LOCAL_PENDING BIT_U32(31)

#define VBCM2836_PRESCALER_RESET BIT_U32(31) // as the firmware leaves it: the crystal itself

struct vbcm2836_core {
	uint32_t timer_control, mailbox_control;
	uint32_t mailbox[VBCM2836_MAILBOXES];
	uint32_t timers; // lines that are high, as in a source register
	// Also read without the lock.
	uint32_t irq_source, fiq_source;
	uint32_t irq, fiq; // the vCPU's inputs, 0 or 1
	// The board's interrupt of the virtual timer; changed on the vCPU's CPU alone.
	uint32_t held, muted;
	uint64_t look_at, look_us; // ticks, us
};

struct vbcm2836 {
	// Fixed after start.
	struct vm *vm;
	struct vbcm2835_intc *intc;
	int alarm; // of the local timer

	// Under the lock.
	struct spinlock lock;
	uint32_t control, prescaler, routing, pmu, local_routing, local_control;
	uint64_t local_start; // guest time in local timer ticks: when it was last reloaded
	uint32_t gpu_irq, gpu_fiq;
	struct vbcm2836_core core[VBCM2836_CORES];
};

// vbcm2836.c. Works out what has changed for core `n`, or for all, and tells their vCPUs. The lock is held.
void vbcm2836_update_core(struct vbcm2836 *local, uint32_t n);
void vbcm2836_update_all(struct vbcm2836 *local);
// The guest on `vcpu` is about to read which interrupts core `n` has. No lock held.
void vbcm2836_note_read(struct vcpu *vcpu, uint32_t n);

// vbcm2836_regs.c. The region of the map, and the alarm of the local timer. Errors of mmio_add and alarm_add.
int vbcm2836_regs_create(struct vbcm2836 *local);

#endif
