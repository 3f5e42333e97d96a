/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that start.S and C share. */
#ifndef PI_START_H
#define PI_START_H

#define CORE_MASK   3
#define RELEASE     0xd8 // release address of core n at + 8 * n
#define STACK_BYTES 8192
#define FRAME_BYTES 192
#define FRAME_ELR   176
#define EL2         8 // CurrentEL

#define SCR_NS_RES1_SMD_HCE_RW   0x5b1
#define HCR_RW                   (1 << 31)
#define CNTHCTL_EL1PCEN_EL1PCTEN 3
#define CPTR_EL2_RES1            0x33ff
#define SCTLR_EL1_OFF            0x30d00800 // RES1 bits alone: MMU and caches off
#define SPSR_EL2H_MASKED         0x3c9
#define SPSR_EL1H_MASKED         0x3c5
#define SPSR_EL0T_MASKED         0x3c0

#endif
