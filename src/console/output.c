// SPDX-License-Identifier: Apache-2.0
// Chooses what goes on the wire next. Owns no state but what it is given; called by console.c under
// LOCK_CONSOLE.
//
// In the view of all, a VM's line is shown when it is complete, when it is too long, or when its guest
// has paused in it (a prompt); until then it waits in the VM's ring, where one newline costs one
// look. Once shown in part, a line goes on at once, unless another source has to speak. A VM that is not
// shown keeps the newest output in its ring, as a history for the time when it is.
// Invariant: view.piece is 0 but for the VM at out->next.
#include "console/output.h"

#include "base/atomic.h"
#include "base/print.h"
#include "console/message.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "vm/vm.h"

STATIC_ASSERT(WIRE_SIZE - WIRE_GOAL >= 4 * MESSAGE_MAX, "a line of Mezzo's own, all of it ^X, in "
                                                        "pieces with prefixes");

#define PAUSE_MS      100
#define HISTORY_FULL  (VCONS_OUT_SIZE - 512) // a VM that is not shown has so much at most
#define HISTORY_PIECE 1024                   // and gives up its oldest in such pieces
#define LOOK_EFFORT   2                      // of looking at a VM that has nothing to show

void output_init(struct output *out)
{
	wire_init(&out->wire);
	out->own = (struct vcons_view){0};
	out->view = OUTPUT_ALL;
	out->focus = NULL;
	out->next = 0;
	out->deadline = TIMER_NEVER;
	output_set_pause(out);
}

void output_set_pause(struct output *out)
{
	out->pause = timer_from_ms(PAUSE_MS);
}

// ---- Mezzo's own lines ----

static void say(struct output *out, const char *text, size_t length, uint32_t *effort)
{
	for (size_t i = 0; i < length; i++)
		lines_put(&out->wire, &out->own, "mezzo", (uint8_t)text[i]);
	lines_put(&out->wire, &out->own, "mezzo", '\n');
	*effort -= *effort < length ? *effort : (uint32_t)length;
	if (out->view == OUTPUT_SHELL)
		shell_redraw();
}

static void tell_lost_lines(struct output *out, uint32_t *effort)
{
	char line[MESSAGE_MAX];
	uint32_t lost = message_lost();

	if (lost == 0)
		return;
	size_t n = print_buffer(line, sizeof line, "%u lines of Mezzo's own are lost", lost);
	say(out, line, n, effort);
}

static bool say_messages(struct output *out, uint32_t *effort)
{
	char line[MESSAGE_MAX];
	int length;

	while (wire_wants(&out->wire) && *effort > 0) {
		tell_lost_lines(out, effort);
		length = message_get(line);
		if (length < 0)
			return false;
		say(out, line, (size_t)length, effort);
		if (!wire_wants(&out->wire))
			return true;
	}
	return true;
}

static void tell_lost_bytes(struct output *out, struct vm *vm, uint32_t *effort)
{
	struct vcons *con = &vm->con;
	uint64_t lost = load_relaxed(&con->lost);
	char line[MESSAGE_MAX];

	if (lost == con->view.lost_told || !wire_wants(&out->wire))
		return;
	size_t n = print_buffer(line, sizeof line, "%s: %lu bytes of older output are gone",
	                        vm->name, (unsigned long)(lost - con->view.lost_told));
	con->view.lost_told = lost;
	say(out, line, n, effort);
}

// ---- one VM ----

// How many of the waiting bytes may be shown now as parts of lines.
static uint32_t choose_piece(struct output *out, struct vcons *con, uint64_t now, bool flush,
                             uint32_t *effort)
{
	struct vcons_view *view = &con->view;
	uint32_t fill = vcons_fill(&con->out);

	if (fill == 0) {
		view->since = 0;
		store_relaxed(&con->wish, VCONS_WISH_ALL);
		return 0;
	}
	uint32_t at = vcons_out_find(con, '\n', fill < LINE_MAX_WIDTH ? fill : LINE_MAX_WIDTH);
	*effort -= *effort < at ? *effort : at;
	if (at < fill && at < LINE_MAX_WIDTH) {
		view->since = 0;
		return at + 1; // with its line feed
	}
	if (fill >= LINE_MAX_WIDTH || out->wire.open == view || flush ||
	    (view->since != 0 && now - view->since >= out->pause))
		return at; // and what follows in this line has waited as long
	if (view->since == 0)
		view->since = now;
	if (view->since + out->pause < out->deadline)
		out->deadline = view->since + out->pause;
	store_relaxed(&con->wish, VCONS_WISH_LINES);
	return 0;
}

