// SPDX-License-Identifier: Apache-2.0
// The tags about the framebuffer: each of its properties can be asked for, tried and set; bits 15 and 14 of the tag
// say which. Owns nothing; called by vbcm2835_property.c.
// Source: Raspberry Pi firmware wiki, "Mailbox property interface", "Frame Buffer".
#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_tags.h"
#include "vm/vm.h"

enum deed { GET, TEST, SET };

static void change_mode(struct call *c, enum deed deed, struct vbcm2835_fb_mode *mode)
{
	*mode = vbcm2835_fb_fit(*mode);
	if (deed == SET)
		vbcm2835_fb_set_mode(c->vm, *mode);
}

static void fb_size(struct call *c, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	if (deed != GET) {
		mode.width = c->value[0];
		mode.height = c->value[1];
		change_mode(c, deed, &mode);
	}
	c->value[0] = mode.width;
	c->value[1] = mode.height;
}

static void fb_virtual_size(struct call *c, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	if (deed != GET) {
		mode.virtual_width = c->value[0];
		mode.virtual_height = c->value[1];
		change_mode(c, deed, &mode);
	}
	c->value[0] = mode.virtual_width;
	c->value[1] = mode.virtual_height;
}

static void fb_offset(struct call *c, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	if (deed != GET) {
		mode.x = c->value[0];
		mode.y = c->value[1];
		change_mode(c, deed, &mode);
	}
	c->value[0] = mode.x;
	c->value[1] = mode.y;
}

static void fb_depth(struct call *c, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	if (deed != GET) {
		mode.depth = c->value[0];
		change_mode(c, deed, &mode);
	}
	c->value[0] = mode.depth;
}

static void fb_order(struct call *c, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	if (deed != GET) {
		mode.rgb = c->value[0];
		change_mode(c, deed, &mode);
	}
	c->value[0] = mode.rgb;
}

static void fb_alpha(struct call *c, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	if (deed != GET) {
		mode.alpha = c->value[0];
		change_mode(c, deed, &mode);
	}
	c->value[0] = mode.alpha;
}

static void fb_overscan(struct call *c, enum deed deed UNUSED)
{
	memset(c->value, 0, 4 * sizeof *c->value); // there is no edge
}

static void fb_pitch(struct call *c, enum deed deed UNUSED)
{
	c->value[0] = vbcm2835_fb_pitch(vbcm2835_fb_mode(c->vm));
}

static void fb_allocate(struct call *c, enum deed deed)
{
	uint32_t size = 0;
	if (deed != GET) { // 0x48001
		vbcm2835_fb_release(c->vm);
		return;
	}
	uint64_t ipa = vbcm2835_fb_allocate(c->vm, &size);
	c->value[0] = size != 0 ? (uint32_t)ipa | VBCM2835_BUS_ALIAS : 0;
	c->value[1] = size;
}

static void fb_palette(struct call *c, enum deed deed)
{
	if (deed == GET) { // no more than the guest has room for
		for (uint32_t n = 0; n < VBCM2835_FB_COLOURS && n < c->words; n++)
			c->value[n] = vbcm2835_fb_colour(c->vm, n);
		return;
	}
	uint32_t first = c->value[0], count = c->value[1];
	bool good = count <= VBCM2835_FB_COLOURS && c->words >= 2 + count;
	if (good && deed == SET)
		good = vbcm2835_fb_set_palette(c->vm, first, c->value + 2, count);
	c->value[0] = good ? 0 : 1;
}

#define FB_TAGS      GENMASK_U32(31, 4)
#define FB_FIRST     0x00040000u
#define FB_TEST      0x4000u
#define FB_SET       0x8000u
#define FB_NUMBER    GENMASK_U32(3, 0)
#define FB_DEED_BITS (FB_TEST | FB_SET)

#define ALLOCATE 1
#define PALETTE  11

static const struct {
	void (*answer)(struct call *c, enum deed deed);
	uint32_t words; // of the answer
} framebuffer[] = {
        [ALLOCATE] = {fb_allocate, 2},
        [2] = {NULL, 0},
        [3] = {fb_size, 2},
        [4] = {fb_virtual_size, 2},
        [5] = {fb_depth, 1},
        [6] = {fb_order, 1},
        [7] = {fb_alpha, 1},
        [8] = {fb_pitch, 1},
        [9] = {fb_offset, 2},
        [10] = {fb_overscan, 4},
        [PALETTE] = {fb_palette, 256},
};

int vbcm2835_tags_framebuffer(struct call *c, uint32_t tag)
{
	uint32_t number = tag & FB_NUMBER, bits = tag & FB_DEED_BITS;
	if ((tag & FB_TAGS & ~FB_DEED_BITS) != FB_FIRST || bits == FB_DEED_BITS ||
	    number >= ARRAY_SIZE(framebuffer) || framebuffer[number].words == 0)
		return -1;
	enum deed deed = bits == FB_SET || (number == ALLOCATE && bits != 0) ? SET
	                 : bits == FB_TEST                                   ? TEST
	                                                                     : GET;
	framebuffer[number].answer(c, deed);
	bool said = number == PALETTE && deed != GET; // only whether it was good
	return said ? (int)sizeof(uint32_t) : (int)(framebuffer[number].words * sizeof(uint32_t));
}
