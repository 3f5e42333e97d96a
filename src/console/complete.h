// SPDX-License-Identifier: Apache-2.0
// Tab: what the word before the cursor may become. For the shell; in steps, since there may be many VMs.
#ifndef CONSOLE_COMPLETE_H
#define CONSOLE_COMPLETE_H

#include "console/edit.h"
#include "vm/vm.h"

struct complete {
	enum { COMPLETE_COMMANDS, COMPLETE_VMS, COMPLETE_TEMPLATES, COMPLETE_FROM } what;
	bool listing;   // the second pass, which shows them
	uint32_t start; // of the word, in the line
	uint32_t found;
	uint32_t looked_at; // commands, or the number of the last VM
	size_t common;      // characters in which all that were found agree
	char first[VM_NAME_SIZE];
};

// Begins for the word before the cursor. False: nothing could stand there.
bool complete_begin(struct complete *c, const struct edit *e);
// The next piece; false: that was all, the line is as it shall be. Writes less than SHELL_STEP bytes.
bool complete_step(struct complete *c, struct edit *e);

#endif
