// SPDX-License-Identifier: Apache-2.0
// Reading and checking the description of a system of virtual machines.
//
// Owns nothing: results are the caller's, strings stay in the tree. Called at EL2 when Mezzo starts, and
// by the host command.
// Invariant: desc_read() returns 0 only if every property was known, of its type and within its limits,
// and every name leads somewhere; three passes over the tree.
// Source: docs/bundle.md, "Description".
#include "fdt/desc_value.h"

#include <libfdt.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "fdt/model_facts.h"

#define MEZZO_DEPTH 1 // /mezzo; its children are one deeper
#define MAX_RULES   64
#define MAX_ADDRESS (BIT_U64(48) - 1)
#define MAX_PIN     511

// --- what may be written --------------------------------------------------------------------------

static const struct choice machines[] = {
        {"virt", DESC_MACHINE_VIRT},
        {"raspi3", DESC_MACHINE_RASPI3},
        {NULL, 0},
};
static const struct choice cards[] = {
        {"cow", DESC_IMAGE_COW},
        {"keep", DESC_IMAGE_KEEP},
        {"ro", DESC_IMAGE_RO},
        {NULL, 0},
};
static const struct choice virtios[] = {
        {"modern", DESC_VIRTIO_MODERN},
        {"legacy", DESC_VIRTIO_LEGACY},
        {NULL, 0},
};
static const struct choice crashes[] = {
        {"stop", DESC_CRASH_STOP},
        {"restart", DESC_CRASH_RESTART},
        {"halt-all", DESC_CRASH_HALT_ALL},
        {NULL, 0},
};
static const struct choice ends[] = {
        {"shell", DESC_OFF_SHELL},
        {"poweroff", DESC_OFF_POWEROFF},
        {NULL, 0},
};
static const struct choice sums[] = {{"sha256", true}, {NULL, 0}};

#define NOWHERE          .field = NO_OFFSET, .has_field = NO_OFFSET
#define IN(type, member) .field = offsetof(struct type, member), .has_field = NO_OFFSET

static const struct rule system_rules[] = {
        {"compatible", KIND_CONST, true, NOWHERE, .text = "mezzo,system"},
        {"version", KIND_U32, true, NOWHERE, .min = DESC_VERSION, .max = DESC_VERSION},
        {"#address-cells", KIND_IGNORED, false, NOWHERE},
        {"#size-cells", KIND_IGNORED, false, NOWHERE},
        {"phandle", KIND_IGNORED, false, NOWHERE},
        {"status", KIND_CONST, false, NOWHERE, .text = "okay"},
        {"on-all-off", KIND_CHOICE, false, IN(desc, on_all_off), .choices = ends},
        {"overcommit", KIND_FLAG, false, IN(desc, overcommit)},
        {"plain-exits", KIND_FLAG, false, IN(desc, plain_exits)},
        {"console", KIND_STRING, false, NOWHERE, .max = DESC_NAME_MAX}, // read_console
};

static const struct rule files_rules[] = {
        {"#address-cells", KIND_IGNORED, false, NOWHERE},
        {"#size-cells", KIND_IGNORED, false, NOWHERE},
};

static const struct rule file_rules[] = {
        {"reg", KIND_IGNORED, false, NOWHERE},
        {"path", KIND_PATH, true, IN(desc_file, path), .max = DESC_PATH_MAX},
        {"size", KIND_U64, true, IN(desc_file, size), .max = UINT32_MAX, .unit = 1},
        {"crc32", KIND_U32, true, IN(desc_file, crc32), .max = UINT32_MAX},
        {"sha256", KIND_BYTES, false, IN(desc_file, sha256), .max = DESC_SHA256_SIZE},
};

static const struct rule net_rules[] = {
        {"compatible", KIND_CONST, true, NOWHERE, .text = "mezzo,net"},
        {"reg", KIND_IGNORED, false, NOWHERE},
        {"net-name", KIND_PATH, true, IN(desc_net, name), .max = DESC_NET_MAX},
        {"uplink", KIND_PATH, false, IN(desc_net, uplink), .max = DESC_UPLINK_MAX},
        {"anti-spoof", KIND_FLAG, false, IN(desc_net, anti_spoof)},
        {"limit", KIND_U64, false, IN(desc_net, limit), .min = DESC_LIMIT_MIN,
         .max = DESC_LIMIT_MAX, .unit = 1},
};

