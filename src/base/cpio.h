// SPDX-License-Identifier: Apache-2.0
// Reads a "newc" cpio archive in place, without trusting a byte of it.
#ifndef BASE_CPIO_H
#define BASE_CPIO_H

#include "base/types.h"

#define CPIO_NAME_MAX       255  // bytes of a member's name without the NULs after it
#define CPIO_NAME_FIELD_MAX 8192 // name with all the NULs that pad it

enum cpio_error {
	CPIO_OK = 0,
	CPIO_NOT_CPIO = -1,   // no archive starts here
	CPIO_TRUNCATED = -2,  // a header, name or body goes beyond the end
	CPIO_BAD_MAGIC = -3,  // no member starts where the one before it ends
	CPIO_BAD_NUMBER = -4, // a field is not eight hexadecimal digits
	CPIO_BAD_NAME = -5,   // empty, or without its NUL
	CPIO_NAME_TOO_LONG = -6,
	CPIO_NO_TRAILER = -7, // ends after a whole member, without "TRAILER!!!"
	CPIO_NOT_FOUND = -8,  // cpio_find: no member of that name
};

// An archive being read. Plain data: copy it to remember a place.
struct cpio {
	const uint8_t *bytes;
	size_t size; // bytes that may be read
	size_t next; // offset of the next header
	size_t at;   // offset of the header last looked at: where an error is
	size_t length; // once cpio_next has returned 0: bytes up to the trailer's end; more may follow
};

struct cpio_member {
	const char *name;    // NUL-terminated, in the archive
	const uint8_t *data; // in the archive; aligned as the archive is
	uint32_t size;       // bytes of data
	uint32_t mode;       // file type and permissions, as in stat
};

void cpio_open(struct cpio *cpio, const void *bytes, size_t size);

// The next member. 1: *member is filled in. 0: that was the last. Else an enum cpio_error, and the
// same again at each further call. All that *member points to lies within the archive.
int cpio_next(struct cpio *cpio, struct cpio_member *member);

// The first member of that name, from the start of the archive. CPIO_OK, CPIO_NOT_FOUND (the whole
// archive is sound and has none), or what is wrong with the archive before that member.
int cpio_find(const struct cpio *cpio, const char *name, struct cpio_member *member);

// What an error means; cpio->at says where. Never NULL.
const char *cpio_error_text(int error);

#endif
