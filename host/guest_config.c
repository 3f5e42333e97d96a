// SPDX-License-Identifier: Apache-2.0
//
// From the config.txt of a card to the keys of a VM. Owns nothing; called by conf.c once a file is read.
// Invariant: a key that the VM has keeps its value; one that it gets points to the line it comes from.
#include "guest_config.h"

#include "config_txt.h"

#include <string.h>

static void give_text(struct text_key *key, struct config_line line)
{
	if (key->at.file == NULL && line.value != NULL)
		*key = (struct text_key){line.value, line.at};
}

void guest_config_apply(struct vm *vm, struct diags *diags)
{
	struct config_txt config;

	if (vm->config.value == NULL)
		return;
	if (strcmp(vm->machine.value, "raspi3") != 0) {
		diag_add(diags, vm->config.at,
		         "config: a VM of machine `%s` has no SD card to start from; write "
		         "`machine = raspi3`, or name a `kernel`",
		         vm->machine.value);
		return;
	}
	if (!config_txt_read(vm->config.value, vm->config.at, '3', &config, diags))
		return;
	give_text(&vm->kernel, config.kernel);
	give_text(&vm->initrd, config.initramfs);
	give_text(&vm->dtb, config.tree);
	give_text(&vm->cmdline, config.cmdline);
	if (vm->load.at.file == NULL && config.kernel_address.value != NULL)
		vm->load = (struct number_key){config.load, config.kernel_address.at};
}
