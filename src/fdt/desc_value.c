// SPDX-License-Identifier: Apache-2.0
// The kinds of values that a description has: each is checked and stored as its rule says.
//
// Owns nothing. Called by desc.c for one property after another.
// Invariant: what is stored has the type and the limits of its rule.
// Source: docs/bundle.md, "Description".
#include "fdt/desc_value.h"

#include <libfdt.h>
#include <stdarg.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"

int desc_fail(struct reader *reader, const char *name, const char *format, ...)
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
		return desc_fail(reader, rule->name, "is not one string");
	if (value.size - 1 > rule->max)
		return desc_fail(reader, rule->name, "has %u bytes; it may have %u",
		                 (unsigned)(value.size - 1), (unsigned)rule->max);
	if (rule->kind != KIND_STRING && value.size == 1)
		return desc_fail(reader, rule->name, "is empty");
	return 0;
}

const struct desc_file *desc_find_file(const struct desc *desc, const char *path)
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
	*file = desc_find_file(reader->desc, path);
	if (*file == NULL)
		return desc_fail(reader, rule->name,
		                 "\"%s\" is not among the files of /mezzo/files", path);
	return 0;
}

static int take_number(struct reader *reader, const struct rule *rule, struct tree_value value,
                       uint64_t *number)
{
	const uint32_t size = rule->kind == KIND_U64 ? sizeof(uint64_t) : sizeof(uint32_t);

	if (value.size != size || !tree_number(value, number))
		return desc_fail(reader, rule->name, "is not one number of %u bits", size * 8);
	if (rule->min == rule->max && *number != rule->min)
		return desc_fail(reader, rule->name,
		                 "is %llu; this version of Mezzo knows only %llu",
		                 (unsigned long long)*number, (unsigned long long)rule->min);
	if (*number < rule->min || *number > rule->max)
		return desc_fail(reader, rule->name, "is %llu; it may be %llu to %llu",
		                 (unsigned long long)*number, (unsigned long long)rule->min,
		                 (unsigned long long)rule->max);
	if (rule->kind == KIND_U64 && *number % rule->unit != 0)
		return desc_fail(reader, rule->name, "is %llu, which is not a multiple of %llu",
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
	return desc_fail(reader, rule->name, "\"%.32s\" is unknown to this version; it knows: %s",
	                 text == NULL ? "" : text, list);
}

static int take_pins(struct reader *reader, const struct rule *rule, struct tree_value value,
                     struct desc_vm *vm)
{
	const uint32_t count = value.size / (uint32_t)sizeof(fdt32_t);

	if (value.size % sizeof(fdt32_t) != 0 || count == 0 || count > DESC_MAX_PINS)
		return desc_fail(reader, rule->name, "is not a list of 1 to %u CPU numbers",
		                 DESC_MAX_PINS);
	for (uint32_t i = 0; i < count; i++) {
		(void)tree_cell(value, i, &vm->pin[i]);
		if (vm->pin[i] > rule->max)
			return desc_fail(reader, rule->name, "names CPU %u; the highest can be %u",
			                 vm->pin[i], (unsigned)rule->max);
		for (uint32_t j = 0; j < i; j++) {
			if (vm->pin[j] == vm->pin[i])
				return desc_fail(reader, rule->name, "names CPU %u twice",
				                 vm->pin[i]);
		}
	}
	vm->nr_pins = count;
	return 0;
}

const char *desc_parse_disk(const struct desc *desc, const char *text, struct desc_disk *disk)
{
	static const struct {
		const char *prefix;
		enum desc_image mode;
		bool host;
	} modes[] = {
	        {"cow:", DESC_IMAGE_COW, false},   {"keep:", DESC_IMAGE_KEEP, false},
	        {"ro:", DESC_IMAGE_RO, false},     {"host:", DESC_IMAGE_KEEP, true},
	        {"host-ro:", DESC_IMAGE_RO, true},
	};
	unsigned i = 0;

	while (i < ARRAY_SIZE(modes) &&
	       strncmp(text, modes[i].prefix, strlen(modes[i].prefix)) != 0)
		i++;
	if (i == ARRAY_SIZE(modes))
		return "begins with none of cow: keep: ro: host: host-ro:";
	*disk = (struct desc_disk){.name = text + strlen(modes[i].prefix), .mode = modes[i].mode};
	const size_t length = strlen(disk->name);
	if (modes[i].host)
		return length != 0 && length <= DESC_HOST_MAX ? NULL : "names no disk of the board";
	disk->file = desc_find_file(desc, disk->name);
	if (disk->file == NULL)
		return "is not among the files of /mezzo/files";
	return disk->file->size != 0 && disk->file->size % DESC_SECTOR_SIZE == 0
	               ? NULL
	               : "has no whole sectors of 512 bytes";
}

static int take_disks(struct reader *reader, const struct rule *rule, struct tree_value value,
                      struct desc_vm *vm)
{
	struct desc_disk disk;

	if (value.size == 0 || value.data[value.size - 1] != '\0')
		return desc_fail(reader, rule->name, "is not a list of strings");
	for (uint32_t at = 0; at < value.size; vm->nr_disks++) {
		const char *text = (const char *)value.data + at;
		const char *why = desc_parse_disk(reader->desc, text, &disk);

		if (vm->nr_disks == DESC_MAX_DISKS)
			return desc_fail(reader, rule->name, "names more than %u disks",
			                 DESC_MAX_DISKS);
		if (why != NULL)
			return desc_fail(reader, rule->name, "\"%.64s\" %s", text, why);
		at += (uint32_t)strlen(text) + 1;
	}
	vm->disks = (const char *)value.data;
	return 0;
}

static int take_budget(struct reader *reader, const struct rule *rule, struct tree_value value,
                       struct desc_vm *vm)
{
	if (value.size != 2 * sizeof(fdt32_t))
		return desc_fail(reader, rule->name, "is not two numbers, a budget and its period");
	(void)tree_cell(value, 0, &vm->budget_us);
	(void)tree_cell(value, 1, &vm->period_us);
	if (vm->period_us < DESC_PERIOD_MIN_US || vm->period_us > DESC_PERIOD_MAX_US)
		return desc_fail(reader, rule->name, "has a period of %u us; it may be %u to %u",
		                 vm->period_us, DESC_PERIOD_MIN_US, DESC_PERIOD_MAX_US);
	if (vm->budget_us < DESC_BUDGET_MIN_US || vm->budget_us > vm->period_us)
		return desc_fail(reader, rule->name,
		                 "is %u us in %u us; it may be %u to the period", vm->budget_us,
		                 vm->period_us, DESC_BUDGET_MIN_US);
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
	uint64_t number = 0;

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
			return desc_fail(reader, rule->name, "has %u bytes, not %u", value.size,
			                 (unsigned)rule->max);
		store(object, rule->field, &value.data, sizeof(value.data));
		return 0;
	}
}

int desc_take(struct reader *reader, const struct rule *rule, struct tree_value value, void *object)
{
	const bool yes = true;
	uint32_t chosen = 0;
	int error = 0;

	store(object, rule->has_field, &yes, sizeof(yes));
	switch (rule->kind) {
	case KIND_IGNORED: break;
	case KIND_CONST:
		if (!tree_list_has(value, rule->text))
			error = desc_fail(reader, rule->name, "is not \"%s\"", rule->text);
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
			error = desc_fail(reader, rule->name, "is a flag and takes no value");
		store(object, rule->field, &yes, sizeof(yes));
		break;
	case KIND_CHOICE:
		error = take_choice(reader, rule, value, &chosen);
		if (error == 0)
			store(object, rule->field, &chosen, sizeof(chosen));
		break;
	case KIND_PINS: error = take_pins(reader, rule, value, object); break;
	case KIND_DISKS: error = take_disks(reader, rule, value, object); break;
	case KIND_BUDGET: error = take_budget(reader, rule, value, object); break;
	case KIND_NETS: error = desc_take_nets(reader, rule, value, object); break;
	case KIND_MACS: error = desc_take_macs(reader, rule, value, object); break;
	}
	return error;
}
