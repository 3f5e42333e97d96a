// SPDX-License-Identifier: Apache-2.0
//
// QEMU's `virt` board: how much of it a system needs, and the command line that starts Mezzo on
// it, at EL2 as a kernel with its initrd, or at EL3 with nothing below.
//
// Called by cmd_run.c. Owns nothing.
// Invariant: at EL3 the tree at the base of RAM, mezzo.img with its bss, and the bundle do not
// overlap.
// Sources: QEMU, docs/system/arm/virt.rst, docs/system/generic-loader.rst; Linux, booting.rst,
// "Call the kernel image".
#include "machine.h"

#include "base/bits.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QEMU "qemu-system-aarch64"

#define BOARD_RAM_BASE    GIB(1)
#define BOARD_RAM_MIN     GIB(1)
#define BOARD_RAM_STEP    MIB(128)
// Beside the VMs: Mezzo, the bundle's pages, and the 128 MiB that QEMU leaves below an initrd.
#define BOARD_RAM_ROOM    MIB(384)
#define BOARD_GICV2_CPUS  8 // a GICv2 knows no more
#define BOARD_SHARED_CPUS 4 // for any number of vCPUs that are not pinned

#define EL3_IMAGE_BASE   (BOARD_RAM_BASE + MIB(2)) // the tree has the RAM below
#define EL3_BUNDLE_ALIGN MIB(2)

#define IMAGE_HEADER_SIZE  64
#define IMAGE_SIZE_OFFSET  16
#define IMAGE_MAGIC_OFFSET 56

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

void machine_complete(struct machine *machine, const struct system *system)
{
	uint32_t cpus = wanted_cpus(system);

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
	return (struct limits){.cpus = machine->smp, .gic = machine->gic, .ram = machine->ram};
}

// --- mezzo.img -----------------------------------------------------------------------------------

// Bytes of memory that mezzo.img takes, what follows its file included; 0 if `file` is no such
// image.
static uint64_t image_room(struct blob file)
{
	uint64_t size;

	if (file.size < IMAGE_HEADER_SIZE ||
	    memcmp(file.data + IMAGE_MAGIC_OFFSET, "ARM\x64", strlen("ARM\x64")) != 0)
		return 0;
	size = util_le64(file.data + IMAGE_SIZE_OFFSET);
	return size > file.size ? size : file.size;
}

static uint64_t room_of(const char *path)
{
	struct blob file;

	return util_map(path, &file) == NULL ? image_room(file) : 0;
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
	return align_up(EL3_IMAGE_BASE + room_of(machine->image), EL3_BUNDLE_ALIGN);
}

const char *machine_fit(struct machine *machine, const struct system *system, uint64_t bundle_size)
{
	uint64_t wanted = system_memory(system) + bundle_size + BOARD_RAM_ROOM;

	if (machine->ram == 0)
		machine->ram =
		        wanted < BOARD_RAM_MIN ? BOARD_RAM_MIN : align_up(wanted, BOARD_RAM_STEP);
	if (machine->el3 && el3_bundle_base(machine) + bundle_size > BOARD_RAM_BASE + machine->ram)
		return util_format("the bundle has %s, too much for a board with %s; raise --ram",
		                   util_size(bundle_size), util_size(machine->ram));
	return NULL;
}

static void add(struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct command *command, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	command->arg = util_grow(command->arg, command->count + 2, sizeof(*command->arg));
	command->arg[command->count++] = text;
	command->arg[command->count] = NULL;
}

