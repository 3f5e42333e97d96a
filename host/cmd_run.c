// SPDX-License-Identifier: Apache-2.0
//
// `mezzo run`: from a .conf file, or from options alone, to virtual machines that run. Checks,
// packs into a temporary directory, starts QEMU. Owns that directory.
#include "check.h"
#include "conf.h"
#include "launch.h"
#include "machine.h"
#include "opts.h"
#include "pack.h"
#include "schema.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char run_help[] =
        "usage: mezzo run FILE.conf [OPTION...] [-- QEMU OPTION...]\n"
        "       mezzo run -k KERNEL [OPTION...] [-- QEMU OPTION...]\n"
        "\n"
        "Boots a system of virtual machines under Mezzo in QEMU. On a terminal, Ctrl-] q leaves "
        "and\n"
        "Ctrl-] ? lists Mezzo's keys. Otherwise each line carries its VM's name, the run ends when "
        "all\n"
        "VMs are off, and the exit status tells how: 0 all powered off, 1 one crashed or Mezzo "
        "failed.\n"
        "\n"
        "One VM without a file:             The board that QEMU plays:\n"
        "  -k, --kernel FILE                  --board virt|raspi3b|raspi4b     (virt)\n"
        "  -i, --initrd FILE                  --gic 2|3       interrupt controller (3)\n"
        "  -c, --cpus N      (1)              --cpu MODEL     as QEMU names it (max)\n"
        "  -m, --memory SIZE (512M)           --smp N         CPUs (one a vCPU, up to 4)\n"
        "  -p, --params TEXT kernel command   --ram SIZE      memory (what the VMs need)\n"
        "  -n, --name NAME   (guest)          --el3           start at EL3, without firmware\n"
        "  --dtb FILE, --load N, --entry N    --board-dtb FILE  device tree of a Raspberry Pi\n"
        "  --firmware FILE   (without -k)\n"
        "  --net NAME[@ADDRESS] or user       --disk [ro:]FILE  a disk of virt; host:vda in a "
        ".conf\n"
        "\n"
        "  --timeout S     end QEMU after S seconds, with status 124\n"
        "  --socket PATH   the board's serial port is this socket, for `mezzo console PATH`\n"
        "  --dry-run       print QEMU's command and stop\n"
        "  --bundle FILE   keep the bundle (and FILE.dtb with --el3)\n"
        "  --image FILE    the hypervisor, else $MEZZO_IMG, else mezzo.img beside this program\n"
        "\n"
        "Examples:\n"
        "  mezzo run -k vmlinuz -i initrd.gz -c 2 -m 512M -p \"console=ttyAMA0\"\n"
        "  mezzo run system.conf --gic 2 --cpu cortex-a53 --timeout 60 > log\n"
        "  mezzo run system.conf -- -s -S                        (wait for a debugger)\n";

enum {
	OPT_BOARD = OPT_LONG,
	OPT_BOARD_DTB,
	OPT_DISK,
	OPT_NET,
	OPT_GIC,
	OPT_CPU,
	OPT_SMP,
	OPT_RAM,
	OPT_EL3,
	OPT_TIMEOUT,
	OPT_SOCKET,
	OPT_DRY_RUN,
	OPT_BUNDLE,
	OPT_IMAGE,
	OPT_VM_KEY
};

static const struct option options[] = {
        // Each stands for the key of a vm section whose name is in vm_keys.
        {"kernel", required_argument, NULL, 'k'},
        {"initrd", required_argument, NULL, 'i'},
        {"cpus", required_argument, NULL, 'c'},
        {"memory", required_argument, NULL, 'm'},
        {"params", required_argument, NULL, 'p'},
        {"dtb", required_argument, NULL, OPT_VM_KEY},
        {"load", required_argument, NULL, OPT_VM_KEY},
        {"entry", required_argument, NULL, OPT_VM_KEY},
        {"firmware", required_argument, NULL, OPT_VM_KEY},
        {"disk", required_argument, NULL, OPT_DISK},
        {"net", required_argument, NULL, OPT_NET},
        {"name", required_argument, NULL, 'n'},
        {"board", required_argument, NULL, OPT_BOARD},
        {"board-dtb", required_argument, NULL, OPT_BOARD_DTB},
        {"gic", required_argument, NULL, OPT_GIC},
        {"cpu", required_argument, NULL, OPT_CPU},
        {"smp", required_argument, NULL, OPT_SMP},
        {"ram", required_argument, NULL, OPT_RAM},
        {"el3", no_argument, NULL, OPT_EL3},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"socket", required_argument, NULL, OPT_SOCKET},
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"bundle", required_argument, NULL, OPT_BUNDLE},
        {"image", required_argument, NULL, OPT_IMAGE},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo run";