static const struct rule vm_rules[] = {
        {"compatible", KIND_CONST, true, NOWHERE, .text = "mezzo,vm"},
        {"reg", KIND_IGNORED, false, NOWHERE},
        {"phandle", KIND_IGNORED, false, NOWHERE},
        {"vm-name", KIND_PATH, true, IN(desc_vm, name), .max = DESC_NAME_MAX},
        {"machine", KIND_CHOICE, false, IN(desc_vm, machine), .choices = machines},
        {"kernel", KIND_FILE, false, IN(desc_vm, kernel), .max = DESC_PATH_MAX}, // check_image
        {"firmware", KIND_FILE, false, IN(desc_vm, firmware), .max = DESC_PATH_MAX},
        {"initrd", KIND_FILE, false, IN(desc_vm, initrd), .max = DESC_PATH_MAX},
        {"dtb", KIND_FILE, false, IN(desc_vm, dtb), .max = DESC_PATH_MAX},
        {"sdcard", KIND_FILE, false, IN(desc_vm, sdcard), .max = DESC_PATH_MAX},
        {"sdcard-mode", KIND_CHOICE, false, IN(desc_vm, sdcard_mode), .choices = cards},
        {"disks", KIND_DISKS, false, NOWHERE},
        {"virtio", KIND_CHOICE, false, IN(desc_vm, virtio), .choices = virtios},
        {"virtio-console", KIND_FLAG, false, IN(desc_vm, virtio_console)},
        {"rng", KIND_FLAG, false, IN(desc_vm, rng)},
        {"balloon", KIND_FLAG, false, IN(desc_vm, balloon)},
        {"vsock", KIND_U32, false, IN(desc_vm, cid), .min = DESC_CID_MIN, .max = DESC_CID_MAX},
        {"vsock-group", KIND_PATH, false, IN(desc_vm, group), .max = DESC_GROUP_MAX},
        {"manage", KIND_FLAG, false, IN(desc_vm, manage)},
        {"cmdline", KIND_STRING, false, IN(desc_vm, cmdline), .max = DESC_CMDLINE_MAX},
        {"memory", KIND_U64, true, IN(desc_vm, memory), .min = DESC_MIN_MEMORY,
         .max = DESC_MAX_MEMORY, .unit = PAGE_SIZE},
        {"cpus", KIND_U32, true, IN(desc_vm, cpus), .min = 1, .max = DESC_MAX_VCPUS},
        {"gic", KIND_U32, false, IN(desc_vm, gic), .min = 2, .max = 3},
        {"load", KIND_U64, false, .field = offsetof(struct desc_vm, load),
         .has_field = offsetof(struct desc_vm, has_load), .max = MAX_ADDRESS, .unit = 1},
        {"entry", KIND_U64, false, .field = offsetof(struct desc_vm, entry),
         .has_field = offsetof(struct desc_vm, has_entry), .max = MAX_ADDRESS, .unit = 4},
        {"pin", KIND_PINS, false, NOWHERE, .max = MAX_PIN},
        {"exclusive", KIND_FLAG, false, IN(desc_vm, exclusive)},
        {"weight", KIND_U32, false, IN(desc_vm, weight), .min = 1, .max = DESC_WEIGHT_MAX},
        {"priority", KIND_U32, false, IN(desc_vm, priority), .max = DESC_PRIORITY_MAX},
        {"budget", KIND_BUDGET, false, NOWHERE},
        {"stop-timeout", KIND_U32, false, IN(desc_vm, stop_timeout_ms), .min = DESC_STOP_MIN_MS,
         .max = DESC_STOP_MAX_MS},
        {"on-crash", KIND_CHOICE, false, IN(desc_vm, on_crash), .choices = crashes},
        {"autostart", KIND_BOOL, false, IN(desc_vm, autostart), .max = 1},
        {"verify", KIND_CHOICE, false, NOWHERE, .choices = sums}, // read_vm
        {"nets", KIND_NETS, false, NOWHERE},
        {"macs", KIND_MACS, false, NOWHERE},
};

