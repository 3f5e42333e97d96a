// SPDX-License-Identifier: Apache-2.0
// Delivery back end: GICv3 list registers, the ICH_* system registers of the running CPU.
//
// Called by vgic_lr.c through the table at the end, on the CPU whose registers are meant.
// Invariant: ICH_HCR_EL2.En is set only while a vCPU is loaded; what no loaded vCPU uses is zero.
// A list register that was written is read back without a barrier (same register); everything else
// that depends on it takes effect at the return to the guest.
// Source: Arm GIC Architecture Specification v3/v4, "AArch64 virtualization control System registers".
#include "arm/barrier.h"
#include "arm/sysreg.h"
#include "vdev/vgic_state.h"

#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP0R1_EL2 S3_4_C12_C8_1
#define ICH_AP0R2_EL2 S3_4_C12_C8_2
#define ICH_AP0R3_EL2 S3_4_C12_C8_3
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_AP1R1_EL2 S3_4_C12_C9_1
#define ICH_AP1R2_EL2 S3_4_C12_C9_2
#define ICH_AP1R3_EL2 S3_4_C12_C9_3
#define ICH_LR2_EL2   S3_4_C12_C12_2
#define ICH_LR3_EL2   S3_4_C12_C12_3
#define ICH_LR4_EL2   S3_4_C12_C12_4
#define ICH_LR5_EL2   S3_4_C12_C12_5
#define ICH_LR6_EL2   S3_4_C12_C12_6
#define ICH_LR7_EL2   S3_4_C12_C12_7
#define ICH_LR8_EL2   S3_4_C12_C13_0
#define ICH_LR9_EL2   S3_4_C12_C13_1
#define ICH_LR10_EL2  S3_4_C12_C13_2
#define ICH_LR11_EL2  S3_4_C12_C13_3
#define ICH_LR12_EL2  S3_4_C12_C13_4
#define ICH_LR13_EL2  S3_4_C12_C13_5
#define ICH_LR14_EL2  S3_4_C12_C13_6
#define ICH_LR15_EL2  S3_4_C12_C13_7

#define ICH_HCR_EN        BIT_U64(0)
#define ICH_HCR_LRENPIE   BIT_U64(2)  // maintenance interrupt while EOIcount is not 0
#define ICH_HCR_NPIE      BIT_U64(3)  // ... while no list register is pending
#define ICH_HCR_TC        BIT_U64(10) // traps: what both groups use, group 0, group 1
#define ICH_HCR_TALL0     BIT_U64(11)
#define ICH_HCR_TALL1     BIT_U64(12)
#define ICH_HCR_TDIR      BIT_U64(14)
#define ICH_HCR_EOI_COUNT GENMASK_U64(31, 27)
// While no vCPU with this interface is loaded: one without it finds no registers, and nothing of the one before.
#define ICH_HCR_NOBODY    (ICH_HCR_TC | ICH_HCR_TALL0 | ICH_HCR_TALL1)

#define ICH_VTR_LIST_REGS GENMASK_U64(4, 0)   // less one
#define ICH_VTR_TDS       BIT_U64(19)         // TDIR works
#define ICH_VTR_PRE_BITS  GENMASK_U64(28, 26) // less one

#define ICH_VMCR_EOIM BIT_U64(9)

#define ICC_SRE_EL1_ON 7u // system registers, no bypass of IRQ and FIQ

// What the board has. Fixed after probe.
static struct {
	uint32_t nr_lrs;
	uint32_t nr_aprs; // of each group: 1, 2 or 4
	bool dir_traps;
} host;

static uint32_t probe(uintptr_t base UNUSED)
{
	uint64_t vtr = read_sysreg(ICH_VTR_EL2);
	uint32_t preemption_bits = (uint32_t)field_get(ICH_VTR_PRE_BITS, vtr) + 1;
	host.nr_lrs = (uint32_t)field_get(ICH_VTR_LIST_REGS, vtr) + 1;
	if (host.nr_lrs > VGIC_MAX_LRS)
		host.nr_lrs = VGIC_MAX_LRS;
	host.nr_aprs = preemption_bits >= 7 ? 4 : preemption_bits == 6 ? 2 : 1;
	host.dir_traps = (vtr & ICH_VTR_TDS) != 0;
	return host.nr_lrs;
}

