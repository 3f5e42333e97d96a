// SPDX-License-Identifier: Apache-2.0
// The shell: line editor, history, completion, and the running of commands in steps. Owns its state;
// called by console.c, on any CPU.
//
// One CPU at a time works for the shell (`busy`); another that comes then goes away at once, since the
// console is told again as long as there is something to do.
// Invariant: line.length < LINE_SIZE; a step of a command only runs with SHELL_STEP bytes of room.
#include "console/shell.h"

#include "arm/barrier.h"
#include "base/print.h"
#include "base/string.h"
#include "vm/vm.h"

#define LINE_SIZE    128
#define HISTORY_SIZE 16
#define OUT_SIZE     4096
#define IN_SIZE      256
#define POLL_WORK    32 // keys in one call of shell_poll
#define STEP_WORK    8  // keys that are as much work as one step of a command
#define SUGGEST_NEAR 2  // edits between what was typed and what is suggested
#define WORD_SIZE    16 // longer words get no suggestion

#define KEY_TAB       0x09
#define KEY_BACKSPACE 0x08
#define KEY_DELETE    0x7f
#define KEY_ESC       0x1b
#define KEY_CTRL(c)   ((c)&0x1f)

const struct shell_command *const shell_tables[] = {shell_vm_commands, shell_system_commands, NULL};

static uint8_t out_bytes[OUT_SIZE], in_bytes[IN_SIZE];

static struct {
	uint32_t busy;      // atomic: a CPU works for the shell
	uint32_t redraw;    // atomic
	uint32_t interrupt; // atomic: ^C was typed

	// Owned by the CPU that set `busy`.
	char line[LINE_SIZE];
	uint32_t length;
	uint8_t escape; // 1 after ESC, 2 after ESC [
	char history[HISTORY_SIZE][LINE_SIZE];
	uint32_t history_next, history_back; // lines ever; steps back from there that are shown
	struct shell_job job;                // job.command == NULL: none runs
	char args[LINE_SIZE];
} shell;

// Written under LOCK_CONSOLE, read by the owner of `busy`; and the other way round.
static struct ring in_ring = {.bytes = in_bytes, .size = IN_SIZE};
static struct ring out_ring = {.bytes = out_bytes, .size = OUT_SIZE};

// ---- output ----

static void put_text(const char *text)
{
	for (; *text != '\0'; text++)
		(void)ring_put(&out_ring, (uint8_t)*text);
}

void shell_print(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	size_t n = print_vbuffer(text, sizeof text, format, args);
	va_end(args);
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)text[i];
		if (byte == '\n')
			(void)ring_put(&out_ring, '\r');
		else if (byte < ' ' || byte >= KEY_DELETE)
			byte = '?';
		(void)ring_put(&out_ring, byte);
	}
}

static void put_prompt(void)
{
	put_text("mezzo> ");
	shell.line[shell.length] = '\0';
	put_text(shell.line);
}

struct ring *shell_output(void)
{
	return &out_ring;
}

static uint8_t answer_bytes[OUT_SIZE];
static struct ring answer_ring = {.bytes = answer_bytes, .size = OUT_SIZE};

bool shell_call(const char *line UNUSED, size_t length UNUSED)
{
	return false;
}

struct ring *shell_answer(void)
{
	return &answer_ring;
}

bool shell_answer_complete(void)
{
	return true;
}

void shell_redraw(void)
{
	store_release(&shell.redraw, 1);
}

bool shell_input(uint8_t byte)
{
	if (byte == KEY_CTRL('c'))
		store_release(&shell.interrupt, 1);
	return ring_put(&in_ring, byte);
}

// ---- finding commands ----

// Calls for each command in order; the caller's loop ends when it returns NULL.
static const struct shell_command *command_at(unsigned index)
{
	for (const struct shell_command *const *table = shell_tables; *table != NULL; table++)
		for (const struct shell_command *c = *table; c->name != NULL; c++)
			if (index-- == 0)
				return c;
	return NULL;
}

