// SPDX-License-Identifier: Apache-2.0
// The ELF half of vm/image. Internal to it.
#ifndef VM_IMAGE_ELF_H
#define VM_IMAGE_ELF_H

#include "vm/image.h"

// Fills in segments and entry of an ELF file; places and overlaps are checked by the caller.
int image_plan_elf(const struct image_request *request, struct image_plan *plan,
                   struct image_problem *problem);

// A little-endian number of `size` bytes, at most 8.
uint64_t image_read_le(const uint8_t *bytes, unsigned size);
// Writes the sentence and returns `error`.
int image_fail(struct image_problem *problem, int error, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
