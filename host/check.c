// SPDX-License-Identifier: Apache-2.0
//
// Holds a system against its files, its own memory and the board. Where a guest's kernel, initrd
// and tree go is not decided here: vm/image.c plans it for the host as for EL2, and fdt/board.c
// reads a board's tree for both, so that what passes here passes there.
//
// Called by every verb that takes a system. Owns nothing.
// Invariant: looks at everything it can, whatever it has found already; reports, changes no key.
#include "check.h"

#include "base/bits.h"
#include "check_net.h"
#include "fdt/board.h"
#include "schema.h"
#include "tree_edit.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

// What Mezzo wants for itself: its image and stacks, and an entry for each page of the board's
// RAM.
#define MEZZO_ROOM       MIB(8)
#define MEZZO_ROOM_SHARE 200 // one byte for so many of RAM
#define INSTRUCTION_SIZE 4
#define MEMBER_SIZE_MAX  UINT32_MAX // a cpio header has room for 32 bits

// Where to point for a key that may not be given.
static struct place place_of(const struct vm *vm, struct place at)
{
	return at.file != NULL ? at : vm->end;
}

// How to get a bigger board.
static const char *more(const struct limits *limits, const char *option)
{
	return limits->fixed ? "take a bigger board" : util_format("raise %s", option);
}

static bool read_file(const struct text_key *key, const char *name, struct blob *out,
                      struct diags *diags)
{
	const char *why;

	if (key->value == NULL)
		return true;
	why = util_map(key->value, out);
	if (why == NULL && out->size == 0)
		why = "it is empty";
	if (why == NULL && out->size > MEMBER_SIZE_MAX)
		why = "it is larger than the 4G that a bundle can hold";
	if (why != NULL)
		diag_add(diags, key->at, "%s `%s` cannot be used: %s; check the path", name,
		         key->value, why);
	return why == NULL;
}

static bool read_tree(const struct text_key *key, struct blob *out, struct diags *diags)
{
	if (!read_file(key, "dtb", out, diags))
		return false;
	if (key->value == NULL)
		return true;
	if (!tree_edit_sound(*out)) {
		diag_add(diags, key->at,
		         "dtb `%s` is not a device tree; compile it: dtc -o FILE.dtb FILE.dts",
		         key->value);
		return false;
	}
	return true;
}

// Plans the VM's memory, first without its initrd, so that a plan that fails is blamed on the
// right key.
static void check_plan(struct vm *vm, struct diags *diags)
{
	struct image_problem problem = {.text = ""};
	const struct model_facts *facts = system_model(vm);
	struct image_request request = {
	        .kernel = vm->kernel_file.data.data,
	        .kernel_size = vm->kernel_file.data.size,
	        .ram_base = facts->ram_base,
	        .ram_size = model_ram(facts, vm->memory.value).kernel_size,
	        .boot_size = facts->boot_size,
	        .tree_size = vm->dtb_file.size + MODEL_TREE_ROOM,
	        .has_load = vm->load.at.file != NULL,
	        .load = vm->load.value,
	        .has_entry = vm->entry.at.file != NULL,
	        .entry = vm->entry.value,
	};
	bool hint = request.has_load || request.has_entry;
	// Of a card's kernel8.img no line speaks, but one may say where it goes.
	struct place at = vm->kernel.at.line == 0 && request.has_load ? vm->load.at : vm->kernel.at;

	if (image_plan(&request, &vm->plan, &problem) != 0) {
		diag_add(diags, at, "kernel `%s`: %s", vm->kernel.value, problem.text);
	} else if (vm->plan.kind == IMAGE_RAW && !hint && !facts->takes_raw) {
		diag_add(diags, vm->kernel.at,
		         "kernel `%s` is neither an arm64 Image (plain or gzip) nor an ELF for "
		         "AArch64; for a raw binary say where it goes: load = 0x40080000",
		         vm->kernel.value);
	} else if (vm->initrd_file.size != 0) {
		request.initrd_size = vm->initrd_file.size;
		if (image_plan(&request, &vm->plan, &problem) != 0)
			diag_add(diags, vm->initrd.at, "initrd `%s`: %s", vm->initrd.value,
			         problem.text);
	}
}

