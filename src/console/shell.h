// SPDX-License-Identifier: Apache-2.0
// Mezzo's shell: a person's line editor, and programs' calls, in front of one table of commands.
// docs/man/mezzo-shell.7 lists them.
//
// Commands run outside every lock, a bounded step at a time: a command is called again and again while it
// has more to say, and only when there is room for it. So no output is lost, and none waits. One
// command of a person and one of each program may be in progress at the same time: what a command has to
// remember from step to step is in its job, and nowhere else.
#ifndef CONSOLE_SHELL_H
#define CONSOLE_SHELL_H

#include "base/types.h"
#include "console/answer.h"
#include "console/ring.h"
#include "vdev/vvirtio_vsock.h"

struct vm;
struct shell_job;

#define SHELL_MAX_ARGS 8
#define SHELL_LINE     128 // bytes of a command line with its NUL
#define SHELL_STEP     1024 // bytes that a step may print; it executes at most some 20,000 instructions
#define SHELL_SCRATCH  4608 // bytes that a job keeps for its command
#define SHELL_LOOK     128  // VMs that a step may go through

struct shell_command {
	const char *name;
	const char *args; // for help: "NAME"; "" for none
	const char *help; // one line
	// Answers the next part. Returns whether there is more: then it is called again with job->step
	// one higher.
	bool (*run)(struct shell_job *job);
	uint8_t least, most; // arguments
	bool takes_vm;       // the first argument names a VM: job->vm is set
	// The job ends, whether it came to its end or was broken off. May be NULL. Once for each job
	// whose run was called.
	void (*end)(struct shell_job *job);
	// Whether the next step would get on, for a command that waits for something else than room for its
	// answer. NULL: always. Any CPU, any lock, also while a step runs.
	bool (*ready)(void);
};

struct shell_job {
	const struct shell_command *command; // NULL: none runs
	struct answer out;
	unsigned argc; // with the command's name, without --json
	char *argv[SHELL_MAX_ARGS];
	bool program; // not a person at the console
	// Only for commands that take a VM, and for this step only: it is looked up again for each, and
	// one that is gone ends the command with a sentence.
	struct vm *vm;
	uint32_t step;
	uint64_t scratch[SHELL_SCRATCH / sizeof(uint64_t)]; // zero at the first step

	// The shell's own.
	uint8_t phase;
	bool begun; // run was called
	uint32_t vm_id, looked_at;
	uint64_t vm_serial;
	uint32_t nearest; // the VM whose name is most like the one that was not found; 0: none is
	uint32_t least;   // in so many edits
	char line[SHELL_LINE];
};

// The tables, one for each file of commands, each ended by a row without a name; NULL at the end. They
// are handed over because some commands are of folders that the console does not know. Boot CPU, before
// console_start.
void shell_init(const struct shell_command *const *tables);
// For commands: what was handed over.
const struct shell_command *const *shell_tables(void);
extern const struct shell_command shell_vm_commands[], shell_screen_commands[],
        shell_net_commands[], shell_capture_commands[], shell_system_commands[],
        shell_board_commands[], shell_try_commands[];

// A typed byte. Under LOCK_CONSOLE. False: the shell cannot take more now.
bool shell_input(uint8_t byte);

// The prompt and what was typed are to be shown anew. Any CPU, any lock.
void shell_redraw(void);

// What the shell prints. Read under LOCK_CONSOLE.
struct ring *shell_output(void);

// Who calls: the program at the other end of the wire, under LOCK_CONSOLE; and those in guests that are trusted, one after
// the other, each under its device's lock.
enum { SHELL_LINK, SHELL_GUESTS, SHELL_CALLERS = SHELL_GUESTS + VSOCK_SERVED };

// A program's command: one line, run beside what a person types, its answer one JSON object. Under the caller's lock, as
// the next three. False: another one is being answered, or its answer was not taken yet. `line` has `length` bytes,
// without a line end.
bool shell_call(unsigned caller, const char *line, size_t length);
// The answer's bytes as they come.
struct ring *shell_answer(unsigned caller);
// Whether all of the answer is in that ring.
bool shell_answer_complete(unsigned caller);
// Whoever called is gone: the command is broken off and what it answered is thrown away. shell_call
// refuses until that is done, soon.
void shell_call_abort(unsigned caller);
// The same for vvirtio_vsock_serve.
extern const struct vsock_service shell_for_guests;

// Whether shell_poll would find something to do and room for its output. Any CPU.
bool shell_has_work(void);

// Does a bounded piece of what there is to do, if no other CPU is at it. No lock held.
void shell_poll(void);

#endif
