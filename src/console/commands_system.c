// SPDX-License-Identifier: Apache-2.0
// The shell's commands about Mezzo and the board. Owns the copy of the log that is being shown; called
// by shell.c alone, a step at a time.
#include "base/log.h"
#include "base/string.h"
#include "console/console.h"
#include "console/shell.h"
#include "hw/psci_client.h"
#include "hw/timer.h"
#include "mem/pages.h"
#include "vm/vm.h"

#define LOG_COPY     4096 // copied in one step, so no more
#define LOG_LINE     200  // characters of a line that are shown
#define LINES_A_STEP 4
#define PAGES_A_MIB  (MIB(1) / PAGE_SIZE)

static void help_row(const struct shell_command *c)
{
	char name[32];
	size_t n = strlen(c->name), m = strlen(c->args);

	memcpy(name, c->name, n + 1);
	if (m != 0 && n + m + 2 < sizeof name) {
		name[n] = ' ';
		memcpy(name + n + 1, c->args, m + 1);
	}
	shell_print("  %-14s %s\n", name, c->help);
}

// A table a step.
static bool command_help(struct shell_job *job)
{
	const struct shell_command *table = shell_tables[job->step];

	if (table == NULL) {
		shell_print("Keys: Tab completes, arrows recall, Ctrl-U erases, Ctrl-C stops; "
		            "Ctrl-] ? shows the console's keys\n");
		return false;
	}
	for (; table->name != NULL; table++)
		if (job->argc < 2 || strcmp(job->argv[1], table->name) == 0)
			help_row(table);
	return true;
}

static bool command_mem(struct shell_job *job UNUSED)
{
	struct pages_count n = pages_counts();

	shell_print("  total     %8lu MiB\n", (unsigned long)(n.total / PAGES_A_MIB));
	shell_print("  free      %8lu MiB, %lu MiB of it filled with zeroes\n",
	            (unsigned long)(n.free / PAGES_A_MIB), (unsigned long)(n.zeroed / PAGES_A_MIB));
	shell_print("  promised  %8lu MiB to VMs, or taken by Mezzo\n",
	            (unsigned long)(n.committed / PAGES_A_MIB));
	return false;
}

static bool command_log(struct shell_job *job)
{
	static char copy[LOG_COPY];
	static size_t length, at; // of the copy; what was shown

	if (job->step == 0) {
		length = log_read(copy, sizeof copy);
		at = 0;
		if (length == sizeof copy) { // the first line is a rest
			const char *end = memchr(copy, '\n', length);
			at = end != NULL ? (size_t)(end - copy) + 1 : 0;
		}
	}
	for (unsigned i = 0; i < LINES_A_STEP && at < length; i++) {
		const char *end = memchr(copy + at, '\n', length - at);
		size_t n = end != NULL ? (size_t)(end - copy) - at : length - at;
		shell_print("%.*s\n", n < LOG_LINE ? (int)n : LOG_LINE, copy + at);
		at += n + 1;
	}
	return at < length;
}

static bool command_uptime(struct shell_job *job UNUSED)
{
	uint64_t s = timer_now() / timer_hz();

	shell_print("the board's counter has run for %lu:%02lu:%02lu\n", (unsigned long)(s / 3600),
	            (unsigned long)(s / 60 % 60), (unsigned long)(s % 60));
	return false;
}

static bool command_reboot(struct shell_job *job)
{
	uint32_t running = 0;

	FOR_EACH_VM (vm)
		running += load_acquire(&vm->state) == VM_RUNNING ? 1 : 0;
	if (running > 0 && (job->argc < 2 || strcmp(job->argv[1], "now") != 0)) {
		shell_print("%u VMs are running: `reboot now` resets the board under them\n",
		            running);
		return false;
	}
	psci_client_system_reset();
	shell_print("the firmware cannot reset this board\n");
	return false;
}

const struct shell_command shell_system_commands[] = {
        {"mem", "", "the board's memory", command_mem, false},
        {"log", "", "Mezzo's newest messages", command_log, false},
        {"uptime", "", "how long the board has run", command_uptime, false},
        {"reboot", "[now]", "reset the board", command_reboot, false},
        {"help", "[WORD]", "this list", command_help, false},
        {0},
};
