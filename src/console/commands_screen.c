// SPDX-License-Identifier: Apache-2.0
// `screenshot`: a picture of a VM's screen, as a file for the host. Owns the one picture that can be on its way;
// called by shell.c, a step at a time.
//
// A step makes one piece of the PNG, or reads a few hundred pixels, and only when the file's ring has room: so it is
// the host's credit that decides when. What the guest does to its screen meanwhile, or to itself, ends the picture
// with a sentence.
// Invariant: `picture` belongs to the job whose channel is not gone; there is one such channel at most.
#include "base/atomic.h"
#include "base/png.h"
#include "base/print.h"
#include "console/console.h"
#include "console/link.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "vdev/vbcm2835_fb.h"
#include "vdev/vbcm2835_scan.h"
#include "vm/vm.h"

#define OPEN_WAIT_MS 10000 // a host that has not asked for the file by then will not do so
#define PART         16    // pixels of a line that are read at once
#define STEP_WORK    320   // of a step, as the encoder counts it, plus that of one part

STATIC_ASSERT(VBCM2835_FB_MAX_SIDE <= PNG_SIDE_MAX, "every screen makes a picture");
STATIC_ASSERT(PART <= VBCM2835_SCAN_MAX && PART <= PNG_PIXELS_MAX, "a part is taken at once");

enum phase { PIXELS, SENDING };

// What a job keeps.
struct shot {
	uint16_t channel; // 0: none
	enum phase phase;
	uint32_t x, y;  // of the next pixel
	uint64_t life;  // the VM's start_time
	uint64_t bytes; // made so far
	struct vbcm2835_fb_view view;
};
STATIC_ASSERT(sizeof(struct shot) <= SHELL_SCRATCH, "a job keeps it");

static struct {
	struct png png; // owned by the job that has the channel

	// Atomically: what the next step waits for.
	uint32_t channel; // it is this one's turn
	uint32_t room;    // so many bytes in the ring
	uint64_t until;   // ticks: or this time, if the host has not asked for the file
} picture;

static bool ready(void)
{
	return link_file_gone((uint16_t)load_relaxed(&picture.channel)) ||
	       ring_room(link_file_ring()) >= load_relaxed(&picture.room) ||
	       (!link_file_opened() && timer_now() >= load_relaxed(&picture.until));
}

static bool has_memory(const struct vm *vm)
{
	uint32_t state = load_acquire(&vm->state);

	return state == VM_RUNNING || state == VM_PAUSED;
}

// ---- the end ----

static bool fail(struct shell_job *job, const char *why)
{
	struct shot *shot = (struct shot *)job->scratch;

	console_file_end(shot->channel, why);
	shot->channel = 0;
	answer_error(&job->out, "%s: %s", job->argv[1], why);
	return false;
}

static void end_screenshot(struct shell_job *job)
{
	const struct shot *shot = (const struct shot *)job->scratch;

	if (shot->channel != 0)
		console_file_end(shot->channel, "the command was broken off");
}

// ---- the beginning ----

// Why there is no picture, or NULL.
static const char *look(struct vm *vm, struct shot *shot)
{
	if (vm->raspi3 == NULL)
		return "it has no screen: only a VM with machine = raspi3 has one";
	if (!has_memory(vm))
		return "it does not run, so it has no screen";
	if (!vbcm2835_fb_view(vm, &shot->view))
		return "it has no framebuffer: its guest has not asked for one";
	return NULL;
}

static void write_piece(struct shot *shot, size_t size)
{
	ring_put_all(link_file_ring(), picture.png.piece, (uint32_t)size);
	shot->bytes += size;
}

