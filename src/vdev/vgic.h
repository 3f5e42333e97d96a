// SPDX-License-Identifier: Apache-2.0
// The virtual interrupt controller: what a VM and the CPUs that run it ask of it. The same calls
// whether the guest sees a GICv2 or a GICv3; the state itself is in vdev/vgic_state.h.
// Who may touch what, and why it cannot deadlock: docs/interrupts.md.
#ifndef VDEV_VGIC_H
#define VDEV_VGIC_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vcpu;
struct vgic_backend;
struct vm;

// QEMU virt's memory map.
#define VGIC_GICD_BASE   0x08000000 // distributor, 64 KiB in the map
#define VGIC_GICC_BASE   0x08010000 // GICv2: stage 2 maps the board's GICV here; not emulated
#define VGIC_GICR_BASE   0x080a0000 // GICv3: VGIC_GICR_STRIDE for each vCPU
#define VGIC_GICR_STRIDE 0x20000

#define VGIC_NR_SGIS    16
#define VGIC_NR_PRIVATE 32
#define VGIC_NR_SPIS    256
#define VGIC_NR_INTIDS  (VGIC_NR_PRIVATE + VGIC_NR_SPIS)
#define VGIC_VTIMER     27 // the EL1 virtual timer's private interrupt

// The affinity of vCPU `id`, laid out as in MPIDR_EL1 and GICD_IROUTER: 16 to a cluster, because that
// is how many one SGI can name.
static inline uint64_t vgic_affinity(uint32_t id)
{
	return (id & 15) | (uint64_t)(id >> 4) << 8;
}

// ---- the board ----

extern const struct vgic_backend vgic_lr_v3, vgic_lr_v2, vgic_soft;

// Chooses how interrupts reach guests on this board, once, on the boot CPU. `gich`: where EL2 sees
// the virtual interface control registers (vgic_lr_v2); 0 for vgic_lr_v3. NULL: the board has no list registers.
// What the board's do not serve, software does. ERR_UNSUPPORTED: there is no list register to be found.
int vgic_probe(const struct vgic_backend *backend, uintptr_t gich);

// Puts the calling CPU's virtual interface into the state "no guest". Each CPU, after vgic_probe and
// before its first vCPU. ERR_UNSUPPORTED: it has fewer list registers than the boot CPU.
int vgic_init_cpu(void);

// ---- a VM ----

// Gives `vm` a GICv2 or GICv3 (`version`): memory, the register regions in vm->mmio, vm->irqchip,
// vm->gic and each vcpu->gic, all in the reset state. While the VM is built, its vCPUs existing.
// ERR_INVALID: no such version or too many vCPUs for it; ERR_UNSUPPORTED: neither this board nor software
// has it; ERR_NO_MEMORY.
int vgic_create(struct vm *vm, unsigned version);

// Whether a guest's accesses to its CPU interface end here (vgicc.c) and not in the board's GICV.
bool vgic_is_soft(const struct vm *vm);

// The reset state again, for a reboot. No vCPU of the VM is loaded. Hardware links stay.
void vgic_reset(struct vm *vm);

// ---- a vCPU ----

// Ties private interrupt `intid` (16-31) to the board's private interrupt `physical`: the guest's
// end of interrupt deactivates it, without an exit. While the VM is built. From then on, when
// `physical` fires: acknowledge, drop its priority, do not deactivate, virq_set(vm, vcpu, intid, true).
void vgic_link_hw(struct vcpu *vcpu, uint32_t intid, uint32_t physical);

// The CPU interface as a core finds it that has just been switched on. Not loaded.
void vgic_vcpu_reset(struct vcpu *vcpu);

// Before the vCPU runs on this CPU for the first time, and after it will not run here any more.
// In between the list registers are this vCPU's. Unloading takes everything back into memory and
// deactivates what is linked (it fires again if its cause lasts).
// A CPU that has a vCPU loaded and waits for another CPU calls vgic_flush() while it waits.
void vgic_vcpu_load(struct vcpu *vcpu);
void vgic_vcpu_unload(struct vcpu *vcpu);

// Serves VCPU_REQ_VIRQ and VCPU_REQ_SYNC. Only on the CPU that has the vCPU loaded; no lock held but,
// at most, LOCK_DEVICE. The same as vm->irqchip->flush.
void vgic_flush(struct vcpu *vcpu);

// The physical interrupt behind the virtual timer of the vCPU that is loaded here has come: its priority is dropped, it
// is not deactivated. False: nothing was done, virq_set() has to look at more.
bool vgic_timer(struct vcpu *vcpu);

// The maintenance interrupt came (the board's private interrupt of that name). As vgic_flush.
void vgic_maintenance(struct vcpu *vcpu);

// Whether something waits that this vCPU would be interrupted by if it unmasked. On its CPU, or on
// any while it is not loaded (the answer may then be old when it arrives).
bool vgic_pending(struct vcpu *vcpu);

// ---- what there is to save ----

// The state of a VM whose vCPUs are not loaded: struct vgic (routes for a GICv3, targets for a GICv2),
// struct vgic_cpu of each vCPU, and struct vgic_bank of each word: a vCPU's `bank`, the VM's `spi[]`.
// What is not listed follows from it (vgic_set_targets) or is empty then.
extern const struct vstate vgicv2_state, vgicv3_state, vgic_cpu_state, vgic_bank_state;

#endif
