// SPDX-License-Identifier: Apache-2.0
// What a person or a program may ask of a VM's life. Each returns NULL, or a sentence that says why not,
// without the VM's name and without a full stop ("it is running: kill it first"). They begin something and
// return at once: what comes of it is in the VM's state and in the log. Any CPU; no lock held.
#ifndef MAIN_LIFE_H
#define MAIN_LIFE_H

#include "vm/vm.h"

const char *life_start(struct vm *vm); // CREATED, OFF, CRASHED: begins its first life, or the next
const char *life_stop(
        struct vm *vm); // presses its power button; the log says if nothing comes of it
const char *life_kill(struct vm *vm);    // ends it, whatever it does
const char *life_pause(struct vm *vm);   // all of it is kept; its time stands still
const char *life_resume(struct vm *vm);  // a paused one goes on
const char *life_restart(struct vm *vm); // ends it and begins again
const char *life_destroy(
        struct vm *vm); // ends it if need be, gives back all it has: it is gone from the list

// Makes a VM called `name` as the description says of `from`, which has autostart = false. *made is it,
// CREATED, when NULL is returned. Else the sentence, good until the next call.
const char *config_create(const char *name, const char *from, struct vm **made);

// ---- life.c, for life_ask.c ----

// The first life or the next, vCPU 0 on its way. No vCPU of it runs, and the caller is alone with it
// (CLEANING).
void life_begin(struct vm *vm);
// A PAUSED VM goes on where it was, or gives up what it has, as if it had ended like that. False: it is
// not PAUSED.
bool life_go_on(struct vm *vm);
bool life_give_up(struct vm *vm, enum vm_end end);
// A VM that rests, in this state, goes away for good. False: it is not in this state any more.
bool life_bury(struct vm *vm, uint32_t resting);
// Makes the CPU whose chore the VM is look at it again.
void life_poke(struct vm *vm);

#endif