STATIC_ASSERT(ARRAY_SIZE(vm_rules) <= MAX_RULES, "the set of seen rules is a word of 64 bits");
STATIC_ASSERT(sizeof(enum desc_machine) == sizeof(uint32_t), "a choice is stored as 32 bits");
STATIC_ASSERT(sizeof(enum desc_image) == sizeof(uint32_t), "and so is this one");
STATIC_ASSERT(sizeof(enum desc_virtio) == sizeof(uint32_t), "and so is this one");

// --- one node -------------------------------------------------------------------------------------

// Reads every property of the node by the rules. Unknown, repeated or missing ones are errors.
static int read_props(struct reader *reader, const struct tree_walk *walk, const struct rule *rules,
                      unsigned count, void *object)
{
	uint64_t seen = 0;
	int at;

	fdt_for_each_property_offset(at, reader->fdt, tree_offset(walk))
	{
		const char *name;
		int length;
		const uint8_t *data = fdt_getprop_by_offset(reader->fdt, at, &name, &length);
		unsigned i = 0;

		if (data == NULL || length < 0)
			return desc_fail(reader, "", "the tree is damaged");
		while (i < count && strcmp(rules[i].name, name) != 0)
			i++;
		if (i == count)
			return desc_fail(reader, name,
			                 "this version of Mezzo does not know this property");
		if ((seen & BIT_U64(i)) != 0)
			return desc_fail(reader, name, "is given twice");
		seen |= BIT_U64(i);
		const int error = desc_take(reader, &rules[i],
		                            (struct tree_value){data, (uint32_t)length}, object);
		if (error != 0)
			return error;
	}
	for (unsigned i = 0; i < count; i++) {
		if (rules[i].required && (seen & BIT_U64(i)) == 0)
			return desc_fail(reader, rules[i].name, "is missing");
	}
	return 0;
}

static int read_file(struct reader *reader, const struct tree_walk *walk)
{
	struct desc *desc = reader->desc;

	if (desc->nr_files == DESC_MAX_FILES)
		return desc_fail(reader, "", "there are more than %u files", DESC_MAX_FILES);
	struct desc_file *file = &desc->files[desc->nr_files];
	const int error = read_props(reader, walk, file_rules, ARRAY_SIZE(file_rules), file);
	if (error != 0)
		return error;
	if (desc_find_file(desc, file->path) != NULL)
		return desc_fail(reader, "path", "\"%s\" is there already", file->path);
	desc->nr_files++;
	return 0;
}

