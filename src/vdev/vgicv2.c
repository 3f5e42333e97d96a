// SPDX-License-Identifier: Apache-2.0
// GICv2 as a guest sees it: the distributor's register table. The CPU interface is the board's own
// virtual one (GICV), which stage 2 maps at the guest's GICC, or vgicc.c.
// One security state, eight CPUs at most; private interrupts are banked by the CPU that accesses.
//
// Called through the VM's MMIO map. Owns no state of its own: struct vgic.
// Source: Arm GIC Architecture Specification v2, "Distributor register descriptions".
#include "vdev/vgic_reg.h"

#define GICD_SIZE 0x1000 // what a GICv2 has; the rest of the 64 KiB in the map is nothing

#define TYPER_LINES GENMASK_U64(4, 0) // words of 32 interrupts, less one
#define TYPER_CPUS  GENMASK_U64(7, 5) // CPUs, less one

#define SGIR_FILTER        GENMASK_U64(25, 24)
#define SGIR_FILTER_LIST   0
#define SGIR_FILTER_OTHERS 1
#define SGIR_FILTER_SELF   2
#define SGIR_TARGETS       GENMASK_U64(23, 16)
#define SGIR_INTID         GENMASK_U64(3, 0)

static uint64_t read_ctlr(struct vgic_access access, uint32_t index UNUSED)
{
	return load_relaxed(&access.self->vm->gic->ctlr);
}

static uint64_t read_typer(struct vgic_access access, uint32_t index UNUSED)
{
	return field_put(TYPER_LINES, VGIC_WORDS - 1) |
	       field_put(TYPER_CPUS, access.self->vm->gic->nr_vcpus - 1);
}

// ---- targets: registers of four bytes ----

// With one CPU every interrupt is for it, and the registers are RAZ/WI.
static uint64_t read_targets(struct vgic_access access, uint32_t index)
{
	uint32_t spi, value = 0;
	if (access.self->vm->gic->nr_vcpus == 1)
		return 0;
	if (index * 4 < VGIC_NR_PRIVATE) // private ones: read-only, the reading CPU
		return BIT_U32(access.owner->id) * 0x01010101u;
	if (!vgic_bound(index * 4 - VGIC_NR_PRIVATE, VGIC_NR_SPIS, &spi))
		return 0;
	for (uint32_t i = 0; i < 4; i++)
		value |= (uint32_t)load_relaxed(&access.self->vm->gic->target[spi + i]) << (8 * i);
	return value;
}

static bool write_targets(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes)
{
	struct vgic *vgic = access.self->vm->gic;
	struct vgic_op op;
	uint32_t spi, mask = 0;

	if (vgic->nr_vcpus == 1 || index * 4 < VGIC_NR_PRIVATE ||
	    !vgic_bound(index * 4 - VGIC_NR_PRIVATE, VGIC_NR_SPIS, &spi))
		return true;
	for (uint32_t i = 0; i < 4; i++)
		if (lanes >> (8 * i) & 1)
			mask |= BIT_U32((spi & 31) + i);
	if (!vgic_op_begin(&op, access.self, access.owner, (spi >> 5) + 1, mask))
		return false;
	for (uint32_t i = 0; i < 4; i++) {
		if (!(lanes >> (8 * i) & 1))
			continue;
		uint32_t targets = (uint32_t)(value >> (8 * i)) & vgic_all_vcpus(vgic);
		store_relaxed(&vgic->target[spi + i], (uint8_t)targets);
		vgic_set_targets(vgic, spi + i, targets);
	}
	vgic_op_changed(&op, (spi >> 5) + 1, mask);
	vgic_op_end(&op);
	return true;
}

// ---- SGIs ----

static bool write_sgir(struct vgic_access access, uint32_t index UNUSED, uint64_t value,
                       uint64_t lanes UNUSED)
{
	uint32_t all = vgic_all_vcpus(access.self->vm->gic), self = BIT_U32(access.self->id),
	         targets;

	switch (field_get(SGIR_FILTER, value)) {
	case SGIR_FILTER_LIST: targets = (uint32_t)field_get(SGIR_TARGETS, value) & all; break;
	case SGIR_FILTER_OTHERS: targets = all & ~self; break;
	case SGIR_FILTER_SELF: targets = self; break;
	default: return true; // reserved
	}
	vgic_send_sgi(access.self, (uint32_t)field_get(SGIR_INTID, value), targets, false);
	return true;
}

