// SPDX-License-Identifier: Apache-2.0
//
// The grammar of values. One row a key says where its value goes and what it may be; a key or
// value that is known but not built in this version is a row too, so that it is refused by name
// and never ignored.
//
// Called by conf.c for each assignment of a file and by the verbs for each option that stands for
// one.
// Invariant: a key that is set holds a value that its row allows. What depends on other keys, on
// files or on the board is check.c's.
#include "schema.h"

#include "base/bits.h"
#include "fdt/board.h"
#include "schema_net.h"
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	KIND_TEXT,
	KIND_PATH,
	KIND_CHOICE,
	KIND_SIZE,
	KIND_NUMBER,
	KIND_TIME, // milliseconds; without a unit seconds
	KIND_BOOL,
	KIND_LIST,
	KIND_BUDGET,
	KIND_NICS,
	KIND_UPLINK,
	KIND_IMAGE, // a path, perhaps behind cow:, keep: or ro:
	KIND_DISKS, // several of them, and disks of the board
};

struct choice {
	const char *name;
	bool built;
};

struct key {
	const char *name;
	bool built;
	enum kind kind;
	size_t offset;                // of its struct text_key, number_key, list_key or budget_key
	uint64_t least, most;         // of KIND_SIZE, KIND_NUMBER, KIND_TIME, each of KIND_LIST
	const struct choice *choices; // of KIND_CHOICE; ends in a NULL name
	const char *example;
};

static const struct choice boards[] = {
        {"virt", true}, {"raspi3b", true}, {"raspi4b", true}, {"sbsa-ref", false}, {NULL, false},
};
static const struct choice ends[] = {{"poweroff", true}, {"shell", true}, {NULL, false}};
static const struct choice machines[] = {
        {"virt", true},
        {"raspi3", true},
        {"host", false},
        {NULL, false},
};
static const struct choice crashes[] = {
        {"stop", true},
        {"restart", true},
        {"halt-all", true},
        {NULL, false},
};
static const struct choice virtios[] = {
        {"modern", true},
        {"legacy", true},
        {NULL, false},
};
static const struct choice sums[] = {{"sha256", true}, {NULL, false}};

#define TOP(field) offsetof(struct system, field)
#define VM(field)  offsetof(struct vm, field)
#define NET(field) offsetof(struct net, field)

#define US_PER_MS   UINT64_C(1000)
#define US_PER_S    UINT64_C(1000000)
#define ADDRESS_MAX GENMASK_U64(47, 0) // no Arm CPU without FEAT_LPA translates more
#define LATER(key)                            \
	{                                     \
		.name = (key), .built = false \
	}

static const struct key top_keys[] = {
        {"board", true, KIND_CHOICE, TOP(board), .choices = boards, .example = "virt"},
        {"on_all_off", true, KIND_CHOICE, TOP(on_all_off), .choices = ends, .example = "shell"},
        {"overcommit", true, KIND_BOOL, TOP(overcommit), .example = "true"},
        {"fast_exits", true, KIND_BOOL, TOP(fast_exits), .example = "false"},
        {.name = NULL},
};

