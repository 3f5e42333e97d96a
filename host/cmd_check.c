// SPDX-License-Identifier: Apache-2.0
//
// `mezzo check`: says what is wrong with a system, or what it will look like. Owns nothing.
#include "boards.h"
#include "check.h"
#include "conf.h"
#include "json.h"
#include "opts.h"

#include <stdio.h>

const char check_help[] =
        "usage: mezzo check FILE.conf [OPTION...]\n"
        "\n"
        "Finds every mistake that can be found before boot: unknown keys, bad values, missing "
        "files,\n"
        "what is no kernel, what does not fit. Prints one `FILE:LINE: what; what to do` for each, "
        "or\n"
        "where each VM's kernel, initrd and device tree will lie.\n"
        "\n"
        "  --dtb FILE   the board's device tree, to check its CPUs, memory and GIC too\n"
        "  --smp N      the board has N CPUs\n"
        "  --ram SIZE   the board has this much memory (K, M, G)\n"
        "  --gic 2|3    the board's interrupt controller\n"
        "  --json       machine-readable\n"
        "\n"
        "Exit status: 0 no mistakes, 2 mistakes.\n"
        "\n"
        "Examples:\n"
        "  mezzo check system.conf\n"
        "  mezzo check system.conf --dtb bcm2711-rpi-4-b.dtb\n"
        "  mezzo check system.conf --smp 4 --ram 2G --json\n";

enum { OPT_DTB = OPT_LONG, OPT_SMP, OPT_RAM, OPT_GIC, OPT_JSON };

static const struct option options[] = {
        {"dtb", required_argument, NULL, OPT_DTB},
        {"smp", required_argument, NULL, OPT_SMP},
        {"ram", required_argument, NULL, OPT_RAM},
        {"gic", required_argument, NULL, OPT_GIC},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo check";

static char *address(uint64_t value)
{
	return util_format("%#llx", (unsigned long long)value);
}

static void print_vm(const struct vm *vm)
{
	const char *packing = vm->kernel_file.packing;

	printf("  %s: %llu vCPU%s, %s\n", vm->name, (unsigned long long)vm->cpus.value,
	       vm->cpus.value == 1 ? "" : "s", util_size(vm->memory.value));
	printf("    %s  %s-%s  %s: %s%s%s, entry %s\n",
	       vm->firmware.value != NULL ? "flash " : "kernel", address(vm->plan.start),
	       address(vm->plan.end - 1), system_image(vm)->value, image_kind_name(vm->plan.kind),
	       packing != NULL ? " in " : "", packing != NULL ? packing : "",
	       address(vm->plan.entry));
	if (vm->initrd.value != NULL)
		printf("    initrd  %s-%s  %s\n", address(vm->plan.initrd),
		       address(vm->plan.initrd + vm->initrd_file.size - 1), vm->initrd.value);
	printf("    tree    %s\n", address(vm->plan.tree));
}

static void print_vm_json(const struct vm *vm)
{
	json_open(NULL, '{');
	json_text("name", vm->name);
	json_number("cpus", vm->cpus.value);
	json_number("memory", vm->memory.value);
	json_text(vm->firmware.value != NULL ? "firmware" : "kernel", system_image(vm)->value);
	json_text("kind", image_kind_name(vm->plan.kind));
	if (vm->kernel_file.packing != NULL)
		json_text("packing", vm->kernel_file.packing);
	json_number("start", vm->plan.start);
	json_number("end", vm->plan.end);
	json_number("entry", vm->plan.entry);
	if (vm->initrd.value != NULL) {
		json_text("initrd", vm->initrd.value);
		json_number("initrd_start", vm->plan.initrd);
		json_number("initrd_end", vm->plan.initrd + vm->initrd_file.size);
	}
	json_number("tree", vm->plan.tree);
	json_close('}');
}

static void print_json(const char *path, const struct system *system, struct diags *diags)
{
	json_open(NULL, '{');
	json_text("file", path);
	json_bool("ok", diags->count == 0);
	json_open("mistakes", '[');
	diag_print_json(diags);
	json_close(']');
	json_open("vms", '[');
	for (size_t i = 0; diags->count == 0 && i < system->vm_count; i++)
		print_vm_json(&system->vms[i]);
	json_close(']');
	json_close('}');
}

static void print(const char *path, const struct system *system)
{
	printf("%s: no mistakes; %zu VM%s, %llu vCPU%s, %s\n", path, system->vm_count,
	       system->vm_count == 1 ? "" : "s", (unsigned long long)system_cpus(system),
	       system_cpus(system) == 1 ? "" : "s", util_size(system_memory(system)));
	for (size_t i = 0; i < system->vm_count; i++)
		print_vm(&system->vms[i]);
}

// What is known of the board without its tree.
static struct limits named_board(const struct system *system)
{
	const struct board_model *board = boards_find(system->board.value);

	if (board == NULL || !board->fixed)
		return (struct limits){.cpus = 0};
	return (struct limits){.no_nets = board->fixed,
	                       .no_disks = board->fixed,
	                       .cpus = board->cpus,
	                       .gic = board->gic,
	                       .no_gic = board->gic == 0,
	                       .ram = board->ram,
	                       .fixed = true};
}

int verb_check(int argc, char **argv)
{
	struct limits flags = {.cpus = 0}, limits = {.cpus = 0};
	struct diags diags = {NULL, 0};
	struct system system;
	const char *tree = NULL;
	bool json = false, whole;
	int opt, index;

	while ((opt = opts_next(argc, argv, ":h", options, who, check_help, &index)) != -1) {
		switch (opt) {
		case OPT_DTB: tree = optarg; break;
		case OPT_SMP:
			flags.cpus = (uint32_t)opts_number(who, "--smp", 1, UINT16_MAX);
			break;
		case OPT_RAM: flags.ram = opts_size(who, "--ram", DESC_MIN_MEMORY); break;
		case OPT_GIC: flags.gic = (uint32_t)opts_number(who, "--gic", 2, 3); break;
		case OPT_JSON: json = true; break;
		default: break;
		}
	}
	if (optind + 1 != argc)
		return opts_usage(who, "give one FILE.conf");

	whole = conf_read(argv[optind], &system, &diags);
	if (tree != NULL)
		limits = check_board_tree(tree, &diags);
	else if (whole)
		limits = named_board(&system);
	limits.cpus = flags.cpus != 0 ? flags.cpus : limits.cpus;
	limits.gic = flags.gic != 0 ? flags.gic : limits.gic;
	limits.ram = flags.ram != 0 ? flags.ram : limits.ram;
	if (whole)
		check_system(&system, &limits, &diags);

	if (json)
		print_json(argv[optind], &system, &diags);
	else if (diags.count == 0)
		print(argv[optind], &system);
	if (!json)
		diag_print(&diags);
	return diags.count == 0 ? STATUS_OK : STATUS_USAGE;
}
