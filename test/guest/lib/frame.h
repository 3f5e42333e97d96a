/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that assembly and C share: the exception frame, the stacks. */
#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H

#define FRAME_LR    240
#define FRAME_ELR   256
#define FRAME_ESR   272
#define FRAME_SP0   288
#define FRAME_BYTES 304

#define STACK_BYTES    16384
#define CPACR_FPEN_ALL 0x300000

#endif
