// SPDX-License-Identifier: Apache-2.0
// A GUID partition table in memory, as the tests want it, with zlib's checksums. Offsets are those of UEFI 2.10, tables
// "GPT Header" and "GPT Partition Entry".
#ifndef UNIT_GPT_DISK_H
#define UNIT_GPT_DISK_H

#include <string.h>
#include <zlib.h>

#include "base/types.h"

struct gpt_part {
	uint64_t first, last;
	const char *label;
};

UNUSED static void gpt_put(uint8_t *at, uint64_t value, unsigned bytes)
{
	memcpy(at, &value, bytes);
}

// After a field was changed.
UNUSED static void gpt_seal(uint8_t *header)
{
	gpt_put(header + 16, 0, 4);
	gpt_put(header + 16, crc32(0, header, 92), 4);
}

UNUSED static void gpt_make_header(uint8_t *header, uint64_t own, uint64_t other, uint64_t table,
                                   uint64_t blocks, const uint8_t *entries, uint32_t count)
{
	memcpy(header, "EFI PART", 8);
	gpt_put(header + 8, 0x10000, 4);
	gpt_put(header + 12, 92, 4);
	gpt_put(header + 24, own, 8);
	gpt_put(header + 32, other, 8);
	gpt_put(header + 40, 34, 8);
	gpt_put(header + 48, blocks - 34, 8);
	gpt_put(header + 72, table, 8);
	gpt_put(header + 80, count, 4);
	gpt_put(header + 84, 128, 4);
	gpt_put(header + 88, crc32(0, entries, count * 128), 4);
	gpt_seal(header);
}

UNUSED static void gpt_make_entry(uint8_t *entry, const struct gpt_part *part)
{
	memset(entry, 0x11, 32);
	gpt_put(entry + 32, part->first, 8);
	gpt_put(entry + 40, part->last, 8);
	for (size_t i = 0; i < strlen(part->label); i++)
		gpt_put(entry + 56 + i * 2, (uint8_t)part->label[i], 2);
}

UNUSED static void gpt_make_mbr(uint8_t *sector)
{
	memset(sector, 0, 512);
	sector[446 + 4] = 0xee;
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

// All of a disk of so many blocks of 512 bytes, both tables with 128 entries.
UNUSED static void gpt_make_disk(uint8_t *disk, uint64_t blocks, const struct gpt_part *parts,
                                 unsigned nr_parts)
{
	uint8_t *table = disk + 2 * 512, *copy = disk + (blocks - 33) * 512;
	memset(disk, 0, blocks * 512);
	gpt_make_mbr(disk);
	for (unsigned i = 0; i < nr_parts; i++)
		if (parts[i].first != 0)
			gpt_make_entry(table + i * 128, &parts[i]);
	memcpy(copy, table, 128 * 128);
	gpt_make_header(disk + 512, 1, blocks - 1, 2, blocks, table, 128);
	gpt_make_header(disk + (blocks - 1) * 512, blocks - 1, 1, blocks - 33, blocks, table, 128);
}

#endif
