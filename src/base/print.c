// SPDX-License-Identifier: Apache-2.0
// Formatted print into a buffer, for log lines, dumps and the shell. Owns nothing; any caller.
// A conversion it does not know is printed as it stands, so a mistake is seen and harms nothing.
#include "base/print.h"

#include "base/string.h"

struct out {
	char *buffer;
	size_t size, used;
};

struct spec {
	bool zero, left, alternate;
	int width, precision; // precision < 0: none
	int length;           // bytes of the integer: 1, 2, 4 or 8
};

static void put(struct out *out, char c)
{
	if (out->used + 1 < out->size)
		out->buffer[out->used++] = c;
}

static void put_padded(struct out *out, const struct spec *spec, const char *text, size_t n)
{
	size_t width = spec->width > 0 ? (size_t)spec->width : 0;
	size_t pad = width > n ? width - n : 0;
	if (!spec->left)
		for (size_t i = 0; i < pad; i++)
			put(out, ' ');
	for (size_t i = 0; i < n; i++)
		put(out, text[i]);
	if (spec->left)
		for (size_t i = 0; i < pad; i++)
			put(out, ' ');
}

static void put_number(struct out *out, struct spec *spec, uint64_t value, unsigned base,
                       bool negative, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[32]; // sign, "0x" and 20 digits
	size_t n = sizeof text;
	do {
		text[--n] = digits[value % base];
		value /= base;
	} while (value != 0);
	size_t prefix = (negative ? 1u : 0u) + (spec->alternate ? 2u : 0u);
	if (spec->zero && !spec->left)
		while (sizeof text - n + prefix < (size_t)spec->width && n > 3)
			text[--n] = '0';
	if (spec->alternate) {
		text[--n] = 'x';
		text[--n] = '0';
	}
	if (negative)
		text[--n] = '-';
	put_padded(out, spec, text + n, sizeof text - n);
}

#define MOST_DIGITS 1000 // a width or precision beyond it is a mistake

// The number of a width or precision: what `*` stands for, or digits. Moves *f behind it.
static int parse_number(const char **f, va_list *args)
{
	int number = 0;
	if (**f == '*') {
		number = va_arg(*args, int);
		++*f;
		return number > MOST_DIGITS    ? MOST_DIGITS
		       : number < -MOST_DIGITS ? -MOST_DIGITS
		                               : number;
	}
	for (; **f >= '0' && **f <= '9'; ++*f)
		number = number < MOST_DIGITS ? number * 10 + (**f - '0') : number;
	return number < MOST_DIGITS ? number : MOST_DIGITS;
}

// Reads flags, width, precision and length; returns the place of the conversion letter.
static const char *parse_spec(const char *f, struct spec *spec, va_list *args)
{
	*spec = (struct spec){.precision = -1, .length = 4};
	for (;; f++) {
		if (*f == '0')
			spec->zero = true;
		else if (*f == '-')
			spec->left = true;
		else if (*f == '#')
			spec->alternate = true;
		else
			break;
	}
	spec->width = parse_number(&f, args);
	if (spec->width < 0) { // as ISO C has it
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*f == '.') {
		f++;
		spec->precision = parse_number(&f, args);
	}
	for (;; f++) {
		if (*f == 'l' || *f == 'z')
			spec->length = 8;
		else if (*f == 'h')
			spec->length = spec->length == 2 ? 1 : 2;
		else
			return f;
	}
}

static uint64_t take_unsigned(const struct spec *spec, va_list *args)
{
	if (spec->length == 8)
		return va_arg(*args, uint64_t);
	uint32_t value = va_arg(*args, uint32_t);
	return spec->length == 1 ? (uint8_t)value : spec->length == 2 ? (uint16_t)value : value;
}

static int64_t take_signed(const struct spec *spec, va_list *args)
{
	return spec->length == 8 ? va_arg(*args, int64_t) : va_arg(*args, int);
}

static void convert(struct out *out, char c, struct spec *spec, va_list *args)
{
	switch (c) {
	case 'd':
	case 'i': {
		int64_t value = take_signed(spec, args);
		uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
		put_number(out, spec, magnitude, 10, value < 0, false);
		break;
	}
	case 'u': put_number(out, spec, take_unsigned(spec, args), 10, false, false); break;
	case 'x':
	case 'X': put_number(out, spec, take_unsigned(spec, args), 16, false, c == 'X'); break;
	case 'p':
		spec->alternate = true;
		put_number(out, spec, (uintptr_t)va_arg(*args, void *), 16, false, false);
		break;
	case 'c': {
		char byte = (char)va_arg(*args, int);
		put_padded(out, spec, &byte, 1);
		break;
	}
	case 's': {
		const char *text = va_arg(*args, const char *);
		size_t max = spec->precision >= 0 ? (size_t)spec->precision : SIZE_MAX;
		if (text == NULL)
			text = "(null)";
		put_padded(out, spec, text, strnlen(text, max));
		break;
	}
	default:
		put(out, '%');
		if (c != '%')
			put(out, c);
	}
}

size_t print_vbuffer(char *buffer, size_t size, const char *format, va_list args)
{
	struct out out = {buffer, size, 0};
	va_list copy;
	if (size == 0)
		return 0;
	va_copy(copy, args);
	for (const char *f = format; *f != 0; f++) {
		if (*f != '%') {
			put(&out, *f);
			continue;
		}
		struct spec spec;
		f = parse_spec(f + 1, &spec, &copy);
		if (*f == 0)
			break;
		convert(&out, *f, &spec, &copy);
	}
	va_end(copy);
	buffer[out.used] = 0;
	return out.used;
}

size_t print_buffer(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t n = print_vbuffer(buffer, size, format, args);
	va_end(args);
	return n;
}
