// SPDX-License-Identifier: Apache-2.0
//
// The boards that QEMU plays: how much of `virt` a system needs, and the command line that starts Mezzo on
// it or on a Raspberry Pi, at EL2 as a kernel with its initrd, or at EL3 with nothing below.
//
// Called by cmd_run.c. Owns nothing.
// Invariant: at EL3 the tree at the base of RAM, mezzo.img with its bss, and the bundle do not
// overlap.
// Sources: QEMU, docs/system/arm/virt.rst, docs/system/arm/raspi.rst, docs/system/generic-loader.rst; Linux, booting.rst,
// "Call the kernel image".
#include "machine.h"

#include "base/bits.h"
#include "tree_edit.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BOARD_RAM_BASE    GIB(1)
#define BOARD_RAM_MIN     GIB(1)
#define BOARD_RAM_STEP    MIB(128)
// Beside the VMs: Mezzo, the bundle's pages, and the 128 MiB that QEMU leaves below an initrd.
#define BOARD_RAM_ROOM    MIB(384)
#define BOARD_GICV2_CPUS  8 // a GICv2 knows no more
#define BOARD_SHARED_CPUS 4 // for any number of vCPUs that are not pinned

#define EL3_IMAGE_BASE   (BOARD_RAM_BASE + MIB(2)) // the tree has the RAM below
#define EL3_BUNDLE_ALIGN MIB(2)

// A Raspberry Pi's RAM begins at 0; QEMU puts an initrd here.
#define PI_BUNDLE_BASE MIB(128)
#define FIRST_NIC      24 // of 32 slots
#define MOST_NICS      8

// CPUs that let `system` run: as many as there are vCPUs but at most four, which the vCPUs then share;
// more if pins ask for them; one that no VM owns if some VM needs it.
static uint32_t wanted_cpus(const struct system *system)
{
	uint64_t vcpus = system_cpus(system);
	uint32_t cpus = vcpus < BOARD_SHARED_CPUS ? (uint32_t)vcpus : BOARD_SHARED_CPUS;
	uint32_t owned = 0;
	bool sharers = false;

	for (size_t i = 0; i < system->vm_count; i++) {
		const struct vm *vm = &system->vms[i];

		for (size_t j = 0; j < vm->pin.count; j++)
			if (vm->pin.value[j] >= cpus)
				cpus = vm->pin.value[j] + 1;
		if (vm->exclusive.value != 0)
			owned += (uint32_t)vm->cpus.value;
		sharers |= vm->exclusive.value == 0 && vm->pin.count == 0;
	}
	return sharers && cpus <= owned ? owned + 1 : cpus;
}

// As many interfaces as the names of uplinks ask for: net0 is the first.
static unsigned int wanted_nics(const struct system *system)
{
	unsigned int most = 0;

	for (size_t i = 0; i < system->net_count; i++) {
		const char *name = system->nets[i].uplink.value;
		unsigned int n;
		char rest;

		if (name != NULL && sscanf(name, "net%u%c", &n, &rest) == 1 && n < MOST_NICS &&
		    n + 1 > most)
			most = n + 1;
	}
	return most;
}

void machine_complete(struct machine *machine, const struct system *system)
{
	uint32_t cpus = wanted_cpus(system);

	if (machine->board->fixed) {
		machine->gic = machine->board->gic;
		machine->smp = machine->board->cpus;
		machine->ram = machine->board->ram;
		return;
	}
	machine->nics = wanted_nics(system);
	if (machine->cpu == NULL)
		machine->cpu = "max";
	for (size_t i = 0; i < system->vm_count && machine->gic == 0; i++)
		machine->gic = (uint32_t)system->vms[i].gic.value;
	if (machine->gic == 0)
		machine->gic = 3;
	if (machine->gic == 2 && cpus > BOARD_GICV2_CPUS)
		cpus = BOARD_GICV2_CPUS;
	if (machine->smp == 0)
		machine->smp = cpus;
}

struct limits machine_limits(const struct machine *machine)
{
	return (struct limits){
	        .cpus = machine->smp,
	        .gic = machine->gic,
	        .no_gic = machine->gic == 0,
	        .ram = machine->ram,
	        .no_nets = machine->board->fixed,
	        .no_disks = machine->board->fixed,
	        .fixed = machine->board->fixed,
	};
}

// --- mezzo.img -----------------------------------------------------------------------------------

// Bytes of memory that mezzo.img takes; 0 if `path` is no such image.
static uint64_t room_of(const char *path)
{
	struct blob file;

	return util_map(path, &file) == NULL ? kernel_room(file) : 0;
}

