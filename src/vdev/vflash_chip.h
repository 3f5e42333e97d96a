// SPDX-License-Identifier: Apache-2.0
// The commands of a bank of flash: two chips of 16 data lines and 32 MiB side by side, which take each command together,
// however wide the write is that brings it. Without what they hold: which command they are in the middle of, and what
// they answer while they do not show their array. Pure: no lock, no memory but the structure's; each call takes constant time.
#ifndef VDEV_VFLASH_CHIP_H
#define VDEV_VFLASH_CHIP_H

#include "base/types.h"

// Bytes of the bank.
#define VFLASH_BANK_SIZE MIB(64)
#define VFLASH_BLOCK     KIB(256) // what one erase command erases
#define VFLASH_BUFFER    128      // aligned: what one buffered program may change
#define VFLASH_BUS       4        // the widest write

// Bits of the status register.
#define VFLASH_READY         0x80
#define VFLASH_ERASE_ERROR   0x20
#define VFLASH_PROGRAM_ERROR 0x10 // both errors: the sequence of commands was wrong
#define VFLASH_LOCKED        0x02

enum vflash_mode { VFLASH_ARRAY, VFLASH_STATUS, VFLASH_ID, VFLASH_QUERY };
enum vflash_step {
	VFLASH_IDLE,    // a command comes next
	VFLASH_WORD,    // what is to be programmed
	VFLASH_ERASE,   // the confirmation
	VFLASH_LOCK,    // what to do with a block's lock
	VFLASH_COUNT,   // how many writes go to the buffer, less one
	VFLASH_FILL,    // one of them
	VFLASH_CONFIRM, // the confirmation that the buffer is to be programmed
};

struct vflash_chip {
	uint8_t mode;   // enum vflash_mode: what a read gives
	uint8_t step;   // enum vflash_step: what a write means
	uint8_t status; // errors; VFLASH_READY is added when it is read
	uint8_t left;   // VFLASH_FILL: writes still to come
	uint8_t filled; // those that came
	uint32_t at;    // offset of the buffer in the bank, a multiple of VFLASH_BUFFER
	uint8_t buffer[VFLASH_BUFFER]; // 0xff: stays as it is
};

// What a write asks for. Who holds the array does it, and tells what became of it by VFLASH_..._ERROR in `status`.
enum vflash_order {
	VFLASH_NOTHING,
	VFLASH_DO_PROGRAM, // clear the bits at `at` that are clear in the buffer
	VFLASH_DO_ERASE,   // set all bits of the block that was written to
};

// As after power-on: shows its array.
void vflash_chip_reset(struct vflash_chip *chip);

// Whether it shows its array and still will after this write, which then changes nothing that a read sees.
bool vflash_chip_stays(const struct vflash_chip *chip, uint32_t value);

// A write of `size` bytes, 1, 2 or 4, at a multiple of that, to `offset` in the bank.
enum vflash_order vflash_chip_write(struct vflash_chip *chip, uint32_t offset, unsigned size,
                                    uint32_t value);

// What both chips together give on 32 lines for the word at `offset` while chip->mode is not VFLASH_ARRAY. `locked`: nothing
// of it can be changed.
uint32_t vflash_chip_read(const struct vflash_chip *chip, uint32_t offset, bool locked);

#endif
