// SPDX-License-Identifier: Apache-2.0
// Registers and bits of the PL011, for the driver of the real one and for the imagined one.
// Source: Arm PrimeCell UART (PL011) Technical Reference Manual, "Programmers Model".
#ifndef HW_PL011_REGS_H
#define HW_PL011_REGS_H

#include "base/bits.h"

// Offsets in bytes.
enum pl011_reg {
	PL011_DR = 0x000,
	PL011_RSR = 0x004, // ECR when written
	PL011_FR = 0x018,
	PL011_ILPR = 0x020,
	PL011_IBRD = 0x024,
	PL011_FBRD = 0x028,
	PL011_LCR_H = 0x02c,
	PL011_CR = 0x030,
	PL011_IFLS = 0x034,
	PL011_IMSC = 0x038,
	PL011_RIS = 0x03c,
	PL011_MIS = 0x040,
	PL011_ICR = 0x044,
	PL011_DMACR = 0x048,
	PL011_PERIPH_ID0 = 0xfe0, // four registers of 8 bits
	PL011_PCELL_ID0 = 0xff0,  // four registers of 8 bits
};

#define PL011_REGS_SIZE 0x1000

// DR; RSR has the same error bits from bit 0 on.
#define PL011_DR_DATA  GENMASK_U32(7, 0)
#define PL011_DR_FE    BIT_U32(8)  // framing error
#define PL011_DR_PE    BIT_U32(9)  // parity error
#define PL011_DR_BE    BIT_U32(10) // break
#define PL011_DR_OE    BIT_U32(11) // overrun: bytes before this one were lost
#define PL011_DR_ERROR GENMASK_U32(11, 8)
#define PL011_RSR_OE   BIT_U32(3)

#define PL011_FR_CTS  BIT_U32(0)
#define PL011_FR_DSR  BIT_U32(1)
#define PL011_FR_DCD  BIT_U32(2)
#define PL011_FR_BUSY BIT_U32(3)
#define PL011_FR_RXFE BIT_U32(4) // receive FIFO empty
#define PL011_FR_TXFF BIT_U32(5) // transmit FIFO full
#define PL011_FR_RXFF BIT_U32(6)
#define PL011_FR_TXFE BIT_U32(7)
#define PL011_FR_RI   BIT_U32(8)

#define PL011_LCR_BRK    BIT_U32(0)
#define PL011_LCR_FEN    BIT_U32(4)
#define PL011_LCR_8_BITS GENMASK_U32(6, 5)

#define PL011_CR_UARTEN BIT_U32(0)
#define PL011_CR_LBE    BIT_U32(7) // loop back
#define PL011_CR_TXE    BIT_U32(8)
#define PL011_CR_RXE    BIT_U32(9)
#define PL011_CR_DTR    BIT_U32(10)
#define PL011_CR_RTS    BIT_U32(11)
#define PL011_CR_OUT1   BIT_U32(12)
#define PL011_CR_OUT2   BIT_U32(13)

// IFLS: 0: 1/8 of the FIFO, 1: 1/4, 2: 1/2, 3: 3/4, 4: 7/8.
#define PL011_IFLS_TX GENMASK_U32(2, 0)
#define PL011_IFLS_RX GENMASK_U32(5, 3)

// IMSC, RIS, MIS, ICR
#define PL011_INT_RI  BIT_U32(0)
#define PL011_INT_CTS BIT_U32(1)
#define PL011_INT_DCD BIT_U32(2)
#define PL011_INT_DSR BIT_U32(3)
#define PL011_INT_RX  BIT_U32(4)
#define PL011_INT_TX  BIT_U32(5)
#define PL011_INT_RT  BIT_U32(6) // received, and then nothing for a while
#define PL011_INT_FE  BIT_U32(7)
#define PL011_INT_PE  BIT_U32(8)
#define PL011_INT_BE  BIT_U32(9)
#define PL011_INT_OE  BIT_U32(10)
#define PL011_INT_ALL GENMASK_U32(10, 0)

#endif
