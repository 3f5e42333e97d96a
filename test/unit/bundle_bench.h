// SPDX-License-Identifier: Apache-2.0
// Bundles made to measure: files with any contents, and a description that tells the truth about them or
// lies about one thing. Included once by a test.
#ifndef UNIT_BUNDLE_BENCH_H
#define UNIT_BUNDLE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "base/sha256.h"
#include "base/types.h"
#include "tree_files.h"

#define MAX_FILES 8

static struct file {
	const char *name;
	uint8_t *bytes;
	size_t size;
	bool absent;     // described, but not in the archive
	bool sha256;     // the description has one
	uint8_t sha_lie; // ... and it is off by this
	uint32_t size_lie, crc_lie;
} files[MAX_FILES];
static unsigned nr_files;

static const char *settings = ""; // properties of /mezzo
static uint8_t *archive;
static size_t archive_size;

UNUSED static struct file *add_file(const char *name, size_t size)
{
	struct file *file = &files[nr_files++];
	file->name = name;
	file->size = size;
	file->bytes = malloc(size);
	for (size_t i = 0; i < size; i++)
		file->bytes[i] = (uint8_t)(1 + i * 13 % 255);
	return file;
}

UNUSED static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof value);
}

// A kernel with an Image header: 4 KiB pages, anywhere in memory.
UNUSED static struct file *add_kernel(const char *name, size_t size)
{
	struct file *file = add_file(name, size);
	put64(file->bytes + 8, 0);
	put64(file->bytes + 16, size);
	put64(file->bytes + 24, 0xa);
	memset(file->bytes + 32, 0, 24);
	memcpy(file->bytes + 56, "ARM\x64", 4);
	memset(file->bytes + 60, 0, 4);
	return file;
}

UNUSED static void append(const char *name, const void *bytes, size_t size, bool align)
{
	size_t field = strlen(name) + 1;
	const size_t unit = align ? 4096 : 8, rest = align ? 0 : 4; // else off by four
	while ((archive_size + 110 + field) % unit != rest)
		field++;
	archive = realloc(archive, archive_size + 110 + field + size + 4);
	uint8_t *at = archive + archive_size;
	memset(at, 0, 110 + field + size + 4);
	char header[111];
	snprintf(header, sizeof header,
	         "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", archive_size != 0,
	         0100644, 1, 0, 0, 0, (unsigned)size, 0, 0, 0, 0, (unsigned)field, 0);
	memcpy(at, header, 110);
	memcpy(at + 110, name, strlen(name));
	if (size != 0)
		memcpy(at + 110 + field, bytes, size);
	archive_size += 110 + field + size;
	while (archive_size % 4 != 0)
		archive_size++;
}

// The source of the description: all files, then what the test says.
UNUSED static struct tree_file describe(const char *rest)
{
	char source[16384];
	size_t n = (size_t)snprintf(source, sizeof source,
	                            "/ { mezzo { compatible = \"mezzo,system\"; version = <1>;"
	                            " #address-cells = <1>; #size-cells = <0>; %s"
	                            " files { #address-cells = <1>; #size-cells = <0>;",
	                            settings);
	for (unsigned i = 0; i < nr_files; i++) {
		uint32_t crc = crc32_update(0, files[i].bytes, files[i].size) + files[i].crc_lie;
		n += (size_t)snprintf(
		        source + n, sizeof source - n,
		        " file@%u { reg = <%u>; path = \"%s\"; size = /bits/ 64 <%zu>;"
		        " crc32 = <%#x>;",
		        i, i, files[i].name, files[i].size + files[i].size_lie, crc);
		if (files[i].sha256) {
			struct sha256 hash;
			uint8_t digest[SHA256_SIZE];
			sha256_init(&hash);
			sha256_update(&hash, files[i].bytes, files[i].size);
			sha256_final(&hash, digest);
			digest[31] ^= files[i].sha_lie;
			n += (size_t)snprintf(source + n, sizeof source - n, " sha256 = [");
			for (unsigned b = 0; b < SHA256_SIZE; b++)
				n += (size_t)snprintf(source + n, sizeof source - n, "%02x",
				                      digest[b]);
			n += (size_t)snprintf(source + n, sizeof source - n, "];");
		}
		n += (size_t)snprintf(source + n, sizeof source - n, " };");
	}
	snprintf(source + n, sizeof source - n, " }; %s }; };", rest);
	struct tree_file tree = tree_file_compile(source);
	assert_non_null(tree.bytes);
	return tree;
}

UNUSED static void pack_tree(const struct tree_file *tree, bool aligned)
{
	archive_size = 0;
	if (tree != NULL)
		append("mezzo.dtb", tree->bytes, tree->size, aligned);
	for (unsigned i = 0; i < nr_files; i++)
		if (!files[i].absent)
			append(files[i].name, files[i].bytes, files[i].size, true);
	append("TRAILER!!!", NULL, 0, false);
}

UNUSED static void pack(const char *rest)
{
	struct tree_file tree = describe(rest);
	pack_tree(&tree, true);
	tree_file_free(&tree);
}

#endif