static int read_net(struct reader *reader, const struct tree_walk *walk)
{
	struct desc *desc = reader->desc;

	if (desc->nr_nets == DESC_MAX_NETS)
		return desc_fail(reader, "", "there are more than %u nets", DESC_MAX_NETS);
	struct desc_net *net = &desc->nets[desc->nr_nets];
	int error = read_props(reader, walk, net_rules, ARRAY_SIZE(net_rules), net);
	if (error == 0)
		error = desc_check_net(reader, net);
	if (error == 0)
		desc->nr_nets++;
	return error;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int check_name(struct reader *reader, const char *name)
{
	static const char *const taken[] = {"mezzo", "all", "shell"};
	const struct desc *desc = reader->desc;

	for (const char *c = name; *c != '\0'; c++) {
		if (!is_alnum(*c) && (c == name || strchr("-_.", *c) == NULL))
			return desc_fail(reader, "vm-name",
			                 "\"%s\" may only have letters, digits and - _ . and must "
			                 "start with a letter or digit",
			                 name);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++) {
		if (strcmp(name, taken[i]) == 0)
			return desc_fail(reader, "vm-name",
			                 "\"%s\" is Mezzo's own word; choose another", name);
	}
	for (uint32_t i = 0; i < desc->nr_vms; i++) {
		if (strcmp(name, desc->vms[i].name) == 0)
			return desc_fail(reader, "vm-name", "\"%s\" names another VM already",
			                 name);
	}
	return 0;
}

// What the machine model does not take.
static int check_model(struct reader *reader, const struct desc_vm *vm)
{
	const struct model_facts *facts = model_facts(vm->machine);

	if (vm->memory < facts->min_memory || vm->memory > facts->max_memory)
		return desc_fail(reader, "memory", "is %llu; a %s may have %llu to %llu",
		                 (unsigned long long)vm->memory, facts->name,
		                 (unsigned long long)facts->min_memory,
		                 (unsigned long long)facts->max_memory);
	if (vm->cpus > facts->max_cpus)
		return desc_fail(reader, "cpus", "is %u; a %s may have 1 to %u", vm->cpus,
		                 facts->name, facts->max_cpus);
	if (vm->nr_disks != 0 && !facts->has_virtio)
		return desc_fail(reader, "disks", "a %s has no virtio devices, leave it out",
		                 facts->name);
	if (vm->virtio != DESC_VIRTIO_MODERN && !facts->has_virtio)
		return desc_fail(reader, "virtio", "a %s has no virtio devices, leave it out",
		                 facts->name);
	if (vm->gic != 0 && !facts->has_gic)
		return desc_fail(reader, "gic", "is %u; a %s has no GIC, leave it out", vm->gic,
		                 facts->name);
	return 0;
}

// What it begins with, and what only a kernel takes.
static int check_image(struct reader *reader, const struct desc_vm *vm)
{
	const struct model_facts *facts = model_facts(vm->machine);
	const struct {
		const char *name;
		bool given;
	} kernels[] = {
	        {"kernel", vm->kernel != NULL},   {"initrd", vm->initrd != NULL},
	        {"cmdline", vm->cmdline != NULL}, {"load", vm->has_load},
	        {"entry", vm->has_entry},
	};

	if (vm->firmware == NULL)
		return vm->kernel != NULL ? 0 : desc_fail(reader, "kernel", "is missing");
	if (!facts->has_flash)
		return desc_fail(reader, "firmware", "a %s has no flash for it, leave it out",
		                 facts->name);
	for (unsigned i = 0; i < ARRAY_SIZE(kernels); i++)
		if (kernels[i].given)
			return desc_fail(reader, kernels[i].name,
			                 "a VM with \"firmware\" has none, leave it out");
	if (vm->firmware->size == 0 || vm->firmware->size > DESC_MAX_FLASH)
		return desc_fail(reader, "firmware", "\"%.64s\" has %llu bytes; 1 to %llu fit",
		                 vm->firmware->path, (unsigned long long)vm->firmware->size,
		                 (unsigned long long)DESC_MAX_FLASH);
	return 0;
}

static int check_sdcard(struct reader *reader, const struct desc_vm *vm)
{
	const struct model_facts *facts = model_facts(vm->machine);

	if (vm->sdcard == NULL)
		return 0;
	if (!facts->has_sdcard)
		return desc_fail(reader, "sdcard", "a %s has no slot for a card, leave it out",
		                 facts->name);
	if (vm->sdcard->size == 0 || vm->sdcard->size % DESC_SECTOR_SIZE != 0)
		return desc_fail(reader, "sdcard",
		                 "\"%.64s\" has %llu bytes, which are no whole sectors",
		                 vm->sdcard->path, (unsigned long long)vm->sdcard->size);
	return 0;
}

// Devices that any VM may have whose machine has slots for them.
static int check_extras(struct reader *reader, const struct desc_vm *vm)
{
	const struct model_facts *facts = model_facts(vm->machine);

	if (facts->has_virtio || (!vm->virtio_console && !vm->rng && !vm->balloon && vm->cid == 0))
		return 0;
	return desc_fail(reader,
	                 vm->rng        ? "rng"
	                 : vm->balloon  ? "balloon"
	                 : vm->cid != 0 ? "vsock"
	                                : "virtio-console",
	                 "a %s has no slots for virtio devices, leave it out", facts->name);
}

// A context is one VM's, and what depends on it has one.
static int check_sockets(struct reader *reader, const struct desc_vm *vm)
{
	const struct desc *desc = reader->desc;

	if (vm->cid == 0 && vm->group != NULL)
		return desc_fail(reader, "vsock-group", "needs a \"vsock\"");
	if (vm->cid == 0 && vm->manage)
		return desc_fail(reader, "manage", "needs a \"vsock\"");
	for (uint32_t i = 0; vm->cid != 0 && i < desc->nr_vms; i++) {
		if (desc->vms[i].cid == vm->cid)
			return desc_fail(reader, "vsock", "is %u, which is the context of %s",
			                 vm->cid, desc->vms[i].name);
	}
	return 0;
}

// The sums that `verify` asks for.
static int check_sums(struct reader *reader, const struct desc_vm *vm)
{
	const struct desc_file *files[4 + DESC_MAX_DISKS] = {desc_image(vm), vm->initrd, vm->dtb,
	                                                     vm->sdcard};

	for (uint32_t i = 0; i < vm->nr_disks; i++)
		files[4 + i] = desc_disk(reader->desc, vm, i).file;
	for (unsigned i = 0; vm->verify_sha256 && i < ARRAY_SIZE(files); i++) {
		if (files[i] != NULL && files[i]->sha256 == NULL)
			return desc_fail(
			        reader, "verify",
			        "asks for the SHA-256 of \"%s\", which the description does "
			        "not give",
			        files[i]->path);
	}
	return 0;
}

static int check_vm(struct reader *reader, const struct desc_vm *vm)
{
	int error = check_name(reader, vm->name);

	if (error == 0)
		error = check_model(reader, vm);
	if (error == 0)
		error = check_image(reader, vm);
	if (error == 0)
		error = check_sdcard(reader, vm);
	if (error == 0)
		error = check_extras(reader, vm);
	if (error == 0)
		error = check_sockets(reader, vm);
	if (error == 0)
		error = desc_check_nics(reader, vm);
	if (error != 0)
		return error;
	if (vm->exclusive && vm->nr_pins < vm->cpus)
		return desc_fail(reader, "exclusive",
		                 "\"pin\" names %u CPUs for %u vCPUs; give each one of its own",
		                 vm->nr_pins, vm->cpus);
	return check_sums(reader, vm);
}

static void set_where(struct reader *reader, const struct tree_walk *walk, const char *vm_name)
{
	const bool deep = walk->depth > MEZZO_DEPTH + 1;
	const char *parent =
	        deep ? fdt_get_name(reader->fdt, walk->level[MEZZO_DEPTH + 1].offset, NULL) : "";

	(void)print_buffer(reader->where, sizeof(reader->where), "/mezzo%s%.16s%s%.32s%s%.31s%s",
	                   deep ? "/" : "", parent, walk->depth > MEZZO_DEPTH ? "/" : "",
	                   walk->depth > MEZZO_DEPTH ? walk->name : "", vm_name == NULL ? "" : " (",
	                   vm_name == NULL ? "" : vm_name, vm_name == NULL ? "" : ")");
}

static int read_vm(struct reader *reader, const struct tree_walk *walk)
{
	struct desc *desc = reader->desc;
	const char *name = tree_string(tree_get(walk, "vm-name"));

	set_where(reader, walk, name);
	if (desc->nr_vms == DESC_MAX_VMS)
		return desc_fail(reader, "", "there are more than %u VMs", DESC_MAX_VMS);
	struct desc_vm *vm = &desc->vms[desc->nr_vms];
	vm->autostart = true;
	vm->weight = DESC_WEIGHT_DEFAULT;
	vm->stop_timeout_ms = DESC_STOP_DEFAULT_MS;
	int error = read_props(reader, walk, vm_rules, ARRAY_SIZE(vm_rules), vm);
	if (error != 0)
		return error;
	vm->verify_sha256 = tree_get(walk, "verify").data != NULL;
	error = check_vm(reader, vm);
	if (error == 0)
		desc->nr_vms++;
	return error;
}

// --- the whole ------------------------------------------------------------------------------------

static bool enters_mezzo(const struct tree_walk *walk)
{
	return walk->depth == MEZZO_DEPTH && strcmp(walk->name, "mezzo") == 0;
}

// Finds /mezzo and reads its own properties.
static int read_system(struct reader *reader, int *mezzo)
{
	struct tree_walk walk;

	for (tree_start(&walk, reader->fdt); tree_next(&walk);) {
		if (!enters_mezzo(&walk))
			continue;
		*mezzo = tree_offset(&walk);
		set_where(reader, &walk, NULL);
		return read_props(reader, &walk, system_rules, ARRAY_SIZE(system_rules),
		                  reader->desc);
	}
	(void)print_buffer(reader->problem->text, sizeof(reader->problem->text),
	                   "the device tree has no node /mezzo");
	return ERR_NOT_FOUND;
}

// Everything below /mezzo that is not a VM: the files and the nets, and nothing else.
static int read_files(struct reader *reader, int mezzo)
{
	struct tree_walk walk;
	int files = -1, error = 0;

	for (tree_start(&walk, reader->fdt); error == 0 && tree_next(&walk);) {
		if (walk.depth <= MEZZO_DEPTH || walk.level[MEZZO_DEPTH].offset != mezzo)
			continue;
		set_where(reader, &walk, NULL);
		if (walk.depth == MEZZO_DEPTH + 1 && strcmp(walk.name, "files") == 0 && files < 0) {
			files = tree_offset(&walk);
			error = read_props(reader, &walk, files_rules, ARRAY_SIZE(files_rules),
			                   reader->desc);
		} else if (walk.depth == MEZZO_DEPTH + 2 && tree_name_is(walk.name, "file") &&
		           walk.level[MEZZO_DEPTH + 1].offset == files) {
			error = read_file(reader, &walk);
		} else if (walk.depth == MEZZO_DEPTH + 1 && tree_name_is(walk.name, "net")) {
			error = read_net(reader, &walk);
		} else if (walk.depth != MEZZO_DEPTH + 1 || !tree_name_is(walk.name, "vm")) {
			error = desc_fail(reader, "",
			                  "this version of Mezzo does not know this node");
		}
	}
	return error;
}

static int read_vms(struct reader *reader, int mezzo)
{
	struct tree_walk walk;
	int error = 0;

	for (tree_start(&walk, reader->fdt); error == 0 && tree_next(&walk);) {
		if (walk.depth == MEZZO_DEPTH + 1 && walk.level[MEZZO_DEPTH].offset == mezzo &&
		    tree_name_is(walk.name, "vm"))
			error = read_vm(reader, &walk);
	}
	return error;
}

static int read_console(struct reader *reader, int mezzo)
{
	struct desc *desc = reader->desc;
	const char *console = fdt_getprop(reader->fdt, mezzo, "console", NULL);

	(void)string_copy(reader->where, "/mezzo", sizeof(reader->where));
	if (console == NULL || strcmp(console, "shell") == 0) {
		desc->console = DESC_CONSOLE_SHELL;
		return 0;
	}
	if (strcmp(console, "all") == 0) {
		desc->console = DESC_CONSOLE_ALL;
		return 0;
	}
	for (uint32_t i = 0; i < desc->nr_vms; i++) {
		if (strcmp(console, desc->vms[i].name) == 0) {
			desc->console = DESC_CONSOLE_VM;
			desc->console_vm = i;
			return 0;
		}
	}
	return desc_fail(reader, "console",
	                 "\"%s\" is neither all, nor shell, nor the name of a VM", console);
}

int desc_read(const void *fdt, size_t max_size, struct desc *desc, struct desc_problem *problem)
{
	struct reader reader = {.fdt = fdt, .desc = desc, .problem = problem, .where = ""};
	int mezzo = -1;

	memset(desc, 0, sizeof(*desc));
	memset(problem, 0, sizeof(*problem));
	const enum tree_fault fault = tree_check(fdt, max_size);
	if (fault != TREE_OK) {
		(void)print_buffer(problem->text, sizeof(problem->text),
		                   "the device tree is not usable: %s", tree_fault_text(fault));
		return ERR_INVALID;
	}
	int error = read_system(&reader, &mezzo);
	if (error == 0)
		error = read_files(&reader, mezzo);
	if (error == 0)
		error = read_vms(&reader, mezzo);
	if (error == 0)
		error = read_console(&reader, mezzo);
	return error;
}

uint32_t desc_group(const struct desc *desc, const struct desc_vm *vm)
{
	uint32_t i = 0;

	if (vm->group == NULL)
		return 0;
	while (desc->vms[i].group == NULL || strcmp(desc->vms[i].group, vm->group) != 0)
		i++;
	return i + 1;
}

struct desc_disk desc_disk(const struct desc *desc, const struct desc_vm *vm, uint32_t n)
{
	const char *text = vm->disks;
	struct desc_disk disk = {.name = ""};

	for (uint32_t i = 0; i < n; i++)
		text += strlen(text) + 1;
	(void)desc_parse_disk(desc, text, &disk); // it was checked
	return disk;
}
