// SPDX-License-Identifier: Apache-2.0
//
// Unpacks gzip kernels, plain ones and those inside an EFI zboot image: EL2 holds no inflate.
//
// Called by check.c; kernel_room by machine.c and card_boot.c too. Owns nothing. Invariant: no header field is believed before it is known to
// lie within the file, and nothing is unpacked beyond UNPACKED_MAX.
// Sources: RFC 1952, "Member format"; Linux, booting.rst, "Call the kernel image"; Linux, the zboot header of drivers/firmware/efi/libstub.
#include "kernel.h"

#include "base/bits.h"

#include <string.h>
#include <zlib.h>

#define UNPACKED_MAX GIB(1)
#define GZIP_MAGIC   "\x1f\x8b"

// The header of an EFI zboot image: a PE program that unpacks the kernel at `payload`.
#define ZBOOT_MAGIC        4
#define ZBOOT_PAYLOAD      8
#define ZBOOT_SIZE         12
#define ZBOOT_PACKING      24
#define ZBOOT_PACKING_SIZE 32
#define ZBOOT_HEADER_SIZE  (ZBOOT_PACKING + ZBOOT_PACKING_SIZE)

#define IMAGE_HEADER_SIZE  64
#define IMAGE_SIZE_OFFSET  16
#define IMAGE_MAGIC_OFFSET 56

static bool has(struct blob file, size_t offset, const char *bytes, size_t count)
{
	return file.size >= offset && file.size - offset >= count &&
	       memcmp(file.data + offset, bytes, count) == 0;
}
#define HAS(file, offset, text) has(file, offset, text, sizeof(text) - 1)

// Unpacks all gzip members of `in`. Returns NULL, or what is wrong with them.
static const char *inflate_all(struct blob in, struct blob *out)
{
	size_t room = in.size * 4 + KIB(64), used = 0, taken = 0;
	uint8_t *data = util_alloc(room);
	int rc = Z_OK;
	z_stream z = {.next_in = NULL};

	if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK) // + 16: a gzip header, not a zlib one
		return "zlib does not start";
	while (rc == Z_OK && used <= UNPACKED_MAX) { // without progress rc becomes Z_BUF_ERROR
		size_t left = in.size - taken, space = room - used;

		z.next_in = (uint8_t *)(uintptr_t)(in.data + taken);
		z.avail_in = left > UINT32_MAX ? UINT32_MAX : (uInt)left;
		z.next_out = data + used;
		z.avail_out = space > UINT32_MAX ? UINT32_MAX : (uInt)space;
		rc = inflate(&z, Z_NO_FLUSH);
		taken = (size_t)(z.next_in - in.data);
		used = (size_t)(z.next_out - data);
		if (rc == Z_STREAM_END && taken < in.size && in.data[taken] == *GZIP_MAGIC)
			rc = inflateReset(&z); // another member follows; anything else is padding
		if (used == room && rc == Z_OK) {
			room *= 2;
			data = util_grow(data, room, 1);
		}
	}
	inflateEnd(&z);
	*out = (struct blob){data, used};
	if (used > UNPACKED_MAX)
		return "it unpacks to more than 1G";
	if (rc == Z_STREAM_END)
		return NULL;
	return rc == Z_OK || rc == Z_BUF_ERROR ? "it is cut short" : "its gzip data is damaged";
}

// Replaces `kernel->data` by what is packed in it, if something is. Returns NULL or what is wrong.
static const char *unpack(struct kernel *kernel)
{
	struct blob file = kernel->data;

	if (HAS(file, 0, "MZ") && HAS(file, ZBOOT_MAGIC, "zimg") &&
	    file.size >= ZBOOT_HEADER_SIZE) {
		uint32_t start = util_le32(file.data + ZBOOT_PAYLOAD);
		uint32_t size = util_le32(file.data + ZBOOT_SIZE);

		if (!has(file, ZBOOT_PACKING, "gzip", sizeof("gzip")))
			return util_format(
			        "it is an EFI zboot image packed with %.*s, and only gzip can be "
			        "unpacked; give the plain Image",
			        ZBOOT_PACKING_SIZE, (const char *)file.data + ZBOOT_PACKING);
		if (!range_contains(0, file.size, start, size))
			return "it is an EFI zboot image that is cut short; copy it again";
		file = (struct blob){file.data + start, size};
		kernel->packing = "zboot gzip";
	} else if (HAS(file, 0, GZIP_MAGIC)) {
		kernel->packing = "gzip";
	} else {
		return NULL;
	}
	const char *why = inflate_all(file, &kernel->data);

	return why != NULL ? util_format("%s; copy it again", why) : NULL;
}

bool kernel_read(const char *path, struct kernel *kernel, struct place at, struct diags *diags)
{
	const char *why;

	*kernel = (struct kernel){.packing = NULL};
	why = util_map(path, &kernel->data);
	if (why != NULL) {
		diag_add(diags, at, "kernel `%s` cannot be read: %s; check the path", path, why);
		return false;
	}
	why = unpack(kernel);
	if (why != NULL)
		diag_add(diags, at, "kernel `%s` is not usable: %s", path, why);
	return why == NULL;
}

uint64_t kernel_room(struct blob file)
{
	uint64_t size;

	if (file.size < IMAGE_HEADER_SIZE || !HAS(file, IMAGE_MAGIC_OFFSET, "ARM\x64"))
		return 0;
	size = util_le64(file.data + IMAGE_SIZE_OFFSET);
	return size > file.size ? size : file.size;
}