static const struct key vm_keys[] = {
        {"machine", true, KIND_CHOICE, VM(machine), .choices = machines, .example = "virt"},
        {"kernel", true, KIND_PATH, VM(kernel), .example = "vmlinuz"},
        {"initrd", true, KIND_PATH, VM(initrd), .example = "rootfs.cpio.gz"},
        {"config", true, KIND_PATH, VM(config), .example = "card/config.txt"},
        {"firmware", true, KIND_PATH, VM(firmware), .example = "u-boot.bin"},
        {"dtb", true, KIND_PATH, VM(dtb), .example = "guest.dtb"},
        {"cmdline", true, KIND_TEXT, VM(cmdline), .example = "\"console=ttyAMA0\""},
        {"load", true, KIND_NUMBER, VM(load), 0, ADDRESS_MAX, .example = "0x40080000"},
        {"entry", true, KIND_NUMBER, VM(entry), 0, ADDRESS_MAX, .example = "0x40080000"},
        {"memory", true, KIND_SIZE, VM(memory), DESC_MIN_MEMORY, DESC_MAX_MEMORY,
         .example = "512M"},
        {"cpus", true, KIND_NUMBER, VM(cpus), 1, DESC_MAX_VCPUS, .example = "2"},
        {"gic", true, KIND_NUMBER, VM(gic), 2, 3, .example = "3"},
        {"disk", true, KIND_DISKS, VM(disks), .example = "{ data.img }"},
        {"virtio", true, KIND_CHOICE, VM(virtio), .choices = virtios, .example = "legacy"},
        {"net", true, KIND_NICS, VM(nics), .example = "{ lan0 }"},
        {"virtio_console", true, KIND_BOOL, VM(virtio_console), .example = "true"},
        {"rng", true, KIND_BOOL, VM(rng), .example = "true"},
        {"balloon", true, KIND_BOOL, VM(balloon), .example = "true"},
        {"vsock", true, KIND_NUMBER, VM(vsock), DESC_CID_MIN, DESC_CID_MAX, .example = "10"},
        {"vsock_group", true, KIND_TEXT, VM(vsock_group), .example = "\"fleet\""},
        {"manage", true, KIND_BOOL, VM(manage), .example = "true"},
        {"sdcard", true, KIND_IMAGE, VM(sdcard), .example = "\"cow:card.img\""},
        LATER("passthrough"),
        LATER("features"),
        {"pin", true, KIND_LIST, VM(pin), 0, BOARD_MAX_CPUS - 1, .example = "{ 3 }"},
        {"exclusive", true, KIND_BOOL, VM(exclusive), .example = "true"},
        {"weight", true, KIND_NUMBER, VM(weight), 1, DESC_WEIGHT_MAX, .example = "200"},
        {"priority", true, KIND_NUMBER, VM(priority), 0, DESC_PRIORITY_MAX, .example = "1"},
        {"budget", true, KIND_BUDGET, VM(budget), .example = "2ms/10ms"},
        {"autostart", true, KIND_BOOL, VM(autostart), .example = "false"},
        {"on_crash", true, KIND_CHOICE, VM(on_crash), .choices = crashes, .example = "restart"},
        {"stop_timeout", true, KIND_TIME, VM(stop_timeout), DESC_STOP_MIN_MS, DESC_STOP_MAX_MS,
         .example = "10s"},
        {"verify", true, KIND_CHOICE, VM(verify), .choices = sums, .example = "sha256"},
        {.name = NULL},
};

static const struct key net_keys[] = {
        {"uplink", true, KIND_UPLINK, NET(uplink), .example = "\"host:net0\""},
        {"anti_spoof", true, KIND_BOOL, NET(anti_spoof), .example = "true"},
        {"limit", true, KIND_SIZE, NET(limit), DESC_LIMIT_MIN, DESC_LIMIT_MAX, .example = "100M"},
        {.name = NULL},
};

static const struct key *const tables[SCHEMA_SCOPES] = {
        [SCHEMA_TOP] = top_keys,
        [SCHEMA_VM] = vm_keys,
        [SCHEMA_NET] = net_keys,
};

const char *const *schema_keys(enum schema_scope scope)
{
	const struct key *keys = tables[scope];
	const char **names = NULL;
	size_t count = 0;

	do {
		names = util_grow(names, count + 1, sizeof(*names));
		names[count] = keys[count].name;
	} while (keys[count++].name != NULL);
	return names;
}

// --- values --------------------------------------------------------------------------------------

static bool parse_unsigned(const char *text, uint64_t *out, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &stop,
	                *text == '0' && tolower((unsigned char)text[1]) == 'x' ? 16 : 10);
	*end = stop;
	return errno == 0 && stop != text;
}

