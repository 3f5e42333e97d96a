// SPDX-License-Identifier: Apache-2.0
// A guest that touches some devices of its machine again and again, while time passes, its vCPUs change and something
// else happens now and then. A target says in `target` which devices and what else. Included once by a target.
#ifndef FUZZ_DEVICES_H
#define FUZZ_DEVICES_H

#include "machine.h"

struct device_target {
	enum machine_kind kind;
	const char *devices[16];           // parts of their names, as the machine's map has them
	void (*other)(struct fuzz_in *in); // what else happens
};
static const struct device_target target;

static unsigned nr_devices, first[16], last[16];

void fuzz_setup(void)
{
	machine_setup(target.kind);
	for (; target.devices[nr_devices] != NULL; nr_devices++)
		machine_find(target.devices[nr_devices], &first[nr_devices], &last[nr_devices]);
}

static void machine_guest(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	unsigned which = what % nr_devices;
	if (what < 200)
		machine_touch(in, first[which], last[which]);
	else if (what < 210)
		machine_switch(fuzz_u8(in));
	else if (what < 230)
		machine_pass(fuzz_number(in) & UINT32_MAX);
	else
		target.other(in);
}

#endif
