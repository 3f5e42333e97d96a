// SPDX-License-Identifier: Apache-2.0
/*
 * Rows that are one instruction and whatever it is trapped into: calls, registers of the GIC, the UART, an empty
 * virtio slot, an ID register. Each is tried once before it is measured: where it ends in an exception, the row says so.
 * Source: Arm SMC Calling Convention, "Function Identifiers"; Xen public/arch-arm.h, "hypercall calling convention".
 */
#include "bench.h"

#define XEN_HYPERCALL     0xea1
#define XEN_VERSION       17ul /* x16; x0 = 0: XENVER_version */
#define KVM_FEATURES      0x86000000u
#define SPARE_SPI_BIT     BIT(31) /* INTID 63, which nobody has on these machines */
#define HELD_SGI          1
#define UART_DR           0x000
#define UART_FR           0x018
#define UART_FR_TXFF      BIT(5)
#define CHARACTERS_A_LINE 64

#define SMCCC_CLOBBERS                                                                          \
	"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", \
	        "x14", "x15", "x16", "x17", "memory"

static u64 call(u64 function)
{
	if (platform.psci_smc)
		return TIMED("mov x0, %[f]\n\tsmc #0", [f] "r"(function) : SMCCC_CLOBBERS);
	return TIMED("mov x0, %[f]\n\thvc #0", [f] "r"(function) : SMCCC_CLOBBERS);
}

static u64 call_xen(void)
{
	return TIMED("mov x0, #0\n\tmov x16, %[n]\n\thvc %[tag]", [n] "r"(XEN_VERSION),
	             [tag] "i"(XEN_HYPERCALL)
	             : SMCCC_CLOBBERS);
}

static const char *null_prepare(void)
{
	return bench_machine() == ON_BARE ? "nothing answers" : NULL;
}

static u64 null_call(void)
{
	switch (bench_machine()) {
	case ON_MEZZO: return call(MEZZO_NULL);
	case ON_XEN: return call_xen();
	default: return call(KVM_FEATURES);
	}
}

static u64 psci_version(void)
{
	return call(PSCI_VERSION);
}

static u64 smccc_version(void)
{
	return call(SMCCC_VERSION);
}

#define ISR_I BIT(7) /* Arm ARM, "ISR_EL1, Interrupt Status Register" */

/* One interrupt waits in a list register and cannot be taken. */
static const char *hold_interrupt(void)
{
	irq_disable();
	gic_enable(HELD_SGI);
	sgi_send(sgi_value(HELD_SGI, 0));
	/* Not the distributor's pending register, which Xen always reads as 0. */
	return WAIT_FOR((read_sysreg(isr_el1) & ISR_I) != 0, 1000)
	               ? NULL
	               : "the interrupt does not become pending";
}

static void drop_interrupt(void)
{
	(void)end_interrupt();
	irq_enable();
}

/* ---- device registers ---- */

static u64 target, target_value;

static u64 load(void)
{
	return TIMED("ldr wzr, [%[at]]", [at] "r"(target) : "memory");
}

static u64 store(void)
{
	return TIMED("str %w[v], [%[at]]", [at] "r"(target), [v] "r"(target_value) : "memory");
}

static const char *try_load(u64 address)
{
	struct exc_record r;

	target = address;
	r = EXC_OF((void)read32(address));
	return r.count == 0 ? NULL : "the load ends in an exception";
}

static const char *try_store(u64 address, u64 value)
{
	struct exc_record r;

	target = address;
	target_value = value;
	r = EXC_OF(write32(address, (u32)value));
	return r.count == 0 ? NULL : "the store ends in an exception";
}

static const char *gicd_typer(void)
{
	return try_load(platform.gicd + GICD_TYPER);
}

static const char *gicd_enable_read(void)
{
	return try_load(platform.gicd + GICD_ISENABLER + 4);
}

static const char *gicd_enable_write(void)
{
	return try_store(platform.gicd + GICD_ISENABLER + 4, SPARE_SPI_BIT);
}

static const char *gicr_typer(void)
{
	return platform.gic_version == 3 ? try_load(gic_redist(0) + GICR_TYPER)
	                                 : "a GICv2 has none";
}

/* SGIs and PPIs: in the redistributor of a GICv3, banked in the distributor of a GICv2. */
static const char *private_read(void)
{
	return try_load(gic_base(0) + GICD_ISENABLER);
}

static const char *private_write(void)
{
	return try_store(gic_base(0) + GICD_ISENABLER, BIT(HELD_SGI));
}

static const char *uart_status(void)
{
	return try_load(platform.uart + UART_FR);
}

static u64 uart_character(void)
{
	static unsigned column;

	if (++column % CHARACTERS_A_LINE == 0)
		print_raw("\n");
	while ((read32(platform.uart + UART_FR) & UART_FR_TXFF) != 0)
		__asm__ volatile("yield");
	target = platform.uart + UART_DR;
	target_value = '.';
	return store();
}

static void uart_finish(void)
{
	print_raw("\n");
}

static const char *virtio_slot(void)
{
	if (platform.virtio_count == 0)
		return "the tree has no slot";
	return try_load(platform.virtio[platform.virtio_count - 1]);
}

static u64 id_register(void)
{
	return TIMED("mrs xzr, id_aa64mmfr0_el1", : "memory");
}

const struct row rows_trap[] = {
        {.name = "null", .prepare = null_prepare, .once = null_call},
        {.name = "psci_version", .once = psci_version},
        {.name = "psci_version_held",
         .prepare = hold_interrupt,
         .once = psci_version,
         .finish = drop_interrupt},
        {.name = "smccc_version", .once = smccc_version},
        {.name = "gicd_typer", .prepare = gicd_typer, .once = load},
        {.name = "gicd_isenabler1_read", .prepare = gicd_enable_read, .once = load},
        {.name = "gicd_isenabler1_write", .prepare = gicd_enable_write, .once = store},
        {.name = "gicr_typer", .prepare = gicr_typer, .once = load},
        {.name = "isenabler0_read", .prepare = private_read, .once = load},
        {.name = "isenabler0_write", .prepare = private_write, .once = store},
        {.name = "pl011_status", .prepare = uart_status, .once = load},
        {.name = "pl011_character",
         .once = uart_character,
         .finish = uart_finish,
         .most = 192,
         .warm = 16},
        {.name = "virtio_slot", .prepare = virtio_slot, .once = load},
        {.name = "id_register", .once = id_register},
        {0},
};
