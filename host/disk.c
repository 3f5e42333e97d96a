// SPDX-License-Identifier: Apache-2.0
//
// The disks of the board that QEMU plays, as `mezzo run --disk` names them. Owns nothing; called by cmd_run.c.
// Invariant: what disk_open took can be read, and has whole sectors.
#include "disk.h"

#include "fdt/desc.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Bytes of a file or a block device; -1: there is no telling.
static off_t size_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

	if (fd >= 0)
		close(fd);
	return size;
}

const char *disk_open(const char *text, struct board_disk *disk)
{
	struct stat st;
	off_t size;

	*disk = (struct board_disk){text, strncmp(text, "ro:", strlen("ro:")) == 0};
	disk->path += disk->read_only ? strlen("ro:") : 0;
	if (stat(disk->path, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return "it is neither a file nor a block device";
	size = size_of(disk->path);
	if (size < 0)
		return strerror(errno);
	if (size == 0)
		return "it is empty";
	if (size % DESC_SECTOR_SIZE != 0)
		return util_format("its %lld bytes are no whole sectors of %d", (long long)size,
		                   DESC_SECTOR_SIZE);
	disk->read_only |= access(disk->path, W_OK) != 0;
	return NULL;
}

const char *disk_name(size_t n)
{
	return util_format("vd%c", (char)('a' + n));
}
