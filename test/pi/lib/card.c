/* SPDX-License-Identifier: Apache-2.0 */
/* A card's directory and blocks. */
#include "card.h"

#define TEXT_FILE "A long name with spaces.txt"
#define TEXT      "The quick brown fox jumps over the lazy dog.\n"
#define BIG_FILE  "big file.bin"
#define BIG_BYTES 100000U
#define AT_ONCE   8U
#define SCRATCH   2040U // blocks before the first partition, which begins at 2048

static u32 buffer[(BIG_BYTES / SD_BLOCK + 1) * SD_BLOCK / 4];

struct found {
	struct fat_entry text, big;
	bool has_text, has_big, has_folder, has_short;
	u32 count;
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool each(const struct fat_entry *entry, void *context)
{
	struct found *found = context;
	print("%s %u %s\n", entry->folder ? "folder" : "file", entry->size, entry->name);
	found->count++;
	if (same(entry->name, TEXT_FILE)) {
		found->text = *entry;
		found->has_text = true;
	}
	if (same(entry->name, BIG_FILE)) {
		found->big = *entry;
		found->has_big = true;
	}
	found->has_folder =
	        found->has_folder || (same(entry->name, "boot folder") && entry->folder);
	found->has_short = found->has_short || same(entry->name, "CONFIG.TXT");
	return true;
}

static char byte_of(u32 i)
{
	return (char)(buffer[i / 4] >> (i % 4 * 8));
}

static void read_text(const struct fat *fat, const struct found *found)
{
	i32 length = fat_read(fat, &found->text, buffer, sizeof buffer);
	bool good = length == (i32)(sizeof TEXT - 1);
	for (i32 i = 0; i < length; i++) {
		put_char(byte_of((u32)i));
		good = good && byte_of((u32)i) == TEXT[i];
	}
	put_char('\r');
	check(good, "a file is what it should be");
}

/* Its byte i is 7 * i + i / 251. */
static void read_big(const struct fat *fat, const struct found *found)
{
	bool good = fat_read(fat, &found->big, buffer, sizeof buffer) == BIG_BYTES;
	for (u32 i = 0; i < BIG_BYTES && good; i++)
		good = (u8)byte_of(i) == (u8)(7 * i + i / 251);
	check(good, "and so is one of many clusters");
}

u32 card_start(const struct sd_host *host)
{
	print("by %s\n", host->name);
	check(host->begin(), "the controller is ready");
	u32 address = sd_start(host);
	check(address != 0, "the card is chosen");
	return address;
}

bool card_list(const struct sd_host *host)
{
	static struct fat fat;
	static struct found found;
	const char *wrong = fat_mount(&fat, host);
	if (wrong) {
		print("the card cannot be mounted: %s\n", wrong);
		check(false, "FAT32 is found");
		return false;
	}
	check(true, "FAT32 is found");
	check(fat_list(&fat, each, &found), "the root directory is read");
	check(found.count >= 4, "it has all its entries");
	check(found.has_folder && found.has_short, "a folder and a short name are among them");
	check(found.has_text && found.has_big, "and files with long names");
	if (found.has_text && found.has_big) {
		read_text(&fat, &found);
		read_big(&fat, &found);
	}
	return true;
}

static void fill(u32 seed)
{
	for (u32 i = 0; i < AT_ONCE * SD_BLOCK / 4; i++)
		buffer[i] = i * 2654435761U + seed;
}

static bool filled(u32 seed, u32 first_block, u32 blocks, const u32 *from)
{
	for (u32 i = 0; i < blocks * SD_BLOCK / 4; i++)
		if (from[i] != (i + first_block * SD_BLOCK / 4) * 2654435761U + seed)
			return false;
	return true;
}

void card_blocks(const struct sd_host *host)
{
	static u32 other[SD_BLOCK / 4];
	fill(1);
	check(sd_write(host, SCRATCH, AT_ONCE, buffer), "eight blocks are written at once");
	check(sd_read(host, SCRATCH + 5, 1, other) && filled(1, 5, 1, other),
	      "the sixth is read alone");
	fill(2);
	check(sd_write(host, SCRATCH + 2, 1, buffer), "one is written");
	fill(3);
	check(sd_read(host, SCRATCH, AT_ONCE, buffer), "and all are read");
	check(filled(1, 0, 2, buffer) && filled(2, 0, 1, buffer + 2 * SD_BLOCK / 4) &&
	              filled(1, 3, 5, buffer + 3 * SD_BLOCK / 4),
	      "each is what was written");
}
