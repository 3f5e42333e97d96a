// SPDX-License-Identifier: Apache-2.0
// What can be known to be wrong with nets before boot.
#ifndef HOST_CHECK_NET_H
#define HOST_CHECK_NET_H

#include "system.h"

// Adds the nets that only interfaces name, and holds all of them against the VMs. `no_interfaces`: the board has none that
// Mezzo can drive. Mistakes go to `diags`.
void check_nets(struct system *system, bool no_interfaces, struct diags *diags);

#endif
