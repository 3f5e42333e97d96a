/* SPDX-License-Identifier: Apache-2.0 */
/* FAT32. What is on the card is never trusted: chains have an end, numbers are looked at before they are used. */
#include "fat.h"

#define MBR_ENTRY     446U
#define MBR_TYPE      4U
#define MBR_FIRST     8U
#define SIGNATURE     510U
#define ENTRY_BYTES   32U
#define ENTRY_LAST    0U
#define ENTRY_DELETED 0xe5U
#define LONG_NAME     0x0fU
#define VOLUME        0x08U
#define FOLDER        0x10U
#define LONG_FIRST    0x40U
#define LONG_CHARS    13U
#define CHAIN_END     0x0ffffff8U
#define CLUSTER       0x0fffffffU
#define DIRECTORY_MAX 4096U // blocks

static u32 words[SD_BLOCK / 4];

/* A byte at a time: memory is Device memory. */
static u32 byte(u32 at)
{
	return words[at / 4] >> (at % 4 * 8) & 0xffU;
}

static u32 half(u32 at)
{
	return byte(at) | byte(at + 1) << 8;
}

static u32 word(u32 at)
{
	return half(at) | half(at + 2) << 16;
}

static bool signed_block(void)
{
	return half(SIGNATURE) == 0xaa55;
}

const char *fat_mount(struct fat *fat, const struct sd_host *host)
{
	fat->host = host;
	if (!sd_read(host, 0, 1, words))
		return "block 0 cannot be read";
	if (!signed_block())
		return "no partition table";
	u32 type = byte(MBR_ENTRY + MBR_TYPE), first = word(MBR_ENTRY + MBR_FIRST);
	if (type != 0x0b && type != 0x0c)
		return "the first partition is not FAT32";
	if (!sd_read(host, first, 1, words))
		return "the partition cannot be read";
	u32 reserved = half(14), tables = byte(16), table_blocks = word(36), all = word(32);
	fat->per_cluster = byte(13);
	fat->root = word(44) & CLUSTER;
	if (!signed_block() || half(11) != SD_BLOCK || fat->per_cluster == 0 || half(22) != 0 ||
	    tables == 0 || table_blocks == 0)
		return "the partition holds no FAT32";
	fat->table = first + reserved;
	fat->data = fat->table + tables * table_blocks;
	u32 before = fat->data - first;
	fat->clusters = all > before ? (all - before) / fat->per_cluster : 0;
	if (fat->clusters > table_blocks * (SD_BLOCK / 4) - 2)
		return "its table is too small for it";
	return NULL;
}

static bool in_data(const struct fat *fat, u32 cluster)
{
	return cluster >= 2 && cluster - 2 < fat->clusters;
}

/* The cluster after this one; 0: none, or the table cannot be read. */
static u32 next(const struct fat *fat, u32 cluster)
{
	u32 per_block = SD_BLOCK / 4;
	if (!sd_read(fat->host, fat->table + cluster / per_block, 1, words))
		return 0;
	u32 value = words[cluster % per_block] & CLUSTER;
	return value < CHAIN_END && in_data(fat, value) ? value : 0;
}

static u32 block_of(const struct fat *fat, u32 cluster)
{
	return fat->data + (cluster - 2) * fat->per_cluster;
}

/* One piece of a long name; what is not ASCII becomes '?'. */
static void take_long(char *name, u32 at)
{
	static const u8 places[LONG_CHARS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
	u32 order = byte(at) & 0x1fU;
	if (byte(at) & LONG_FIRST)
		for (u32 i = 0; i < FAT_NAME; i++)
			name[i] = 0;
	if (order == 0 || order * LONG_CHARS >= FAT_NAME)
		return;
	for (u32 i = 0; i < LONG_CHARS; i++) {
		u32 c = half(at + places[i]);
		name[(order - 1) * LONG_CHARS + i] = c == 0xffff ? 0 : c < 0x80U ? (char)c : '?';
	}
}

static void take_short(char *name, u32 at)
{
	u32 n = 0;
	for (u32 i = 0; i < 11; i++) {
		if (i == 8 && byte(at + 8) != ' ')
			name[n++] = '.';
		if (byte(at + i) != ' ')
			name[n++] = (char)byte(at + i);
	}
	name[n] = 0;
}

bool fat_list(const struct fat *fat, bool (*each)(const struct fat_entry *entry, void *context),
              void *context)
{
	static struct fat_entry entry;
	u32 cluster = fat->root, blocks = 0;
	entry.name[0] = 0;
	while (in_data(fat, cluster) && blocks < DIRECTORY_MAX) {
		for (u32 i = 0; i < fat->per_cluster; i++, blocks++) {
			for (u32 at = 0; at < SD_BLOCK; at += ENTRY_BYTES) {
				/* `each` may have read something else */
				if (!sd_read(fat->host, block_of(fat, cluster) + i, 1, words))
					return false;
				u32 attributes = byte(at + 11);
				if (byte(at) == ENTRY_LAST)
					return true;
				if (byte(at) == ENTRY_DELETED)
					continue;
				if (attributes == LONG_NAME) {
					take_long(entry.name, at);
					continue;
				}
				if (entry.name[0] == 0)
					take_short(entry.name, at);
				entry.first = half(at + 20) << 16 | half(at + 26);
				entry.size = word(at + 28);
				entry.folder = attributes & FOLDER;
				if (!(attributes & VOLUME) && !each(&entry, context))
					return true;
				entry.name[0] = 0;
			}
		}
		cluster = next(fat, cluster);
	}
	return blocks != 0;
}

i32 fat_read(const struct fat *fat, const struct fat_entry *entry, u32 *to, u32 size)
{
	u32 left = entry->size < size ? entry->size : size, cluster = entry->first;
	u32 blocks = (left + SD_BLOCK - 1) / SD_BLOCK, done = 0;
	while (done < blocks) {
		u32 n = blocks - done < fat->per_cluster ? blocks - done : fat->per_cluster;
		if (!in_data(fat, cluster) ||
		    !sd_read(fat->host, block_of(fat, cluster), n, to + done * (SD_BLOCK / 4)))
			return -1;
		done += n;
		cluster = next(fat, cluster);
	}
	return (i32)left;
}
