// SPDX-License-Identifier: Apache-2.0
// The time that the chips of a `raspi3` count: microseconds since its VM was started, without those in which it was
// paused.
#ifndef VDEV_RASPI3_CLOCK_H
#define VDEV_RASPI3_CLOCK_H

#include "hw/timer.h"
#include "vm/vm.h"

static inline uint64_t raspi3_clock_us(const struct vm *vm)
{
	return timer_to_us(timer_now() - vm->cntvoff);
}

// When it has come to `us`, for alarm_set: a tick later, as ticks of the board are not whole microseconds.
static inline uint64_t raspi3_clock_when(const struct vm *vm, uint64_t us)
{
	return vm->cntvoff + timer_from_us(us) + 1;
}

#endif
