// SPDX-License-Identifier: Apache-2.0
// Sequences of everything that devices, guests and CPUs can do to a virtual GIC against the reference model of
// test_vgic_random.c: the input says what comes next, in the place of its random numbers.
#include "unit_test.h"

#include "../unit/test_vgic_random.c"

static struct fuzz_in input;

// When the input is used up, any number but always the same: who asks may ask until it likes the answer.
static uint32_t from_input(uint32_t below)
{
	static uint32_t spare;
	if (fuzz_more(&input))
		return fuzz_below(&input, below);
	spare = spare * 1664525 + 1013904223;
	return (spare >> 8) % below;
}

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

void fuzz_setup(void)
{
	fuzz_asserts_abort();
	any_source = from_input;
}

static void begin(void)
{
	soft = any(4) == 0;
	version = soft ? 2 : 2 + any(2);
	cpus = 1 + any(4);
	split = (version == 3 || soft) && any(2) == 0;
	forcing = any(2);
	max_depth = forcing ? 30 : 3;
	soft_links = !soft && any(4) == 0;
	build(version, cpus);
	fake_event_hook = no_log;
	fake_sysreg_hook = timer_register;
	ref_reset();
	load_all();
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		set_split(cpu, split);
	ref_ctlr = 3;
	write_gic(0, GICD(CTLR), 4, 3);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	input = (struct fuzz_in){data, size};
	begin();
	for (unsigned n = 0; n < 80 && fuzz_more(&input); n++) {
		steps[any(ARRAY_SIZE(steps))].step();
		if (any(2))
			timers_run();
	}
	settle();
}