static bool begin(struct shell_job *job)
{
	struct shot *shot = (struct shot *)job->scratch;
	struct answer *out = &job->out;
	char name[VM_NAME_SIZE + 4];
	const char *why = look(job->vm, shot);

	if (why != NULL) {
		answer_error(out, "%s: %s", job->vm->name, why);
		return false;
	}
	(void)print_buffer(name, sizeof name, "%s.png", job->vm->name);
	shot->channel = console_file_begin(name, job->vm->id, &why);
	if (shot->channel == 0) {
		answer_error(out, "%s: %s", name, why);
		return false;
	}
	shot->life = job->vm->start_time;
	store_relaxed(&picture.room, 2 * PNG_PIECE_MAX);
	store_relaxed(&picture.until, timer_now() + timer_from_ms(OPEN_WAIT_MS));
	store_relaxed(&picture.channel, shot->channel);
	answer_number(out, "channel", NULL, ANSWER_NUMBER, shot->channel);
	answer_number(out, "width", "pixels in a line", ANSWER_NUMBER, shot->view.mode.width);
	answer_number(out, "height", "lines", ANSWER_NUMBER, shot->view.mode.height);
	png_begin(&picture.png, shot->view.mode.width, shot->view.mode.height);
	write_piece(shot, PNG_BEGIN_SIZE);
	return true;
}

// ---- the middle ----

// Whether the screen is still what it was at the beginning. A guest that shows another page of its framebuffer
// does no harm: the picture goes on with the page that it began with.
static bool is_same(struct vm *vm, const struct shot *shot)
{
	struct vbcm2835_fb_view now;
	const struct vbcm2835_fb_mode *a = &now.mode, *b = &shot->view.mode;

	return has_memory(vm) && vm->start_time == shot->life && vbcm2835_fb_view(vm, &now) &&
	       a->width == b->width && a->height == b->height &&
	       a->virtual_width == b->virtual_width && a->virtual_height == b->virtual_height &&
	       a->depth == b->depth && a->rgb == b->rgb;
}

// Pixels for a step, or until a piece is written. False: the VM has no memory any more.
static bool make(struct vm *vm, struct shot *shot)
{
	const struct vbcm2835_fb_mode *mode = &shot->view.mode;
	uint32_t work = picture.png.work;
	uint8_t rgb[3 * PART];
	size_t size = 0;

	while (size == 0 && picture.png.work - work < STEP_WORK && shot->y < mode->height) {
		uint32_t n = mode->width - shot->x;
		if (n > PART)
			n = PART;
		if (vbcm2835_scan(vm, &shot->view, shot->x, shot->y, n, rgb) != 0)
			return false;
		size = png_pixels(&picture.png, rgb, n);
		shot->x += n;
		if (shot->x == mode->width) {
			shot->x = 0;
			shot->y++;
		}
	}
	write_piece(shot, size);
	return true;
}

static bool go_on(struct shell_job *job)
{
	struct shot *shot = (struct shot *)job->scratch;

	if (!is_same(job->vm, shot) || !make(job->vm, shot))
		return fail(job, "its screen was changed or given up, or it has ended, while the "
		                 "picture was made: try again");
	if (shot->y < shot->view.mode.height)
		return true;
	write_piece(shot, png_end(&picture.png));
	console_file_end(shot->channel, NULL);
	shot->phase = SENDING;
	store_relaxed(&picture.room, UINT32_MAX);
	return true;
}

// The host has all of it, or does not want it.
static bool gone(struct shell_job *job)
{
	struct shot *shot = (struct shot *)job->scratch;

	shot->channel = 0;
	if (shot->phase == SENDING)
		answer_number(&job->out, "bytes", "bytes", ANSWER_NUMBER, shot->bytes);
	else
		answer_error(&job->out, "%s: the host does not want the picture any more",
		             job->argv[1]);
	return false;
}

static bool command_screenshot(struct shell_job *job)
{
	const struct shot *shot = (const struct shot *)job->scratch;

	if (job->step == 0)
		return begin(job);
	if (link_file_gone(shot->channel))
		return gone(job);
	if (!link_file_opened() && timer_now() >= load_relaxed(&picture.until))
		return fail(job, "the host has not asked for the picture in 10 s");
	if (shot->phase == SENDING || ring_room(link_file_ring()) < 2 * PNG_PIECE_MAX)
		return true;
	return go_on(job);
}

const struct shell_command shell_screen_commands[] = {
        {"screenshot", "NAME", "a picture of a VM's screen, as a file for the host",
         command_screenshot, 1, 1, .takes_vm = true, .end = end_screenshot, .ready = ready},
        {0},
};
