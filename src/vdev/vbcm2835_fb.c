// SPDX-License-Identifier: Apache-2.0
// The framebuffer. Owns its mode under its lock; called for the guest by the mailboxes, and for a person who
// wants to see it. It is always at the start of the video processor's memory.
// Invariant: a mode is one that vbcm2835_fb_fit gave, so every product below fits into 32 bits.
// Source: Raspberry Pi firmware wiki, "Mailbox property interface" and "Mailbox framebuffer interface".
#include "vdev/vbcm2835_fb.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vm/vm.h"

#define DEFAULT_WIDTH  640
#define DEFAULT_HEIGHT 480
#define PITCH_ALIGN    32 // bytes, as the firmware has it

struct vbcm2835_fb {
	// Fixed after start.
	uint64_t base, room; // IPA; bytes

	// Under the lock.
	uint32_t palette[VBCM2835_FB_COLOURS];
	struct spinlock lock;
	bool shown;
	struct vbcm2835_fb_mode mode;
};

uint32_t vbcm2835_fb_pitch(struct vbcm2835_fb_mode mode)
{
	return (uint32_t)align_up(mode.virtual_width * (mode.depth / 8), PITCH_ALIGN);
}

static uint32_t size_of(struct vbcm2835_fb_mode mode)
{
	return vbcm2835_fb_pitch(mode) * mode.virtual_height;
}

static uint32_t side(uint32_t wanted, uint32_t least)
{
	if (wanted < least)
		return least;
	return wanted < VBCM2835_FB_MAX_SIDE ? wanted : VBCM2835_FB_MAX_SIDE;
}

struct vbcm2835_fb_mode vbcm2835_fb_fit(struct vbcm2835_fb_mode wanted)
{
	struct vbcm2835_fb_mode mode = wanted;
	mode.width = side(wanted.width, 1);
	mode.height = side(wanted.height, 1);
	mode.virtual_width = side(wanted.virtual_width, mode.width);
	mode.virtual_height = side(wanted.virtual_height, mode.height);
	if (mode.depth != 8 && mode.depth != 16 && mode.depth != 24)
		mode.depth = 32;
	if (mode.x > mode.virtual_width - mode.width)
		mode.x = mode.virtual_width - mode.width;
	if (mode.y > mode.virtual_height - mode.height)
		mode.y = mode.virtual_height - mode.height;
	mode.rgb = wanted.rgb != 0;
	return mode;
}

struct vbcm2835_fb_mode vbcm2835_fb_mode(struct vm *vm)
{
	struct vbcm2835_fb *fb = vm->raspi3->fb;
	spin_lock(&fb->lock);
	struct vbcm2835_fb_mode mode = fb->mode;
	spin_unlock(&fb->lock);
	return mode;
}

void vbcm2835_fb_set_mode(struct vm *vm, struct vbcm2835_fb_mode wanted)
{
	struct vbcm2835_fb *fb = vm->raspi3->fb;
	struct vbcm2835_fb_mode mode = vbcm2835_fb_fit(wanted);
	spin_lock(&fb->lock);
	fb->mode = mode;
	fb->shown = fb->shown && size_of(mode) <= fb->room;
	spin_unlock(&fb->lock);
}

uint64_t vbcm2835_fb_allocate(struct vm *vm, uint32_t *size)
{
	struct vbcm2835_fb *fb = vm->raspi3->fb;
	spin_lock(&fb->lock);
	*size = size_of(fb->mode);
	fb->shown = *size <= fb->room;
	if (!fb->shown)
		*size = 0;
	spin_unlock(&fb->lock);
	return *size != 0 ? fb->base : 0;
}

void vbcm2835_fb_release(struct vm *vm)
{
	struct vbcm2835_fb *fb = vm->raspi3->fb;
	spin_lock(&fb->lock);
	fb->shown = false;
	spin_unlock(&fb->lock);
}

bool vbcm2835_fb_set_palette(struct vm *vm, uint32_t first, const uint32_t *colours, uint32_t count)
{
	struct vbcm2835_fb *fb = vm->raspi3->fb;
	if (first >= VBCM2835_FB_COLOURS || count > VBCM2835_FB_COLOURS - first)
		return false;
	spin_lock(&fb->lock);
	memcpy(fb->palette + first, colours, count * sizeof *colours);
	spin_unlock(&fb->lock);
	return true;
}

uint32_t vbcm2835_fb_colour(struct vm *vm, uint32_t number)
{
	return load_relaxed(&vm->raspi3->fb->palette[number % VBCM2835_FB_COLOURS]);
}

bool vbcm2835_fb_view(struct vm *vm, struct vbcm2835_fb_view *view)
{
	struct vbcm2835_fb *fb = vm->raspi3 != NULL ? vm->raspi3->fb : NULL;
	if (fb == NULL)
		return false;
	spin_lock(&fb->lock);
	bool shown = fb->shown;
	view->mode = fb->mode;
	view->pitch = vbcm2835_fb_pitch(fb->mode);
	view->ipa =
	        fb->base + (uint64_t)view->pitch * fb->mode.y + fb->mode.x * (fb->mode.depth / 8);
	memcpy(view->palette, fb->palette, sizeof view->palette);
	spin_unlock(&fb->lock);
	return shown;
}

void vbcm2835_fb_reset(struct vm *vm)
{
	struct vbcm2835_fb *fb = vm->raspi3->fb;
	spin_lock(&fb->lock);
	fb->shown = false;
	fb->mode = (struct vbcm2835_fb_mode){
	        .width = DEFAULT_WIDTH,
	        .height = DEFAULT_HEIGHT,
	        .virtual_width = DEFAULT_WIDTH,
	        .virtual_height = DEFAULT_HEIGHT,
	        .depth = 32,
	        .rgb = 1,
	};
	memset(fb->palette, 0, sizeof fb->palette);
	spin_unlock(&fb->lock);
}

int vbcm2835_fb_create(struct vm *vm)
{
	struct vbcm2835_fb *fb = vm_alloc(vm, sizeof *fb);
	if (fb == NULL)
		return ERR_NO_MEMORY;
	fb->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	fb->base = vm->video_base;
	fb->room = vm->ram_base + vm->ram_size - vm->video_base;
	vm->raspi3->fb = fb;
	return 0;
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_fb, shown),
        VSTATE_FIELD(struct vbcm2835_fb, mode.width),
        VSTATE_FIELD(struct vbcm2835_fb, mode.height),
        VSTATE_FIELD(struct vbcm2835_fb, mode.virtual_width),
        VSTATE_FIELD(struct vbcm2835_fb, mode.virtual_height),
        VSTATE_FIELD(struct vbcm2835_fb, mode.x),
        VSTATE_FIELD(struct vbcm2835_fb, mode.y),
        VSTATE_FIELD(struct vbcm2835_fb, mode.depth),
        VSTATE_FIELD(struct vbcm2835_fb, mode.rgb),
        VSTATE_FIELD(struct vbcm2835_fb, mode.alpha),
        VSTATE_ARRAY(struct vbcm2835_fb, palette),
};

const struct vstate vbcm2835_fb_state = {"bcm2835-fb", fields, ARRAY_SIZE(fields), NULL};
