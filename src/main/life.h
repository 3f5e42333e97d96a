// SPDX-License-Identifier: Apache-2.0
// What a person or a program may ask of a VM's life. Each returns NULL, or a sentence that says why not,
// without the VM's name and without a full stop ("it is running: kill it first"). They begin something and
// return at once: what comes of it is in the VM's state and in the log. Any CPU; no lock held.
#ifndef MAIN_LIFE_H
#define MAIN_LIFE_H

#include "base/types.h"

struct vm;

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

#endif
