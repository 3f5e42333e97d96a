// SPDX-License-Identifier: Apache-2.0
// What the wire shows next: the views.
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include "console/lines.h"

struct vm;

enum output_view { OUTPUT_ALL, OUTPUT_VM, OUTPUT_SHELL };

// Under LOCK_CONSOLE.
struct output {
	struct wire wire;
	struct vcons_view own; // of Mezzo's lines
	enum output_view view;
	struct vm *focus; // the VM that is shown raw and typed for; NULL: there was none yet
	uint32_t next;    // the VM that is looked at first is the one of this number, or after it
	uint64_t pause;   // ticks: an unfinished line waits so long for its end
	uint64_t
	        deadline; // ticks: when one of them has waited long enough; TIMER_NEVER: none waits
};

void output_init(struct output *out);
// Once timer_init has run.
void output_set_pause(struct output *out);

// Changes the view. `vm` is the new focus, or NULL to leave it.
void output_show(struct output *out, enum output_view view, struct vm *vm);

// Moves what is to be shown into the wire, as far as there is room, and sets the deadline. `now` is in
// ticks; `flush`: unfinished lines are not waited for. *effort bounds the work and is used up by it:
// about 20 instructions a unit. Returns whether there is more to show.
bool output_fill(struct output *out, uint64_t now, bool flush, uint32_t *effort);

#endif
