// SPDX-License-Identifier: Apache-2.0
/* Four cores by their release addresses, and mail from each core to each other, taken as interrupts. */
#include "pi.h"
#include "start.h"

#define CORES      4U
#define VECTOR_IRQ 5U
#define WAIT_US    5000000U
#define LINE_BYTES 64

/* Each core writes its own only. */
struct place {
	volatile u32 here;
	volatile u32 got;    // bit n: mail from core n
	volatile u32 strays; // interrupts without mail
} __attribute__((aligned(LINE_BYTES)));

static struct place places[CORES];
static volatile u32 go;

static void handler(u32 vector, struct frame *frame)
{
	u32 me = core();
	if (vector != VECTOR_IRQ) {
		pi_handler = NULL;
		pi_exception(vector, frame);
		return;
	}
	u32 mail = (read32(LOCAL_SOURCE(me)) & SOURCE_MBOX(0)) ? read32(LOCAL_MBOX_CLR(me, 0)) : 0;
	write32(LOCAL_MBOX_CLR(me, 0), mail);
	places[me].got |= mail;
	places[me].strays += mail == 0;
}

/* The other cores: say that they are here, then each writes to all when its turn comes. */
static void other(u32 me)
{
	write32(LOCAL_MBOX_IRQ(me), 1);
	places[me].here = 1;
	barrier();
	irq_on();
	while (go != me)
		;
	for (u32 to = 0; to < CORES; to++)
		write32(LOCAL_MBOX_SET(to, 0), 1U << me);
	for (;;)
		__asm__ volatile("wfi");
}

static bool wait_all(bool (*reached)(u32 number, u32 value), u32 value)
{
	u32 start = read32(ST_CLO);
	for (u32 n = 0; n < CORES;) {
		if (reached(n, value))
			n++;
		else if (read32(ST_CLO) - start > WAIT_US)
			return false;
	}
	return true;
}

static bool is_here(u32 number, u32 value)
{
	return places[number].here == value;
}
static bool has_got(u32 number, u32 value)
{
	return (places[number].got & value) == value;
}

void program(u64 tree)
{
	u32 strays = 0;
	(void)tree;
	pi_handler = handler;
	pi_core_program = other;
	places[0].here = 1;
	write32(LOCAL_MBOX_IRQ(0), 1);
	barrier();
	for (u32 n = 1; n < CORES; n++)
		write64(RELEASE + 8UL * n, (u64)(uintptr_t)core_entry);
	barrier();
	__asm__ volatile("sev");
	check(wait_all(is_here, 1), "all four cores report");
	irq_on();
	for (u32 to = 0; to < CORES; to++)
		write32(LOCAL_MBOX_SET(to, 0), 1);
	check(wait_all(has_got, 1), "mail from core 0 to all");
	for (u32 n = 1; n < CORES; n++) {
		go = n;
		barrier();
		check(wait_all(has_got, 1U << n), "mail from one of the others to all");
	}
	irq_off();
	for (u32 n = 0; n < CORES; n++)
		strays += places[n].strays;
	check(strays == 0, "no interrupt without mail");
}
