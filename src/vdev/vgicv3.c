// SPDX-License-Identifier: Apache-2.0
// GICv3 as a guest sees it: the register tables of the distributor and of each vCPU's redistributor,
// and the system registers that trap. One security state (GICD_CTLR.DS = 1), affinity routing always
// on, no LPIs, no ITS, no message-based SPIs; 1-of-N routing works. The CPU interface is the hardware's.
//
// Called through the VM's MMIO map and by the trap layer. Owns no state of its own: struct vgic.
// Source: Arm GIC Architecture Specification v3/v4, "The GIC Distributor register descriptions",
// "The GIC Redistributor register descriptions", "Forwarding an SGI to a target PE".
#include "vdev/vgicv3.h"

#include "vdev/vgic_reg.h"

#define GIC_FRAME_SIZE 0x10000

#define CTLR_ARE BIT_U32(4)
#define CTLR_DS  BIT_U32(6)

#define TYPER_LINES   (VGIC_WORDS - 1u)      // bits 4:0: words of 32 interrupts, less one
#define TYPER_ID_BITS ((ID_BITS - 1u) << 19) // bits 23:19: bits of an INTID, less one
#define ID_BITS       10                     // without LPIs no INTID needs more

#define ROUTE_ANY      BIT_U64(31) // any one vCPU
#define ROUTE_AFFINITY (GENMASK_U64(39, 32) | GENMASK_U64(23, 0))

#define GICR_TYPER_LAST   BIT_U64(4)
#define GICR_TYPER_NUMBER GENMASK_U64(23, 8)
#define GICR_TYPER_AFF3   GENMASK_U64(63, 56)
#define GICR_TYPER_AFF    GENMASK_U64(55, 32)

#define WAKER_PROCESSOR_SLEEP BIT_U32(1)
#define WAKER_CHILDREN_ASLEEP BIT_U32(2)

#define SGIR_TARGETS GENMASK_U64(15, 0)
#define SGIR_AFF1    GENMASK_U64(23, 16)
#define SGIR_INTID   GENMASK_U64(27, 24)
#define SGIR_AFF2    GENMASK_U64(39, 32)
#define SGIR_OTHERS  BIT_U64(40)
#define SGIR_RANGE   GENMASK_U64(47, 44)
#define SGIR_AFF3    GENMASK_U64(55, 48)

#define DIR_INTID GENMASK_U64(23, 0)

// ---- distributor ----

static uint64_t read_ctlr(struct vgic_access access, uint32_t index UNUSED)
{
	return load_relaxed(&access.self->vm->gic->ctlr) | CTLR_ARE | CTLR_DS;
}

static uint32_t route_targets(const struct vgic *vgic, uint64_t route)
{
	uint32_t targets = 0;
	if (route & ROUTE_ANY)
		return vgic_all_vcpus(vgic);
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++)
		if (vgic_affinity(id) == (route & ROUTE_AFFINITY))
			targets |= BIT_U32(id);
	return targets;
}

static uint64_t read_route(struct vgic_access access, uint32_t index)
{
	uint32_t spi;
	return vgic_bound(index, VGIC_NR_SPIS, &spi)
	               ? load_relaxed(&access.self->vm->gic->route[spi])
	               : 0;
}

static bool write_route(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes)
{
	struct vgic *vgic = access.self->vm->gic;
	struct vgic_op op;
	uint32_t spi;
	if (!vgic_bound(index, VGIC_NR_SPIS, &spi))
		return true;
	uint32_t word = (spi >> 5) + 1, bit = BIT_U32(spi & 31);
	if (!vgic_op_begin(&op, access.self, access.owner, word, bit))
		return false;
	uint64_t route = (vgic->route[spi] & ~lanes) | (value & lanes);
	route &= ROUTE_ANY | ROUTE_AFFINITY;
	store_relaxed(&vgic->route[spi], route);
	vgic_set_targets(vgic, spi, route_targets(vgic, route));
	vgic_op_changed(&op, word, bit);
	vgic_op_end(&op);
	return true;
}

// ---- redistributor ----

