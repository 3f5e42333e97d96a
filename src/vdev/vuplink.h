// SPDX-License-Identifier: Apache-2.0
// The board's own network interfaces at the nets of VMs.
#ifndef VDEV_VUPLINK_H
#define VDEV_VUPLINK_H

#include "base/types.h"

// Connects net `net` to the board's interface `name`. Once for each net, at boot, when the board's devices and the net are
// there. NULL, or why not, as the end of a sentence.
const char *vuplink_create(uint32_t net, const char *name);

#endif
