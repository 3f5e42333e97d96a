// SPDX-License-Identifier: Apache-2.0
// Small things that every part of the host command needs: text, memory, files.
//
// The command is short-lived: what lives until its end is not freed. Out of memory ends the
// process.
#ifndef HOST_UTIL_H
#define HOST_UTIL_H

#include "base/types.h"

// Exit statuses; 128 + n is added when signal n ended the run.
enum status {
	STATUS_OK = 0,       // everything asked for was done; every VM has powered off
	STATUS_FAILED = 1,   // a VM crashed, Mezzo or QEMU died, the system refused something
	STATUS_USAGE = 2,    // bad usage or a bad file
	STATUS_TIMEOUT = 124 // as timeout(1) has it
};

// Bytes that stay where they are until the end.
struct blob {
	const uint8_t *data;
	size_t size;
};

// As malloc, realloc and printf into fresh memory, but they always succeed.
void *util_alloc(size_t size);
void *util_grow(void *old, size_t count, size_t size);
char *util_format(const char *format, ...) PRINTF_LIKE(1, 2);

// `size` bytes in the largest unit that keeps it short: "512M", "1.5K", "17".
const char *util_size(uint64_t size);

// Little-endian fields of a file header, wherever they lie.
uint16_t util_le16(const uint8_t *p);
uint32_t util_le32(const uint8_t *p);
uint64_t util_le64(const uint8_t *p);

// Maps the file `path`. Returns NULL, or the reason why that failed, as strerror words it.
const char *util_map(const char *path, struct blob *out);

// Writes all of `data`; false (with errno) if that failed.
bool util_write(int fd, const void *data, size_t size);

// Puts `data` into a new file `path` of the user alone, in place of one that is there. NULL or what went wrong.
const char *util_save(const char *path, struct blob data);

// The directory of `path` with its last slash, or "".
const char *util_dir(const char *path);
const char *util_base(const char *path);

#endif