// Firmware instead of a kernel; `sound`: what else a plan needs.
static void check_firmware(struct vm *vm, bool sound, struct diags *diags)
{
	const struct model_facts *facts = system_model(vm);
	const struct {
		const char *name;
		struct place at;
	} kernels[] = {
	        {"kernel", vm->kernel.at}, {"initrd", vm->initrd.at}, {"cmdline", vm->cmdline.at},
	        {"load", vm->load.at},     {"entry", vm->entry.at},
	};
	struct image_problem problem = {.text = ""};
	struct image_request request = {.ram_base = facts->ram_base, .ram_size = vm->memory.value};

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		if (kernels[i].at.file != NULL)
			diag_add(diags, kernels[i].at,
			         "%s: VM `%s` begins with its firmware, which takes none; drop "
			         "this line or `firmware`",
			         kernels[i].name, vm->name);
	if (!facts->has_flash) {
		diag_add(
		        diags, vm->firmware.at,
		        "firmware: a VM of machine `%s` has no flash for it; drop the line, or say "
		        "`machine = virt`",
		        facts->name);
		return;
	}
	if (!read_file(&vm->firmware, "firmware", &vm->kernel_file.data, diags) || !sound)
		return;
	request.kernel = vm->kernel_file.data.data;
	request.kernel_size = vm->kernel_file.data.size;
	request.tree_size = vm->dtb_file.size + MODEL_TREE_ROOM;
	if (image_plan_firmware(&request, &vm->plan, &problem) != 0)
		diag_add(diags, vm->firmware.at, "firmware `%s`: %s", vm->firmware.value,
		         problem.text);
}

static bool read_sdcard(struct vm *vm, struct diags *diags)
{
	const struct text_key key = {vm->sdcard.value, vm->sdcard.at};

	if (!read_file(&key, "sdcard", &vm->sdcard_file, diags))
		return false;
	if (vm->sdcard_file.size % DESC_SECTOR_SIZE == 0)
		return true;
	diag_add(diags, vm->sdcard.at,
	         "sdcard `%s` has %llu bytes, which are no whole sectors of %d; round it up: "
	         "truncate -s %%%d FILE",
	         vm->sdcard.value, (unsigned long long)vm->sdcard_file.size, DESC_SECTOR_SIZE,
	         DESC_SECTOR_SIZE);
	return false;
}

// A virtio device that a key asks for.
static void check_extra(const char *name, const struct number_key *key,
                        const struct model_facts *facts, struct diags *diags)
{
	if (key->value != 0 && !facts->has_virtio)
		diag_add(diags, key->at,
		         "%s: a VM of machine `%s` has no slots for virtio devices; drop the line",
		         name, facts->name);
}

// What only makes sense with sockets, and who else has the same context.
static void check_sockets(const struct system *system, const struct vm *vm, struct diags *diags)
{
	if (vm->vsock.value == 0 && vm->vsock_group.value != NULL)
		diag_add(diags, vm->vsock_group.at,
		         "vsock_group: VM `%s` has no sockets; give it a context: `vsock = 10`",
		         vm->name);
	if (vm->vsock.value == 0 && vm->manage.value != 0)
		diag_add(diags, vm->manage.at,
		         "manage: VM `%s` has no sockets to do it by; give it a context: "
		         "`vsock = 10`",
		         vm->name);
	if (vm->vsock_group.value != NULL &&
	    (vm->vsock_group.value[0] == '\0' || strlen(vm->vsock_group.value) > DESC_GROUP_MAX))
		diag_add(diags, vm->vsock_group.at,
		         "vsock_group: a name has 1 to %d characters, like `vsock_group = "
		         "\"fleet\"`",
		         DESC_GROUP_MAX);
	for (const struct vm *other = system->vms; other != vm && vm->vsock.value != 0; other++)
		if (other->vsock.value == vm->vsock.value)
			diag_add(diags, vm->vsock.at,
			         "vsock: %llu is the context of VM `%s`; give each a number of "
			         "its own",
			         (unsigned long long)vm->vsock.value, other->name);
}

