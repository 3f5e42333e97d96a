// SPDX-License-Identifier: Apache-2.0
/*
 * What a freestanding compiler may call behind our back. The empty asm keeps it from recognising
 * the loops and turning each function into a call of itself.
 */
#include "bits.h"

#define NOT_AN_IDIOM(p) __asm__ volatile("" : "+r"(p))

void *memset(void *to, int value, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);

void *memset(void *to, int value, size_t bytes)
{
	u8 *p = to;

	for (size_t i = 0; i < bytes; i++) {
		NOT_AN_IDIOM(p);
		p[i] = (u8)value;
	}
	return to;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
	u8 *p = to;
	const u8 *q = from;

	for (size_t i = 0; i < bytes; i++) {
		NOT_AN_IDIOM(p);
		p[i] = q[i];
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const u8 *p = a, *q = b;

	for (size_t i = 0; i < bytes; i++) {
		if (p[i] != q[i])
			return p[i] - q[i];
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0') {
		n++;
		NOT_AN_IDIOM(s);
	}
	return n;
}