static const struct shell_command *find_command(const char *name)
{
	const struct shell_command *c;

	for (unsigned i = 0; (c = command_at(i)) != NULL; i++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static struct vm *find_vm(const char *name)
{
	char id[12];

	FOR_EACH_VM (vm) {
		print_buffer(id, sizeof id, "%u", vm->id);
		if (strcmp(vm->name, name) == 0 || strcmp(id, name) == 0)
			return vm;
	}
	return NULL;
}

// How many letters must be added, taken away or replaced to make `b` of `a` (Levenshtein). Both
// shorter than WORD_SIZE.
static unsigned edits(const char *a, const char *b)
{
	unsigned row[WORD_SIZE + 1];
	size_t width = strlen(b);

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

static const char *nearest_command(const char *word)
{
	const struct shell_command *c;
	const char *nearest = NULL;
	unsigned least = SUGGEST_NEAR + 1;

	if (strlen(word) >= WORD_SIZE)
		return NULL;
	for (unsigned i = 0; (c = command_at(i)) != NULL; i++) {
		unsigned n = edits(word, c->name);
		if (n < least) {
			least = n;
			nearest = c->name;
		}
	}
	return nearest;
}

// ---- running commands ----

static void split_line(struct shell_job *job)
{
	char *p = shell.args;

	memcpy(shell.args, shell.line, sizeof shell.args);
	for (;;) {
		while (*p == ' ')
			*p++ = '\0';
		if (*p == '\0' || job->argc == SHELL_MAX_ARGS)
			return;
		job->argv[job->argc++] = p;
		while (*p != '\0' && *p != ' ')
			p++;
	}
}

static void start_command(void)
{
	struct shell_job *job = &shell.job;
	const struct shell_command *command;

	*job = (struct shell_job){0};
	split_line(job);
	if (job->argc == 0)
		return;
	command = find_command(job->argv[0]);
	if (command == NULL) {
		const char *nearest = nearest_command(job->argv[0]);
		shell_print("%s: no such command", job->argv[0]);
		if (nearest != NULL)
			shell_print("; did you mean %s?", nearest);
		shell_print(nearest != NULL ? "\n" : "; help lists them\n");
		return;
	}
	if (command->takes_vm) {
		if (job->argc < 2) {
			shell_print("usage: %s %s\n", command->name, command->args);
			return;
		}
		job->vm = find_vm(job->argv[1]);
		if (job->vm == NULL) {
			shell_print("%s: there is no VM of this name; vm lists them\n",
			            job->argv[1]);
			return;
		}
	}
	job->command = command;
}

static void run_step(void)
{
	if (exchange(&shell.interrupt, 0) != 0) {
		put_text("^C\r\n");
		shell.job.command = NULL;
	} else if (shell.job.command->run(&shell.job)) {
		shell.job.step++;
		return;
	} else {
		shell.job.command = NULL;
	}
	put_prompt();
}

// ---- line editor ----

static void erase(uint32_t count)
{
	for (; count > 0 && shell.length > 0; count--) {
		shell.length--;
		put_text("\b \b");
	}
}

static void insert(const char *text, size_t n)
{
	for (size_t i = 0; i < n && shell.length < LINE_SIZE - 1; i++) {
		shell.line[shell.length++] = text[i];
		(void)ring_put(&out_ring, (uint8_t)text[i]);
	}
}

static void erase_word(void)
{
	while (shell.length > 0 && shell.line[shell.length - 1] == ' ')
		erase(1);
	while (shell.length > 0 && shell.line[shell.length - 1] != ' ')
		erase(1);
}

static void recall(bool older)
{
	uint32_t kept = shell.history_next < HISTORY_SIZE ? shell.history_next : HISTORY_SIZE;

	if (older ? shell.history_back == kept : shell.history_back == 0)
		return;
	shell.history_back += older ? 1 : -1u;
	erase(shell.length);
	if (shell.history_back > 0) {
		uint32_t index = (shell.history_next - shell.history_back) % HISTORY_SIZE;
		insert(shell.history[index], strlen(shell.history[index]));
	}
}

static void remember(void)
{
	uint32_t last = (shell.history_next - 1) % HISTORY_SIZE;

	shell.history_back = 0;
	if (shell.length == 0 ||
	    (shell.history_next > 0 && strcmp(shell.history[last], shell.line) == 0))
		return;
	memcpy(shell.history[shell.history_next++ % HISTORY_SIZE], shell.line, LINE_SIZE);
}

// The name number `index` that may stand where the cursor is, or NULL.
static const char *candidate(bool first_word, unsigned index)
{
	if (first_word) {
		const struct shell_command *c = command_at(index);
		return c != NULL ? c->name : NULL;
	}
	FOR_EACH_VM (vm)
		if (index-- == 0)
			return vm->name;
	return NULL;
}

// Completes the last word as far as all names that begin like it agree; shows them if that is no
// further than it is.
static void complete(void)
{
	shell.line[shell.length] = '\0';
	const char *space = strrchr(shell.line, ' ');
	const char *word = space != NULL ? space + 1 : shell.line;
	size_t n = strlen(word), common = 0;
	const char *first = NULL, *name;
	unsigned found = 0;

	for (unsigned i = 0; (name = candidate(space == NULL, i)) != NULL; i++) {
		if (strncmp(name, word, n) != 0)
			continue;
		if (found++ == 0) {
			first = name;
			common = strlen(name);
		}
		while (strncmp(name, first, common) != 0)
			common--;
	}
	if (found == 0)
		return;
	insert(first + n, common - n);
	if (found == 1)
		insert(" ", 1);
	if (found == 1 || common > n)
		return;
	put_text("\r\n");
	for (unsigned i = 0; (name = candidate(space == NULL, i)) != NULL; i++)
		if (strncmp(name, word, n) == 0 && ring_room(&out_ring) > SHELL_STEP)
			shell_print("%s  ", name);
	put_text("\r\n");
	put_prompt();
}

static void enter(void)
{
	put_text("\r\n");
	shell.line[shell.length] = '\0';
	remember();
	start_command();
	shell.length = 0;
	if (shell.job.command == NULL)
		put_prompt();
}

// Arrow keys come as ESC [ A and so on. Returns whether the key was part of such a sequence.
static bool handle_sequence(uint8_t key)
{
	if (key == KEY_ESC) {
		shell.escape = 1;
		return true;
	}
	if (shell.escape == 1 && (key == '[' || key == 'O')) {
		shell.escape = 2;
		return true;
	}
	if (shell.escape == 2) {
		if (key == 'A' || key == 'B')
			recall(key == 'A');
		if (key >= '@')
			shell.escape = 0;
		return true;
	}
	shell.escape = 0;
	return false;
}

static void handle_key(uint8_t key)
{
	if (handle_sequence(key))
		return;
	switch (key) {
	case '\r':
	case '\n': enter(); break;
	case KEY_BACKSPACE:
	case KEY_DELETE: erase(1); break;
	case KEY_TAB: complete(); break;
	case KEY_CTRL('u'): erase(shell.length); break;
	case KEY_CTRL('w'): erase_word(); break;
	case KEY_CTRL('c'):
		store_relaxed(&shell.interrupt, 0);
		put_text("^C\r\n");
		shell.length = 0;
		shell.history_back = 0;
		put_prompt();
		break;
	default:
		if (key >= ' ' && key < KEY_DELETE) {
			const char c = (char)key;
			insert(&c, 1);
		}
	}
}

// ---- work ----

static void do_work(void)
{
	uint8_t key;

	if (exchange(&shell.redraw, 0) != 0 && shell.job.command == NULL) {
		put_text("\r"); // over itself, if it stands there already
		put_prompt();
	}
	for (unsigned i = 0; i < POLL_WORK; i++) {
		if (ring_room(&out_ring) < SHELL_STEP + LINE_SIZE)
			return;
		if (shell.job.command != NULL) {
			run_step();
			i += STEP_WORK - 1;
		} else {
			if (!ring_get(&in_ring, &key))
				return;
			handle_key(key);
		}
	}
}

bool shell_has_work(void)
{
	if (load_relaxed(&shell.redraw) == 0 && ring_fill(&in_ring) == 0 &&
	    load_relaxed(&shell.job.command) == NULL)
		return false;
	return ring_room(&out_ring) >= SHELL_STEP + LINE_SIZE;
}

void shell_poll(void)
{
	if (!shell_has_work() || exchange(&shell.busy, 1) != 0)
		return;
	do_work();
	store_release(&shell.busy, 0);
}
