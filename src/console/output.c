// SPDX-License-Identifier: Apache-2.0
// Chooses what goes on the wire next in plain mode. Owns no state but what it is given; called by console.c and
// the link under LOCK_CONSOLE.
//
// In the view of all, a VM's line is shown when it is complete, when it is too long, or when its guest
// has paused in it (a prompt); until then it waits in the VM's ring, where one newline costs one
// look. Once shown in part, a line goes on at once, unless another source has to speak.
//
// Only VMs that marked themselves are looked at. A change of view touches none of them: it begins a new epoch, and
// a VM is attached to when it is next looked at.
// Invariant: in this epoch view.piece is 0 but for the VM out->unfinished.
#include "console/output.h"

#include "base/atomic.h"
#include "base/print.h"
#include "console/message.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "vm/vm.h"

STATIC_ASSERT(WIRE_SIZE - WIRE_GOAL >= 4 * MESSAGE_MAX, "a line of Mezzo's own, all of it ^X, in "
                                                        "pieces with prefixes");
STATIC_ASSERT(BITSET_SIZE >= VM_MAX, "sets of VMs");

#define PAUSE_MS    100
#define LOOK_EFFORT 2   // of looking at a VM that has nothing to show
#define SHOW_PIECE  16U // bytes of a VM that go to the wire at once

STATIC_ASSERT(WIRE_SIZE - WIRE_GOAL >= SHOW_PIECE * WIRE_STEP, "whatever these bytes become");

void output_init(struct output *out)
{
	wire_init(&out->wire);
	out->own = (struct vcons_view){0};
	out->focus = NULL;
	out->next = 0;
	out->deadline = TIMER_NEVER;
	out->framed = false;
	output_set_pause(out);
	output_show(out, OUTPUT_ALL, NULL);
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
	uint32_t lost = message_lost();

	if (lost == 0)
		return;
	char line[MESSAGE_MAX];
	size_t n = print_buffer(line, sizeof line, "%u lines of Mezzo's own are lost", lost);
	say(out, line, n, effort);
}

static bool say_messages(struct output *out, uint32_t *effort)
{
	int length;

	if (!message_waits())
		return false;
	char line[MESSAGE_MAX]; // zeroed here, so not before there is a line
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
	struct vcons_view *view = &vm->con.view;
	uint64_t lost = load_relaxed(&vm->con.lost);
	uint64_t gone = view->gone + (lost - view->lost_told);

	if (gone == 0 || !wire_wants(&out->wire))
		return;
	char line[MESSAGE_MAX];
	size_t n = print_buffer(line, sizeof line, "%s: %lu bytes of older output are gone",
	                        vm->name, (unsigned long)gone);
	view->gone = 0;
	view->lost_told = lost;
	say(out, line, n, effort);
}

// ---- one VM ----

// The first look at a VM in this view: what is kept of its past comes first.
static void attach(struct output *out, struct vm *vm)
{
	struct vcons_view *view = &vm->con.view;
	uint64_t from = out->view == OUTPUT_VM && out->past ? 0 : view->shown;

	if (view->epoch == out->epoch)
		return;
	view->epoch = out->epoch;
	view->piece = view->scanned = 0;
	view->since = 0;
	if (view->at != from) // else a line that was interrupted still goes on
		view->broken = false;
	lines_reset(view);
	view->at = vcons_out_attach(&vm->con, from);
	view->gone = view->at - from;
}

// Takes the next bytes of a VM that is shown, at most `max` and SHOW_PIECE; returns how many.
static uint32_t next_bytes(struct vcons *con, uint8_t *bytes, uint32_t max)
{
	struct vcons_view *view = &con->view;
	uint32_t n = vcons_out_read(con, &view->at, bytes, max < SHOW_PIECE ? max : SHOW_PIECE);

	view->scanned -= view->scanned < n ? view->scanned : n;
	if (n > 0 && view->shown < view->at)
		view->shown = view->at;
	return n;
}

