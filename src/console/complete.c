// SPDX-License-Identifier: Apache-2.0
// Completion of a word: two passes over the names that may stand there, one to learn how far they agree,
// and, if that is no further than what was typed, one to show them. Owns nothing; called by shell.c.
// VMs may come and go between two steps: names are copied, and VMs are gone through by number.
#include "console/complete.h"

#include "base/string.h"

#define SHOWN_A_STEP 16 // names

static const struct shell_command *command_at(uint32_t index)
{
	for (const struct shell_command *const *table = shell_tables(); *table != NULL; table++)
		for (const struct shell_command *c = *table; c->name != NULL; c++)
			if (index-- == 0)
				return c;
	return NULL;
}

// Whether word number `index` of the line is `text`.
static bool word_is(const struct edit *e, unsigned index, const char *text)
{
	const char *p = e->line;
	size_t n = strlen(text);

	for (;; index--) {
		while (*p == ' ')
			p++;
		if (index == 0)
			return strncmp(p, text, n) == 0 && (p[n] == ' ' || p[n] == '\0');
		while (*p != '\0' && *p != ' ')
			p++;
		if (*p == '\0')
			return false;
	}
}

static bool takes_vm(const struct edit *e)
{
	const struct shell_command *c;

	for (uint32_t i = 0; (c = command_at(i)) != NULL; i++)
		if (c->takes_vm && word_is(e, 0, c->name))
			return true;
	return false;
}

bool complete_begin(struct complete *c, const struct edit *e)
{
	unsigned index = 0; // of the word

	*c = (struct complete){0};
	for (uint32_t i = 0; i < e->at; i++) {
		if (e->line[i] != ' ')
			continue;
		index += i > 0 && e->line[i - 1] != ' ' ? 1 : 0;
		c->start = i + 1;
	}
	if (index == 0 || (index == 1 && word_is(e, 0, "help")))
		c->what = COMPLETE_COMMANDS;
	else if (index == 2 && word_is(e, 0, "create"))
		c->what = COMPLETE_FROM;
	else if (index == 3 && word_is(e, 0, "create") && word_is(e, 2, "from"))
		c->what = COMPLETE_TEMPLATES;
	else if (index == 1 && takes_vm(e))
		c->what = COMPLETE_VMS;
	else
		return false;
	return true;
}

// The next name that fits, or NULL: there is none among the next `*look` ones; *look is 0 if there may
// be more.
static const char *next_name(struct complete *c, const struct edit *e, uint32_t *look)
{
	const char *word = e->line + c->start;
	size_t n = e->at - c->start;

	for (; *look > 0; --*look) {
		const char *name = NULL;
		if (c->what == COMPLETE_VMS || c->what == COMPLETE_TEMPLATES) {
			struct vm *vm = vm_after(c->looked_at);
			if (vm == NULL)
				return NULL;
			c->looked_at = vm->id;
			// What does not start by itself serves as a template.
			if (c->what == COMPLETE_VMS || !vm->autostart)
				name = vm->name;
		} else if (c->what == COMPLETE_FROM) {
			if (c->looked_at++ > 0)
				return NULL;
			name = "from";
		} else {
			const struct shell_command *command = command_at(c->looked_at++);
			if (command == NULL)
				return NULL;
			name = command->name;
		}
		if (name != NULL && strncmp(name, word, n) == 0)
			return name;
	}
	return NULL;
}

static void note(struct complete *c, const char *name)
{
	if (c->found++ == 0) {
		string_copy(c->first, name, sizeof c->first);
		c->common = strlen(c->first);
	}
	while (strncmp(name, c->first, c->common) != 0)
		c->common--;
}

// All names were seen once. Returns whether they are to be shown.
static bool decide(struct complete *c, struct edit *e)
{
	size_t n = e->at - c->start;

	if (c->found == 0)
		return false;
	edit_insert(e, c->first + n, c->common - n);
	if (c->found == 1)
		edit_insert(e, " ", 1);
	if (c->found == 1 || c->common > n)
		return false;
	edit_put(e, "\r\n");
	c->listing = true;
	c->looked_at = 0;
	return true;
}

bool complete_step(struct complete *c, struct edit *e)
{
	uint32_t look = SHELL_LOOK;
	const char *name;

	for (unsigned shown = 0; (name = next_name(c, e, &look)) != NULL; look--) {
		if (!c->listing) {
			note(c, name);
			continue;
		}
		edit_put(e, name);
		edit_put(e, "  ");
		if (++shown == SHOWN_A_STEP)
			return true;
	}
	if (look == 0)
		return true;
	if (!c->listing)
		return decide(c, e);
	edit_put(e, "\r\n");
	edit_draw(e);
	return false;
}
