// SPDX-License-Identifier: Apache-2.0
// The shell's commands about Mezzo and the board. Own nothing: what they keep from step to step is in the
// job. Called by shell.c alone, a step at a time.
#include "arm/cpu.h"
#include "base/log.h"
#include "base/string.h"
#include "console/console.h"
#include "console/shell.h"
#include "hw/power.h"
#include "hw/timer.h"
#include "mem/el2map.h"
#include "mem/pages.h"
#include "version.h"
#include "vm/vm.h"

#define LOG_COPY      4096 // copied in one step, so no more
#define LOG_LINE      200  // characters of a line that are shown
#define LINES_A_STEP  2
#define OWNERS_A_STEP 4
#define HELP_A_STEP   4

// ---- help ----

struct help {
	unsigned table, row;
	bool shown;
};

static const struct answer_column help_columns[] = {
        {"name", "COMMAND", ANSWER_TEXT, -10},
        {"args", "", ANSWER_TEXT, -18},
        {"help", "", ANSWER_TEXT, 0},
};

static bool end_help(struct shell_job *job, const struct help *h)
{
	struct answer *out = &job->out;

	if (!h->shown)
		answer_error(out, "%s: no such command; help lists them", job->argv[1]);
	answer_say(out, NULL,
	           "Keys: Tab completes, arrows move and recall, Ctrl-U erases, Ctrl-C "
	           "stops; Ctrl-] ? shows the console's keys");
	answer_say(out, NULL,
	           "A VM is named by its name or its number. Behind any command, --json "
	           "answers as programs like it.");
	return false;
}

static bool command_help(struct shell_job *job)
{
	struct help *h = (struct help *)job->scratch;

	if (job->step == 0)
		answer_table(&job->out, "commands", help_columns, ARRAY_SIZE(help_columns));
	for (unsigned i = 0; i < HELP_A_STEP; i++) {
		const struct shell_command *table = shell_tables()[h->table];
		if (table == NULL)
			return end_help(job, h);
		const struct shell_command *c = &table[h->row++];
		if (c->name == NULL) {
			h->table++;
			h->row = 0;
		} else if (job->argc < 2 || strcmp(job->argv[1], c->name) == 0) {
			h->shown = true;
			answer_row(&job->out, (struct answer_value[]){{.text = c->name},
			                                              {.text = c->args},
			                                              {.text = c->help}});
		}
	}
	return true;
}

// ---- memory ----

static bool command_free(struct shell_job *job)
{
	struct pages_count n = pages_counts();
	struct answer *out = &job->out;

	answer_number(out, "total", "total", ANSWER_SIZE, n.total * PAGE_SIZE);
	answer_number(out, "free", "free", ANSWER_SIZE, n.free * PAGE_SIZE);
	answer_number(out, "zeroed", "zeroed", ANSWER_SIZE, n.zeroed * PAGE_SIZE);
	answer_number(out, "promised", "promised", ANSWER_SIZE, n.committed * PAGE_SIZE);
	answer_say(out, NULL,
	           "zeroed is part of free; promised is what VMs may ask for at most, and "
	           "what Mezzo took");
	return false;
}

struct mem {
	uint32_t last;      // the VM of the step before
	uint64_t accounted; // pages
};

static const struct answer_column mem_columns[] = {
        {"owner", "OWNER", ANSWER_TEXT, -12},    {"number", "ID", ANSWER_NUMBER, 4},
        {"memory", "MEMORY", ANSWER_SIZE, 9},    {"tables", "TABLES", ANSWER_SIZE, 9},
        {"data", "STRUCTURES", ANSWER_SIZE, 10}, {"files", "FILES", ANSWER_SIZE, 9},
        {"image", "IMAGE", ANSWER_SIZE, 9},      {"array", "ARRAY", ANSWER_SIZE, 9},
        {"all", "ALL", ANSWER_SIZE, 9},          {"promised", "PROMISED", ANSWER_SIZE, 9},
};

static uint64_t pages_of(const struct pages_usage *usage)
{
	return (uint64_t)usage->data + usage->table + usage->guest + usage->boot;
}

static void mem_mezzo(struct shell_job *job, struct mem *m)
{
	struct pages_usage el2 = pages_usage(OWNER_EL2), bundle = pages_usage(OWNER_BUNDLE);
	uint64_t image = el2map_image_pages();

	if (image > el2.boot)
		image = el2.boot; // it lies outside of what the board calls RAM
	m->accounted = pages_of(&el2) + pages_of(&bundle);
	answer_row(&job->out, (struct answer_value[]){{.text = "mezzo"},
	                                              {.number = ANSWER_NONE},
	                                              {.number = el2.guest * PAGE_SIZE},
	                                              {.number = el2.table * PAGE_SIZE},
	                                              {.number = el2.data * PAGE_SIZE},
	                                              {.number = ANSWER_NONE},
	                                              {.number = image * PAGE_SIZE},
	                                              {.number = (el2.boot - image) * PAGE_SIZE},
	                                              {.number = pages_of(&el2) * PAGE_SIZE},
	                                              {.number = ANSWER_NONE}});
	answer_row(&job->out, (struct answer_value[]){{.text = "bundle"},
	                                              {.number = ANSWER_NONE},
	                                              {.number = bundle.guest * PAGE_SIZE},
	                                              {.number = bundle.table * PAGE_SIZE},
	                                              {.number = bundle.data * PAGE_SIZE},
	                                              {.number = bundle.boot * PAGE_SIZE},
	                                              {.number = ANSWER_NONE},
	                                              {.number = ANSWER_NONE},
	                                              {.number = pages_of(&bundle) * PAGE_SIZE},
	                                              {.number = ANSWER_NONE}});
}

