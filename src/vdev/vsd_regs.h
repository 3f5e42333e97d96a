// SPDX-License-Identifier: Apache-2.0
// The registers by which an SD card describes itself, made once, and the answer to a switch of functions.
// Source: SD Physical Layer Simplified Specification, "SD Memory Card Registers", "Switch Function Command".
#ifndef VDEV_VSD_REGS_H
#define VDEV_VSD_REGS_H

#include "base/types.h"

#define VSD_SCR_SIZE    8 // bytes
#define VSD_STATUS_SIZE 64
#define VSD_SWITCH_SIZE 64

// Registers of 128 bits, the low ones in word[0], with CRC and end bit. `blocks`: a multiple of 1024, not 0.
void vsd_cid(uint32_t word[4], uint32_t serial);
void vsd_csd(uint32_t word[4], uint64_t blocks, bool read_only, bool fast);

// As they go over the data lines.
void vsd_scr(uint8_t bytes[VSD_SCR_SIZE]);
void vsd_status(uint8_t bytes[VSD_STATUS_SIZE], bool wide);

// Looks at or, if the argument of CMD6 says so, switches functions; *fast: whether the card is in its high-speed mode.
void vsd_switch(uint8_t bytes[VSD_SWITCH_SIZE], uint32_t argument, bool *fast);

#endif
