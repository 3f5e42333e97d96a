// SPDX-License-Identifier: Apache-2.0
//
// `mezzo image`: the SD card of a Raspberry Pi as a folder, and that folder in QEMU. Owns nothing.
#include "card.h"
#include "card_boot.h"
#include "check.h"
#include "conf.h"
#include "launch.h"
#include "machine.h"
#include "opts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char image_help[] =
        "usage: mezzo image BOARD FILE.conf --to DIR [OPTION...]\n"
        "       mezzo image BOARD [FILE.conf] --to DIR --qemu [-- QEMU OPTION...]\n"
        "\n"
        "Writes what a Raspberry Pi starts Mezzo from to the folder DIR: mezzo.img, the bundle of "
        "the\n"
        "system, the board's device tree, config.txt, and on a Pi 4 TF-A's bl31.bin. Says what "
        "else\n"
        "belongs on the card. BOARD is raspi3b or raspi4b. Other files in DIR stay as they are; "
        "if\n"
        "something fails, all of them do.\n"
        "\n"
        "  --to DIR          the folder; it is made if it is not there\n"
        "  --force           replace a config.txt that is not from this command\n"
        "  --board-dtb FILE  the board's device tree, as a Linux kernel package has it\n"
        "  --bl31 FILE       TF-A for a Pi 4, as Debian's arm-trusted-firmware has it\n"
        "  --image FILE      the hypervisor, else $MEZZO_IMG, else mezzo.img beside this program\n"
        "\n"
        "  --qemu            read DIR/config.txt as the board's firmware does, and start the "
        "files\n"
        "                    that it names in QEMU; without FILE.conf nothing is written before\n"
        "  --timeout S       end QEMU after S seconds, with status 124\n"
        "\n"
        "Exit status: 0 done, 1 failed, 2 bad usage or a bad file, 124 timeout; with --qemu as "
        "that\n"
        "of `mezzo run`.\n"
        "\n"
        "Examples:\n"
        "  mezzo image raspi4b system.conf --to /media/me/boot\n"
        "  mezzo image raspi3b system.conf --to card --qemu\n"
        "  mezzo image raspi3b --to card --qemu --timeout 60 > log\n";

enum { OPT_TO = OPT_LONG, OPT_FORCE, OPT_BOARD_DTB, OPT_BL31, OPT_IMAGE, OPT_QEMU, OPT_TIMEOUT };

