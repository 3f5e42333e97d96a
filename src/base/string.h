// SPDX-License-Identifier: Apache-2.0
// The C library's memory and string functions that Mezzo and libfdt call, as ISO C names them.
#ifndef BASE_STRING_H
#define BASE_STRING_H

#include "base/types.h"

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
#endif

// Copies at most size - 1 bytes and always ends with a NUL; returns whether all of it fitted.
bool string_copy(char *to, const char *from, size_t size);

#endif
