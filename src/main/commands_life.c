// SPDX-License-Identifier: Apache-2.0
// The shell's commands that begin and end the lives of VMs, and the list of all tables of commands, which
// only main/ can see. Own nothing; called by console/shell.c, one step each: what a command begins goes
// on without it, and the log tells how it ended.
#include "main/commands_life.h"

#include "base/string.h"
#include "debug/commands_debug.h"
#include "main/life.h"
#include "vm/vm.h"

// What each of the words does, and what is said when it was begun.
static const struct {
	const char *word;
	const char *(*act)(struct vm *vm);
	const char *said;
} deeds[] = {
        {"start", life_start, "starts"},
        {"stop", life_stop, "its power button is pressed"},
        {"kill", life_kill, "is ended"},
        {"pause", life_pause, "pauses"},
        {"resume", life_resume, "goes on"},
        {"restart", life_restart, "restarts"},
        {"destroy", life_destroy, "is taken away"},
};

static bool command_life(struct shell_job *job)
{
	char name[VM_NAME_SIZE]; // the VM may be gone when there is something to say
	uint32_t number = job->vm->id;
	unsigned i = 0;

	string_copy(name, job->vm->name, sizeof name);
	while (strcmp(deeds[i].word, job->argv[0]) != 0)
		i++;
	const char *why_not = deeds[i].act(job->vm);
	if (why_not != NULL) {
		answer_error(&job->out, "%s: %s", name, why_not);
		return false;
	}
	answer_text(&job->out, "name", NULL, name);
	answer_number(&job->out, "number", NULL, ANSWER_NUMBER, number);
	answer_say(&job->out, "begun", "%s: %s", name, deeds[i].said);
	return false;
}

static bool command_create(struct shell_job *job)
{
	struct vm *vm = NULL;

	if (strcmp(job->argv[2], "from") != 0) {
		answer_error(&job->out, "usage: create NAME from TEMPLATE");
		return false;
	}
	const char *why_not = config_create(job->argv[1], job->argv[3], &vm);
	if (why_not != NULL) {
		answer_error(&job->out, "%s: %s", job->argv[1], why_not);
		return false;
	}
	answer_text(&job->out, "name", NULL, job->argv[1]);
	answer_number(&job->out, "number", NULL, ANSWER_NUMBER, vm->id);
	answer_say(&job->out, "begun", "%s: created from %s as number %u; `start %s` starts it",
	           job->argv[1], job->argv[3], vm->id, job->argv[1]);
	return false;
}

#define DEED(word, help)                                                 \
	{                                                                \
		word, "NAME", help, command_life, 1, 1, .takes_vm = true \
	}

static const struct shell_command commands_life[] = {
        DEED("start", "begin a VM that is off or new"),
        DEED("stop", "press a VM's power button: the guest ends by itself"),
        DEED("kill", "end a VM, whatever its guest does"),
        DEED("pause", "hold a VM: its memory stays, its time stands still"),
        DEED("resume", "let a paused VM go on"),
        DEED("restart", "end a VM and begin it again"),
        {"create", "NAME from TEMPLATE", "make a VM as a template says (autostart = false)",
         command_create, 3, 3, .takes_vm = false},
        DEED("destroy", "end a VM and give back all it has"),
        {0},
};

const struct shell_command *const commands_all[] = {
        shell_vm_commands,     shell_screen_commands,
        commands_life,         commands_debug,
        shell_net_commands,    shell_capture_commands,
        shell_board_commands,  shell_try_commands,
        shell_system_commands, NULL,
};
