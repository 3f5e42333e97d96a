// SPDX-License-Identifier: Apache-2.0
//
// Reads options for all verbs. Owns getopt's state. Invariant: after opts_next has returned, the
// option is one of the verb's and has its value in `optarg` if it takes one.
#include "opts.h"

#include "schema.h"
#include "util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int opts_usage(const char *who, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", who);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; `%s --help` shows what there is\n", who);
	return STATUS_USAGE;
}

static const char *suggest(const char *word, const struct option *options)
{
	const char **names = NULL;
	size_t count = 0;

	do {
		names = util_grow(names, count + 1, sizeof(*names));
		names[count] = options[count].name != NULL
		                       ? util_format("--%s", options[count].name)
		                       : NULL;
	} while (options[count++].name != NULL);
	return diag_suggest(word, names);
}

static NORETURN void refuse(int found, char **argv, const struct option *options, const char *who)
{
	char *word = util_format("%s", argv[optind - 1]);
	bool is_long = strncmp(word, "--", 2) == 0;

	word[strcspn(word, "=")] = '\0';
	if (!is_long)
		word = util_format("-%c", optopt);
	if (found == ':')
		exit(opts_usage(who, "%s needs a value", word));
	if (is_long && optopt != 0)
		exit(opts_usage(who, "%s takes no value", word));
	exit(opts_usage(who, "unknown option %s%s", word, is_long ? suggest(word, options) : ""));
}

int opts_next(int argc, char **argv, const char *letters, const struct option *options,
              const char *who, const char *help, int *index)
{
	int found;

	opterr = 0;
	*index = -1;
	found = getopt_long(argc, argv, letters, options, index);
	for (int i = 0; *index < 0 && options[i].name != NULL; i++)
		if (options[i].val == found)
			*index = i; // getopt_long tells it for long options alone
	if (found == '?' || found == ':')
		refuse(found, argv, options, who);
	if (found == 'h') {
		fputs(help, stdout);
		exit(STATUS_OK);
	}
	return found;
}

uint64_t opts_number(const char *who, const char *option, uint64_t least, uint64_t most)
{
	uint64_t number;

	if (schema_parse_number(optarg, &number) && number >= least && number <= most)
		return number;
	exit(opts_usage(who, "%s: `%s` is not a number from %llu to %llu", option, optarg,
	                (unsigned long long)least, (unsigned long long)most));
}

uint64_t opts_size(const char *who, const char *option, uint64_t least)
{
	uint64_t size;

	if (schema_parse_size(optarg, &size) && size >= least)
		return size;
	exit(opts_usage(who, "%s: `%s` is not a size of at least %s, like 2G", option, optarg,
	                util_size(least)));
}
