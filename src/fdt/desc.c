// SPDX-License-Identifier: Apache-2.0
// Reading and checking the description of a system of virtual machines.
//
// Owns nothing: results are the caller's, strings stay in the tree. Called at EL2 when Mezzo starts, and
// by the host command.
// Invariant: desc_read() returns 0 only if every property was known, of its type and within its limits,
// and every name leads somewhere; three passes over the tree.
// Source: docs/bundle.md, "Description".
#include "fdt/desc.h"

#include <libfdt.h>
#include <stdarg.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "fdt/tree.h"

#define MEZZO_DEPTH 1 // /mezzo; its children are one deeper
#define MAX_RULES   32
#define MAX_ADDRESS (BIT_U64(48) - 1)
#define MAX_PIN     511
#define NO_OFFSET   SIZE_MAX
#define WHERE_SIZE  96

enum kind {
	KIND_IGNORED, // part of the form, without meaning here
	KIND_CONST,   // the string list must name `text`
	KIND_STRING,  // const char *, at most `max` bytes
	KIND_PATH,    // the same, not empty
	KIND_FILE,    // const struct desc_file *, by its path
	KIND_U64,     // uint64_t, min..max, a multiple of `unit`
	KIND_U32,     // uint32_t, min..max
	KIND_BOOL,    // bool, from a cell that is 0 or 1
	KIND_FLAG,    // bool, true by being there
	KIND_CHOICE,  // uint32_t, one of `choices`
	KIND_BYTES,   // const uint8_t *, exactly `max` bytes
	KIND_PINS,    // desc_vm.pin
	KIND_BUDGET,  // desc_vm.budget_us, period_us
};

struct choice {
	const char *text; // NULL ends the list
	uint32_t value;
};

// One property: its name, its form, its limits and where the value goes.
struct rule {
	const char *name;
	enum kind kind;
	bool required;
	size_t field;     // offset in the struct, or NO_OFFSET
	size_t has_field; // offset of a bool that is set when the property is there, or NO_OFFSET
	uint64_t min, max, unit;
	const char *text;
	const struct choice *choices;
};

struct reader {
	const void *fdt;
	struct desc *desc;
	struct desc_problem *problem;
	char where[WHERE_SIZE]; // the node being read, for messages
};

// --- what may be written --------------------------------------------------------------------------

static const struct choice machines[] = {{"virt", DESC_MACHINE_VIRT}, {NULL, 0}};
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

static const struct rule vm_rules[] = {
        {"compatible", KIND_CONST, true, NOWHERE, .text = "mezzo,vm"},
        {"reg", KIND_IGNORED, false, NOWHERE},
        {"phandle", KIND_IGNORED, false, NOWHERE},
        {"vm-name", KIND_PATH, true, IN(desc_vm, name), .max = DESC_NAME_MAX},
        {"machine", KIND_CHOICE, false, IN(desc_vm, machine), .choices = machines},
        {"kernel", KIND_FILE, true, IN(desc_vm, kernel), .max = DESC_PATH_MAX},
        {"initrd", KIND_FILE, false, IN(desc_vm, initrd), .max = DESC_PATH_MAX},
        {"dtb", KIND_FILE, false, IN(desc_vm, dtb), .max = DESC_PATH_MAX},
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
};

STATIC_ASSERT(ARRAY_SIZE(vm_rules) <= MAX_RULES, "the set of seen rules is a 32-bit word");
STATIC_ASSERT(sizeof(enum desc_machine) == sizeof(uint32_t), "a choice is stored as 32 bits");

// --- one property ---------------------------------------------------------------------------------

PRINTF_LIKE(3, 4)
static int fail(struct reader *reader, const char *name, const char *format, ...)
{
	char text[DESC_PROBLEM_SIZE];
	va_list args;

	va_start(args, format);
	(void)print_vbuffer(text, sizeof(text), format, args);
	va_end(args);
	(void)print_buffer(reader->problem->text, sizeof(reader->problem->text), "%s: %s%s%s",
	                   reader->where, name, name[0] == '\0' ? "" : ": ", text);
	// Names out of the tree may hold anything: a terminal must not be steered by them.
	tree_copy_text(reader->problem->text, sizeof(reader->problem->text), reader->problem->text);
	return ERR_INVALID;
}

