/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAT32 on the first partition of a card: its root directory, with long names, and files. Reads only.
 * Source: Microsoft, FAT32 File System Specification, "Boot Sector and BPB", "FAT Long Directory Entries".
 */
#ifndef PI_FAT_H
#define PI_FAT_H

#include "sd.h"

#define FAT_NAME 256U

struct fat {
	const struct sd_host *host;
	u32 table, data; // first blocks
	u32 per_cluster; // blocks
	u32 root;        // first cluster
	u32 clusters;
};

struct fat_entry {
	char name[FAT_NAME]; // the long one if it has one
	u32 first, size;     // cluster, bytes
	bool folder;
};

/* NULL: mounted. Else what is wrong, in words. */
const char *fat_mount(struct fat *fat, const struct sd_host *host);
/* Calls back for each entry of the root directory until that returns false. False: it cannot be read. */
bool fat_list(const struct fat *fat, bool (*each)(const struct fat_entry *entry, void *context),
              void *context);
/* A file's bytes into `to`, at most `size`, which is a multiple of 512. How many it has, or -1: it cannot be read. */
i32 fat_read(const struct fat *fat, const struct fat_entry *entry, u32 *to, u32 size);

#endif
