// SPDX-License-Identifier: Apache-2.0
/*
 * The PL031: seconds that advance, setting them, the alarm and its interrupt, identification.
 * Source: PrimeCell Real Time Clock (PL031) Technical Reference Manual, "Programmer's Model".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define DR   0x000
#define MR   0x004
#define LR   0x008
#define CR   0x00c
#define IMSC 0x010
#define RIS  0x014
#define MIS  0x018
#define ICR  0x01c
#define ID   0xfe0

#define SECOND_US 2500000ul /* within which a second surely passes */
#define SETTLE_US 2000ul
#define YEAR_2020 1577836800u
#define SET_TO    1000000u

static u32 get(u32 offset)
{
	return read32(platform.rtc + offset);
}

static void set(u32 offset, u32 v)
{
	write32(platform.rtc + offset, v);
}

static void on_alarm(u32 iar)
{
	(void)iar;
	set(ICR, 1);
}

static void test_clock(void)
{
	u32 start = get(DR), next;

	print("# seconds %u\n", start);
	group_begin("rtc-clock");
	group_eq(start > YEAR_2020, true, "after 2020");
	group_eq(WAIT_FOR(get(DR) != start, SECOND_US), true, "advances");
	next = get(DR);
	group_eq(next - start, 1, "by one");
	set(LR, SET_TO);
	group_eq(get(LR), SET_TO, "LR reads back");
	group_eq(get(DR) - SET_TO <= 1, true, "set");
	set(LR, next);
	group_eq(get(DR) - next <= 1, true, "set back");
	set(CR, 1);
	group_eq(get(CR) & 1, 1, "running");
	group_end();
}

static void test_alarm(void)
{
	u32 intid = (u32)platform.rtc_intid;

	group_begin("rtc-alarm");
	irq_set_handler(intid, on_alarm);
	gic_set_edge(intid, false);
	gic_enable(intid);
	irq_enable();
	set(ICR, 1);
	group_eq(get(RIS) | get(MIS), 0, "quiet");
	set(IMSC, 1);
	group_eq(get(IMSC), 1, "unmasked");
	set(MR, get(DR) + 1);
	group_eq(WAIT_FOR(irq_count(0, intid) == 1, SECOND_US), true, "rings");
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, intid), 1, "once");
	group_eq(get(RIS) | get(MIS), 0, "cleared");
	set(IMSC, 0);
	set(MR, get(DR) + 1);
	group_eq(WAIT_FOR(get(RIS) == 1, SECOND_US), true, "raised");
	group_eq(get(MIS), 0, "but masked");
	group_eq(irq_count(0, intid), 1, "and not taken");
	set(ICR, 1);
	group_eq(get(RIS), 0, "cleared again");
	gic_disable(intid);
	irq_disable();
	group_end();
}

static void test_ids(void)
{
	static const u8 cell_id[] = {0x0d, 0xf0, 0x05, 0xb1};

	group_begin("rtc-ids");
	group_eq(get(ID), 0x31, "part number, low");
	group_eq(get(ID + 4), 0x10, "part number, high, and designer");
	group_eq(get(ID + 8) & 0xf, 0x4, "designer, high");
	for (u32 i = 0; i < ARRAY_LEN(cell_id); i++)
		group_eq(get(ID + 16 + 4 * i), cell_id[i], "cell id %u", i);
	group_eq(read8(platform.rtc + ID), 0x31, "byte");
	group_eq(read16(platform.rtc + ID), 0x31, "halfword");
	group_end();
}

void test_main(void)
{
	test_ids();
	test_clock();
	test_alarm();
}
