// SPDX-License-Identifier: Apache-2.0
// The reader of GUID partition tables (base/gpt.c) on any bytes. Checksums are mended, else nothing would come past them.
#include "fuzz.h"

#include <string.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "base/gpt.h"

#define HEADER_BYTES 12 // offsets in the header
#define HEADER_CRC   16

void fuzz_setup(void)
{
}

static void mend(uint8_t *block, uint32_t block_bytes)
{
	uint32_t bytes, crc = 0;
	memcpy(&bytes, block + HEADER_BYTES, sizeof bytes);
	if (bytes < HEADER_CRC + 4 || bytes > block_bytes)
		return;
	memcpy(block + HEADER_CRC, &crc, sizeof crc);
	crc = crc32_update(0, block, bytes);
	memcpy(block + HEADER_CRC, &crc, sizeof crc);
}

static void check_entries(const struct gpt *gpt, struct fuzz_in *in, uint64_t blocks)
{
	uint32_t bytes = gpt->nr_entries * gpt->entry_bytes;
	static uint8_t table[GPT_MAX_BYTES];
	FUZZ_CHECK(bytes != 0 && bytes <= GPT_MAX_BYTES);
	struct fuzz_in rest = fuzz_rest(in, bytes);
	memset(table, 0, bytes);
	memcpy(table, rest.at, rest.left);
	const uint8_t *guarded = fuzz_guarded(table, bytes, 1);
	(void)gpt_check_table(gpt, guarded);
	for (uint32_t i = 0; i < gpt->nr_entries; i++) {
		struct gpt_partition p;
		if (!gpt_read_entry(gpt, guarded, i, &p))
			continue;
		FUZZ_CHECK(p.blocks != 0 && p.number == i + 1);
		FUZZ_CHECK(range_contains(0, blocks, p.first, p.blocks) && p.first > 1);
		FUZZ_CHECK(range_contains(gpt->first_usable,
		                          gpt->last_usable - gpt->first_usable + 1, p.first,
		                          p.blocks));
		FUZZ_CHECK(strnlen(p.label, sizeof p.label) < sizeof p.label);
		for (const char *c = p.label; *c != 0; c++)
			FUZZ_CHECK(*c >= ' ' && *c <= '~');
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	uint8_t how = fuzz_u8(&in);
	uint32_t block_bytes = 512u << (how & 3);
	uint64_t blocks = (how & 4) != 0 ? fuzz_number(&in) : 2048,
	         at = (how & 8) != 0 ? fuzz_number(&in) : 1;
	static uint8_t block[4096];
	struct fuzz_in rest = fuzz_rest(&in, 512);
	memset(block, 0, sizeof block);
	memcpy(block, rest.at, rest.left);
	(void)gpt_is_announced(fuzz_guarded(block, 512, 1));
	mend(block, block_bytes);
	struct gpt gpt;
	enum gpt_fault fault =
	        gpt_read_header(fuzz_guarded(block, block_bytes, 1), block_bytes, at, blocks, &gpt);
	FUZZ_CHECK(gpt_fault_text(fault)[0] != 0);
	if (fault != GPT_OK)
		return;
	FUZZ_CHECK(gpt.first_usable <= gpt.last_usable && gpt.last_usable < blocks);
	FUZZ_CHECK(at < gpt.first_usable || at > gpt.last_usable);
	check_entries(&gpt, &in, blocks);
}