bool schema_parse_number(const char *text, uint64_t *out)
{
	const char *end;

	return parse_unsigned(text, out, &end) && *end == '\0';
}

bool schema_parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *end, *unit;
	unsigned int shift = 0;
	uint64_t number;

	if (!parse_unsigned(text, &number, &end))
		return false;
	if (*end != '\0') {
		unit = strchr(units, toupper((unsigned char)*end));
		if (unit == NULL)
			return false;
		shift = 10 * (unsigned int)(unit - units + 1);
		end++;
		if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0)
			end = "";
	}
	*out = number << shift;
	return *end == '\0' && *out >> shift == number;
}

// A time in microseconds; `plain` is what one without a unit counts in, 0: it must have one. NULL,
// or what is wrong with it.
static const char *parse_time(const char *text, uint64_t plain, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t us;
	} units[] = {{"us", 1}, {"ms", US_PER_MS}, {"s", US_PER_S}};
	uint64_t number, us = 0;
	const char *unit;

	if (!parse_unsigned(text, &number, &unit))
		return "is not a time";
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			us = units[i].us;
	if (*unit == '\0')
		us = plain;
	if (us == 0)
		return *unit == '\0'
		               ? "has no unit; use us, ms or s"
		               : util_format("has the unknown unit `%s`; use us, ms or s", unit);
	*out = number > UINT64_MAX / us ? UINT64_MAX : number * us;
	return NULL;
}

static bool parse_bool(const char *text, uint64_t *out)
{
	static const char *const words[] = {"false", "no", "off", "0", "true", "yes", "on", "1"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i >= ARRAY_SIZE(words) / 2;
			return true;
		}
	}
	return false;
}

static const char *const *choice_names(const struct choice *choices)
{
	static const char *names[8];
	size_t count = 0;

	for (; choices[count].name != NULL && count + 1 < ARRAY_SIZE(names); count++)
		names[count] = choices[count].name;
	names[count] = NULL;
	return names;
}

// "a, b or c": the built ones of `choices`.
static const char *choice_list(const struct choice *choices)
{
	const char *text = NULL;

	for (; choices->name != NULL; choices++) {
		bool last = choices[1].name == NULL || !choices[1].built;

		if (choices->built)
			text = text == NULL ? choices->name
			                    : util_format("%s%s%s", text, last ? " or " : ", ",
			                                  choices->name);
	}
	return text;
}

static void set_choice(const struct key *key, struct text_key *out, const char *text,
                       struct place at, struct diags *diags)
{
	for (const struct choice *c = key->choices; c->name != NULL; c++) {
		if (strcmp(c->name, text) != 0)
			continue;
		if (c->built)
			*out = (struct text_key){c->name, at};
		else
			diag_add(diags, at, "%s `%s` is not supported by this version; use %s",
			         key->name, text, choice_list(key->choices));
		return;
	}
	diag_add(diags, at, "%s `%s` is unknown; use %s%s", key->name, text,
	         choice_list(key->choices), diag_suggest(text, choice_names(key->choices)));
}

// One number of a row's kind within the row's bounds, else a mistake.
static bool get_number(const struct key *key, const char *text, uint64_t *out, struct place at,
                       struct diags *diags)
{
	bool size = key->kind == KIND_SIZE;

	if (!(size ? schema_parse_size : schema_parse_number)(text, out)) {
		diag_add(diags, at, "%s: `%s` is not a %s; write for example `%s = %s`", key->name,
		         text, size ? "size" : "number", key->name, key->example);
		return false;
	}
	if (*out >= key->least && *out <= key->most)
		return true;
	if (size)
		diag_add(diags, at, "%s: `%s` is out of range; give %s to %s", key->name, text,
		         util_size(key->least), util_size(key->most));
	else
		diag_add(diags, at, "%s: `%s` is out of range; give %llu to %llu", key->name, text,
		         (unsigned long long)key->least, (unsigned long long)key->most);
	return false;
}

