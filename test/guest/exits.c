// SPDX-License-Identifier: Apache-2.0
/*
 * What one exit takes, each the least of `n=COUNT` (100): from before the instruction that leaves to after it, less
 * what two reads of the counter take with a `nop` in between, plus one for that. Prints
 *
 *   exits: NAME TICKS
 *   exits: end
 *
 * and powers off. Under an emulator whose counter ticks once an instruction these are instructions.
 */
#include "test.h"

#include "gic.h"

#define MOST 100000

static u64 rounds, idle;

/* One measurement: `instruction` between two reads of the counter, with x0 = a and x1 = b. */
#define TICKS(instruction, a, b)                                                          \
	({                                                                                \
		u64 least_ = ~0UL;                                                        \
		for (u64 i_ = 0; i_ < rounds; i_++) {                                     \
			register u64 x0_ __asm__("x0") = (a);                             \
			register u64 x1_ __asm__("x1") = (b);                             \
			u64 from_, to_;                                                   \
			__asm__ volatile("isb\n\tmrs %2, cntvct_el0\n\t" instruction      \
			                 "\n\tmrs %3, cntvct_el0"                         \
			                 : "+r"(x0_), "+r"(x1_), "=&r"(from_), "=&r"(to_) \
			                 :                                                \
			                 : "x2", "x3", "x20", "memory");                  \
			least_ = to_ - from_ < least_ ? to_ - from_ : least_;             \
		}                                                                         \
		least_;                                                                   \
	})

static void say(const char *name, u64 ticks)
{
	print("exits: %s %lu\n", name, ticks - idle + 1);
}

#define SAY(name, instruction, a, b) say(name, TICKS(instruction, a, b))

static void calls(void)
{
	SAY("null", "hvc #0", 0xc6000001, 0);
	SAY("psci-version", "hvc #0", 0x84000000, 0);
	SAY("smccc-version", "hvc #0", 0x80000000, 0);
	SAY("psci-features", "hvc #0", 0x8400000a, 0x84000003);
}

static void devices(void)
{
	u64 gicd = platform.gicd, uart = platform.uart;

	SAY("gicd-typer", "ldr w0, [x1]", 0, gicd + GICD_TYPER);
	SAY("gicd-typer-x20", "ldr w20, [x1]\n\tmov w0, w20", 0, gicd + GICD_TYPER);
	SAY("gicd-isenabler1", "ldr w0, [x1]", 0, gicd + GICD_ISENABLER + 4);
	SAY("gicd-isenabler1-write", "str w0, [x1]", 0, gicd + GICD_ISENABLER + 4);
	SAY("gicd-enable-disable", "str w0, [x1, #-128]\n\tstr w0, [x1]", BIT(31),
	    gicd + GICD_ICENABLER + 4);
	SAY("gicd-ipriorityr8", "ldr w0, [x1]", 0, gicd + GICD_IPRIORITYR + 32);
	SAY("gicd-ispendr1", "ldr w0, [x1]", 0, gicd + GICD_ISPENDR + 4);
	if (platform.gic_version == 3) {
		u64 gicr = gic_redist(0);
		SAY("gicr-typer", "ldr x0, [x1]", 0, gicr + GICR_TYPER);
		SAY("gicr-isenabler0", "ldr w0, [x1]", 0, gicr + GICR_SGI_FRAME + GICD_ISENABLER);
		SAY("gicr-isenabler0-write", "str w0, [x1]", 0,
		    gicr + GICR_SGI_FRAME + GICD_ISENABLER);
		SAY("gicr-icenabler0-write", "str w0, [x1]", 1UL << 9,
		    gicr + GICR_SGI_FRAME + GICD_ICENABLER);
		SAY("gicr-enable-disable", "str w0, [x1, #-128]\n\tstr w0, [x1]", BIT(9),
		    gicr + GICR_SGI_FRAME + GICD_ICENABLER);
	}
	SAY("uart-fr", "ldr w0, [x1]", 0, uart + 0x18);
	SAY("uart-fr-byte", "ldrb w0, [x1]", 0, uart + 0x18);
	SAY("uart-dr", "str w0, [x1]", ' ', uart);
	print("\n");
	if (platform.virtio_count != 0)
		SAY("virtio", "ldr w0, [x1]", 0, platform.virtio[0]);
}

static void registers(void)
{
	SAY("idreg", "mrs x0, id_aa64mmfr0_el1", 0, 0);
	SAY("cntpct", "mrs x0, cntpct_el0", 0, 0);
	SAY("cntp-ctl", "msr cntp_ctl_el0, x0", 0, 0);
}

void tool_main(void)
{
	rounds = platform_arg("n", 100);
	rounds = rounds < MOST ? rounds : MOST;
	idle = TICKS("nop", 0, 0);
	calls();
	devices();
	registers();
	/* The same with an interrupt in a list register that the guest has not taken. */
	irq_disable();
	gic_enable(1);
	gic_send_sgi(1, BIT(0));
	gic_sync();
	SAY("null-held", "hvc #0", 0xc6000001, 0);
	SAY("psci-version-held", "hvc #0", 0x84000000, 0);
	gic_eoi(gic_ack());
	irq_enable();
	print("exits: end\n");
}
