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

#define MODE(member) NULL, offsetof(struct vbcm2835_fb_mode, member)

// Some words of the mode, or what a function says.
static const struct property {
	void (*answer)(struct call *c, enum deed deed);
	uint32_t member; // without a function: the first of the words
	uint32_t words;  // of the answer
} framebuffer[] = {
        [ALLOCATE] = {fb_allocate, 0, 2}, [3] = {MODE(width), 2}, [4] = {MODE(virtual_width), 2},
        [5] = {MODE(depth), 1},           [6] = {MODE(rgb), 1},   [7] = {MODE(alpha), 1},
        [8] = {fb_pitch, 0, 1},           [9] = {MODE(x), 2},     [10] = {fb_overscan, 0, 4},
        [PALETTE] = {fb_palette, 0, 256},
};

static void answer_mode(struct call *c, const struct property *property, enum deed deed)
{
	struct vbcm2835_fb_mode mode = vbcm2835_fb_mode(c->vm);
	char *words = (char *)&mode + property->member;
	size_t size = property->words * sizeof *c->value;

	if (deed != GET) {
		memcpy(words, c->value, size);
		mode = vbcm2835_fb_fit(mode);
	}
	if (deed == SET)
		vbcm2835_fb_set_mode(c->vm, mode);
	memcpy(c->value, words, size);
}

int vbcm2835_tags_framebuffer(struct call *c, uint32_t tag)
{
	uint32_t number = tag & FB_NUMBER, bits = tag & FB_DEED_BITS;
	if ((tag & FB_TAGS & ~FB_DEED_BITS) != FB_FIRST || bits == FB_DEED_BITS ||
	    number >= ARRAY_SIZE(framebuffer) || framebuffer[number].words == 0)
		return -1;
	const struct property *property = &framebuffer[number];
	enum deed deed = bits == FB_SET || (number == ALLOCATE && bits != 0) ? SET
	                 : bits == FB_TEST                                   ? TEST
	                                                                     : GET;
	if (property->answer != NULL)
		property->answer(c, deed);
	else
		answer_mode(c, property, deed);
	bool said = number == PALETTE && deed != GET; // only whether it was good
	return (int)((said ? 1 : property->words) * sizeof(uint32_t));
}