static bool read_disks(struct vm *vm, struct diags *diags)
{
	bool sound = true;

	for (size_t i = 0; i < vm->disks.count; i++) {
		struct disk_key *disk = &vm->disks.disk[i];
		const struct text_key key = {disk->value, disk->at};

		if (disk->host)
			continue;
		if (!read_file(&key, "disk", &disk->file, diags)) {
			sound = false;
		} else if (disk->file.size % DESC_SECTOR_SIZE != 0) {
			sound = false;
			diag_add(
			        diags, disk->at,
			        "disk `%s` has %llu bytes, which are no whole sectors of %d; round "
			        "it up: truncate -s %%%d FILE",
			        disk->value, (unsigned long long)disk->file.size, DESC_SECTOR_SIZE,
			        DESC_SECTOR_SIZE);
		}
	}
	return sound;
}

// What the machine model takes. False: the memory cannot be planned.
static bool check_model(const struct vm *vm, struct diags *diags)
{
	const struct model_facts *facts = system_model(vm);
	bool sound = vm->memory.value >= facts->min_memory && vm->memory.value <= facts->max_memory;

	if (!sound)
		diag_add(diags, place_of(vm, vm->memory.at),
		         "memory: a VM of machine `%s` takes %s to %s", facts->name,
		         util_size(facts->min_memory), util_size(facts->max_memory));
	if (vm->cpus.value > facts->max_cpus)
		diag_add(diags, vm->cpus.at, "cpus: a VM of machine `%s` takes 1 to %u",
		         facts->name, facts->max_cpus);
	if (vm->gic.value != 0 && !facts->has_gic)
		diag_add(diags, vm->gic.at, "gic: a VM of machine `%s` has no GIC; drop the line",
		         facts->name);
	if (vm->sdcard.value != NULL && !facts->has_sdcard)
		diag_add(diags, vm->sdcard.at,
		         "sdcard: a VM of machine `%s` has no slot for a card; drop the line, or "
		         "say `machine = raspi3`",
		         facts->name);
	check_extra("virtio_console", &vm->virtio_console, facts, diags);
	check_extra("rng", &vm->rng, facts, diags);
	check_extra("balloon", &vm->balloon, facts, diags);
	check_extra("vsock", &vm->vsock, facts, diags);
	if (vm->disks.count != 0 && !facts->has_virtio)
		diag_add(diags, vm->disks.disk[0].at,
		         "disk: a VM of machine `%s` has no virtio devices; drop the line, or give "
		         "it an `sdcard`",
		         facts->name);
	if (vm->virtio.value != NULL && !facts->has_virtio)
		diag_add(diags, vm->virtio.at,
		         "virtio: a VM of machine `%s` has no virtio devices; drop the line",
		         facts->name);
	return sound;
}

static void check_vm(struct vm *vm, const struct limits *limits, struct diags *diags)
{
	bool files = read_file(&vm->initrd, "initrd", &vm->initrd_file, diags);
	bool sound = is_aligned(vm->memory.value, PAGE_SIZE);

	if (!sound)
		diag_add(diags, vm->memory.at,
		         "memory: %llu bytes are no whole number of 4K pages; round it",
		         (unsigned long long)vm->memory.value);
	sound = check_model(vm, diags) && sound;
	files = read_sdcard(vm, diags) && files;
	files = read_disks(vm, diags) && files;
	if (!read_tree(&vm->dtb, &vm->dtb_file, diags))
		files = false;
	if (vm->firmware.value != NULL)
		check_firmware(vm, files && sound, diags);
	else if (vm->kernel.value == NULL && vm->config.value == NULL)
		diag_add(diags, vm->end,
		         "VM `%s` has no kernel; name one: `kernel = FILE`, or `firmware = FILE`",
		         vm->name);
	else if (vm->kernel.value != NULL &&
	         kernel_read(vm->kernel.value, &vm->kernel_file, vm->kernel.at, diags) && files &&
	         sound)
		check_plan(vm, diags);

	if (vm->cmdline.value != NULL && strlen(vm->cmdline.value) > DESC_CMDLINE_MAX)
		diag_add(diags, vm->cmdline.at,
		         "cmdline has %zu characters; arm64 Linux takes at most %d",
		         strlen(vm->cmdline.value), DESC_CMDLINE_MAX);
	if (vm->gic.value == 3 && limits->gic != 0 && limits->gic != 3)
		diag_add(diags, vm->gic.at,
		         "gic: VM `%s` asks for version 3, and the board has a GICv%u, whose CPU "
		         "interface cannot stand for it; version 2 works everywhere",
		         vm->name, limits->gic);
	if (vm->gic.value == 3 && limits->no_gic)
		diag_add(diags, vm->gic.at,
		         "gic: VM `%s` asks for version 3, and the board has no GIC to stand for "
		         "it; "
		         "version 2 works everywhere",
		         vm->name);
	if (!is_aligned(vm->entry.value, INSTRUCTION_SIZE))
		diag_add(diags, vm->entry.at,
		         "entry: %#llx is no instruction's address; give a multiple of 4",
		         (unsigned long long)vm->entry.value);
}