const char *machine_find_image(const char *given, const char *who)
{
	char self[PATH_MAX] = "";
	const char *from = "--image", *path = given;

	if (path == NULL) {
		from = "$MEZZO_IMG";
		path = getenv("MEZZO_IMG");
	}
	if (path == NULL && readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
		from = "the hypervisor";
		path = util_format("%smezzo.img", util_dir(self));
		if (access(path, R_OK) != 0)
			path = util_format("%s../share/mezzo/mezzo.img", util_dir(self));
		if (access(path, R_OK) != 0)
			path = util_format("%smezzo.img", util_dir(self));
	}
	if (path == NULL || access(path, R_OK) != 0) {
		fprintf(stderr,
		        "%s: %s: cannot read `%s`; build it with `make`, or name it with --image\n",
		        who, from, path != NULL ? path : "mezzo.img");
		return NULL;
	}
	if (room_of(path) == 0) {
		fprintf(stderr, "%s: %s: `%s` is not mezzo.img: it has no arm64 Image header\n",
		        who, from, path);
		return NULL;
	}
	return path;
}

// --- the command ---------------------------------------------------------------------------------

static uint64_t el3_bundle_base(const struct machine *machine)
{
	if (machine->board->fixed)
		return PI_BUNDLE_BASE;
	return align_up(EL3_IMAGE_BASE + room_of(machine->image), EL3_BUNDLE_ALIGN);
}

const char *machine_fit(struct machine *machine, const struct system *system, uint64_t bundle_size)
{
	uint64_t wanted = system_memory(system) + bundle_size + BOARD_RAM_ROOM;

	if (machine->board->fixed)
		return PI_BUNDLE_BASE + bundle_size <= machine->ram
		               ? NULL
		               : util_format("the bundle has %s, too much for the board %s with %s",
		                             util_size(bundle_size), machine->board->name,
		                             util_size(machine->ram));
	if (machine->ram == 0)
		machine->ram =
		        wanted < BOARD_RAM_MIN ? BOARD_RAM_MIN : align_up(wanted, BOARD_RAM_STEP);
	if (machine->el3 && el3_bundle_base(machine) + bundle_size > BOARD_RAM_BASE + machine->ram)
		return util_format("the bundle has %s, too much for a board with %s; raise --ram",
		                   util_size(bundle_size), util_size(machine->ram));
	return NULL;
}

struct command machine_board_command(const struct machine *machine)
{
	struct command c = {NULL, 0};

	command_add(&c, COMMAND_QEMU);
	command_add(&c, "-M");
	if (machine->board->fixed) {
		command_add(&c, "%s", machine->board->name);
	} else {
		command_add(&c, "virt,%svirtualization=on,gic-version=%u",
		            machine->el3 ? "secure=on," : "", machine->gic);
		command_add(&c, "-cpu");
		command_add(&c, "%s", machine->cpu);
		command_add(&c, "-smp");
		command_add(&c, "%u", machine->smp);
		command_add(&c, "-m");
		command_add(&c, "%lluM", (unsigned long long)(machine->ram / MIB(1)));
	}
	command_add(&c, "-display");
	command_add(&c, "none");
	command_add(&c, "-monitor");
	command_add(&c, "none");
	command_add(&c, "-nic");
	command_add(&c, "none");
	return c;
}

// At EL3 on `virt`: all of it is put where it goes, and each CPU begins there.
static void add_el3(struct command *c, const struct machine *machine, const char *bundle)
{
	command_add(c, "-device");
	command_add(c, "loader,file=%s,addr=%#llx,force-raw=on", command_escape(machine->image),
	            (unsigned long long)EL3_IMAGE_BASE);
	command_add(c, "-device");
	command_add(c, "loader,file=%s,addr=%#llx,force-raw=on", command_escape(bundle),
	            (unsigned long long)el3_bundle_base(machine));
	for (uint32_t cpu = 0; cpu < machine->smp; cpu++) {
		command_add(c, "-device");
		command_add(c, "loader,addr=%#llx,cpu-num=%u", (unsigned long long)EL3_IMAGE_BASE,
		            cpu);
	}
}

// A Linux Image is started by QEMU as firmware would do it, at EL2; an ELF on all CPUs, at EL3.
static void add_pi_el3(struct command *c, const struct machine *machine, const char *bundle)
{
	command_add(c, "-kernel");
	command_add(c, "%smezzo.elf", util_dir(machine->image));
	command_add(c, "-device");
	command_add(c, "loader,file=%s,addr=%#llx,force-raw=on", command_escape(bundle),
	            (unsigned long long)el3_bundle_base(machine));
}

// The user's files as disks, in the slots of virtio-mmio from the first one on: so Mezzo finds them in this order.
static void add_disks(struct command *c, const struct machine *machine)
{
	if (machine->disk_count != 0) {
		command_add(c, "-global");
		command_add(c, "virtio-mmio.force-legacy=false");
	}
	for (size_t i = 0; i < machine->disk_count; i++) {
		const struct board_disk *disk = &machine->disks[i];

		command_add(c, "-drive");
		command_add(c,
		            "if=none,id=disk%zu,format=raw,cache=writeback,discard=unmap%s,file=%s",
		            i, disk->read_only ? ",readonly=on" : "", command_escape(disk->path));
		command_add(c, "-device");
		command_add(c, "virtio-blk-device,drive=disk%zu,bus=virtio-mmio-bus.%zu", i, i);
	}
}

