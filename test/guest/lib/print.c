// SPDX-License-Identifier: Apache-2.0
/*
 * Text to the PL011 at platform.uart. Each call is formatted first and then written under one
 * lock, so that lines of several CPUs do not mix. Before the MMU is on there is one CPU and no
 * working exclusive access: no lock then. Waits while the transmit FIFO is full: without bound,
 * as every PL011 driver does.
 * Source: PrimeCell UART (PL011) Technical Reference Manual, "Flag register, UARTFR".
 */
#include "print.h"

#include "io.h"
#include "platform.h"
#include "smp.h"
#include "sysreg.h"

#define UART_DR      0x000
#define UART_FR      0x018
#define UART_FR_TXFF BIT(5)
#define LINE_BYTES   256

static struct spinlock console_lock;

struct sink {
	char *out;
	size_t size, len;
};

static void put(struct sink *s, char c)
{
	if (s->len + 1 < s->size)
		s->out[s->len++] = c;
}

static void put_padded(struct sink *s, const char *text, size_t len, unsigned width, bool left,
                       char pad)
{
	size_t fill = width > len ? width - len : 0;

	for (size_t i = 0; !left && i < fill; i++)
		put(s, pad);
	for (size_t i = 0; i < len; i++)
		put(s, text[i]);
	for (size_t i = 0; left && i < fill; i++)
		put(s, ' ');
}

static size_t digits(char *out, u64 v, unsigned base)
{
	char reversed[20];
	size_t n = 0;

	do {
		reversed[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	for (size_t i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	return n;
}

struct spec {
	bool left, longer;
	char pad;
	unsigned width;
};

static const char *parse_spec(const char *f, struct spec *spec)
{
	*spec = (struct spec){.pad = ' '};
	for (; *f == '-' || *f == '0'; f++) {
		if (*f == '-')
			spec->left = true;
		else
			spec->pad = '0';
	}
	for (; *f >= '0' && *f <= '9'; f++)
		spec->width = spec->width * 10 + (unsigned)(*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		spec->longer = true;
	return f;
}

static u64 signed_digits(struct sink *s, const struct spec *spec, s64 v)
{
	if (v >= 0)
		return (u64)v;
	if (spec->pad == '0' || spec->width == 0)
		put(s, '-');
	return -(u64)v;
}

size_t print_format(char *out, size_t size, const char *format, va_list args)
{
	struct sink s = {.out = out, .size = size};
	struct spec spec;
	char number[24];
	const char *text;
	u64 v;

	for (const char *f = format; *f != '\0'; f++) {
		if (*f != '%') {
			put(&s, *f);
			continue;
		}
		f = parse_spec(f + 1, &spec);
		switch (*f) {
		case 's':
			text = va_arg(args, const char *);
			put_padded(&s, text, __builtin_strlen(text), spec.width, spec.left, ' ');
			break;
		case 'c': put(&s, (char)va_arg(args, int)); break;
		case 'd':
			v = signed_digits(&s, &spec,
			                  spec.longer ? va_arg(args, s64) : va_arg(args, int));
			put_padded(&s, number, digits(number, v, 10), spec.width, spec.left,
			           spec.pad);
			break;
		case 'u':
		case 'x':
			v = spec.longer ? va_arg(args, u64) : va_arg(args, unsigned);
			put_padded(&s, number, digits(number, v, *f == 'x' ? 16 : 10), spec.width,
			           spec.left, spec.pad);
			break;
		case '\0': f--; break;
		default: put(&s, *f);
		}
	}
	out[s.len] = '\0';
	return s.len;
}

static void put_uart(char c)
{
	while ((read32(platform.uart + UART_FR) & UART_FR_TXFF) != 0)
		__asm__ volatile("yield");
	write32(platform.uart + UART_DR, (u8)c);
}

void print_raw(const char *text)
{
	bool shared = (read_sysreg(sctlr_el1) & SCTLR_M) != 0;

	if (shared)
		spin_lock(&console_lock);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\n')
			put_uart('\r');
		put_uart(*p);
	}
	if (shared)
		spin_unlock(&console_lock);
}

void print(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	print_format(line, sizeof(line), format, args);
	va_end(args);
	print_raw(line);
}
