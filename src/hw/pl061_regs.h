// SPDX-License-Identifier: Apache-2.0
// Registers of the PL061: eight lines of general purpose input and output.
// Source: Arm PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual, "Programmer's Model".
#ifndef HW_PL061_REGS_H
#define HW_PL061_REGS_H

#include "base/types.h"

enum pl061_reg {
	PL061_DATA = 0x000, // 256 words: bits 9:2 of the address say which lines are meant
	PL061_DATA_END = 0x3ff,
	PL061_DIR = 0x400,   // 1: output
	PL061_IS = 0x404,    // interrupt sense, 1: level
	PL061_IBE = 0x408,   // 1: both edges, whatever IEV says
	PL061_IEV = 0x40c,   // 1: rising edge or high level
	PL061_IE = 0x410,    // 1: raises the interrupt
	PL061_RIS = 0x414,   // before IE
	PL061_MIS = 0x418,   // after IE
	PL061_IC = 0x41c,    // 1: forget the edge
	PL061_AFSEL = 0x420, // 1: the line belongs to hardware
	PL061_ITCR = 0x600,  // integration test, up to ITOP3
	PL061_ITOP3 = 0x614,
	PL061_PERIPH_ID0 = 0xfe0, // four registers of 8 bits, then four of PCELL_ID
	PL061_PCELL_ID3 = 0xffc,
};

#define PL061_LINES 8

#endif