static void mem_vm(struct shell_job *job, struct mem *m, const struct vm *vm)
{
	struct pages_usage usage = pages_usage((uint16_t)vm->id);

	m->accounted += pages_of(&usage);
	answer_row(&job->out, (struct answer_value[]){{.text = vm->name},
	                                              {.number = vm->id},
	                                              {.number = usage.guest * PAGE_SIZE},
	                                              {.number = usage.table * PAGE_SIZE},
	                                              {.number = usage.data * PAGE_SIZE},
	                                              {.number = ANSWER_NONE},
	                                              {.number = ANSWER_NONE},
	                                              {.number = ANSWER_NONE},
	                                              {.number = pages_of(&usage) * PAGE_SIZE},
	                                              {.number = vm_promised(vm) * PAGE_SIZE}});
}

// What is left must be free, or belong to VMs that are being built or taken away.
static void mem_rest(struct shell_job *job, const struct mem *m)
{
	struct pages_count n = pages_counts();
	uint64_t total = n.total + n.claimed, known = m->accounted + n.free;
	struct answer *out = &job->out;

	answer_close(out);
	answer_number(out, "free", "free", ANSWER_SIZE, n.free * PAGE_SIZE);
	if (job->out.json || known < total)
		answer_number(out, "others", "on its way", ANSWER_SIZE,
		              known < total ? (total - known) * PAGE_SIZE : 0);
	answer_number(out, "total", "all together", ANSWER_SIZE, total * PAGE_SIZE);
	answer_number(out, "promised", "promised", ANSWER_SIZE, n.committed * PAGE_SIZE);
}

static bool command_mem(struct shell_job *job)
{
	struct mem *m = (struct mem *)job->scratch;

	if (job->step == 0) {
		answer_table(&job->out, "owners", mem_columns, ARRAY_SIZE(mem_columns));
		mem_mezzo(job, m);
		return true;
	}
	for (unsigned i = 0; i < OWNERS_A_STEP; i++) {
		struct vm *vm = vm_after(m->last);
		if (vm == NULL) {
			mem_rest(job, m);
			return false;
		}
		m->last = vm->id;
		mem_vm(job, m, vm);
	}
	return true;
}

// ---- the log ----

struct log_copy {
	uint32_t length, at; // of the copy; what was shown
	char text[LOG_COPY];
};
STATIC_ASSERT(sizeof(struct log_copy) <= SHELL_SCRATCH, "a job keeps the copy");

static void copy_log(struct log_copy *copy)
{
	copy->length = (uint32_t)log_read(copy->text, sizeof copy->text);
	if (copy->length < sizeof copy->text)
		return;
	const char *end = memchr(copy->text, '\n', copy->length); // the first line is a rest
	copy->at = end != NULL ? (uint32_t)(end - copy->text) + 1 : 0;
}

static bool command_log(struct shell_job *job)
{
	struct log_copy *copy = (struct log_copy *)job->scratch;

	if (job->step == 0) {
		copy_log(copy);
		answer_list(&job->out, "lines");
		return copy->length > 0;
	}
	for (unsigned i = 0; i < LINES_A_STEP && copy->at < copy->length; i++) {
		const char *from = copy->text + copy->at;
		size_t left = copy->length - copy->at;
		const char *end = memchr(from, '\n', left);
		size_t n = end != NULL ? (size_t)(end - from) : left;
		answer_item(&job->out, from, n < LOG_LINE ? n : LOG_LINE);
		copy->at += (uint32_t)n + 1;
	}
	return copy->at < copy->length;
}

// ---- the board ----

static bool command_uptime(struct shell_job *job)
{
	answer_number(&job->out, "uptime_ms", "the board runs", ANSWER_CLOCK,
	              timer_to_ms(timer_now()));
	answer_number(&job->out, "cpus", "CPUs", ANSWER_NUMBER, cpu_count());
	answer_number(&job->out, "vms", "VMs", ANSWER_NUMBER, vm_count());
	answer_text(&job->out, "version", "Mezzo", MEZZO_VERSION);
	return false;
}

struct reboot {
	uint32_t last, running;
};

static bool command_reboot(struct shell_job *job)
{
	struct reboot *r = (struct reboot *)job->scratch;
	bool now = job->argc > 1;

	if (now && strcmp(job->argv[1], "now") != 0) {
		answer_error(&job->out, "%s: reboot knows only one word, now", job->argv[1]);
		return false;
	}
	for (unsigned i = 0; i < SHELL_LOOK && !now; i++) {
		struct vm *vm = vm_after(r->last);
		if (vm == NULL && r->running > 0) {
			answer_error(&job->out,
			             "%u VMs are running: `reboot now` resets the board under them",
			             r->running);
			return false;
		}
		now = vm == NULL;
		if (vm != NULL) {
			r->last = vm->id;
			r->running += load_acquire(&vm->state) == VM_RUNNING ? 1 : 0;
		}
	}
	if (!now)
		return true;
	power_reset();
	answer_error(&job->out, "neither firmware nor a watchdog can reset this board");
	return false;
}

const struct shell_command shell_system_commands[] = {
        {"mem", "", "who has how much of the board's memory", command_mem, .most = 0},
        {"free", "", "how much memory is left", command_free, .most = 0},
        {"log", "", "Mezzo's newest messages", command_log, .most = 0},
        {"uptime", "", "how long the board has run", command_uptime, .most = 0},
        {"reboot", "[now]", "reset the board", command_reboot, .most = 1},
        {"help", "[WORD]", "this list", command_help, .most = 1},
        {0},
};