static void set_time(const struct key *key, struct number_key *out, const char *text,
                     struct place at, struct diags *diags)
{
	uint64_t us = 0;
	const char *why = parse_time(text, US_PER_S, &us);

	if (why != NULL)
		diag_add(diags, at, "%s: `%s` %s; write for example `%s = %s`", key->name, text,
		         why, key->name, key->example);
	else if (us < key->least * US_PER_MS || us > key->most * US_PER_MS)
		diag_add(diags, at, "%s: `%s` is out of range; give %llus to %llus", key->name,
		         text, (unsigned long long)(key->least * US_PER_MS / US_PER_S),
		         (unsigned long long)(key->most * US_PER_MS / US_PER_S));
	else
		*out = (struct number_key){us / US_PER_MS, at};
}

// "2ms/10ms": a time of CPU in a period.
static void set_budget(const struct key *key, struct budget_key *out, const char *text,
                       struct place at, struct diags *diags)
{
	const char *slash = strchr(text, '/'), *why = NULL, *wrong = text;
	struct budget_key budget = {.at = at};

	if (slash != NULL) {
		wrong = util_format("%.*s", (int)(slash - text), text);
		why = parse_time(wrong, 0, &budget.budget);
	}
	if (slash != NULL && why == NULL) {
		wrong = slash + 1;
		why = parse_time(wrong, 0, &budget.period);
	}
	if (slash == NULL)
		why = "is not a time in a period";
	if (why != NULL)
		diag_add(diags, at, "%s: `%s` %s; write for example `%s = %s`", key->name, wrong,
		         why, key->name, key->example);
	else if (budget.period < DESC_PERIOD_MIN_US || budget.period > DESC_PERIOD_MAX_US)
		diag_add(diags, at, "%s: the period `%s` is out of range; give 100us to 1s",
		         key->name, wrong);
	else if (budget.budget > budget.period)
		diag_add(diags, at,
		         "%s: `%s` is more time than its period has; give at most the period",
		         key->name, text);
	else if (budget.budget < DESC_BUDGET_MIN_US)
		diag_add(diags, at, "%s: `%s` is too little; give at least %uus", key->name, text,
		         DESC_BUDGET_MIN_US);
	else
		*out = budget;
}

static void set_list(const struct key *key, struct list_key *out, const char *const *text,
                     size_t count, struct place at, struct diags *diags)
{
	if (count > DESC_MAX_PINS) {
		diag_add(diags, at, "%s: %zu numbers are too many; give at most %d", key->name,
		         count, DESC_MAX_PINS);
		return;
	}
	struct list_key list = {.value = util_alloc(count * sizeof(*list.value)), .at = at};

	for (size_t i = 0; i < count; i++) {
		uint64_t number = 0;

		if (!get_number(key, text[i], &number, at, diags))
			return;
		for (size_t j = 0; j < i; j++) {
			if (list.value[j] == number) {
				diag_add(diags, at, "%s: %s is named twice; name each core once",
				         key->name, text[i]);
				return;
			}
		}
		list.value[list.count++] = (uint32_t)number;
	}
	*out = list;
}

static void set_text(const struct system *system, const struct key *key, struct text_key *out,
                     const char *text, struct place at, struct diags *diags)
{
	bool file = key->kind == KIND_PATH || key->kind == KIND_IMAGE || key->kind == KIND_DISKS;

	if (file && *text == '\0') {
		diag_add(diags, at, "%s names no file; write for example `%s = %s`", key->name,
		         key->name, key->example);
		return;
	}
	if (file && *text != '/' && system->dir != NULL)
		text = util_format("%s%s", system->dir, text);
	*out = (struct text_key){text, at};
}