static int take_string(struct reader *reader, const struct rule *rule, struct tree_value value,
                       const char **string)
{
	*string = tree_string(value);
	if (*string == NULL || strlen(*string) + 1 != value.size)
		return fail(reader, rule->name, "is not one string");
	if (value.size - 1 > rule->max)
		return fail(reader, rule->name, "has %u bytes; it may have %u",
		            (unsigned)(value.size - 1), (unsigned)rule->max);
	if (rule->kind != KIND_STRING && value.size == 1)
		return fail(reader, rule->name, "is empty");
	return 0;
}

static const struct desc_file *find_file(const struct desc *desc, const char *path)
{
	for (uint32_t i = 0; i < desc->nr_files; i++) {
		if (strcmp(desc->files[i].path, path) == 0)
			return &desc->files[i];
	}
	return NULL;
}

static int take_file(struct reader *reader, const struct rule *rule, struct tree_value value,
                     const struct desc_file **file)
{
	const char *path;

	if (take_string(reader, rule, value, &path) != 0)
		return ERR_INVALID;
	*file = find_file(reader->desc, path);
	if (*file == NULL)
		return fail(reader, rule->name, "\"%s\" is not among the files of /mezzo/files",
		            path);
	return 0;
}

static int take_number(struct reader *reader, const struct rule *rule, struct tree_value value,
                       uint64_t *number)
{
	const uint32_t size = rule->kind == KIND_U64 ? sizeof(uint64_t) : sizeof(uint32_t);

	if (value.size != size || !tree_number(value, number))
		return fail(reader, rule->name, "is not one number of %u bits", size * 8);
	if (rule->min == rule->max && *number != rule->min)
		return fail(reader, rule->name, "is %llu; this version of Mezzo knows only %llu",
		            (unsigned long long)*number, (unsigned long long)rule->min);
	if (*number < rule->min || *number > rule->max)
		return fail(reader, rule->name, "is %llu; it may be %llu to %llu",
		            (unsigned long long)*number, (unsigned long long)rule->min,
		            (unsigned long long)rule->max);
	if (rule->kind == KIND_U64 && *number % rule->unit != 0)
		return fail(reader, rule->name, "is %llu, which is not a multiple of %llu",
		            (unsigned long long)*number, (unsigned long long)rule->unit);
	return 0;
}

static int take_choice(struct reader *reader, const struct rule *rule, struct tree_value value,
                       uint32_t *chosen)
{
	const char *text = tree_string(value);
	char list[WHERE_SIZE] = "";
	size_t used = 0;

	for (const struct choice *c = rule->choices; c->text != NULL; c++) {
		if (tree_is_string(value, c->text)) {
			*chosen = c->value;
			return 0;
		}
		used += print_buffer(list + used, sizeof(list) - used, "%s%s",
		                     used == 0 ? "" : ", ", c->text);
	}
	return fail(reader, rule->name, "\"%.32s\" is unknown to this version; it knows: %s",
	            text == NULL ? "" : text, list);
}

static int take_pins(struct reader *reader, const struct rule *rule, struct tree_value value,
                     struct desc_vm *vm)
{
	const uint32_t count = value.size / (uint32_t)sizeof(fdt32_t);

	if (value.size % sizeof(fdt32_t) != 0 || count == 0 || count > DESC_MAX_PINS)
		return fail(reader, rule->name, "is not a list of 1 to %u CPU numbers",
		            DESC_MAX_PINS);
	for (uint32_t i = 0; i < count; i++) {
		(void)tree_cell(value, i, &vm->pin[i]);
		if (vm->pin[i] > rule->max)
			return fail(reader, rule->name, "names CPU %u; the highest can be %u",
			            vm->pin[i], (unsigned)rule->max);
		for (uint32_t j = 0; j < i; j++) {
			if (vm->pin[j] == vm->pin[i])
				return fail(reader, rule->name, "names CPU %u twice", vm->pin[i]);
		}
	}
	vm->nr_pins = count;
	return 0;
}

