// SPDX-License-Identifier: Apache-2.0
/*
 * The small library of the Pi programs. It runs without MMU, so memory is Device memory to it: every access is
 * aligned, and no exclusives are used. The cores share nothing here but the console, which one uses at a time.
 */
#include "pi.h"

#include <stdarg.h>

#define UART_CLOCK_BAUD 270U // 250 MHz / 8 / 115200 - 1
#define TIMEOUT_US      1000000U
#define MAILS_MAX       16U // of other channels, before ours
#define TAG_WORDS       16U
#define TAG_ANSWERED    (1U << 31)

void (*pi_handler)(u32 vector, struct frame *frame);
void (*pi_core_program)(u32 number);

static bool on_pl011;
static u32 passed;
static u32 failed;

/* Flat memory functions: the compiler calls them for structs and loops. */
void *memset(void *to, int value, size_t bytes);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

void *memset(void *to, int value, size_t bytes)
{
	volatile u8 *p = to;
	while (bytes--)
		*p++ = (u8)value;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	volatile u8 *p = to;
	const u8 *q = from;
	while (bytes--)
		*p++ = *q++;
	return to;
}

static void mini_uart_init(void)
{
	write32(AUX_ENABLES, read32(AUX_ENABLES) | 1U);
	write32(AUX_MU_CNTL, 0);
	write32(AUX_MU_IER, 0);
	write32(AUX_MU_LCR, 3); // 8 bits
	write32(AUX_MU_MCR, 0);
	write32(AUX_MU_IIR, 6); // both queues empty
	write32(AUX_MU_BAUD, UART_CLOCK_BAUD);
	write32(GPFSEL(1), (read32(GPFSEL(1)) & ~GPFSEL_14_15) | GPFSEL_14_15_A5);
	write32(AUX_MU_CNTL, 3);
}

void use_pl011(void)
{
	on_pl011 = true;
}

void put_char(char c)
{
	if (on_pl011) {
		while (read32(PL011_FR) & PL011_FR_TXFF)
			;
		write32(PL011_DR, (u8)c);
	} else {
		while (!(read32(AUX_MU_LSR) & AUX_MU_LSR_TX))
			;
		write32(AUX_MU_IO, (u8)c);
	}
}

static void put_number(u64 value, u32 base)
{
	char text[24];
	u32 n = 0;
	do {
		text[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put_char(text[--n]);
}

static void put_string(const char *s)
{
	for (; *s; s++)
		put_char(*s);
}

void print(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	for (const char *p = format; *p; p++) {
		if (*p == '\n')
			put_char('\r');
		if (*p != '%') {
			put_char(*p);
			continue;
		}
		switch (*++p) {
		case 's': put_string(va_arg(args, const char *)); break;
		case 'c': put_char((char)va_arg(args, int)); break;
		case 'u': put_number(va_arg(args, u32), 10); break;
		case 'x': put_number(va_arg(args, u32), 16); break;
		case 'l':
			p++;
			put_number(va_arg(args, u64), 16);
			break;
		default: put_char(*p);
		}
	}
	va_end(args);
}

void check(bool good, const char *name)
{
	if (good)
		passed++;
	else
		failed++;
	print("%s %s\n", good ? "ok" : "not ok", name);
}

void pm_reset(u32 partition)
{
	write32(PM_RSTS, PM_PASSWORD | (read32(PM_RSTS) & ~PM_RSTS_HALT) | partition);
	write32(PM_WDOG, PM_PASSWORD | PM_WDOG_TICKS);
	write32(PM_RSTC, PM_PASSWORD | (read32(PM_RSTC) & ~PM_RSTC_WRCFG) | PM_RSTC_RESET);
	for (;;)
		__asm__ volatile("wfe");
}

static void drain(void)
{
	if (on_pl011)
		while (read32(PL011_FR) & PL011_FR_BUSY)
			;
	else
		while (!(read32(AUX_MU_LSR) & AUX_MU_LSR_IDLE))
			;
}

void finish(void)
{
	irq_off();
	print("pi: %s: %u passed, %u failed\n", PROGRAM_NAME, passed, failed);
	drain();
	pm_reset(PM_RSTS_HALT);
}

void delay_us(u32 us)
{
	u32 start = read32(ST_CLO);
	while (read32(ST_CLO) - start < us)
		;
}

bool wait_set(u64 addr, u32 mask, u32 us)
{
	u32 start = read32(ST_CLO);
	do {
		if (read32(addr) & mask)
			return true;
	} while (read32(ST_CLO) - start < us);
	return (read32(addr) & mask) != 0;
}

static bool wait_clear(u64 addr, u32 mask)
{
	u32 start = read32(ST_CLO);
	while (read32(addr) & mask)
		if (read32(ST_CLO) - start >= TIMEOUT_US)
			return false;
	return true;
}

bool mbox_call(volatile u32 *message)
{
	u32 mail = ((u32)(uintptr_t)message + BUS_UNCACHED) | MBOX_PROPERTY;
	barrier();
	if (!wait_clear(MBOX_STATUS, MBOX_FULL))
		return false;
	write32(MBOX_WRITE, mail);
	for (u32 tries = 0; tries < MAILS_MAX && wait_clear(MBOX_STATUS, MBOX_EMPTY); tries++) {
		if (read32(MBOX_READ) == mail) {
			barrier();
			return message[1] == MBOX_OK;
		}
	}
	return false;
}

int mbox_tag(u32 tag, u32 *values, u32 words)
{
	static volatile u32 message[TAG_WORDS + 6] __attribute__((aligned(16)));
	message[0] = (words + 6) * 4;
	message[1] = 0;
	message[2] = tag;
	message[3] = words * 4;
	message[4] = 0;
	for (u32 i = 0; i < words; i++)
		message[5 + i] = values[i];
	message[5 + words] = 0;
	if (!mbox_call(message) || !(message[4] & TAG_ANSWERED))
		return -1;
	for (u32 i = 0; i < words; i++)
		values[i] = message[5 + i];
	return (int)(message[4] & ~TAG_ANSWERED);
}

void pi_exception(u32 vector, struct frame *frame)
{
	if (pi_handler) {
		pi_handler(vector, frame);
		return;
	}
	print("exception %u: ESR %lx ELR %lx FAR %lx\n", vector, sysreg_read(esr_el1), frame->elr,
	      sysreg_read(far_el1));
	check(false, "no exception");
	finish();
}

void pi_core(u32 number)
{
	if (pi_core_program)
		pi_core_program(number);
}

void pi_main(u64 tree)
{
	mini_uart_init();
	print("pi: %s\n", PROGRAM_NAME);
	program(tree);
	finish();
}