struct request {
	const char *conf, *name, *board_tree, *image, *bundle;
	const char *nets[DESC_MAX_NICS + 1]; // of `flags`, as they were given
	struct system flags;                 // the VM and board that options alone describe
	bool vm_flags, dry_run;
	unsigned int seconds;
	struct machine machine;
};

// --- options -------------------------------------------------------------------------------------

// An option that stands for a key of the vm section.
static void take_vm_option(struct request *r, const struct option *option, struct diags *diags)
{
	const char *const text[] = {optarg};
	const char *key = strcmp(option->name, "params") == 0 ? "cmdline" : option->name;
	struct place at = {util_format("%s: --%s", who, option->name), 0};

	r->vm_flags = true;
	schema_set(&r->flags, &r->flags.vms[0], key, text, 1, at, diags);
}

static void take_board(struct request *r, struct diags *diags)
{
	const char *const text[] = {optarg};

	schema_set(&r->flags, NULL, "board", text, 1, (struct place){"mezzo run: --board", 0},
	           diags);
}

static void take_disk(struct request *r, struct diags *diags)
{
	struct machine *m = &r->machine;
	struct place at = {"mezzo run: --disk", 0};
	const char *why = m->disk_count == DESC_MAX_DISKS
	                          ? "the board has as many as it can"
	                          : disk_open(optarg, &m->disks[m->disk_count]);

	if (why != NULL)
		diag_add(diags, at, "`%s` cannot be used: %s; check the path", optarg, why);
	else
		m->disk_count++;
}

// A VM of options has all disks of the board.
static void give_disks(struct request *r)
{
	struct disks_key *disks = &r->flags.vms[0].disks;

	disks->count = r->machine.disk_count;
	for (size_t i = 0; i < disks->count; i++)
		disks->disk[i] = (struct disk_key){
		        .value = disk_name(i),
		        .mode = r->machine.disks[i].read_only ? "host-ro" : "host",
		        .host = true,
		        .at = {"mezzo run: --disk", 0},
		};
}

// The net that leads to QEMU's user network.
static const char user[] = "user";

// Each adds an interface.
static void take_net(struct request *r, struct diags *diags)
{
	struct nics_key *nics = &r->flags.vms[0].nics;
	struct place at = {"mezzo run: --net", 0};
	const char *text[DESC_MAX_NICS + 1];
	size_t count = nics->count < DESC_MAX_NICS ? nics->count : DESC_MAX_NICS;

	r->vm_flags = true;
	for (size_t i = 0; i < count; i++)
		text[i] = r->nets[i];
	r->nets[count] = text[count] = optarg;
	schema_set(&r->flags, &r->flags.vms[0], "net", text, count + 1, at, diags);
	if (strncmp(optarg, user, strlen(user)) == 0 &&
	    (optarg[strlen(user)] == '\0' || optarg[strlen(user)] == '@') &&
	    system_find_net(&r->flags, user) == NULL)
		system_add_net(&r->flags, user)->uplink = (struct text_key){"net0", at};
}

static void take_option(struct request *r, int opt, int index, struct diags *diags)
{
	switch (opt) {
	case 'n': r->name = optarg; break;
	case OPT_BOARD: take_board(r, diags); break;
	case OPT_DISK: take_disk(r, diags); break;
	case OPT_NET: take_net(r, diags); break;
	case OPT_BOARD_DTB: r->board_tree = optarg; break;
	case OPT_GIC: r->machine.gic = (uint32_t)opts_number(who, "--gic", 2, 3); break;
	case OPT_CPU: r->machine.cpu = optarg; break;
	case OPT_SMP: r->machine.smp = (uint32_t)opts_number(who, "--smp", 1, 512); break;
	case OPT_RAM: r->machine.ram = opts_size(who, "--ram", MIB(128)) & ~(MIB(1) - 1); break;
	case OPT_EL3: r->machine.el3 = true; break;
	case OPT_TIMEOUT:
		r->seconds = (unsigned int)opts_number(who, "--timeout", 1, 1000000);
		break;
	case OPT_SOCKET: r->machine.socket = optarg; break;
	case OPT_DRY_RUN: r->dry_run = true; break;
	case OPT_BUNDLE: r->bundle = optarg; break;
	case OPT_IMAGE: r->image = optarg; break;
	default: take_vm_option(r, &options[index], diags); break;
	}
}