// Four SGIs a register, a byte each: the CPUs that sent it.
static uint64_t read_sgi_sources(struct vgic_access access, uint32_t index)
{
	struct vgic_op op;
	uint32_t first, value = 0;
	if (!vgic_bound(index * 4, VGIC_NR_SGIS, &first))
		return 0;
	if (!vgic_op_begin(&op, access.self, access.owner, 0, VGIC_SGIS))
		return MMIO_ASK;
	for (uint32_t i = 0; i < 4; i++)
		value |= (uint32_t)op.owner->sgi_sources[first + i] << (8 * i);
	vgic_op_end(&op);
	return value;
}

static bool change_sgi_sources(struct vgic_access access, uint32_t index, uint32_t add,
                               uint32_t remove)
{
	struct vgic_op op;
	uint32_t first;
	if (!vgic_bound(index * 4, VGIC_NR_SGIS, &first))
		return true;
	if (!vgic_op_begin(&op, access.self, access.owner, 0, VGIC_SGIS))
		return false;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t n = first + i, sources = op.owner->sgi_sources[n];
		sources |= add >> (8 * i) & vgic_all_vcpus(op.vgic);
		sources &= ~(remove >> (8 * i));
		op.owner->sgi_sources[n] = (uint8_t)sources;
		if (sources != 0)
			op.owner->bank.latch |= BIT_U32(n);
		else
			op.owner->bank.latch &= ~BIT_U32(n);
	}
	vgic_op_changed(&op, 0, VGIC_SGIS);
	vgic_op_end(&op);
	return true;
}

static bool set_sgi_sources(struct vgic_access access, uint32_t index, uint64_t value,
                            uint64_t lanes UNUSED)
{
	return change_sgi_sources(access, index, (uint32_t)value, 0);
}

static bool clear_sgi_sources(struct vgic_access access, uint32_t index, uint64_t value,
                              uint64_t lanes UNUSED)
{
	return change_sgi_sources(access, index, 0, (uint32_t)value);
}

// ---- identification ----

static uint64_t read_id(struct vgic_access access UNUSED, uint32_t index)
{
	// PIDR4-7, PIDR0-3, CIDR0-3: Arm, part 0x490, GIC architecture 2.
	static const uint8_t id[] = {0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1};
	uint32_t i;
	return vgic_bound(index, ARRAY_SIZE(id), &i) ? id[i] : 0;
}

// ---- the table ----

enum row {
	ROW_CTLR,
	ROW_TYPER,
	ROW_IIDR,
	ROW_IGROUPR,
	ROW_ISENABLER,
	ROW_ICENABLER,
	ROW_ISPENDR,
	ROW_ICPENDR,
	ROW_ISACTIVER,
	ROW_ICACTIVER,
	ROW_IPRIORITYR,
	ROW_ITARGETSR,
	ROW_ICFGR0,
	ROW_ICFGR,
	ROW_NSACR,
	ROW_SGIR,
	ROW_CPENDSGIR,
	ROW_SPENDSGIR,
	ROW_ID,
};

// clang-format off
static const struct vgic_reg rows[] = {
[ROW_CTLR]       = {0x000, 0x003, 4, VGIC_W | VGIC_PURE, 0, 0, read_ctlr, vgic_write_ctlr, NULL},
[ROW_TYPER]      = {0x004, 0x007, 4, VGIC_W | VGIC_CONST, 0, 0, read_typer, NULL, "read-only"},
[ROW_IIDR]       = {0x008, 0x00b, 4, VGIC_W,  0, VGIC_IIDR, NULL, NULL, "read-only"},
[ROW_IGROUPR]    = {0x080, 0x0ff, 4, VGIC_W | VGIC_PURE, 0, 0, vgic_read_group, vgic_write_group, NULL},
[ROW_ISENABLER]  = {0x100, 0x17f, 4, VGIC_W | VGIC_PURE, 0, 0, vgic_read_enabled, vgic_set_enabled, NULL},
[ROW_ICENABLER]  = {0x180, 0x1ff, 4, VGIC_W | VGIC_PURE, 0, 0, vgic_read_enabled, vgic_clear_enabled, NULL},
[ROW_ISPENDR]    = {0x200, 0x27f, 4, VGIC_W,  0, 0, vgic_read_pending, vgic_set_pending, NULL},
[ROW_ICPENDR]    = {0x280, 0x2ff, 4, VGIC_W,  0, 0, vgic_read_pending, vgic_clear_pending, NULL},
[ROW_ISACTIVER]  = {0x300, 0x37f, 4, VGIC_W,  0, 0, vgic_read_active, vgic_set_active, NULL},
[ROW_ICACTIVER]  = {0x380, 0x3ff, 4, VGIC_W,  0, 0, vgic_read_active, vgic_clear_active, NULL},
[ROW_IPRIORITYR] = {0x400, 0x7fb, 4, VGIC_BW | VGIC_PURE, 0, 0, vgic_read_priority, vgic_write_priority, NULL},
[ROW_ITARGETSR]  = {0x800, 0xbfb, 4, VGIC_BW | VGIC_PURE, 0, 0, read_targets, write_targets, NULL},
[ROW_ICFGR0]     = {0xc00, 0xc03, 4, VGIC_W,  0, 0xaaaaaaaa, NULL, NULL, "SGIs are edge-triggered"},
[ROW_ICFGR]      = {0xc04, 0xcff, 4, VGIC_W | VGIC_PURE, 1, 0, vgic_read_config, vgic_write_config, NULL},
[ROW_NSACR]      = {0xe00, 0xeff, 4, VGIC_W,  0, 0, NULL, NULL, "one security state"},
[ROW_SGIR]       = {0xf00, 0xf03, 4, VGIC_W,  0, 0, NULL, write_sgir, "write-only"},
[ROW_CPENDSGIR]  = {0xf10, 0xf1f, 4, VGIC_BW, 0, 0, read_sgi_sources, clear_sgi_sources, NULL},
[ROW_SPENDSGIR]  = {0xf20, 0xf2f, 4, VGIC_BW, 0, 0, read_sgi_sources, set_sgi_sources, NULL},
[ROW_ID]         = {0xfd0, 0xfff, 4, VGIC_W | VGIC_CONST, 0, 0, read_id, NULL, "read-only"},
};

