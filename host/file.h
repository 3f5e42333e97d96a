// SPDX-License-Identifier: Apache-2.0
// A file that Mezzo sends (docs/wire.md), saved as it comes; one at a time.
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include "link.h"

// All zero: none is under way.
struct file {
	const struct channel *channel; // NULL: none
	int fd;
	char *path;
	uint64_t size;   // so far
	const char *why; // it cannot become whole; NULL: so far it can
};

// A channel with a file has come: makes a file of its name, or of one like it, in the directory (NULL: here). NULL, or
// what a person should know; then, or while another one is under way, it is not taken. Texts are the caller's to free.
char *file_begin(struct file *file, const struct channel *channel, const char *directory);

// Whether this channel's file is being saved.
bool file_is(const struct file *file, const struct channel *channel);

// The next bytes of it, behind `missing` that were lost.
void file_put(struct file *file, const uint8_t *bytes, size_t size, uint32_t missing);

// The end of the channel's file, or of any (NULL); `why` NULL: it is whole. What is not is removed. NULL if there was
// no such file, else what a person should know.
char *file_end(struct file *file, const struct channel *channel, const char *why);

#endif
