// SPDX-License-Identifier: Apache-2.0
// The shell: takes lines from a person and from a program, finds the commands, and runs them in steps.
// Owns both jobs and the rings to and from them; called by console.c, on any CPU.
//
// One CPU at a time works for the shell (`busy`); another that comes then goes away at once, since the
// console is told again as long as there is something to do.
// Invariant: a step of a command only runs with SHELL_STEP bytes of room for its output. No pointer to
// a VM outlives a step.
#include "console/shell.h"

#include "arm/barrier.h"
#include "base/print.h"
#include "base/string.h"
#include "console/complete.h"
#include "console/edit.h"
#include "vm/vm.h"

#define OUT_SIZE     4096
#define IN_SIZE      256
#define POLL_KEYS    32   // keys in one call of shell_poll
#define POLL_BYTES   512  // printed for them: then it is enough
#define SUGGEST_NEAR 2    // edits between what was typed and what is suggested
#define WORD_SIZE    16   // longer words get no suggestion
#define NEAREST_LOOK 6    // names compared in a step
#define INTERRUPT    0x03 // Ctrl-C
#define ROOM         (SHELL_STEP + 4 * SHELL_LINE)

enum phase {
	FIND_VM,      // by its name
	FIND_NEAREST, // for a suggestion: there was none of that name
	RUN,
};

static uint8_t out_bytes[OUT_SIZE], in_bytes[IN_SIZE], answer_bytes[SHELL_CALLERS][OUT_SIZE];

// Written under LOCK_CONSOLE, read by the owner of `busy`; the other two the other way round.
static struct ring in_ring = {.bytes = in_bytes, .size = IN_SIZE};
static struct ring out_ring = {.bytes = out_bytes, .size = OUT_SIZE};

// A program that calls: the one at the other end of the wire, and those in guests. What it writes is written under a lock of
// its own, by one CPU at a time.
enum { CALL_IDLE, CALL_POSTED, CALL_RUNNING };
struct caller {
	char line[SHELL_LINE]; // written by the program while `state` is IDLE
	bool too_long;
	uint32_t state; // enum; moved from IDLE by the program, else by the owner of `busy`
	uint32_t abort; // atomically
	const struct shell_command *waiting; // as below
	struct shell_job job;                // owned by the CPU that set `busy`
	struct ring answer;                  // read by the program
};

static const struct shell_command *const no_tables[] = {NULL};

static struct {
	const struct shell_command *const *tables; // fixed after shell_init

	// Atomically.
	uint32_t busy; // a CPU works for the shell
	uint32_t redraw;
	uint32_t interrupt; // ^C was typed
	uint32_t running;   // the person's command runs, or a word is completed

	// The command whose `ready` is to be asked first; NULL: none. Written by the owner of `busy`, atomically.
	const struct shell_command *waiting;

	// Owned by the CPU that set `busy`.
	struct edit edit;
	struct complete complete;
	bool completing;
	bool programs_turn;
	unsigned next_caller; // whose turn it is among programs
	struct shell_job job;

	struct caller caller[SHELL_CALLERS];
} shell;

void shell_init(const struct shell_command *const *tables)
{
	shell.tables = tables;
	for (unsigned i = 0; i < SHELL_CALLERS; i++)
		shell.caller[i].answer = (struct ring){.bytes = answer_bytes[i], .size = OUT_SIZE};
}

const struct shell_command *const *shell_tables(void)
{
	return shell.tables != NULL ? shell.tables : no_tables;
}

struct ring *shell_output(void)
{
	return &out_ring;
}

struct ring *shell_answer(unsigned caller)
{
	return &shell.caller[caller].answer;
}

void shell_redraw(void)
{
	store_release(&shell.redraw, 1);
}

bool shell_input(uint8_t byte)
{
	if (byte == INTERRUPT)
		store_release(&shell.interrupt, 1);
	return ring_put(&in_ring, byte);
}

// ---- finding commands and VMs ----

