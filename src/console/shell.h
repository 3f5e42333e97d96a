// SPDX-License-Identifier: Apache-2.0
// Mezzo's shell: a line editor in front of a table of commands. docs/console.md lists them.
//
// Commands run outside every lock, a bounded step at a time: a command is called again and again while it
// has more to say, and only when there is room for it. So no output is lost, and none waits.
#ifndef CONSOLE_SHELL_H
#define CONSOLE_SHELL_H

#include "base/types.h"
#include "console/ring.h"

struct vm;
struct shell_job;

#define SHELL_MAX_ARGS 8

struct shell_command {
	const char *name;
	const char *args; // for help: "NAME"; "" for none
	const char *help; // one line
	// Prints the next part of the output, at most SHELL_STEP bytes. Returns whether there is more:
	// then it is called again with job->step one higher.
	bool (*run)(struct shell_job *job);
	bool takes_vm; // the first argument names a VM: job->vm is set
};

struct shell_job {
	const struct shell_command *command;
	unsigned argc; // with the command's name
	char *argv[SHELL_MAX_ARGS];
	struct vm *vm; // only for commands that take one
	uint32_t step;
};

#define SHELL_STEP 1024 // bytes that a step may print

// The tables, one for each file of commands, each ended by a row without a name.
extern const struct shell_command shell_vm_commands[], shell_system_commands[];

// For commands: all tables, in order; NULL at the end.
extern const struct shell_command *const shell_tables[];

// Prints from a command. A line feed starts a new line; other control characters are shown as '?'.
void shell_print(const char *format, ...) PRINTF_LIKE(1, 2);

// A typed byte. Under LOCK_CONSOLE. False: the shell cannot take more now.
bool shell_input(uint8_t byte);

// The prompt and what was typed are to be shown anew. Any CPU, any lock.
void shell_redraw(void);

// What the shell prints. Read under LOCK_CONSOLE.
struct ring *shell_output(void);

// A program's command: one line, run beside what a person types, its answer one JSON value. Under
// LOCK_CONSOLE. False: another one is being answered. `line` has `length` bytes, without a line end.
bool shell_call(const char *line, size_t length);
// The answer's bytes as they come. Read under LOCK_CONSOLE.
struct ring *shell_answer(void);
// Whether all of the answer is in that ring. Under LOCK_CONSOLE.
bool shell_answer_complete(void);

// Whether shell_poll would find something to do and room for its output. Any CPU.
bool shell_has_work(void);

// Does a bounded piece of what there is to do, if no other CPU is at it. No lock held.
void shell_poll(void);

#endif