static uint64_t read_gicr_typer(struct vgic_access access, uint32_t index UNUSED)
{
	uint32_t id = access.owner->id;
	uint64_t affinity = vgic_affinity(id);
	uint64_t typer = field_put(GICR_TYPER_NUMBER, id) | field_put(GICR_TYPER_AFF, affinity) |
	                 field_put(GICR_TYPER_AFF3, affinity >> 32);
	return id == access.self->vm->gic->nr_vcpus - 1 ? typer | GICR_TYPER_LAST : typer;
}

static uint64_t read_waker(struct vgic_access access, uint32_t index UNUSED)
{
	return load_relaxed(&access.owner->gic->waker);
}

// Going to sleep takes no time. It does not hold interrupts back, and neither does QEMU's: programs
// that never wake their redistributor run on it.
static bool write_waker(struct vgic_access access, uint32_t index UNUSED, uint64_t value,
                        uint64_t lanes UNUSED)
{
	uint32_t waker =
	        value & WAKER_PROCESSOR_SLEEP ? WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
	store_relaxed(&access.owner->gic->waker, waker);
	return true;
}

// ---- identification ----

static uint64_t id_value(uint32_t index, uint8_t part)
{
	// PIDR4-7, PIDR0-3, CIDR0-3: Arm, GIC architecture 3.
	static const uint8_t id[] = {0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
	uint32_t i;
	if (!vgic_bound(index, ARRAY_SIZE(id), &i))
		return 0;
	return i == 4 ? part : id[i];
}

static uint64_t read_gicd_id(struct vgic_access access UNUSED, uint32_t index)
{
	return id_value(index, 0x92);
}

static uint64_t read_gicr_id(struct vgic_access access UNUSED, uint32_t index)
{
	return id_value(index, 0x93);
}

// ---- the tables ----

#define AT(offset) ((offset) >> VGIC_GRANULE_SHIFT)
static const char in_redistributor[] = "affinity routing is on: private interrupts are in GICR";

enum gicd_row {
	GICD_CTLR,
	GICD_TYPER,
	GICD_IIDR,
	GICD_TYPER2,
	GICD_STATUSR,
	GICD_SETSPI,
	GICD_IGROUPR0,
	GICD_IGROUPR,
	GICD_ISENABLER0,
	GICD_ISENABLER,
	GICD_ICENABLER0,
	GICD_ICENABLER,
	GICD_ISPENDR0,
	GICD_ISPENDR,
	GICD_ICPENDR0,
	GICD_ICPENDR,
	GICD_ISACTIVER0,
	GICD_ISACTIVER,
	GICD_ICACTIVER0,
	GICD_ICACTIVER,
	GICD_IPRIORITYR0,
	GICD_IPRIORITYR,
	GICD_ITARGETSR,
	GICD_ICFGR0,
	GICD_ICFGR,
	GICD_IGRPMODR,
	GICD_NSACR,
	GICD_SGIR,
	GICD_SGI_PENDING,
	GICD_IROUTER,
	GICD_ID,
};

// clang-format off
static const struct vgic_reg gicd_rows[] = {
[GICD_CTLR]        = {0x0000, 0x0003, 4, VGIC_W | VGIC_PURE, 0, 0, read_ctlr, vgic_write_ctlr, NULL},
[GICD_TYPER]       = {0x0004, 0x0007, 4, VGIC_W,  0, TYPER_LINES | TYPER_ID_BITS, NULL, NULL, "read-only"},
[GICD_IIDR]        = {0x0008, 0x000b, 4, VGIC_W,  0, VGIC_IIDR, NULL, NULL, "read-only"},
[GICD_TYPER2]      = {0x000c, 0x000f, 4, VGIC_W,  0, 0, NULL, NULL, "no GICv4.1"},
[GICD_STATUSR]     = {0x0010, 0x0013, 4, VGIC_W,  0, 0, NULL, NULL, "optional: access errors are not recorded"},
[GICD_SETSPI]      = {0x0040, 0x005f, 4, VGIC_W,  0, 0, NULL, NULL, "GICD_TYPER.MBIS = 0: no message-based SPIs"},
[GICD_IGROUPR0]    = {0x0080, 0x0083, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_IGROUPR]     = {0x0084, 0x00ff, 4, VGIC_W | VGIC_PURE, 1, 0, vgic_read_group, vgic_write_group, NULL},
[GICD_ISENABLER0]  = {0x0100, 0x0103, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ISENABLER]   = {0x0104, 0x017f, 4, VGIC_W | VGIC_PURE, 1, 0, vgic_read_enabled, vgic_set_enabled, NULL},
[GICD_ICENABLER0]  = {0x0180, 0x0183, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ICENABLER]   = {0x0184, 0x01ff, 4, VGIC_W | VGIC_PURE, 1, 0, vgic_read_enabled, vgic_clear_enabled, NULL},
[GICD_ISPENDR0]    = {0x0200, 0x0203, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ISPENDR]     = {0x0204, 0x027f, 4, VGIC_W,  1, 0, vgic_read_pending, vgic_set_pending, NULL},
[GICD_ICPENDR0]    = {0x0280, 0x0283, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ICPENDR]     = {0x0284, 0x02ff, 4, VGIC_W,  1, 0, vgic_read_pending, vgic_clear_pending, NULL},
[GICD_ISACTIVER0]  = {0x0300, 0x0303, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ISACTIVER]   = {0x0304, 0x037f, 4, VGIC_W,  1, 0, vgic_read_active, vgic_set_active, NULL},
[GICD_ICACTIVER0]  = {0x0380, 0x0383, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ICACTIVER]   = {0x0384, 0x03ff, 4, VGIC_W,  1, 0, vgic_read_active, vgic_clear_active, NULL},
[GICD_IPRIORITYR0] = {0x0400, 0x041f, 4, VGIC_BW, 0, 0, NULL, NULL, in_redistributor},
[GICD_IPRIORITYR]  = {0x0420, 0x07fb, 4, VGIC_BW | VGIC_PURE, 8, 0, vgic_read_priority, vgic_write_priority, NULL},
[GICD_ITARGETSR]   = {0x0800, 0x0bfb, 4, VGIC_BW, 0, 0, NULL, NULL, "affinity routing is on: GICD_IROUTER"},
[GICD_ICFGR0]      = {0x0c00, 0x0c07, 4, VGIC_W,  0, 0, NULL, NULL, in_redistributor},
[GICD_ICFGR]       = {0x0c08, 0x0cff, 4, VGIC_W | VGIC_PURE, 2, 0, vgic_read_config, vgic_write_config, NULL},
[GICD_IGRPMODR]    = {0x0d00, 0x0d7f, 4, VGIC_W,  0, 0, NULL, NULL, "GICD_CTLR.DS = 1: one security state"},
[GICD_NSACR]       = {0x0e00, 0x0eff, 4, VGIC_W,  0, 0, NULL, NULL, "GICD_CTLR.DS = 1: one security state"},
[GICD_SGIR]        = {0x0f00, 0x0f03, 4, VGIC_W,  0, 0, NULL, NULL, "affinity routing is on: ICC_SGI1R_EL1"},
[GICD_SGI_PENDING] = {0x0f10, 0x0f2f, 4, VGIC_BW, 0, 0, NULL, NULL, "affinity routing is on: SGIs have no source"},
[GICD_IROUTER]     = {0x6100, 0x7fdf, 8, VGIC_WD | VGIC_PURE, 0, 0, read_route, write_route, NULL},
[GICD_ID]          = {0xffd0, 0xffff, 4, VGIC_W | VGIC_CONST, 0, 0, read_gicd_id, NULL, "read-only"},
};

static const uint8_t gicd_start[AT(GIC_FRAME_SIZE)] = {
[AT(0x0000)]                = GICD_CTLR,
[AT(0x0080)]                = GICD_IGROUPR0,
[AT(0x0100)]                = GICD_ISENABLER0,
[AT(0x0180)]                = GICD_ICENABLER0,
[AT(0x0200)]                = GICD_ISPENDR0,
[AT(0x0280)]                = GICD_ICPENDR0,
[AT(0x0300)]                = GICD_ISACTIVER0,
[AT(0x0380)]                = GICD_ICACTIVER0,
[AT(0x0400)]                = GICD_IPRIORITYR0,
[AT(0x0480) ... AT(0x07fb)] = GICD_IPRIORITYR,
[AT(0x0800) ... AT(0x0bfb)] = GICD_ITARGETSR,
[AT(0x0c00)]                = GICD_ICFGR0,
[AT(0x0c80)]                = GICD_ICFGR,
[AT(0x0d00) ... AT(0x0dff)] = GICD_IGRPMODR,
[AT(0x0e00) ... AT(0x0eff)] = GICD_NSACR,
[AT(0x0f00) ... AT(0x0fff)] = GICD_SGIR,
[AT(0x1000) ... AT(0x7fff)] = GICD_IROUTER,
[AT(0x8000) ... AT(0xffff)] = GICD_ID,
};

enum rd_row { RD_CTLR, RD_IIDR, RD_TYPER, RD_STATUSR, RD_WAKER, RD_LPI, RD_ID };

static const struct vgic_reg rd_rows[] = {
[RD_CTLR]    = {0x0000, 0x0003, 4, VGIC_W,  0, 0, NULL, NULL, "no LPIs to enable, no DPG bits, writes take effect at once"},
[RD_IIDR]    = {0x0004, 0x0007, 4, VGIC_W,  0, VGIC_IIDR, NULL, NULL, "read-only"},
[RD_TYPER]   = {0x0008, 0x000f, 8, VGIC_WD | VGIC_CONST, 0, 0, read_gicr_typer, NULL, "read-only"},
[RD_STATUSR] = {0x0010, 0x0013, 4, VGIC_W,  0, 0, NULL, NULL, "optional: access errors are not recorded"},
[RD_WAKER]   = {0x0014, 0x0017, 4, VGIC_W | VGIC_PURE, 0, 0, read_waker, write_waker, NULL},
[RD_LPI]     = {0x0040, 0x00cf, 8, VGIC_WD, 0, 0, NULL, NULL, "GICR_TYPER.PLPIS = 0: no LPIs"},
[RD_ID]      = {0xffd0, 0xffff, 4, VGIC_W | VGIC_CONST, 0, 0, read_gicr_id, NULL, "read-only"},
};

static const uint8_t rd_start[AT(GIC_FRAME_SIZE)] = {
[AT(0x0000)]                = RD_CTLR,
[AT(0x0080)]                = RD_LPI,
[AT(0x0100) ... AT(0xffff)] = RD_ID,
};

enum sgi_row {
	SGI_IGROUPR0,
	SGI_ISENABLER0,
	SGI_ICENABLER0,
	SGI_ISPENDR0,
	SGI_ICPENDR0,
	SGI_ISACTIVER0,
	SGI_ICACTIVER0,
	SGI_IPRIORITYR,
	SGI_ICFGR0,
	SGI_ICFGR1,
	SGI_IGRPMODR0,
	SGI_NSACR,
	SGI_REST,
};

static const struct vgic_reg sgi_rows[] = {
[SGI_IGROUPR0]   = {0x0080, 0x0083, 4, VGIC_W | VGIC_PURE, 0, 0, vgic_read_group, vgic_write_group, NULL},
[SGI_ISENABLER0] = {0x0100, 0x0103, 4, VGIC_W | VGIC_PURE, 0, 0, vgic_read_enabled, vgic_set_enabled, NULL},
[SGI_ICENABLER0] = {0x0180, 0x0183, 4, VGIC_W | VGIC_PURE, 0, 0, vgic_read_enabled, vgic_clear_enabled, NULL},
[SGI_ISPENDR0]   = {0x0200, 0x0203, 4, VGIC_W,  0, 0, vgic_read_pending, vgic_set_pending, NULL},
[SGI_ICPENDR0]   = {0x0280, 0x0283, 4, VGIC_W,  0, 0, vgic_read_pending, vgic_clear_pending, NULL},
[SGI_ISACTIVER0] = {0x0300, 0x0303, 4, VGIC_W,  0, 0, vgic_read_active, vgic_set_active, NULL},
[SGI_ICACTIVER0] = {0x0380, 0x0383, 4, VGIC_W,  0, 0, vgic_read_active, vgic_clear_active, NULL},
[SGI_IPRIORITYR] = {0x0400, 0x041f, 4, VGIC_BW | VGIC_PURE, 0, 0, vgic_read_priority, vgic_write_priority, NULL},
[SGI_ICFGR0]     = {0x0c00, 0x0c03, 4, VGIC_W,  0, 0xaaaaaaaa, NULL, NULL, "SGIs are edge-triggered"},
[SGI_ICFGR1]     = {0x0c04, 0x0c07, 4, VGIC_W | VGIC_PURE, 1, 0, vgic_read_config, vgic_write_config, NULL},
[SGI_IGRPMODR0]  = {0x0d00, 0x0d03, 4, VGIC_W,  0, 0, NULL, NULL, "GICD_CTLR.DS = 1: one security state"},
[SGI_NSACR]      = {0x0e00, 0x0e03, 4, VGIC_W,  0, 0, NULL, NULL, "GICD_CTLR.DS = 1: one security state"},
[SGI_REST]       = {0x0e04, 0xffff, 4, VGIC_W,  0, 0, NULL, NULL, "nothing defined"},
};

static const uint8_t sgi_start[AT(GIC_FRAME_SIZE)] = {
[AT(0x0000)]                = SGI_IGROUPR0,
[AT(0x0080)]                = SGI_IGROUPR0,
[AT(0x0100)]                = SGI_ISENABLER0,
[AT(0x0180)]                = SGI_ICENABLER0,
[AT(0x0200)]                = SGI_ISPENDR0,
[AT(0x0280)]                = SGI_ICPENDR0,
[AT(0x0300)]                = SGI_ISACTIVER0,
[AT(0x0380)]                = SGI_ICACTIVER0,
[AT(0x0400) ... AT(0x0bff)] = SGI_IPRIORITYR,
[AT(0x0c00) ... AT(0x0cff)] = SGI_ICFGR0,
[AT(0x0d00) ... AT(0x0dff)] = SGI_IGRPMODR0,
[AT(0x0e00)]                = SGI_NSACR,
[AT(0x0e80) ... AT(0xffff)] = SGI_REST,
};
// clang-format on

const struct vgic_frame vgicv3_distributor = {
        .rows = gicd_rows,
        .nr_rows = ARRAY_SIZE(gicd_rows),
        .start = gicd_start,
        .size = GIC_FRAME_SIZE,
};

// A redistributor's two frames.
const struct vgic_frame vgicv3_redistributor[2] = {
        {.rows = rd_rows,
         .nr_rows = ARRAY_SIZE(rd_rows),
         .start = rd_start,
         .size = GIC_FRAME_SIZE},
        {.rows = sgi_rows,
         .nr_rows = ARRAY_SIZE(sgi_rows),
         .start = sgi_start,
         .size = GIC_FRAME_SIZE},
};

// ---- regions ----
//
// The same functions serve both ways, as a handler declines only in a fast exit.

static uint64_t quick_read_gicd(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	const struct vgic_access access = {.self = vcpu, .owner = vcpu};
	return vgic_frame_quick_read(&vgicv3_distributor, access, offset, size);
}

static uint64_t quick_take_gicd(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	const struct vgic_access access = {.self = vcpu, .owner = vcpu};
	return vgic_frame_read(&vgicv3_distributor, access, offset, size);
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
	return vgic_frame_write(&vgicv3_distributor, access, offset, size, value);
}

// The redistributor that `offset` belongs to: the region has one for each vCPU that exists.
static struct vgic_access gicr_access(struct vcpu *vcpu, uint32_t offset)
{
	uint32_t id;
	vgic_bound(offset / VGIC_GICR_STRIDE, vcpu->vm->nr_vcpus, &id);
	return (struct vgic_access){.self = vcpu, .owner = vcpu->vm->vcpu[id]};
}

static const struct vgic_frame *gicr_frame(uint32_t offset)
{
	return &vgicv3_redistributor[offset / GIC_FRAME_SIZE & 1];
}

static uint64_t quick_read_gicr(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	return vgic_frame_quick_read(gicr_frame(offset), gicr_access(vcpu, offset), offset, size);
}

static uint64_t quick_take_gicr(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size)
{
	return vgic_frame_read(gicr_frame(offset), gicr_access(vcpu, offset),
	                       offset & (GIC_FRAME_SIZE - 1), size);
}

static bool read_gicr(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t *value)
{
	*value = quick_take_gicr(dev, vcpu, offset, size);
	return true;
}

static bool write_gicr(void *dev UNUSED, struct vcpu *vcpu, uint32_t offset, unsigned size,
                       uint64_t value)
{
	return vgic_frame_write(gicr_frame(offset), gicr_access(vcpu, offset),
	                        offset & (GIC_FRAME_SIZE - 1), size, value);
}

static const struct mmio_ops gicd_ops = {
        .name = "GICv3 distributor",
        .read = read_gicd,
        .write = write_gicd,
        .quick_read = quick_read_gicd,
        .quick_take = quick_take_gicd,
        .quick_write = write_gicd,
};

static const struct mmio_ops gicr_ops = {
        .name = "GICv3 redistributors",
        .read = read_gicr,
        .write = write_gicr,
        .quick_read = quick_read_gicr,
        .quick_take = quick_take_gicr,
        .quick_write = write_gicr,
};

// ---- system registers ----

// vCPUs are numbered 16 to a value of affinity 1 (vgic_affinity); nothing else exists.
static NOINLINE void send_far(struct vcpu *vcpu, uint64_t value, bool group1)
{
	const struct vgic *vgic = vcpu->vm->gic;
	uint32_t targets, all = vgic_all_vcpus(vgic);

	if (vgic->version != 3)
		return;
	if (value & SGIR_OTHERS) {
		targets = all & ~BIT_U32(vcpu->id);
	} else {
		if (value & (SGIR_AFF3 | SGIR_AFF2 | SGIR_RANGE))
			return;
		uint64_t first = field_get(SGIR_AFF1, value) * 16;
		if (first >= vgic->nr_vcpus)
			return;
		targets = (uint32_t)(field_get(SGIR_TARGETS, value) << first) & all;
	}
	vgic_send_sgi(vcpu, (uint32_t)field_get(SGIR_INTID, value), targets, group1);
}

void vgicv3_sgi(struct vcpu *vcpu, uint64_t value, enum vgicv3_sgi which)
{
	bool group1 = which == VGICV3_SGI1R;
	uint32_t intid = (uint32_t)field_get(SGIR_INTID, value), target;
	uint64_t targets = value & ~SGIR_INTID;

	// To itself alone: by far the most frequent one in some guests, and cheap.
	if (targets == BIT_U64(vcpu->id) && (vcpu->gic->bank.group1 >> intid & 1) == group1 &&
	    vgic_deliver_now(vcpu->gic, intid))
		return;
	// To one other: the second.
	if (vcpu->vm->gic->version == 3 && targets != 0 && (targets & (targets - 1)) == 0 &&
	    vgic_bound((uint64_t)__builtin_ctzll(targets), vcpu->vm->nr_vcpus, &target) &&
	    target != vcpu->id) {
		vgic_post_sgi(vcpu->vm->vcpu[target], intid, group1);
		return;
	}
	send_far(vcpu, value, group1);
}

void vgicv3_dir(struct vcpu *vcpu, uint64_t value)
{
	const struct vgic_access access = {.self = vcpu, .owner = vcpu};
	uint32_t intid;
	// Without a separate deactivation (EOImode = 0) the register does nothing.
	if (vgic_lr_split(vcpu->gic) &&
	    vgic_bound(field_get(DIR_INTID, value), VGIC_NR_INTIDS, &intid))
		vgic_clear_active(access, intid >> 5, BIT_U32(intid & 31), BIT_U32(intid & 31));
}

// ---- life ----

void vgicv3_reset(struct vgic *vgic)
{
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++)
		vgic->vm->vcpu[id]->gic->waker = WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP;
	for (uint32_t spi = 0; spi < VGIC_NR_SPIS; spi++) {
		vgic->route[spi] = 0;
		vgic_set_targets(vgic, spi, route_targets(vgic, 0));
	}
}

int vgicv3_create(struct vgic *vgic)
{
	int error = mmio_add(&vgic->vm->mmio, VGIC_GICD_BASE, GIC_FRAME_SIZE, &gicd_ops, vgic);
	if (error != 0)
		return error;
	return mmio_add(&vgic->vm->mmio, VGIC_GICR_BASE,
	                (uint64_t)vgic->nr_vcpus * VGIC_GICR_STRIDE, &gicr_ops, vgic);
}
