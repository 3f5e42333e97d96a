// SPDX-License-Identifier: Apache-2.0
// The commands of flash with Intel's command set. Owns nothing; called by vflash.c, under its lock.
// Commands come on the lower eight data lines. One that is not known changes nothing. Everything is done by the time it can
// be asked for, but for an erase (vflash.c), so suspending finds nothing to suspend. Locks of single blocks are accepted and
// not kept: a bank is locked as a whole or not at all.
// On a board of chips a narrow write would reach one of them alone. On QEMU's it reaches both, and U-Boot, which looks for
// flash with narrow writes first, takes a bank for a single chip of half the size and uses it so.
// Invariant: what lies in the buffer lies in the bank; left + filled <= BUFFER_WRITES.
// Source: JEDEC JESD68.01, "Common Flash Interface (CFI)", "Query Structure"; Intel StrataFlash Embedded Memory (P30)
// datasheet, "Device Command Codes", "Status Register", "CFI Query"; seen with QEMU's flash: narrow writes, and that 0xf0,
// with which drivers look for chips of AMD's command set, leads back to the array.
#include "vdev/vflash_chip.h"

#include "base/bits.h"
#include "base/string.h"

#define SEQUENCE_ERROR (VFLASH_ERASE_ERROR | VFLASH_PROGRAM_ERROR)
#define CONFIRM        0xd0
#define LOCK_BLOCK     0x01
#define LOCK_DOWN      0x2f
#define CLEAR_STATUS   0x50
#define ID_MASK        0xff // word addresses that identification and query look at
#define CHIP_BITS      25   // log2 of the bytes of one of two chips
#define CHIP_BUFFER    6    // and of its buffer
#define BUFFER_WRITES  (VFLASH_BUFFER / VFLASH_BUS)
#define MANUFACTURER   0x89 // Intel
#define DEVICE         0x18 // as QEMU's board has it

static const struct command {
	uint8_t code, mode, step;
} commands[] = {
        {0xff, VFLASH_ARRAY, VFLASH_IDLE},  // read array
        {0xf0, VFLASH_ARRAY, VFLASH_IDLE},  // ... in another command set
        {0x90, VFLASH_ID, VFLASH_IDLE},     // read identifier
        {0x98, VFLASH_QUERY, VFLASH_IDLE},  // CFI query
        {0x70, VFLASH_STATUS, VFLASH_IDLE}, // read status register
        {0x10, VFLASH_STATUS, VFLASH_WORD}, // program a word
        {0x40, VFLASH_STATUS, VFLASH_WORD},  {0x20, VFLASH_STATUS, VFLASH_ERASE}, // erase a block
        {0x60, VFLASH_STATUS, VFLASH_LOCK},  // lock or unlock a block
        {0xe8, VFLASH_STATUS, VFLASH_COUNT}, // program by the buffer
        {0xb0, VFLASH_STATUS, VFLASH_IDLE},  // suspend
        {0xd0, VFLASH_STATUS, VFLASH_IDLE},  // resume
};

// By word; all words behind these are 0.
// clang-format off
static const uint8_t query[] = {
	[0x10] = 'Q', 'R', 'Y',
	[0x13] = 0x01, 0x00, 0x31, 0x00, // the primary command set is Intel's, and its table is at 0x31
	[0x17] = 0x00, 0x00, 0x00, 0x00, // no alternate one
	[0x1b] = 0x17, 0x20, 0x85, 0x95, // VCC 1.7 to 2.0 V, VPP 8.5 to 9.5 V
	[0x1f] = 0x07, 0x07, 0x0a, 0x00, // typically 128 us a word and a buffer, 1 s a block; no chip erase
	[0x23] = 0x04, 0x04, 0x03, 0x00, // at most 16, 16, 8 times as long
	[0x27] = CHIP_BITS,
	[0x28] = 0x01, 0x00,             // 16 data lines
	[0x2a] = CHIP_BUFFER, 0x00,
	[0x2c] = 0x01,                   // one kind of block
	[0x2d] = 0xff, 0x00, 0x00, 0x02, // 0xff + 1 of them, of 0x200 * 256 bytes
	[0x31] = 'P', 'R', 'I', '1', '0',
	[0x36] = 0x00, 0x00, 0x00, 0x00, // no optional features
	[0x3a] = 0x00, 0x00, 0x00,       // nothing while suspended, no bits for a block's status
	[0x3d] = 0x18, 0x90,             // best VCC and VPP
	[0x3f] = 0x00,                   // no protection registers
};
// clang-format on

STATIC_ASSERT(UINT64_C(2) << CHIP_BITS == VFLASH_BANK_SIZE, "two chips are a bank");
STATIC_ASSERT(2 << CHIP_BUFFER == VFLASH_BUFFER, "and have a buffer together");
STATIC_ASSERT((0xff + 1) * UINT64_C(0x200) * 256 == UINT64_C(1) << CHIP_BITS, "the query's 0x2d");
STATIC_ASSERT(2 * 0x200 * 256 == VFLASH_BLOCK, "one block of these, twice");

