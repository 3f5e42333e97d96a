// SPDX-License-Identifier: Apache-2.0
//
// Saves a file that Mezzo sends. Owns the file while it is under way; called by hub.c.
// Invariants: no file that was there before is touched, and none stays that is not whole.
#include "file.h"

#include "record.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *file_begin(struct file *file, const struct channel *channel, const char *directory)
{
	if (file->channel != NULL)
		return NULL;
	int fd = record_new(directory, channel->name, &file->path);
	if (fd < 0)
		return util_format("no file can be made for %s: %s", channel->name,
		                   strerror(errno));
	file->fd = fd;
	file->channel = channel;
	file->size = 0;
	file->why = NULL;
	return NULL;
}

bool file_is(const struct file *file, const struct channel *channel)
{
	return file->channel != NULL && file->channel == channel;
}

void file_put(struct file *file, const uint8_t *bytes, size_t size, uint32_t missing)
{
	if (missing != 0)
		file->why = "some of it was lost on the wire; try again";
	else if (file->why == NULL && !util_write(file->fd, bytes, size))
		file->why = strerror(errno);
	file->size += size;
}

char *file_end(struct file *file, const struct channel *channel, const char *why)
{
	char *text;

	if (file->channel == NULL || (channel != NULL && !file_is(file, channel)))
		return NULL;
	if (why == NULL)
		why = file->why;
	if (close(file->fd) != 0 && why == NULL)
		why = strerror(errno);
	if (why == NULL) {
		text = util_format("saved %s, %llu bytes", file->path,
		                   (unsigned long long)file->size);
	} else {
		unlink(file->path);
		text = util_format("%s is not saved: %s", file->path, why);
	}
	free(file->path);
	*file = (struct file){0};
	return text;
}