#define AT(offset) ((offset) >> VGIC_GRANULE_SHIFT)
static const uint8_t start[AT(GICD_SIZE)] = {
[AT(0x000)]                 = ROW_CTLR,
[AT(0x080)]                 = ROW_IGROUPR,
[AT(0x100)]                 = ROW_ISENABLER,
[AT(0x180)]                 = ROW_ICENABLER,
[AT(0x200)]                 = ROW_ISPENDR,
[AT(0x280)]                 = ROW_ICPENDR,
[AT(0x300)]                 = ROW_ISACTIVER,
[AT(0x380)]                 = ROW_ICACTIVER,
[AT(0x400) ... AT(0x7fb)]   = ROW_IPRIORITYR,
[AT(0x800) ... AT(0xbfb)]   = ROW_ITARGETSR,
[AT(0xc00)]                 = ROW_ICFGR0,
[AT(0xc80)]                 = ROW_ICFGR,
[AT(0xd00) ... AT(0xdff)]   = ROW_NSACR,
[AT(0xe00) ... AT(0xeff)]   = ROW_NSACR,
[AT(0xf00)]                 = ROW_SGIR,
[AT(0xf80)]                 = ROW_ID,
};
// clang-format on

const struct vgic_frame vgicv2_distributor = {
        .rows = rows,
        .nr_rows = ARRAY_SIZE(rows),
        .start = start,
        .size = GICD_SIZE,
};

// The same functions serve both ways, as a handler declines only in a fast exit.

static uint64_t quick_read_gicd(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	const struct vgic_access access = {.self = vcpu, .owner = vcpu};
	return vgic_frame_quick_read(&vgicv2_distributor, access, offset, size);
}

static uint64_t quick_take_gicd(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	const struct vgic_access access = {.self = vcpu, .owner = vcpu};
	return vgic_frame_read(&vgicv2_distributor, access, offset, size);
}

static bool read_gicd(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t *value)
{
	*value = quick_take_gicd(dev, vcpu, offset, size);
	return true;
}

static bool write_gicd(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size,
                       uint64_t value)
{
	const struct vgic_access access = {.self = vcpu, .owner = vcpu};
	return vgic_frame_write(&vgicv2_distributor, access, offset, size, value);
}

static const struct mmio_ops gicd_ops = {
        .name = "GICv2 distributor",
        .read = read_gicd,
        .write = write_gicd,
        .quick_read = quick_read_gicd,
        .quick_take = quick_take_gicd,
        .quick_write = write_gicd,
};

void vgicv2_reset(struct vgic *vgic)
{
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++)
		vgic->vm->vcpu[id]->gic->bank.enabled = VGIC_SGIS;
	for (uint32_t spi = 0; spi < VGIC_NR_SPIS; spi++) {
		vgic->target[spi] = 0;
		vgic_set_targets(vgic, spi, vgic->nr_vcpus == 1 ? 1 : 0);
	}
}

int vgicv2_create(struct vgic *vgic)
{
	if (vgic->nr_vcpus > 8)
		return ERR_INVALID;
	return mmio_add(&vgic->vm->mmio, VGIC_GICD_BASE, GICD_SIZE, &gicd_ops, vgic);
}
