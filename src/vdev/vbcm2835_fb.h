// SPDX-License-Identifier: Apache-2.0
// The framebuffer that a Raspberry Pi's video processor shows on its screen. It lies in the processor's part
// of the VM's memory, where the guest draws without an exit.
#ifndef VDEV_VBCM2835_FB_H
#define VDEV_VBCM2835_FB_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_fb;

#define VBCM2835_FB_MAX_SIDE 4096 // pixels
#define VBCM2835_FB_COLOURS  256

// What the guest asks for, and what it is then given.
struct vbcm2835_fb_mode {
	uint32_t width, height;                 // of the screen, pixels
	uint32_t virtual_width, virtual_height; // of the memory behind it
	uint32_t x, y;                          // where the screen is in there
	uint32_t depth;                         // bits a pixel: 8, 16, 24 or 32
	uint32_t rgb;                           // 1: red in the lowest byte, 0: blue
	uint32_t alpha;                         // as asked; nothing lies behind the picture
};

// What is on the screen now.
struct vbcm2835_fb_view {
	uint64_t ipa;                          // of the first pixel shown
	uint32_t palette[VBCM2835_FB_COLOURS]; // depth 8: 0x00bbggrr; where it is copied in words
	struct vbcm2835_fb_mode mode;
	uint32_t pitch; // bytes from line to line
};

// Builds it into the VM: vm->raspi3->fb. ERR_NO_MEMORY.
int vbcm2835_fb_create(struct vm *vm);
// No framebuffer. No vCPU of the VM runs.
void vbcm2835_fb_reset(struct vm *vm);

// What is shown. False: nothing is. Any CPU; takes LOCK_DEVICE.
bool vbcm2835_fb_view(struct vm *vm, struct vbcm2835_fb_view *view);

// For the mailboxes, on a CPU that runs the VM; each takes LOCK_DEVICE.

// The mode as it is, or would be; what cannot be is changed to what can: sides are cut off, a depth that does not
// exist becomes 32.
struct vbcm2835_fb_mode vbcm2835_fb_mode(struct vm *vm);
struct vbcm2835_fb_mode vbcm2835_fb_fit(struct vbcm2835_fb_mode wanted);
// Changes it; the memory stays where it is if it is large enough.
void vbcm2835_fb_set_mode(struct vm *vm, struct vbcm2835_fb_mode wanted);
// Gives the framebuffer memory: IPA and bytes; 0 and 0: the mode needs more than the video processor has.
uint64_t vbcm2835_fb_allocate(struct vm *vm, uint32_t *size);
void vbcm2835_fb_release(struct vm *vm);
uint32_t vbcm2835_fb_pitch(struct vbcm2835_fb_mode mode);
// Sets `count` colours from `first` on; false: there are not so many.
bool vbcm2835_fb_set_palette(struct vm *vm, uint32_t first, const uint32_t *colours,
                             uint32_t count);
uint32_t vbcm2835_fb_colour(struct vm *vm, uint32_t number);

extern const struct vstate vbcm2835_fb_state;

#endif
