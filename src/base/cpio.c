// SPDX-License-Identifier: Apache-2.0
// Reading a "newc" cpio archive in place.
//
// Owns nothing. Called at EL2 for the bundle and by the host command.
// Invariant: no byte outside bytes..+size is read; each call of cpio_next ends or moves forward by at
// least a header, so the work is bounded by the archive's size.
// Source: cpio(5), "New ASCII Format"; Linux kernel, Documentation/driver-api/early-userspace/
// buffer-format.rst.
#include "base/cpio.h"

#include "base/bits.h"
#include "base/string.h"

#define MAGIC_SIZE  6
#define FIELD_SIZE  8
#define FIELD_COUNT 13
#define HEADER_SIZE (MAGIC_SIZE + FIELD_SIZE * FIELD_COUNT)
#define PADDING     4 // name and data each start at a multiple of this
#define DIGIT_BITS  4
#define TRAILER     "TRAILER!!!"

// The fields that matter, by their place after the magic number.
enum field { FIELD_MODE = 1, FIELD_FILE_SIZE = 6, FIELD_NAME_SIZE = 11 };

static const char *const error_texts[] = {
        [-CPIO_OK] = "no error",
        [-CPIO_NOT_CPIO] = "it is not a cpio archive of format newc (no magic number 070701)",
        [-CPIO_TRUNCATED] = "the archive is cut off: a member goes beyond its end",
        [-CPIO_BAD_MAGIC] = "no member starts where one should (no magic number 070701)",
        [-CPIO_BAD_NUMBER] = "a number in a member's header is not eight hexadecimal digits",
        [-CPIO_BAD_NAME] = "a member's name is empty or does not end in NUL",
        [-CPIO_NAME_TOO_LONG] = "a member's name is longer than 255 bytes",
        [-CPIO_NO_TRAILER] = "the archive is cut off: it ends without its trailer",
        [-CPIO_NOT_FOUND] = "no member has that name",
};

const char *cpio_error_text(int error)
{
	if (error > 0 || error < CPIO_NOT_FOUND)
		return "unknown error";
	return error_texts[-error];
}

void cpio_open(struct cpio *cpio, const void *bytes, size_t size)
{
	*cpio = (struct cpio){.bytes = bytes, .size = size, .next = 0, .at = 0, .length = 0};
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool read_field(const uint8_t *header, enum field field, uint32_t *value)
{
	const uint8_t *text = header + MAGIC_SIZE + FIELD_SIZE * (unsigned)field;

	*value = 0;
	for (unsigned i = 0; i < FIELD_SIZE; i++) {
		const int d = digit(text[i]);

		if (d < 0)
			return false;
		*value = *value << DIGIT_BITS | (uint32_t)d;
	}
	return true;
}

static bool has_magic(const uint8_t *header)
{
	return memcmp(header, "070701", MAGIC_SIZE) == 0 ||
	       memcmp(header, "070702", MAGIC_SIZE) == 0;
}

// Checks the header at cpio->at; on success the name's size is within the archive and its NUL is found.
static int check_header(const struct cpio *cpio, uint32_t *name_size, uint32_t *file_size,
                        uint32_t *mode)
{
	const uint8_t *header = cpio->bytes + cpio->at;
	const size_t left = cpio->size - cpio->at;

	if (left == 0)
		return cpio->at == 0 ? CPIO_NOT_CPIO : CPIO_NO_TRAILER;
	if (left >= MAGIC_SIZE && !has_magic(header))
		return cpio->at == 0 ? CPIO_NOT_CPIO : CPIO_BAD_MAGIC;
	if (left < HEADER_SIZE)
		return CPIO_TRUNCATED;
	if (!read_field(header, FIELD_NAME_SIZE, name_size) ||
	    !read_field(header, FIELD_FILE_SIZE, file_size) ||
	    !read_field(header, FIELD_MODE, mode))
		return CPIO_BAD_NUMBER;
	if (*name_size > CPIO_NAME_FIELD_MAX)
		return CPIO_NAME_TOO_LONG;
	if (*name_size > left - HEADER_SIZE)
		return CPIO_TRUNCATED;
	const uint8_t *name = header + HEADER_SIZE;
	const uint8_t *nul = memchr(name, '\0', *name_size);
	if (nul == NULL || nul == name)
		return CPIO_BAD_NAME;
	return nul - name > CPIO_NAME_MAX ? CPIO_NAME_TOO_LONG : CPIO_OK;
}

int cpio_next(struct cpio *cpio, struct cpio_member *member)
{
	uint32_t name_size, file_size, mode;

	cpio->at = cpio->next;
	const int error = check_header(cpio, &name_size, &file_size, &mode);
	if (error != CPIO_OK)
		return error;
	// The sizes are 32 bits wide and at most the archive's, so none of these sums can wrap.
	const uint64_t name = (uint64_t)cpio->at + HEADER_SIZE;
	const uint64_t data = align_up(name + name_size, PADDING);
	const uint64_t end = data + file_size;
	const bool last = strcmp((const char *)cpio->bytes + name, TRAILER) == 0;

	// A trailer is whole without the padding after it, and may be all that is left.
	if (last) {
		cpio->length = end > cpio->size ? cpio->size : (size_t)end;
		return 0;
	}
	if (end > cpio->size)
		return CPIO_TRUNCATED;
	*member = (struct cpio_member){.name = (const char *)cpio->bytes + name,
	                               .data = cpio->bytes + data,
	                               .size = file_size,
	                               .mode = mode};
	const uint64_t padded = align_up(end, PADDING);
	cpio->next = padded > cpio->size ? cpio->size : (size_t)padded;
	return 1;
}

int cpio_find(const struct cpio *cpio, const char *name, struct cpio_member *member)
{
	struct cpio walk;
	int result;

	cpio_open(&walk, cpio->bytes, cpio->size);
	while ((result = cpio_next(&walk, member)) == 1) {
		if (strcmp(member->name, name) == 0)
			return CPIO_OK;
	}
	return result == 0 ? CPIO_NOT_FOUND : result;
}
