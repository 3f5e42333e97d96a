// SPDX-License-Identifier: Apache-2.0
/* The system timer: 1 MHz, delays, and the two compare registers that are the Arm side's. */
#include "pi.h"

#define MHZ      1000000U
#define MATCH(n) (1U << (n))

static void against_counter(void)
{
	u64 hz = sysreg_read(cntfrq_el0);
	u64 start = sysreg_read(cntpct_el0);
	delay_us(20000);
	u64 us = (sysreg_read(cntpct_el0) - start) * MHZ / hz;
	check(us >= 19900, "20 ms by the system timer are 20 ms by the generic timer");
}

static void compare(u32 n)
{
	write32(ST_CS, MATCH(n));
	check(!(read32(ST_CS) & MATCH(n)), "no match before");
	u32 start = read32(ST_CLO);
	write32(ST_C(n), start + 5000);
	check(wait_set(ST_CS, MATCH(n), MHZ), "match comes");
	check(read32(ST_CLO) - start >= 5000, "and not before its time");
	write32(ST_CS, MATCH(n));
	check(!(read32(ST_CS) & MATCH(n)), "match is cleared by writing 1");
	check(read32(ST_C(n)) == start + 5000, "compare reads back");
}

void program(u64 tree)
{
	(void)tree;
	u32 first = read32(ST_CLO);
	delay_us(100);
	u32 passed_us = read32(ST_CLO) - first;
	check(passed_us >= 100 && passed_us < MHZ, "100 us pass");
	u32 high = read32(ST_CHI);
	check(read32(ST_CHI) - high <= 1, "upper word is steady");
	against_counter();
	compare(1);
	compare(3);
}