// QEMU ends a suboption at a comma; two stand for one.
static const char *escape_commas(const char *text)
{
	char *out = util_alloc(2 * strlen(text) + 1), *to = out;

	for (; *text != '\0'; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	return out;
}

// The board itself: what the tree that QEMU makes depends on.
static struct command board_command(const struct machine *machine)
{
	struct command c = {NULL, 0};

	add(&c, QEMU);
	add(&c, "-M");
	add(&c, "virt,%svirtualization=on,gic-version=%u", machine->el3 ? "secure=on," : "",
	    machine->gic);
	add(&c, "-cpu");
	add(&c, "%s", machine->cpu);
	add(&c, "-smp");
	add(&c, "%u", machine->smp);
	add(&c, "-m");
	add(&c, "%lluM", (unsigned long long)(machine->ram / MIB(1)));
	add(&c, "-display");
	add(&c, "none");
	add(&c, "-monitor");
	add(&c, "none");
	add(&c, "-nic");
	add(&c, "none");
	return c;
}

static void add_extra(struct command *command, const struct machine *machine)
{
	for (char *const *extra = machine->extra; extra != NULL && *extra != NULL; extra++)
		add(command, "%s", *extra);
}

struct command machine_command(const struct machine *machine, const char *bundle, const char *tree)
{
	struct command c = board_command(machine);

	add(&c, "-serial");
	if (machine->socket != NULL)
		add(&c, "unix:%s,server=on,wait=off", escape_commas(machine->socket));
	else
		add(&c, "stdio");
	if (machine->el3) {
		add(&c, "-dtb");
		add(&c, "%s", tree);
		add(&c, "-device");
		add(&c, "loader,file=%s,addr=%#llx,force-raw=on", escape_commas(machine->image),
		    (unsigned long long)EL3_IMAGE_BASE);
		add(&c, "-device");
		add(&c, "loader,file=%s,addr=%#llx,force-raw=on", escape_commas(bundle),
		    (unsigned long long)el3_bundle_base(machine));
		for (uint32_t cpu = 0; cpu < machine->smp; cpu++) {
			add(&c, "-device");
			add(&c, "loader,addr=%#llx,cpu-num=%u", (unsigned long long)EL3_IMAGE_BASE,
			    cpu);
		}
	} else {
		add(&c, "-kernel");
		add(&c, "%s", machine->image);
		add(&c, "-initrd");
		add(&c, "%s", bundle);
	}
	add_extra(&c, machine);
	return c;
}

char *machine_quote(const struct command *command)
{
	static const char plain[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:%@";
	char *line = util_format("%s", "");

	for (size_t i = 0; i < command->count; i++) {
		const char *arg = command->arg[i], *space = i == 0 ? "" : " ";
		char *quoted = util_alloc(4 * strlen(arg) + 3), *to = quoted;

		if (*arg != '\0' && strspn(arg, plain) == strlen(arg)) {
			line = util_format("%s%s%s", line, space, arg);
			continue;
		}
		*to++ = '\'';
		for (; *arg != '\0'; arg++) {
			if (*arg == '\'')
				to = stpcpy(to, "'\\'");
			*to++ = *arg;
		}
		*to = '\'';
		line = util_format("%s%s%s", line, space, quoted);
	}
	return line;
}

// --- the tree for EL3 ----------------------------------------------------------------------------

#define DUMP_SECONDS   30     // QEMU needs less than one
#define TREE_GROWTH    KIB(4) // room for two properties
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

static const char *add_initrd(const struct blob *dump, uint64_t start, uint64_t size,
                              struct blob *out)
{
	size_t room;
	void *fdt;
	int rc, chosen;

	if (dump->size < sizeof(struct fdt_header) || fdt_check_header(dump->data) != 0 ||
	    fdt_totalsize(dump->data) > dump->size)
		return "QEMU gave no device tree";
	room = fdt_totalsize(dump->data) + TREE_GROWTH;
	fdt = util_alloc(room);
	rc = fdt_open_into(dump->data, fdt, (int)room);
	chosen = rc == 0 ? fdt_path_offset(fdt, "/chosen") : rc;
	if (chosen == -FDT_ERR_NOTFOUND)
		chosen = fdt_add_subnode(fdt, 0, "chosen");
	rc = chosen < 0 ? chosen : fdt_setprop_u64(fdt, chosen, "linux,initrd-start", start);
	if (rc == 0)
		rc = fdt_setprop_u64(fdt, chosen, "linux,initrd-end", start + size);
	if (rc == 0)
		rc = fdt_pack(fdt);
	*out = (struct blob){fdt, rc == 0 ? fdt_totalsize(fdt) : 0};
	return rc == 0 ? NULL
	               : util_format("the board's tree cannot be changed: %s", fdt_strerror(rc));
}

static size_t first_line(struct blob text)
{
	const uint8_t *end = memchr(text.data, '\n', text.size);

	return end != NULL ? (size_t)(end - text.data) : text.size;
}

const char *machine_write_tree(const struct machine *machine, uint64_t bundle_size,
                               const char *tree)
{
	struct command c = board_command(machine);
	const char *log = util_format("%s.log", tree), *why;
	struct blob dump, out;
	int fd;

	add(&c, "-serial");
	add(&c, "null"); // as many serial ports as the machine will have
	add_extra(&c, machine);
	add(&c, "-machine");
	add(&c, "dumpdtb=%s", escape_commas(tree));
	why = run_quietly(&c, log);
	if (why == NULL)
		why = util_map(tree, &dump);
	else if (util_map(log, &dump) == NULL && dump.size != 0)
		why = util_format("%s: %.*s", why, (int)first_line(dump), dump.data);
	unlink(log);
	if (why == NULL)
		why = add_initrd(&dump, el3_bundle_base(machine), bundle_size, &out);
	if (why != NULL)
		return why;
	unlink(tree); // the dump stays mapped
	fd = open(tree, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !util_write(fd, out.data, out.size) || close(fd) != 0)
		return util_format("cannot write `%s`: %s", tree, strerror(errno));
	return NULL;
}