#define LR_LIST(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static uint64_t read_lr(uint32_t index)
{
	switch (index) {
#define READ(n) \
	case n: return read_sysreg(ICH_LR##n##_EL2);
		LR_LIST(READ)
	default: return 0;
	}
}

static void write_lr(uint32_t index, uint64_t lr)
{
	switch (index) {
#define WRITE(n) \
	case n: write_sysreg(lr, ICH_LR##n##_EL2); break;
		LR_LIST(WRITE)
	default: break;
	}
}

static void init_cpu(void)
{
	write_sysreg(ICH_HCR_NOBODY, ICH_HCR_EL2);
	for (uint32_t i = 0; i < host.nr_lrs; i++)
		write_lr(i, 0);
}

static void reset(struct vgic_interface *interface)
{
	// Groups off, everything masked; the binary points clamp themselves to their minimum.
	*interface = (struct vgic_interface){.vmcr = 0};
}

static void load(const struct vgic_interface *interface)
{
	// First: it says how ICH_VMCR_EL2 is understood.
	write_sysreg(ICC_SRE_EL1_ON, ICC_SRE_EL1);
	isb();
	write_sysreg(interface->vmcr, ICH_VMCR_EL2);
	write_sysreg(interface->apr0[0], ICH_AP0R0_EL2);
	write_sysreg(interface->apr1[0], ICH_AP1R0_EL2);
	if (host.nr_aprs >= 2) {
		write_sysreg(interface->apr0[1], ICH_AP0R1_EL2);
		write_sysreg(interface->apr1[1], ICH_AP1R1_EL2);
	}
	if (host.nr_aprs == 4) {
		write_sysreg(interface->apr0[2], ICH_AP0R2_EL2);
		write_sysreg(interface->apr1[2], ICH_AP1R2_EL2);
		write_sysreg(interface->apr0[3], ICH_AP0R3_EL2);
		write_sysreg(interface->apr1[3], ICH_AP1R3_EL2);
	}
	write_sysreg(ICH_HCR_EN, ICH_HCR_EL2);
}

static void save(struct vgic_interface *interface)
{
	interface->vmcr = read_sysreg(ICH_VMCR_EL2);
	interface->apr0[0] = (uint32_t)read_sysreg(ICH_AP0R0_EL2);
	interface->apr1[0] = (uint32_t)read_sysreg(ICH_AP1R0_EL2);
	if (host.nr_aprs >= 2) {
		interface->apr0[1] = (uint32_t)read_sysreg(ICH_AP0R1_EL2);
		interface->apr1[1] = (uint32_t)read_sysreg(ICH_AP1R1_EL2);
	}
	if (host.nr_aprs == 4) {
		interface->apr0[2] = (uint32_t)read_sysreg(ICH_AP0R2_EL2);
		interface->apr1[2] = (uint32_t)read_sysreg(ICH_AP1R2_EL2);
		interface->apr0[3] = (uint32_t)read_sysreg(ICH_AP0R3_EL2);
		interface->apr1[3] = (uint32_t)read_sysreg(ICH_AP1R3_EL2);
	}
	write_sysreg(ICH_HCR_NOBODY, ICH_HCR_EL2);
}

static void control(uint32_t notify)
{
	uint64_t hcr = ICH_HCR_EN;
	if (notify & VGIC_NOTIFY_NO_PENDING)
		hcr |= ICH_HCR_NPIE;
	if (notify & VGIC_NOTIFY_EOI)
		hcr |= ICH_HCR_LRENPIE | (host.dir_traps ? ICH_HCR_TDIR : 0);
	write_sysreg(hcr, ICH_HCR_EL2); // EOIcount: 0
}

static bool split(void)
{
	return (read_sysreg(ICH_VMCR_EL2) & ICH_VMCR_EOIM) != 0;
}

static uint32_t take_eois(void)
{
	uint64_t hcr = read_sysreg(ICH_HCR_EL2);
	uint32_t count = (uint32_t)field_get(ICH_HCR_EOI_COUNT, hcr);
	if (count == 0)
		return 0;
	write_sysreg(hcr & ~ICH_HCR_EOI_COUNT, ICH_HCR_EL2);
	// With EOImode = 1 these only dropped priorities; the deactivations trapped.
	if ((hcr & ICH_HCR_TDIR) && split())
		return 0;
	return count;
}

const struct vgic_backend vgic_lr_v3 = {
        .name = "GICv3 list registers",
        .serves = BIT_U32(3),
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
