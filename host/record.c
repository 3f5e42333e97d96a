// SPDX-License-Identifier: Apache-2.0
//
// Files of --log. Called by hub.c; owns nothing.
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

int record_open(const char *directory, const char *name)
{
	char *path = util_format("%s/%s.log", directory, name);
	int fd;

	for (char *c = path + strlen(directory) + 1; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL)
			*c = '_';
	if (path[strlen(directory) + 1] == '.')
		path[strlen(directory) + 1] = '_';
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
	free(path);
	return fd;
}