static const struct shell_command *find_command(const char *name)
{
	for (const struct shell_command *const *table = shell_tables(); *table != NULL; table++)
		for (const struct shell_command *c = *table; c->name != NULL; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

// How many letters must be added, taken away or replaced to make `b` of `a` (Levenshtein); WORD_SIZE if
// one of them is too long to bother.
static unsigned edits(const char *a, const char *b)
{
	unsigned row[WORD_SIZE + 1];
	size_t width = strlen(b);

	if (width >= WORD_SIZE || strlen(a) >= WORD_SIZE)
		return WORD_SIZE;
	for (unsigned j = 0; j <= width; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned corner = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= width; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1] ? 1 : 0);
			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[width];
}

// What is as far from a word as the word is long is not like it.
static unsigned most_edits(const char *word)
{
	size_t n = strlen(word);

	return n > SUGGEST_NEAR ? SUGGEST_NEAR : (unsigned)n - 1;
}

static const char *nearest_command(const char *word)
{
	const char *nearest = NULL;
	unsigned least = most_edits(word) + 1;

	for (const struct shell_command *const *table = shell_tables(); *table != NULL; table++) {
		for (const struct shell_command *c = *table; c->name != NULL; c++) {
			unsigned n = edits(word, c->name);
			if (n < least) {
				least = n;
				nearest = c->name;
			}
		}
	}
	return nearest;
}

// A VM's number, or 0.
static uint32_t number_of(const char *text)
{
	uint32_t n = 0;

	for (; *text >= '0' && *text <= '9' && n <= VM_MAX; text++)
		n = n * 10 + (uint32_t)(*text - '0');
	return *text == '\0' ? n : 0;
}

static void found_vm(struct shell_job *job, const struct vm *vm)
{
	job->vm_id = vm->id;
	job->vm_serial = vm->serial;
	job->phase = RUN;
}

// By name first, so that a program that gave a VM a number for a name means what it says.
static bool find_vm(struct shell_job *job)
{
	for (unsigned i = 0; i < SHELL_LOOK; i++) {
		struct vm *vm = vm_after(job->looked_at);
		if (vm == NULL)
			vm = vm_by_id(number_of(job->argv[1]));
		else if (strcmp(vm->name, job->argv[1]) != 0) {
			job->looked_at = vm->id;
			continue;
		}
		if (vm != NULL) {
			found_vm(job, vm);
		} else {
			job->phase = FIND_NEAREST;
			job->looked_at = 0;
			job->least = most_edits(job->argv[1]) + 1;
		}
		return true;
	}
	return true;
}

static bool find_nearest(struct shell_job *job)
{
	for (unsigned i = 0; i < NEAREST_LOOK; i++) {
		struct vm *vm = vm_after(job->looked_at);
		if (vm == NULL) {
			vm = vm_by_id(job->nearest);
			if (vm != NULL)
				answer_error(&job->out,
				             "%s: there is no VM of this name; did you mean %s?",
				             job->argv[1], vm->name);
			else
				answer_error(&job->out,
				             "%s: there is no VM of this name; vm lists them",
				             job->argv[1]);
			return false;
		}
		unsigned n = edits(job->argv[1], vm->name);
		if (n < job->least) {
			job->least = n;
			job->nearest = vm->id;
		}
		job->looked_at = vm->id;
	}
	return true;
}

// ---- jobs ----

// Takes --json out of the words. Words that are too many are counted, too.
static bool split_line(struct shell_job *job)
{
	char *p = job->line;
	bool json = false;

	for (;;) {
		while (*p == ' ')
			*p++ = '\0';
		if (*p == '\0')
			return json;
		char *word = p;
		while (*p != '\0' && *p != ' ')
			p++;
		size_t n = (size_t)(p - word);
		if (n == 6 && memcmp(word, "--json", n) == 0)
			json = true;
		else if (job->argc == SHELL_MAX_ARGS)
			job->argc++; // too many for any command; nobody looks at them
		else if (job->argc < SHELL_MAX_ARGS)
			job->argv[job->argc++] = word;
	}
}

static void end_job(struct shell_job *job)
{
	if (job->begun && job->command->end != NULL)
		job->command->end(job);
	job->command = NULL;
	job->vm = NULL;
	answer_end(&job->out);
}

// Whether the words are a command's that can run.
static bool check_command(struct shell_job *job)
{
	const struct shell_command *command = find_command(job->argv[0]);

	if (command == NULL) {
		const char *nearest = nearest_command(job->argv[0]);
		if (nearest != NULL)
			answer_error(&job->out, "%s: no such command; did you mean %s?",
			             job->argv[0], nearest);
		else
			answer_error(&job->out, "%s: no such command; help lists them",
			             job->argv[0]);
		return false;
	}
	if (job->argc - 1 < command->least || job->argc - 1 > command->most) {
		answer_error(&job->out, "usage: %s%s%s", command->name,
		             command->args[0] != '\0' ? " " : "", command->args);
		return false;
	}
	job->command = command;
	job->phase = command->takes_vm ? FIND_VM : RUN;
	return true;
}

// Begins a command. False: there is nothing to run; what there was to say was said.
static bool start_job(struct shell_job *job, const char *line, struct ring *to, bool program)
{
	memset(job, 0, sizeof *job);
	string_copy(job->line, line, sizeof job->line);
	job->program = program;
	bool json = split_line(job) || program;
	if (job->argc == 0 && !program)
		return false;
	answer_begin(&job->out, to, json);
	if (job->argc == 0)
		answer_error(&job->out, "there is no command in this line; help lists them");
	else if (check_command(job))
		return true;
	end_job(job);
	return false;
}

// False: the VM is gone, and that was said.
static bool look_up_vm(struct shell_job *job)
{
	struct vm *vm = vm_by_id(job->vm_id);

	if (vm == NULL || vm->serial != job->vm_serial) {
		answer_error(&job->out, "%s: it is gone, it was taken away meanwhile",
		             job->argv[1]);
		return false;
	}
	job->vm = vm;
	return true;
}

static bool run_command(struct shell_job *job)
{
	if (job->command->takes_vm && !look_up_vm(job))
		return false;
	job->begun = true;
	bool more = job->command->run(job);
	job->vm = NULL;
	job->step++;
	return more && !job->out.failed;
}

// Returns whether there is more; if not, the job has ended.
static bool step_job(struct shell_job *job)
{
	static bool (*const phases[])(struct shell_job *) = {
	        [FIND_VM] = find_vm,
	        [FIND_NEAREST] = find_nearest,
	        [RUN] = run_command,
	};

	if (phases[job->phase](job))
		return true;
	end_job(job);
	return false;
}

// The job's command if it may have to wait.
static const struct shell_command *waits(const struct shell_job *job)
{
	return job->command != NULL && job->command->ready != NULL ? job->command : NULL;
}

// ---- a person ----

static void end_line(void)
{
	if (shell.job.out.json)
		edit_put(&shell.edit, "\r\n");
	store_relaxed(&shell.running, 0);
	edit_draw(&shell.edit);
}

static void enter(void)
{
	bool runs = start_job(&shell.job, shell.edit.line, &out_ring, false);

	edit_next(&shell.edit);
	if (runs)
		store_relaxed(&shell.running, 1);
	else
		end_line();
}

static void run_person(void)
{
	if (shell.completing) {
		shell.completing = complete_step(&shell.complete, &shell.edit);
		if (!shell.completing)
			store_relaxed(&shell.running, 0);
	} else if (exchange(&shell.interrupt, 0) != 0) {
		uint8_t key; // what was typed before it goes with it
		while (ring_get(&in_ring, &key) && key != INTERRUPT)
			;
		end_job(&shell.job);
		edit_put(&shell.edit, "^C\r\n");
		end_line();
	} else if (!step_job(&shell.job)) {
		end_line();
	}
}

static void handle_key(uint8_t key)
{
	if (key == INTERRUPT)
		store_relaxed(&shell.interrupt, 0);
	switch (edit_key(&shell.edit, key)) {
	case EDIT_ENTER: enter(); break;
	case EDIT_COMPLETE:
		shell.completing = complete_begin(&shell.complete, &shell.edit);
		store_relaxed(&shell.running, shell.completing ? 1 : 0);
		break;
	case EDIT_NOTHING: break;
	}
}

static void work_for_person(void)
{
	uint32_t before = out_ring.head;
	uint8_t key;

	shell.edit.to = &out_ring;
	if (load_relaxed(&shell.running) != 0) {
		run_person();
		store_release(&shell.waiting, waits(&shell.job));
		return;
	}
	if (exchange(&shell.redraw, 0) != 0) {
		edit_put(&shell.edit, "\r"); // over itself, if it stands there already
		edit_draw(&shell.edit);
	}
	for (unsigned i = 0; i < POLL_KEYS && out_ring.head - before < POLL_BYTES; i++) {
		if (!ring_get(&in_ring, &key))
			return;
		handle_key(key);
		if (load_relaxed(&shell.running) != 0)
			return;
	}
}

static bool person_has_work(void)
{
	const struct shell_command *waiting = load_acquire(&shell.waiting);

	if (load_relaxed(&shell.running) == 0 && load_relaxed(&shell.redraw) == 0 &&
	    ring_fill(&in_ring) == 0)
		return false;
	if (waiting != NULL && load_relaxed(&shell.interrupt) == 0 && !waiting->ready())
		return false;
	return ring_room(&out_ring) >= ROOM;
}

// ---- a program ----

static void drop_answer(struct caller *c)
{
	store_release(&c->answer.tail, load_acquire(&c->answer.head));
}

bool shell_call(unsigned caller, const char *line, size_t length)
{
	struct caller *c = &shell.caller[caller];

	if (load_acquire(&c->state) != CALL_IDLE)
		return false;
	if (exchange(&c->abort, 0) != 0) // what an aborted one left behind
		drop_answer(c);
	if (ring_fill(&c->answer) != 0)
		return false;
	c->too_long = length >= SHELL_LINE;
	if (c->too_long)
		length = SHELL_LINE - 1;
	memcpy(c->line, line, length);
	c->line[length] = '\0';
	store_release(&c->state, CALL_POSTED);
	return true;
}

bool shell_answer_complete(unsigned caller)
{
	return load_acquire(&shell.caller[caller].state) == CALL_IDLE;
}

void shell_call_abort(unsigned caller)
{
	struct caller *c = &shell.caller[caller];

	store_release(&c->abort, 1);
	if (load_acquire(&c->state) == CALL_IDLE)
		drop_answer(c);
}

static bool start_call(struct caller *c)
{
	if (!c->too_long)
		return start_job(&c->job, c->line, &c->answer, true);
	struct answer *out = &c->job.out;
	answer_begin(out, &c->answer, true);
	answer_error(out, "the line is longer than %u bytes", SHELL_LINE - 1);
	answer_end(out);
	return false;
}

static void work_for_program(unsigned caller)
{
	struct caller *c = &shell.caller[caller];
	bool more = true;

	if (load_acquire(&c->state) == CALL_POSTED) {
		more = start_call(c);
		if (more)
			store_relaxed(&c->state, CALL_RUNNING);
	} else if (load_acquire(&c->abort) != 0) {
		end_job(&c->job);
		more = false;
	} else {
		more = step_job(&c->job);
	}
	store_release(&c->waiting, waits(&c->job));
	if (!more)
		store_release(&c->state, CALL_IDLE);
	if (caller != SHELL_LINK)
		vvirtio_vsock_answered(caller - SHELL_GUESTS);
}

static bool caller_has_work(const struct caller *c)
{
	const struct shell_command *waiting = load_acquire(&c->waiting);

	if (load_relaxed(&c->state) == CALL_IDLE)
		return false;
	if (load_relaxed(&c->abort) != 0)
		return true;
	return ring_room(&c->answer) >= ROOM && (waiting == NULL || waiting->ready());
}

// The next program that has work, of `from` and those after it; SHELL_CALLERS: none has.
static unsigned program_with_work(unsigned from)
{
	for (unsigned i = 0; i < SHELL_CALLERS; i++)
		if (caller_has_work(&shell.caller[(from + i) % SHELL_CALLERS]))
			return (from + i) % SHELL_CALLERS;
	return SHELL_CALLERS;
}

// ---- programs in guests ----

static bool guest_call(unsigned caller, const char *line, size_t length)
{
	return shell_call(SHELL_GUESTS + caller, line, length);
}

static uint32_t guest_answer(unsigned caller, uint8_t *bytes, uint32_t most)
{
	return ring_get_some(shell_answer(SHELL_GUESTS + caller), bytes, most);
}

static bool guest_complete(unsigned caller)
{
	return shell_answer_complete(SHELL_GUESTS + caller);
}

static void guest_abort(unsigned caller)
{
	shell_call_abort(SHELL_GUESTS + caller);
}

const struct vsock_service shell_for_guests = {
        .call = guest_call,
        .answer = guest_answer,
        .complete = guest_complete,
        .abort = guest_abort,
};

// ---- work ----

bool shell_has_work(void)
{
	return person_has_work() || program_with_work(0) != SHELL_CALLERS;
}

void shell_poll(void)
{
	if (!shell_has_work() || exchange(&shell.busy, 1) != 0)
		return;
	unsigned program = program_with_work(shell.next_caller);
	shell.programs_turn = !shell.programs_turn;
	if (program != SHELL_CALLERS && (shell.programs_turn || !person_has_work())) {
		shell.next_caller = (program + 1) % SHELL_CALLERS;
		work_for_program(program);
	} else if (person_has_work()) {
		work_for_person();
	}
	store_release(&shell.busy, 0);
}
