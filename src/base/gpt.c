// SPDX-License-Identifier: Apache-2.0
// The GUID partition table. Owns nothing. Called by hw/block_gpt.c with what was read from a disk, and by the tests.
// Invariant: what is said to be a partition lies within the usable blocks, and these within the disk; nothing is read
// outside of the bytes that were handed over, whatever is in them.
// Source: UEFI Specification 2.10, "GUID Partition Table (GPT) Disk Layout".
#include "base/gpt.h"

#include "base/bits.h"
#include "base/crc32.h"
#include "base/string.h"

#define MBR_SIGNATURE  510 // where in sector 0
#define MBR_PARTITIONS 446
#define MBR_ENTRY      16
#define MBR_NR_ENTRIES 4
#define MBR_TYPE       4 // in an entry
#define MBR_TYPE_GPT   0xee

enum header {
	SIGNATURE = 0, // "EFI PART"
	HEADER_BYTES = 12,
	HEADER_CRC = 16,
	MY_LBA = 24,
	OTHER_LBA = 32,
	FIRST_USABLE = 40,
	LAST_USABLE = 48,
	TABLE_LBA = 72,
	NR_ENTRIES = 80,
	ENTRY_BYTES = 84,
	TABLE_CRC = 88,
	HEADER_LEAST = 92,
};

enum entry {
	TYPE = 0, // a GUID; all zero: not used
	FIRST_LBA = 32,
	LAST_LBA = 40, // of the partition
	LABEL = 56,    // UTF-16
	ENTRY_LEAST = 128,
};
#define GUID_BYTES 16

static const uint8_t signature[] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};

// Little-endian, at any alignment.
static uint64_t number(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;
	while (bytes-- > 0)
		value = value << 8 | at[bytes];
	return value;
}

bool gpt_is_announced(const uint8_t *sector)
{
	if (sector[MBR_SIGNATURE] != 0x55 || sector[MBR_SIGNATURE + 1] != 0xaa)
		return false;
	for (unsigned i = 0; i < MBR_NR_ENTRIES; i++)
		if (sector[MBR_PARTITIONS + i * MBR_ENTRY + MBR_TYPE] == MBR_TYPE_GPT)
			return true;
	return false;
}

static bool header_is_whole(const uint8_t *block, uint32_t block_bytes)
{
	static const uint8_t zero[sizeof(uint32_t)];
	uint64_t bytes = number(block + HEADER_BYTES, 4);
	if (bytes < HEADER_LEAST || bytes > block_bytes)
		return false;
	uint32_t crc = crc32_update(0, block, HEADER_CRC); // its own place counts as zero
	crc = crc32_update(crc, zero, sizeof zero);
	crc = crc32_update(crc, block + HEADER_CRC + sizeof zero, bytes - HEADER_CRC - sizeof zero);
	return crc == number(block + HEADER_CRC, 4);
}

enum gpt_fault gpt_read_header(const uint8_t *block, uint32_t block_bytes, uint64_t at,
                               uint64_t nr_blocks, struct gpt *gpt)
{
	if (memcmp(block, signature, sizeof signature) != 0)
		return GPT_NO_SIGNATURE;
	if (!header_is_whole(block, block_bytes) || number(block + MY_LBA, 8) != at)
		return GPT_BAD_HEADER;
	*gpt = (struct gpt){
	        .other = number(block + OTHER_LBA, 8),
	        .first_usable = number(block + FIRST_USABLE, 8),
	        .last_usable = number(block + LAST_USABLE, 8),
	        .table = number(block + TABLE_LBA, 8),
	        .nr_entries = (uint32_t)number(block + NR_ENTRIES, 4),
	        .entry_bytes = (uint32_t)number(block + ENTRY_BYTES, 4),
	        .table_crc = (uint32_t)number(block + TABLE_CRC, 4),
	};
	uint64_t bytes = (uint64_t)gpt->nr_entries * gpt->entry_bytes;
	if (gpt->entry_bytes < ENTRY_LEAST || !is_power_of_two(gpt->entry_bytes) || bytes == 0)
		return GPT_BAD_HEADER;
	if (bytes > GPT_MAX_BYTES)
		return GPT_TOO_LARGE;
	uint64_t blocks = (bytes + block_bytes - 1) / block_bytes;
	// 0 and 1 are sector 0 and the first header; a table may lie on either side of what is usable.
	bool ok = gpt->first_usable > 1 && gpt->first_usable <= gpt->last_usable &&
	          gpt->last_usable < nr_blocks && gpt->table > 1 &&
	          range_contains(0, nr_blocks, gpt->table, blocks) &&
	          !ranges_overlap(gpt->first_usable, gpt->last_usable - gpt->first_usable + 1,
	                          gpt->table, blocks) &&
	          (at < gpt->first_usable || at > gpt->last_usable);
	return ok ? GPT_OK : GPT_BAD_PLACE;
}

enum gpt_fault gpt_check_table(const struct gpt *gpt, const uint8_t *table)
{
	uint32_t crc = crc32_update(0, table, (size_t)gpt->nr_entries * gpt->entry_bytes);
	return crc == gpt->table_crc ? GPT_OK : GPT_BAD_TABLE;
}

bool gpt_read_entry(const struct gpt *gpt, const uint8_t *table, uint32_t index,
                    struct gpt_partition *partition)
{
	static const uint8_t unused[GUID_BYTES];
	const uint8_t *entry = table + (size_t)index * gpt->entry_bytes;
	uint64_t first = number(entry + FIRST_LBA, 8), last = number(entry + LAST_LBA, 8);
	if (memcmp(entry + TYPE, unused, sizeof unused) == 0 || first < gpt->first_usable ||
	    last > gpt->last_usable || first > last)
		return false;
	*partition = (struct gpt_partition){
	        .first = first, .blocks = last - first + 1, .number = index + 1};
	for (unsigned i = 0; i + 1 < GPT_LABEL_SIZE; i++) {
		uint64_t c = number(entry + LABEL + i * 2, 2);
		if (c == 0)
			break;
		partition->label[i] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	return true;
}

const char *gpt_fault_text(enum gpt_fault fault)
{
	static const char *const texts[] = {
	        [GPT_OK] = "it is sound",
	        [GPT_NO_SIGNATURE] = "it does not begin with \"EFI PART\"",
	        [GPT_BAD_HEADER] = "its header is damaged",
	        [GPT_BAD_PLACE] = "its header points outside of the disk, or into its own way",
	        [GPT_TOO_LARGE] = "its table has more than 64 KiB",
	        [GPT_BAD_TABLE] = "its table is damaged",
	};
	return texts[fault];
}