static const struct option options[] = {
        {"to", required_argument, NULL, OPT_TO},
        {"force", no_argument, NULL, OPT_FORCE},
        {"board-dtb", required_argument, NULL, OPT_BOARD_DTB},
        {"bl31", required_argument, NULL, OPT_BL31},
        {"image", required_argument, NULL, OPT_IMAGE},
        {"qemu", no_argument, NULL, OPT_QEMU},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo image";

struct request {
	const struct board_model *board;
	const char *conf, *dir, *tree, *stub, *image;
	bool force, qemu;
	unsigned int seconds;
	char *const *extra; // for QEMU
};

// --- options -------------------------------------------------------------------------------------

static void take_option(struct request *r, int opt)
{
	switch (opt) {
	case OPT_TO: r->dir = optarg; break;
	case OPT_FORCE: r->force = true; break;
	case OPT_BOARD_DTB: r->tree = optarg; break;
	case OPT_BL31: r->stub = optarg; break;
	case OPT_IMAGE: r->image = optarg; break;
	case OPT_QEMU: r->qemu = true; break;
	case OPT_TIMEOUT:
		r->seconds = (unsigned int)opts_number(who, "--timeout", 1, 1000000);
		break;
	default: break;
	}
}

static int take_board(struct request *r, const char *name, const char *next)
{
	const struct board_model *second = next != NULL ? boards_find(next) : NULL;

	r->board = boards_find(name);
	if (r->board != NULL && r->board->pi != 0)
		return STATUS_OK;
	if (r->board != NULL)
		return opts_usage(
		        who, "the board `%s` starts from no card; give raspi3b or raspi4b", name);
	if (second != NULL && second->pi != 0)
		return opts_usage(who, "give the board first, `%s`, and then `%s`", next, name);
	return opts_usage(who, "unknown board `%s`; give raspi3b or raspi4b%s", name,
	                  diag_suggest(name, boards_with_card()));
}

// Whether the options go together.
static int check_options(const struct request *r)
{
	bool writes = r->conf != NULL;

	if (r->dir == NULL || *r->dir == '\0')
		return opts_usage(who, "where to? Give --to DIR");
	if (!writes && !r->qemu)
		return opts_usage(who, "give a FILE.conf, or --qemu for a card that is there");
	if (!writes && (r->force || r->tree != NULL || r->stub != NULL || r->image != NULL))
		return opts_usage(who, "without a FILE.conf nothing is written; drop --force, "
		                       "--board-dtb, --bl31 and --image");
	if (r->stub != NULL && r->board->stub == NULL)
		return opts_usage(who,
		                  "--bl31: the firmware of `%s` has a stub of its own; drop "
		                  "the option",
		                  r->board->name);
	if (!r->qemu && (r->seconds != 0 || r->extra != NULL))
		return opts_usage(who, "--timeout and what follows `--` go with --qemu");
	return STATUS_OK;
}

static int take_options(int argc, char **argv, struct request *r)
{
	int opt, index, own = 0, status;

	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	r->extra = own < argc ? argv + own + 1 : NULL;
	while ((opt = opts_next(own, argv, ":h", options, who, image_help, &index)) != -1)
		take_option(r, opt);
	if (optind == own)
		return opts_usage(who, "give a board, raspi3b or raspi4b");
	status = take_board(r, argv[optind], optind + 1 < own ? argv[optind + 1] : NULL);
	if (status != STATUS_OK)
		return status;
	if (own - optind > 2)
		return opts_usage(who, "one FILE.conf at a time, not `%s` too", argv[optind + 2]);
	r->conf = optind + 1 < own ? argv[optind + 1] : NULL;
	return check_options(r);
}

// --- writing -------------------------------------------------------------------------------------

static int fail(const char *why)
{
	fprintf(stderr, "%s: %s\n", who, why);
	return STATUS_FAILED;
}

// Checks the system against the board and packs it. A real Pi 4 may have more memory than QEMU's.
static int pack(const struct request *r, struct system *system, struct bundle *bundle)
{
	struct machine machine = {.board = r->board};
	struct pack_options options_of_pack = {NULL, NULL};
	struct diags diags = {NULL, 0};
	struct limits limits;
	const char *why;

	machine_complete(&machine, system); // a board that is as it is needs no system for that
	limits = machine_limits(&machine);
	if (r->board->pi != '3' && !r->qemu)
		limits.ram = 0;
	if (conf_read(r->conf, system, &diags))
		check_system(system, &limits, &diags);
	diag_print(&diags);
	if (diags.count != 0)
		return STATUS_USAGE;
	options_of_pack.on_all_off = system->on_all_off.value;
	why = pack_build(system, options_of_pack, bundle);
	if (why == NULL)
		return STATUS_OK;
	fprintf(stderr, "%s: %s: %s\n", who, r->conf, why);
	return STATUS_USAGE;
}

static int write_card(const struct request *r)
{
	struct card card = {.board = r->board, .dir = r->dir, .force = r->force};
	struct system system = {.vm_count = 0};
	struct bundle bundle;
	const char *why;
	int status = pack(r, &system, &bundle);

	if (status != STATUS_OK)
		return status;
	card.bundle = &bundle;
	card.image = machine_find_image(r->image, who);
	card.tree = boards_find_tree(r->board, r->tree, who);
	if (r->board->stub != NULL)
		card.stub = boards_find_stub(r->board, r->stub, who);
	if (card.image == NULL || card.tree == NULL ||
	    (card.stub == NULL && r->board->stub != NULL))
		return STATUS_USAGE;
	why = card_write(&card);
	if (why != NULL)
		return fail(why);
	card_report(&card, system.vm_count);
	return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}

// --- QEMU ----------------------------------------------------------------------------------------

static int boot_card(const struct request *r)
{
	struct session session = {.who = who,
	                          .terminal = isatty(STDOUT_FILENO),
	                          .view = "all",
	                          .seconds = r->seconds};
	struct diags diags = {NULL, 0};
	struct command command;
	struct card_boot boot;
	const char *why;
	int status;

	session.ask_all = !session.terminal; // the card's bundle is for a person
	if (!card_boot_read(r->board, r->dir, &boot, who, &diags)) {
		diag_print(&diags);
		return STATUS_USAGE;
	}
	why = card_boot_command(&boot, r->extra, &command);
	status = why != NULL ? fail(why) : launch_run(&session, &command);
	card_boot_close(&boot);
	return status;
}

int verb_image(int argc, char **argv)
{
	struct request r = {.board = NULL};
	int status = take_options(argc, argv, &r);

	if (status == STATUS_OK && r.conf != NULL)
		status = write_card(&r);
	if (status == STATUS_OK && r.qemu)
		status = boot_card(&r);
	return status;
}
