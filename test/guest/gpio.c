// SPDX-License-Identifier: Apache-2.0
/*
 * The PL061: what it is after a reset, masks by address, every register, level interrupts up to the CPU,
 * identification; with `press=1` on the command line also the power key on line 3, which somebody must
 * press within ten seconds (QEMU: system_powerdown).
 * Source: PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual, "Programmer's Model".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define DATA     0x000
#define DATA_ALL 0x3fc
#define DIR      0x400
#define IS       0x404
#define IBE      0x408
#define IEV      0x40c
#define IE       0x410
#define RIS      0x414
#define MIS      0x418
#define IC       0x41c
#define AFSEL    0x420
#define ID       0xfe0
#define ALL      0xffu
#define KEY      0x08u

#define SETTLE_US 2000ul
#define PRESS_US  10000000ul
#define LET_GO_US 2000000ul

static u32 get(u32 offset)
{
	return read32(platform.gpio + offset);
}

static void set(u32 offset, u32 v)
{
	write32(platform.gpio + offset, v);
}

static void test_after_reset(void)
{
	static const u32 registers[] = {DATA_ALL, DIR, IS, IBE, IEV, IE, RIS, MIS, AFSEL};

	group_begin("gpio-after-reset");
	for (u32 i = 0; i < ARRAY_LEN(registers); i++)
		group_eq(get(registers[i]), 0, "register 0x%x", registers[i]);
	group_end();
}

static void test_ids(void)
{
	static const u8 ids[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	group_begin("gpio-ids");
	for (u32 i = 0; i < ARRAY_LEN(ids); i++)
		group_eq(get(ID + 4 * i), ids[i], "id %u", i);
	group_eq(read8(platform.gpio + ID), ids[0], "byte");
	group_eq(read16(platform.gpio + ID), ids[0], "halfword");
	group_end();
}

static void test_registers(void)
{
	static const u32 stored[] = {DIR, IS, IBE, IEV, AFSEL};

	group_begin("gpio-registers");
	for (u32 i = 0; i < ARRAY_LEN(stored); i++)
		set(stored[i], 0xabcdef00 | (0x11 * (i + 1)));
	for (u32 i = 0; i < ARRAY_LEN(stored); i++)
		group_eq(get(stored[i]), 0x11 * (i + 1), "register 0x%x", stored[i]);
	for (u32 i = 0; i < ARRAY_LEN(stored); i++)
		set(stored[i], 0);
	set(IC, ALL);
	set(RIS, ALL);
	set(MIS, ALL);
	set(ID, ALL);
	group_eq(get(RIS) | get(MIS), 0, "status is read-only");
	group_eq(get(ID), 0x61, "identification is read-only");
	group_eq(get(IC), 0, "IC reads as zero");
	write8(platform.gpio + IEV, 0x12);
	group_eq(read8(platform.gpio + IEV), 0x12, "a byte");
	set(IEV, 0);
	group_end();
}

static void test_data(void)
{
	group_begin("gpio-data");
	set(DIR, ALL);
	for (u32 mask = 0; mask <= ALL; mask++) {
		set(DATA_ALL, 0xa5);
		set(DATA + 4 * mask, 0x3c);
		group_eq(get(DATA_ALL), (0xa5 & ~mask) | (0x3c & mask), "written with 0x%x", mask);
		group_eq(get(DATA + 4 * mask), 0x3c & mask, "read with 0x%x", mask);
	}
	group_end();
	/* QEMU shows on an input what it was as an output. */
	group_strict("gpio-input-is-not-output");
	set(DATA_ALL, ALL);
	set(DIR, 0xf0);
	group_eq(get(DATA_ALL), 0xf0, "inputs are low");
	set(DIR, ALL);
	set(DATA_ALL, 0);
	set(DIR, 0);
	group_end();
}

static void on_level(u32 iar)
{
	(void)iar;
	set(IE, 0);
}

/* Nobody is at the key: all lines are low. */
static void test_levels(void)
{
	u32 intid = (u32)platform.gpio_intid;

	group_begin("gpio-levels");
	irq_set_handler(intid, on_level);
	gic_set_edge(intid, false);
	gic_enable(intid);
	irq_enable();
	set(IEV, ALL);
	set(IS, ALL);
	set(IC, ALL);
	group_eq(get(RIS), 0, "no line is high");
	set(IEV, ALL & ~2u);
	group_eq(get(RIS), 2, "one low line is asked for");
	group_eq(get(MIS), 0, "and masked");
	set(IC, ALL);
	group_eq(get(RIS), 2, "a level cannot be cleared");
	group_eq(irq_count(0, intid), 0, "nothing came");
	set(IE, 2);
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, intid), 1, "the interrupt came");
	group_eq(gic_is_pending(intid), false, "and went");
	set(IEV, ALL);
	irq_disable();
	gic_disable(intid);
	group_end();
	group_strict("gpio-level-not-remembered");
	group_eq(get(RIS), 0, "no line is low");
	group_end();
	set(IS, 0);
	set(IC, ALL);
}

static void on_edge(u32 iar)
{
	(void)iar;
	set(IC, ALL);
}

static void test_key(void)
{
	u32 intid = (u32)platform.gpio_intid, before;

	group_begin("gpio-key");
	irq_reset();
	irq_set_handler(intid, on_edge);
	gic_enable(intid);
	set(IEV, 0);
	set(IBE, KEY);
	set(IC, ALL);
	set(IE, KEY);
	irq_enable();
	print("# press the power key now\n");
	group_eq(WAIT_FOR(irq_count(0, intid) != 0, PRESS_US), true, "pressed");
	before = irq_count(0, intid);
	timer_delay(5 * SETTLE_US);
	group_eq(irq_count(0, intid), before, "once");
	group_eq(get(DATA + 4 * (ALL & ~KEY)), 0, "no other line is high");
	group_eq(get(DATA + 4 * KEY), KEY, "it is down");
	group_eq(WAIT_FOR(irq_count(0, intid) == before + 1, LET_GO_US), true, "let go");
	group_eq(get(DATA + 4 * KEY), 0, "it is up");
	irq_disable();
	gic_disable(intid);
	group_end();
}

void test_main(void)
{
	test_after_reset();
	test_ids();
	test_levels();
	test_registers();
	test_data();
	if (platform_arg("press", 0) != 0)
		test_key();
}
