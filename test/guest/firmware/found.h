/* SPDX-License-Identifier: Apache-2.0 */
/* What start.S leaves in RAM for flash.c: eight bytes each. */
#ifndef FIRMWARE_FOUND_H
#define FIRMWARE_FOUND_H

#define KERNEL 0x40400000 /* where it puts the test kernel */
#define FOUND  0x40200000

#define FOUND_REGISTERS  0 /* x0 to x30, ORed */
#define FOUND_PC         8 /* address of the first instruction */
#define FOUND_CURRENT_EL 16
#define FOUND_DAIF       24
#define FOUND_SCTLR      32
#define FOUND_SPSEL      40

#endif
