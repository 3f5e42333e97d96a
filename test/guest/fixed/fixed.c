// SPDX-License-Identifier: Apache-2.0
/*
 * A small operating system as courses write one for QEMU's `virt`: a raw file for 0x40080000 that knows where everything
 * is and reads no device tree. Own page tables, GICv2 at 0x08000000, PL011 at 0x09000000 by interrupt, a program at EL0
 * that calls the kernel and is interrupted by the timer, power-off by PSCI.
 */
#include "bits.h"

#define GICD          0x08000000UL
#define GICC          0x08010000UL
#define UART          0x09000000UL
#define GICD_CTLR     0x000
#define GICD_ENABLE   0x100
#define GICD_PRIORITY 0x400
#define GICD_TARGETS  0x800
#define GICC_CTLR     0x00
#define GICC_PMR      0x04
#define GICC_IAR      0x0c
#define GICC_EOIR     0x10
#define UART_DR       0x00
#define UART_FR       0x18
#define UART_CR       0x30
#define UART_IMSC     0x38
#define UART_ICR      0x44
#define UART_FR_TXFF  (1u << 5)
#define UART_TX       (1u << 5)
#define UART_ON       0x301

#define INTID_TIMER 27
#define INTID_UART  33
#define SPURIOUS    1020
#define TICK_HZ     100
#define TICKS       20

#define PSCI_SYSTEM_OFF 0x84000008
#define EC_SVC64        0x15

/* Attributes of a block: access flag, and for memory inner shareable; index 0 of MAIR_EL1 is memory, 1 a device. */
#define BLOCK                 1UL
#define AF                    (1UL << 10)
#define INNER                 (3UL << 8)
#define USER                  (1UL << 6)
#define DEVICE                (1UL << 2)
#define NO_EXECUTE            (3UL << 53)
#define PRIVILEGED_NO_EXECUTE (1UL << 53)
#define TABLE                 3UL
#define MIB2                  (2UL << 20)
#define MAIR                  0x04ffUL
#define TCR                   (25UL | (1UL << 8) | (1UL << 10) | (3UL << 12) | (1UL << 23) | (1UL << 32))
#define SCTLR_M_C_I           ((1UL << 0) | (1UL << 2) | (1UL << 12))

extern void user_enter(void (*program)(void));
extern void user_leave(void);
extern void user_program(void);
void kernel(void);
void on_irq(u64 *frame);
void on_call(u64 *frame);
void unexpected(u64 *frame);

static u64 tables[2][512] __attribute__((aligned(4096)));
static volatile u32 ticks, sent, user_ticks;
static u32 passed, failed;

static volatile u32 *reg(u64 base, u32 offset)
{
	return (volatile u32 *)(base + offset);
}

static void put(const char *text)
{
	for (; *text != '\0'; text++) {
		while (*reg(UART, UART_FR) & UART_FR_TXFF)
			;
		*reg(UART, UART_DR) = (u32)*text;
	}
}

static void put_number(u32 n)
{
	char digits[11];
	u32 at = 10;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	put(digits + at);
}

static void check(int good, const char *name)
{
	put(good ? "ok " : "not ok ");
	put(name);
	put("\n");
	passed += good != 0;
	failed += good == 0;
}

/* Maps the first two GiB to themselves: devices, and memory in blocks of 2 MiB. */
static void mmu_on(void)
{
	u64 sctlr;

	tables[0][0] = BLOCK | AF | DEVICE | NO_EXECUTE;
	tables[0][1] = (u64)tables[1] | TABLE;
	for (u64 i = 0; i < 512; i++)
		tables[1][i] = (GIB + i * MIB2) | BLOCK | AF | INNER;
	__asm__ volatile("msr mair_el1, %0\n\tmsr tcr_el1, %1\n\tmsr ttbr0_el1, %2\n\tisb\n\t"
	                 "tlbi vmalle1\n\tdsb ish\n\tisb" ::"r"(MAIR),
	                 "r"(TCR), "r"(tables[0])
	                 : "memory");
	__asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
	__asm__ volatile("msr sctlr_el1, %0\n\tisb" ::"r"(sctlr | SCTLR_M_C_I) : "memory");
}