// --- cores ---------------------------------------------------------------------------------------

#define PROMISE_WHOLE 10000 // all time of a core
#define PROMISE_MOST  9000  // of it may be promised; the rest is for those without a budget
#define PERCENT       100

// What the VMs up to the one being looked at have of each core. schema.c keeps pins below.
struct cores {
	const struct vm *user[BOARD_MAX_CPUS]; // the one that owns it, else the first one on it
	uint32_t promised[BOARD_MAX_CPUS];     // of PROMISE_WHOLE
	uint32_t owned;                        // cores that belong to one VM alone
	uint64_t shared;                       // promised, in all, of the others
};

// The core of vCPU `i` of a VM with pins.
static uint32_t core_of(const struct vm *vm, size_t i)
{
	return vm->pin.value[i % vm->pin.count];
}

// Pins that lead somewhere: those beyond the number of vCPUs are nobody's.
static size_t used_pins(const struct vm *vm)
{
	return vm->pin.count < vm->cpus.value ? vm->pin.count : (size_t)vm->cpus.value;
}

static void check_pins(const struct vm *vm, struct cores *cores, const struct limits *limits,
                       struct diags *diags)
{
	bool alone = vm->exclusive.value != 0;

	for (size_t i = 0; i < vm->pin.count && limits->cpus != 0; i++)
		if (vm->pin.value[i] >= limits->cpus)
			diag_add(diags, vm->pin.at,
			         "pin: there is no core %u; the board has 0 to %u; %s",
			         vm->pin.value[i], limits->cpus - 1, more(limits, "--smp"));
	if (alone && vm->pin.count == 0)
		diag_add(diags, vm->exclusive.at,
		         "exclusive: VM `%s` does not say which cores are its own; add for "
		         "example `pin = { 3 }`",
		         vm->name);
	else if (alone && vm->pin.count < vm->cpus.value)
		diag_add(diags, vm->pin.at,
		         "pin names %zu cores for the %u vCPUs of an exclusive VM; name one for "
		         "each",
		         vm->pin.count, (unsigned int)vm->cpus.value);
	for (size_t i = 0; i < used_pins(vm); i++) {
		uint32_t core = vm->pin.value[i];
		const struct vm *user = cores->user[core];

		if (user != NULL && user->exclusive.value != 0)
			diag_add(diags, vm->pin.at,
			         "pin: core %u belongs to VM `%s` alone; choose another", core,
			         user->name);
		else if (user != NULL && alone)
			diag_add(diags, vm->pin.at,
			         "pin: core %u cannot belong to VM `%s` alone, as VM `%s` runs "
			         "there too; choose another",
			         core, vm->name, user->name);
		if (alone && (user == NULL || user->exclusive.value == 0))
			cores->owned++;
		if (alone || user == NULL)
			cores->user[core] = vm;
	}
}

// Holds what the cores have promised against what they can, once this VM's budget is added.
static void check_budget(const struct vm *vm, struct cores *cores, const struct limits *limits,
                         struct diags *diags)
{
	uint64_t share, shared_cores;

