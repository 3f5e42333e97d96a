// SPDX-License-Identifier: Apache-2.0
/*
 * Answers the power key by SYSTEM_OFF: `powerkey: ready`, then `powerkey: pressed`. With `ignore=N` on the
 * command line the first N presses are only noted: `powerkey: ignored`.
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define KEY_DATA (0x08 * 4) /* the address at which line 3 alone is read */
#define IEV      0x40c
#define IE       0x410
#define IC       0x41c
#define KEY      0x08

static volatile u64 pressed;

static void on_key(u32 iar)
{
	(void)iar;
	write32(platform.gpio + IC, KEY);
	if (read32(platform.gpio + KEY_DATA) != 0)
		pressed++;
}

void tool_main(void)
{
	u64 seen = 0, ignored = platform_arg("ignore", 0);

	irq_set_handler((u32)platform.gpio_intid, on_key);
	gic_enable((u32)platform.gpio_intid);
	write32(platform.gpio + IEV, KEY);
	write32(platform.gpio + IE, KEY);
	print_raw("powerkey: ready\n");
	for (;;) {
		/* WFI ends for a masked interrupt as well: none can slip in before the sleep. */
		irq_disable();
		if (pressed == seen)
			wfi();
		irq_enable();
		isb();
		if (pressed == seen)
			continue;
		seen++;
		if (seen > ignored)
			break;
		print_raw("powerkey: ignored\n");
	}
	print_raw("powerkey: pressed\n");
}
