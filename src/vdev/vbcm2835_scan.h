// SPDX-License-Identifier: Apache-2.0
// Reads what a Raspberry Pi's framebuffer shows, as a screen would.
#ifndef VDEV_VBCM2835_SCAN_H
#define VDEV_VBCM2835_SCAN_H

#include "base/types.h"
#include "vdev/vbcm2835_fb.h"

#define VBCM2835_SCAN_MAX 64 // pixels in one call

// `count` pixels from line `y`, column `x` on, as red, green and blue, a byte each. All of them are on the screen.
// ERR_FAULT: the VM has no memory any more. Any CPU; takes LOCK_STAGE2. About 25 instructions a pixel.
int vbcm2835_scan(struct vm *vm, const struct vbcm2835_fb_view *view, uint32_t x, uint32_t y,
                  uint32_t count, uint8_t *rgb);

// The same of pixels that are at hand: pure.
void vbcm2835_scan_convert(const struct vbcm2835_fb_view *view, const uint8_t *from, uint32_t count,
                           uint8_t *rgb);

#endif
