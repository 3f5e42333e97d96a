// SPDX-License-Identifier: Apache-2.0
//
// `mezzo`, the command on the user's machine: picks the verb. Owns the list of verbs.
#include "diag.h"
#include "opts.h"
#include "util.h"

#include "version.h"

#include <stdio.h>
#include <string.h>

static const struct verb verbs[] = {
        {"run", "boot a system of virtual machines in QEMU", verb_run, run_help},
        {"console", "attach to a running Mezzo on a serial port or socket", verb_console,
         console_help},
        {"screen", "show the screen of a VM in a browser", verb_screen, screen_help},
        {"check", "find every mistake in a .conf file before boot", verb_check, check_help},
        {"pack", "make the bundle of a system, to boot it elsewhere", verb_pack, pack_help},
        {"image", "make the SD card of a Raspberry Pi, or boot it in QEMU", verb_image, image_help},
        {"ls", "list and verify a bundle", verb_ls, ls_help},
};

static void help(FILE *out)
{
	fputs("usage: mezzo VERB [OPTION...]\n"
	      "\n"
	      "Runs virtual machines on 64-bit Arm with nothing underneath but the board.\n"
	      "\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-7s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n"
	      "`mezzo VERB --help` tells more; mezzo(1) and mezzo.conf(5) tell all.\n"
	      "Exit status: 0 done, 1 failed, 2 bad usage or a bad file, 124 timeout.\n"
	      "\n"
	      "Examples:\n"
	      "  mezzo run -k vmlinuz -i initrd.gz -c 2 -m 512M -p \"console=ttyAMA0\"\n"
	      "  mezzo run system.conf\n"
	      "  mezzo check system.conf --dtb board.dtb\n"
	      "  mezzo pack system.conf -o bundle.cpio && mezzo ls bundle.cpio\n"
	      "  mezzo console /dev/ttyUSB0\n"
	      "  mezzo screen board.sock pi\n",
	      out);
}

static int unknown_verb(const char *word)
{
	const char *names[ARRAY_SIZE(verbs) + 1] = {NULL};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		names[i] = verbs[i].name;
	return opts_usage("mezzo", "unknown verb `%s`%s", word, diag_suggest(word, names));
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
		if (strcmp(argv[1], "help") == 0 && argc > 2 && strcmp(argv[2], verbs[i].name) == 0)
			return fputs(verbs[i].help, stdout) < 0 ? STATUS_FAILED : STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return printf("mezzo %s\n", MEZZO_VERSION) < 0 ? STATUS_FAILED : STATUS_OK;
	if (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0 &&
	    strcmp(argv[1], "help") != 0)
		return unknown_verb(argv[1]);
	help(stdout);
	return STATUS_OK;
}
