// SPDX-License-Identifier: Apache-2.0
//
// What the verbs that start QEMU have in common around it. Owns nothing; called by cmd_run.c and cmd_image.c.
// Invariant: QEMU's command stands on standard error before QEMU says anything.
#include "launch.h"

#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *launch_directory(char **directory)
{
	const char *tmp = getenv("TMPDIR");

	*directory = util_format("%s/mezzo-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (mkdtemp(*directory) == NULL)
		return util_format("cannot make a directory `%s`: %s", *directory, strerror(errno));
	return NULL;
}

int launch_run(struct session *session, const struct command *command)
{
	session->argv = command->arg;
	fprintf(stderr, "%s\n", command_quote(command));
	if (session->socket != NULL)
		fprintf(stderr, "mezzo: `mezzo console %s` attaches, Ctrl-C ends\n",
		        session->socket);
	else if (session->terminal)
		fprintf(stderr, "mezzo: Ctrl-] q leaves, Ctrl-] ? lists the other keys\n");
	return qemu_run(session);
}