	if (vm->budget.period == 0)
		return;
	share = (vm->budget.budget * PROMISE_WHOLE + vm->budget.period - 1) / vm->budget.period;
	if (share > PROMISE_MOST) {
		diag_add(diags, vm->budget.at,
		         "budget: this is %llu %% of a core; at most %u %% can be promised, so "
		         "lower it",
		         (unsigned long long)(share * PERCENT / PROMISE_WHOLE),
		         PROMISE_MOST * PERCENT / PROMISE_WHOLE);
		return;
	}
	for (size_t i = 0; i < vm->cpus.value && vm->pin.count != 0; i++) {
		uint32_t core = core_of(vm, i);
		uint32_t before = cores->promised[core];

		cores->promised[core] += (uint32_t)share;
		if (before > PROMISE_MOST || before + share <= PROMISE_MOST)
			continue;
		diag_add(diags, vm->budget.at,
		         "budget: core %u is promised too much: %llu %% with VM `%s`, and at most "
		         "%u %% can be; lower it, or pin to another core",
		         core, (unsigned long long)((before + share) * PERCENT / PROMISE_WHOLE),
		         vm->name, PROMISE_MOST * PERCENT / PROMISE_WHOLE);
		return;
	}
	if (vm->exclusive.value != 0 || limits->cpus <= cores->owned)
		return;
	shared_cores = limits->cpus - cores->owned;
	cores->shared += share * vm->cpus.value;
	if (cores->shared > PROMISE_MOST * shared_cores &&
	    cores->shared - share * vm->cpus.value <= PROMISE_MOST * shared_cores)
		diag_add(diags, vm->budget.at,
		         "budget: the VMs are promised %llu %% of a core with VM `%s`, and the %u "
		         "cores that they share can give %u %% each; lower it or %s",
		         (unsigned long long)(cores->shared * PERCENT / PROMISE_WHOLE), vm->name,
		         (unsigned int)shared_cores, PROMISE_MOST * PERCENT / PROMISE_WHOLE,
		         more(limits, "--smp"));
}

// vCPUs share cores, so any number of them has room; what was promised must be there.
static void check_cores(const struct system *system, const struct limits *limits,
                        struct diags *diags)
{
	static struct cores cores;

	for (size_t i = 0; i < system->vm_count; i++)
		check_pins(&system->vms[i], &cores, limits, diags);
	for (size_t i = 0; i < system->vm_count; i++) {
		const struct vm *vm = &system->vms[i];

		check_budget(vm, &cores, limits, diags);
		if (limits->cpus == 0 || cores.owned < limits->cpus || vm->pin.count != 0 ||
		    vm->exclusive.value != 0)
			continue;
		diag_add(diags, place_of(vm, vm->cpus.at),
		         "no core is left for VM `%s`: all %u of the board belong to other VMs "
		         "alone; %s, or drop an `exclusive`",
		         vm->name, limits->cpus, more(limits, "--smp"));
	}
}

// --- the board's disks ---------------------------------------------------------------------------

// Whether two names mean sectors in common: the same, or a partition and its disk.
static bool overlap(const char *a, const char *b)
{
	size_t letters_a = strcspn(a, "0123456789"), letters_b = strcspn(b, "0123456789");

	if (letters_a != letters_b || strncmp(a, b, letters_a) != 0)
		return false;
	return a[letters_a] == '\0' || b[letters_b] == '\0' || strcmp(a, b) == 0;
}

// Holds a board's disk against those that VMs were given before it.
static void check_host_disk(const struct system *system, const struct vm *vm,
                            const struct disk_key *disk, struct diags *diags)
{
	for (const struct vm *other = system->vms; other <= vm; other++) {
		for (size_t i = 0; i < other->disks.count; i++) {
			const struct disk_key *before = &other->disks.disk[i];

			if (before == disk)
				return;
			if (!before->host || !overlap(before->value, disk->value) ||
			    (strcmp(before->mode, "host-ro") == 0 &&
			     strcmp(disk->mode, "host-ro") == 0))
				continue;
			diag_add(diags, disk->at,
			         "disk: VM `%s` is given `host:%s` already, as `host:%s`; only if "
			         "both are `ro:` can they share it",
			         other->name, disk->value, before->value);
			return;
		}
	}
}

static void check_host_disks(const struct system *system, const struct limits *limits,
                             struct diags *diags)
{
	for (size_t i = 0; i < system->vm_count; i++) {
		const struct vm *vm = &system->vms[i];

		for (size_t j = 0; j < vm->disks.count; j++) {
			const struct disk_key *disk = &vm->disks.disk[j];

			if (disk->host && limits->no_disks)
				diag_add(diags, disk->at,
				         "disk: the board has no disk `%s` that Mezzo can drive; "
				         "take an image",
				         disk->value);
			else if (disk->host)
				check_host_disk(system, vm, disk, diags);
		}
	}
}

// --- memory --------------------------------------------------------------------------------------

