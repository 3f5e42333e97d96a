/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts taken by this kernel: counted, logged, handed to a handler, ended. */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "bits.h"

#define IRQ_INTIDS 1024
#define IRQ_LOG    256
#define INTID_SPI  32
#define INTID_NONE 1023

/*
 * handler(iar) runs between acknowledge and end of interrupt, with interrupts masked. NULL: only
 * counted.
 */
void irq_set_handler(u32 intid, void (*handler)(u32 iar));
/* How often cpu took intid since irq_reset(). */
u32 irq_count(unsigned cpu, u32 intid);
/* The n-th IAR value that cpu read since irq_reset(), n < min(irq_total(cpu), IRQ_LOG). */
u32 irq_logged(unsigned cpu, u32 n);
u32 irq_total(unsigned cpu);
u32 irq_spurious(unsigned cpu);
/* Forgets counts and logs of all CPUs; interrupts must be quiet. */
void irq_reset(void);
/* Called from the vector. */
void irq_dispatch(void);

#endif