// QEMU would remove whatever is there.
static int check_socket(const char *path)
{
	const struct sockaddr_un address;
	struct stat st;

	if (path == NULL)
		return STATUS_OK;
	if (strlen(path) >= sizeof(address.sun_path))
		return opts_usage(who, "--socket: a path of at most %zu bytes",
		                  sizeof(address.sun_path) - 1);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return opts_usage(who, "--socket: `%s` is there and is no socket", path);
	return STATUS_OK;
}

// Reads all options; STATUS_OK or what to exit with.
static int take_options(int argc, char **argv, struct request *r, struct diags *diags)
{
	int opt, own = 0;

	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	r->machine.extra = own < argc ? argv + own + 1 : NULL;
	system_add(&r->flags, NULL);
	for (;;) {
		int index = -1;

		opt = opts_next(own, argv, ":k:i:c:m:p:n:h", options, who, run_help, &index);
		if (opt == -1)
			break;
		take_option(r, opt, index, diags);
	}
	if (own - optind > 1)
		return opts_usage(who, "one FILE.conf at a time, not `%s` too", argv[optind + 1]);
	r->conf = optind < own ? argv[optind] : NULL;
	if (r->conf == NULL && !r->vm_flags)
		return opts_usage(who, "give a FILE.conf, or a kernel with -k");
	if (r->conf != NULL && (r->vm_flags || r->name != NULL))
		return opts_usage(who, "a VM comes from `%s` or from options, not both", r->conf);
	return check_socket(r->machine.socket);
}

// --- from a request to a command -----------------------------------------------------------------

// False if the system is not known to its end.
static bool read_system(struct request *r, struct system *system, struct diags *diags)
{
	struct place at = {who, 0};

	bool whole = r->conf == NULL || conf_read(r->conf, system, diags);

	if (r->conf == NULL)
		*system = (struct system){.board.value = "virt"};
	if (r->flags.board.value != NULL)
		system->board = r->flags.board;
	if (r->conf != NULL)
		return whole;
	if (r->name == NULL)
		r->name = "guest";
	give_disks(r);
	schema_check_name(system, r->name, at, diags);
	system->nets = r->flags.nets;
	system->net_count = r->flags.net_count;
	system->vms = r->flags.vms;
	system->vm_count = r->flags.vm_count;
	system->vms[0].name = r->name;
	system->vms[0].end = at;
	return true;
}

// False after a message: the board cannot be what the options ask for, or its tree is not there.
static bool choose_board(struct request *r, const struct system *system)
{
	struct machine *m = &r->machine;
	const char *name = system->board.value;
	const char *wrong = m->cpu != NULL ? "--cpu"
	                    : m->smp != 0  ? "--smp"
	                    : m->ram != 0  ? "--ram"
	                    : m->gic != 0  ? "--gic"
	                                   : NULL;

	m->board = boards_find(name);
	if (m->board == NULL) // conf.c has told why
		m->board = boards_find("virt");
	if (m->board->fixed && wrong != NULL) {
		opts_usage(who, "%s: the board `%s` is as it is; drop the option", wrong, name);
		return false;
	}
	if (!m->board->fixed && r->board_tree != NULL) {
		opts_usage(who, "--board-dtb: QEMU makes the tree of board `%s`; drop the option",
		           name);
		return false;
	}
	if (m->board->fixed && m->disk_count != 0) {
		opts_usage(who, "--disk: Mezzo drives no disk of the board `%s`; drop the option",
		           name);
		return false;
	}
	if (m->board->fixed)
		m->tree = boards_find_tree(m->board, r->board_tree, who);
	return !m->board->fixed || m->tree != NULL;
}