// How many bytes wait to be shown. The device may have given up some.
static uint32_t waiting_bytes(struct vcons *con)
{
	struct vcons_view *view = &con->view;
	uint64_t at = vcons_out_next(con, view->at);

	if (at != view->at) {
		view->at = at;
		view->piece = view->scanned = 0;
	}
	return (uint32_t)(load_ordered(&con->out.head) - at);
}

// How many of the waiting bytes may be shown now as parts of lines.
static uint32_t choose_piece(struct output *out, struct vcons *con, uint64_t now, bool flush,
                             uint32_t *effort)
{
	struct vcons_view *view = &con->view;
	uint32_t fill = waiting_bytes(con);
	uint32_t width = fill < LINE_MAX_WIDTH ? fill : LINE_MAX_WIDTH;
	uint32_t old = view->scanned < width ? view->scanned : width;

	if (fill == 0) {
		view->since = 0;
		return 0;
	}
	uint32_t at = old + vcons_out_find(con, view->at + old, '\n', width - old);
	*effort -= *effort < at - old ? *effort : at - old;
	if (at < width) {
		view->since = 0;
		return at + 1; // with its line feed
	}
	view->scanned = at;
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
	uint8_t bytes[SHOW_PIECE];

	attach(out, vm);
	if (con->view.piece == 0) {
		tell_lost_bytes(out, vm, effort);
		con->view.piece = choose_piece(out, con, now, flush, effort);
		if (con->view.piece == 0)
			return false;
	}
	while (con->view.piece > 0 && *effort > 0 && wire_wants(&out->wire)) {
		uint32_t piece = con->view.piece;
		uint32_t n = next_bytes(con, bytes, piece < *effort ? piece : *effort);
		if (n == 0) { // the device gave some of it up
			con->view.piece = 0;
			break;
		}
		con->view.piece -= n;
		*effort -= n;
		lines_put_some(&out->wire, &con->view, vm->name, bytes, n);
	}
	out->unfinished = con->view.piece > 0 ? vm->id : 0;
	store_relaxed(&con->progress_time, now);
	return true;
}

// Shows a VM's bytes as they are. False: it has nothing more.
static bool show_raw(struct output *out, struct vm *vm, uint64_t now, uint32_t *effort)
{
	struct vcons *con = &vm->con;
	uint8_t bytes[SHOW_PIECE];

	attach(out, vm);
	tell_lost_bytes(out, vm, effort);
	store_ordered(&con->wish, VCONS_WISH_ALL); // before the last look
	while (waiting_bytes(con) > 0) {
		if (*effort == 0 || !wire_wants(&out->wire))
			return true;
		uint32_t n = next_bytes(con, bytes, *effort);
		*effort -= n > 0 ? n : 1;
		if (n == 0)
			continue;
		ring_put_all(&out->wire.ring, bytes, n);
		out->wire.last = bytes[n - 1];
		store_relaxed(&con->progress_time, now);
	}
	return false;
}

// ---- the views ----

// Every VM there is will be looked at.
static void mark_all(void)
{
	const struct vm *last = vm_before(VM_MAX + 1);

	bitset_add_below(&vcons_marked, last != NULL ? last->id : 0);
}

// A new epoch: nothing that was on its way to the wire goes on.
static void begin_view(struct output *out, bool past)
{
	uint32_t watch = out->framed ? VCONS_WATCH_LINK : VCONS_WATCH_NONE;

	out->epoch++;
	out->past = past;
	out->unfinished = 0;
	if (!out->framed && out->view == OUTPUT_ALL)
		watch = VCONS_WATCH_ALL;
	else if (!out->framed && out->view == OUTPUT_VM && out->focus != NULL)
		watch = out->focus->id;
	store_release(&vcons_watch, watch);
	if (out->framed)
		return;
	if (out->view == OUTPUT_ALL)
		mark_all();
	wire_fresh_line(&out->wire);
	if (out->view == OUTPUT_SHELL)
		shell_redraw();
}

void output_show(struct output *out, enum output_view view, struct vm *vm)
{
	out->view = view;
	if (vm != NULL)
		out->focus = vm;
	begin_view(out, true);
}

