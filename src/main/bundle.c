// SPDX-License-Identifier: Apache-2.0
// The bundle: opens the archive that the boot loader gave, reads the description, finds and checks files. Owns the archive,
// which stays as it is after the boot; called by main/config.c on the boot CPU.
// Everything in it is untrusted. What is wrong is said in the log, with what to do.
#include "main/bundle.h"

#include "arm/crc32.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/string.h"
#include "mem/pages.h"
#include "version.h"

#define DESCRIPTION_FILE "mezzo.dtb"

static struct cpio bundle;
static bool has_bundle;

// ---- its files ----

// A file of the bundle, by the name the description uses.
static const void *find_file(const struct desc_file *file, uint64_t *size)
{
	struct cpio_member member;
	if (!has_bundle || cpio_find(&bundle, file->path, &member) != CPIO_OK)
		return NULL;
	*size = member.size;
	return member.data;
}

static bool check_digest(const char *vm, const struct desc_file *file, const void *bytes)
{
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];
	const uint8_t *wanted = file->sha256;
	sha256_init(&hash);
	sha256_update(&hash, bytes, file->size);
	sha256_final(&hash, digest);
	if (memcmp(digest, wanted, sizeof digest) == 0)
		return true;
	log_line("%s: %s: SHA-256 is %02x%02x%02x%02x..., the description says "
	         "%02x%02x%02x%02x...: not the file that was packed, refused (verify = sha256)",
	         vm, file->path, digest[0], digest[1], digest[2], digest[3], wanted[0], wanted[1],
	         wanted[2], wanted[3]);
	return false;
}

bool bundle_take(const char *vm, const struct desc_file *file, bool sha256, const void **bytes,
                 uint64_t *size)
{
	*bytes = find_file(file, size);
	if (*bytes == NULL) {
		log_line("%s: the bundle has no file %s: pack it again", vm, file->path);
		return false;
	}
	if (*size != file->size) {
		log_line("%s: %s: %lu bytes in the bundle, %lu in the description: pack it again",
		         vm, file->path, *size, file->size);
		return false;
	}
	uint32_t crc = crc32_update_fast(0, *bytes, *size);
	if (crc != file->crc32) {
		log_line("%s: %s: CRC-32 is %08x, the description says %08x: the bundle was "
		         "damaged on its way: copy it again",
		         vm, file->path, crc, file->crc32);
		return false;
	}
	return !sha256 || check_digest(vm, file, *bytes);
}

// ---- the archive ----

// What people hand over in the place of a bundle.
static const struct {
	uint32_t size;
	const char *magic, *name;
} packings[] = {
        {2, "\x1f\x8b", "gzip"}, {6, "\3757zXZ\0", "xz"},        {4, "\x28\xb5\x2f\xfd", "zstd"},
        {3, "BZh", "bzip2"},     {4, "\x04\x22\x4d\x18", "lz4"},
};

static void report_archive(int error, const struct cpio *walk, const char *last)
{
	for (unsigned i = 0; i < ARRAY_SIZE(packings) && error == CPIO_NOT_CPIO; i++) {
		if (walk->size < packings[i].size ||
		    memcmp(walk->bytes, packings[i].magic, packings[i].size) != 0)
			continue;
		log_line("bundle: it is compressed with %s: hand it over as `mezzo pack` wrote it",
		         packings[i].name);
		return;
	}
	if (error == CPIO_NOT_CPIO)
		log_line("bundle: %s: the board's initrd has to be what `mezzo pack` wrote",
		         cpio_error_text(error));
	else
		log_line("bundle: %s, at byte %lu of %lu%s%.64s: %s", cpio_error_text(error),
		         walk->at, walk->size, last != NULL ? ", after " : "",
		         last != NULL ? last : "",
		         error == CPIO_TRUNCATED || error == CPIO_NO_TRAILER
		                 ? "load all of it"
		                 : "it was damaged on its way: copy it again");
}

// Opens the initrd as an archive and walks it once, so that damage is found before anything is built.
static bool open_bundle(const struct board *board)
{
	struct cpio_member member = {0};
	int result;
	if (board->initrd.size == 0) {
		log_line("no bundle: the boot loader gave no initrd; make one with `mezzo pack "
		         "FILE.conf -o BUNDLE.cpio` and load it as a Linux initrd is loaded");
		return false;
	}
	cpio_open(&bundle, (const void *)(uintptr_t)board->initrd.base, board->initrd.size);
	struct cpio walk = bundle;
	while ((result = cpio_next(&walk, &member)) > 0)
		;
	if (result < 0) {
		report_archive(result, &walk, member.name);
		return false;
	}
	return true;
}

// ---- the description ----

// What is wrong with a description, and what to do: `advice`.
static bool report_description(int error, const struct desc_problem *problem, const char *where,
                               const char *advice)
{
	if (error == 0)
		return true;
	log_line("%s: %s", where, problem->text);
	log_line("%s: nothing of it is used: %s " MEZZO_VERSION, where, advice);
	return false;
}

bool bundle_describe(const struct board *board, const void *fdt, struct desc *desc)
{
	static struct desc_problem problem;
	struct cpio_member member;
	has_bundle = open_bundle(board);
	if (board->has_mezzo) {
		log_line("description: /mezzo of the board's device tree");
		int error = desc_read(fdt, board->tree.size, desc, &problem);
		return report_description(error, &problem, "board's device tree",
		                          "correct it as docs/bundle.md says for Mezzo");
	}
	if (!has_bundle)
		return false;
	if (cpio_find(&bundle, DESCRIPTION_FILE, &member) != CPIO_OK) {
		log_line("bundle: it has no file " DESCRIPTION_FILE ", which describes the virtual "
		         "machines: make it with `mezzo pack FILE.conf -o BUNDLE.cpio`");
		return false;
	}
	// libfdt wants the tree 8-byte aligned; archives of other tools may not have it so.
	const void *tree = member.data;
	if (!is_aligned((uintptr_t)tree, 8)) {
		unsigned order = 0;
		while ((PAGE_SIZE << order) < member.size && order < PAGES_MAX_ORDER)
			order++;
		pa_t copy = PA(0);
		if (member.size <= PAGE_SIZE << order)
			copy = pages_alloc(order, OWNER_BUNDLE, PAGE_BOOT, NULL);
		if (copy.v == 0) {
			log_line("bundle: " DESCRIPTION_FILE " does not start at a multiple of 8 "
			         "and is too large to copy: make it with `mezzo pack`");
			return false;
		}
		memcpy((void *)(uintptr_t)copy.v, member.data, member.size);
		tree = (const void *)(uintptr_t)copy.v;
	}
	int error = desc_read(tree, member.size, desc, &problem);
	return report_description(error, &problem, "bundle: " DESCRIPTION_FILE,
	                          "pack it again with the mezzo command of version");
}

const struct cpio *bundle_archive(void)
{
	return &bundle;
}
