// SPDX-License-Identifier: Apache-2.0
//
// Text, memory and file helpers of the host command. They own nothing; everybody calls them.
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *or_die(void *memory)
{
	if (memory == NULL) {
		fputs("mezzo: out of memory\n", stderr);
		exit(STATUS_FAILED);
	}
	return memory;
}

void *util_alloc(size_t size)
{
	return or_die(calloc(1, size != 0 ? size : 1));
}

void *util_grow(void *old, size_t count, size_t size)
{
	return or_die(reallocarray(old, count, size));
}

char *util_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	return or_die(length < 0 ? NULL : text);
}

const char *util_size(uint64_t size)
{
	static const char units[] = "KMGTPE";
	const char *unit = units;
	uint64_t whole = size, part = 0; // part: what is below `whole`, in 1024ths

	if (size < KIB(1))
		return util_format("%llu", (unsigned long long)size);
	for (whole = size / 1024, part = size % 1024; whole >= 1024; unit++) {
		part = whole % 1024;
		whole /= 1024;
	}
	if (part == 0 || whole >= 100)
		return util_format("%llu%c", (unsigned long long)whole, *unit);
	return util_format("%llu.%llu%c", (unsigned long long)whole,
	                   (unsigned long long)(part * 10 / 1024), *unit);
}

uint16_t util_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t util_le32(const uint8_t *p)
{
	return util_le16(p) | (uint32_t)util_le16(p + 2) << 16;
}

uint64_t util_le64(const uint8_t *p)
{
	return util_le32(p) | (uint64_t)util_le32(p + 4) << 32;
}

const char *util_map(const char *path, struct blob *out)
{
	struct stat st;
	const char *why = NULL;
	int fd = open(path,
	              O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO's other end is not waited for

	*out = (struct blob){NULL, 0};
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) != 0) {
		why = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		why = S_ISDIR(st.st_mode) ? "it is a directory" : "it is not a regular file";
	} else if (st.st_size > 0) {
		void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (map == MAP_FAILED)
			why = strerror(errno);
		else
			*out = (struct blob){map, (size_t)st.st_size};
	}
	close(fd);
	return why;
}

bool util_write(int fd, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size != 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

const char *util_save(const char *path, struct blob data)
{
	const char *why = NULL;
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !util_write(fd, data.data, data.size))
		why = util_format("cannot write `%s`: %s", path, strerror(errno));
	if (fd >= 0 && close(fd) != 0 && why == NULL)
		why = util_format("cannot write `%s`: %s", path, strerror(errno));
	return why;
}

const char *util_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

const char *util_dir(const char *path)
{
	return util_format("%.*s", (int)(util_base(path) - path), path);
}
