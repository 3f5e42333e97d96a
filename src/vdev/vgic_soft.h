// SPDX-License-Identifier: Apache-2.0
// List registers that the board does not have, and the virtual CPU interface that works on them: what
// GICv2's GICV does, for vgicc.c, which shows it to the guest. All of it on the CPU that has the vCPU
// loaded, no lock held.
#ifndef VDEV_VGIC_SOFT_H
#define VDEV_VGIC_SOFT_H

#include "vdev/vgic_state.h"

#define VGIC_SOFT_LEVELS   32   // priorities that differ: five bits
#define VGIC_SOFT_SPURIOUS 1023 // nothing to acknowledge
#define VGIC_SOFT_OTHER    1022 // ... in this group, but in the other one

// Fields of vgic_interface.vmcr, as GICH_VMCR has them; bits 9:0 are those of GICV_CTLR.
#define VMCR_GROUP0          BIT_U32(0)
#define VMCR_GROUP1          BIT_U32(1)
#define VMCR_ACK_CTL         BIT_U32(2)
#define VMCR_FIQ             BIT_U32(3)
#define VMCR_CBPR            BIT_U32(4)
#define VMCR_EOI_MODE        BIT_U32(9)
#define VMCR_CTLR            (GENMASK_U32(4, 0) | VMCR_EOI_MODE)
#define VMCR_BPR1            GENMASK_U64(20, 18)
#define VMCR_BPR0            GENMASK_U64(23, 21)
#define VMCR_PRIORITY        GENMASK_U64(31, 27)
#define VMCR_BPR0_MIN        2 // five bits of priority
#define VMCR_BPR1_MIN        3
#define VMCR_PRIORITY_SHIFT  3
#define VGIC_SOFT_EOI_SOURCE GENMASK_U32(12, 0) // INTID, and the source of an SGI

// Owner: run.
struct vgic_soft {
	uint32_t vmcr, apr; // apr: bit n: priority n << 3 is active
	uint32_t notify;    // VGIC_NOTIFY_*
	// What is pending and not active, by group: bit n: something at priority n << 3; and which list
	// registers that is.
	uint32_t levels[2];
	uint16_t at[2][VGIC_SOFT_LEVELS];
	uint64_t lr[VGIC_MAX_LRS];
};

// What reading IAR (`group1` false) or AIAR does and gives.
uint32_t vgic_soft_acknowledge(struct vgic_cpu *cpu, bool group1);
// Writing EOIR or AEOIR, and DIR.
void vgic_soft_eoi(struct vgic_cpu *cpu, uint32_t value);
void vgic_soft_deactivate(struct vgic_cpu *cpu, uint32_t value);
// Whether what `value` names is active in a list register.
bool vgic_soft_holds(const struct vgic_cpu *cpu, uint32_t value);
// Reading HPPIR or AHPPIR.
uint32_t vgic_soft_highest(const struct vgic_cpu *cpu, bool group1);
// The running priority, VGIC_SOFT_IDLE: nothing is active.
#define VGIC_SOFT_IDLE 0xffu
uint32_t vgic_soft_running(const struct vgic_cpu *cpu);
// New contents of vmcr or apr.
void vgic_soft_set(struct vgic_cpu *cpu, uint32_t vmcr, uint32_t apr);

// vgicc.c: gives the VM the registers. ERR_NO_MEMORY or mmio_add's errors.
int vgicc_create(struct vgic *vgic);

#endif