void vflash_chip_reset(struct vflash_chip *chip)
{
	*chip = (struct vflash_chip){.mode = VFLASH_ARRAY};
}

static const struct command *find(uint32_t value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].code == (value & 0xff))
			return &commands[i];
	return NULL;
}

bool vflash_chip_stays(const struct vflash_chip *chip, uint32_t value)
{
	const struct command *command = find(value);
	bool leads_away = command != NULL && command->mode != VFLASH_ARRAY;

	return chip->mode == VFLASH_ARRAY && chip->step == VFLASH_IDLE && !leads_away;
}

static enum vflash_order fail(struct vflash_chip *chip)
{
	chip->status |= SEQUENCE_ERROR;
	chip->step = VFLASH_IDLE;
	return VFLASH_NOTHING;
}

static void empty_buffer(struct vflash_chip *chip)
{
	memset(chip->buffer, 0xff, sizeof chip->buffer);
	chip->filled = 0;
}

static enum vflash_order on_command(struct vflash_chip *chip, uint32_t value)
{
	const struct command *command = find(value);

	if ((value & 0xff) == CLEAR_STATUS)
		chip->status = 0;
	if (command != NULL) {
		chip->mode = command->mode;
		chip->step = command->step;
	}
	return VFLASH_NOTHING;
}

// Each chip takes the count from its own lines, and they are the same.
static enum vflash_order on_count(struct vflash_chip *chip, uint32_t value)
{
	uint16_t count = (uint16_t)value;

	if (count >= BUFFER_WRITES)
		return fail(chip);
	empty_buffer(chip);
	chip->left = (uint8_t)(count + 1);
	chip->step = VFLASH_FILL;
	return VFLASH_NOTHING;
}

static void put(struct vflash_chip *chip, uint32_t offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		chip->buffer[(offset + i) % VFLASH_BUFFER] = (uint8_t)(value >> (8 * i));
}

// The first one says which bytes the buffer is for.
static enum vflash_order on_fill(struct vflash_chip *chip, uint32_t offset, unsigned size,
                                 uint32_t value)
{
	uint32_t at = offset - offset % VFLASH_BUFFER;

	if (chip->filled == 0)
		chip->at = at;
	if (chip->at != at)
		return fail(chip);
	put(chip, offset, size, value);
	chip->filled++;
	if (--chip->left == 0)
		chip->step = VFLASH_CONFIRM;
	return VFLASH_NOTHING;
}

static enum vflash_order on_word(struct vflash_chip *chip, uint32_t offset, unsigned size,
                                 uint32_t value)
{
	empty_buffer(chip);
	chip->at = offset - offset % VFLASH_BUFFER;
	put(chip, offset, size, value);
	chip->step = VFLASH_IDLE;
	return VFLASH_DO_PROGRAM;
}

static enum vflash_order on_lock(struct vflash_chip *chip, uint32_t value)
{
	uint8_t code = (uint8_t)value;

	if (code != LOCK_BLOCK && code != CONFIRM && code != LOCK_DOWN)
		return fail(chip);
	chip->step = VFLASH_IDLE;
	return VFLASH_NOTHING;
}

static enum vflash_order on_confirmation(struct vflash_chip *chip, uint32_t value,
                                         enum vflash_order order)
{
	if ((uint8_t)value != CONFIRM)
		return fail(chip);
	chip->step = VFLASH_IDLE;
	return order;
}

enum vflash_order vflash_chip_write(struct vflash_chip *chip, uint32_t offset, unsigned size,
                                    uint32_t value)
{
	switch (chip->step) {
	case VFLASH_WORD: return on_word(chip, offset, size, value);
	case VFLASH_ERASE: return on_confirmation(chip, value, VFLASH_DO_ERASE);
	case VFLASH_LOCK: return on_lock(chip, value);
	case VFLASH_COUNT: return on_count(chip, value);
	case VFLASH_FILL: return on_fill(chip, offset, size, value);
	case VFLASH_CONFIRM: return on_confirmation(chip, value, VFLASH_DO_PROGRAM);
	default: return on_command(chip, value);
	}
}

static uint8_t query_word(uint32_t word)
{
	return word < ARRAY_SIZE(query) ? query[word] : 0;
}

static uint8_t id_word(uint32_t word, bool locked)
{
	switch (word) {
	case 0: return MANUFACTURER;
	case 1: return DEVICE;
	case 2: return locked ? 1 : 0;
	default: return 0;
	}
}

uint32_t vflash_chip_read(const struct vflash_chip *chip, uint32_t offset, bool locked)
{
	uint32_t word = offset / VFLASH_BUS & ID_MASK, value = chip->status | VFLASH_READY;

	if (chip->mode == VFLASH_ID)
		value = id_word(word, locked);
	else if (chip->mode == VFLASH_QUERY)
		value = query_word(word);
	return value | value << 16;
}
