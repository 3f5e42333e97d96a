// SPDX-License-Identifier: Apache-2.0
// A guest that is described by the config.txt of its SD card.
#ifndef HOST_GUEST_CONFIG_H
#define HOST_GUEST_CONFIG_H

#include "system.h"

// Gives a VM that has `config =` the keys that this config.txt stands for: kernel, initrd, dtb, cmdline and load,
// but for those that the VM has itself. Mistakes go to `diags`, with their lines in config.txt.
void guest_config_apply(struct vm *vm, struct diags *diags);

#endif