// In the slots of virtio-mmio from the last one on: disks have the first.
static void add_nics(struct command *c, const struct machine *machine)
{
	if (machine->nics == 0)
		return;
	command_add(c, "-global");
	command_add(c, "virtio-mmio.force-legacy=false");
	for (unsigned int i = 0; i < machine->nics; i++) {
		command_add(c, "-netdev");
		command_add(c, "user,id=net%u", i);
		command_add(c, "-device");
		command_add(c, "virtio-net-device,netdev=net%u,bus=virtio-mmio-bus.%u", i,
		            FIRST_NIC + i);
	}
}

struct command machine_command(const struct machine *machine, const char *bundle, const char *tree)
{
	struct command c = machine_board_command(machine);
	bool fixed = machine->board->fixed;

	for (unsigned int i = 0; i < machine->board->uarts; i++) {
		command_add(&c, "-serial");
		command_add(&c, "null");
	}
	command_add(&c, "-serial");
	if (machine->socket != NULL)
		command_add(&c, "unix:%s,server=on,wait=off", command_escape(machine->socket));
	else
		command_add(&c, "stdio");
	if (machine->el3 || fixed) {
		command_add(&c, "-dtb");
		command_add(&c, "%s", machine->el3 ? tree : machine->tree);
	}
	if (!machine->el3) {
		command_add(&c, "-kernel");
		command_add(&c, "%s", machine->image);
		command_add(&c, "-initrd");
		command_add(&c, "%s", bundle);
	} else if (fixed) {
		add_pi_el3(&c, machine, bundle);
	} else {
		add_el3(&c, machine, bundle);
	}
	add_disks(&c, machine);
	add_nics(&c, machine);
	command_add_all(&c, machine->extra);
	return c;
}

// --- the tree for EL3 ----------------------------------------------------------------------------

#define DUMP_SECONDS   30 // QEMU needs less than one
#define STEPS_A_SECOND 50

// Runs a command that ends by itself, its output to the file `log`. NULL or what went wrong.
static const char *run_quietly(const struct command *command, const char *log)
{
	posix_spawn_file_actions_t actions;
	struct timespec step = {.tv_nsec = 1000000000 / STEPS_A_SECOND};
	pid_t pid, ended = 0;
	int rc, status = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC,
	                                 0600);
	posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	rc = posix_spawnp(&pid, command->arg[0], &actions, NULL, command->arg, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return util_format("%s cannot be started: %s", command->arg[0], strerror(rc));
	for (int i = 0; i < DUMP_SECONDS * STEPS_A_SECOND && ended == 0; i++) {
		ended = waitpid(pid, &status, WNOHANG);
		if (ended == 0)
			nanosleep(&step, NULL);
	}
	if (ended == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return util_format("%s did not end in %d s", command->arg[0], DUMP_SECONDS);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL : "QEMU refused the board";
}

static size_t first_line(struct blob text)
{
	const uint8_t *end = memchr(text.data, '\n', text.size);

	return end != NULL ? (size_t)(end - text.data) : text.size;
}

// What QEMU makes for exactly this machine, by way of the file `tree`.
static const char *dump_tree(const struct machine *machine, const char *tree, struct blob *dump)
{
	struct command c = machine_board_command(machine);
	const char *log = util_format("%s.log", tree), *why;

	command_add(&c, "-serial");
	command_add(&c, "null"); // as many serial ports as the machine will have
	add_nics(&c, machine);
	command_add_all(&c, machine->extra);
	command_add(&c, "-machine");
	command_add(&c, "dumpdtb=%s", command_escape(tree));
	why = run_quietly(&c, log);
	if (why == NULL)
		why = util_map(tree, dump);
	else if (util_map(log, dump) == NULL && dump->size != 0)
		why = util_format("%s: %.*s", why, (int)first_line(*dump), dump->data);
	unlink(log);
	return why;
}

const char *machine_write_tree(const struct machine *machine, uint64_t bundle_size,
                               const char *tree)
{
	struct tree_edit edit;
	struct blob dump, out;
	const char *why;

	why = machine->board->fixed ? util_map(machine->tree, &dump)
	                            : dump_tree(machine, tree, &dump);
	if (why == NULL && !tree_edit_sound(dump))
		why = "QEMU gave no device tree";
	if (why != NULL)
		return why;
	edit = tree_edit_open(dump);
	tree_edit_initrd(&edit, el3_bundle_base(machine), bundle_size);
	why = tree_edit_close(&edit, &out);
	return why != NULL ? why : util_save(tree, out); // the dump stays mapped
}
