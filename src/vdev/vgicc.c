// SPDX-License-Identifier: Apache-2.0
// GICv2's CPU interface as a guest sees it where the board has no GICV to map there: a register table over
// vgic_soft.c, with the meaning that GICV gives them. Each vCPU sees its own at the same address.
//
// Called through the VM's MMIO map. Owns no state.
// Source: Arm GIC Architecture Specification v2, "Virtual CPU interface register descriptions" and "CPU
// interface register descriptions".
#include "vdev/vgic_soft.h"

#define GICC_SIZE KIB(64) // as in the tree

#define IIDR_VALUE   0x04d2043bu // product 'M', architecture 2, JEP106 code of Arm
#define BPR_VALUE    GENMASK_U32(2, 0)
#define PMR_VALUE    GENMASK_U32(7, 3)
#define BPR_NO_GROUP 7

static void set_field(struct vgic_cpu *cpu, uint64_t mask, uint32_t value)
{
	uint32_t vmcr = (uint32_t)(cpu->gicc->vmcr & ~mask) | (uint32_t)field_put(mask, value);
	vgic_soft_set(cpu, vmcr, cpu->gicc->apr);
}

static uint32_t read_ctlr(struct vgic_cpu *cpu)
{
	return cpu->gicc->vmcr & VMCR_CTLR;
}

static void write_ctlr(struct vgic_cpu *cpu, uint32_t value)
{
	vgic_soft_set(cpu, (cpu->gicc->vmcr & ~VMCR_CTLR) | (value & VMCR_CTLR), cpu->gicc->apr);
}

static uint32_t read_iidr(struct vgic_cpu *cpu UNUSED)
{
	return IIDR_VALUE;
}

// ---- priorities ----

static uint32_t read_pmr(struct vgic_cpu *cpu)
{
	return (uint32_t)field_get(VMCR_PRIORITY, cpu->gicc->vmcr) << VMCR_PRIORITY_SHIFT;
}

static void write_pmr(struct vgic_cpu *cpu, uint32_t value)
{
	set_field(cpu, VMCR_PRIORITY, (value & PMR_VALUE) >> VMCR_PRIORITY_SHIFT);
}

static uint32_t read_bpr(struct vgic_cpu *cpu)
{
	return (uint32_t)field_get(VMCR_BPR0, cpu->gicc->vmcr);
}

// With CBPR, group 1 has group 0's point, which reads one higher here.
static uint32_t read_abpr(struct vgic_cpu *cpu)
{
	uint32_t shared = read_bpr(cpu) + 1;
	if ((cpu->gicc->vmcr & VMCR_CBPR) == 0)
		return (uint32_t)field_get(VMCR_BPR1, cpu->gicc->vmcr);
	return shared < BPR_NO_GROUP ? shared : BPR_NO_GROUP;
}

static uint32_t at_least(uint32_t value, uint32_t least)
{
	return value < least ? least : value;
}

static void write_bpr(struct vgic_cpu *cpu, uint32_t value)
{
	set_field(cpu, VMCR_BPR0, at_least(value & BPR_VALUE, VMCR_BPR0_MIN));
}

static void write_abpr(struct vgic_cpu *cpu, uint32_t value)
{
	if ((cpu->gicc->vmcr & VMCR_CBPR) == 0)
		set_field(cpu, VMCR_BPR1, at_least(value & BPR_VALUE, VMCR_BPR1_MIN));
}

static uint32_t read_rpr(struct vgic_cpu *cpu)
{
	return vgic_soft_running(cpu);
}

static uint32_t read_apr(struct vgic_cpu *cpu)
{
	return cpu->gicc->apr;
}

static void write_apr(struct vgic_cpu *cpu, uint32_t value)
{
	vgic_soft_set(cpu, cpu->gicc->vmcr, value);
}

// ---- the life of an interrupt ----

static uint32_t read_iar(struct vgic_cpu *cpu)
{
	return vgic_soft_acknowledge(cpu, false);
}

static uint32_t read_aiar(struct vgic_cpu *cpu)
{
	return vgic_soft_acknowledge(cpu, true);
}

static uint32_t read_hppir(struct vgic_cpu *cpu)
{
	return vgic_soft_highest(cpu, false);
}

