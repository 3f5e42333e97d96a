// SPDX-License-Identifier: Apache-2.0
// Delivery back end: GICv2 list registers, the GICH device registers, banked by CPU at one address.
//
// Called by vgic_lr.c through the table at the end, on the CPU whose registers are meant.
// Invariant: GICH_HCR.En is set only while a vCPU is loaded; what no loaded vCPU uses is zero.
// Each access goes over the bus, so none is made that the caller did not need.
// Source: Arm GIC Architecture Specification v2, "The virtual interface control registers".
#include "arm/io.h"
#include "vdev/vgic_state.h"

#define GICH_HCR  0x000
#define GICH_VTR  0x004
#define GICH_VMCR 0x008
#define GICH_APR  0x0f0
#define GICH_LR   0x100 // + 4 * n

#define HCR_EN        BIT_U32(0)
#define HCR_LRENPIE   BIT_U32(2) // maintenance interrupt while EOICount is not 0
#define HCR_NPIE      BIT_U32(3) // ... while no list register is pending
#define HCR_EOI_COUNT GENMASK_U64(31, 27)

#define VMCR_EOIM BIT_U32(9)

#define VTR_LIST_REGS GENMASK_U64(5, 0) // less one

// A list register here; the bits of each pair are in the order of GICv3's.
#define LR_INTID    GENMASK_U64(9, 0)
#define LR_PHYSICAL GENMASK_U64(19, 10) // with HW
#define LR_SOURCE   GENMASK_U64(12, 10) // without HW
#define LR_EOI      BIT_U64(19)         // without HW
#define LR_PRIORITY GENMASK_U64(27, 23)
#define LR_STATE    GENMASK_U64(29, 28)
#define LR_KIND     GENMASK_U64(31, 30) // HW, group 1
#define LR_HW       BIT_U64(31)

#define V3_KIND (VGIC_LR_HW | VGIC_LR_GROUP1)

#define PRIORITY_SHIFT 3 // five of eight bits

// Fixed after probe.
static struct {
	uintptr_t base;
	uint32_t nr_lrs;
} host;

static uint32_t probe(uintptr_t base)
{
	host.base = base;
	host.nr_lrs = (uint32_t)field_get(VTR_LIST_REGS, io_read32(base + GICH_VTR)) + 1;
	if (host.nr_lrs > VGIC_MAX_LRS)
		host.nr_lrs = VGIC_MAX_LRS;
	return host.nr_lrs;
}

static uint64_t read_lr(uint32_t index)
{
	uint64_t v2 = io_read32(host.base + GICH_LR + 4 * index);
	uint64_t lr = field_get(LR_INTID, v2) |
	              field_put(VGIC_LR_PRIORITY, field_get(LR_PRIORITY, v2) << PRIORITY_SHIFT) |
	              field_put(VGIC_LR_STATE, field_get(LR_STATE, v2)) |
	              field_put(V3_KIND, field_get(LR_KIND, v2));
	if (v2 & LR_HW) {
		lr |= field_put(VGIC_LR_PHYSICAL, field_get(LR_PHYSICAL, v2));
	} else {
		lr |= field_put(VGIC_LR_SOURCE, field_get(LR_SOURCE, v2));
		lr |= v2 & LR_EOI ? VGIC_LR_EOI : 0;
	}
	return lr;
}

static void write_lr(uint32_t index, uint64_t lr)
{
	uint64_t v2 = field_put(LR_INTID, field_get(VGIC_LR_INTID, lr)) |
	              field_put(LR_PRIORITY, field_get(VGIC_LR_PRIORITY, lr) >> PRIORITY_SHIFT) |
	              field_put(LR_STATE, field_get(VGIC_LR_STATE, lr)) |
	              field_put(LR_KIND, field_get(V3_KIND, lr));
	if (lr & VGIC_LR_HW) {
		v2 |= field_put(LR_PHYSICAL, field_get(VGIC_LR_PHYSICAL, lr));
	} else {
		v2 |= field_put(LR_SOURCE, field_get(VGIC_LR_SOURCE, lr));
		v2 |= lr & VGIC_LR_EOI ? LR_EOI : 0;
	}
	io_write32(host.base + GICH_LR + 4 * index, (uint32_t)v2);
}

static void init_cpu(void)
{
	io_write32(host.base + GICH_HCR, 0);
	for (uint32_t i = 0; i < host.nr_lrs; i++)
		io_write32(host.base + GICH_LR + 4 * i, 0);
}

static void reset(struct vgic_interface *interface)
{
	// Groups off, everything masked; the binary points clamp themselves to their minimum.
	*interface = (struct vgic_interface){.vmcr = 0};
}

static void load(const struct vgic_interface *interface)
{
	io_write32(host.base + GICH_VMCR, (uint32_t)interface->vmcr);
	io_write32(host.base + GICH_APR, interface->apr0[0]);
	io_write32(host.base + GICH_HCR, HCR_EN);
}

static void save(struct vgic_interface *interface)
{
	interface->vmcr = io_read32(host.base + GICH_VMCR);
	interface->apr0[0] = io_read32(host.base + GICH_APR);
	io_write32(host.base + GICH_HCR, 0);
}

static void control(uint32_t notify)
{
	uint32_t hcr = HCR_EN;
	if (notify & VGIC_NOTIFY_NO_PENDING)
		hcr |= HCR_NPIE;
	if (notify & VGIC_NOTIFY_EOI)
		hcr |= HCR_LRENPIE;
	io_write32(host.base + GICH_HCR, hcr); // EOICount: 0
}

static bool split(void)
{
	return (io_read32(host.base + GICH_VMCR) & VMCR_EOIM) != 0;
}

// GICv2 cannot trap GICV_DIR, so with EOImode = 1 what ends outside the list registers is taken to
// be the most urgent active interrupt, as with EOImode = 0.
static uint32_t take_eois(void)
{
	uint32_t hcr = io_read32(host.base + GICH_HCR);
	uint32_t count = (uint32_t)field_get(HCR_EOI_COUNT, hcr);
	if (count != 0)
		io_write32(host.base + GICH_HCR, hcr & ~(uint32_t)HCR_EOI_COUNT);
	return count;
}

const struct vgic_backend vgic_lr_v2 = {
        .name = "GICv2 list registers",
        .serves = BIT_U32(2),
        .probe = probe,
        .init_cpu = init_cpu,
        .reset = reset,
        .load = load,
        .save = save,
        .read_lr = read_lr,
        .write_lr = write_lr,
        .control = control,
        .split = split,
        .take_eois = take_eois,
};