/* Gives the program at EL0 the block that holds it; the kernel may still read and write, not execute it. */
static void map_for_user(u64 address)
{
	u64 *entry = &tables[1][(address - GIB) / MIB2];

	*entry = (address & ~(MIB2 - 1)) | BLOCK | AF | INNER | USER | PRIVILEGED_NO_EXECUTE;
	__asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
}

static void enable(u32 intid)
{
	*(volatile u8 *)(GICD + GICD_PRIORITY + intid) = 0x80;
	*(volatile u8 *)(GICD + GICD_TARGETS + intid) = 1;
	*reg(GICD, GICD_ENABLE + 4 * (intid / 32)) = 1u << intid % 32;
}

static void next_tick(void)
{
	u64 hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	__asm__ volatile("msr cntv_tval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb" ::"r"(hz / TICK_HZ),
	                 "r"(1UL));
}

void on_irq(u64 *frame)
{
	u32 iar = *reg(GICC, GICC_IAR), intid = iar & 1023;

	if (intid >= SPURIOUS)
		return;
	if (intid == INTID_TIMER) {
		ticks++;
		if ((frame[21] & 0xf) == 0)
			user_ticks++;
		next_tick();
	} else if (intid == INTID_UART) {
		*reg(UART, UART_IMSC) = 0;
		*reg(UART, UART_ICR) = UART_TX;
		sent++;
	}
	*reg(GICC, GICC_EOIR) = iar;
}

/* x8 = 0: the program ends; 1: how many ticks there were; 2: writes x0. */
void on_call(u64 *frame)
{
	u64 esr;

	__asm__ volatile("mrs %0, esr_el1" : "=r"(esr));
	if (esr >> 26 != EC_SVC64)
		unexpected(frame);
	else if (frame[8] == 0)
		user_leave();
	else if (frame[8] == 1)
		frame[0] = ticks;
	else
		put_number((u32)frame[0]);
}

static void power_off(void)
{
	put("TEST-DONE ");
	put_number(passed);
	put(" passed ");
	put_number(failed);
	put(" failed\n");
	__asm__ volatile("mov x0, %0\n\thvc #0" ::"r"((u64)PSCI_SYSTEM_OFF) : "x0", "memory");
	for (;;)
		__asm__ volatile("wfi");
}

void unexpected(u64 *frame)
{
	(void)frame;
	check(0, "fixed-unexpected-exception");
	power_off();
}

void kernel(void)
{
	u64 el, pc;

	*reg(UART, UART_CR) = UART_ON;
	put("fixed: up\n");
	__asm__ volatile("mrs %0, currentel" : "=r"(el));
	check(el >> 2 == 1, "fixed-el1");
	__asm__ volatile("adr %0, ." : "=r"(pc));
	check(pc >> 16 == 0x4008, "fixed-address");

	mmu_on();
	check(1, "fixed-own-tables");

	*reg(GICD, GICD_CTLR) = 1;
	*reg(GICC, GICC_PMR) = 0xff;
	*reg(GICC, GICC_CTLR) = 1;
	enable(INTID_TIMER);
	enable(INTID_UART);
	next_tick();
	__asm__ volatile("msr daifclr, #2" ::: "memory");
	while (ticks < TICKS)
		__asm__ volatile("wfi");
	check(ticks >= TICKS, "fixed-timer");

	put("a line by interrupt\n");
	*reg(UART, UART_IMSC) = UART_TX;
	for (u32 until = ticks + TICKS; sent == 0 && ticks < until;)
		__asm__ volatile("wfi");
	check(sent == 1, "fixed-uart-interrupt");

	map_for_user((u64)user_program);
	ticks = 0;
	user_enter(user_program);
	check(user_ticks > 0, "fixed-user-is-interrupted");
	check(ticks >= 10, "fixed-user-calls");
	power_off();
}