// A path like any other behind the first colon, if a word stands before it: `words` is how people are told of them.
static void set_image(const struct system *system, const struct key *key, struct image_key *out,
                      const char *text, const char *words, struct place at, struct diags *diags)
{
	static const char *const modes[] = {"cow", "keep", "ro"};
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	struct text_key path = {NULL, at};
	const char *mode = modes[0];

	if (text[word] == ':') {
		mode = NULL;
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
			if (strlen(modes[i]) == word && strncmp(text, modes[i], word) == 0)
				mode = modes[i];
		if (mode == NULL) {
			diag_add(diags, at,
			         "%s: `%.*s` is unknown; use %s, or write `./%s` for a file of "
			         "that name",
			         key->name, (int)word + 1, text, words, text);
			return;
		}
		text += word + 1;
	}
	set_text(system, key, &path, text, at, diags);
	if (path.value != NULL)
		*out = (struct image_key){path.value, mode, at};
}

// "host:vda2", "ro:host:vda". False: it is no disk of the board.
static bool set_host_disk(const struct key *key, struct disk_key *out, const char *text,
                          struct place at, struct diags *diags)
{
	bool ro = strncmp(text, "ro:host:", strlen("ro:host:")) == 0;

	if (!ro && strncmp(text, "host:", strlen("host:")) != 0)
		return false;
	text = strchr(text, ':') + 1;
	text += ro ? strlen("host:") : 0;
	size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	size_t digits = strspn(text + letters, "0123456789");
	if (letters == 0 || text[letters + digits] != '\0' || letters + digits > DESC_HOST_MAX)
		diag_add(diags, at,
		         "%s: `%s` names no disk of a board; write for example `host:vda`, or "
		         "`host:vda2` for a partition",
		         key->name, text);
	else
		*out = (struct disk_key){
		        .value = text, .mode = ro ? "host-ro" : "host", .host = true, .at = at};
	return true;
}

static void set_disks(const struct system *system, const struct key *key, struct disks_key *out,
                      const char *const *text, size_t count, struct place at, struct diags *diags)
{
	struct disks_key disks = {.count = count};

	if (count > DESC_MAX_DISKS) {
		diag_add(diags, at, "%s: %zu disks are too many; give at most %d", key->name, count,
		         DESC_MAX_DISKS);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct image_key image = {.value = NULL};

		if (!set_host_disk(key, &disks.disk[i], text[i], at, diags)) {
			set_image(system, key, &image, text[i], "cow:, keep:, ro: or host:", at,
			          diags);
			disks.disk[i] = (struct disk_key){
			        .value = image.value, .mode = image.mode, .at = at};
		}
		if (disks.disk[i].value == NULL)
			return;
	}
	*out = disks;
}

static void set_key(struct system *system, enum schema_scope scope, void *object, const char *name,
                    const char *const *text, size_t count, struct place at, struct diags *diags)
{
	const struct key *key = tables[scope];
	char *base = object;

	while (key->name != NULL && strcmp(key->name, name) != 0)
		key++;
	if (key->name == NULL) {
		diag_add(diags, at, "unknown key `%s`%s", name,
		         diag_suggest(name, schema_keys(scope)));
		return;
	}
	if (!key->built) {
		diag_add(diags, at, "`%s` is not supported by this version; remove it", name);
		return;
	}
	if (count > 1 && key->kind != KIND_LIST && key->kind != KIND_NICS &&
	    key->kind != KIND_DISKS) {
		diag_add(diags, at, "%s takes one value, not %zu; write for example `%s = %s`",
		         name, count, name, key->example);
		return;
	}

	void *out = base + key->offset;
	struct number_key number = {.at = at};

	switch (key->kind) {
	case KIND_TEXT:
	case KIND_PATH: set_text(system, key, out, text[0], at, diags); break;
	case KIND_CHOICE: set_choice(key, out, text[0], at, diags); break;
	case KIND_LIST: set_list(key, out, text, count, at, diags); break;
	case KIND_TIME: set_time(key, out, text[0], at, diags); break;
	case KIND_IMAGE:
		set_image(system, key, out, text[0], "cow:, keep: or ro:", at, diags);
		break;
	case KIND_DISKS: set_disks(system, key, out, text, count, at, diags); break;
	case KIND_BUDGET: set_budget(key, out, text[0], at, diags); break;
	case KIND_NICS: schema_take_nics(out, text, count, at, diags); break;
	case KIND_UPLINK: schema_take_uplink(out, text[0], at, diags); break;
	case KIND_BOOL:
		if (parse_bool(text[0], &number.value))
			*(struct number_key *)out = number;
		else
			diag_add(diags, at, "%s: `%s` is neither true nor false; write `%s = true`",
			         name, text[0], name);
		break;
	case KIND_SIZE:
	case KIND_NUMBER:
		if (get_number(key, text[0], &number.value, at, diags))
			*(struct number_key *)out = number;
		break;
	}
}

