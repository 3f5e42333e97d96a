// SPDX-License-Identifier: Apache-2.0
//
// Files of --log, and files that Mezzo sends. Called by hub.c and file.c; owns nothing.
// Invariant: whatever a name is made of, its file lies in the directory.
#include "record.h"

#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 9999 // of pictures of one VM

const char *record_begin(const char *directory)
{
	struct stat st;

	if (mkdir(directory, 0777) == 0)
		return NULL;
	if (errno != EEXIST || stat(directory, &st) != 0)
		return strerror(errno);
	if (!S_ISDIR(st.st_mode))
		return "it is not a directory";
	return access(directory, W_OK | X_OK) == 0 ? NULL : strerror(errno);
}

// Whatever could lead elsewhere, or hide the file, becomes an underscore.
static void tame(char *name)
{
	for (char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL)
			*c = '_';
	if (name[0] == '.')
		name[0] = '_';
}

int record_open(const char *directory, const char *name)
{
	char *path = util_format("%s/%s.log", directory, name);
	int fd;

	tame(path + strlen(directory) + 1);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
	free(path);
	return fd;
}

int record_new(const char *directory, const char *name, char **path)
{
	char *stem = util_format("%s", name), *ending = "";
	const char *slash = directory != NULL ? "/" : "";
	int fd = -1;

	if (directory == NULL)
		directory = "";
	tame(stem);
	char *dot = strrchr(stem, '.');
	if (dot != NULL) {
		ending = util_format("%s", dot);
		*dot = '\0';
	}
	for (unsigned n = 1; n <= NAMES_MAX && fd < 0; n++) {
		*path = n == 1 ? util_format("%s%s%s%s", directory, slash, stem, ending)
		               : util_format("%s%s%s-%u%s", directory, slash, stem, n, ending);
		fd = open(*path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd < 0)
			free(*path);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	free(stem);
	return fd;
}