static uint32_t read_ahppir(struct vgic_cpu *cpu)
{
	return vgic_soft_highest(cpu, true);
}

static void write_eoir(struct vgic_cpu *cpu, uint32_t value)
{
	vgic_soft_eoi(cpu, value & VGIC_SOFT_EOI_SOURCE);
}

static void write_dir(struct vgic_cpu *cpu, uint32_t value)
{
	if (cpu->gicc->vmcr & VMCR_EOI_MODE)
		vgic_soft_deactivate(cpu, value & VGIC_SOFT_EOI_SOURCE);
}

// ---- the table ----
//
// By word, and not searched as the distributor's is: every interrupt comes here several times. All registers are
// words; other sizes, and what has no handler, read as zero and ignore writes.

struct gicc_reg {
	uint32_t (*read)(struct vgic_cpu *cpu);
	void (*write)(struct vgic_cpu *cpu, uint32_t value);
};

// clang-format off
#define AT(offset) ((offset) / 4)
static const struct gicc_reg registers[] = {
[AT(0x00)] = {read_ctlr, write_ctlr},
[AT(0x04)] = {read_pmr, write_pmr},
[AT(0x08)] = {read_bpr, write_bpr},
[AT(0x0c)] = {read_iar, NULL},
[AT(0x10)] = {NULL, write_eoir},
[AT(0x14)] = {read_rpr, NULL},
[AT(0x18)] = {read_hppir, NULL},
[AT(0x1c)] = {read_abpr, write_abpr},
[AT(0x20)] = {read_aiar, NULL},
[AT(0x24)] = {NULL, write_eoir}, // AEOIR
[AT(0x28)] = {read_ahppir, NULL},
[AT(0xd0)] = {read_apr, write_apr},
[AT(0xfc)] = {read_iidr, NULL},
};
// clang-format on
#define DIR 0x1000 // alone in the second page

static const struct gicc_reg *find(uint32_t offset, unsigned size)
{
	static const struct gicc_reg dir = {NULL, write_dir}, nothing = {NULL, NULL};
	uint32_t at;
	if (size != 4 || offset % 4 != 0)
		return &nothing;
	if (offset == DIR)
		return &dir;
	return vgic_bound(AT(offset), ARRAY_SIZE(registers), &at) ? &registers[at] : &nothing;
}

static bool read_gicc(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size,
                      uint64_t *value)
{
	const struct gicc_reg *reg = find(offset, size);
	*value = reg->read != NULL ? reg->read(vcpu->gic) : 0;
	return true;
}

static bool write_gicc(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size,
                       uint64_t value)
{
	const struct gicc_reg *reg = find(offset, size);
	if (reg->write != NULL)
		reg->write(vcpu->gic, (uint32_t)value);
	return true;
}

// Nothing here waits for another CPU, but for the end of an interrupt that is in no list register.
static uint64_t quick_take(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	const struct gicc_reg *reg = find(offset, size);
	return reg->read != NULL ? reg->read(vcpu->gic) : 0;
}

static bool quick_write(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size,
                        uint64_t value)
{
	const struct gicc_reg *reg = find(offset, size);
	bool ends = reg->write == write_eoir || reg->write == write_dir;
	if (ends && !vgic_soft_holds(vcpu->gic, (uint32_t)value & VGIC_SOFT_EOI_SOURCE))
		return false;
	if (reg->write != NULL)
		reg->write(vcpu->gic, (uint32_t)value);
	return true;
}

static const struct mmio_ops ops = {
        .name = "GICv2 CPU interface",
        .read = read_gicc,
        .write = write_gicc,
        .quick_take = quick_take,
        .quick_write = quick_write,
};

int vgicc_create(struct vgic *vgic)
{
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++) {
		struct vgic_cpu *cpu = vgic->vm->vcpu[id]->gic;
		cpu->gicc = vm_alloc(vgic->vm, sizeof *cpu->gicc);
		if (cpu->gicc == NULL)
			return ERR_NO_MEMORY;
	}
	return mmio_add(&vgic->vm->mmio, VGIC_GICC_BASE, GICC_SIZE, &ops, vgic);
}
