// SPDX-License-Identifier: Apache-2.0
/* System timer compares that are due at once, again and again, and one in the past, which comes in an hour. */
#include "pi.h"

#define ROUNDS     2000U
#define SOON_US    20U
#define VECTOR_IRQ 5U
#define ST_1       (1U << 1)
#define ST_3       (1U << 3)
#define WAIT_US    40000000U // an emulator that shares its cores needs some of it

static volatile u32 taken, others;

static void handler(u32 vector, struct frame *frame)
{
	if (vector != VECTOR_IRQ) {
		pi_handler = NULL;
		pi_exception(vector, frame);
	}
	if (!(read32(IRQ_PENDING_1) & ST_1)) {
		others++;
		return;
	}
	taken++;
	write32(ST_CS, ST_1);
	if (taken < ROUNDS) {
		u32 next;
		do { // a compare is for equality: set again if the counter has gone past it
			next = read32(ST_CLO) + SOON_US;
			write32(ST_C(1), next);
		} while ((int)(read32(ST_CLO) - next) >= 0 && !(read32(ST_CS) & ST_1));
	}
}

void program(u64 tree)
{
	(void)tree;
	write32(ST_CS, ST_1 | ST_3);
	write32(ST_C(3), read32(ST_CLO) - 1);
	delay_us(1000);
	check(!(read32(ST_CS) & ST_3), "a compare in the past does not match");
	pi_handler = handler;
	write32(IRQ_ENABLE_1, ST_1);
	write32(ST_C(1), read32(ST_CLO) + 1000);
	u32 start = read32(ST_CLO);
	irq_on();
	while (taken < ROUNDS && read32(ST_CLO) - start < WAIT_US)
		;
	irq_off();
	check(taken == ROUNDS, "2000 interrupts, each set by the one before");
	check(others == 0, "none without a source");
	check(!(read32(ST_CS) & ST_3), "and the one in the past has still not come");
}
