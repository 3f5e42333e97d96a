// SPDX-License-Identifier: Apache-2.0
// Device trees for tests: from files, from source by way of dtc, from QEMU. Each comes in memory of its
// own, so that the sanitizer sees a read beyond its end.
#ifndef UNIT_TREE_FILES_H
#define UNIT_TREE_FILES_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/types.h"

struct tree_file {
	void *bytes; // malloc: 16-byte aligned, exactly `size` bytes; NULL: could not be had
	size_t size;
};

static inline struct tree_file tree_file_read(FILE *in)
{
	enum { LIMIT = 8 << 20 };
	struct tree_file file = {NULL, 0};
	char *all = malloc(LIMIT);

	if (all == NULL)
		abort();
	file.size = fread(all, 1, LIMIT, in);
	if (file.size > 0) {
		file.bytes = malloc(file.size);
		if (file.bytes == NULL)
			abort();
		memcpy(file.bytes, all, file.size);
	}
	free(all);
	return file;
}

UNUSED static struct tree_file tree_file_open(const char *path)
{
	FILE *in = fopen(path, "rb");

	if (in == NULL)
		return (struct tree_file){NULL, 0};
	struct tree_file file = tree_file_read(in);
	fclose(in);
	return file;
}

// Compiles text without its "/dts-v1/;", mistakes and all; never NULL.
UNUSED static struct tree_file tree_file_compile(const char *text)
{
	char name[] = "/tmp/mezzo-dts-XXXXXX", command[128];
	const int fd = mkstemp(name);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (out == NULL)
		abort();
	fprintf(out, "/dts-v1/;\n%s", text);
	fclose(out);
	snprintf(command, sizeof(command), "dtc -q -f -I dts -O dtb %s 2>/dev/null", name);
	FILE *in = popen(command, "r");
	if (in == NULL)
		abort();
	struct tree_file file = tree_file_read(in);
	pclose(in);
	unlink(name);
	if (file.bytes == NULL) {
		fprintf(stderr, "dtc made nothing of this source: %s\n", text);
		abort();
	}
	return file;
}

// The tree that QEMU makes for a machine.
UNUSED static struct tree_file tree_file_qemu(const char *options)
{
	char name[] = "/tmp/mezzo-dtb-XXXXXX", command[512];
	struct tree_file file = {NULL, 0};
	const int fd = mkstemp(name);

	if (fd < 0)
		abort();
	close(fd);
	snprintf(command, sizeof(command),
	         "timeout 20 qemu-system-aarch64 -cpu cortex-a53 -nic none -display none -machine "
	         "dumpdtb=%s %s "
	         ">/dev/null 2>&1",
	         name, options);
	if (system(command) == 0)
		file = tree_file_open(name);
	unlink(name);
	return file;
}

UNUSED static void tree_file_free(struct tree_file *file)
{
	free(file->bytes);
	*file = (struct tree_file){NULL, 0};
}

#endif
