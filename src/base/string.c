// SPDX-License-Identifier: Apache-2.0
// Memory and string functions for the freestanding build; the host has its own library.
// Large copies and clears of guest memory do not come here: see arm/cache.h.
// Source: ISO C17, 7.24 String handling.
#include "base/string.h"

bool string_copy(char *to, const char *from, size_t size)
{
	size_t i = 0;
	if (size == 0)
		return false;
	for (; i < size - 1 && from[i] != 0; i++)
		to[i] = from[i];
	to[i] = 0;
	return from[i] == 0;
}

#if !__STDC_HOSTED__ || defined STRING_UNIT_TEST

// Words while both sides are aligned: unaligned access is refused while the MMU is off.
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;
	if ((((uintptr_t)d | (uintptr_t)s) & 7) == 0) {
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(uint64_t *)(void *)d = *(const uint64_t *)(const void *)s;
	}
	if ((((uintptr_t)d | (uintptr_t)s) & 3) == 0) { // files in a bundle
		for (; n >= 4; n -= 4, d += 4, s += 4)
			*(uint32_t *)(void *)d = *(const uint32_t *)(const void *)s;
	}
	for (; n > 0; n--)
		*d++ = *s++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;
	if (d == s || n == 0)
		return to;
	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(to, from, n);
	while (n-- > 0)
		d[n] = s[n];
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	uint8_t *d = to;
	uint64_t word = (uint8_t)byte * 0x0101010101010101ULL; // the byte in each place
	for (; n > 0 && ((uintptr_t)d & 7) != 0; n--)
		*d++ = (uint8_t)byte;
	for (; n >= 64; n -= 64, d += 64) { // registers of a vCPU, tables: stored in pairs
		uint64_t *at = (uint64_t *)(void *)d;
		at[0] = at[1] = at[2] = at[3] = word;
		at[4] = at[5] = at[6] = at[7] = word;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(uint64_t *)(void *)d = word;
	for (; n > 0; n--)
		*d++ = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const uint8_t *p = s;
	for (size_t i = 0; i < n; i++)
		if (p[i] == (uint8_t)c)
			return (void *)(uintptr_t)(p + i);
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;
	while (s[n] != 0)
		n++;
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;
	while (n < max && s[n] != 0)
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t x = (uint8_t)a[i], y = (uint8_t)b[i];
		if (x != y)
			return x < y ? -1 : 1;
		if (x == 0)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == 0)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;
	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (*s == 0)
			return (char *)(uintptr_t)found;
	}
}

#endif
