// SPDX-License-Identifier: Apache-2.0
// The command line: options in getopt_long's manner, with messages that help.
#ifndef HOST_OPTS_H
#define HOST_OPTS_H

#include "diag.h"

#include <getopt.h>

// Options without a letter get numbers from here on.
#define OPT_LONG 256

// One verb of the command. `argv[0]` is the verb's name; the result is the exit status.
struct verb {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
	const char *help; // one screen, ends in examples
};

int verb_run(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_pack(int argc, char **argv);
int verb_image(int argc, char **argv);
int verb_ls(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_screen(int argc, char **argv);

extern const char run_help[], check_help[], pack_help[], image_help[], ls_help[], console_help[],
        screen_help[];

// The next option of `who` ("mezzo run"), -1 at their end; *index gets its row in `options`. Ends
// the process with STATUS_USAGE at an unknown option, a missing value or a value where none goes;
// with STATUS_OK after --help.
int opts_next(int argc, char **argv, const char *letters, const struct option *options,
              const char *who, const char *help, int *index);

// Prints "who: ..." and how to get help; returns STATUS_USAGE.
int opts_usage(const char *who, const char *format, ...) PRINTF_LIKE(2, 3);

// The value of an option that takes a number between least and most; ends the process otherwise.
uint64_t opts_number(const char *who, const char *option, uint64_t least, uint64_t most);
uint64_t opts_size(const char *who, const char *option, uint64_t least);

#endif