void schema_set(struct system *system, struct vm *vm, const char *name, const char *const *text,
                size_t count, struct place at, struct diags *diags)
{
	if (vm != NULL)
		set_key(system, SCHEMA_VM, vm, name, text, count, at, diags);
	else
		set_key(system, SCHEMA_TOP, system, name, text, count, at, diags);
}

void schema_set_net(struct system *system, struct net *net, const char *name,
                    const char *const *text, size_t count, struct place at, struct diags *diags)
{
	set_key(system, SCHEMA_NET, net, name, text, count, at, diags);
}

// --- names and sums ------------------------------------------------------------------------------

void schema_check_name(const struct system *system, const char *name, struct place at,
                       struct diags *diags)
{
	// Mezzo's own prefix on the console, and the words that `console` and the shell give a
	// meaning.
	static const char *const reserved[] = {"mezzo", "all", "shell"};
	size_t length = strlen(name);

	if (length == 0 || length > DESC_NAME_MAX)
		diag_add(diags, at, "the VM's name `%s` has %zu characters; give it 1 to %d", name,
		         length, DESC_NAME_MAX);
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)name[i]) &&
		    (i == 0 || strchr("-_.", name[i]) == NULL)) {
			diag_add(diags, at,
			         "a VM cannot be called `%s`; use letters, digits and, after the "
			         "first, `-_.`",
			         name);
			break;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcasecmp(name, reserved[i]) == 0)
			diag_add(diags, at,
			         "no VM may be called `%s`: Mezzo uses that name; choose another",
			         name);
	for (size_t i = 0; i < system->vm_count; i++)
		if (strcmp(system->vms[i].name, name) == 0)
			diag_add(diags, at, "there are two VMs called `%s`; rename one", name);
	if (system->vm_count == DESC_MAX_VMS)
		diag_add(diags, at, "this is one VM more than Mezzo takes; keep at most %d",
		         DESC_MAX_VMS);
}

struct vm *system_add(struct system *system, const char *name)
{
	struct vm *vm;

	system->vms = util_grow(system->vms, system->vm_count + 1, sizeof(*system->vms));
	vm = &system->vms[system->vm_count++];
	*vm = (struct vm){.name = name};
	vm->machine.value = "virt";
	vm->on_crash.value = "stop";
	vm->memory.value = MEMORY_DEFAULT;
	vm->cpus.value = 1;
	vm->autostart.value = 1;
	return vm;
}

const struct model_facts *system_model(const struct vm *vm)
{
	return model_facts(strcmp(vm->machine.value, "raspi3") == 0 ? DESC_MACHINE_RASPI3
	                                                            : DESC_MACHINE_VIRT);
}

uint64_t system_memory(const struct system *system)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < system->vm_count; i++)
		sum += system->vms[i].memory.value;
	return sum;
}

uint64_t system_cpus(const struct system *system)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < system->vm_count; i++)
		sum += system->vms[i].cpus.value;
	return sum;
}