static int take_budget(struct reader *reader, const struct rule *rule, struct tree_value value,
                       struct desc_vm *vm)
{
	if (value.size != 2 * sizeof(fdt32_t))
		return fail(reader, rule->name, "is not two numbers, a budget and its period");
	(void)tree_cell(value, 0, &vm->budget_us);
	(void)tree_cell(value, 1, &vm->period_us);
	if (vm->period_us < DESC_PERIOD_MIN_US || vm->period_us > DESC_PERIOD_MAX_US)
		return fail(reader, rule->name, "has a period of %u us; it may be %u to %u",
		            vm->period_us, DESC_PERIOD_MIN_US, DESC_PERIOD_MAX_US);
	if (vm->budget_us < DESC_BUDGET_MIN_US || vm->budget_us > vm->period_us)
		return fail(reader, rule->name, "is %u us in %u us; it may be %u to the period",
		            vm->budget_us, vm->period_us, DESC_BUDGET_MIN_US);
	return 0;
}

static void store(void *object, size_t field, const void *value, size_t size)
{
	if (field != NO_OFFSET)
		memcpy((uint8_t *)object + field, value, size);
}

static int take_scalar(struct reader *reader, const struct rule *rule, struct tree_value value,
                       void *object)
{
	uint64_t number;

	if (take_number(reader, rule, value, &number) != 0)
		return ERR_INVALID;
	const uint32_t cell = (uint32_t)number;
	const bool flag = number != 0;

	if (rule->kind == KIND_U64)
		store(object, rule->field, &number, sizeof(number));
	else if (rule->kind == KIND_U32)
		store(object, rule->field, &cell, sizeof(cell));
	else
		store(object, rule->field, &flag, sizeof(flag));
	return 0;
}

static int take_pointer(struct reader *reader, const struct rule *rule, struct tree_value value,
                        void *object)
{
	const struct desc_file *file;
	const char *string;
	int error;

	switch (rule->kind) {
	case KIND_STRING:
	case KIND_PATH:
		error = take_string(reader, rule, value, &string);
		if (error == 0)
			store(object, rule->field, &string, sizeof(string));
		return error;
	case KIND_FILE:
		error = take_file(reader, rule, value, &file);
		if (error == 0)
			store(object, rule->field, &file, sizeof(void *));
		return error;
	default:
		if (value.size != rule->max)
			return fail(reader, rule->name, "has %u bytes, not %u", value.size,
			            (unsigned)rule->max);
		store(object, rule->field, &value.data, sizeof(value.data));
		return 0;
	}
}

static int take(struct reader *reader, const struct rule *rule, struct tree_value value,
                void *object)
{
	const bool yes = true;
	uint32_t chosen = 0;
	int error = 0;

	store(object, rule->has_field, &yes, sizeof(yes));
	switch (rule->kind) {
	case KIND_IGNORED: break;
	case KIND_CONST:
		if (!tree_list_has(value, rule->text))
			error = fail(reader, rule->name, "is not \"%s\"", rule->text);
		break;
	case KIND_STRING:
	case KIND_PATH:
	case KIND_FILE:
	case KIND_BYTES: error = take_pointer(reader, rule, value, object); break;
	case KIND_U64:
	case KIND_U32:
	case KIND_BOOL: error = take_scalar(reader, rule, value, object); break;
	case KIND_FLAG:
		if (value.size != 0)
			error = fail(reader, rule->name, "is a flag and takes no value");
		store(object, rule->field, &yes, sizeof(yes));
		break;
	case KIND_CHOICE:
		error = take_choice(reader, rule, value, &chosen);
		if (error == 0)
			store(object, rule->field, &chosen, sizeof(chosen));
		break;
	case KIND_PINS: error = take_pins(reader, rule, value, object); break;
	case KIND_BUDGET: error = take_budget(reader, rule, value, object); break;
	}
	return error;
}

