// SPDX-License-Identifier: Apache-2.0
//
// `mezzo pack`: the bundle alone, for a board of one's own. Owns nothing.
#include "check.h"
#include "conf.h"
#include "opts.h"
#include "pack.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char pack_help[] =
        "usage: mezzo pack FILE.conf -o BUNDLE.cpio\n"
        "\n"
        "Checks the system and puts its description and all its files into one cpio archive, which "
        "boots\n"
        "as the initrd of mezzo.img wherever Linux boots. Kernels in gzip are unpacked. The same "
        "input\n"
        "makes the same bytes.\n"
        "\n"
        "  -o, --output FILE   the bundle; `-` is standard output\n"
        "\n"
        "Exit status: 0 written, 1 not written, 2 bad usage or a bad file.\n"
        "\n"
        "Examples:\n"
        "  mezzo pack system.conf -o bundle.cpio\n"
        "  mezzo ls bundle.cpio\n"
        "  booti $mezzo $bundle:$size $fdt                           (at U-Boot's prompt)\n"
        "  initramfs bundle.cpio followkernel                        (Raspberry Pi config.txt)\n";

static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo pack";

int verb_pack(int argc, char **argv)
{
	struct limits limits = {.cpus = 0}; // the board is not known
	struct diags diags = {NULL, 0};
	struct pack_options options_of_pack = {NULL, NULL};
	const char *output = NULL, *why;
	struct system system;
	struct bundle bundle;
	int opt, index;

	while ((opt = opts_next(argc, argv, ":o:h", options, who, pack_help, &index)) != -1)
		if (opt == 'o')
			output = optarg;
	if (optind + 1 != argc)
		return opts_usage(who, "give one FILE.conf");
	if (output == NULL)
		return opts_usage(who, "where to? Give -o BUNDLE.cpio");
	if (strcmp(output, "-") == 0 && isatty(STDOUT_FILENO))
		return opts_usage(who,
		                  "a bundle is nothing to look at; send it to a file or a pipe");

	if (conf_read(argv[optind], &system, &diags))
		check_system(&system, &limits, &diags);
	diag_print(&diags);
	if (diags.count != 0)
		return STATUS_USAGE;

	options_of_pack.on_all_off = system.on_all_off.value;
	why = pack_build(&system, options_of_pack, &bundle);
	if (why != NULL) {
		fprintf(stderr, "%s: %s: %s\n", who, argv[optind], why);
		return STATUS_USAGE;
	}
	if (!pack_save(&bundle, output, who))
		return STATUS_FAILED;
	if (strcmp(output, "-") != 0)
		printf("%s: %s, %zu files, %zu VM%s\n", output, util_size(bundle.size),
		       bundle.count, system.vm_count, system.vm_count == 1 ? "" : "s");
	return STATUS_OK;
}
