// SPDX-License-Identifier: Apache-2.0
//
// Unpacks gzip kernels, plain ones and those inside an EFI zboot image: EL2 holds no inflate. And knows
// the files that people take for an arm64 kernel by mistake.
//
// Called by check.c. Owns nothing. Invariant: no header field is believed before it is known to lie
// within the file, and nothing is unpacked beyond UNPACKED_MAX.
// Sources: RFC 1952, "Member format"; Linux, the zboot header of drivers/firmware/efi/libstub; each
// format's own magic number.
#include "kernel.h"

#include "base/bits.h"

#include <string.h>
#include <zlib.h>

#define UNPACKED_MAX GIB(1)

// The header of an EFI zboot image: a PE program that unpacks the kernel at `payload`.
#define ZBOOT_MAGIC        4
#define ZBOOT_PAYLOAD      8
#define ZBOOT_SIZE         12
#define ZBOOT_PACKING      24
#define ZBOOT_PACKING_SIZE 32
#define ZBOOT_HEADER_SIZE  (ZBOOT_PACKING + ZBOOT_PACKING_SIZE)

static bool has(struct blob file, size_t offset, const char *bytes, size_t count)
{
	return file.size >= offset && file.size - offset >= count &&
	       memcmp(file.data + offset, bytes, count) == 0;
}
#define HAS(file, offset, text) has(file, offset, text, sizeof(text) - 1)

// The first row that matches is told. An arm64 Image may wear MZ too: image_plan looks first.
static const struct {
	size_t offset;
	const char *magic;
	size_t length;
	const char *what;
} strangers[] = {
        {0,
         "\xfd"
         "7zXZ",
         5, "it is packed with xz; unpack it first: xz -d"},
        {0, "\x28\xb5\x2f\xfd", 4, "it is packed with zstd; unpack it first: zstd -d"},
        {0, "BZh", 3, "it is packed with bzip2; unpack it first: bzip2 -d"},
        {0, "\x02\x21\x4c\x18", 4, "it is packed with lz4; unpack it first: lz4 -d"},
        {0, "\x04\x22\x4d\x18", 4, "it is packed with lz4; unpack it first: lz4 -d"},
        {0, "\x27\x05\x19\x56", 4, "it is a U-Boot uImage; give the Image it was made from"},
        {0, "\xd0\x0d\xfe\xed", 4, "it is a device tree or FIT image; give the kernel inside it"},
        {0, "070701", 6, "it is a cpio archive; was it meant for `initrd`?"},
        {36, "\x18\x28\x6f\x01", 4, "it is a kernel for 32-bit Arm; give one for arm64"},
        {514, "HdrS", 4, "it is a kernel for x86; give one for arm64"},
        {48, "RISCV", 5, "it is a kernel for RISC-V; give one for arm64"},
        {0, "#!", 2, "it is a script; give a kernel"},
};

const char *kernel_mistaken(struct blob file)
{
	if (file.size == 0)
		return "the file is empty; give a kernel";
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		if (has(file, strangers[i].offset, strangers[i].magic, strangers[i].length))
			return strangers[i].what;
	return NULL;
}

// --- unpacking -----------------------------------------------------------------------------------

// Unpacks all gzip members of `in`. Returns NULL, or what is wrong with them.
static const char *inflate_all(struct blob in, struct blob *out)
{
	size_t room = in.size * 4 + KIB(64), used = 0, taken = 0;
	uint8_t *data = util_alloc(room);
	int rc = Z_OK;
	z_stream z = {.next_in = NULL};

	if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK) // + 16: a gzip header, not a zlib one
		return "zlib does not start";
	while (taken < in.size && rc == Z_OK) {
		size_t left = in.size - taken, space = room - used;

		z.next_in = (uint8_t *)(uintptr_t)(in.data + taken);
		z.avail_in = left > UINT32_MAX ? UINT32_MAX : (uInt)left;
		z.next_out = data + used;
		z.avail_out = space > UINT32_MAX ? UINT32_MAX : (uInt)space;
		rc = inflate(&z, Z_NO_FLUSH);
		taken = (size_t)(z.next_in - in.data);
		used = (size_t)(z.next_out - data);
		if (rc == Z_STREAM_END && taken < in.size && in.data[taken] == 0x1f)
			rc = inflateReset(&z); // another member follows; anything else is padding
		if (used == room && rc == Z_OK) {
			room *= 2;
			data = util_grow(data, room, 1);
		}
		if (used > UNPACKED_MAX)
			break;
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
	} else if (HAS(file, 0, "\x1f\x8b")) {
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
