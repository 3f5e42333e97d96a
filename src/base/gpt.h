// SPDX-License-Identifier: Apache-2.0
// Reads a GUID partition table that nobody has vouched for: two headers, at the beginning and at the end of the disk, each
// with its table of entries. Pure: whoever calls reads the blocks.
#ifndef BASE_GPT_H
#define BASE_GPT_H

#include "base/types.h"

#define GPT_MAX_BYTES  KIB(64) // of a table of entries; the standard's own is 16 KiB
#define GPT_LABEL_SIZE 37      // 36 characters and the NUL

enum gpt_fault {
	GPT_OK,
	GPT_NO_SIGNATURE,
	GPT_BAD_HEADER, // its size, its checksum, or it says that it lies elsewhere
	GPT_BAD_PLACE,  // what it points to is not on the disk, or in its own way
	GPT_TOO_LARGE,  // more than GPT_MAX_BYTES of entries
	GPT_BAD_TABLE,  // the entries' checksum
};

// What a good header says. In blocks of the disk.
struct gpt {
	uint64_t other; // where the other header is
	uint64_t first_usable, last_usable;
	uint64_t table;
	uint32_t nr_entries,
	        entry_bytes; // entry_bytes * nr_entries is at most GPT_MAX_BYTES, and not 0
	uint32_t table_crc;
};

struct gpt_partition {
	uint64_t first, blocks; // within the usable ones
	uint32_t number;        // from 1 on, its place in the table
	char label[GPT_LABEL_SIZE];
};

// Whether sector 0, 512 bytes, says that the disk has a GPT (a partition of type 0xee). Without it, what lies where
// a GPT would be is left from earlier times.
bool gpt_is_announced(const uint8_t *sector);
// The header in the block at `block`, which has `block_bytes` bytes (at least 512) and is number `at` of `nr_blocks`.
enum gpt_fault gpt_read_header(const uint8_t *block, uint32_t block_bytes, uint64_t at,
                               uint64_t nr_blocks, struct gpt *gpt);
// Whether the table, gpt->nr_entries * gpt->entry_bytes bytes, is as it was written.
enum gpt_fault gpt_check_table(const struct gpt *gpt, const uint8_t *table);
// Entry `index`, below nr_entries. False: it is not used, or what it says cannot be.
bool gpt_read_entry(const struct gpt *gpt, const uint8_t *table, uint32_t index,
                    struct gpt_partition *partition);
// A clause: "it ...".
const char *gpt_fault_text(enum gpt_fault fault);

#endif
