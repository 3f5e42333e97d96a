// SPDX-License-Identifier: Apache-2.0
// Access to device registers. One instruction each, of a form whose syndrome is always valid, so that
// Mezzo itself can be a guest. No barrier is implied: a driver orders device against memory itself.
#ifndef ARM_IO_H
#define ARM_IO_H

#include "base/types.h"

static inline uint8_t io_read8(uintptr_t address)
{
	uint8_t value;
	__asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}
static inline uint16_t io_read16(uintptr_t address)
{
	uint16_t value;
	__asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}
static inline uint32_t io_read32(uintptr_t address)
{
	uint32_t value;
	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}
static inline uint64_t io_read64(uintptr_t address)
{
	uint64_t value;
	__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}
static inline void io_write8(uintptr_t address, uint8_t value)
{
	__asm__ volatile("strb %w0, [%1]" : : "rZ"(value), "r"(address) : "memory");
}
static inline void io_write16(uintptr_t address, uint16_t value)
{
	__asm__ volatile("strh %w0, [%1]" : : "rZ"(value), "r"(address) : "memory");
}
static inline void io_write32(uintptr_t address, uint32_t value)
{
	__asm__ volatile("str %w0, [%1]" : : "rZ"(value), "r"(address) : "memory");
}
static inline void io_write64(uintptr_t address, uint64_t value)
{
	__asm__ volatile("str %x0, [%1]" : : "rZ"(value), "r"(address) : "memory");
}

#endif
