// SPDX-License-Identifier: Apache-2.0
// A device's state, described once: what save, restore, dump and the debugger read.
#ifndef VDEV_VSTATE_H
#define VDEV_VSTATE_H

#include "base/types.h"

struct vregs;

struct vstate_field {
	const char *name;
	uint16_t offset; // bytes from the device's structure
	uint16_t size;   // bytes of one element
	uint16_t count;  // elements
};

struct vstate {
	const char *device;
	const struct vstate_field *fields;
	uint32_t nr_fields;
	const struct vregs
	        *regs; // what its table of registers keeps besides (vreg.h); NULL: it has none
};

#define VSTATE_FIELD(type, member)                                              \
	{                                                                       \
#member, offsetof(type, member), sizeof(((type *)0)->member), 1 \
	}
#define VSTATE_ARRAY(type, member)                                               \
	{                                                                        \
#member, offsetof(type, member), sizeof(((type *)0)->member[0]), \
		        ARRAY_SIZE(((type *)0)->member)                          \
	}

#endif
