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
	bool framed;      // the wire belongs to the link: nothing is shown
	bool past;        // who is attached to from here on is shown from its oldest byte on
	uint32_t epoch;   // counts changes of the view
	uint32_t next;    // the VM that is looked at first: its number less 1, or the next after it
	uint32_t unfinished; // the number of the VM whose piece is not all on the wire yet; 0: none
	uint64_t pause;      // ticks: an unfinished line waits so long for its end
	uint64_t
	        deadline; // ticks: when one of them has waited long enough; TIMER_NEVER: none waits
};

void output_init(struct output *out);
// Once timer_init has run.
void output_set_pause(struct output *out);

// Changes the view. `vm` is the new focus, or NULL to leave it. While framed this is for later.
void output_show(struct output *out, enum output_view view, struct vm *vm);

// The wire is the link's, or no longer. What the link has shown of a VM counts as shown.
void output_set_framed(struct output *out, bool framed);

// The VM is going away.
void output_forget(struct output *out, struct vm *vm);

// Moves what is to be shown into the wire, as far as there is room, and sets the deadline. `now` is in
// ticks; `flush`: unfinished lines are not waited for. *effort bounds the work and is used up by it:
// about 20 instructions a unit. Returns whether there is more to show. Not while framed.
bool output_fill(struct output *out, uint64_t now, bool flush, uint32_t *effort);

// A VM that nobody reads tells the console less from now on.
void output_quiet(struct vm *vm);

#endif
