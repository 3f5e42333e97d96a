/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping until a moment: the virtual timer's interrupt out of WFI. CPU 0 only. */
#ifndef GUEST_ALARM_H
#define GUEST_ALARM_H

#include "bits.h"

void alarm_init(void);
/*
 * Sleeps until the counter (timer_count) has reached `when`, which may be past. Returns what it was when
 * the interrupt was taken.
 */
u64 alarm_wait(u64 when);

#endif