void output_set_framed(struct output *out, bool framed)
{
	if (framed)
		wire_fresh_line(&out->wire);
	else
		out->wire.last = '\n';
	out->framed = framed;
	begin_view(out, false);
}

void output_forget(struct output *out, struct vm *vm)
{
	if (out->wire.open == &vm->con.view)
		wire_fresh_line(&out->wire);
	if (out->focus != vm)
		return;
	out->focus = NULL;
	if (out->view == OUTPUT_VM)
		output_show(out, OUTPUT_SHELL, NULL);
}

void output_quiet(struct vm *vm)
{
	store_relaxed(&vm->con.wish, VCONS_WISH_FEW);
	bitset_remove(&vcons_marked, vm->id - 1);
}

// It has nothing more to show: it is not looked at before it says so. A byte that comes meanwhile sees the wish, or
// is seen here; then the answer is false.
static bool rest(struct vm *vm)
{
	struct vcons *con = &vm->con;

	store_ordered(&con->wish, VCONS_WISH_ALL);
	bitset_remove(&vcons_marked, vm->id - 1);
	if (waiting_bytes(con) == 0)
		return true;
	vcons_mark(con);
	return false;
}

// Looks at VM number n + 1, which is marked. False: it has nothing to show now.
static bool look_at(struct output *out, uint32_t n, uint64_t now, bool flush, uint32_t *effort)
{
	struct vm *vm = vm_by_id(n + 1);

	if (vm == NULL) {
		bitset_remove(&vcons_marked, n);
		return false;
	}
	if (show_lines(out, vm, now, flush, effort))
		return true;
	return waiting_bytes(&vm->con) == 0 && !rest(vm);
}

// Round after round, a piece of each VM, until nobody has one.
static bool show_all(struct output *out, uint64_t now, bool flush, uint32_t *effort)
{
	uint32_t from = out->next;
	bool around = false; // and nobody between out->next and the end had anything

	for (;;) {
		uint32_t n = bitset_next(&vcons_marked, from);
		if (n == BITSET_NONE && !around) {
			around = true;
			from = 0;
			continue;
		}
		if (n == BITSET_NONE || (around && n >= out->next))
			return false;
		if (*effort < LOOK_EFFORT) {
			// A rest that pays for no look must not look like a reason to go on.
			*effort = 0;
			return true;
		}
		if (!wire_wants(&out->wire))
			return true;
		*effort -= LOOK_EFFORT;
		from = n + 1;
		if (look_at(out, n, now, flush, effort)) {
			from = out->next = n + (out->unfinished == 0 ? 1 : 0);
			around = false;
		}
	}
}

// VMs that marked themselves although nobody looks at them.
static bool quiet_all(uint32_t *effort)
{
	for (uint32_t n = bitset_next(&vcons_marked, 0); n != BITSET_NONE;
	     n = bitset_next(&vcons_marked, n + 1)) {
		struct vm *vm = vm_by_id(n + 1);
		if (*effort < LOOK_EFFORT) {
			*effort = 0;
			return true;
		}
		*effort -= LOOK_EFFORT;
		if (vm != NULL)
			output_quiet(vm);
		else
			bitset_remove(&vcons_marked, n);
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
	struct vm *vm = out->unfinished != 0 ? vm_by_id(out->unfinished) : NULL;

	out->unfinished = 0;
	if (vm == NULL || vm->con.view.epoch != out->epoch || vm->con.view.piece == 0)
		return true;
	(void)show_lines(out, vm, now, flush, effort);
	return out->unfinished == 0;
}

bool output_fill(struct output *out, uint64_t now, bool flush, uint32_t *effort)
{
	out->deadline = TIMER_NEVER;
	if (!finish_line(out, now, flush, effort) || say_messages(out, effort))
		return true;
	if (out->view == OUTPUT_ALL)
		return show_all(out, now, flush, effort);
	if (quiet_all(effort))
		return true;
	if (out->view == OUTPUT_VM)
		return out->focus != NULL && show_raw(out, out->focus, now, effort);
	return show_shell(out, effort);
}
