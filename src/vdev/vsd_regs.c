// SPDX-License-Identifier: Apache-2.0
// How an SD card describes itself. Owns nothing; called by the card.
// Source: SD Physical Layer Simplified Specification, "SD Memory Card Registers", "Switch Function Command".
#include "vdev/vsd_regs.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/vsd_state.h"

// A field by its bits, as the specification's tables have them.
struct field {
	uint8_t high, low;
	uint32_t value;
};

#define CRC7_POLYNOMIAL 0x09
#define CRC_AND_END     8 // bits

static void put_fields(uint32_t word[4], const struct field *fields, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned bit = fields[i].low; bit <= fields[i].high; bit++)
			if ((fields[i].value >> (bit - fields[i].low) & 1) != 0)
				word[bit / 32] |= BIT_U32(bit % 32);
}

static void put_crc(uint32_t word[4])
{
	uint32_t crc = 0;

	for (unsigned bit = 128; bit-- > CRC_AND_END;) {
		uint32_t in = word[bit / 32] >> (bit % 32) & 1, out = crc >> 6;
		crc = (crc << 1 & 0x7f) ^ (in != out ? CRC7_POLYNOMIAL : 0);
	}
	word[0] |= crc << 1 | 1;
}

void vsd_cid(uint32_t word[4], uint32_t serial)
{
	const struct field fields[] = {
	        {127, 120, 0x4d},                   // manufacturer
	        {119, 104, 0x4d5a},                 // "MZ"
	        {103, 96, 'M'},                     // product name: five letters
	        {95, 64, 0x455a5a4f},               // "EZZO"
	        {63, 56, 0x10},                     // revision 1.0
	        {55, 24, serial},     {19, 12, 26}, // made in 2026,
	        {11, 8, 1},                         // in January
	};
	memset(word, 0, 4 * sizeof *word);
	put_fields(word, fields, ARRAY_SIZE(fields));
	put_crc(word);
}

// A card that cannot be written to has no commands for it, which is what Linux goes by.
#define CLASSES       (BIT_U32(0) | BIT_U32(2) | BIT_U32(8) | BIT_U32(10))
#define CLASSES_WRITE (BIT_U32(4) | BIT_U32(5))

void vsd_csd(uint32_t word[4], uint64_t blocks, bool read_only, bool fast)
{
	const struct field fields[] = {
	        {127, 126, 1},                 // version 2
	        {119, 112, 0x0e},              // 1 ms to the first byte, as all of this version
	        {103, 96, fast ? 0x5a : 0x32}, // 50 or 25 MHz
	        {95, 84, CLASSES | (read_only ? 0 : CLASSES_WRITE)},
	        {83, 80, 9}, // blocks of 1 << 9 bytes
	        {69, 48, (uint32_t)(blocks / 1024 - 1)},
	        {46, 46, 1},    // single blocks can be erased
	        {45, 39, 0x7f}, // this and what follows are as in all of this version
	        {28, 26, 2},
	        {25, 22, 9},
	        {13, 13, read_only ? 1 : 0},
	};
	memset(word, 0, 4 * sizeof *word);
	put_fields(word, fields, ARRAY_SIZE(fields));
	put_crc(word);
}

void vsd_scr(uint8_t bytes[VSD_SCR_SIZE])
{
	memset(bytes, 0, VSD_SCR_SIZE);
	bytes[0] = 0x02; // with the next but one: version 3.0
	bytes[1] = 0x05; // 1 and 4 data lines; erased blocks read zero
	bytes[2] = 0x80;
	bytes[3] = 0x02; // takes CMD23
}

void vsd_status(uint8_t bytes[VSD_STATUS_SIZE], bool wide)
{
	memset(bytes, 0, VSD_STATUS_SIZE);
	bytes[0] = wide ? 0x80 : 0;
	bytes[10] = 0x90; // allocation units of 4 MiB
}

#define SWITCH_SET   BIT_U32(31)
#define SWITCH_KEEP  0xf
#define SWITCH_NEVER 0xf
#define NR_GROUPS    6
#define HIGH_SPEED   1 // in group 1

// 16 bits for each group, the last one first, follow the current; then four bits with what was chosen in each.
#define SUPPORTED_AT(group) (2 + 2 * (NR_GROUPS - (group)))
#define CHOSEN_AT           14

void vsd_switch(uint8_t bytes[VSD_SWITCH_SIZE], uint32_t argument, bool *fast)
{
	uint32_t chosen[NR_GROUPS + 1];
	bool good = true;

	memset(bytes, 0, VSD_SWITCH_SIZE);
	for (unsigned group = 1; group <= NR_GROUPS; group++) {
		uint32_t wish = argument >> (4 * (group - 1)) & SWITCH_KEEP;
		uint32_t now = group == 1 && *fast ? HIGH_SPEED : 0;
		uint32_t last = group == 1 ? HIGH_SPEED : 0;
		chosen[group] = wish == SWITCH_KEEP ? now : wish <= last ? wish : SWITCH_NEVER;
		good = good && chosen[group] != SWITCH_NEVER;
		bytes[SUPPORTED_AT(group)] = 0x80;
		bytes[SUPPORTED_AT(group) + 1] = group == 1 ? 0x03 : 0x01;
	}
	bytes[1] = good ? 100 : 0; // mA
	for (unsigned i = 0; i < NR_GROUPS / 2; i++)
		bytes[CHOSEN_AT + i] =
		        (uint8_t)(chosen[NR_GROUPS - 2 * i] << 4 | chosen[NR_GROUPS - 1 - 2 * i]);
	if (good && (argument & SWITCH_SET) != 0)
		*fast = chosen[1] == HIGH_SPEED;
}