// Whether the VM names the file as one of its disks, up to disk `count`.
static bool is_disk(const struct vm *vm, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (!vm->disks.disk[i].host && strcmp(vm->disks.disk[i].value, path) == 0)
			return true;
	return false;
}

// Whether a VM before number `i` names the file as its kernel, initrd, card or disk.
static bool is_named(const struct system *system, size_t i, const char *path)
{
	for (size_t j = 0; j < i; j++) {
		const struct vm *vm = &system->vms[j];
		const char *const names[] = {system_image(vm)->value, vm->initrd.value,
		                             vm->sdcard.value};

		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (names[k] != NULL && strcmp(names[k], path) == 0)
				return true;
		if (is_disk(vm, vm->disks.count, path))
			return true;
	}
	return false;
}

// Bytes of the files of VM `i` that no VM before it names: those stay in memory, once.
static uint64_t new_files(const struct system *system, size_t i)
{
	const struct vm *vm = &system->vms[i];
	const struct {
		const char *path;
		size_t size;
	} files[] = {
	        {system_image(vm)->value, vm->kernel_file.data.size},
	        {vm->initrd.value, vm->initrd_file.size},
	        {vm->sdcard.value, vm->sdcard_file.size},
	};
	uint64_t sum = 0;

	for (size_t k = 0; k < ARRAY_SIZE(files); k++)
		if (files[k].path != NULL && !is_named(system, i, files[k].path))
			sum += files[k].size;
	for (size_t k = 0; k < vm->disks.count; k++) {
		const struct disk_key *disk = &vm->disks.disk[k];

		if (!disk->host && !is_disk(vm, k, disk->value) &&
		    !is_named(system, i, disk->value))
			sum += disk->file.size;
	}
	return sum;
}

static void check_memory(const struct system *system, const struct limits *limits,
                         struct diags *diags)
{
	uint64_t own = MEZZO_ROOM + limits->ram / MEZZO_ROOM_SHARE, memory = 0;

	if (limits->ram == 0 || system->overcommit.value != 0)
		return;
	for (size_t i = 0; i < system->vm_count; i++)
		own += new_files(system, i);
	for (size_t i = 0; i < system->vm_count; i++) {
		const struct vm *vm = &system->vms[i];

		memory += vm->memory.value;
		if (own + memory <= limits->ram)
			continue;
		diag_add(diags, place_of(vm, vm->memory.at),
		         "memory not available: the VMs ask for %s, Mezzo and the files need %s, "
		         "and "
		         "the board has %s; lower `memory` or %s",
		         util_size(system_memory(system)), util_size(own), util_size(limits->ram),
		         more(limits, "--ram"));
		return;
	}
}

void check_system(struct system *system, const struct limits *limits, struct diags *diags)
{
	for (size_t i = 0; i < system->vm_count; i++) {
		check_vm(&system->vms[i], limits, diags);
		check_sockets(system, &system->vms[i], diags);
	}
	check_cores(system, limits, diags);
	check_nets(system, limits->no_nets, diags);
	check_host_disks(system, limits, diags);
	check_memory(system, limits, diags);
}

struct limits check_board_tree(const char *path, struct diags *diags)
{
	static struct board board;
	static struct board_problem problem;
	struct limits limits = {.fixed = true};
	struct place at = {path, 0};
	struct blob tree = {NULL, 0};
	const char *why = util_map(path, &tree);

	if (why != NULL) {
		diag_add(diags, at, "the board's tree cannot be read: %s; check the path", why);
		return limits;
	}
	if (!tree_edit_sound(tree)) {
		diag_add(diags, at,
		         "this is not a device tree; compile it: dtc -o BOARD.dtb BOARD.dts");
		return limits;
	}
	board_read(tree.data, &board, &problem);
	for (uint32_t i = 0; i < problem.count && i < BOARD_MAX_PROBLEMS; i++)
		if (problem.list[i].fatal)
			diag_add(diags, at, "%s", problem.list[i].text);
	limits.cpus = board.nr_cpus;
	limits.gic = board.gic.version;
	limits.no_gic = limits.gic == 0 && board.bcm.local.size != 0;
	for (uint32_t i = 0; i < board.nr_ram; i++)
		limits.ram += board.ram[i].size;
	return limits;
}