// Shows what may be shown of a VM's lines, at most one piece. False: it has nothing.
static bool show_lines(struct output *out, struct vm *vm, uint64_t now, bool flush,
                       uint32_t *effort)
{
	struct vcons *con = &vm->con;
	uint8_t byte;

	if (con->view.piece == 0) {
		tell_lost_bytes(out, vm, effort);
		con->view.piece = choose_piece(out, con, now, flush, effort);
		if (con->view.piece == 0)
			return false;
	}
	while (con->view.piece > 0 && *effort > 0 && wire_wants(&out->wire)) {
		if (!vcons_out_get(con, &byte)) { // the device gave some of it up
			con->view.piece = 0;
			break;
		}
		con->view.piece--;
		--*effort;
		lines_put(&out->wire, &con->view, vm->name, byte);
	}
	store_relaxed(&con->progress_time, now);
	return true;
}

// Shows a VM's bytes as they are. False: it has nothing more.
static bool show_raw(struct output *out, struct vm *vm, uint64_t now, uint32_t *effort)
{
	struct vcons *con = &vm->con;
	uint8_t byte;

	tell_lost_bytes(out, vm, effort);
	store_relaxed(&con->wish, VCONS_WISH_ALL);
	if (vcons_fill(&con->out) == 0)
		return false;
	while (*effort > 0 && wire_wants(&out->wire)) {
		if (!vcons_out_get(con, &byte))
			return false;
		--*effort;
		wire_put(&out->wire, byte);
		store_relaxed(&con->progress_time, now);
	}
	return true;
}

// Keeps room in the ring of a VM that is not shown.
static void keep_history(struct vm *vm, uint64_t now)
{
	struct vcons *con = &vm->con;

	store_relaxed(&con->wish, VCONS_WISH_FEW);
	if (vcons_fill(&con->out) < HISTORY_FULL)
		return;
	fetch_add(&con->lost, vcons_out_drop(con, HISTORY_PIECE));
	store_relaxed(&con->progress_time, now);
}

// ---- the views ----

void output_show(struct output *out, enum output_view view, struct vm *vm)
{
	FOR_EACH_VM (other) {
		other->con.view.piece = 0;
		other->con.view.since = 0;
		lines_reset(&other->con.view);
	}
	wire_fresh_line(&out->wire);
	out->view = view;
	if (vm != NULL)
		out->focus = vm;
	if (view == OUTPUT_SHELL)
		shell_redraw();
}

// The VM whose turn it is; NULL: there is none.
static struct vm *next_vm(const struct output *out)
{
	struct vm *vm = out->next != 0 ? vm_after(out->next - 1) : NULL;

	return vm != NULL ? vm : vm_after(0);
}

// Round after round, a piece of each VM, until nobody has one.
static bool show_all(struct output *out, uint64_t now, bool flush, uint32_t *effort)
{
	uint32_t count = vm_count();
	uint32_t idle = 0; // VMs in a row without anything to show

	while (idle < count) {
		struct vm *vm = next_vm(out);
		if (vm == NULL)
			break;
		if (*effort < LOOK_EFFORT) {
			*effort =
			        0; // a rest that pays for no look must not look like a reason to go on
			return true;
		}
		if (!wire_wants(&out->wire))
			return true;
		*effort -= LOOK_EFFORT;
		idle = show_lines(out, vm, now, flush, effort) ? 0 : idle + 1;
		if (vm->con.view.piece == 0) // else its line goes on when there is room again
			out->next = vm->id + 1;
	}
	return false;
}

static bool show_shell(struct output *out, uint32_t *effort)
{
	struct ring *from = shell_output();
	uint8_t byte;

	if (ring_fill(from) == 0)
		return false;
	while (*effort > 0 && wire_wants(&out->wire)) {
		if (!ring_get(from, &byte))
			return false;
		--*effort;
		wire_put(&out->wire, byte);
	}
	return true;
}

// A line that has begun is finished before Mezzo speaks.
static bool finish_line(struct output *out, uint64_t now, bool flush, uint32_t *effort)
{
	struct vm *vm = next_vm(out);

	if (out->view != OUTPUT_ALL || vm == NULL || vm->con.view.piece == 0)
		return true;
	(void)show_lines(out, vm, now, flush, effort);
	return vm->con.view.piece == 0;
}

bool output_fill(struct output *out, uint64_t now, bool flush, uint32_t *effort)
{
	out->deadline = TIMER_NEVER;
	if (!finish_line(out, now, flush, effort) || say_messages(out, effort))
		return true;
	if (out->view == OUTPUT_ALL)
		return show_all(out, now, flush, effort);
	FOR_EACH_VM (vm)
		if (out->view != OUTPUT_VM || vm != out->focus)
			keep_history(vm, now);
	if (out->view == OUTPUT_VM)
		return out->focus != NULL && show_raw(out, out->focus, now, effort);
	return show_shell(out, effort);
}