// Where the console starts on a terminal: in the VM if one starts alone, else in the view of all.
static const char *first_view(const struct system *system)
{
	const char *view = "shell";

	for (size_t i = 0; i < system->vm_count; i++)
		if (system->vms[i].autostart.value != 0)
			view = strcmp(view, "shell") == 0 ? system->vms[i].name : "all";
	return view;
}

// Files of one run. `directory` is to be removed; NULL if the user's own names are used.
struct files {
	const char *directory, *bundle, *tree;
};

static const char *make_files(const struct request *r, struct files *files)
{
	const char *why;
	char *directory;

	if (r->bundle != NULL || r->dry_run) {
		const char *bundle = r->bundle != NULL ? r->bundle : "bundle.cpio";

		*files = (struct files){NULL, bundle, util_format("%s.dtb", bundle)};
		return NULL;
	}
	why = launch_directory(&directory);
	if (why == NULL)
		*files = (struct files){directory, util_format("%s/bundle.cpio", directory),
		                        util_format("%s/board.dtb", directory)};
	return why;
}

static void remove_files(const struct files *files)
{
	if (files->directory == NULL)
		return;
	unlink(files->bundle);
	unlink(files->tree);
	rmdir(files->directory);
}

static int fail(const char *why)
{
	fprintf(stderr, "%s: %s\n", who, why);
	return STATUS_FAILED;
}

static int start(const struct request *r, const struct bundle *bundle, const struct files *files,
                 const char *view)
{
	struct command command = machine_command(&r->machine, files->bundle, files->tree);
	bool terminal = isatty(STDOUT_FILENO);
	struct session session = {NULL, who, terminal, view, r->machine.socket, r->seconds, false};
	const char *why = NULL;

	if (r->dry_run) {
		printf("%s\n", command_quote(&command));
		if (r->bundle == NULL)
			fprintf(stderr,
			        "%s: nothing was written; --bundle FILE keeps what the command "
			        "reads\n",
			        who);
	}
	if (r->dry_run && r->bundle == NULL)
		return STATUS_OK;
	if (!pack_save(bundle, files->bundle, who))
		return STATUS_FAILED;
	if (r->machine.el3)
		why = machine_write_tree(&r->machine, bundle->size, files->tree);
	if (why != NULL)
		return fail(why);
	if (r->dry_run)
		return STATUS_OK;
	return launch_run(&session, &command);
}

int verb_run(int argc, char **argv)
{
	struct request r = {.machine.board = NULL};
	struct diags diags = {NULL, 0};
	bool terminal = isatty(STDOUT_FILENO), whole;
	struct pack_options options_of_run;
	struct system system;
	struct bundle bundle;
	struct limits limits;
	struct files files = {.directory = NULL};
	const char *why;
	int status = take_options(argc, argv, &r, &diags);

	if (status != STATUS_OK)
		return status;
	whole = read_system(&r, &system, &diags);
	if (!choose_board(&r, &system))
		return STATUS_USAGE;
	if (whole) {
		machine_complete(&r.machine, &system);
		limits = machine_limits(&r.machine);
		check_system(&system, &limits, &diags);
	}
	diag_print(&diags);
	if (diags.count != 0)
		return STATUS_USAGE;
	r.machine.image = machine_find_image(r.image, who);
	if (r.machine.image == NULL)
		return STATUS_USAGE;

	options_of_run.on_all_off =
	        system.on_all_off.value != NULL ? system.on_all_off.value : "shell";
	options_of_run.console = first_view(&system);
	if (r.machine.socket != NULL) // whoever attaches may want to start the first machine
		options_of_run.console = "all";
	else if (!terminal)
		options_of_run = (struct pack_options){"poweroff", "all"};
	why = pack_build(&system, options_of_run, &bundle);
	if (why == NULL)
		why = machine_fit(&r.machine, &system, bundle.size);
	if (why == NULL)
		why = make_files(&r, &files);
	if (why != NULL)
		return fail(why);
	status = start(&r, &bundle, &files, options_of_run.console);
	remove_files(&files);
	if (r.machine.socket != NULL && !r.dry_run)
		unlink(r.machine.socket);
	return status;
}