// --- one node -------------------------------------------------------------------------------------

// Reads every property of the node by the rules. Unknown, repeated or missing ones are errors.
static int read_props(struct reader *reader, const struct tree_walk *walk, const struct rule *rules,
                      unsigned count, void *object)
{
	uint32_t seen = 0;
	int at;

	fdt_for_each_property_offset(at, reader->fdt, tree_offset(walk))
	{
		const char *name;
		int length;
		const uint8_t *data = fdt_getprop_by_offset(reader->fdt, at, &name, &length);
		unsigned i = 0;

		if (data == NULL || length < 0)
			return fail(reader, "", "the tree is damaged");
		while (i < count && strcmp(rules[i].name, name) != 0)
			i++;
		if (i == count)
			return fail(reader, name,
			            "this version of Mezzo does not know this property");
		if ((seen & BIT_U32(i)) != 0)
			return fail(reader, name, "is given twice");
		seen |= BIT_U32(i);
		const int error = take(reader, &rules[i],
		                       (struct tree_value){data, (uint32_t)length}, object);
		if (error != 0)
			return error;
	}
	for (unsigned i = 0; i < count; i++) {
		if (rules[i].required && (seen & BIT_U32(i)) == 0)
			return fail(reader, rules[i].name, "is missing");
	}
	return 0;
}

static int read_file(struct reader *reader, const struct tree_walk *walk)
{
	struct desc *desc = reader->desc;

	if (desc->nr_files == DESC_MAX_FILES)
		return fail(reader, "", "there are more than %u files", DESC_MAX_FILES);
	struct desc_file *file = &desc->files[desc->nr_files];
	const int error = read_props(reader, walk, file_rules, ARRAY_SIZE(file_rules), file);
	if (error != 0)
		return error;
	if (find_file(desc, file->path) != NULL)
		return fail(reader, "path", "\"%s\" is there already", file->path);
	desc->nr_files++;
	return 0;
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
			return fail(reader, "vm-name",
			            "\"%s\" may only have letters, digits and - _ . and must "
			            "start with a letter or digit",
			            name);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++) {
		if (strcmp(name, taken[i]) == 0)
			return fail(reader, "vm-name", "\"%s\" is Mezzo's own word; choose another",
			            name);
	}
	for (uint32_t i = 0; i < desc->nr_vms; i++) {
		if (strcmp(name, desc->vms[i].name) == 0)
			return fail(reader, "vm-name", "\"%s\" names another VM already", name);
	}
	return 0;
}

static int check_vm(struct reader *reader, const struct desc_vm *vm)
{
	const struct desc_file *files[] = {vm->kernel, vm->initrd, vm->dtb};
	const int error = check_name(reader, vm->name);

	if (error != 0)
		return error;
	if (vm->exclusive && vm->nr_pins < vm->cpus)
		return fail(reader, "exclusive",
		            "\"pin\" names %u CPUs for %u vCPUs; give each one of its own",
		            vm->nr_pins, vm->cpus);
	for (unsigned i = 0; vm->verify_sha256 && i < ARRAY_SIZE(files); i++) {
		if (files[i] != NULL && files[i]->sha256 == NULL)
			return fail(reader, "verify",
			            "asks for the SHA-256 of \"%s\", which the description does "
			            "not give",
			            files[i]->path);
	}
	return 0;
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
		return fail(reader, "", "there are more than %u VMs", DESC_MAX_VMS);
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

// Everything below /mezzo that is not a VM: the files, and nothing else.
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
		} else if (walk.depth != MEZZO_DEPTH + 1 || !tree_name_is(walk.name, "vm")) {
			error = fail(reader, "", "this version of Mezzo does not know this node");
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
	return fail(reader, "console", "\"%s\" is neither all, nor shell, nor the name of a VM",
	            console);
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
