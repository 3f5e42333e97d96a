// SPDX-License-Identifier: Apache-2.0
// One tag of a message to a Raspberry Pi's firmware: what vbcm2835_property.c hands to those who answer it.
#ifndef VDEV_VBCM2835_TAGS_H
#define VDEV_VBCM2835_TAGS_H

#include "vdev/vbcm2835_fb.h"

struct vbcm2835_property;

#define TAG_SMALL 24                        // words that are there, zero if the guest gave none
#define TAG_ROOM  (2 + VBCM2835_FB_COLOURS) // words of the largest value, a palette

// A tag that is being answered.
struct call {
	struct vm *vm;
	struct vbcm2835_property *property;
	uint32_t *value; // TAG_ROOM words: those the guest gave, and zeroes up to TAG_SMALL
	uint32_t words;  // that the guest gave room for
};

// Answers a tag about the framebuffer. Bytes of the answer, or -1: there is no such tag.
int vbcm2835_tags_framebuffer(struct call *c, uint32_t tag);

#endif
