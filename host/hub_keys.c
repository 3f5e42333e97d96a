// SPDX-License-Identifier: Apache-2.0
//
// Where typed bytes go: to the VM in view, to Mezzo's shell, or to this program itself behind the escape key. Owns
// `escape` and `focus` of a hub with hub.c. Called by cmd_console.c and qemu.c, through hub.h.
// Invariant: what has no room is dropped here and not kept.
#include "hub_state.h"
#include "term.h"
#include "util.h"

#include <stdlib.h>

// Whose keyboard it is.
static struct source *target(struct hub *hub)
{
	struct source *shown = view_shown(hub->view);

	if (shown != NULL)
		return shown;
	return hub->focus != NULL ? hub->focus : view_neighbour(hub->view, 0, true);
}

static struct channel *target_channel(struct hub *hub)
{
	struct source *source = target(hub);

	return source != NULL && source->there ? ((struct feed *)source->owner)->channel : NULL;
}

static void show_vm(struct hub *hub, struct source *vm)
{
	const struct feed *feed = vm != NULL ? vm->owner : NULL;
	char *title;

	if (vm == NULL) {
		view_note(hub->view, "there is no such VM");
		return;
	}
	title = util_format("%s: attached%s; Ctrl-] ? lists the keys", vm->name,
	                    feed->channel->state == FRAME_STATE_STOPPED ? " (it does not run)"
	                                                                : "");
	hub_show(hub, vm, title);
	free(title);
}

static void show_shell(struct hub *hub)
{
	struct channel *shell = link_find(&hub->link, FRAME_KIND_SHELL);

	if (shell != NULL && shell->owner != NULL)
		hub_show(hub, ((struct feed *)shell->owner)->source, NULL);
	else
		view_note(hub->view, "Mezzo offers no shell");
}

static void list_keys(struct hub *hub)
{
	view_note(hub->view,
	          "Ctrl-] then: 0 Mezzo's shell, 1-9 a VM by its number, n/p "
	          "next/previous VM,\r\n"
	          "                    a all output with names, ] Ctrl-] itself, q leave, ? "
	          "this help");
}

static void type(struct hub *hub, uint8_t key)
{
	struct channel *channel = target_channel(hub);

	if (key == '\r' && (channel == NULL || channel->state == FRAME_STATE_STOPPED))
		view_note(hub->view, "%s; Ctrl-] 0 leads to Mezzo's shell",
		          channel == NULL ? "there is no VM" : "this VM does not run");
	if (channel != NULL) // what has no room is dropped, as a UART would
		link_send(&hub->link, channel, &key, 1);
}

static void obey(struct hub *hub, uint8_t key)
{
	const struct source *from = target(hub);
	uint32_t id = from != NULL && from->kind == FRAME_KIND_CONSOLE ? from->id
	              : hub->focus != NULL                             ? hub->focus->id
	                                                               : 0;

	switch (key) {
	case ']':
	case KEY_ESCAPE: type(hub, KEY_ESCAPE); break;
	case '0': show_shell(hub); break;
	case 'a': hub_show(hub, NULL, NULL); break;
	case 'n':
	case 'p': show_vm(hub, view_neighbour(hub->view, id, key == 'n')); break;
	default:
		if (key >= '1' && key <= '9')
			show_vm(hub, view_vm(hub->view, key - (uint32_t)'0'));
		else
			list_keys(hub);
	}
}

// A key on a plain wire: Mezzo has its own views there, and gets the escape key too.
static void pass(struct hub *hub, uint8_t key)
{
	if (buffer_size(&hub->link.out) < TYPED_ENOUGH)
		buffer_add(&hub->link.out, &key, 1);
}

bool hub_keys(struct hub *hub, const uint8_t *bytes, size_t size)
{
	bool framed = hub->link.state == LINK_FRAMED;

	for (size_t i = 0; i < size; i++) {
		bool command = hub->options->terminal && hub->escape;

		if (command && bytes[i] == KEY_QUIT)
			return false;
		hub->escape = hub->options->terminal && !hub->escape && bytes[i] == KEY_ESCAPE;
		if (!framed)
			pass(hub, bytes[i]);
		else if (command)
			obey(hub, bytes[i]);
		else if (!hub->escape)
			type(hub, bytes[i]);
	}
	return true;
}

size_t hub_room(struct hub *hub)
{
	const struct channel *channel;

	if (hub->link.state == LINK_GREETS && !hub->options->terminal)
		return 0;
	if (hub->link.state != LINK_FRAMED || hub->options->terminal)
		return buffer_size(&hub->link.out) < TYPED_ENOUGH
		               ? TYPED_ENOUGH - buffer_size(&hub->link.out)
		               : 0;
	channel = target_channel(hub);
	return channel != NULL && channel->open && channel->state != FRAME_STATE_STOPPED
	               ? CHANNEL_ROOM - buffer_size(&channel->out)
	               : 0;
}
