// SPDX-License-Identifier: Apache-2.0
/*
 * A guest without an operating system: says how long it has been up, each minute and whenever Enter
 * is typed; `q` switches it off. Between ticks of the virtual timer it sleeps.
 *
 * All it knows is QEMU's board `virt` with a GICv3: it runs there just as well.
 * Sources: Arm Architecture Reference Manual (Generic Timer), GICv3 Architecture Specification
 * (Redistributor and CPU interface registers), PrimeCell UART (PL011) TRM.
 */

#include <stdint.h>

#define UART_DR      0x09000000u
#define UART_FR      0x09000018u
#define UART_FR_RXFE (1u << 4)
#define UART_FR_TXFF (1u << 5)

#define GICD_CTLR      0x08000000u
#define GICD_CTLR_G1NS (1u << 1)
#define GICD_CTLR_ARE  (1u << 4)
#define GICR_WAKER     0x080a0014u
#define GICR_SLEEP     (1u << 1)
#define GICR_ASLEEP    (1u << 2)
#define GICR_IGROUPR0  0x080b0080u
#define GICR_ISENABLER 0x080b0100u
#define VTIMER_INTID   27

#define TICKS_A_SECOND  10
#define PSCI_SYSTEM_OFF 0x84000008u

#define read_register(name)                                        \
	({                                                         \
		uint64_t value_;                                   \
		__asm__ volatile("mrs %0, " #name : "=r"(value_)); \
		value_;                                            \
	})
#define write_register(name, value) \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

void clock_main(void);

// Interrupts stay masked, so that nothing is needed but a stack.
__asm__(".pushsection .text.start, \"ax\"\n"
        ".global _start\n"
        "_start:\n"
        "	adrp	x0, stack_top\n"
        "	add	sp, x0, :lo12:stack_top\n"
        "	b	clock_main\n"
        ".popsection\n"
        ".pushsection .bss\n"
        ".balign 16\n"
        ".skip 4096\n"
        "stack_top:\n"
        ".popsection\n");

static uint32_t get(uint64_t address)
{
	return *(volatile uint32_t *)address;
}

static void put(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

static void print(const char *text)
{
	for (; *text != '\0'; text++) {
		while ((get(UART_FR) & UART_FR_TXFF) != 0)
			;
		put(UART_DR, (uint8_t)*text);
	}
}

static void print_number(uint64_t number)
{
	char digits[21], *at = &digits[20];

	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	print(at);
}

// The next key, or 0.
static char key(void)
{
	return (get(UART_FR) & UART_FR_RXFE) != 0 ? 0 : (char)get(UART_DR);
}

// Lets the virtual timer wake this CPU; it is never taken, since PSTATE masks it.
static void wake_on_timer(void)
{
	put(GICR_WAKER, get(GICR_WAKER) & ~GICR_SLEEP);
	while ((get(GICR_WAKER) & GICR_ASLEEP) != 0)
		;
	put(GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_G1NS);
	put(GICR_IGROUPR0, UINT32_MAX);
	put(GICR_ISENABLER, 1u << VTIMER_INTID);
	write_register(S3_0_C12_C12_5, 1);  // ICC_SRE_EL1: system registers
	write_register(S3_0_C4_C6_0, 0xff); // ICC_PMR_EL1: every priority
	write_register(S3_0_C12_C12_7, 1);  // ICC_IGRPEN1_EL1
}

void clock_main(void)
{
	const uint64_t frequency = read_register(cntfrq_el0), start = read_register(cntvct_el0);
	uint64_t next = start, told = 0;

	wake_on_timer();
	print("No operating system here. Enter: how long I am up; q: off.\n");
	for (char k = 0; k != 'q';) {
		uint64_t seconds;

		next += frequency / TICKS_A_SECOND;
		write_register(cntv_cval_el0, next);
		write_register(cntv_ctl_el0, 1);
		while (read_register(cntvct_el0) < next)
			__asm__ volatile("wfi");
		k = key();
		seconds = (read_register(cntvct_el0) - start) / frequency;
		if (k == '\r' || k == '\n' || seconds / 60 != told) {
			print("up ");
			print_number(seconds);
			print(seconds == 1 ? " second\n" : " seconds\n");
			told = seconds / 60;
		}
	}
	print("off\n");
	__asm__ volatile("mov x0, %0\n\thvc #0"
	                 :
	                 : "r"((uint64_t)PSCI_SYSTEM_OFF)
	                 : "x0", "memory");
	for (;;)
		__asm__ volatile("wfi");
}
